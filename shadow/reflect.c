/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reflection, in the order of SDM 3C "VM Exits": exit information, guest state, MSR-store area,
 * host state, MSR-load area. Fields that L1 reads without an exit are written to the shadow VMCS
 * where they differ from what it holds; rare guest state stays in VMCS02.
 */
#include "shadow/reflect.h"

#include "shadow/fields.h"
#include "shadow/host_state.h"
#include "shadow/merge.h"
#include "shadow/msr_list.h"
#include "shadow/route.h"
#include "shadow/vcpu.h"

static void read02(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index)
{
	slot->have02.field[index] = v->env->vmcs_read(v->env, vmcs_fields[index].encoding);
}

/* Fields that only some exits define. SDM 3C "Recording VM-Exit Information and Updating VM-Entry
 * Control Fields". */
static void read_exit_details(struct shadow_vcpu *v, struct shadow_slot *slot, uint32_t reason)
{
	unsigned info = route_exit_info(reason & EXIT_REASON_BASIC);
	const uint64_t coded = INTR_INFO_VALID | INTR_INFO_ERROR_CODE;

	if ((vmcs_get(&slot->have02, EXIT_INTERRUPTION_INFO) & coded) == coded)
		read02(v, slot, VMCS_INDEX_EXIT_INTERRUPTION_ERROR_CODE);
	if ((vmcs_get(&slot->have02, IDT_VECTORING_INFO) & coded) == coded)
		read02(v, slot, VMCS_INDEX_IDT_VECTORING_ERROR_CODE);
	if (info & ROUTE_INFO_I)
		read02(v, slot, VMCS_INDEX_EXIT_INSTRUCTION_INFO);
	if (info & ROUTE_INFO_L)
		read02(v, slot, VMCS_INDEX_GUEST_LINEAR_ADDRESS);
	if ((info & ROUTE_INFO_G) && field_exists(v->l0.hw, VMCS_INDEX_GUEST_PHYSICAL_ADDRESS))
		read02(v, slot, VMCS_INDEX_GUEST_PHYSICAL_ADDRESS);
}

/* Guest state that exists only under some control of L1's. */
static void read_conditional_state(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	if (slot_secondary(slot) & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY) {
		read02(v, slot, VMCS_INDEX_GUEST_INTERRUPT_STATUS);
		vmcs_set(&slot->v12, GUEST_INTERRUPT_STATUS,
			 vmcs_get(&slot->have02, GUEST_INTERRUPT_STATUS));
	}
	if (slot_exit_controls(slot) & EXIT_SAVE_PREEMPTION_TIMER &&
	    slot_pin(slot) & PIN_PREEMPTION_TIMER)
		vmcs_set(&slot->v12, PREEMPTION_TIMER_VALUE,
			 v->env->vmcs_read(v->env, VMCS_PREEMPTION_TIMER_VALUE));
	/* CR0, CR4 and EFER decide about PAE; of the 02's CRs v12 learns in a moment. */
	if ((vmcs_get(&slot->have02, GUEST_CR4) & CR4_PAE) && slot_has_ept12(slot) &&
	    (vmcs_get(&slot->have02, GUEST_CR0) & CR0_PG) &&
	    !(slot_entry_controls(slot) & ENTRY_IA32E_MODE_GUEST))
		for (unsigned i = VMCS_INDEX_GUEST_PDPTE0; i <= VMCS_INDEX_GUEST_PDPTE3; i++) {
			read02(v, slot, i);
			slot->v12.field[i] = slot->have02.field[i];
		}
}

/* v12 takes the field from VMCS02 (have02), and the shadow VMCS, if current, takes it from v12. */
static void give(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index, uint64_t value,
		 bool shadow)
{
	slot->v12.field[index] = value;
	if (shadow)
		v->env->vmcs_write(v->env, vmcs_fields[index].encoding, value);
}

static void give_all(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const struct vmcs *have = &slot->have02;
	bool shadow = slot_has_shadow(slot);

	if (shadow)
		v->env->vmptrld(v->env, slot->shadow.hpa);
#define GIVE(field)                                                                                \
	if (vmcs_get(&slot->v12, field) != vmcs_get(have, field))                                  \
		give(v, slot, VMCS_INDEX_##field, vmcs_get(have, field), shadow);
#define LIST_HOT_GUEST(field) GIVE(field)
#define LIST_L1_READS(field) GIVE(field)
#include "shadow/lists.def"
#undef GIVE
	/* SDM 3C "Recording VM-Exit Information ...": the exit clears the valid bit. */
	if (vmcs_get(&slot->v12, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID)
		give(v, slot, VMCS_INDEX_ENTRY_INTERRUPTION_INFO,
		     vmcs_get(&slot->v12, ENTRY_INTERRUPTION_INFO) & ~(uint64_t)INTR_INFO_VALID,
		     shadow);
	if (shadow && !slot->rare_in_02)
		slot_show_rare(v, slot);
}

/* Rare guest state stays in VMCS02, unless L1 has shown that it will ask. */
static void leave_rare(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	bool shown = slot->rare_in_shadow;

	slot->rare_in_02 = true;
	slot->rare_in_shadow = false;
	if (slot_has_shadow(slot) && slot->rare_credit) {
		slot->rare_credit--;
		slot_read_rare(v, slot);
	} else if (shown) {
		vcpu_show_rare(v, slot);
	}
}

/* "IA-32e mode guest" follows L2's mode where the guest can switch it (unrestricted guest). */
static void save_long_mode(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint32_t entry = slot_entry_controls(slot);
	bool now;

	if (!(slot_secondary(slot) & SECONDARY_UNRESTRICTED_GUEST))
		return;
	read02(v, slot, VMCS_INDEX_ENTRY_CONTROLS);
	now = vmcs_get(&slot->have02, ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST;
	if (now == !!(entry & ENTRY_IA32E_MODE_GUEST))
		return;
	vmcs_set(&slot->v12, ENTRY_CONTROLS, entry ^ ENTRY_IA32E_MODE_GUEST);
	slot->dirty |= DIRTY_CONTROLS | DIRTY_CHECKS;
}

static struct l2_leftover read_leftover(struct shadow_vcpu *v, struct shadow_slot *slot,
					const struct reflect_as *as)
{
	uint32_t exit = slot_exit_controls(slot);
	uint32_t info = (uint32_t)vmcs_get(&slot->have02, EXIT_INTERRUPTION_INFO);
	struct l2_leftover l2 = {0};

	if (!(exit & EXIT_LOAD_EFER) && field_exists(v->l0.hw, VMCS_INDEX_GUEST_IA32_EFER))
		l2.efer = v->env->vmcs_read(v->env, VMCS_GUEST_IA32_EFER);
	if (!(exit & EXIT_LOAD_PAT) && field_exists(v->l0.hw, VMCS_INDEX_GUEST_IA32_PAT))
		l2.pat = v->env->vmcs_read(v->env, VMCS_GUEST_IA32_PAT);
	/* SDM 3C "Updating Non-Register State": an NMI exit leaves NMIs blocked; without NMI
	 * exiting, L2's blocking is the CPU's. */
	if ((as->reason & EXIT_REASON_BASIC) == EXIT_REASON_EXCEPTION_OR_NMI &&
	    (info & INTR_INFO_TYPE) == INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT) {
		l2.nmi_decided = l2.nmi_blocked = true;
	} else if (!(slot_pin(slot) & PIN_NMI_EXITING)) {
		l2.nmi_decided = true;
		l2.nmi_blocked =
		    vmcs_get(&slot->have02, GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI;
	}
	return l2;
}

/* From L2 to L1: VMCS01 becomes current with L1's host state in it. */
static void return_to_l1(struct shadow_vcpu *v, struct shadow_slot *slot,
			 const struct l2_leftover *l2)
{
	v->env->vmptrld(v->env, v->l0.vmcs01_hpa);
	v->in_l2 = false;
	v->linked = NULL;
	v->launched = v->l0.vmcs01_launched;
	if (!host_state_load(v, slot, l2))
		return;
	vpid02_transition(v, slot);
	if (!msr_list_load_exit(v, slot))
		v->dead = "VMX abort: an entry of L1's VM-exit MSR-load area is invalid";
}

void reflect_exit(struct shadow_vcpu *v, const struct reflect_as *as)
{
	struct shadow_slot *slot = v->current;
	struct l2_leftover l2;

	v->env->vmcs_read_list(v->env, SHADOW_LIST_L2_EXIT, slot->have02.field);
	vmcs_set(&slot->have02, EXIT_REASON, as->reason);
	if (as->has_qualification)
		vmcs_set(&slot->have02, EXIT_QUALIFICATION, as->qualification);
	if (as->has_interruption)
		vmcs_set(&slot->have02, EXIT_INTERRUPTION_INFO, as->interruption);
	read_exit_details(v, slot, as->reason);
	read_conditional_state(v, slot);
	save_long_mode(v, slot);
	leave_rare(v, slot);
	l2 = read_leftover(v, slot, as);
	if (!msr_list_store_exit(v, slot))
		v->dead = "VMX abort: an entry of L1's VM-exit MSR-store area is invalid";
	give_all(v, slot);
	return_to_l1(v, slot, &l2);
}

/* SDM 3C "VM-Entry Failures During or After Loading Guest State": reason and qualification are
 * recorded, no guest state is saved, the launch state stays as it was. */
void reflect_failed_entry(struct shadow_vcpu *v, enum vmx_exit_reason reason,
			  uint64_t qualification)
{
	struct shadow_slot *slot = v->current;
	bool shadow = slot_has_shadow(slot);
	struct l2_leftover l2 = {0};

	if (v->in_l2) {
		/* The injection did not happen and must not linger in VMCS02. */
		v->env->vmcs_write(v->env, VMCS_ENTRY_INTERRUPTION_INFO, 0);
		if (v->launching)
			slot->v12.launch_state = VMCS_STATE_CLEAR;
	}
	v->env->vmptrld(v->env, v->l0.vmcs01_hpa);
	if (field_exists(v->l0.hw, VMCS_INDEX_GUEST_IA32_EFER))
		l2.efer = v->env->vmcs_read(v->env, VMCS_GUEST_IA32_EFER);
	if (field_exists(v->l0.hw, VMCS_INDEX_GUEST_IA32_PAT))
		l2.pat = v->env->vmcs_read(v->env, VMCS_GUEST_IA32_PAT);
	if (shadow)
		v->env->vmptrld(v->env, slot->shadow.hpa);
	give(v, slot, VMCS_INDEX_EXIT_REASON, reason | EXIT_REASON_ENTRY_FAILURE, shadow);
	give(v, slot, VMCS_INDEX_EXIT_QUALIFICATION, qualification, shadow);
	return_to_l1(v, slot, &l2);
}
