/* SPDX-License-Identifier: BSD-2-Clause
 *
 * I/O APIC: registers, edge and level delivery, remote IRR and EOI, the PIT's pin.
 */
#include "l0/machine/devices/ioapic.h"
#include "tests/l0/machine/fixture.h"

static uint32_t reg_read(unsigned index)
{
	mmio_out(IOAPIC_BASE, index);
	return mmio_in(IOAPIC_BASE + 0x10);
}

static void reg_write(unsigned index, uint32_t value)
{
	mmio_out(IOAPIC_BASE, index);
	mmio_out(IOAPIC_BASE + 0x10, value);
}

static void redirect(unsigned pin, uint32_t high, uint32_t low)
{
	reg_write(0x11 + 2 * pin, high);
	reg_write(0x10 + 2 * pin, low);
}

static void line(unsigned gsi, bool level)
{
	irq_set(&fixture.machine, gsi, level);
}

static void eoi(void)
{
	mmio_out(LAPIC(0xb0), 0);
}

static void registers(void **state)
{
	assert_int_equal(reg_read(1), 0x00170020);
	for (unsigned pin = 0; pin < 24; pin++) {
		assert_int_equal(reg_read(0x10 + 2 * pin), 0x10000);
		redirect(pin, 0xffffffff, 0xffffffff);
		assert_int_equal(reg_read(0x10 + 2 * pin), 0x1afff);
		assert_int_equal(reg_read(0x11 + 2 * pin), 0xff000000);
	}
	reg_write(0, 0xffffffff);
	assert_int_equal(reg_read(0), 0x0f000000);
	assert_int_equal(reg_read(2), 0x0f000000);
	assert_int_equal(reg_read(0x40), 0);
}

static void edge(void **state)
{
	redirect(4, 0, 0x10034);
	line(4, true);
	line(4, false);
	redirect(4, 0, 0x34);
	assert_int_equal(take(), -1); /* an edge while masked is lost */
	line(4, true);
	assert_int_equal(take(), 0x34);
	assert_int_equal(mmio_in(LAPIC(0x190)), 0); /* TMR */
	eoi();
	line(4, true);
	assert_int_equal(take(), -1);
	line(4, false);
	line(4, true);
	assert_int_equal(take(), 0x34);
}

static void level(void **state)
{
	redirect(17, 0, 0x8051);
	line(17, true);
	assert_int_equal(reg_read(0x32), 0xc051); /* remote IRR */
	assert_int_equal(take(), 0x51);
	assert_int_equal(mmio_in(LAPIC(0x1a0)), 0x20000);
	assert_int_equal(take(), -1);
	eoi();
	assert_int_equal(take(), 0x51); /* still high */
	line(17, false);
	assert_int_equal(reg_read(0x32), 0xc051);
	eoi();
	assert_int_equal(reg_read(0x32), 0x8051);
	assert_int_equal(take(), -1);
	redirect(17, 0, 0x18051);
	line(17, true);
	assert_int_equal(take(), -1);
	redirect(17, 0, 0x8051); /* level: unmasking is enough */
	assert_int_equal(take(), 0x51);
}

/* Directed EOI: SVR bit 12 keeps the broadcast back, the EOI register does its work. */
static void directed_eoi(void **state)
{
	mmio_out(LAPIC(0xf0), 0x11ff);
	redirect(17, 0, 0x8051);
	line(17, true);
	assert_int_equal(take(), 0x51);
	line(17, false);
	eoi();
	assert_int_equal(reg_read(0x32), 0xc051);
	mmio_out(IOAPIC_BASE + 0x40, 0x52);
	assert_int_equal(reg_read(0x32), 0xc051);
	mmio_out(IOAPIC_BASE + 0x40, 0x51);
	assert_int_equal(reg_read(0x32), 0x8051);
}

static void destinations(void **state)
{
	static const struct {
		uint32_t high, low;
		bool arrives;
	} rows[] = {
		{ 0x00000000, 0x0060, true },  { 0x01000000, 0x0060, false },
		{ 0xff000000, 0x0060, true },  { 0x01000000, 0x0860, true },
		{ 0x02000000, 0x0860, false }, { 0x00000000, 0x0160, true },
	};

	mmio_out(LAPIC(0xd0), 0x01000000);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		redirect(20, rows[i].high, rows[i].low);
		line(20, true);
		line(20, false);
		assert_int_equal(take(), rows[i].arrives ? 0x60 : -1);
		eoi();
	}
	redirect(20, 0, 0x400);
	line(20, true);
	assert_int_equal(fixture.nmis, 1);
}

static void pit_on_pin_2(void **state)
{
	redirect(0, 0, 0x40);
	redirect(2, 0, 0x42);
	line(0, true);
	assert_int_equal(take(), 0x42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(registers),	   DEVICE_TEST(edge),	      DEVICE_TEST(level),
		DEVICE_TEST(directed_eoi), DEVICE_TEST(destinations), DEVICE_TEST(pit_on_pin_2),
	};
	return cmocka_run_group_tests_name("ioapic", tests, NULL, NULL);
}
