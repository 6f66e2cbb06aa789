/* SPDX-License-Identifier: BSD-2-Clause
 *
 * HPET: registers, the counter's rate, one-shot and periodic matches to the cycle, 32-bit wrap,
 * level-triggered status, legacy replacement of the 8254 and the RTC.
 */
#include "l0/machine/clock.h"
#include "l0/machine/devices/hpet.h"
#include "l0/machine/devices/ioapic.h"
#include "tests/l0/machine/fixture.h"

#define TICK (MACHINE_HZ / HPET_HZ)
#define TIMER(n) (HPET_BASE + 0x100 + 0x20 * (n))
#define COMPARATOR(n) (TIMER(n) + 8)
#define GENERAL (HPET_BASE + 0x10)
#define STATUS (HPET_BASE + 0x20)
#define COUNTER (HPET_BASE + 0xf0)
#define INTERRUPT 4
#define LEVEL 2
#define PERIODIC 8
#define SET_VALUE 0x40
#define BITS32 0x100
#define PIN(n) ((n) << 9)
#define VECTOR 0x51

static uint64_t in64(uint64_t at)
{
	return machine_mmio_read(&fixture.machine, at, 8);
}

static void out64(uint64_t at, uint64_t value)
{
	machine_mmio_write(&fixture.machine, at, 8, value);
}

/* I/O APIC pin to VECTOR, local APIC on, PICs off. */
static void route_pin(unsigned pin, uint32_t flags)
{
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
	mmio_out(LAPIC(0xf0), 0x1ff);
	mmio_out(IOAPIC_BASE, 0x11 + 2 * pin);
	mmio_out(IOAPIC_BASE + 0x10, 0);
	mmio_out(IOAPIC_BASE, 0x10 + 2 * pin);
	mmio_out(IOAPIC_BASE + 0x10, VECTOR | flags);
}

static void end_of_interrupt(void)
{
	mmio_out(LAPIC(0xb0), 0);
}

static void registers(void **state)
{
	assert_true(in64(HPET_BASE) == ((uint64_t)10000000 << 32 | HPET_CAPABILITIES));
	assert_int_equal(mmio_in(HPET_BASE + 4), 10000000); /* 10 ns in fs */
	assert_int_equal(in64(GENERAL), 0);
	for (unsigned n = 0; n < HPET_TIMERS; n++) {
		assert_int_equal(mmio_in(TIMER(n)), 0x30);
		assert_int_equal(mmio_in(TIMER(n) + 4), 0x00f00000);
		assert_true(in64(COMPARATOR(n)) == UINT64_MAX);
	}
	assert_int_equal(in64(TIMER(HPET_TIMERS)), 0);
	out64(TIMER(0), UINT64_MAX);
	assert_int_equal(mmio_in(TIMER(0)), 0x3f4e | 0x30);
	machine_mmio_write(&fixture.machine, GENERAL, 1, 1);
	assert_int_equal(in64(GENERAL), 0);
}

static void counter(void **state)
{
	fixture_advance(1000 * TICK);
	assert_int_equal(in64(COUNTER), 0);
	out64(COUNTER, 7);
	mmio_out(GENERAL, 1);
	fixture_advance(TICK - 1);
	assert_int_equal(in64(COUNTER), 7);
	fixture_advance(1);
	assert_int_equal(in64(COUNTER), 8);
	fixture_advance(MACHINE_HZ);
	assert_int_equal(in64(COUNTER), 8 + HPET_HZ);
	mmio_out(GENERAL, 0);
	fixture_advance(MACHINE_HZ);
	assert_int_equal(in64(COUNTER), 8 + HPET_HZ);
	mmio_out(COUNTER + 4, 5); /* the high half alone */
	assert_true(in64(COUNTER) == (UINT64_C(5) << 32 | (8 + HPET_HZ)));
}

static void one_shot(void **state)
{
	route_pin(21, 0);
	mmio_out(TIMER(2), INTERRUPT | PIN(21));
	out64(COMPARATOR(2), 1000);
	mmio_out(GENERAL, 1);
	fixture_advance(1000 * TICK - 1);
	assert_int_equal(take(), -1);
	fixture_advance(1);
	assert_int_equal(take(), VECTOR);
	end_of_interrupt();
	assert_int_equal(in64(STATUS), 0); /* edge */
	fixture_advance(10 * MACHINE_HZ);
	assert_int_equal(take(), -1);
}

/* In 32-bit mode a match comes once in every age of the counter. */
static void wraps(void **state)
{
	route_pin(20, 0);
	mmio_out(TIMER(0), INTERRUPT | BITS32 | PIN(20));
	mmio_out(COMPARATOR(0), 5);
	mmio_out(GENERAL, 1);
	fixture_advance(5 * TICK);
	assert_int_equal(take(), VECTOR);
	end_of_interrupt();
	fixture_advance((UINT64_C(1) << 32) * TICK - 1);
	assert_int_equal(take(), -1);
	fixture_advance(1);
	assert_int_equal(take(), VECTOR);
}

static void periodic(void **state)
{
	route_pin(22, 0);
	mmio_out(TIMER(1), INTERRUPT | PERIODIC | SET_VALUE | PIN(22));
	out64(COMPARATOR(1), 100);
	out64(COMPARATOR(1), 30);
	mmio_out(GENERAL, 1);
	fixture_advance(100 * TICK - 1);
	assert_int_equal(take(), -1);
	fixture_advance(1);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(take(), VECTOR);
		end_of_interrupt();
		assert_int_equal(in64(COMPARATOR(1)), 130 + 30 * i);
		fixture_advance(30 * TICK - 1);
		assert_int_equal(take(), -1);
		fixture_advance(1);
	}
}

static void level(void **state)
{
	route_pin(23, 0x8000);
	mmio_out(TIMER(0), INTERRUPT | LEVEL | PIN(23));
	out64(COMPARATOR(0), 10);
	mmio_out(GENERAL, 1);
	fixture_advance(10 * TICK);
	assert_int_equal(take(), VECTOR);
	assert_int_equal(in64(STATUS), 1);
	end_of_interrupt();
	assert_int_equal(take(), VECTOR); /* the line is still high */
	mmio_out(STATUS, 2);
	assert_int_equal(in64(STATUS), 1);
	mmio_out(STATUS, 1);
	end_of_interrupt();
	assert_int_equal(in64(STATUS), 0);
	assert_int_equal(take(), -1);
}

/* A route to a pin that is not offered leads nowhere. */
static void no_route(void **state)
{
	route_pin(2, 0);
	mmio_out(TIMER(0), INTERRUPT | PIN(2));
	out64(COMPARATOR(0), 10);
	mmio_out(GENERAL, 1);
	fixture_advance(20 * TICK);
	assert_int_equal(take(), -1);
}

static void start_pit(void)
{
	out8(0x43, 0x34);
	out8(0x40, 0x00);
	out8(0x40, 0x10);
}

static void legacy_replacement(void **state)
{
	route_pin(2, 0);
	start_pit();
	assert_int_equal(take(), VECTOR); /* OUT goes high with the mode */
	end_of_interrupt();
	mmio_out(TIMER(0), INTERRUPT | PERIODIC | SET_VALUE);
	out64(COMPARATOR(0), HPET_HZ);
	mmio_out(GENERAL, 3);
	fixture_advance(MACHINE_HZ - 1);
	assert_int_equal(take(), -1); /* nothing of the 8254 */
	fixture_advance(1);
	assert_int_equal(take(), VECTOR);
	end_of_interrupt();
	mmio_out(GENERAL, 1);
	fixture_advance(MACHINE_HZ / 100);
	assert_int_equal(take(), VECTOR); /* the 8254 is back */
}

static void legacy_rtc(void **state)
{
	route_pin(8, 0);
	out8(0x70, 0x0b);
	out8(0x71, 0x42); /* PIE, 24 h */
	mmio_out(TIMER(1), INTERRUPT);
	out64(COMPARATOR(1), HPET_HZ);
	mmio_out(GENERAL, 3);
	fixture_advance(MACHINE_HZ - 1);
	assert_int_equal(take(), -1);
	fixture_advance(1);
	assert_int_equal(take(), VECTOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(registers), DEVICE_TEST(counter),
		DEVICE_TEST(one_shot),	DEVICE_TEST(wraps),
		DEVICE_TEST(periodic),	DEVICE_TEST(level),
		DEVICE_TEST(no_route),	DEVICE_TEST(legacy_replacement),
		DEVICE_TEST(legacy_rtc),
	};
	return cmocka_run_group_tests_name("hpet", tests, NULL, NULL);
}
