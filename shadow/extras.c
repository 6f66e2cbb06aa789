/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the controls of a VMCS12 ask of each entry and reflection beyond the usual: enum slot_extra,
 * slot.h. A function of VMCS12's controls and the hardware, nothing else.
 */
#include "shadow/dirty.h"
#include "shadow/fields.h"
#include "shadow/slot.h"
#include "shadow/vpid.h"

/* A register that L1's entry loads or inherits, and its exit saves or not, loads or inherits. */
static uint32_t registers(uint32_t entry, uint32_t exit, bool efer, bool pat)
{
	uint32_t extras = 0;

	if (!(entry & ENTRY_LOAD_DEBUG_CONTROLS) || !(exit & EXIT_SAVE_DEBUG_CONTROLS))
		extras |= EXTRA_DEBUG;
	if (efer && (!(entry & ENTRY_LOAD_EFER) || !(exit & EXIT_SAVE_EFER)))
		extras |= EXTRA_EFER;
	if (pat && (!(entry & ENTRY_LOAD_PAT) || !(exit & EXIT_SAVE_PAT)))
		extras |= EXTRA_PAT;
	if (efer && !(exit & EXIT_LOAD_EFER))
		extras |= EXTRA_INHERIT_EFER;
	if (pat && !(exit & EXIT_LOAD_PAT))
		extras |= EXTRA_INHERIT_PAT;
	return extras;
}

static uint32_t by_secondary(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	uint32_t secondary = slot_secondary(slot), extras = 0;

	if (secondary & SECONDARY_UNRESTRICTED_GUEST)
		extras |= EXTRA_LONG_MODE;
	if (secondary & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)
		extras |= EXTRA_APICV;
	if (vpid02_must_flush(v, slot))
		extras |= EXTRA_FLUSH;
	if (dirty_is_needed(slot))
		extras |= EXTRA_NOTES;
	return extras;
}

void slot_find_extras(const struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const struct vmcs *v12 = &slot->v12;
	uint32_t extras =
	    registers(slot_entry_controls(slot), slot_exit_controls(slot),
		      field_exists(v->l0.hw, VMCS_INDEX_GUEST_IA32_EFER),
		      field_exists(v->l0.hw, VMCS_INDEX_GUEST_IA32_PAT)) |
	    by_secondary(v, slot);

	if (vmcs_get(v12, ENTRY_MSR_LOAD_COUNT) | vmcs_get(v12, EXIT_MSR_STORE_COUNT) |
	    vmcs_get(v12, EXIT_MSR_LOAD_COUNT))
		extras |= EXTRA_MSR_LISTS;
	if (vmcs_get(v12, VMCS_LINK_POINTER) != UINT64_MAX)
		extras |= EXTRA_LINK;
	if (!(slot_entry_controls(slot) & ENTRY_IA32E_MODE_GUEST))
		extras |= EXTRA_PAE;
	if (slot_pin(slot) & PIN_PREEMPTION_TIMER)
		extras |= EXTRA_TIMER;
	slot->extras = (uint16_t)extras;
}
