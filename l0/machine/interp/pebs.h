/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Processor event-based sampling, SDM 3B "Processor Event Based Sampling (PEBS)", "Adaptive PEBS":
 * record format 4 with its groups, on every counter. A counter of IA32_PEBS_ENABLE that overflows
 * makes a record at the boundary after the instruction, and is loaded anew from the DS save area.
 *
 *   IA32_PEBS_ENABLE    34:32 fixed counters | 3:0 general-purpose ones
 *   MSR_PEBS_DATA_CFG   31:24 LBR entries - 1 | 3 LBRs | 2 XMM registers | 1 general registers
 *                       | 0 memory
 *   IA32_PERFEVTSELx    34 adaptive record; IA32_FIXED_CTR_CTRL 40, 36, 32 the same
 */
#ifndef L0_MACHINE_INTERP_PEBS_H
#define L0_MACHINE_INTERP_PEBS_H

#include "l0/machine/interp/cpu.h"

#define EVTSEL_ADAPTIVE (UINT64_C(1) << 34)
#define FIXED_CTRL_ADAPTIVE UINT64_C(0x11100000000)
/* IA32_PERF_CAPABILITIES: 14 baseline | 11:8 format 4 | 7 architectural registers | 6 the record
 * tells of the state after the instruction */
#define PERF_CAPABILITIES_PEBS UINT64_C(0x44c0)
/* IA32_PERF_GLOBAL_STATUS: the buffer has reached its threshold */
#define PERF_STATUS_OVF_BUF (UINT64_C(1) << 62)

/* These counters (as in IA32_PERF_GLOBAL_STATUS, where it shows until the record is written) have
 * overflowed. */
void pebs_overflow(struct cpu *cpu, uint64_t counters);
/* Counters for which a record is to be written at the next boundary. What switches PEBS off in
 * between, as VM exits may, holds it back. */
static inline uint64_t pebs_due(const struct cpu *cpu)
{
	return cpu->msrs.perf_global_status & cpu->msrs.pebs_enable;
}
/* At an instruction boundary, with a record due: writes it. May raise #PF, in which case the record
 * is lost, or exit for EPT, in which case it is due again. */
void pebs_attend(struct cpu *cpu);
/* An access for a record met EPT: the exit is asynchronous to the instruction. */
bool pebs_postpone(struct cpu *cpu);

/* Rows of msrs.def. */
bool read_pebs_enable(struct cpu *cpu, uint64_t *value);
bool write_pebs_enable(struct cpu *cpu, uint64_t value);

#endif
