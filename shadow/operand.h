/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Operands of the VMX instruction that L1 executed, decoded from the VM-exit
 * instruction-information field and the exit qualification (displacement). Formats: SDM 3C "VM-Exit
 * Instruction-Information Field" tables for VMCLEAR ... and VMREAD/VMWRITE.
 */
#ifndef SHADOW_OPERAND_H
#define SHADOW_OPERAND_H

#include "shadow/shadow.h"

/*   1:0 scale | 6:3 reg1 | 9:7 address size | 10 register operand | 17:15 segment
 *   21:18 index, 22 invalid | 26:23 base, 27 invalid | 31:28 reg2 */
struct vmx_operand {
	uint32_t info;
	bool long_mode; /* L1 is in 64-bit mode */
};

static inline bool operand_is_register(const struct vmx_operand *op)
{
	return op->info & BIT32(10);
}

static inline enum x86_gpr operand_reg1(const struct vmx_operand *op)
{
	return (enum x86_gpr)(op->info >> 3 & 0xf);
}

static inline enum x86_gpr operand_reg2(const struct vmx_operand *op)
{
	return (enum x86_gpr)(op->info >> 28 & 0xf);
}

/* Reads the information field. VMCS01 is current, as for all below. */
struct vmx_operand operand_decode(struct shadow_vcpu *v);

/* General registers, RSP included; 32 bits outside 64-bit mode. */
uint64_t operand_get_reg(struct shadow_vcpu *v, const struct shadow_regs *regs,
			 const struct vmx_operand *op, enum x86_gpr reg);
void operand_set_reg(struct shadow_vcpu *v, struct shadow_regs *regs, const struct vmx_operand *op,
		     enum x86_gpr reg, uint64_t value);

/* The memory operand: succeeds, or #GP(0), #SS(0), #PF for L1. */
struct vmx_result operand_read(struct shadow_vcpu *v, const struct shadow_regs *regs,
			       const struct vmx_operand *op, void *buffer, unsigned length);
struct vmx_result operand_write(struct shadow_vcpu *v, const struct shadow_regs *regs,
				const struct vmx_operand *op, const void *buffer, unsigned length);

#endif
