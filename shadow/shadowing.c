/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMREAD and VMWRITE of L2 that exit although L1 lets them through by VMCS shadowing: the hardware
 * has none, or L0's shadow VMCS does not carry the field. They act on the VMCS behind VMCS12's link
 * pointer. SDM 3C "VMREAD", "VMWRITE", operation in VMX non-root operation.
 */
#include "shadow/bitmap.h"
#include "shadow/insn_vmrw.h"
#include "shadow/route.h"
#include "shadow/vcpu.h"

/* A failure's number goes into the current VMCS, which is L1's: L2 does not find it in the shadow
 * VMCS. What EPT12 forbids the instruction is left to L1, with the exit as it is. */
static enum route finish(struct l2_exit *x, const struct vmx_result *r)
{
	struct shadow_env *env = x->v->env;
	uint64_t flags;

	if (r->outcome == VMX_DO_EXIT)
		return ROUTE_ASK;
	if (r->outcome == VMX_FAULT)
		return route_fault(x, r);
	flags = env->vmcs_read(env, VMCS_GUEST_RFLAGS) & ~RFLAGS_STATUS;
	if (r->outcome == VMX_FAIL_INVALID)
		flags |= RFLAGS_CF;
	if (r->outcome == VMX_FAIL_VALID) {
		flags |= RFLAGS_ZF;
		vmcs_set(&x->slot->v12, INSTRUCTION_ERROR, r->error);
	}
	env->vmcs_write(env, VMCS_GUEST_RFLAGS, flags);
	shadow_skip_insn(env);
	return ROUTE_DONE;
}

typedef struct vmx_result vmrw_insn(struct shadow_vcpu *v, struct shadow_regs *regs,
				    struct shadow_slot *slot);

/* In the order of SDM 3C "VMREAD", "VMWRITE": the exit that L1 asks for, then the privilege. */
static enum route execute(struct l2_exit *x, vmrw_insn *insn, bool write)
{
	struct vmx_operand op = operand_decode(x->v);
	uint64_t encoding = operand_get_reg(x->v, x->regs, &op, operand_reg2(&op));
	struct vmx_result r = result_fail_invalid();

	if (bitmap_wants_vmcs(x->v, x->slot, encoding, write))
		return ROUTE_ASK;
	if (x->v->env->vmcs_read(x->v->env, VMCS_GUEST_SS_ACCESS_RIGHTS) & AR_DPL)
		r = result_fault(VECTOR_GP, 0);
	else if (x->v->linked)
		r = insn(x->v, x->regs, x->v->linked);
	return finish(x, &r);
}

enum route first_vmread(struct l2_exit *x)
{
	return execute(x, vmrw_vmread, false);
}

enum route first_vmwrite(struct l2_exit *x)
{
	return execute(x, vmrw_vmwrite, true);
}
