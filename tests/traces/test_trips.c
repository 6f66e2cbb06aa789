/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Round trips out of a machine's log built by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shadow/sdm/vmx.h"
#include "traces/trips.h"

static struct trap_record records[32];
static size_t count;
static uint64_t now;

/* The guest has retired `ran` instructions when it exits; L0 answers in `l0`. */
static void exits(uint8_t level, uint32_t reason, uint64_t rip, uint64_t ran, uint32_t l0)
{
	now += ran;
	records[count] = (struct trap_record){
		.sequence = count,
		.reason = reason,
		.rip = rip,
		.insns_at = now,
		.insns = l0,
		.path = TRAP_PATH_MACHINE,
		.level = level,
	};
	count++;
	now += l0;
}

static void mark(void)
{
	records[count] = (struct trap_record){.sequence = count, .path = TRAP_PATH_MARK};
	count++;
}

static int setup(void **state)
{
	count = 0;
	now = 1000;
	return 0;
}

static struct trap_trips make(void)
{
	struct trap_stream stream = {TRAP_LOG_MACHINE, records, count, 0, 0};
	struct trap_log log = {.streams = &stream, .count = 1};
	struct trap_trips trips;

	trap_trips_make(&trips, &log);
	return trips;
}

static const struct trap_trips_row *find(const struct trap_trips *trips, unsigned level,
					 uint32_t reason, bool reflected)
{
	for (size_t i = 0; i < trips->count; i++)
		if (trips->rows[i].level == level && trips->rows[i].reason == reason &&
		    trips->rows[i].reflected == reflected)
			return &trips->rows[i];
	fail_msg("no row of L%u for reason %u", level, reason);
	return NULL;
}

static void reflected_exit(uint32_t l0)
{
	exits(2, EXIT_REASON_CPUID, 0x20, 1, l0);
	exits(1, EXIT_REASON_VMREAD, 0x10, 7, 50);
	mark();
	exits(1, EXIT_REASON_VMRESUME, 0x11, 3, 500);
}

/* What L0 and L1 do for an exit of L2; the last exit of the log leads nowhere. */
static void reflected(void **state)
{
	const struct trap_trips_row *row;
	struct trap_trips trips;

	reflected_exit(900);
	reflected_exit(700);
	reflected_exit(9000);
	exits(2, EXIT_REASON_HLT, 0x30, 5, 1);
	trips = make();
	row = find(&trips, 2, EXIT_REASON_CPUID, true);
	assert_int_equal(row->count, 3);
	assert_int_equal(row->rip, 0x20);
	assert_int_equal(row->median.exits, 3);
	assert_int_equal(row->median.l0_insns, 900 + 550);
	assert_int_equal(row->median.between_insns, 10);
	assert_int_equal(row->total.l0_insns, 900 + 700 + 9000 + 3 * 550);
	assert_int_equal(row->total.exits, 9);
	assert_int_equal(row->typical, 0);
	row = find(&trips, 1, EXIT_REASON_VMREAD, false);
	assert_int_equal(row->count, 3);
	assert_int_equal(row->median.between_insns, 0);
	assert_int_equal(trips.count, 3); /* of L2's CPUID, L1's VMREAD and VMRESUME; no HLT */
	trap_trips_free(&trips);
}

/* L1 maps a page; L0 fills its own table when L2 tries again: one trip. With progress in between, or of
 * another place, two. */
static void tried_again(void **state)
{
	const struct trap_trips_row *row;
	struct trap_trips trips;

	for (unsigned i = 0; i < 3; i++) {
		exits(2, EXIT_REASON_EPT_VIOLATION, 0x20, 4, 300);
		exits(1, EXIT_REASON_VMRESUME, 0x10, 9, 200);
		exits(2, EXIT_REASON_EPT_VIOLATION, i == 1 ? 0x24 : 0x20, i == 2, 80);
	}
	exits(2, EXIT_REASON_HLT, 0x30, 5, 1);
	trips = make();
	row = find(&trips, 2, EXIT_REASON_EPT_VIOLATION, true);
	assert_int_equal(row->count, 3);
	assert_int_equal(row->total.l0_insns, 580 + 500 + 500);
	assert_int_equal(row->total.exits, 7);
	assert_int_equal(find(&trips, 2, EXIT_REASON_EPT_VIOLATION, false)->count, 1);
	trap_trips_free(&trips);
}

/* A bare handler's guest retires nothing between two exits that L1 sees both. */
static void reflected_each_time(void **state)
{
	struct trap_trips trips;

	for (unsigned i = 0; i < 4; i++) {
		exits(2, EXIT_REASON_CPUID, 0x20, 0, 300);
		exits(1, EXIT_REASON_VMRESUME, 0x10, 4, 200);
	}
	trips = make();
	assert_int_equal(find(&trips, 2, EXIT_REASON_CPUID, true)->count, 3);
	assert_int_equal(find(&trips, 2, EXIT_REASON_CPUID, true)->median.l0_insns, 500);
	trap_trips_free(&trips);
}

/* L2's VMRESUME is answered when its own guest runs, and that guest's trip has L1 and L2 in it; an entry
 * that failed is L0's work like any other. */
static void three_levels(void **state)
{
	const struct trap_trips_row *row;
	struct trap_trips trips;

	exits(3, EXIT_REASON_CPUID, 0x30, 1, 100);
	exits(1, EXIT_REASON_VMRESUME, 0x10, 10, 200);
	exits(2, EXIT_REASON_VMRESUME, 0x20, 20, 300);
	exits(1, EXIT_REASON_VMRESUME, 0x10, 30, 400);
	exits(0, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE, 0x10, 0, 5);
	exits(3, EXIT_REASON_CPUID, 0x30, 1, 100);
	trips = make();
	row = find(&trips, 3, EXIT_REASON_CPUID, true);
	assert_int_equal(row->median.exits, 5);
	assert_int_equal(row->median.l0_insns, 1005);
	assert_int_equal(row->median.between_insns, 60);
	row = find(&trips, 2, EXIT_REASON_VMRESUME, true);
	assert_int_equal(row->median.l0_insns, 705);
	assert_int_equal(row->median.between_insns, 30);
	trap_trips_free(&trips);
}

static void nothing(void **state)
{
	struct trap_log log = {0};
	struct trap_trips trips;

	trap_trips_make(&trips, &log);
	assert_int_equal(trips.count, 0);
	trap_trips_free(&trips);
	mark();
	trips = make();
	assert_int_equal(trips.count, 0);
	trap_trips_free(&trips);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reflected, setup),
		cmocka_unit_test_setup(tried_again, setup),
		cmocka_unit_test_setup(reflected_each_time, setup),
		cmocka_unit_test_setup(three_levels, setup),
		cmocka_unit_test_setup(nothing, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
