/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMXON, VMXOFF, VMCLEAR, VMPTRLD, VMPTRST as L1 executes them. Each function follows the
 * "Operation" section of its page in SDM 3C "VMX Instruction Reference", in that order.
 */
#include "shadow/insn.h"
#include "shadow/operand.h"
#include "shadow/sdm/msr.h"
#include "shadow/vcpu.h"

#include <string.h>

/* Reads the 64-bit physical address in the memory operand. */
static struct vmx_result read_pointer(struct shadow_vcpu *v, struct shadow_regs *regs,
				      struct l1_gpa *pointer)
{
	struct vmx_operand op = operand_decode(v);

	return operand_read(v, regs, &op, &pointer->value, sizeof(pointer->value));
}

/* Not 4-KB aligned, or beyond the physical-address width. */
static bool is_bad_pointer(const struct shadow_vcpu *v, struct l1_gpa pointer)
{
	return PAGE_OFFSET(pointer.value) || pointer.value >> v->caps.maxphyaddr;
}

/* The first 32 bits of a VMCS or VMXON region; where there is no memory a load gives all ones. */
static uint32_t read_revision(struct shadow_vcpu *v, struct l1_gpa pointer)
{
	uint32_t revision = UINT32_MAX;
	const void *p = v->env->pointer(v->env, pointer, sizeof(revision));

	if (p)
		memcpy(&revision, p, sizeof(revision));
	return revision;
}

/* CR0 and CR4 as L1 sees them: of the bits that L0 owns, the read shadows. The real ones always fit
 * VMX operation, because L0 is in it. */
static uint64_t l1_cr0(struct shadow_vcpu *v)
{
	uint64_t mask = vmcs_get(v->l0.vmcs01, CR0_GUEST_HOST_MASK);

	return (v->env->vmcs_read(v->env, VMCS_GUEST_CR0) & ~mask) |
	       (v->env->vmcs_read(v->env, VMCS_CR0_READ_SHADOW) & mask);
}

static uint64_t l1_cr4(struct shadow_vcpu *v)
{
	uint64_t mask = vmcs_get(v->l0.vmcs01, CR4_GUEST_HOST_MASK);

	return (v->env->vmcs_read(v->env, VMCS_GUEST_CR4) & ~mask) |
	       (v->env->vmcs_read(v->env, VMCS_CR4_READ_SHADOW) & mask);
}

static bool fits_fixed(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
	return (value & fixed0) == fixed0 && !(value & ~fixed1);
}

/* What makes VMXON #UD: the mode. */
static bool vmxon_is_defined(struct shadow_vcpu *v)
{
	struct shadow_env *env = v->env;
	bool compatibility = (env->vmcs_read(env, VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST) &&
			     !(env->vmcs_read(env, VMCS_GUEST_CS_ACCESS_RIGHTS) & AR_L);

	return (l1_cr0(v) & CR0_PE) && (l1_cr4(v) & CR4_VMXE) && !compatibility &&
	       !(env->vmcs_read(env, VMCS_GUEST_RFLAGS) & RFLAGS_VM);
}

/* What makes it #GP outside VMX operation, privilege aside. */
static bool vmxon_is_allowed(struct shadow_vcpu *v)
{
	uint64_t enabled = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX;

	return fits_fixed(l1_cr0(v), vmx_cap(&v->caps, CR0_FIXED0),
			  vmx_cap(&v->caps, CR0_FIXED1)) &&
	       fits_fixed(l1_cr4(v), vmx_cap(&v->caps, CR4_FIXED0),
			  vmx_cap(&v->caps, CR4_FIXED1)) &&
	       (v->feature_control & enabled) == enabled;
}

struct vmx_result emulate_vmxon(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	struct l1_gpa pointer;
	struct vmx_result r;

	if (!vmxon_is_defined(v))
		return result_fault(VECTOR_UD, 0);
	if (v->env->vmcs_read(v->env, VMCS_GUEST_SS_ACCESS_RIGHTS) & AR_DPL)
		return result_fault(VECTOR_GP, 0);
	if (v->vmx_on)
		return result_fail_valid(VMX_ERROR_VMXON_IN_ROOT);
	if (!vmxon_is_allowed(v))
		return result_fault(VECTOR_GP, 0);
	r = read_pointer(v, regs, &pointer);
	if (r.outcome != VMX_SUCCEED)
		return r;
	/* Bit 31 of the region's first word must be clear too. */
	if (is_bad_pointer(v, pointer) || read_revision(v, pointer) != VMCS_REVISION)
		return result_fail_invalid();
	v->vmx_on = true;
	v->vmxon_pointer = pointer;
	v->current = NULL;
	vcpu_enable_shadowing(v, true);
	vcpu_link_current(v);
	return result_succeed();
}

struct vmx_result emulate_vmxoff(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	v->current = NULL;
	while (v->slots)
		slot_release(v, v->slots);
	v->vmx_on = false;
	vcpu_link_current(v);
	vcpu_enable_shadowing(v, false);
	return result_succeed();
}

/* The operand of VMCLEAR and VMPTRLD: an address that a VMCS may have. Each has error numbers of
 * its own. */
static struct vmx_result read_vmcs_pointer(struct shadow_vcpu *v, struct shadow_regs *regs,
					   enum vmx_error bad_address, enum vmx_error is_vmxon,
					   struct l1_gpa *pointer)
{
	struct vmx_result r = read_pointer(v, regs, pointer);

	if (r.outcome != VMX_SUCCEED)
		return r;
	if (is_bad_pointer(v, *pointer))
		return result_fail_valid(bad_address);
	if (pointer->value == v->vmxon_pointer.value)
		return result_fail_valid(is_vmxon);
	return r;
}

/* VMCLEAR of a region that is not cached: its launch state is all there is to change. */
static void clear_region(struct shadow_vcpu *v, struct l1_gpa pointer)
{
	struct vmcs *region = v->env->pointer(v->env, pointer, sizeof(*region));

	if (region)
		region->launch_state = VMCS_STATE_CLEAR;
}

struct vmx_result emulate_vmclear(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	struct l1_gpa pointer;
	struct vmx_result r = read_vmcs_pointer(v, regs, VMX_ERROR_VMCLEAR_ADDRESS,
						VMX_ERROR_VMCLEAR_VMXON_POINTER, &pointer);
	struct shadow_slot *slot;

	if (r.outcome != VMX_SUCCEED)
		return r;
	slot = slot_find(v, pointer);
	if (!slot) {
		clear_region(v, pointer);
		return result_succeed();
	}
	slot->v12.launch_state = VMCS_STATE_CLEAR;
	if (v->current == slot) {
		v->current = NULL;
		vcpu_link_current(v);
	}
	slot_release(v, slot);
	return result_succeed();
}

/* Which first words VMPTRLD takes: ours, as a shadow VMCS only if shadowing is offered. */
static bool is_our_revision(const struct shadow_vcpu *v, uint32_t revision)
{
	if ((revision & VMCS_SHADOW_INDICATOR) &&
	    !vmx_features_have(v->caps.features, VMX_FEATURE_VMCS_SHADOWING))
		return false;
	return (revision & ~VMCS_SHADOW_INDICATOR) == VMCS_REVISION;
}

struct vmx_result emulate_vmptrld(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	struct l1_gpa pointer;
	struct vmx_result r = read_vmcs_pointer(v, regs, VMX_ERROR_VMPTRLD_ADDRESS,
						VMX_ERROR_VMPTRLD_VMXON_POINTER, &pointer);
	struct shadow_slot *slot;

	if (r.outcome != VMX_SUCCEED)
		return r;
	slot = slot_find(v, pointer);
	if (!slot && is_our_revision(v, read_revision(v, pointer)))
		slot = slot_get(v, pointer);
	if (!slot)
		return result_fail_valid(VMX_ERROR_VMPTRLD_REVISION);
	v->current = slot;
	vcpu_link_current(v);
	return result_succeed();
}

/* SDM 3C "VMCALL-Call to VM Monitor": there is no monitor below VMX root operation to call. */
struct vmx_result emulate_vmcall(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	return result_fail_valid(VMX_ERROR_VMCALL_IN_ROOT);
}

struct vmx_result emulate_vmptrst(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	struct vmx_operand op = operand_decode(v);
	uint64_t pointer = v->current ? v->current->address.value : UINT64_MAX;

	return operand_write(v, regs, &op, &pointer, sizeof(pointer));
}
