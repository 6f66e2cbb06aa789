/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What became of the last instruction of a block: not a branch, a branch that was taken or not; and
 * the last-branch record stack, SDM 3B "Last Branch, Interrupt, and Exception Recording". Its
 * registers are in branch_msrs.c.
 */
#include "l0/machine/interp/branch.h"

#include <string.h>

#include "l0/machine/interp/decode.h"
#include "l0/machine/interp/perf.h"
#include "l0/machine/interp/profile.h"

#define LBR_INFO_TSX_ABORT BIT64(61)
#define LBR_INFO_IN_TX BIT64(62)

static bool is_one_of(const char *mnemonic, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(mnemonic, *list))
			return true;
	return false;
}

static enum branch_kind branch_kind(const struct insn_row *row)
{
	static const char *const conditional[] = {"Jcc", "LOOPNE", "LOOPE", "LOOP", "JCXZ", NULL};
	static const char *const far[] = {"JMPF",   "CALLF",    "RETF",    "INT3", "INT",
					  "INTO",   "INT1",     "IRET",    "SYSCALL",
					  "SYSRET", "SYSENTER", "SYSEXIT", NULL};
	bool relative = row->operands[0] == 'J';

	if (is_one_of(row->mnemonic, conditional))
		return LBR_JCC;
	if (!strcmp(row->mnemonic, "JMP"))
		return relative ? LBR_NEAR_REL_JMP : LBR_NEAR_IND_JMP;
	if (!strcmp(row->mnemonic, "CALL"))
		return relative ? LBR_NEAR_REL_CALL : LBR_NEAR_IND_CALL;
	if (!strcmp(row->mnemonic, "RET"))
		return LBR_NEAR_RET;
	return is_one_of(row->mnemonic, far) ? LBR_FAR_BRANCH : BRANCH_NONE;
}

static bool recording(const struct cpu *cpu)
{
	return (cpu->msrs.debugctl & DEBUGCTL_LBR) &&
	       !(cpu->msrs.perf_global_status & PERF_STATUS_LBR_FRZ);
}

bool branch_watched(const struct cpu *cpu)
{
	return recording(cpu) || cpu->perf.branches || cpu->pt.on ||
	       ((cpu->msrs.debugctl & DEBUGCTL_BTF) && (cpu->eflags_rest & RFLAGS_TF));
}

static void record(struct cpu *cpu, enum branch_kind kind, uint64_t from)
{
	struct lbr *lbr = &cpu->lbr;
	uint64_t ring = cpu->cpl ? LBR_CPL_NEQ_0 : LBR_CPL_EQ_0, now = cpu_now(cpu);
	uint64_t cycles = now - lbr->last, in_tx = cpu->rtm.depth ? LBR_INFO_IN_TX : 0;

	if (!recording(cpu) || (lbr->select & (kind | ring)))
		return;
	lbr->tos = (lbr->tos + 1) % cpu->profile->lbr_depth;
	lbr->from[lbr->tos] = from;
	lbr->to[lbr->tos] = cpu_rip(cpu);
	lbr->info[lbr->tos] = (cycles < 0xffff ? cycles : 0xffff) | in_tx;
	lbr->last = now;
}

void branch_aborted(struct cpu *cpu, uint64_t from)
{
	uint64_t tos = cpu->lbr.tos;

	record(cpu, LBR_FAR_BRANCH, from);
	if (tos != cpu->lbr.tos)
		cpu->lbr.info[cpu->lbr.tos] |= LBR_INFO_TSX_ABORT;
}

/* The entry op knows the block's instructions and cycles. No instruction is free, so that a block
 * that follows finds too little budget left. */
void branch_begin(struct cpu *cpu, const struct op *entry)
{
	const struct op *last = entry + entry->off;

	cpu->branch.kind = (uint16_t)branch_kind(insn_row(last->row));
	cpu->branch.rip = cpu_rip(cpu) - entry->row + last->off;
	cpu->branch.next = cpu->branch.rip + last->len;
	cpu->branch.insns = cpu->insns + entry->off;
	cpu->branch.pending = true;
	if (cpu->budget > (int64_t)entry->cycles) {
		cpu->deadline -= (uint64_t)cpu->budget - entry->cycles;
		cpu->budget = (int64_t)entry->cycles;
	}
}

/* A conditional branch is taken if it leads elsewhere than to the next instruction; all others are.
 */
void branch_attend(struct cpu *cpu)
{
	bool conditional = cpu->branch.kind == LBR_JCC;

	cpu->branch.taken = false;
	if (!cpu->branch.pending)
		return;
	cpu->branch.pending = false;
	if (cpu->insns != cpu->branch.insns || !cpu->branch.kind)
		return;
	cpu->branches++;
	if (conditional && cpu_rip(cpu) == cpu->branch.next)
		return;
	cpu->branch.taken = true;
	record(cpu, (enum branch_kind)cpu->branch.kind, cpu->branch.rip);
}

void branch_event(struct cpu *cpu, uint64_t from)
{
	record(cpu, LBR_FAR_BRANCH, from);
}
