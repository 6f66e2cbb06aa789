/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Virtual time: a queue of one-shot events at absolute times in cycles of the machine's TSC clock
 * (struct machine.hz). Deterministic: equal times run in the order in which they were scheduled.
 */
#ifndef L0_MACHINE_EVENTS_H
#define L0_MACHINE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct event {
	uint64_t when;
	uint64_t order;
	struct event *next;
	void (*fire)(void *opaque);
	void *opaque;
	bool queued;
};

struct event_queue {
	struct event *head; /* sorted by (when, order) */
	uint64_t order;
};

#define EVENT_NEVER UINT64_MAX

void event_schedule(struct event_queue *queue, struct event *event, uint64_t when);
void event_cancel(struct event_queue *queue, struct event *event);
/* Time of the earliest event, EVENT_NEVER if none. */
uint64_t event_next(const struct event_queue *queue);
/* Fires every event due at `now`, earliest first; a fired event may schedule again. */
void event_run(struct event_queue *queue, uint64_t now);

#endif
