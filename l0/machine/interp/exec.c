/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The handlers that are no instruction (entering and leaving blocks, complex handlers' wrapper),
 * the CPU's position and time in mid-block, and operand access for complex handlers.
 */
#include "l0/machine/interp/cet.h"
#include "l0/machine/interp/chain.h"
#include "l0/machine/interp/rtm.h"

/* ---- position and time ---- */

uint64_t cpu_insn_rip(const struct cpu *cpu)
{
	return cpu->in_block ? rip_wrap(cpu, cpu_rip(cpu) + cpu->op->off) : cpu_rip(cpu);
}

uint64_t cpu_insn_next_rip(const struct cpu *cpu)
{
	return rip_wrap(cpu, cpu_insn_rip(cpu) + (cpu->op ? cpu->op->len : 0));
}

/* Cycles and instructions that block entry has accounted for and that are not behind us yet. */
static uint64_t cycles_ahead(const struct cpu *cpu)
{
	return cpu->in_block ? op_entry(cpu->op)->cycles - cpu->op->cycles : 0;
}

static uint64_t insns_ahead(const struct cpu *cpu)
{
	return cpu->in_block ? (uint64_t)op_entry(cpu->op)->off - cpu->op->nth : 0;
}

void cpu_unwind(struct cpu *cpu)
{
	uint64_t rip = cpu_insn_rip(cpu);

	cpu->budget += (int64_t)cycles_ahead(cpu);
	cpu->insns -= insns_ahead(cpu);
	cpu_rip(cpu) = rip;
	cpu->in_block = false;
}

void cpu_retire(struct cpu *cpu)
{
	if (cpu->in_block) {
		cpu_unwind(cpu);
		cpu->budget -= insn_info(cpu->op->row)->row.cycles;
		cpu->insns++;
	}
	cpu_rip(cpu) = cpu->next_rip;
}

uint64_t cpu_now(const struct cpu *cpu)
{
	return cpu->deadline - (uint64_t)cpu->budget - cycles_ahead(cpu);
}

uint64_t cpu_retired(const struct cpu *cpu)
{
	return cpu->insns - insns_ahead(cpu);
}

void cpu_charge(struct cpu *cpu, uint64_t cycles)
{
	cpu->budget -= (int64_t)cycles;
}

void cpu_escape(struct cpu *cpu)
{
	longjmp(*cpu->escape, 1);
}

/* ---- blocks ---- */

/* From the run loop or the jump cache, with an exact RIP; links lead to the op after this one. */
OP_RESULT op_enter(OP_ARGS)
{
	int64_t left = clock + op->imm64;

	if (unlikely(left < 0)) {
		clock_stop(cpu, clock);
		OP_LEAVE();
	}
	clock = left;
	cpu_rip(cpu) -= op->row;
	OP_NEXT(cpu, op);
}

OP_RESULT op_enter_single(OP_ARGS)
{
	clock += op->imm64;
	cpu_rip(cpu) -= op->row;
	OP_NEXT(cpu, op);
}

/* The block was dropped; whoever led here is led on to its successor once there is one. */
OP_RESULT op_enter_dead(OP_ARGS)
{
	cpu->blocks->dead = (struct op *)(uintptr_t)op;
	clock_stop(cpu, clock);
	OP_LEAVE();
}

OP_RESULT op_enter_forward(OP_ARGS)
{
	const struct op *to = (const struct op *)((const char *)op + op->link);

	if (to->fn == op_enter_forward) /* shorten the way for the next time */
		((struct op *)(uintptr_t)op)->link += to->link;
	OP_GOTO(cpu, to);
}

/* The block ends without a branch: go on at the next instruction. */
OP_RESULT op_fall_through(OP_ARGS)
{
	return edge_on(cpu, op, clock);
}

/* A direct branch out of the canonical range faults at the branch: take back what the fast form
 * did. */
static void check_far_target(OP_ARGS, uint64_t target)
{
	if (near_target_good(cpu, target))
		return;
	if (insn_info(op->row)->row.attributes & INSN_STACK)
		cpu->gpr[REG_RSP] += op->opsize;
	slow_begin(cpu, op, clock);
	cpu_fault_code(cpu, VECTOR_GP, 0);
}

/* A link that does not fit into the budget or leads to a dropped block; the successor of such a
 * block, once known, is linked instead. */
static const struct op *edge_linked(struct op *op, int32_t *link)
{
	const struct op *to = (const struct op *)((const char *)op + *link);

	if (to->fn == op_enter_forward) {
		*link += to->link;
		op_edges_changed(op);
	}
	return to;
}

/* The other end of the edge, if it is known without the run loop. */
static const struct op *edge_end(OP_ARGS, uint64_t rip, bool taken)
{
	struct op *edge = (struct op *)(uintptr_t)op;
	int32_t *link = taken ? &edge->link : &edge->disp;
	const struct op *entry;

	if (*link & ~1)
		return edge_linked(edge, link);
	if (*link == LINK_FAR) {
		entry = jump_find(cpu, rip);
		if (!entry && taken)
			check_far_target(cpu, op, clock, rip);
		return entry;
	}
	cpu->blocks->edge = edge;
	cpu->blocks->edge_taken = taken;
	cpu->blocks->edge_rip = rip;
	return NULL;
}

static OP_RESULT edge_slow(OP_ARGS, int64_t to, bool taken)
{
	uint64_t rip = rip_wrap(cpu, cpu_rip(cpu) + (uint64_t)to);
	const struct op *entry = edge_end(cpu, op, clock, rip, taken);

	cpu_rip(cpu) = rip;
	if (entry)
		OP_GOTO(cpu, entry);
	clock_stop(cpu, clock);
	OP_LEAVE();
}

OP_RESULT op_edge_taken(OP_ARGS)
{
	return edge_slow(cpu, op, clock, op->imm, true);
}

OP_RESULT op_edge_on(OP_ARGS)
{
	return edge_slow(cpu, op, clock, op->off + op->len, false);
}

/* ---- complex handlers ---- */

OP_RESULT op_complex(OP_ARGS)
{
	slow_begin(cpu, op, clock);
	insn_info(op->row)->complex(cpu, op);
	SLOW_NEXT(cpu, op);
}

/* Whether the run loop has something to do between two blocks. */
static bool loop_wanted(const struct cpu *cpu)
{
	return slow_must_leave(cpu) || cpu->budget == 0 || cpu->stepping || cpu->event.valid ||
	       cpu->activity != ACTIVITY_ACTIVE || cpu->machine->stop;
}

OP_RESULT op_complex_end(OP_ARGS)
{
	const struct op *entry;

	slow_begin(cpu, op, clock);
	insn_info(op->row)->complex(cpu, op);
	cpu_retire(cpu);
	if (loop_wanted(cpu))
		OP_LEAVE();
	cpu->op = NULL;
	blocks_refresh_key(cpu);
	entry = jump_find(cpu, cpu_rip(cpu));
	if (!entry)
		OP_LEAVE();
	clock = clock_start(cpu);
	OP_GOTO(cpu, entry);
}

OP_RESULT op_undefined(OP_ARGS)
{
	slow_begin(cpu, op, clock);
	cpu_fault(cpu, VECTOR_UD);
}

OP_RESULT op_too_long(OP_ARGS)
{
	slow_begin(cpu, op, clock);
	cpu_fault_code(cpu, VECTOR_GP, 0);
}

/* An instruction that aborts the transaction it is in. */
OP_RESULT op_rtm_abort(OP_ARGS)
{
	slow_begin(cpu, op, clock);
	rtm_abort_insn(cpu, 0);
}

/* ---- indirect branch tracking ---- */

OP_RESULT op_endbranch(OP_ARGS)
{
	slow_begin(cpu, op, clock);
	cet_endbranch(cpu);
	SLOW_LEAVE(cpu);
}

/* Excused, the instruction begins again where no ENDBRANCH is waited for. */
OP_RESULT op_no_endbranch(OP_ARGS)
{
	slow_begin(cpu, op, clock);
	cet_miss_endbranch(cpu);
	cpu_unwind(cpu);
	OP_LEAVE();
}

/* ---- operands ---- */

uint64_t op_ea(const struct cpu *cpu, const struct op *op)
{
	uint64_t ea =
	    cpu->gpr[op->base] + (cpu->gpr[op->index] << op->scale) + (uint64_t)(int64_t)op->disp;

	if (op->flags & OP_WIDE)
		ea += UINT64_C(1) << 32;
	return op->addrsize == 8 ? ea : ea & size_mask(op->addrsize);
}

/* Byte registers 4-7 without REX are AH CH DH BH. */
static bool high_byte(const struct op *op, unsigned reg, unsigned size)
{
	return size == 1 && reg >= 4 && reg < 8 && !(op->flags & OP_REX);
}

uint64_t reg_read(const struct cpu *cpu, const struct op *op, unsigned reg, unsigned size)
{
	if (high_byte(op, reg, size))
		return cpu->gpr[reg - 4] >> 8 & 0xff;
	return cpu->gpr[reg] & size_mask(size);
}

void reg_write(struct cpu *cpu, const struct op *op, unsigned reg, unsigned size, uint64_t value)
{
	uint64_t mask = size_mask(size);

	if (high_byte(op, reg, size))
		cpu->gpr[reg - 4] = (cpu->gpr[reg - 4] & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
	else if (size >= 4)
		cpu->gpr[reg] = value & mask;
	else
		cpu->gpr[reg] = (cpu->gpr[reg] & ~mask) | (value & mask);
}

uint64_t op_read_rm(struct cpu *cpu, const struct op *op, unsigned size)
{
	if (op->flags & OP_MEMORY)
		return mem_read(cpu, op->seg, op_ea(cpu, op), size);
	return reg_read(cpu, op, op->rm, size);
}

void op_write_rm(struct cpu *cpu, const struct op *op, unsigned size, uint64_t value)
{
	if (op->flags & OP_MEMORY)
		mem_write(cpu, op->seg, op_ea(cpu, op), size, value);
	else
		reg_write(cpu, op, op->rm, size, value);
}

/* ---- flags ---- */

/* RF may be over without anybody having noticed. */
static uint64_t rest_flags(const struct cpu *cpu)
{
	uint64_t rest = cpu->eflags_rest & ~RFLAGS_STATUS;

	if ((rest & RFLAGS_RF) && cpu->seen.rf != UINT64_MAX && cpu->seen.rf != cpu_retired(cpu))
		rest &= ~RFLAGS_RF;
	return rest;
}

uint64_t cpu_rflags(const struct cpu *cpu)
{
	return cc_flags(cpu) | rest_flags(cpu) | RFLAGS_FIXED1;
}

void cpu_set_rflags(struct cpu *cpu, uint64_t rflags)
{
	cc_set_explicit(cpu, rflags);
	cpu->eflags_rest = (rflags & ~RFLAGS_STATUS) | RFLAGS_FIXED1;
}
