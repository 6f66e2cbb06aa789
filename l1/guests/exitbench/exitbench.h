/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The operations that exitbench measures.
 */
#ifndef L1_GUESTS_EXITBENCH_EXITBENCH_H
#define L1_GUESTS_EXITBENCH_EXITBENCH_H

#include <stdbool.h>
#include <stdint.h>

struct exitbench_item {
	const char *name;
	void (*operation)(void);
	/* Prepares `count` operations; false: not on this machine. NULL: nothing to prepare. */
	bool (*start)(uint64_t count);
	void (*stop)(void);
	uint64_t limit; /* most operations that can be prepared; 0: no limit */
};

extern const struct exitbench_item exitbench_items[];
extern const unsigned exitbench_item_count;

void exitbench_nothing(void);

/* interrupts.c */
bool exitbench_start_apic(uint64_t count);
bool exitbench_start_self_ipi(uint64_t count);
bool exitbench_start_x2apic_self_ipi(uint64_t count);
bool exitbench_start_deadline(uint64_t count);
bool exitbench_start_pit(uint64_t count);
void exitbench_stop_interrupts(void);
void exitbench_read_lapic(void);
void exitbench_self_ipi(void);
void exitbench_eoi(void);
void exitbench_deadline(void);
void exitbench_deadline_and_halt(void);
void exitbench_pit_and_halt(void);

#endif
