/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Branches as the processor itself looks at them: last-branch recording, single-stepping on
 * branches, counting them, tracing. While anybody wants that, blocks are executed one by one, since
 * a branch is always the last instruction of its block; otherwise it costs nothing.
 */
#ifndef L0_MACHINE_INTERP_BRANCH_H
#define L0_MACHINE_INTERP_BRANCH_H

#include "l0/machine/interp/op.h"

/* Bits of MSR_LBR_SELECT, each of which leaves out what it names. */
enum branch_kind {
	BRANCH_NONE = 0,
	LBR_CPL_EQ_0 = 1,
	LBR_CPL_NEQ_0 = 2,
	LBR_JCC = 4,
	LBR_NEAR_REL_CALL = 8,
	LBR_NEAR_IND_CALL = 0x10,
	LBR_NEAR_RET = 0x20,
	LBR_NEAR_IND_JMP = 0x40,
	LBR_NEAR_REL_JMP = 0x80,
	LBR_FAR_BRANCH = 0x100,
};

/* Must every branch be looked at? */
bool branch_watched(const struct cpu *cpu);
/* The block about to be executed at RIP, by its entry op, with enough budget for it: sees to it
 * that no other one follows without a boundary. */
void branch_begin(struct cpu *cpu, const struct op *entry);
/* At the boundary after it, before anything else happens there. */
void branch_attend(struct cpu *cpu);
/* An exception or interrupt that no instruction raised as its effect went from `from` to RIP. */
void branch_event(struct cpu *cpu, uint64_t from);

/* A transaction was aborted at `from`, for RIP. */
void branch_aborted(struct cpu *cpu, uint64_t from);

/* The registers of last-branch recording. False: no such MSR here, or not this value. */
bool branch_msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value);
bool branch_msr_write(struct cpu *cpu, uint32_t msr, uint64_t value);

#endif
