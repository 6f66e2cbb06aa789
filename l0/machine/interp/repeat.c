/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The iterations of a repeated instruction and what may come between them.
 */
#include "l0/machine/interp/repeat.h"

#include "l0/machine/interp/alu.h"
#include "l0/machine/interp/block.h"
#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/vmx/vmx.h"

int64_t repeat_step(const struct cpu *cpu, const struct op *op)
{
	return cpu->eflags_rest & RFLAGS_DF ? -(int64_t)op->opsize : op->opsize;
}

void repeat_advance(struct cpu *cpu, const struct op *op, unsigned reg, int64_t by)
{
	uint64_t value = (cpu->gpr[reg] + (uint64_t)by) & size_mask(op->addrsize);

	fast_put(cpu, reg, op->addrsize, value);
}

uint64_t repeat_offset(const struct cpu *cpu, const struct op *op, unsigned reg)
{
	return cpu->gpr[reg] & size_mask(op->addrsize);
}

/* Cycles until the CPU must look at the event queue. */
static int64_t time_left(const struct cpu *cpu)
{
	return (int64_t)(cpu->deadline - cpu_now(cpu));
}

/* Single-stepping traps after every iteration, and so does the monitor trap flag: SDM 3B
 * "Single-Step Exception Condition", SDM 3C "Monitor Trap Flag". */
static bool each_iteration_counts(const struct cpu *cpu)
{
	return (cpu->eflags_rest & RFLAGS_TF) ||
	       (cpu->vmx->nonroot && (cpu->vmx->primary & PRIMARY_MONITOR_TRAP_FLAG));
}

/* More iterations to do: let others have the instruction boundary if they want it. The instruction
 * then starts over with what is left. */
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

/* How many iterations may be made at once, as far as others are concerned. */
static uint64_t most_at_once(const struct cpu *cpu, uint64_t count)
{
	int64_t left = time_left(cpu) / COST_STRING_ITERATION;

	if (cpu->attention || left < 1 || each_iteration_counts(cpu))
		return 1;
	return count < (uint64_t)left ? count : (uint64_t)left;
}

void repeat_insn(struct cpu *cpu, const struct op *op, repeat_iteration_fn iterate,
		 repeat_run_fn run, bool compares)
{
	if (!(op->flags & (OP_REP | OP_REPNE))) {
		iterate(cpu, op);
		return;
	}
	while (repeat_offset(cpu, op, REG_RCX)) {
		uint64_t most = most_at_once(cpu, repeat_offset(cpu, op, REG_RCX));
		uint64_t done = most > 1 && run ? run(cpu, op, most) : 0;

		if (!done) {
			iterate(cpu, op);
			done = 1;
		}
		repeat_advance(cpu, op, REG_RCX, -(int64_t)done);
		cpu_charge(cpu, done * COST_STRING_ITERATION);
		if (compares && cc_zf(cpu) != !(op->flags & OP_REPNE))
			break;
		if (repeat_offset(cpu, op, REG_RCX))
			pause_if_wanted(cpu);
	}
}

bool repeat_run_possible(const struct cpu *cpu, const struct op *op, unsigned segment)
{
	if (!(cpu->mode & MODE_FLAT) || (cpu->mode & MODE_CAREFUL) || op->addrsize == 2 ||
	    (cpu->eflags_rest & RFLAGS_DF))
		return false;
	return (cpu->mode & MODE_CODE64) || segment == SEG_DS || segment == SEG_ES ||
	       segment == SEG_SS;
}

uint64_t repeat_run_length(uint64_t linear, unsigned size, uint64_t most)
{
	uint64_t fit = (PAGE_SIZE - PAGE_OFFSET(linear)) >> __builtin_ctz(size);

	return fit < most ? fit : most;
}
