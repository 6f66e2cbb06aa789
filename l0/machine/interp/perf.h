/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The fixed-function performance counters, SDM 3B "Architectural Performance Monitoring": 0 counts
 * retired instructions (exact), 1 core cycles, 2 reference cycles. The functions are rows of msrs.def.
 */
#ifndef L0_MACHINE_INTERP_PERF_H
#define L0_MACHINE_INTERP_PERF_H

#include "l0/machine/interp/cpu.h"

#define FIXED_COUNTERS 3

/* Value of a fixed counter now; counter < FIXED_COUNTERS. */
uint64_t perf_fixed_read(const struct cpu *cpu, unsigned counter);

bool read_fixed0(struct cpu *cpu, uint64_t *value);
bool read_fixed1(struct cpu *cpu, uint64_t *value);
bool read_fixed2(struct cpu *cpu, uint64_t *value);
bool write_fixed0(struct cpu *cpu, uint64_t value);
bool write_fixed1(struct cpu *cpu, uint64_t value);
bool write_fixed2(struct cpu *cpu, uint64_t value);
bool read_fixed_ctr_ctrl(struct cpu *cpu, uint64_t *value);
bool write_fixed_ctr_ctrl(struct cpu *cpu, uint64_t value);
bool read_perf_global_status(struct cpu *cpu, uint64_t *value);
bool read_perf_global_ctrl(struct cpu *cpu, uint64_t *value);
bool write_perf_global_ctrl(struct cpu *cpu, uint64_t value);
bool write_perf_global_ovf_ctrl(struct cpu *cpu, uint64_t value);

#endif
