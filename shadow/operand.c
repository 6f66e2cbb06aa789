/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory and register operands of L1's VMX instructions.
 */
#include "shadow/operand.h"

#include "shadow/sdm/msr.h"
#include "shadow/vcpu.h"
#include "shadow/walk.h"

/* Fields of one segment lie at the same distance as the segments' numbers (vmcs.h asserts it). */
#define SEG_FIELD(part, seg) (VMCS_GUEST_ES_##part + 2 * (uint32_t)(seg))

struct vmx_operand operand_decode(struct shadow_vcpu *v)
{
	uint64_t cs = v->env->vmcs_read(v->env, VMCS_GUEST_CS_ACCESS_RIGHTS);

	return (struct vmx_operand){
	    .info = (uint32_t)v->env->vmcs_read(v->env, VMCS_EXIT_INSTRUCTION_INFO),
	    .long_mode = cs & AR_L,
	};
}

uint64_t operand_get_reg(struct shadow_vcpu *v, const struct shadow_regs *regs,
			 const struct vmx_operand *op, enum x86_gpr reg)
{
	uint64_t value =
	    reg == REG_RSP ? v->env->vmcs_read(v->env, VMCS_GUEST_RSP) : regs->gpr[reg];

	return op->long_mode ? value : value & UINT32_MAX;
}

void operand_set_reg(struct shadow_vcpu *v, struct shadow_regs *regs, const struct vmx_operand *op,
		     enum x86_gpr reg, uint64_t value)
{
	if (!op->long_mode)
		value &= UINT32_MAX;
	if (reg == REG_RSP)
		v->env->vmcs_write(v->env, VMCS_GUEST_RSP, value);
	else
		regs->gpr[reg] = value;
}

static enum x86_seg segment_of(const struct vmx_operand *op)
{
	return (enum x86_seg)(op->info >> 15 & 7);
}

/* Offset within the segment, truncated to the address size. */
static uint64_t effective_address(struct shadow_vcpu *v, const struct shadow_regs *regs,
				  const struct vmx_operand *op)
{
	uint64_t address = v->env->vmcs_read(v->env, VMCS_EXIT_QUALIFICATION);
	unsigned size = op->info >> 7 & 7;

	if (!(op->info & BIT32(27)))
		address += operand_get_reg(v, regs, op, (enum x86_gpr)(op->info >> 23 & 0xf));
	if (!(op->info & BIT32(22)))
		address += operand_get_reg(v, regs, op, (enum x86_gpr)(op->info >> 18 & 0xf))
			   << (op->info & 3);
	if (size == 0)
		return address & UINT16_MAX;
	return size == 1 ? address & UINT32_MAX : address;
}

/* SDM 3A "Limit Checking": expand-down segments are valid above the limit. */
static bool within_limit(uint64_t offset, unsigned length, uint64_t limit, uint64_t rights)
{
	uint64_t last = offset + length - 1;
	bool down = !(rights & AR_TYPE_CODE) && (rights & AR_TYPE_EXPAND_DOWN);

	if (!down)
		return last <= limit;
	return offset > limit && last <= ((rights & AR_DB) ? UINT32_MAX : UINT16_MAX);
}

/* SDM 3A "Type Checking": no write to code or read-only data, no read from execute-only code. */
static bool type_allows(uint64_t rights, bool write)
{
	if (rights & AR_TYPE_CODE)
		return !write && (rights & AR_TYPE_READABLE);
	return !write || (rights & AR_TYPE_WRITABLE);
}

static bool is_canonical48(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* CR4.LA57 is looked at only where it matters. */
static bool is_canonical(struct shadow_vcpu *v, uint64_t address)
{
	if (is_canonical48(address))
		return true;
	return v->env->vmcs_read(v->env, VMCS_GUEST_CR4) & CR4_LA57 &&
	       (uint64_t)((int64_t)(address << 7) >> 7) == address;
}

/* SDM 3A "Linear-Address Masking"; CR4 and CR3 are looked at only where it matters. */
static uint64_t unmasked(struct shadow_vcpu *v, uint64_t pointer)
{
	bool supervisor = pointer >> 63;
	uint64_t cr4, cr3, tag;
	unsigned width = 0;

	if (!(vmx_cap(&v->caps, CR4_FIXED1) & CR4_LAM_SUP) || is_canonical48(pointer))
		return pointer;
	cr4 = v->env->vmcs_read(v->env, VMCS_GUEST_CR4);
	cr3 = v->env->vmcs_read(v->env, VMCS_GUEST_CR3);
	if (supervisor && (cr4 & CR4_LAM_SUP))
		width = cr4 & CR4_LA57 ? 57 : 48;
	else if (!supervisor && (cr3 & (CR3_LAM_U48 | CR3_LAM_U57)))
		width = cr3 & CR3_LAM_U57 ? 57 : 48;
	if (!width)
		return pointer;
	tag = (BIT64(63) - 1) & ~(BIT64(width) - 1);
	if ((pointer >> (width - 1) & 1) != supervisor)
		return BIT64(62); /* not canonical */
	return supervisor ? pointer | tag : pointer & ~tag;
}

/* The linear address of `length` bytes, after the segment's checks. */
static struct vmx_result linear_address(struct shadow_vcpu *v, const struct shadow_regs *regs,
					const struct vmx_operand *op, unsigned length, bool write,
					uint64_t *linear)
{
	struct shadow_env *env = v->env;
	enum x86_seg seg = segment_of(op);
	enum x86_vector vector = seg == SEG_SS ? VECTOR_SS : VECTOR_GP;
	uint64_t offset = effective_address(v, regs, op), rights, limit;

	if (op->long_mode) {
		*linear = offset;
		if (seg == SEG_FS || seg == SEG_GS)
			*linear += env->vmcs_read(env, SEG_FIELD(BASE, seg));
		*linear = unmasked(v, *linear);
		if (!is_canonical(v, *linear) || !is_canonical(v, *linear + length - 1))
			return result_fault(vector, 0);
		return result_succeed();
	}
	rights = env->vmcs_read(env, SEG_FIELD(ACCESS_RIGHTS, seg));
	limit = env->vmcs_read(env, SEG_FIELD(LIMIT, seg));
	if ((rights & AR_UNUSABLE) || !type_allows(rights, write) ||
	    !within_limit(offset, length, limit, rights))
		return result_fault(vector, 0);
	*linear = (offset + env->vmcs_read(env, SEG_FIELD(BASE, seg))) & UINT32_MAX;
	return result_succeed();
}

struct vmx_result operand_read(struct shadow_vcpu *v, const struct shadow_regs *regs,
			       const struct vmx_operand *op, void *buffer, unsigned length)
{
	uint64_t linear;
	struct vmx_result r = linear_address(v, regs, op, length, false, &linear);

	return r.outcome == VMX_SUCCEED ? l1_linear_read(v, linear, buffer, length) : r;
}

struct vmx_result operand_write(struct shadow_vcpu *v, const struct shadow_regs *regs,
				const struct vmx_operand *op, const void *buffer, unsigned length)
{
	uint64_t linear;
	struct vmx_result r = linear_address(v, regs, op, length, true, &linear);

	return r.outcome == VMX_SUCCEED ? l1_linear_write(v, linear, buffer, length) : r;
}
