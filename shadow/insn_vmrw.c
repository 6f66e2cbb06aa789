/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMREAD and VMWRITE as L1 executes them when they exit: always without hardware shadowing, else
 * for the fields that the shadow VMCS does not carry. The same code serves L2's VMREAD and VMWRITE
 * through VMCS shadowing that L1 has set up (shadowing.c).
 */
#include "shadow/insn_vmrw.h"

#include "shadow/fields.h"
#include "shadow/insn.h"
#include "shadow/vcpu.h"

/* Index of the field that an encoding names in a VMCS of L1, or -1. SDM 3C "VMREAD": in 64-bit mode
 * an encoding above 32 bits names none. */
static int field_of(const struct shadow_vcpu *v, uint64_t encoding)
{
	int index = encoding >> 32 ? -1 : vmcs_field_index((uint32_t)encoding);

	return index >= 0 && field_exists(&v->caps, (unsigned)index) ? index : -1;
}

static uint64_t read_part(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index,
			  bool high)
{
	uint64_t value = slot_read(v, slot, index, vcpu_resume_vmcs(v));

	return high ? value >> 32 : value;
}

/* The high access type replaces bits 63:32 only. */
static void write_part(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index, bool high,
		       uint64_t value)
{
	struct hpa resume = vcpu_resume_vmcs(v);

	if (high)
		value = value << 32 | (slot_read(v, slot, index, resume) & UINT32_MAX);
	else
		value &= field_mask(vmcs_fields[index].encoding);
	slot_write(v, slot, index, value, resume);
}

struct vmx_result vmrw_vmread(struct shadow_vcpu *v, struct shadow_regs *regs,
			      struct shadow_slot *slot)
{
	struct vmx_operand op = operand_decode(v);
	uint64_t encoding = operand_get_reg(v, regs, &op, operand_reg2(&op)), value;
	int index = field_of(v, encoding);

	v->insn_field = (uint32_t)encoding;
	if (index < 0)
		return result_fail_valid(VMX_ERROR_UNSUPPORTED_FIELD);
	value = read_part(v, slot, (unsigned)index, vmcs_field_is_high((uint32_t)encoding));
	if (!operand_is_register(&op))
		return operand_write(v, regs, &op, &value, op.long_mode ? 8 : 4);
	operand_set_reg(v, regs, &op, operand_reg1(&op), value);
	return result_succeed();
}

static bool is_read_only(const struct shadow_vcpu *v, uint32_t encoding)
{
	return vmcs_field_type(encoding) == VMCS_TYPE_READ_ONLY &&
	       !vmx_features_have(v->caps.features, VMX_FEATURE_VMWRITE_ANY_FIELD);
}

struct vmx_result vmrw_vmwrite(struct shadow_vcpu *v, struct shadow_regs *regs,
			       struct shadow_slot *slot)
{
	struct vmx_operand op = operand_decode(v);
	uint64_t encoding = operand_get_reg(v, regs, &op, operand_reg2(&op)), value = 0;
	int index = field_of(v, encoding);
	struct vmx_result r = result_succeed();

	v->insn_field = (uint32_t)encoding;
	if (operand_is_register(&op))
		value = operand_get_reg(v, regs, &op, operand_reg1(&op));
	else
		r = operand_read(v, regs, &op, &value, op.long_mode ? 8 : 4);
	if (r.outcome != VMX_SUCCEED)
		return r;
	if (index < 0)
		return result_fail_valid(VMX_ERROR_UNSUPPORTED_FIELD);
	if (is_read_only(v, (uint32_t)encoding))
		return result_fail_valid(VMX_ERROR_READ_ONLY_FIELD);
	write_part(v, slot, (unsigned)index, vmcs_field_is_high((uint32_t)encoding), value);
	return r;
}

struct vmx_result emulate_vmread(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	return v->current ? vmrw_vmread(v, regs, v->current) : result_fail_invalid();
}

struct vmx_result emulate_vmwrite(struct shadow_vcpu *v, struct shadow_regs *regs)
{
	return v->current ? vmrw_vmwrite(v, regs, v->current) : result_fail_invalid();
}
