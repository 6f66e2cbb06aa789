/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Shadow stacks and the tracker across hardware task switches, SDM 3A "Task Switching". Between
 * task.c and task_shadow.c.
 */
#ifndef L0_MACHINE_INTERP_TASK_SHADOW_H
#define L0_MACHINE_INTERP_TASK_SHADOW_H

#include "l0/machine/interp/sys.h"

struct task_shadow {
	enum task_switch_source source;
	uint16_t tss;	       /* selector of the new one, for error codes */
	unsigned cpl;	       /* of the new task */
	uint64_t ssp;	       /* of the new TSS; IRET: of the frame, or IA32_PL3_SSP */
	bool push, verify;     /* a frame is to be pushed; the frame is to be compared */
	uint64_t cs, lip, old; /* the frame */
};

/* Leaves the old task: what its shadow stack holds for the switch, or is to get. next_rip: where it
 * goes on. */
void task_shadow_leave(struct cpu *cpu, struct task_shadow *shadow, uint64_t next_rip);
/* Enters the new task, whose other state is complete; faults belong to it. ip: its own. */
void task_shadow_enter(struct cpu *cpu, const struct task_shadow *shadow, uint64_t ip);

#endif
