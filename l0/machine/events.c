/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The event queue: a sorted list. A PC has about a dozen timers, so a walk beats anything cleverer.
 */
#include "l0/machine/events.h"

static void event_unlink(struct event_queue *queue, struct event *event)
{
	struct event **link = &queue->head;

	while (*link != event)
		link = &(*link)->next;
	*link = event->next;
	event->next = 0;
	event->queued = false;
}

void event_schedule(struct event_queue *queue, struct event *event, uint64_t when)
{
	event_cancel(queue, event);
	event->when = when;
	event->order = queue->order++;
	event->queued = true;
	struct event **link = &queue->head;
	while (*link && (*link)->when <= when)
		link = &(*link)->next;
	event->next = *link;
	*link = event;
}

void event_cancel(struct event_queue *queue, struct event *event)
{
	if (event->queued)
		event_unlink(queue, event);
}

uint64_t event_next(const struct event_queue *queue)
{
	return queue->head ? queue->head->when : EVENT_NEVER;
}

void event_run(struct event_queue *queue, uint64_t now)
{
	while (queue->head && queue->head->when <= now) {
		struct event *event = queue->head;

		event_unlink(queue, event);
		event->fire(event->opaque);
	}
}
