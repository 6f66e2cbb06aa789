/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MC146818: calendar, formats, setting, flags and IRQ 8 at exact times, CMOS memory sizes.
 */
#include "l0/machine/clock.h"
#include "l0/machine/devices/calendar.h"
#include "tests/l0/machine/fixture.h"

static uint8_t cmos(uint8_t index)
{
	out8(0x70, index);
	return in8(0x71);
}

static void set_cmos(uint8_t index, uint8_t value)
{
	out8(0x70, index);
	out8(0x71, value);
}

static void assert_time(uint8_t hour, uint8_t minute, uint8_t second)
{
	assert_int_equal(cmos(4), hour);
	assert_int_equal(cmos(2), minute);
	assert_int_equal(cmos(0), second);
}

static void assert_date(uint8_t century, uint8_t year, uint8_t month, uint8_t day, uint8_t weekday)
{
	assert_int_equal(cmos(0x32), century);
	assert_int_equal(cmos(9), year);
	assert_int_equal(cmos(8), month);
	assert_int_equal(cmos(7), day);
	assert_int_equal(cmos(6), weekday);
}

static void calendar_rows(void **state)
{
	static const struct {
		int64_t seconds;
		struct calendar c;
	} rows[] = {
		{ 0, { 1970, 1, 1, 0, 0, 0, 5 } },
		{ 951782399, { 2000, 2, 28, 23, 59, 59, 2 } },
		{ 951782400, { 2000, 2, 29, 0, 0, 0, 3 } },
		{ 1577836800, { 2020, 1, 1, 0, 0, 0, 4 } },
		{ 4107542399, { 2100, 2, 28, 23, 59, 59, 1 } },
		{ 4107542400, { 2100, 3, 1, 0, 0, 0, 2 } }, /* not a leap year */
		{ -1, { 1969, 12, 31, 23, 59, 59, 4 } },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct calendar c = calendar_from_seconds(rows[i].seconds);

		assert_memory_equal(&c, &rows[i].c, sizeof(c));
		assert_true(calendar_to_seconds(&c) == rows[i].seconds);
	}
	for (int64_t day = -200000; day < 200000; day += 13) {
		struct calendar c = calendar_from_seconds(day * 86400 + 3661);

		assert_true(calendar_to_seconds(&c) == day * 86400 + 3661);
	}
}

static void start_and_tick(void **state)
{
	assert_date(0x20, 0x20, 0x01, 0x01, 0x04);
	assert_time(0, 0, 0);
	fixture_advance_to(MACHINE_HZ - 1);
	assert_time(0, 0, 0);
	fixture_advance_to(MACHINE_HZ);
	assert_time(0, 0, 1);
	fixture_advance_to(MACHINE_HZ * (86400 * 59 + 3600 * 13 + 60 * 59 + 58));
	assert_time(0x13, 0x59, 0x58);
	assert_date(0x20, 0x20, 0x02, 0x29, 0x07);
}

static void formats(void **state)
{
	static const struct {
		uint8_t b;
		unsigned hour;
		uint8_t reg;
	} rows[] = {
		{ 0x02, 0, 0x00 },  { 0x02, 23, 0x23 }, { 0x06, 23, 23 },   { 0x00, 0, 0x12 },
		{ 0x00, 11, 0x11 }, { 0x00, 12, 0x92 }, { 0x00, 23, 0x91 }, { 0x04, 22, 0x8a },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fixture_advance_to(MACHINE_HZ * (86400 * (i + 1) + 3600 * rows[i].hour));
		set_cmos(0xb, rows[i].b);
		assert_int_equal(cmos(4), rows[i].reg);
		set_cmos(4, rows[i].reg); /* and back */
		assert_int_equal(cmos(4), rows[i].reg);
	}
}

/* The way systems set the clock: SET, registers, SET off; the second goes on where it stopped. */
static void setting(void **state)
{
	fixture_advance_to(MACHINE_HZ * 10 + 1000);
	set_cmos(0xb, 0x82);
	set_cmos(0, 0x58);
	set_cmos(2, 0x59);
	set_cmos(4, 0x23);
	set_cmos(7, 0x31);
	set_cmos(8, 0x12);
	set_cmos(9, 0x99);
	set_cmos(0x32, 0x19);
	fixture_advance(MACHINE_HZ * 5);
	assert_time(0x23, 0x59, 0x58);
	set_cmos(0xb, 0x02);
	fixture_advance(MACHINE_HZ * 2 - 1001);
	assert_time(0x23, 0x59, 0x59);
	fixture_advance(1);
	assert_time(0, 0, 0);
	assert_date(0x20, 0x00, 0x01, 0x01, 0x07);
}

/* The first update comes half a second after the divider chain is released. */
static void divider_reset(void **state)
{
	fixture_advance_to(MACHINE_HZ / 5);
	set_cmos(0xa, 0x66);
	fixture_advance(MACHINE_HZ * 3);
	assert_time(0, 0, 0);
	set_cmos(0xa, 0x26);
	fixture_advance(MACHINE_HZ / 2 - 1);
	assert_time(0, 0, 0);
	fixture_advance(1);
	assert_time(0, 0, 1);
}

static void update_in_progress(void **state)
{
	assert_int_equal(cmos(0xa), 0x26);
	fixture_advance_to(MACHINE_HZ - 2228000 - 1);
	assert_int_equal(cmos(0xa), 0x26);
	fixture_advance_to(MACHINE_HZ - 2228000);
	assert_int_equal(cmos(0xa), 0xa6);
	fixture_advance_to(MACHINE_HZ - 1);
	assert_int_equal(cmos(0xa), 0xa6);
	fixture_advance_to(MACHINE_HZ);
	assert_int_equal(cmos(0xa), 0x26);
}

static void unmask(void)
{
	out8(0x21, 0xfb);
	out8(0xa1, 0xfe);
}

static bool interrupted(void)
{
	bool yes = take() == 0x70;

	out8(0xa0, 0x20);
	out8(0x20, 0x20);
	return yes;
}

static void periodic(void **state)
{
	unmask();
	cmos(0xc);
	set_cmos(0xb, 0x42); /* 1024 Hz */
	for (unsigned i = 1; i <= 3; i++) {
		uint64_t when = clock_cycles(i * 32, 32768);

		fixture_advance_to(when - 1);
		assert_false(interrupted());
		fixture_advance_to(when);
		assert_true(interrupted());
		assert_int_equal(cmos(0xc), 0xc0);
		assert_int_equal(cmos(0xc), 0x00);
	}
	fixture_advance(MACHINE_HZ / 2);
	assert_true(interrupted()); /* one only: C was not read */
	assert_false(interrupted());
}

/* Rates of the 32.768 kHz time base in RTC clocks. */
static void periodic_rates(void **state)
{
	static const unsigned clocks[] = { 0, 128, 256, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048,
					   4096, 8192, 16384 };

	for (unsigned rate = 1; rate < 16; rate++) {
		uint64_t ticks = clock_ticks(fixture.now, 32768);

		set_cmos(0xa, 0x20 | rate);
		cmos(0xc);
		uint64_t next = clock_cycles((ticks / clocks[rate] + 1) * clocks[rate], 32768);
		fixture_advance_to(next - 1);
		assert_int_equal(cmos(0xc) & 0x40, 0);
		fixture_advance_to(next);
		assert_int_equal(cmos(0xc) & 0x40, 0x40);
	}
}

static void update_interrupt(void **state)
{
	unmask();
	set_cmos(0xb, 0x12);
	fixture_advance_to(MACHINE_HZ - 1);
	assert_false(interrupted());
	fixture_advance_to(MACHINE_HZ);
	assert_true(interrupted());
	assert_int_equal(cmos(0xc) & 0x90, 0x90);
	set_cmos(0xb, 0x92); /* SET clears UIE */
	assert_int_equal(cmos(0xb), 0x82);
}

static void alarm(void **state)
{
	unmask();
	set_cmos(1, 0x30);
	set_cmos(3, 0x01);
	set_cmos(5, 0xff); /* any hour */
	set_cmos(0xb, 0x22);
	fixture_advance_to(MACHINE_HZ * 90 - 1);
	assert_false(interrupted());
	fixture_advance_to(MACHINE_HZ * 90);
	assert_true(interrupted());
	assert_int_equal(cmos(0xc) & 0xa0, 0xa0);
	fixture_advance_to(MACHINE_HZ * (3600 + 90) - 1);
	assert_false(interrupted());
	fixture_advance_to(MACHINE_HZ * (3600 + 90));
	assert_true(interrupted());
}

static void memory_sizes(void **state)
{
	fixture_teardown(state);
	assert_int_equal(fixture_setup_size(UINT64_C(5) << 30), 0);
	assert_int_equal(cmos(0x15) | cmos(0x16) << 8, 640);
	assert_int_equal(cmos(0x17) | cmos(0x18) << 8, 63 << 10);
	assert_int_equal((uint32_t)(cmos(0x34) | cmos(0x35) << 8) << 16, 0xc0000000u - (16u << 20));
	assert_int_equal(cmos(0x5b) | cmos(0x5c) << 8 | cmos(0x5d) << 16, 0x8000);
	unsigned sum = 0;
	for (unsigned i = 0x10; i <= 0x2d; i++)
		sum += cmos(i);
	assert_int_equal(cmos(0x2e) << 8 | cmos(0x2f), sum);
	assert_int_equal(cmos(0xd), 0x80);
	set_cmos(0x60, 0x77);
	assert_int_equal(cmos(0xe0), 0x77); /* bit 7 of the index is the NMI mask */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar_rows), DEVICE_TEST(start_and_tick),
		DEVICE_TEST(formats),		 DEVICE_TEST(setting),
		DEVICE_TEST(divider_reset),	 DEVICE_TEST(update_in_progress),
		DEVICE_TEST(periodic),		 DEVICE_TEST(periodic_rates),
		DEVICE_TEST(update_interrupt),	 DEVICE_TEST(alarm),
		DEVICE_TEST(memory_sizes),
	};
	return cmocka_run_group_tests_name("rtc", tests, NULL, NULL);
}
