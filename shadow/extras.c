/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the controls of a VMCS12 ask of each entry and reflection beyond the usual: enum slot_extra,
 * slot.h. A function of VMCS12's controls and the hardware, nothing else.
 */
#include "shadow/dirty.h"
#include "shadow/fields.h"
#include "shadow/slot.h"
#include "shadow/vpid.h"

/* Registers with a field: which controls of L1's have to be 1 lest there is something to do. */
static uint32_t registers(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	static const struct {
		uint16_t extra;
		uint8_t index;
		uint32_t entry, exit;
	} rows[] = {
	    {EXTRA_DEBUG, VMCS_INDEX_GUEST_DR7, ENTRY_LOAD_DEBUG_CONTROLS,
	     EXIT_SAVE_DEBUG_CONTROLS},
	    {EXTRA_EFER, VMCS_INDEX_GUEST_IA32_EFER, ENTRY_LOAD_EFER, EXIT_SAVE_EFER},
	    {EXTRA_PAT, VMCS_INDEX_GUEST_IA32_PAT, ENTRY_LOAD_PAT, EXIT_SAVE_PAT},
	    {EXTRA_INHERIT_EFER, VMCS_INDEX_GUEST_IA32_EFER, 0, EXIT_LOAD_EFER},
	    {EXTRA_INHERIT_PAT, VMCS_INDEX_GUEST_IA32_PAT, 0, EXIT_LOAD_PAT},
	};
	uint32_t extras = 0;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (field_exists(v->l0.hw, rows[i].index) &&
		    ((rows[i].entry & ~slot_entry_controls(slot)) ||
		     (rows[i].exit & ~slot_exit_controls(slot))))
			extras |= rows[i].extra;
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
	uint32_t extras = registers(v, slot) | by_secondary(v, slot);

	if (vmcs_get(v12, ENTRY_MSR_LOAD_COUNT) | vmcs_get(v12, EXIT_MSR_STORE_COUNT) |
	    vmcs_get(v12, EXIT_MSR_LOAD_COUNT) | vmcs_get(v->l0.vmcs01, ENTRY_MSR_LOAD_COUNT))
		extras |= EXTRA_MSR_LISTS;
	if (vmcs_get(v12, VMCS_LINK_POINTER) != UINT64_MAX)
		extras |= EXTRA_LINK;
	if (!(slot_entry_controls(slot) & ENTRY_IA32E_MODE_GUEST))
		extras |= EXTRA_PAE;
	if (v->loads01 & LOADS01_BNDCFGS)
		extras |= EXTRA_BNDCFGS;
	if (slot_pin(slot) & PIN_PREEMPTION_TIMER)
		extras |= EXTRA_TIMER;
	if (slot_entry_controls(slot) & ENTRY_LOAD_PERF_GLOBAL_CTRL)
		extras |= EXTRA_PERF;
	/* Where the entry loads IA32_RTIT_CTL, L1 was not tracing. */
	if ((slot_exit_controls(slot) & EXIT_CLEAR_RTIT_CTL) &&
	    !(slot_entry_controls(slot) & ENTRY_LOAD_RTIT_CTL))
		extras |= EXTRA_TRACE;
	slot->extras = (uint16_t)extras;
}
