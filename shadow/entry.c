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

/* Everything that does not need a VMCS02. */
static struct vmx_result basic_checks(struct shadow_vcpu *v, bool launch)
{
	struct shadow_slot *slot = v->current;
	bool launched;

	if (!slot || slot_is_shadow(slot))
		return result_fail_invalid();
	if (v->env->vmcs_read(v->env, VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_MOV_SS)
		return result_fail_valid(VMX_ERROR_ENTRY_BLOCKED_BY_MOV_SS);
	launched = slot->v12.launch_state == VMCS_STATE_LAUNCHED;
	if (launch && launched)
		return result_fail_valid(VMX_ERROR_VMLAUNCH_NOT_CLEAR);
	if (!launch && !launched)
		return result_fail_valid(VMX_ERROR_VMRESUME_NOT_LAUNCHED);
	return (struct vmx_result){.outcome = VMX_DO_ENTRY};
}

#define BITMAP_CONTROLS ((uint32_t)(PRIMARY_USE_MSR_BITMAPS | PRIMARY_USE_IO_BITMAPS))

/* What a change of the primary controls, or of L1's mode, makes dirty. */
static void note_changes(struct shadow_slot *slot, bool long_mode)
{
	uint32_t changed = slot_primary(slot) ^ slot->seen_primary;

	if (slot->checked_long_mode != long_mode)
		slot->dirty |= DIRTY_CHECKS;
	if (changed)
		slot->dirty |= DIRTY_CONTROLS;
	if (changed & BITMAP_CONTROLS)
		slot->dirty |= DIRTY_BITMAPS;
}

static struct l1_inherited read_inherited(struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	struct shadow_env *env = v->env;
	struct l1_inherited l1 = {0};

	if (slot->extras & EXTRA_DEBUG) {
		l1.dr7 = env->vmcs_read(env, VMCS_GUEST_DR7);
		l1.debugctl = env->vmcs_read(env, VMCS_GUEST_IA32_DEBUGCTL);
	}
	if (slot->extras & EXTRA_EFER)
		l1.efer = env->vmcs_read(env, VMCS_GUEST_IA32_EFER);
	if (slot->extras & EXTRA_PAT)
		l1.pat = env->vmcs_read(env, VMCS_GUEST_IA32_PAT);
	return l1;
}

static struct vmx_result fail_entry(struct shadow_vcpu *v, enum vmx_exit_reason reason,
				    uint64_t qualification)
{
	reflect_failed_entry(v, reason, qualification);
	return (struct vmx_result){.outcome = VMX_DO_EXIT};
}

/* The PDPTEs are checked last, so anything that the hardware would have found has precedence. */
static struct vmx_result fail_pdptes(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const unsigned invalid_pdpte = 2;
	unsigned failed = checks12_guest_registers(v, slot);

	return fail_entry(v, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE,
			  failed ? failed - 1 : invalid_pdpte);
}

static struct vmx_result out_of_pages(struct shadow_vcpu *v)
{
	v->dead = "L0's page pool is too small for this VM entry";
	return (struct vmx_result){.outcome = VMX_DO_EXIT};
}

static bool linking_changes(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	bool now = vmcs_get(&slot->have02, SECONDARY_CONTROLS) & SECONDARY_VMCS_SHADOWING;

	return v->hw_shadowing && now != (v->linked != NULL);
}

/* What an entry needs before VMCS02 is written, and most entries don't. VMX_DO_ENTRY: go on. */
static struct vmx_result prepare(struct shadow_vcpu *v, struct shadow_slot *slot, uint64_t *eptp02)
{
	unsigned failed = checks12_guest(v, slot);

	if (failed)
		return fail_entry(v, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE, failed - 1);
	if (guest02_uses_pdptes(slot) && !slot_has_ept12(slot) && !guest02_load_pdptes(v, slot))
		return fail_pdptes(v, slot);
	if (!slot->vmcs02.va && !vmcs02_create(v, slot))
		return out_of_pages(v);
	if (linking_changes(v, slot))
		slot->dirty |= DIRTY_CONTROLS;
	if (!merge_prepare(v, slot, eptp02))
		return out_of_pages(v);
	return (struct vmx_result){.outcome = VMX_DO_ENTRY};
}

#define HOT_CONTROLS                                                                               \
	(FIELD_WRITTEN_BIT(EXCEPTION_BITMAP) | FIELD_WRITTEN_BIT(CR0_GUEST_HOST_MASK) |            \
	 FIELD_WRITTEN_BIT(CR4_GUEST_HOST_MASK) | FIELD_WRITTEN_BIT(CR0_READ_SHADOW) |             \
	 FIELD_WRITTEN_BIT(CR4_READ_SHADOW))

/* Makes VMCS02 current and current with VMCS12. */
static void update_vmcs02(struct shadow_vcpu *v, struct shadow_slot *slot, uint64_t eptp02,
			  const struct l1_inherited *l1)
{
	v->env->vmptrld(v->env, slot->vmcs02.hpa);
	if (slot->dirty & DIRTY_CONTROLS)
		merge_push_controls(v, slot, eptp02);
	/* L1 may have put the TSC into its MSR-store area without a word, or taken the area away. */
	if ((slot->dirty & DIRTY_CONTROLS) || (slot->extras & EXTRA_MSR_LISTS))
		msr_list_store_tsc(v, slot);
	if ((slot->dirty & DIRTY_CONTROLS) || (slot->written & HOT_CONTROLS))
		merge_push_hot_controls(v, slot);
	if ((slot->dirty & DIRTY_CONTROLS) || (slot->extras & EXTRA_LINK))
		push02_by_name(v, slot, VMCS_LINK_POINTER,
			       v->linked && slot_has_shadow(v->linked)
				   ? v->linked->shadow.hpa.value
				   : UINT64_MAX);
	slot->dirty &= ~(uint32_t)DIRTY_CONTROLS;
	guest02_push(v, slot, l1);
	slot->written = 0;
}

/* VMCS12 is good as far as the hardware will not check it on VMCS02. */
static struct vmx_result enter(struct shadow_vcpu *v, struct shadow_slot *slot, bool launch,
			       const struct l1_inherited *l1)
{
	struct vmx_result r = {.outcome = VMX_DO_ENTRY};
	uint64_t eptp02 = 0;

	if (slot->dirty || (slot->extras & EXTRA_PREPARE) ||
	    slot->ept_generation != v->ept_generation)
		r = prepare(v, slot, &eptp02);
	if (r.outcome != VMX_DO_ENTRY)
		return r;
	update_vmcs02(v, slot, eptp02, l1);
	v->in_l2 = true;
	v->launched = &slot->launched02;
	v->launching = launch;
	if (slot->extras & EXTRA_MSR_LISTS) {
		unsigned failed = msr_list_load_entry(v, slot);

		if (failed)
			return fail_entry(v, EXIT_REASON_ENTRY_FAILURE_MSR_LOADING, failed);
	}
	slot->v12.launch_state = VMCS_STATE_LAUNCHED;
	return r;
}

/* Something has changed besides the guest's state: what follows from it, and the checks. The shadow
 * VMCS may be current before; VMCS01 is after. */
static struct vmx_result look_again(struct shadow_vcpu *v, struct shadow_slot *slot,
				    bool long_mode, struct l1_inherited *l1)
{
	struct vmx_result r;

	if (slot_has_shadow(slot))
		v->env->vmptrld(v->env, v->l0.vmcs01_hpa);
	if (slot->dirty & DIRTY_CONTROLS)
		slot_find_extras(v, slot);
	*l1 = read_inherited(v, slot);
	r = checks12_controls_and_host(v, slot);
	if (r.outcome == VMX_DO_ENTRY)
		slot->checked_long_mode = long_mode;
	return r;
}

static struct vmx_result attempt(struct shadow_vcpu *v, bool launch)
{
	bool long_mode = v->env->vmcs_read(v->env, VMCS_GUEST_CS_ACCESS_RIGHTS) & AR_L;
	struct vmx_result r = basic_checks(v, launch);
	struct shadow_slot *slot = v->current;
	struct l1_inherited l1 = {0};

	if (r.outcome != VMX_DO_ENTRY)
		return r;
	v->failed_check = NULL;
	if (slot->extras & EXTRA_UNSTEADY)
		l1 = read_inherited(v, slot);
	slot_pull(v, slot);
	note_changes(slot, long_mode);
	if (slot->dirty & (DIRTY_CHECKS | DIRTY_CONTROLS)) {
		r = look_again(v, slot, long_mode, &l1);
		if (r.outcome != VMX_DO_ENTRY)
			return r;
	}
	return enter(v, slot, launch, &l1);
}

struct vmx_result emulate_vmlaunch(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	return attempt(v, true);
}

struct vmx_result emulate_vmresume(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	return attempt(v, false);
}
