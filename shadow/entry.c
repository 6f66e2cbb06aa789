/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMLAUNCH and VMRESUME of L1, in the order of SDM 3C "VM Entries": basic checks, checks on
 * controls and host state (VMfail), checks on guest state (a failed entry, which is an exit), MSR
 * loading. Then VMCS02 is brought up to date and left current.
 */
#include "shadow/entry.h"

#include "shadow/bitmap.h"
#include "shadow/insn.h"
#include "shadow/msr_list.h"
#include "shadow/reflect.h"

/* Everything that does not need a VMCS02. v->l1 is up to date. false: *r is the outcome. */
static bool basic_checks(struct shadow_vcpu *v, bool launch, struct vmx_result *r)
{
	struct shadow_slot *slot = v->current;
	bool launched;

	if (!slot || slot_is_shadow(slot)) {
		*r = result_fail_invalid();
		return false;
	}
	launched = slot->v12.launch_state == VMCS_STATE_LAUNCHED;
	if (vmcs_get(&v->l1, GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_MOV_SS)
		*r = result_fail_valid(VMX_ERROR_ENTRY_BLOCKED_BY_MOV_SS);
	else if (launch && launched)
		*r = result_fail_valid(VMX_ERROR_VMLAUNCH_NOT_CLEAR);
	else if (!launch && !launched)
		*r = result_fail_valid(VMX_ERROR_VMRESUME_NOT_LAUNCHED);
	else
		return true;
	return false;
}

#define BITMAP_CONTROLS ((uint32_t)(PRIMARY_USE_MSR_BITMAPS | PRIMARY_USE_IO_BITMAPS))

/* What a change of the primary controls, or of L1's mode, makes dirty. */
static void note_changes(struct shadow_slot *slot, bool long_mode)
{
	uint32_t changed = slot_primary(slot) ^ slot->seen_primary;

	if (slot->checked_long_mode != long_mode)
		slot->dirty |= DIRTY_CHECKS | DIRTY_CHECKS_HOST;
	if (changed)
		slot->dirty |= DIRTY_CONTROLS;
	if (changed & BITMAP_CONTROLS)
		slot->dirty |= DIRTY_BITMAPS;
}

/* These end an entry that has passed the checks for VMfail: false, the outcome is an exit. */
static bool fail_entry(struct shadow_vcpu *v, enum vmx_exit_reason reason, uint64_t qualification)
{
	reflect_failed_entry(v, reason, qualification);
	return false;
}

/* The PDPTEs are checked last, so anything that the hardware would have found has precedence. */
static bool fail_pdptes(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const unsigned invalid_pdpte = 2;
	unsigned failed = checks12_guest_registers(v, slot);

	return fail_entry(v, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE,
			  failed ? failed - 1 : invalid_pdpte);
}

static bool out_of_pages(struct shadow_vcpu *v)
{
	v->dead = "L0's page pool is too small for this VM entry";
	return false;
}

static bool linking_changes(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	bool now = vmcs_get(&slot->have02, SECONDARY_CONTROLS) & SECONDARY_VMCS_SHADOWING;

	return v->hw_shadowing && now != (v->linked != NULL);
}

/* Some checks on controls come out by more than VMWRITEs of controls: by the event, which L1 writes
 * without an exit, and by the virtual-APIC page. The hardware makes them on VMCS02, but too late if
 * guest state is judged, or MSRs are loaded, before. */
static bool controls_hold(struct shadow_vcpu *v, struct shadow_slot *slot, struct vmx_result *r)
{
	if (!(slot->extras & EXTRA_PREPARE) ||
	    (!(vmcs_get(&slot->v12, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID) &&
	     !vmcs_get(&slot->v12, ENTRY_MSR_LOAD_COUNT)))
		return true;
	v->env->vmptrld(v->env, &v->l0.vmcs01_hpa);
	slot->dirty |= DIRTY_CHECKS;
	*r = checks12_controls_and_host(v, slot);
	return r->outcome == VMX_DO_ENTRY;
}

/* What an entry needs before VMCS02 is written, and most entries don't. false: *r is the outcome.
 */
static bool prepare(struct shadow_vcpu *v, struct shadow_slot *slot, uint64_t *eptp02,
		    struct vmx_result *r)
{
	unsigned failed;

	if (!controls_hold(v, slot, r))
		return false;
	r->outcome = VMX_DO_EXIT;
	failed = checks12_guest(v, slot);
	if (failed)
		return fail_entry(v, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE, failed - 1);
	if (guest02_uses_pdptes(slot) && !slot_has_ept12(slot) && !guest02_load_pdptes(v, slot))
		return fail_pdptes(v, slot);
	if (!slot->vmcs02.va && !vmcs02_create(v, slot))
		return out_of_pages(v);
	if (linking_changes(v, slot))
		slot->dirty |= DIRTY_CONTROLS;
	if (vmcs_get(&slot->v12, VMCS_LINK_POINTER) == UINT64_MAX)
		slot->extras &= (uint16_t)~EXTRA_LINK; /* until L1 writes one */
	return merge_prepare(v, slot, eptp02) || out_of_pages(v);
}

/* Controls of VMCS02, which is current. Two hang on more than L1's controls: what is behind the
 * link pointer, and the MSR-store area, where L1 may have put the TSC, or taken it away, without a
 * word. */
static void push_controls(struct shadow_vcpu *v, struct shadow_slot *slot, uint64_t eptp02)
{
	if (slot->dirty & DIRTY_CONTROLS)
		merge_push_controls(v, slot, eptp02);
	push02_by_name(v, slot, VMCS_LINK_POINTER,
		       v->linked && slot_has_shadow(v->linked) ? v->linked->shadow.hpa.value
							       : UINT64_MAX);
	msr_list_store_tsc(v, slot);
	slot->dirty &= ~(uint32_t)DIRTY_CONTROLS;
}

/* VMCS12 is good as far as the hardware will not check it on VMCS02: enters. */
static bool enter(struct shadow_vcpu *v, struct shadow_slot *slot, bool launch,
		  struct vmx_result *r)
{
	uint64_t eptp02 = 0;
	unsigned failed;

	if ((slot->dirty || (slot->extras & EXTRA_PREPARE) ||
	     slot->ept_generation != v->ept_generation) &&
	    !prepare(v, slot, &eptp02, r))
		return false;
	v->env->vmptrld(v->env, &slot->vmcs02.hpa);
	if ((slot->dirty & DIRTY_CONTROLS) || (slot->extras & (EXTRA_LINK | EXTRA_MSR_LISTS)))
		push_controls(v, slot, eptp02);
	guest02_push(v, slot);
	v->in_l2 = true;
	v->launched = &slot->launched02;
	v->launching = launch;
	failed = slot->extras & EXTRA_MSR_LISTS ? msr_list_load_entry(v, slot) : 0;
	if (failed)
		return fail_entry(v, EXIT_REASON_ENTRY_FAILURE_MSR_LOADING, failed);
	slot->v12.launch_state = VMCS_STATE_LAUNCHED;
	return true;
}

/* Something has changed besides the guest's state: what follows from it, and the checks. The shadow
 * VMCS may be current before; VMCS01 is after. false: *r is the outcome. */
static bool look_again(struct shadow_vcpu *v, struct shadow_slot *slot, bool long_mode,
		       struct vmx_result *r)
{
	if (slot_has_shadow(slot))
		v->env->vmptrld(v->env, &v->l0.vmcs01_hpa);
	if (slot->dirty & DIRTY_CONTROLS)
		slot_find_extras(v, slot);
	*r = checks12_controls_and_host(v, slot);
	slot->checked_long_mode = long_mode;
	return r->outcome == VMX_DO_ENTRY;
}

#define LOOK_AGAIN (DIRTY_CHECKS | DIRTY_CHECKS_HOST | DIRTY_CONTROLS)

/* false: *r is the outcome, or if it is VMX_DO_EXIT the entry failed late. */
static bool attempt(struct shadow_vcpu *v, bool launch, struct vmx_result *r)
{
	bool long_mode = vmcs_get(&v->l1, GUEST_CS_ACCESS_RIGHTS) & AR_L;
	struct shadow_slot *slot = v->current;

	if (!basic_checks(v, launch, r))
		return false;
	v->failed_check = NULL;
	slot_pull(v, slot);
	note_changes(slot, long_mode);
	if ((slot->dirty & LOOK_AGAIN) && !look_again(v, slot, long_mode, r))
		return false;
	r->outcome = VMX_DO_EXIT;
	return enter(v, slot, launch, r);
}

enum shadow_next entry_emulate(struct shadow_vcpu *v, bool launch)
{
	struct vmx_result r;

	registers_read(v, SHADOW_LIST_L1_ENTRY, v->l1.field);
	if (!v->vmx_on)
		r = result_fault(VECTOR_UD, 0);
	else if (vmcs_get(&v->l1, GUEST_SS_ACCESS_RIGHTS) & AR_DPL)
		r = result_fault(VECTOR_GP, 0);
	else if (attempt(v, launch, &r))
		return SHADOW_RESUME_L2;
	if (v->dead)
		return SHADOW_DEAD;
	/* A failed entry is an exit: L1 goes on at its host RIP. */
	return r.outcome == VMX_DO_EXIT ? SHADOW_RESUME_L1 : insn_finish(v, &r);
}
