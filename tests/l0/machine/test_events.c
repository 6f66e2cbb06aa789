/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The event queue: order, cancelling, events that schedule events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "l0/machine/events.h"

static char trace[32];
static unsigned traced;
static struct event_queue queue;

static void fire(void *opaque)
{
	trace[traced++] = *(const char *)opaque;
	trace[traced] = '\0';
}

static struct event again;
static unsigned rounds;

static void fire_again(void *opaque)
{
	fire(opaque);
	if (++rounds < 3)
		event_schedule(&queue, &again, again.when + 10);
}

static int reset(void **state)
{
	queue = (struct event_queue){ 0 };
	traced = rounds = 0;
	trace[0] = '\0';
	return 0;
}

static void in_time_order(void **state)
{
	struct event a = { .fire = fire, .opaque = "a" }, b = { .fire = fire, .opaque = "b" };
	struct event c = { .fire = fire, .opaque = "c" }, d = { .fire = fire, .opaque = "d" };

	assert_true(event_next(&queue) == EVENT_NEVER);
	event_schedule(&queue, &a, 20);
	event_schedule(&queue, &b, 10);
	event_schedule(&queue, &c, 20);
	event_schedule(&queue, &d, 15);
	assert_int_equal(event_next(&queue), 10);
	event_run(&queue, 9);
	assert_string_equal(trace, "");
	event_run(&queue, 15);
	assert_string_equal(trace, "bd");
	assert_int_equal(event_next(&queue), 20);
	event_run(&queue, 1000);
	assert_string_equal(trace, "bdac"); /* equal times: as scheduled */
	assert_true(event_next(&queue) == EVENT_NEVER);
	assert_false(a.queued);
}

/* Scheduling again moves an event behind the others of its new time. */
static void rescheduling(void **state)
{
	struct event a = { .fire = fire, .opaque = "a" }, b = { .fire = fire, .opaque = "b" };

	event_schedule(&queue, &a, 5);
	event_schedule(&queue, &b, 7);
	event_schedule(&queue, &a, 7);
	event_run(&queue, 7);
	assert_string_equal(trace, "ba");
	event_schedule(&queue, &a, 8);
	event_schedule(&queue, &b, 9);
	event_cancel(&queue, &a);
	event_cancel(&queue, &a);
	event_run(&queue, 10);
	assert_string_equal(trace, "bab");
}

static void self_scheduling(void **state)
{
	again = (struct event){ .fire = fire_again, .opaque = "r" };
	event_schedule(&queue, &again, 10);
	event_run(&queue, 25);
	assert_string_equal(trace, "rr");
	assert_int_equal(event_next(&queue), 30);
	event_run(&queue, 30);
	assert_string_equal(trace, "rrr");
	assert_true(event_next(&queue) == EVENT_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(in_time_order, reset),
		cmocka_unit_test_setup(rescheduling, reset),
		cmocka_unit_test_setup(self_scheduling, reset),
	};
	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
