/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Transactions: what XBEGIN keeps, what an abort takes back, and the four instructions. Stores go
 * to memory at once, after the line they touch has been kept; a line is kept where a first-level
 * data cache would hold it, so that capacity aborts come where that cache would overflow. XACQUIRE
 * and XRELEASE are ignored, as the architecture allows: a lock is taken, never elided.
 */
#include "l0/machine/interp/rtm.h"

#include <string.h>

#include "l0/machine/interp/branch.h"
#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/exec.h"
#include "l0/machine/interp/insn_table.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/mmu.h"
#include "l0/machine/interp/perf.h"
#include "l0/machine/interp/pt/pt.h"

#define LINE UINT64_C(64)

/* ---- memory ---- */

static void keep_line(struct cpu *cpu, uint64_t line)
{
	struct rtm *rtm = &cpu->rtm;
	unsigned set = line / LINE % RTM_SETS, n = rtm->used[set];

	for (unsigned i = 0; i < n; i++)
		if (rtm->line[set][i] == line)
			return;
	if (n == RTM_WAYS)
		rtm_abort_insn(cpu, RTM_CAPACITY);
	rtm->line[set][n] = line;
	memcpy(rtm->old[set][n], memory_at(&cpu->machine->memory, line), LINE);
	rtm->used[set]++;
}

void rtm_access(struct cpu *cpu, bool ram, uint64_t hpa, unsigned written)
{
	if (!ram)
		rtm_abort_insn(cpu, 0);
	for (uint64_t line = hpa & ~(LINE - 1); line < hpa + written; line += LINE)
		keep_line(cpu, line);
}

/* Only what differs is stored: it may be code. */
static void restore_line(struct cpu *cpu, uint64_t line, const uint8_t *old)
{
	for (unsigned i = 0; i < LINE; i++)
		if (phys_read(cpu, line + i, 1) != old[i])
			phys_write(cpu, line + i, 1, old[i]);
}

static void restore_memory(struct cpu *cpu)
{
	const struct rtm *rtm = &cpu->rtm;

	for (unsigned set = 0; set < RTM_SETS; set++)
		for (unsigned way = 0; way < rtm->used[set]; way++)
			restore_line(cpu, rtm->line[set][way], rtm->old[set][way]);
}

/* ---- registers ---- */

/* What instructions that do not abort can change. */
#define KEPT_FIELDS(KEPT)                                                                          \
	KEPT(gpr)                                                                                  \
	KEPT(cc_dst)                                                                               \
	KEPT(cc_src)                                                                               \
	KEPT(cc_aux)                                                                               \
	KEPT(cc_op)                                                                                \
	KEPT(eflags_rest)                                                                          \
	KEPT(pkru)                                                                                 \
	KEPT(xsave_area)                                                                           \
	KEPT(cet)                                                                                  \
	KEPT(mpx)

static const struct {
	size_t at, size;
} kept[] = {
#define KEPT(field) {offsetof(struct cpu, field), sizeof(((struct cpu *)0)->field)},
    KEPT_FIELDS(KEPT)
#undef KEPT
};

#define KEPT_SIZE(field) +sizeof(((struct cpu *)0)->field)
_Static_assert(sizeof(((struct rtm *)0)->registers) >= 0 KEPT_FIELDS(KEPT_SIZE),
	       "room for what is kept");
#undef KEPT_SIZE

static void keep_registers(struct cpu *cpu)
{
	uint8_t *to = cpu->rtm.registers;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); to += kept[i++].size)
		memcpy(to, (const uint8_t *)cpu + kept[i].at, kept[i].size);
}

static void restore_registers(struct cpu *cpu)
{
	const uint8_t *from = cpu->rtm.registers;
	uint32_t pkru = cpu->pkru;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); from += kept[i++].size)
		memcpy((uint8_t *)cpu + kept[i].at, from, kept[i].size);
	if (pkru != cpu->pkru)
		mmu_keys_changed(cpu);
}

/* ---- the transaction ---- */

static void open_transaction(struct cpu *cpu, uint64_t fallback)
{
	cpu->rtm.begin = cpu_insn_rip(cpu);
	cpu->rtm.fallback = fallback;
	keep_registers(cpu);
	perf_transaction(cpu, 1, false);
	cpu_mode_changed(cpu);
}

static void close_transaction(struct cpu *cpu, bool aborted)
{
	memset(cpu->rtm.used, 0, sizeof(cpu->rtm.used));
	perf_transaction(cpu, 0, aborted);
	cpu_mode_changed(cpu);
}

/* A trap of an access that has never been is gone with it. */
static void roll_back(struct cpu *cpu, uint64_t rip)
{
	uint64_t from = cpu_rip(cpu);

	restore_memory(cpu);
	restore_registers(cpu);
	cpu->pending_debug = 0;
	cpu_rip(cpu) = cpu->next_rip = rip;
	branch_aborted(cpu, from);
	close_transaction(cpu, true);
	if (cpu->pt.on)
		pt_aborted(cpu, from);
	cpu_charge(cpu, COST_RTM_ABORT);
}

void rtm_abort(struct cpu *cpu, uint32_t status)
{
	if (cpu->rtm.depth > 1)
		status |= RTM_NESTED;
	roll_back(cpu, cpu->rtm.fallback);
	cpu->gpr[REG_RAX] = status;
}

void rtm_abort_insn(struct cpu *cpu, uint32_t status)
{
	cpu_unwind(cpu);
	rtm_abort(cpu, status);
	cpu_escape(cpu);
}

void rtm_interrupted(struct cpu *cpu)
{
	if (rtm_active(cpu))
		rtm_abort(cpu, RTM_RETRY);
}

/* SDM 1 "RTM-Enabled Debugger Support" */
static bool debugging(const struct cpu *cpu)
{
	return (cpu->dr7 & DR7_RTM) && (cpu->msrs.debugctl & DEBUGCTL_RTM);
}

bool rtm_meet_event(struct cpu *cpu, struct cpu_event *event)
{
	uint64_t dr6 = event->vector == VECTOR_DB ? event->dr6 : 0;

	if (event->type == INTR_TYPE_EXTERNAL || event->type == INTR_TYPE_NMI) {
		rtm_abort(cpu, RTM_RETRY);
		return true;
	}
	if (event->vector != VECTOR_DB && event->vector != VECTOR_BP) {
		rtm_abort(cpu, 0);
		return false;
	}
	if (!debugging(cpu)) {
		rtm_abort(cpu, RTM_DEBUG);
		return false;
	}
	roll_back(cpu, cpu->rtm.begin);
	*event = (struct cpu_event){.valid = true,
				    .vector = VECTOR_DB,
				    .type = INTR_TYPE_HARDWARE_EXCEPTION,
				    .dr6 = dr6 | DR6_RTM};
	return true;
}

/* ---- instructions ---- */

/* The operand size does not truncate the fallback address; what a transaction in a transaction
 * gives as one is not even looked at. With RTM_DISABLE every transaction aborts at once. */
void insn_xbegin(struct cpu *cpu, const struct op *op)
{
	uint64_t fallback = rip_wrap(cpu, cpu->next_rip + (uint64_t)(int64_t)op->imm);

	if (cpu->rtm.depth == RTM_MAX_NEST)
		rtm_abort_insn(cpu, 0);
	if (rtm_active(cpu)) {
		cpu->rtm.depth++;
		return;
	}
	near_target_check(cpu, fallback);
	if (cpu->msrs.tsx_ctrl & TSX_CTRL_RTM_DISABLE) {
		cpu->gpr[REG_RAX] = 0;
		cpu->next_rip = fallback;
		return;
	}
	open_transaction(cpu, fallback);
}

void insn_xend(struct cpu *cpu, const struct op *op)
{
	if (!rtm_active(cpu))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (cpu->rtm.depth > 1)
		cpu->rtm.depth--;
	else
		close_transaction(cpu, false);
}

void insn_xabort(struct cpu *cpu, const struct op *op)
{
	if (rtm_active(cpu))
		rtm_abort_insn(cpu, (uint32_t)(uint8_t)op->imm << RTM_IMMEDIATE_SHIFT | RTM_XABORT);
}

void insn_xtest(struct cpu *cpu, const struct op *op)
{
	cpu_set_rflags(cpu, (cpu_rflags(cpu) & ~RFLAGS_STATUS) | (rtm_active(cpu) ? 0 : RFLAGS_ZF));
}

/* ---- what aborts ---- */

static bool named(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(name, *list))
			return true;
	return false;
}

bool rtm_insn_aborts(const struct insn_info *info)
{
	static const char *const handlers[] = {
#define RTM_ABORTS(handler) #handler,
#define RTM_ABORTS_NAME(mnemonic)
#include "l0/machine/interp/rtm.def"
#undef RTM_ABORTS
#undef RTM_ABORTS_NAME
		NULL};
	static const char *const names[] = {
#define RTM_ABORTS(handler)
#define RTM_ABORTS_NAME(mnemonic) #mnemonic,
#include "l0/machine/interp/rtm.def"
#undef RTM_ABORTS
#undef RTM_ABORTS_NAME
		NULL};
	const char *name = info->row.mnemonic;

	if (info->x87.kernel || info->simd.mmx)
		return true;
	return named(info->row.handler, handlers) || named(name + (*name == 'V'), names);
}
