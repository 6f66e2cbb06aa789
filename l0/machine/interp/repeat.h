/* SPDX-License-Identifier: BSD-2-Clause
 *
 * REP for string instructions, port I/O included. An instruction retires once, however many
 * iterations it makes; every iteration under REP costs COST_STRING_ITERATION cycles, charged as it
 * happens, and the CPU may look elsewhere between any two of them (SDM 2 "REP": "between iterations
 * ... interrupts").
 */
#ifndef L0_MACHINE_INTERP_REPEAT_H
#define L0_MACHINE_INTERP_REPEAT_H

#include "l0/machine/interp/op.h"

/* One iteration, the index registers included; RCX is not its business. */
typedef void (*repeat_iteration_fn)(struct cpu *cpu, const struct op *op);
/* At most `most` iterations at once, if that is invisible; returns how many. */
typedef uint64_t (*repeat_run_fn)(struct cpu *cpu, const struct op *op, uint64_t most);

/* The whole instruction. run: NULL if there is no such form. `compares`: REP is REPE, and both end
 * at a difference or match. */
void repeat_insn(struct cpu *cpu, const struct op *op, repeat_iteration_fn iterate,
		 repeat_run_fn run, bool compares);

/* What an iteration adds to an index register. */
int64_t repeat_step(const struct cpu *cpu, const struct op *op);
/* An index register or the count at the address size, as an unsigned number. */
uint64_t repeat_offset(const struct cpu *cpu, const struct op *op, unsigned reg);
void repeat_advance(struct cpu *cpu, const struct op *op, unsigned reg, int64_t by);

/* For runs: the offsets in `segment` go upwards and need no check one by one. */
bool repeat_run_possible(const struct cpu *cpu, const struct op *op, unsigned segment);
/* Iterations of `size` bytes from `linear` on within the page, at most `most`. */
uint64_t repeat_run_length(uint64_t linear, unsigned size, uint64_t most);

#endif
