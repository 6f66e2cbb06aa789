/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MOV to and from control registers, LMSW, SMSW, CLTS. Privilege is checked before VM exits, values
 * after them: SDM 3C "Relative Priority of Faults and VM Exits".
 */
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/sys.h"

static void check_cr(struct cpu *cpu, const struct op *op)
{
	unsigned cr = op->reg;

	if (cr == 1 || (cr > 4 && cr != 8) || (cr == 8 && !cpu_code64(cpu)))
		cpu_fault(cpu, VECTOR_UD);
	require_cpl0(cpu);
}

static bool write_cr8(struct cpu *cpu, uint64_t value)
{
	if (value > 15)
		return false;
	if (cpu->vmx->nonroot && vmx_write_cr8(cpu, value))
		return true;
	lapic_set_cr8(cpu->machine->lapic, (uint8_t)value);
	cpu->attention = true;
	return true;
}

static bool write_cr(struct cpu *cpu, unsigned cr, uint64_t value)
{
	switch (cr) {
	case 0:
		return cpu_set_cr0(cpu, value);
	case 2:
		cpu->cr2 = value;
		return true;
	case 3:
		return cpu_set_cr3(cpu, value);
	case 4:
		return cpu_set_cr4(cpu, value);
	default:
		return write_cr8(cpu, value);
	}
}

void insn_mov_to_cr(struct cpu *cpu, const struct op *op)
{
	uint64_t value;

	check_cr(cpu, op);
	value = reg_read(cpu, op, op->rm, op->opsize);
	if (cpu->vmx->nonroot && op->reg != 2)
		value = vmx_mov_to_cr(cpu, op->reg, value, op->rm);
	if (!write_cr(cpu, op->reg, value))
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

static uint64_t read_cr8(struct cpu *cpu)
{
	uint64_t value;

	if (cpu->vmx->nonroot && vmx_read_cr8(cpu, &value))
		return value;
	return lapic_cr8(cpu->machine->lapic);
}

void insn_mov_from_cr(struct cpu *cpu, const struct op *op)
{
	const uint64_t plain[] = { cpu->cr0, 0, cpu->cr2, cpu->cr3, cpu->cr4 };
	uint64_t value = 0;

	check_cr(cpu, op);
	if (op->reg != 8)
		value = plain[op->reg];
	if (cpu->vmx->nonroot && op->reg != 2)
		value = vmx_mov_from_cr(cpu, op->reg, value, op->rm);
	if (op->reg == 8)
		value = read_cr8(cpu);
	reg_write(cpu, op, op->rm, op->opsize, value);
}

/* LMSW cannot clear PE. */
void insn_lmsw(struct cpu *cpu, const struct op *op)
{
	bool memory = op->flags & OP_MEMORY;
	uint16_t source;
	uint64_t value;

	require_cpl0(cpu);
	source = (uint16_t)op_read_rm(cpu, op, 2);
	value = (cpu->cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | (source & 0xf);
	if (cpu->vmx->nonroot)
		value = vmx_lmsw(cpu, source, memory,
				 memory ? op_linear(cpu, op, op_ea(cpu, op)) : 0);
	if (!cpu_set_cr0(cpu, value))
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

/* SMSW is subject to the CR0 guest/host mask, but never exits. */
void insn_smsw(struct cpu *cpu, const struct op *op)
{
	uint64_t value = cpu->cr0;

	if ((cpu->cr4 & CR4_UMIP) && cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (cpu->vmx->nonroot)
		value = vmx_mov_from_cr(cpu, 0, value, 0);
	op_write_rm(cpu, op, op->flags & OP_MEMORY ? 2 : op->opsize, value);
}

void insn_clts(struct cpu *cpu, const struct op *op)
{
	require_cpl0(cpu);
	if (cpu->vmx->nonroot) {
		vmx_intercept_clts(cpu);
		if (!vmx_clts_effective(cpu))
			return;
	}
	cpu->cr0 &= ~CR0_TS;
	cpu_mode_changed(cpu);
}
