/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Compare and branch as a template, for handlers that end with both (exec_fuse.c, exec_triple.c).
 * The light form leaves the flags alone: for branches whose both ends are linked blocks that
 * overwrite all flags before anything can look at them.
 */
#ifndef L0_MACHINE_INTERP_FUSE_H
#define L0_MACHINE_INTERP_FUSE_H

#include "l0/machine/interp/chain.h"
#include "l0/machine/interp/exec_template.h"

/* Whether the condition follows from operands and result; others need the flags. */
ALWAYS_INLINE bool fuse_plain(enum alu alu, unsigned code)
{
	unsigned pair = code >> 1;

	if (alu == ALU_DEC)
		return pair == 2 || pair == 4;
	return pair != 5 && (pair != 0 || alu == ALU_TEST || alu == ALU_AND);
}

/* Conditions after a subtraction. */
ALWAYS_INLINE bool sub_condition(unsigned pair, uint64_t a, uint64_t b, unsigned size)
{
	int64_t left = (int64_t)cc_extend(a, size), right = (int64_t)cc_extend(b, size);

	switch (pair) {
	case 1:
		return a < b;
	case 2:
		return a == b;
	case 3:
		return a <= b;
	case 4:
		return alu_sign(a - b, size);
	case 6:
		return left < right;
	default:
		return left <= right;
	}
}

/* Conditions of a result whose CF and OF are 0 or not asked for. */
ALWAYS_INLINE bool result_condition(unsigned pair, uint64_t result, unsigned size)
{
	switch (pair) {
	case 2:
	case 3:
		return result == 0;
	case 4:
	case 6:
		return alu_sign(result, size);
	case 7:
		return result == 0 || alu_sign(result, size);
	default:
		return false;
	}
}

ALWAYS_INLINE bool fuse_condition(const struct cpu *cpu, enum alu alu, unsigned code, uint64_t a,
				  uint64_t b, uint64_t result, unsigned size)
{
	bool value;

	if (!fuse_plain(alu, code))
		return cc_condition(cpu, code);
	value = alu == ALU_CMP || alu == ALU_SUB ? sub_condition(code >> 1, a, b, size)
						 : result_condition(code >> 1, result, size);
	return value != (code & 1);
}

/* Compare in `op`, branch in the next one. */
ALWAYS_INLINE OP_RESULT fused(OP_ARGS, enum alu alu, enum source source, unsigned size,
			      unsigned code)
{
	uint64_t a = fast_get(cpu, op->rm, size), b = source_value(cpu, op, source, size);
	uint64_t result = alu_do(cpu, alu, a, b, size, true);

	if (alu_writes(alu))
		fast_put(cpu, op->rm, size, result);
	if (fuse_condition(cpu, alu, code, a, b, result, size))
		return edge_taken(cpu, op + 1, clock);
	return edge_on(cpu, op + 1, clock);
}

/* Along a link that there is, committing `result` of `op`; `full` does it over if that block does
 * not fit into the budget or has been dropped. full: NULL if it stands at the op. */
ALWAYS_INLINE OP_RESULT light_edge(OP_ARGS, int32_t link, enum alu alu, unsigned size,
				   uint64_t result, op_fn full)
{
	const struct op *to = (const struct op *)((const char *)(op + 1) + link);
	int64_t left = clock + to->imm64;

	if (unlikely(left < 0)) {
		if (full)
			OP_TAIL(full, cpu, op);
		OP_GOTO(cpu, op);
	}
	if (alu_writes(alu))
		fast_put(cpu, op->rm, size, result);
	clock = left;
	OP_NEXT(cpu, to);
}

ALWAYS_INLINE OP_RESULT fused_light(OP_ARGS, enum alu alu, enum source source, unsigned size,
				    unsigned code, op_fn full)
{
	uint64_t a = fast_get(cpu, op->rm, size), b = source_value(cpu, op, source, size);
	uint64_t result = alu_do(cpu, alu, a, b, size, false);

	if (fuse_condition(cpu, alu, code, a, b, result, size))
		return light_edge(cpu, op, clock, op[1].link, alu, size, result, full);
	return light_edge(cpu, op, clock, op[1].disp, alu, size, result, full);
}

#endif
