/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The VM-exit instruction-information field and the exit qualification of instructions with a
 * memory operand, from the decoded op. SDM 3C "Information for VM Exits Due to Instruction
 * Execution":
 *
 *   1:0 scale | 6:3 reg1 | 9:7 address size | 10 register form | 12:11 operand size | 17:15 segment
 *   21:18 index | 22 no index | 26:23 base | 27 no base | 31:28 reg2, or 29:28 which instruction
 */
#include "l0/machine/interp/vmx/private.h"

/* The tables of the SDM, by which of the parts above they define. */
enum info_part {
	INFO_ADDRESS_SIZE = 1,
	INFO_SEGMENT = 2,
	INFO_MEMORY = 4,         /* scale, address size, segment, index, base */
	INFO_REG1_OR_MEMORY = 8, /* bit 10; reg1 if it is a register */
	INFO_REG1 = 16,
	INFO_REG2 = 32,
	INFO_OPERAND_SIZE = 64, /* 12:11 */
	INFO_TABLE_SIZE = 128,  /* bit 11: LGDT, LIDT, SGDT, SIDT */
	INFO_IDENTITY = 256,    /* 29:28, from ModRM.reg */
};

static const uint16_t formats[EXIT_REASON_COUNT] = {
	[EXIT_REASON_IO_INSTRUCTION] = INFO_ADDRESS_SIZE | INFO_SEGMENT,
	[EXIT_REASON_INVEPT] = INFO_MEMORY | INFO_REG2,
	[EXIT_REASON_INVPCID] = INFO_MEMORY | INFO_REG2,
	[EXIT_REASON_INVVPID] = INFO_MEMORY | INFO_REG2,
	[EXIT_REASON_GDTR_IDTR_ACCESS] = INFO_MEMORY | INFO_TABLE_SIZE | INFO_IDENTITY,
	[EXIT_REASON_LDTR_TR_ACCESS] = INFO_REG1_OR_MEMORY | INFO_IDENTITY,
	[EXIT_REASON_RDRAND] = INFO_REG1 | INFO_OPERAND_SIZE,
	[EXIT_REASON_RDSEED] = INFO_REG1 | INFO_OPERAND_SIZE,
	[EXIT_REASON_UMWAIT] = INFO_REG1,
	[EXIT_REASON_TPAUSE] = INFO_REG1,
	[EXIT_REASON_VMCLEAR] = INFO_MEMORY,
	[EXIT_REASON_VMPTRLD] = INFO_MEMORY,
	[EXIT_REASON_VMPTRST] = INFO_MEMORY,
	[EXIT_REASON_VMXON] = INFO_MEMORY,
	[EXIT_REASON_XSAVES] = INFO_MEMORY,
	[EXIT_REASON_XRSTORS] = INFO_MEMORY,
	[EXIT_REASON_VMREAD] = INFO_REG1_OR_MEMORY | INFO_REG2,
	[EXIT_REASON_VMWRITE] = INFO_REG1_OR_MEMORY | INFO_REG2,
};

/* 2, 4, 8 bytes -> 0, 1, 2 */
static uint32_t size_code(unsigned size)
{
	return size == 8 ? 2 : size == 4 ? 1 : 0;
}

static uint32_t memory_part(const struct op *op)
{
	bool no_index = op->index == REG_ZERO;
	bool no_base = op->base >= REG_ZERO;
	uint32_t info = size_code(op->addrsize) << 7 | (uint32_t)op->seg << 15;

	info |= no_index ? BIT32(22) : (uint32_t)op->index << 18 | op->scale;
	info |= no_base ? BIT32(27) : (uint32_t)op->base << 23;
	return info;
}

uint32_t vmx_instruction_info(const struct cpu *cpu, enum vmx_exit_reason reason)
{
	unsigned parts = (unsigned)reason < EXIT_REASON_COUNT ? formats[reason] : 0;
	const struct op *op = cpu->op;
	uint32_t info = 0;

	if (!op || !parts)
		return 0;
	if (parts & INFO_REG1_OR_MEMORY)
		parts |= op->flags & OP_MEMORY ? INFO_MEMORY : INFO_REG1;
	if (parts & INFO_MEMORY)
		info |= memory_part(op);
	if (parts & INFO_ADDRESS_SIZE)
		info |= size_code(op->addrsize) << 7;
	if (parts & INFO_SEGMENT)
		info |= (uint32_t)op->seg << 15;
	if (parts & INFO_REG1)
		info |= (uint32_t)op->rm << 3;
	if ((parts & INFO_REG1_OR_MEMORY) && !(op->flags & OP_MEMORY))
		info |= BIT32(10);
	if (parts & INFO_OPERAND_SIZE)
		info |= size_code(op->opsize) << 11;
	if ((parts & INFO_TABLE_SIZE) && op->opsize != 2)
		info |= BIT32(11);
	if (parts & INFO_REG2)
		info |= (uint32_t)op->reg << 28;
	if (parts & INFO_IDENTITY)
		info |= (uint32_t)(op->reg & 3) << 28;
	return info;
}

/* SDM 3C "Basic VM-Exit Information": the displacement, sign-extended; with RIP-relative addressing
 * the sum of displacement and next RIP; 0 for a register operand. */
uint64_t vmx_displacement(const struct cpu *cpu, const struct op *op)
{
	uint64_t mask = op->addrsize == 8 ? UINT64_MAX :
			op->addrsize == 4 ? UINT32_MAX :
					    UINT16_MAX;

	if (!(op->flags & OP_MEMORY))
		return 0;
	if (op->base == REG_RIP)
		return op_ea(cpu, op);
	return (uint64_t)(int64_t)op->disp & mask;
}
