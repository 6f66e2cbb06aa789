/* SPDX-License-Identifier: BSD-2-Clause
 *
 * IN, OUT, INS, OUTS: permission by IOPL and the TSS's I/O permission bitmap (SDM 1 "I/O Permission
 * Bit Map"), then the VM exit, then memory, then the port; string forms go through all of it at
 * every iteration (repeat.h). An access costs COST_PORT but where the port is a fast one.
 */
#include "l0/machine/interp/mmu.h"

#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/repeat.h"
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

static void charge_port(struct cpu *cpu, uint16_t port)
{
	if (!machine_port_is_fast(cpu->machine, port))
		cpu_charge(cpu, COST_PORT);
}

static void in(struct cpu *cpu, const struct op *op, uint16_t port, bool immediate)
{
	unsigned size = op->opsize;

	begin(cpu,
	      &(struct vmx_io){.port = port, .size = size, .in = true, .immediate = immediate});
	reg_write(cpu, op, REG_RAX, size, machine_port_read(cpu->machine, port, size));
	charge_port(cpu, port);
}

static void out(struct cpu *cpu, const struct op *op, uint16_t port, bool immediate)
{
	unsigned size = op->opsize;

	begin(cpu, &(struct vmx_io){.port = port, .size = size, .immediate = immediate});
	machine_port_write(cpu->machine, port, size, reg_read(cpu, op, REG_RAX, size));
	charge_port(cpu, port);
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

/* The linear address that a VM exit reports: faults of the operand come only after the exit. */
static uint64_t unchecked_linear(const struct cpu *cpu, unsigned segment, uint64_t offset)
{
	if (cpu_code64(cpu))
		return offset +
		       (segment == SEG_FS || segment == SEG_GS ? cpu->seg[segment].base : 0);
	return (uint32_t)(cpu->seg[segment].base + offset);
}

static struct vmx_io string_io(const struct cpu *cpu, const struct op *op, bool in)
{
	unsigned segment = in ? SEG_ES : op->seg;
	uint64_t offset = repeat_offset(cpu, op, in ? REG_RDI : REG_RSI);

	return (struct vmx_io){.port = (uint16_t)cpu->gpr[REG_RDX], .size = op->opsize, .in = in,
			       .string = true, .rep = op->flags & (OP_REP | OP_REPNE),
			       .linear = unchecked_linear(cpu, segment, offset)};
}

static void ins_one(struct cpu *cpu, const struct op *op)
{
	struct vmx_io io = string_io(cpu, op, true);
	uint64_t linear, value;

	begin(cpu, &io);
	linear = seg_linear(cpu, SEG_ES, repeat_offset(cpu, op, REG_RDI), op->opsize, MEM_WRITE);
	lin_probe(cpu, linear, op->opsize, MEM_WRITE);
	value = machine_port_read(cpu->machine, io.port, op->opsize);
	charge_port(cpu, io.port);
	lin_write(cpu, linear, op->opsize, value, MEM_WRITE);
	repeat_advance(cpu, op, REG_RDI, repeat_step(cpu, op));
}

static void outs_one(struct cpu *cpu, const struct op *op)
{
	struct vmx_io io = string_io(cpu, op, false);

	begin(cpu, &io);
	machine_port_write(cpu->machine, io.port, op->opsize,
			   mem_read(cpu, op->seg, repeat_offset(cpu, op, REG_RSI), op->opsize));
	charge_port(cpu, io.port);
	repeat_advance(cpu, op, REG_RSI, repeat_step(cpu, op));
}

/* Only to ports that take no time; there is nothing then that could come between two iterations.
 * What is asked before the first one has the same answer before the others. */
static uint64_t outs_run(struct cpu *cpu, const struct op *op, uint64_t most)
{
	struct vmx_io io = string_io(cpu, op, false);
	uint64_t linear, count;
	const uint8_t *source;

	if (!machine_port_is_fast(cpu->machine, io.port) ||
	    !repeat_run_possible(cpu, op, op->seg) || debug_armed(cpu, BIT32(DEBUG_IO)))
		return 0;
	begin(cpu, &io);
	linear = seg_linear(cpu, op->seg, repeat_offset(cpu, op, REG_RSI), op->opsize, MEM_READ);
	count = repeat_run_length(linear, op->opsize, most);
	source = count < 2 ? NULL : lin_to_host(cpu, linear, MEM_READ, NULL);
	if (!source)
		return 0;
	machine_port_write_run(cpu->machine, io.port, op->opsize, source, count);
	repeat_advance(cpu, op, REG_RSI, (int64_t)(count * op->opsize));
	return count;
}

void insn_ins(struct cpu *cpu, const struct op *op)
{
	repeat_insn(cpu, op, ins_one, NULL, false);
}

void insn_outs(struct cpu *cpu, const struct op *op)
{
	repeat_insn(cpu, op, outs_one, outs_run, false);
}
