/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MOVS CMPS STOS LODS SCAS with REP. An instruction retires once, however many iterations it makes; every
 * iteration under REP costs COST_STRING_ITERATION cycles, charged as it happens, and the CPU may look
 * elsewhere between any two of them (SDM 2 "REP": "between iterations ... interrupts"). Whole runs within a page
 * are copied or filled at once; that is not visible in results or time.
 */
#include "l0/machine/interp/block.h"
#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/alu.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/vmx/vmx.h"

typedef void (*iteration_fn)(struct cpu *cpu, const struct op *op);

static int64_t step_of(const struct cpu *cpu, const struct op *op)
{
	return cpu->eflags_rest & RFLAGS_DF ? -(int64_t)op->opsize : op->opsize;
}

static void advance(struct cpu *cpu, const struct op *op, unsigned reg, int64_t by)
{
	uint64_t value = (cpu->gpr[reg] + (uint64_t)by) & size_mask(op->addrsize);

	fast_put(cpu, reg, op->addrsize, value);
}

static uint64_t offset_of(const struct cpu *cpu, const struct op *op, unsigned reg)
{
	return cpu->gpr[reg] & size_mask(op->addrsize);
}

/* Cycles until the CPU must look at the event queue. */
static int64_t time_left(const struct cpu *cpu)
{
	return (int64_t)(cpu->deadline - cpu_now(cpu));
}

/* Single-stepping traps after every iteration, and so does the monitor trap flag: SDM 3B "Single-Step
 * Exception Condition", SDM 3C "Monitor Trap Flag". */
static bool each_iteration_counts(const struct cpu *cpu)
{
	return (cpu->eflags_rest & RFLAGS_TF) ||
	       (cpu->vmx->nonroot && (cpu->vmx->primary & PRIMARY_MONITOR_TRAP_FLAG));
}

/* More iterations to do: let others have the instruction boundary if they want it. The instruction then
 * starts over with what is left. */
static void pause_if_wanted(struct cpu *cpu)
{
	if (!cpu->attention && !cpu->code_written && time_left(cpu) > 0 &&
	    !each_iteration_counts(cpu))
		return;
	if (cpu->eflags_rest & RFLAGS_TF)
		cpu->pending_debug |= DR6_BS;
	cpu_unwind(cpu);
	cpu_escape(cpu);
}

/* Does many iterations at once if it can; returns how many. */
typedef uint64_t (*run_fn)(struct cpu *cpu, const struct op *op, uint64_t most);

static uint64_t no_run(struct cpu *cpu, const struct op *op, uint64_t most)
{
	return 0;
}

/* `compares`: REP is REPE, and both end at a difference or match. */
static void repeat(struct cpu *cpu, const struct op *op, iteration_fn iterate, run_fn run,
		   bool compares)
{
	if (!(op->flags & (OP_REP | OP_REPNE))) {
		iterate(cpu, op);
		return;
	}
	while (offset_of(cpu, op, REG_RCX)) {
		uint64_t most = offset_of(cpu, op, REG_RCX), done;
		int64_t left = time_left(cpu) / COST_STRING_ITERATION;

		if (cpu->attention || left < 1 || each_iteration_counts(cpu))
			most = 1;
		else if (most > (uint64_t)left)
			most = (uint64_t)left;
		done = most > 1 ? run(cpu, op, most) : 0;
		if (!done) {
			iterate(cpu, op);
			done = 1;
		}
		advance(cpu, op, REG_RCX, -(int64_t)done);
		cpu_charge(cpu, done * COST_STRING_ITERATION);
		if (compares && cc_zf(cpu) != !(op->flags & OP_REPNE))
			break;
		if (offset_of(cpu, op, REG_RCX))
			pause_if_wanted(cpu);
	}
}

/* ---- runs within pages ---- */

/* Segments whose offsets need no check one by one. */
static bool run_possible(const struct cpu *cpu, const struct op *op, unsigned segment)
{
	if (!(cpu->mode & MODE_FLAT) || (cpu->mode & MODE_CAREFUL) || op->addrsize == 2 ||
	    (cpu->eflags_rest & RFLAGS_DF))
		return false;
	return (cpu->mode & MODE_CODE64) || segment == SEG_DS || segment == SEG_ES || segment == SEG_SS;
}

static uint64_t run_length(uint64_t linear, unsigned size, uint64_t most)
{
	uint64_t fit = (PAGE_SIZE - PAGE_OFFSET(linear)) / size;

	return fit < most ? fit : most;
}

/* In the order of the iterations: overlapping copies forward repeat a pattern. */
static void copy_forward(uint8_t *to, const uint8_t *from, unsigned size, uint64_t count)
{
	uint64_t bytes = count * size;

	if (to <= from || to >= from + bytes) {
		memmove(to, from, bytes);
		return;
	}
	for (uint64_t at = 0; at < bytes; at += size)
		host_store(to + at, size, host_load(from + at, size));
}

/* Checks and translations in the order of an iteration: the source's first. */
static uint64_t movs_run(struct cpu *cpu, const struct op *op, uint64_t most)
{
	unsigned size = op->opsize;
	uint64_t from, to, count;
	const uint8_t *source;
	uint8_t *target;

	if (!run_possible(cpu, op, op->seg))
		return 0;
	from = seg_linear(cpu, op->seg, offset_of(cpu, op, REG_RSI), size, MEM_READ);
	count = run_length(from, size, most);
	source = count < 2 ? NULL : lin_to_host(cpu, from, MEM_READ, NULL);
	if (!source)
		return 0;
	to = seg_linear(cpu, SEG_ES, offset_of(cpu, op, REG_RDI), size, MEM_WRITE);
	count = run_length(to, size, count);
	target = count < 2 ? NULL : lin_to_host(cpu, to, MEM_WRITE, NULL);
	if (!target)
		return 0;
	copy_forward(target, source, size, count);
	advance(cpu, op, REG_RSI, (int64_t)(count * size));
	advance(cpu, op, REG_RDI, (int64_t)(count * size));
	return count;
}

static uint64_t stos_run(struct cpu *cpu, const struct op *op, uint64_t most)
{
	unsigned size = op->opsize;
	uint64_t to, count;
	uint8_t *target;

	if (!run_possible(cpu, op, SEG_ES))
		return 0;
	to = seg_linear(cpu, SEG_ES, offset_of(cpu, op, REG_RDI), size, MEM_WRITE);
	count = run_length(to, size, most);
	target = count < 2 ? NULL : lin_to_host(cpu, to, MEM_WRITE, NULL);
	if (!target)
		return 0;
	for (uint64_t i = 0; i < count; i++)
		host_store(target + i * size, size, cpu->gpr[REG_RAX]);
	advance(cpu, op, REG_RDI, (int64_t)(count * size));
	return count;
}

/* ---- one iteration each ---- */

static void movs_one(struct cpu *cpu, const struct op *op)
{
	uint64_t value = mem_read(cpu, op->seg, offset_of(cpu, op, REG_RSI), op->opsize);

	mem_write(cpu, SEG_ES, offset_of(cpu, op, REG_RDI), op->opsize, value);
	advance(cpu, op, REG_RSI, step_of(cpu, op));
	advance(cpu, op, REG_RDI, step_of(cpu, op));
}

static void cmps_one(struct cpu *cpu, const struct op *op)
{
	uint64_t a = mem_read(cpu, op->seg, offset_of(cpu, op, REG_RSI), op->opsize);
	uint64_t b = mem_read(cpu, SEG_ES, offset_of(cpu, op, REG_RDI), op->opsize);

	alu_add_sub(cpu, true, a, b, op->opsize, true);
	advance(cpu, op, REG_RSI, step_of(cpu, op));
	advance(cpu, op, REG_RDI, step_of(cpu, op));
}

static void stos_one(struct cpu *cpu, const struct op *op)
{
	uint64_t value = cpu->gpr[REG_RAX] & size_mask(op->opsize);

	mem_write(cpu, SEG_ES, offset_of(cpu, op, REG_RDI), op->opsize, value);
	advance(cpu, op, REG_RDI, step_of(cpu, op));
}

static void lods_one(struct cpu *cpu, const struct op *op)
{
	uint64_t value = mem_read(cpu, op->seg, offset_of(cpu, op, REG_RSI), op->opsize);

	fast_put(cpu, op->opsize == 1 ? 0 : REG_RAX, op->opsize, value);
	advance(cpu, op, REG_RSI, step_of(cpu, op));
}

static void scas_one(struct cpu *cpu, const struct op *op)
{
	uint64_t b = mem_read(cpu, SEG_ES, offset_of(cpu, op, REG_RDI), op->opsize);

	alu_add_sub(cpu, true, cpu->gpr[REG_RAX] & size_mask(op->opsize), b, op->opsize, true);
	advance(cpu, op, REG_RDI, step_of(cpu, op));
}

void insn_movs(struct cpu *cpu, const struct op *op)
{
	repeat(cpu, op, movs_one, movs_run, false);
}

void insn_stos(struct cpu *cpu, const struct op *op)
{
	repeat(cpu, op, stos_one, stos_run, false);
}

void insn_lods(struct cpu *cpu, const struct op *op)
{
	repeat(cpu, op, lods_one, no_run, false);
}

void insn_cmps(struct cpu *cpu, const struct op *op)
{
	repeat(cpu, op, cmps_one, no_run, true);
}

void insn_scas(struct cpu *cpu, const struct op *op)
{
	repeat(cpu, op, scas_one, no_run, true);
}
