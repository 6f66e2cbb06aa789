/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Dispatch of L1's VMX instructions and what becomes of their outcomes.
 */
#include "shadow/insn.h"

#include "shadow/entry.h"
#include "shadow/vcpu.h"

enum insn_vmx { INSN_ANY, INSN_IN };

struct insn_row {
	struct vmx_result (*handler)(struct shadow_vcpu *v, struct shadow_regs *regs);
	enum insn_vmx vmx;
};

#define INSN(reason, handler, vmx) [EXIT_REASON_##reason] = {handler, INSN_##vmx},
static const struct insn_row rows[EXIT_REASON_COUNT] = {
#include "shadow/insns.def"
};
#undef INSN

static bool is_cpl0(struct shadow_vcpu *v)
{
	/* SDM 3C "Guest Register State": SS.DPL is the CPL. */
	return !(v->env->vmcs_read(v->env, VMCS_GUEST_SS_ACCESS_RIGHTS) & AR_DPL);
}

/* SDM 3C "Conventions": VMfailValid needs a current VMCS to hold the error number. */
static uint64_t outcome_flags(struct shadow_vcpu *v, const struct vmx_result *r)
{
	if (r->outcome == VMX_SUCCEED)
		return 0;
	if (r->outcome == VMX_FAIL_INVALID || !v->current)
		return RFLAGS_CF;
	vmcs_set(&v->current->v12, INSTRUCTION_ERROR, r->error);
	return RFLAGS_ZF;
}

enum shadow_next insn_finish(struct shadow_vcpu *v, const struct vmx_result *r)
{
	struct shadow_env *env = v->env;

	if (r->outcome == VMX_FAULT) {
		shadow_inject_fault(env, r->vector, r->vector != VECTOR_UD, r->error);
		return SHADOW_RESUME_L1;
	}
	env->vmcs_write(env, VMCS_GUEST_RFLAGS,
			(env->vmcs_read(env, VMCS_GUEST_RFLAGS) & ~RFLAGS_STATUS) |
			    outcome_flags(v, r));
	shadow_skip_insn(env);
	return SHADOW_RESUME_L1;
}

static enum shadow_next refuse(struct shadow_vcpu *v, enum x86_vector vector)
{
	struct vmx_result r = result_fault(vector, 0);

	return insn_finish(v, &r);
}

enum shadow_next shadow_l1_vmx_insn(struct shadow_vcpu *v, struct shadow_regs *regs,
				    uint32_t reason)
{
	uint32_t basic = reason & EXIT_REASON_BASIC;
	const struct insn_row *row = &rows[basic];
	struct vmx_result r;

	if (basic == EXIT_REASON_VMRESUME || basic == EXIT_REASON_VMLAUNCH)
		return entry_emulate(v, basic == EXIT_REASON_VMLAUNCH);
	if (basic >= EXIT_REASON_COUNT || !row->handler || (row->vmx == INSN_IN && !v->vmx_on))
		return refuse(v, VECTOR_UD);
	if (row->vmx == INSN_IN && !is_cpl0(v))
		return refuse(v, VECTOR_GP);
	r = row->handler(v, regs);
	if (v->dead)
		return SHADOW_DEAD;
	return insn_finish(v, &r);
}
