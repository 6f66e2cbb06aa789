/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How a branch handler goes on: along a link, through the jump cache, or back to the run loop. RIP
 * is that of the target block in each case.
 */
#ifndef L0_MACHINE_INTERP_CHAIN_H
#define L0_MACHINE_INTERP_CHAIN_H

#include "l0/machine/interp/block.h"

OP_RESULT op_edge_taken(struct cpu *cpu, const struct op *op);
OP_RESULT op_edge_on(struct cpu *cpu, const struct op *op);

/* Moves RIP by `delta` from the start of the block. */
ALWAYS_INLINE void rip_move(struct cpu *cpu, int64_t delta, bool wide)
{
	uint64_t rip = cpu_rip(cpu) + (uint64_t)delta;

	cpu_rip(cpu) = wide ? rip : (uint32_t)rip;
}

/* The taken edge of a direct branch: imm from the start of the block, link. */
ALWAYS_INLINE OP_RESULT edge_taken(struct cpu *cpu, const struct op *op, bool wide)
{
	int32_t link = op->link;

	rip_move(cpu, op->imm, wide);
	if (likely(link & ~1))
		OP_GOTO(cpu, (const struct op *)((const char *)op + link));
	OP_TAIL(op_edge_taken, cpu, op);
}

/* The edge to the next instruction: its link is in disp. */
ALWAYS_INLINE OP_RESULT edge_on(struct cpu *cpu, const struct op *op, bool wide)
{
	int32_t link = op->disp;

	rip_move(cpu, op->off + op->len, wide);
	if (likely(link & ~1))
		OP_GOTO(cpu, (const struct op *)((const char *)op + link));
	OP_TAIL(op_edge_on, cpu, op);
}

/* NULL: not known, the run loop must look it up. */
ALWAYS_INLINE const struct op *jump_find(struct cpu *cpu, uint64_t rip)
{
	const struct jump *jump = jump_slot(cpu, rip);

	return likely(jump->rip == rip && jump->key == cpu->jump_key) ? jump->entry : NULL;
}

#endif
