/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The performance counters, SDM 3B "Architectural Performance Monitoring" version 2: three fixed
 * ones (0 retired instructions, exact; 1 core cycles; 2 reference cycles) and four general-purpose
 * ones that can count the same three events. The functions are rows of msrs.def.
 */
#ifndef L0_MACHINE_INTERP_PERF_H
#define L0_MACHINE_INTERP_PERF_H

#include "l0/machine/interp/cpu.h"

#define FIXED_COUNTERS 3
#define GENERAL_COUNTERS 4
/* IA32_PERF_GLOBAL_CTRL: 34:32 fixed counters, 3:0 general-purpose ones */
#define PERF_GLOBAL_CTRL_VALID                                                                     \
	(((UINT64_C(1) << FIXED_COUNTERS) - 1) << 32 | ((UINT64_C(1) << GENERAL_COUNTERS) - 1))

/* What RDPMC reads for ECX = selector (bit 30: fixed counters). False: no such counter. */
bool perf_rdpmc(const struct cpu *cpu, uint32_t selector, uint64_t *value);

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
bool read_perf_global_status(struct cpu *cpu, uint64_t *value);
bool write_perf_global_ovf_ctrl(struct cpu *cpu, uint64_t value);

#endif
