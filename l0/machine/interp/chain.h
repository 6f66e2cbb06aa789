/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How a branch handler goes on: along a link, through the jump cache, or back to the run loop. RIP
 * (cpu_rip) is exact where the run loop gets it.
 */
#ifndef L0_MACHINE_INTERP_CHAIN_H
#define L0_MACHINE_INTERP_CHAIN_H

#include "l0/machine/interp/block.h"

OP_RESULT op_edge_taken(OP_ARGS);
OP_RESULT op_edge_on(OP_ARGS);

/* Straight to the ops of the block at the other end of a link, if there is one and it fits into the
 * budget. RIP's page stays the same. */
ALWAYS_INLINE OP_RESULT edge_follow(OP_ARGS, int32_t link, op_fn otherwise)
{
	const struct op *to = (const struct op *)((const char *)op + link);

	if (likely(link & ~1)) {
		int64_t left = clock + to->imm64;

		if (likely(left >= 0)) {
			clock = left;
			OP_NEXT(cpu, to);
		}
	}
	OP_TAIL(otherwise, cpu, op);
}

/* The taken edge of a direct branch. */
ALWAYS_INLINE OP_RESULT edge_taken(OP_ARGS)
{
	return edge_follow(cpu, op, clock, op->link, op_edge_taken);
}

/* The edge to the next instruction: its link is in disp. */
ALWAYS_INLINE OP_RESULT edge_on(OP_ARGS)
{
	return edge_follow(cpu, op, clock, op->disp, op_edge_on);
}

/* NULL: not known, the run loop must look it up. */
ALWAYS_INLINE const struct op *jump_find(struct cpu *cpu, uint64_t rip)
{
	const struct jump *jump = jump_slot(cpu, rip);

	return likely(jump->rip == rip && jump->key == cpu->jump_key) ? jump->entry : NULL;
}

/* Into the block at `rip`, which the jump cache knows. */
ALWAYS_INLINE OP_RESULT jump_enter(OP_ARGS, uint64_t rip)
{
	int64_t left = clock + op->imm64;

	cpu_rip(cpu) = rip;
	if (unlikely(left < 0))
		OP_GOTO(cpu, op);
	cpu_rip(cpu) = rip - op->row;
	clock = left;
	OP_NEXT(cpu, op);
}

#endif
