/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside shadow/: what the parts of the virtual CPU ask of each other. L0 includes shadow.h only.
 */
#ifndef SHADOW_VCPU_H
#define SHADOW_VCPU_H

#include "shadow/fields.h"
#include "shadow/slot.h"

/* The VMCS in which the guest will be resumed as things stand. */
struct hpa vcpu_resume_vmcs(const struct shadow_vcpu *v);

/* L1's VMREAD and VMWRITE go to the shadow VMCS (on) or exit always (off). VMCS01 is current. */
void vcpu_enable_shadowing(struct shadow_vcpu *v, bool on);

/* Reads the list L1_ENTRY, or REGISTERS, which is a part of it, from the current VMCS, as far as
 * the hardware has the fields; and IA32_BNDCFGS while it is in use. */
void registers_read_slowly(struct shadow_vcpu *v, uint64_t *field);
static inline void registers_read(struct shadow_vcpu *v, enum shadow_list list, uint64_t *field)
{
	if (v->registers_by_list)
		v->env->vmcs_read_list(v->env, list, field);
	else
		registers_read_slowly(v, field);
}

/* Outcomes, for readable returns. */
static inline struct vmx_result result_succeed(void)
{
	return (struct vmx_result){.outcome = VMX_SUCCEED};
}

static inline struct vmx_result result_fail_invalid(void)
{
	return (struct vmx_result){.outcome = VMX_FAIL_INVALID};
}

static inline struct vmx_result result_fail_valid(enum vmx_error error)
{
	return (struct vmx_result){.outcome = VMX_FAIL_VALID, .error = error};
}

static inline struct vmx_result result_fault(enum x86_vector vector, uint32_t code)
{
	return (struct vmx_result){.outcome = VMX_FAULT, .vector = (uint8_t)vector, .error = code};
}

#endif
