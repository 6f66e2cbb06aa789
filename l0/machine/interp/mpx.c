/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Bounds: the eight instructions, what branches and BOUND do, IA32_BNDCFGS. The instructions are
 * NOPs unless MPX is on, which only their execution tells. In 64-bit mode addresses and bounds have
 * 64 bits whatever the prefixes say, elsewhere 32. Source: SDM 2, the pages of the instructions;
 * SDM 1 "Intel Memory Protection Extensions". MAWA is 0 at every privilege.
 */
#include "l0/machine/interp/mpx.h"

#include <string.h>

#include "l0/machine/interp/canonical.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/sys.h"

#define BOUND_COUNT 4
#define BASE_MASK (~UINT64_C(0xfff))

bool mpx_branches_clear(const struct cpu *cpu)
{
	uint64_t all = 0;

	if (!mpx_enabled(cpu) || (mpx_config(cpu) & BNDCFG_PRESERVE))
		return false;
	for (unsigned i = 0; i < BOUND_COUNT; i++)
		all |= cpu->mpx.bound[i].lower | cpu->mpx.bound[i].upper;
	return all;
}

/* SDM 1 "Support of Intel MPX in Intel TSX": a branch that changes bounds aborts a transaction. */
void mpx_clear_bounds(struct cpu *cpu)
{
	if (rtm_active(cpu))
		rtm_abort_insn(cpu, 0);
	memset(cpu->mpx.bound, 0, sizeof(cpu->mpx.bound));
	cpu_mode_recheck(cpu);
}

void mpx_bound_fails(struct cpu *cpu)
{
	if (mpx_enabled(cpu))
		cpu->mpx.status = 0;
}

void mpx_restored(struct cpu *cpu)
{
	unsigned shift = cpu->profile->caps.cr4_valid & CR4_LA57 ? 64 - 57 : 64 - 48;
	uint64_t config = cpu->mpx.cfgu & ~BNDCFG_RESERVED;

	cpu->mpx.cfgu = (uint64_t)((int64_t)(config << shift) >> shift);
	cpu_mode_recheck(cpu);
}

bool read_bndcfgs(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->msrs.bndcfgs;
	return true;
}

bool write_bndcfgs(struct cpu *cpu, uint64_t value)
{
	if ((value & BNDCFG_RESERVED) || !cpu_canonical_register(cpu, value))
		return false;
	cpu->msrs.bndcfgs = value;
	cpu_mode_recheck(cpu);
	return true;
}

/* ---- operands ---- */

/* False: a NOP. SDM 1 "Instruction Encoding": registers beyond BND3 do not exist; "Effective
 * Address Size of Intel MPX Instructions with 67H Prefix": 16-bit addresses are #UD. */
static bool executes(struct cpu *cpu, const struct op *op)
{
	if (!mpx_enabled(cpu))
		return false;
	if (op->reg >= BOUND_COUNT || ((op->flags & OP_MEMORY) && op->addrsize == 2))
		cpu_fault(cpu, VECTOR_UD);
	return true;
}

static unsigned bound_size(const struct cpu *cpu)
{
	return cpu_code64(cpu) ? 8 : 4;
}

static uint64_t narrowed(const struct cpu *cpu, uint64_t value)
{
	return cpu_code64(cpu) ? value : (uint32_t)value;
}

/* As LEA computes it; 67H has no effect in 64-bit mode. */
static uint64_t address(const struct cpu *cpu, const struct op *op)
{
	uint64_t ea =
	    cpu->gpr[op->base] + (cpu->gpr[op->index] << op->scale) + (uint64_t)(int64_t)op->disp;

	if (op->flags & OP_WIDE)
		ea += UINT64_C(1) << 32;
	return narrowed(cpu, ea);
}

static void set_bound(struct cpu *cpu, unsigned n, uint64_t lower, uint64_t upper)
{
	cpu->mpx.bound[n].lower = narrowed(cpu, lower);
	cpu->mpx.bound[n].upper = narrowed(cpu, upper);
	cpu_mode_recheck(cpu);
}

static void refuse_rip_relative(struct cpu *cpu, const struct op *op)
{
	if (op->base == REG_RIP)
		cpu_fault(cpu, VECTOR_UD);
}

/* ---- making and checking ---- */

void insn_bndmk(struct cpu *cpu, const struct op *op)
{
	if (!executes(cpu, op))
		return;
	refuse_rip_relative(cpu, op);
	set_bound(cpu, op->reg, cpu->gpr[op->base], ~address(cpu, op));
}

static void check(struct cpu *cpu, bool violated)
{
	if (!violated)
		return;
	cpu->mpx.status = BNDSTATUS_VIOLATION;
	cpu_fault(cpu, VECTOR_BR);
}

static uint64_t checked_address(const struct cpu *cpu, const struct op *op)
{
	return op->flags & OP_MEMORY ? address(cpu, op) : narrowed(cpu, cpu->gpr[op->rm]);
}

void insn_bndcl(struct cpu *cpu, const struct op *op)
{
	if (executes(cpu, op))
		check(cpu, checked_address(cpu, op) <
			       narrowed(cpu, cpu->mpx.bound[op->reg].lower));
}

void insn_bndcu(struct cpu *cpu, const struct op *op)
{
	if (executes(cpu, op))
		check(cpu, checked_address(cpu, op) >
			       narrowed(cpu, ~cpu->mpx.bound[op->reg].upper));
}

void insn_bndcn(struct cpu *cpu, const struct op *op)
{
	if (executes(cpu, op))
		check(cpu, checked_address(cpu, op) >
			       narrowed(cpu, cpu->mpx.bound[op->reg].upper));
}

/* ---- moving ---- */

static void copy_bound(struct cpu *cpu, unsigned to, unsigned from)
{
	if (to >= BOUND_COUNT || from >= BOUND_COUNT)
		cpu_fault(cpu, VECTOR_UD);
	set_bound(cpu, to, cpu->mpx.bound[from].lower, cpu->mpx.bound[from].upper);
}

void insn_bndmov_load(struct cpu *cpu, const struct op *op)
{
	unsigned size = bound_size(cpu);
	uint64_t at, lower, upper;

	if (!executes(cpu, op))
		return;
	if (!(op->flags & OP_MEMORY)) {
		copy_bound(cpu, op->reg, op->rm);
		return;
	}
	at = address(cpu, op);
	lower = mem_read(cpu, op->seg, at, size);
	upper = mem_read(cpu, op->seg, narrowed(cpu, at + size), size);
	set_bound(cpu, op->reg, lower, upper);
}

/* All of it or nothing: faults come first. */
static void store(struct cpu *cpu, unsigned segment, uint64_t at, const uint64_t *values,
		  unsigned count)
{
	unsigned size = bound_size(cpu);
	uint64_t linear[3];

	for (unsigned i = 0; i < count; i++) {
		linear[i] = seg_linear(cpu, segment, narrowed(cpu, at + i * size), size, MEM_WRITE);
		lin_probe(cpu, linear[i], size, MEM_WRITE);
	}
	for (unsigned i = 0; i < count; i++)
		lin_write(cpu, linear[i], size, values[i], MEM_WRITE);
}

void insn_bndmov_store(struct cpu *cpu, const struct op *op)
{
	uint64_t values[2];

	if (!executes(cpu, op))
		return;
	values[0] = cpu->mpx.bound[op->reg].lower;
	values[1] = cpu->mpx.bound[op->reg].upper;
	if (op->flags & OP_MEMORY)
		store(cpu, op->seg, address(cpu, op), values, 2);
	else
		copy_bound(cpu, op->rm, op->reg);
}

/* ---- bound tables, SDM 1 "Loading and Storing Bounds in Memory" ---- */

/* How the linear address of the pointer is cut up; sizes are log2. */
static const struct walk {
	unsigned directory_shift, directory_bits, table_shift, table_bits, entry_size;
} walks[2] = {{12, 20, 2, 10, 2}, {20, 28, 3, 17, 3}};

static uint64_t bits(uint64_t value, unsigned shift, unsigned count)
{
	return value >> shift & (BIT64(count) - 1);
}

/* SDM 2 "BNDLDX", "Operation": a displacement counts only with a base register. */
static uint64_t pointer_address(const struct cpu *cpu, const struct op *op)
{
	if (op->base == REG_ZERO)
		return op_linear(cpu, op, 0);
	return op_linear(cpu, op, cpu->gpr[op->base] + (uint64_t)(int64_t)op->disp);
}

/* SDM 1 "Support of Intel MPX in Intel TSX" */
static void abort_if_not_flat(struct cpu *cpu, const struct op *op)
{
	bool flat = !op_linear(cpu, op, 0) && (cpu_code64(cpu) || !cpu->seg[SEG_DS].base);

	if (rtm_active(cpu) && !flat)
		rtm_abort_insn(cpu, 0);
}

/* The directory has a linear address; it is measured like an operand's in 64-bit mode only. */
static uint64_t read_directory(struct cpu *cpu, uint64_t at)
{
	if (cpu_code64(cpu))
		return mem_read(cpu, SEG_DS, at, 8);
	return lin_read(cpu, at, 4, MEM_READ);
}

/* Offset in DS of the bound-table entry. */
static uint64_t find_entry(struct cpu *cpu, const struct op *op)
{
	const struct walk *walk = &walks[cpu_code64(cpu)];
	uint64_t pointer = pointer_address(cpu, op), at, table;

	refuse_rip_relative(cpu, op);
	abort_if_not_flat(cpu, op);
	at = narrowed(cpu, (mpx_config(cpu) & BASE_MASK) +
			       (bits(pointer, walk->directory_shift, walk->directory_bits)
				<< walk->entry_size));
	table = read_directory(cpu, at);
	if (!(table & 1)) {
		cpu->mpx.status = at | BNDSTATUS_INVALID_ENTRY;
		cpu_fault(cpu, VECTOR_BR);
	}
	table &= ~(BIT64(walk->entry_size) - 1);
	return narrowed(cpu, table + (bits(pointer, walk->table_shift, walk->table_bits)
				      << (walk->entry_size + 2)));
}

void insn_bndldx(struct cpu *cpu, const struct op *op)
{
	unsigned size = bound_size(cpu);
	uint64_t at, entry[3];

	if (!executes(cpu, op))
		return;
	at = find_entry(cpu, op);
	for (unsigned i = 0; i < 3; i++)
		entry[i] = mem_read(cpu, SEG_DS, narrowed(cpu, at + i * size), size);
	if (entry[2] == narrowed(cpu, cpu->gpr[op->index]))
		set_bound(cpu, op->reg, entry[0], entry[1]);
	else
		set_bound(cpu, op->reg, 0, 0);
}

void insn_bndstx(struct cpu *cpu, const struct op *op)
{
	uint64_t values[3];

	if (!executes(cpu, op))
		return;
	values[0] = cpu->mpx.bound[op->reg].lower;
	values[1] = cpu->mpx.bound[op->reg].upper;
	values[2] = cpu->gpr[op->index];
	store(cpu, SEG_DS, find_entry(cpu, op), values, 3);
}
