/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The performance counters, SDM 3B "Architectural Performance Monitoring" version 4: three fixed
 * ones (0 retired instructions, exact; 1 core cycles; 2 reference cycles) and four general-purpose
 * ones that can count the same and retired branches. An overflow interrupts at the boundary after
 * the instruction that causes it. The read and write functions are rows of msrs.def.
 */
#ifndef L0_MACHINE_INTERP_PERF_H
#define L0_MACHINE_INTERP_PERF_H

#include "l0/machine/interp/cpu.h"

#define FIXED_COUNTERS 3
#define GENERAL_COUNTERS 4
#define COUNTER_MASK ((UINT64_C(1) << 48) - 1)
/* IA32_PERF_GLOBAL_CTRL: 34:32 fixed counters, 3:0 general-purpose ones */
#define PERF_GLOBAL_CTRL_VALID                                                                     \
	(((UINT64_C(1) << FIXED_COUNTERS) - 1) << 32 | ((UINT64_C(1) << GENERAL_COUNTERS) - 1))
/* IA32_PERF_GLOBAL_STATUS, besides the overflows in the same places */
#define PERF_STATUS_LBR_FRZ (UINT64_C(1) << 58)
#define PERF_STATUS_CTR_FRZ (UINT64_C(1) << 59)
/* IA32_PERFEVTSELx: 33 IN_TXCP (of counter 2: not what aborted transactions did) | 32 IN_TX (in
 *                   transactions only), both with RTM | 31:24 CMASK | 23 INV | 22 EN
 *                   | 21 any thread (reserved) | 20 INT | 19 PC | 18 E | 17 OS | 16 USR
 *                   | 15:8 unit mask | 7:0 event */
#define EVTSEL_EVENT UINT64_C(0xffff)
#define EVTSEL_USR (UINT64_C(1) << 16)
#define EVTSEL_OS (UINT64_C(1) << 17)
#define EVTSEL_INT (UINT64_C(1) << 20)
#define EVTSEL_EN (UINT64_C(1) << 22)
#define EVTSEL_INV (UINT64_C(1) << 23)
#define EVTSEL_CMASK_SHIFT 24
#define EVTSEL_IN_TX (UINT64_C(1) << 32)
#define EVTSEL_IN_TXCP (UINT64_C(1) << 33)

/* What RDPMC reads for ECX = selector (bit 30: fixed counters). False: no such counter. */
bool perf_rdpmc(const struct cpu *cpu, uint32_t selector, uint64_t *value);
/* Counters by number, fixed ones first. */
uint64_t perf_counter(const struct cpu *cpu, unsigned counter);
void perf_set_counter(struct cpu *cpu, unsigned counter, uint64_t value);
/* Changes a register that decides what counts, without a jump in any counter. */
void perf_change(struct cpu *cpu, uint64_t *control, uint64_t value);
/* Brings IA32_PERF_GLOBAL_STATUS up to date. */
void perf_note_overflows(struct cpu *cpu);
/* Wanted when CPL has left or reached 0 while cpu->perf.rings. */
void perf_ring_changed(struct cpu *cpu);
/* A VM entry may have switched counters on; IA32_PERF_GLOBAL_CTRL was `before`. The instruction
 * that enters, not retired yet, is none of theirs. */
void perf_entered(struct cpu *cpu, uint64_t before);
/* A transaction opens (depth 1) or ends (0), and sets cpu->rtm.depth: what IN_TX and IN_TXCP make
 * of it. */
void perf_transaction(struct cpu *cpu, uint32_t depth, bool aborted);
/* Cycles (absolute) at which the next look is due for an overflow that interrupts; UINT64_MAX. */
uint64_t perf_next_event(const struct cpu *cpu, uint64_t now);
/* At an instruction boundary: the performance-monitoring interrupt. */
void perf_attend(struct cpu *cpu);

#define PERF_MSR(name)                                                                             \
	bool read_##name(struct cpu *cpu, uint64_t *value);                                        \
	bool write_##name(struct cpu *cpu, uint64_t value);
PERF_MSR(fixed0)
PERF_MSR(fixed1)
PERF_MSR(fixed2)
PERF_MSR(pmc0)
PERF_MSR(pmc1)
PERF_MSR(pmc2)
PERF_MSR(pmc3)
PERF_MSR(perfevtsel0)
PERF_MSR(perfevtsel1)
PERF_MSR(perfevtsel2)
PERF_MSR(perfevtsel3)
PERF_MSR(fixed_ctr_ctrl)
PERF_MSR(perf_global_ctrl)
#undef PERF_MSR
bool write_a_pmc0(struct cpu *cpu, uint64_t value);
bool write_a_pmc1(struct cpu *cpu, uint64_t value);
bool write_a_pmc2(struct cpu *cpu, uint64_t value);
bool write_a_pmc3(struct cpu *cpu, uint64_t value);
bool read_perf_global_status(struct cpu *cpu, uint64_t *value);
bool write_perf_global_status_reset(struct cpu *cpu, uint64_t value);
bool write_perf_global_status_set(struct cpu *cpu, uint64_t value);
bool read_perf_global_inuse(struct cpu *cpu, uint64_t *value);

#endif
