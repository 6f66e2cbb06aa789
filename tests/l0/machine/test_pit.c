/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 8254: OUT waveforms tick by tick, counts, latches, gates, and IRQ 0 at exact cycles.
 */
#include "l0/machine/clock.h"
#include "l0/machine/devices/pit_counter.h"
#include "tests/l0/machine/fixture.h"

static uint64_t tick_time(uint64_t tick)
{
	return clock_cycles(tick, PIT_HZ);
}

/* The clock conversions are inverse at ticks, and a tick is not early. */
static void clock_conversion(void **state)
{
	for (uint64_t tick = 1; tick < 100000; tick += 37) {
		assert_int_equal(clock_ticks(tick_time(tick), PIT_HZ), tick);
		assert_int_equal(clock_ticks(tick_time(tick) - 1, PIT_HZ), tick - 1);
	}
	assert_int_equal(clock_ticks(MACHINE_HZ * 3600, PIT_HZ), PIT_HZ * 3600);
	assert_int_equal(clock_ticks(MACHINE_HZ * 86400 * 365, PIT_HZ), PIT_HZ * 86400 * 365);
}

/* OUT from the tick of the count's write on: written at tick 0, loaded at tick 1. */
static void waveforms(void **state)
{
	static const struct {
		uint8_t mode, count;
		const char *out; /* one character a tick */
	} rows[] = {
		{ 0, 4, "0000011111" },
		{ 0, 1, "0011111111" },
		{ 1, 3, "1111111111" }, /* no trigger */
		{ 2, 4, "1111011101110" },
		{ 2, 2, "1101010101" },
		{ 3, 4, "1110011001100" },
		{ 3, 5, "1111001110011100" },
		{ 4, 3, "1111011111" },
		{ 5, 3, "1111111111" },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pit_counter counter = { .gate = true };

		pit_counter_control(&counter, 0, 0x10 | rows[i].mode << 1);
		pit_counter_write(&counter, 0, rows[i].count);
		for (unsigned tick = 0; rows[i].out[tick]; tick++)
			assert_int_equal(pit_counter_out(&counter, tick), rows[i].out[tick] - '0');
	}
}

/* next_edge names every change of OUT and none that is not one, bar the load itself. */
static void edges(void **state)
{
	for (unsigned mode = 0; mode < 6; mode++) {
		struct pit_counter counter = { .gate = true };
		uint64_t next = 0;
		bool before;

		pit_counter_control(&counter, 100, 0x10 | mode << 1);
		pit_counter_write(&counter, 100, 7);
		before = pit_counter_out(&counter, 100);
		for (uint64_t tick = 100; tick < 150; tick++) {
			bool out = pit_counter_out(&counter, tick);
			if (tick > 100 && out != before)
				assert_int_equal(tick, next);
			before = out;
			next = pit_counter_next_edge(&counter, tick);
			assert_true(next > tick);
		}
	}
}

static unsigned read16(uint16_t port)
{
	unsigned low = in8(port);

	return low | in8(port) << 8;
}

static void count_and_latch(void **state)
{
	out8(0x43, 0x34); /* counter 0, low/high, mode 2 */
	out8(0x40, 0xe8);
	out8(0x40, 0x03); /* 1000 */
	fixture_advance_to(tick_time(1));
	assert_int_equal(read16(0x40), 1000);
	fixture_advance_to(tick_time(11));
	out8(0x43, 0x00); /* latch */
	fixture_advance_to(tick_time(500));
	out8(0x43, 0x00); /* ignored: not read yet */
	assert_int_equal(read16(0x40), 990);
	assert_int_equal(read16(0x40), 501);
	fixture_advance_to(tick_time(1000));
	assert_int_equal(read16(0x40), 1);
	fixture_advance_to(tick_time(1001));
	assert_int_equal(read16(0x40), 1000);
}

static void read_back(void **state)
{
	out8(0x43, 0x34);
	out8(0x43, 0xe2); /* status of counter 0 */
	assert_int_equal(in8(0x40), 0xf4); /* OUT, null count, low/high, mode 2 */
	out8(0x40, 0x10);
	out8(0x40, 0x00);
	fixture_advance_to(tick_time(3));
	out8(0x43, 0xc2); /* both */
	fixture_advance_to(tick_time(9));
	assert_int_equal(in8(0x40), 0xb4);
	assert_int_equal(read16(0x40), 14);
	assert_int_equal(read16(0x40), 8);
	out8(0x43, 0xb6); /* counter 2 */
	out8(0x43, 0xee); /* status of all */
	assert_int_equal(in8(0x42), 0xf6);
	assert_int_equal(in8(0x40), 0xb4);
}

static void bcd(void **state)
{
	out8(0x43, 0x35); /* mode 2, BCD */
	out8(0x40, 0x00);
	out8(0x40, 0x10); /* 1000 */
	fixture_advance_to(tick_time(2));
	assert_int_equal(read16(0x40), 0x0999);
	out8(0x43, 0x31); /* mode 0, BCD */
	out8(0x40, 0x00);
	out8(0x40, 0x00); /* 10000 */
	fixture_advance(MACHINE_HZ / PIT_HZ * 2 + 2);
	assert_int_equal(read16(0x40), 0x9999);
}

/* A new count while a periodic mode runs waits for the end of the period. */
static void change_of_period(void **state)
{
	struct pit_counter counter = { .gate = true };
	static const char out2[] = "11110110110", out3[] = "111000111000111";

	pit_counter_control(&counter, 0, 0x14);
	pit_counter_write(&counter, 0, 4);
	pit_counter_write(&counter, 2, 3);
	for (unsigned tick = 2; out2[tick]; tick++)
		assert_int_equal(pit_counter_out(&counter, tick), out2[tick] - '0');
	pit_counter_control(&counter, 0, 0x16);
	pit_counter_write(&counter, 0, 4); /* high 1-2, low 3-4, high 5-6 ... */
	pit_counter_write(&counter, 1, 6); /* from the half-period at 3 on */
	for (unsigned tick = 1; out3[tick]; tick++)
		assert_int_equal(pit_counter_out(&counter, tick), out3[tick] - '0');
}

static void gates(void **state)
{
	struct pit_counter counter = { .gate = false };

	pit_counter_control(&counter, 0, 0x10); /* mode 0: gate holds the count */
	pit_counter_write(&counter, 0, 5);
	assert_false(pit_counter_out(&counter, 100));
	pit_counter_gate(&counter, 100, true);
	assert_false(pit_counter_out(&counter, 104));
	assert_true(pit_counter_out(&counter, 105));
	pit_counter_control(&counter, 200, 0x12); /* mode 1: gate triggers */
	pit_counter_write(&counter, 200, 3);
	pit_counter_gate(&counter, 210, false);
	pit_counter_gate(&counter, 220, true);
	assert_true(pit_counter_out(&counter, 220));
	assert_false(pit_counter_out(&counter, 221));
	assert_false(pit_counter_out(&counter, 223));
	assert_true(pit_counter_out(&counter, 224));
	pit_counter_control(&counter, 300, 0x14); /* mode 2: gate stops, OUT high, restarts */
	pit_counter_write(&counter, 300, 3);
	pit_counter_gate(&counter, 302, false);
	assert_true(pit_counter_out(&counter, 303));
	assert_true(pit_counter_next_edge(&counter, 303) == EVENT_NEVER);
	pit_counter_gate(&counter, 310, true);
	assert_true(pit_counter_out(&counter, 312));
	assert_false(pit_counter_out(&counter, 313));
}

/* IRQ 0 rises at every period of mode 2, to the cycle. */
static void interrupt_times(void **state)
{
	out8(0x20, 0x11);
	out8(0x21, 0x20);
	out8(0x21, 0x04);
	out8(0x21, 0x01);
	out8(0x21, 0xfe);
	out8(0x43, 0x34);
	take(); /* OUT goes high when the mode is set */
	out8(0x20, 0x20);
	out8(0x40, 1193 & 0xff);
	out8(0x40, 1193 >> 8);
	for (unsigned period = 1; period <= 5; period++) {
		uint64_t when = tick_time(1 + period * 1193);

		fixture_advance_to(when - 1);
		assert_int_equal(take(), -1);
		fixture_advance_to(when);
		assert_int_equal(take(), 0x20);
		out8(0x20, 0x20);
	}
}

/* An instruction may take longer than OUT is low: its edge counts all the same. */
static void late_events(void **state)
{
	out8(0x21, 0xfe);
	out8(0x43, 0x34);
	out8(0x40, 100);
	out8(0x40, 0);
	take();
	out8(0x20, 0x20);
	fixture.now = tick_time(1 + 100) + 5000; /* from before the pulse to after it */
	event_run(&fixture.machine.events, fixture.now);
	assert_int_equal(take(), 0x08);
	out8(0x20, 0x20);
	assert_int_equal(take(), -1);
	fixture.now = tick_time(1 + 100 * 1000000); /* a million periods at once are one edge */
	event_run(&fixture.machine.events, fixture.now);
	assert_int_equal(take(), 0x08);
	out8(0x20, 0x20);
	assert_int_equal(take(), -1);
	fixture_advance_to(tick_time(1 + 100 * 1000001) - 1);
	assert_int_equal(take(), -1);
	fixture_advance(1);
	assert_int_equal(take(), 0x08);
}

/* Setting a mode is not an edge on IRQ 0 unless OUT goes high by it. */
static void quiet_start(void **state)
{
	out8(0x21, 0xfe);
	out8(0x43, 0x30); /* mode 0: OUT low */
	assert_int_equal(take(), -1);
	out8(0x43, 0x34); /* mode 2: OUT high */
	assert_int_equal(take(), 0x08);
}

static void one_shot_interrupt(void **state)
{
	out8(0x21, 0xfe);
	out8(0x43, 0x30); /* mode 0 */
	out8(0x40, 100);
	out8(0x40, 0);
	while (take() >= 0)
		out8(0x20, 0x20);
	fixture_advance_to(tick_time(101) - 1);
	assert_false(pending());
	fixture_advance_to(tick_time(101));
	assert_int_equal(take(), 0x08);
	out8(0x20, 0x20);
	fixture_advance(MACHINE_HZ);
	assert_int_equal(take(), -1);
}

/* Port 0x61: gate and OUT of counter 2, the refresh toggle. */
static void speaker_port(void **state)
{
	out8(0x61, 0x00);
	out8(0x43, 0xb0); /* counter 2, mode 0 */
	out8(0x42, 10);
	out8(0x42, 0);
	fixture_advance_to(tick_time(100));
	assert_int_equal(in8(0x61) & 0x23, 0);
	out8(0x61, 0x01);
	fixture_advance_to(tick_time(109));
	assert_int_equal(in8(0x61) & 0x23, 0x01);
	fixture_advance_to(tick_time(110));
	assert_int_equal(in8(0x61) & 0x23, 0x21);
	uint8_t before = in8(0x61) & 0x10;
	fixture_advance_to(tick_time(110 + 18));
	assert_int_equal(in8(0x61) & 0x10, before ^ 0x10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clock_conversion), cmocka_unit_test(waveforms),
		cmocka_unit_test(edges),	    DEVICE_TEST(count_and_latch),
		DEVICE_TEST(read_back),		    DEVICE_TEST(bcd),
		cmocka_unit_test(change_of_period), cmocka_unit_test(gates),
		DEVICE_TEST(interrupt_times),	    DEVICE_TEST(late_events),
		DEVICE_TEST(quiet_start),
		DEVICE_TEST(one_shot_interrupt),
		DEVICE_TEST(speaker_port),
	};
	return cmocka_run_group_tests_name("pit", tests, NULL, NULL);
}
