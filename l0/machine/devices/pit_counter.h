/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One counter of the 8254, as a function of its clock's tick number.
 */
#ifndef L0_MACHINE_DEVICES_PIT_COUNTER_H
#define L0_MACHINE_DEVICES_PIT_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "l0/machine/clock.h"

#define PIT_HZ UINT64_C(1193182)
#define PIT_PERIOD_MAX UINT64_C(0x10000) /* ticks */

struct pit_counter {
	uint8_t access; /* 1 low byte, 2 high byte, 3 low then high */
	uint8_t mode;   /* 0-5 */
	bool bcd, gate;
	bool loaded;        /* the counting element holds `count` since tick `start` */
	uint32_t count;     /* 1-0x10000 */
	uint64_t start;
	uint32_t next_count; /* 0: none; takes over at tick next_start (periodic) or by a trigger */
	uint64_t next_start, next_from; /* next_from: where its first period would have begun */
	bool held;          /* counting stopped by GATE, `held_at` ticks after start */
	uint64_t held_at;
	bool write_high, read_high; /* second byte of a pair comes next */
	uint8_t write_low;
	bool latched, status_latched;
	uint16_t latch;
	uint8_t status;
};

void pit_counter_control(struct pit_counter *counter, uint64_t tick, uint8_t word);
void pit_counter_write(struct pit_counter *counter, uint64_t tick, uint8_t value);
uint8_t pit_counter_read(struct pit_counter *counter, uint64_t tick);
void pit_counter_gate(struct pit_counter *counter, uint64_t tick, bool gate);
void pit_counter_latch(struct pit_counter *counter, uint64_t tick);
void pit_counter_latch_status(struct pit_counter *counter, uint64_t tick);
bool pit_counter_out(struct pit_counter *counter, uint64_t tick);
/* The first tick after `tick` at which OUT may change; EVENT_NEVER. */
uint64_t pit_counter_next_edge(struct pit_counter *counter, uint64_t tick);

#endif
