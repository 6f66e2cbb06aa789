/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Guest state of VMCS02, at entry. The hot fields are compared each time; the others follow only
 * when L1 has written one. Registers whose loading L1's controls leave out come from L1 itself.
 * Source: SDM 3C "Loading Guest State".
 */
#include "shadow/entry.h"

#include <string.h>

#include "shadow/sdm/msr.h"

/* L1's EFER goes on in L2, but LMA, and LME under paging, follow "IA-32e mode guest". */
static uint64_t inherited_efer(const struct shadow_slot *slot, uint64_t efer)
{
	bool long_mode = slot_entry_controls(slot) & ENTRY_IA32E_MODE_GUEST;

	efer = long_mode ? efer | EFER_LMA : efer & ~EFER_LMA;
	if (vmcs_get(&slot->v12, GUEST_CR0) & CR0_PG)
		efer = long_mode ? efer | EFER_LME : efer & ~EFER_LME;
	return efer;
}

/* The same where have02 does not know what VMCS02 holds. */
static void write02(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index, uint64_t value)
{
	slot->have02.field[index] = value;
	v->env->vmcs_write(v->env, vmcs_fields[index].encoding, value);
}

/* What L2 left in them is in have02 since the reflection. */
static void push_unsteady(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint32_t entry = slot_entry_controls(slot);
	const struct vmcs *v12 = &slot->v12, *l1 = &v->l1;
	const struct vmcs *debug = entry & ENTRY_LOAD_DEBUG_CONTROLS ? v12 : l1;

	if (slot->extras & EXTRA_DEBUG) {
		push02_by_name(v, slot, GUEST_DR7, vmcs_get(debug, GUEST_DR7));
		push02_by_name(v, slot, GUEST_IA32_DEBUGCTL, vmcs_get(debug, GUEST_IA32_DEBUGCTL));
	}
	if (slot->extras & EXTRA_EFER)
		push02_by_name(v, slot, GUEST_IA32_EFER,
			       (entry & ENTRY_LOAD_EFER)
				   ? vmcs_get(v12, GUEST_IA32_EFER)
				   : inherited_efer(slot, vmcs_get(l1, GUEST_IA32_EFER)));
	if (slot->extras & EXTRA_PAT)
		push02_by_name(v, slot, GUEST_IA32_PAT,
			       vmcs_get(entry & ENTRY_LOAD_PAT ? v12 : l1, GUEST_IA32_PAT));
}

static bool inherits_bndcfgs(const struct shadow_slot *slot)
{
	return (slot->extras & EXTRA_BNDCFGS) && !(slot_entry_controls(slot) & ENTRY_LOAD_BNDCFGS);
}

static bool is_unsteady(const struct shadow_slot *slot, unsigned index)
{
	switch (index) {
	case VMCS_INDEX_GUEST_DR7:
	case VMCS_INDEX_GUEST_IA32_DEBUGCTL:
		return slot->extras & EXTRA_DEBUG;
	case VMCS_INDEX_GUEST_IA32_EFER:
		return slot->extras & EXTRA_EFER;
	case VMCS_INDEX_GUEST_IA32_PAT:
		return slot->extras & EXTRA_PAT;
	case VMCS_INDEX_GUEST_IA32_BNDCFGS:
		return inherits_bndcfgs(slot);
	default:
		return false;
	}
}

static bool is_pdpte(unsigned index)
{
	return index >= VMCS_INDEX_GUEST_PDPTE0 && index <= VMCS_INDEX_GUEST_PDPTE3;
}

/* A trace of L2 goes where L2's addresses lead. One that L1 makes of itself, with addresses of its
 * own, pauses while L2 runs. */
static uint64_t trace_control(const struct shadow_slot *slot)
{
	bool of_l2 = (slot_entry_controls(slot) & ENTRY_LOAD_RTIT_CTL) &&
		     (slot_secondary(slot) & SECONDARY_PT_USES_GPA);

	return of_l2 ? vmcs_get(&slot->v12, GUEST_IA32_RTIT_CTL) : 0;
}

/* Everything of rule GUEST or GUEST_RARE outside the hot list. */
static void push_rare(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		uint8_t rule = vmcs_fields[i].rule;

		if (rule != VMCS_RULE_GUEST && rule != VMCS_RULE_GUEST_RARE)
			continue;
		if (!field_exists(v->l0.hw, i) || is_unsteady(slot, i) || is_pdpte(i))
			continue;
		if (field_is_rare(i) && slot->rare_in_02)
			continue;
		push02(v, slot, i,
		       i == VMCS_INDEX_GUEST_IA32_RTIT_CTL ? trace_control(slot)
							   : slot->v12.field[i]);
	}
}

/* Of the hot list what L1 has written. */
static void push_hot(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	static const uint8_t indices[] = {
#define LIST_HOT_GUEST(field) [FIELD_WRITTEN_##field] = VMCS_INDEX_##field,
#include "shadow/lists.def"
	};
	const uint64_t all = 0
#define LIST_HOT_GUEST(field) | FIELD_WRITTEN_BIT(field)
#include "shadow/lists.def"
	    ;

	for (uint64_t hot = slot->written & all; hot; hot &= hot - 1) {
		unsigned index = indices[__builtin_ctzll(hot)];

		push02(v, slot, index, slot->v12.field[index]);
	}
}

bool guest02_uses_pdptes(const struct shadow_slot *slot)
{
	return (vmcs_get(&slot->v12, GUEST_CR4) & CR4_PAE) &&
	       (vmcs_get(&slot->v12, GUEST_CR0) & CR0_PG) &&
	       !(slot_entry_controls(slot) & ENTRY_IA32E_MODE_GUEST);
}

bool guest02_load_pdptes(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint64_t table = vmcs_get(&slot->v12, GUEST_CR3) & UINT64_C(0xffffffe0);
	uint64_t reserved = PDPTE_RESERVED | ~(BIT64(v->caps.maxphyaddr) - 1);
	const uint64_t *entries = v->env->pointer(v->env, (struct l1_gpa){table}, 32);

	for (unsigned i = 0; i < 4; i++) {
		uint64_t entry = entries ? entries[i] : UINT64_MAX;

		if ((entry & PTE_P) && (entry & reserved))
			return false;
		slot->v12.field[VMCS_INDEX_GUEST_PDPTE0 + i] = entry;
	}
	return true;
}

/* Event injection: the hardware clears the valid bit at each exit, so VMCS02 has none left over. */
static void push_event(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const struct vmcs *v12 = &slot->v12;
	uint64_t info = vmcs_get(v12, ENTRY_INTERRUPTION_INFO);

	if (!(info & INTR_INFO_VALID))
		return;
	/* L0 writes these too when it puts an event back, so have02 does not know them. */
	write02(v, slot, VMCS_INDEX_ENTRY_INSTRUCTION_LENGTH,
		vmcs_get(v12, ENTRY_INSTRUCTION_LENGTH));
	write02(v, slot, VMCS_INDEX_ENTRY_EXCEPTION_ERROR_CODE,
		vmcs_get(v12, ENTRY_EXCEPTION_ERROR_CODE));
	v->env->vmcs_write(v->env, VMCS_ENTRY_INTERRUPTION_INFO, info);
}

static unsigned timer_shift(const struct shadow_vcpu *v)
{
	return (unsigned)(vmx_cap(v->l0.hw, MISC) & VMX_MISC_PREEMPTION_SHIFT);
}

/* SDM 3C "VMX-Preemption Timer": it counts down with the TSC, by the bit that IA32_VMX_MISC names.
 */
static void start_timer(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint64_t value = vmcs_get(&slot->v12, PREEMPTION_TIMER_VALUE);

	slot->timer_end = v->env->rdtsc(v->env) + (value << timer_shift(v));
	write02(v, slot, VMCS_INDEX_PREEMPTION_TIMER_VALUE, value);
}

static void go_on_with_timer(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint64_t now = v->env->rdtsc(v->env);

	write02(v, slot, VMCS_INDEX_PREEMPTION_TIMER_VALUE,
		slot->timer_end > now ? (slot->timer_end - now) >> timer_shift(v) : 0);
}

void guest02_go_on(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint64_t value;

	if (slot->extras & EXTRA_TIMER)
		go_on_with_timer(v, slot);
	if ((slot->extras & EXTRA_PERF) &&
	    v->env->rdmsr(v->env, MSR_IA32_PERF_GLOBAL_CTRL, &value))
		push02_by_name(v, slot, GUEST_IA32_PERF_GLOBAL_CTRL, value);
}

/* What exists only under some control of L1's, or is seldom used. */
static void push_extras(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	if (inherits_bndcfgs(slot))
		push02_by_name(v, slot, GUEST_IA32_BNDCFGS, vmcs_get(&v->l1, GUEST_IA32_BNDCFGS));
	if ((slot->extras & EXTRA_PAE) && guest02_uses_pdptes(slot))
		for (unsigned i = 0; i < 4; i++)
			push02(v, slot, VMCS_INDEX_GUEST_PDPTE0 + i,
			       slot->v12.field[VMCS_INDEX_GUEST_PDPTE0 + i]);
	if (slot->extras & EXTRA_APICV)
		push02_by_name(v, slot, GUEST_INTERRUPT_STATUS,
			       vmcs_get(&slot->v12, GUEST_INTERRUPT_STATUS));
	if (slot->extras & EXTRA_TIMER)
		start_timer(v, slot);
	if (slot->extras & EXTRA_PERF)
		push02_by_name(v, slot, GUEST_IA32_PERF_GLOBAL_CTRL,
			       vmcs_get(&slot->v12, GUEST_IA32_PERF_GLOBAL_CTRL));
}

void guest02_push(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	if (slot->dirty & DIRTY_GUEST)
		push_rare(v, slot);
	if (slot->extras & EXTRA_UNSTEADY)
		push_unsteady(v, slot);
	push_hot(v, slot);
	push_event(v, slot);
	if (slot->extras &
	    (EXTRA_PAE | EXTRA_APICV | EXTRA_TIMER | EXTRA_BNDCFGS | EXTRA_PERF))
		push_extras(v, slot);
	slot->dirty &= ~(uint32_t)DIRTY_GUEST;
	slot->written = 0;
}
