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
 * VMCS. */
static void finish(struct l2_exit *x, const struct vmx_result *r)
{
	struct shadow_env *env = x->v->env;
	uint64_t flags = env->vmcs_read(env, VMCS_GUEST_RFLAGS) & ~RFLAGS_STATUS;

	if (r->outcome == VMX_FAULT) {
		shadow_inject_fault(env, r->vector, r->vector != VECTOR_UD, r->error);
		return;
	}
	if (r->outcome == VMX_FAIL_INVALID)
		flags |= RFLAGS_CF;
	if (r->outcome == VMX_FAIL_VALID) {
		flags |= RFLAGS_ZF;
		vmcs_set(&x->slot->v12, INSTRUCTION_ERROR, r->error);
	}
	env->vmcs_write(env, VMCS_GUEST_RFLAGS, flags);
	shadow_skip_insn(env);
}

/* Memory operands of L2 would need L2's paging and EPT12; L1 gets those exits and does them itself.
 */
static bool l1_lets_through(struct l2_exit *x, const struct vmx_operand *op, bool write)
{
	uint64_t encoding = operand_get_reg(x->v, x->regs, op, operand_reg2(op));

	return operand_is_register(op) && !bitmap_wants_vmcs(x->v, x->slot, encoding, write);
}

enum route first_vmread(struct l2_exit *x)
{
	struct vmx_operand op = operand_decode(x->v);
	struct vmx_result r = result_fail_invalid();

	if (!l1_lets_through(x, &op, false))
		return ROUTE_ASK;
	if (x->v->linked)
		r = vmrw_vmread(x->v, x->regs, x->v->linked);
	finish(x, &r);
	return ROUTE_DONE;
}

enum route first_vmwrite(struct l2_exit *x)
{
	struct vmx_operand op = operand_decode(x->v);
	struct vmx_result r = result_fail_invalid();

	if (!l1_lets_through(x, &op, true))
		return ROUTE_ASK;
	if (x->v->linked)
		r = vmrw_vmwrite(x->v, x->regs, x->v->linked);
	finish(x, &r);
	return ROUTE_DONE;
}
