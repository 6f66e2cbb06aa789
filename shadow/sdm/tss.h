/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where the two kinds of task-state segment keep what a task switch moves. Source: SDM 3A
 * "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)".
 */
#ifndef SHADOW_SDM_TSS_H
#define SHADOW_SDM_TSS_H

#include <stdint.h>

/* Offsets of fields; the first word is the link to the task before. */
struct tss_layout {
	uint8_t size;     /* of a register field */
	uint8_t cr3;      /* 0: none */
	uint8_t ip, flags, gpr, seg, ldt;
	uint8_t segments; /* ES, CS, SS, DS (, FS, GS) */
	uint8_t seg_step;
	uint8_t trap;     /* 0: none */
	uint8_t limit;    /* least limit */
};

/* By the type of the descriptor: bit 3 tells 32-bit ones. */
static inline const struct tss_layout *tss_layout_of(unsigned type)
{
	static const struct tss_layout layouts[] = {
		{ 2, 0, 0x0e, 0x10, 0x12, 0x22, 0x2a, 4, 2, 0, 0x2b },
		{ 4, 0x1c, 0x20, 0x24, 0x28, 0x48, 0x60, 6, 4, 0x64, 0x67 },
	};

	return &layouts[type >> 3 & 1];
}

#endif
