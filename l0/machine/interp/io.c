/* SPDX-License-Identifier: BSD-2-Clause
 *
 * IN, OUT, INS, OUTS: permission by IOPL and the TSS's I/O permission bitmap (SDM 1 "I/O Permission
 * Bit Map"), then the VM exit, then memory, then the port. A repeated instruction does one
 * iteration and goes on at itself, so that it is interruptible between iterations as the
 * architecture has it.
 */
#include "l0/machine/interp/mmu.h"

#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/sys.h"

#define TSS_LIMIT_MIN 103
#define TSS_IO_MAP_BASE 102

static bool bitmap_allows(struct cpu *cpu, uint16_t port, unsigned size)
{
	const struct segment *tr = &cpu->seg[SEG_TR];
	unsigned type = tr->ar & AR_TYPE, map;
	uint64_t bits;

	if ((tr->ar & AR_UNUSABLE) || (type != DESC_TSS_BUSY && type != DESC_TSS_AVAIL) ||
	    tr->limit < TSS_LIMIT_MIN)
		return false;
	map = (unsigned)lin_read(cpu, tr->base + TSS_IO_MAP_BASE, 2,
				 MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	/* Two bytes are read whatever the port: the map ends with a byte of ones. */
	if (map + port / 8 + 1 > tr->limit)
		return false;
	bits = lin_read(cpu, tr->base + map + port / 8, 2, MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	return !(bits >> port % 8 & ((1u << size) - 1));
}

static void check_permission(struct cpu *cpu, uint16_t port, unsigned size)
{
	unsigned iopl = (unsigned)(cpu->eflags_rest >> RFLAGS_IOPL_SHIFT & 3);

	if (!cpu_protected(cpu) || (!cpu_vm86(cpu) && cpu->cpl <= iopl))
		return;
	if (!bitmap_allows(cpu, port, size))
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

static void begin(struct cpu *cpu, const struct vmx_io *io)
{
	check_permission(cpu, io->port, io->size);
	if (cpu->vmx->nonroot)
		vmx_intercept_io(cpu, io);
	debug_port_access(cpu, io->port, io->size);
}

static void in(struct cpu *cpu, const struct op *op, uint16_t port, bool immediate)
{
	unsigned size = op->opsize;

	begin(cpu,
	      &(struct vmx_io){.port = port, .size = size, .in = true, .immediate = immediate});
	reg_write(cpu, op, REG_RAX, size, machine_port_read(cpu->machine, port, size));
}

static void out(struct cpu *cpu, const struct op *op, uint16_t port, bool immediate)
{
	unsigned size = op->opsize;

	begin(cpu, &(struct vmx_io){.port = port, .size = size, .immediate = immediate});
	machine_port_write(cpu->machine, port, size, reg_read(cpu, op, REG_RAX, size));
}

void insn_in(struct cpu *cpu, const struct op *op)
{
	in(cpu, op, (uint16_t)cpu->gpr[REG_RDX], false);
}

void insn_in_i(struct cpu *cpu, const struct op *op)
{
	in(cpu, op, (uint8_t)op->imm, true);
}

void insn_out(struct cpu *cpu, const struct op *op)
{
	out(cpu, op, (uint16_t)cpu->gpr[REG_RDX], false);
}

void insn_out_i(struct cpu *cpu, const struct op *op)
{
	out(cpu, op, (uint8_t)op->imm, true);
}

/* ---- string forms ---- */

static uint64_t address_register(const struct cpu *cpu, const struct op *op, unsigned reg)
{
	return cpu->gpr[reg] & (UINT64_MAX >> (64 - 8 * op->addrsize));
}

/* A 16-bit register keeps its upper part, a 32-bit one loses it. */
static void set_address_register(struct cpu *cpu, const struct op *op, unsigned reg, uint64_t value)
{
	if (op->addrsize == 2)
		cpu->gpr[reg] = (cpu->gpr[reg] & ~UINT64_C(0xffff)) | (value & 0xffff);
	else
		cpu->gpr[reg] = op->addrsize == 4 ? (uint32_t)value : value;
}

/* The linear address that a VM exit reports: faults of the operand come only after the exit. */
static uint64_t unchecked_linear(const struct cpu *cpu, unsigned segment, uint64_t offset)
{
	if (cpu_code64(cpu))
		return offset +
		       (segment == SEG_FS || segment == SEG_GS ? cpu->seg[segment].base : 0);
	return (uint32_t)(cpu->seg[segment].base + offset);
}

static bool repeated(const struct op *op)
{
	return op->flags & (OP_REP | OP_REPNE);
}

/* After an iteration: move the index, count down, go round again while the count lasts. */
static void step(struct cpu *cpu, const struct op *op, unsigned index)
{
	uint64_t delta = cpu->eflags_rest & RFLAGS_DF ? -(uint64_t)op->opsize : op->opsize;

	set_address_register(cpu, op, index, address_register(cpu, op, index) + delta);
	if (!repeated(op))
		return;
	set_address_register(cpu, op, REG_RCX, address_register(cpu, op, REG_RCX) - 1);
	if (address_register(cpu, op, REG_RCX))
		cpu->next_rip = cpu_insn_rip(cpu);
}

void insn_ins(struct cpu *cpu, const struct op *op)
{
	uint64_t offset = address_register(cpu, op, REG_RDI), linear;
	uint16_t port = (uint16_t)cpu->gpr[REG_RDX];

	if (repeated(op) && !address_register(cpu, op, REG_RCX))
		return;
	begin(cpu, &(struct vmx_io){.port = port, .size = op->opsize, .in = true, .string = true,
				    .rep = repeated(op),
				    .linear = unchecked_linear(cpu, SEG_ES, offset)});
	linear = seg_linear(cpu, SEG_ES, offset, op->opsize, MEM_WRITE);
	lin_probe(cpu, linear, op->opsize, MEM_WRITE);
	lin_write(cpu, linear, op->opsize, machine_port_read(cpu->machine, port, op->opsize),
		  MEM_WRITE);
	step(cpu, op, REG_RDI);
}

void insn_outs(struct cpu *cpu, const struct op *op)
{
	uint64_t offset = address_register(cpu, op, REG_RSI);
	uint16_t port = (uint16_t)cpu->gpr[REG_RDX];

	if (repeated(op) && !address_register(cpu, op, REG_RCX))
		return;
	begin(cpu, &(struct vmx_io){.port = port, .size = op->opsize, .string = true,
				    .rep = repeated(op),
				    .linear = unchecked_linear(cpu, op->seg, offset)});
	machine_port_write(cpu->machine, port, op->opsize,
			   mem_read(cpu, op->seg, offset, op->opsize));
	step(cpu, op, REG_RSI);
}
