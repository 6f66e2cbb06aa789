/* SPDX-License-Identifier: BSD-2-Clause
 *
 * INVEPT and INVVPID as L1 executes them. SDM 3C "INVEPT", "INVVPID": type support, then operand,
 * then descriptor checks. What L1 invalidates is derived: its EPT12 in EPT02, its VPID12 under
 * VPID02.
 */
#include "shadow/ept02.h"
#include "shadow/insn.h"
#include "shadow/operand.h"
#include "shadow/sdm/msr.h"
#include "shadow/vcpu.h"
#include "shadow/vpid.h"

/* The 128-bit descriptor both instructions take. */
struct inv_descriptor {
	uint64_t low, high;
};

static struct vmx_result read_descriptor(struct shadow_vcpu *v, struct shadow_regs *regs,
					 uint64_t *type, struct inv_descriptor *descriptor)
{
	struct vmx_operand op = operand_decode(v);

	*type = operand_get_reg(v, regs, &op, operand_reg2(&op));
	return operand_read(v, regs, &op, descriptor, sizeof(*descriptor));
}

static bool invept_type_is_offered(const struct shadow_vcpu *v, uint64_t type)
{
	uint64_t cap = vmx_cap(&v->caps, EPT_VPID_CAP);

	return (type == INVEPT_SINGLE && (cap & EPT_CAP_INVEPT_SINGLE)) ||
	       (type == INVEPT_GLOBAL && (cap & EPT_CAP_INVEPT_GLOBAL));
}

struct vmx_result emulate_invept(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	struct inv_descriptor d;
	struct vmx_result r;
	uint64_t type;

	if (!(vmx_cap(&v->caps, EPT_VPID_CAP) & EPT_CAP_INVEPT))
		return result_fault(VECTOR_UD, 0);
	r = read_descriptor(v, regs, &type, &d);
	if (!invept_type_is_offered(v, type))
		return result_fail_valid(VMX_ERROR_INVALID_OPERAND);
	if (r.outcome != VMX_SUCCEED)
		return r;
	if (d.high || (type == INVEPT_SINGLE && !vmx_caps_eptp_valid(&v->caps, d.low)))
		return result_fail_valid(VMX_ERROR_INVALID_OPERAND);
	if (type == INVEPT_GLOBAL)
		ept02_forget_all(v);
	else
		ept02_forget(v, d.low);
	return result_succeed();
}

static bool invvpid_type_is_offered(const struct shadow_vcpu *v, uint64_t type)
{
	static const uint64_t caps[] = {VPID_CAP_INVVPID_ADDRESS, VPID_CAP_INVVPID_SINGLE,
					VPID_CAP_INVVPID_ALL, VPID_CAP_INVVPID_SINGLE_NONGLOBAL};

	return type <= INVVPID_SINGLE_NONGLOBAL && (vmx_cap(&v->caps, EPT_VPID_CAP) & caps[type]);
}

/* Bits 63:16 are reserved; VPID 0 only fits the all-contexts type; addresses are canonical. */
static bool invvpid_descriptor_is_valid(const struct shadow_vcpu *v, uint64_t type,
					const struct inv_descriptor *d)
{
	if (d->low >> 16)
		return false;
	if (type != INVVPID_ALL && d->low == 0)
		return false;
	return type != INVVPID_ADDRESS || vmx_caps_canonical(&v->caps, d->high);
}

struct vmx_result emulate_invvpid(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	struct inv_descriptor d;
	struct vmx_result r;
	uint64_t type;

	if (!(vmx_cap(&v->caps, EPT_VPID_CAP) & VPID_CAP_INVVPID))
		return result_fault(VECTOR_UD, 0);
	r = read_descriptor(v, regs, &type, &d);
	if (!invvpid_type_is_offered(v, type))
		return result_fail_valid(VMX_ERROR_INVALID_OPERAND);
	if (r.outcome != VMX_SUCCEED)
		return r;
	if (!invvpid_descriptor_is_valid(v, type, &d))
		return result_fail_valid(VMX_ERROR_INVALID_OPERAND);
	vpid02_invalidate(v, (unsigned)type, (uint16_t)d.low, d.high);
	return result_succeed();
}
