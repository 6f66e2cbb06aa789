/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 8259A pair against its data sheet: priorities, modes, EOI forms, cascade, spurious vectors, ELCR.
 */
#include "l0/machine/devices/pic.h"
#include "tests/l0/machine/fixture.h"

#define MASTER 0x20
#define SLAVE 0xa0

/* Vectors 0x20 and 0x28, everything unmasked. */
static void program(uint8_t icw4)
{
	out8(MASTER, 0x11);
	out8(MASTER + 1, 0x20);
	out8(MASTER + 1, 0x04);
	out8(MASTER + 1, icw4);
	out8(SLAVE, 0x11);
	out8(SLAVE + 1, 0x28);
	out8(SLAVE + 1, 0x02);
	out8(SLAVE + 1, icw4 & ~0x10);
	out8(MASTER + 1, 0);
	out8(SLAVE + 1, 0);
}

static void raise(unsigned irq)
{
	irq_set(&fixture.machine, irq, true);
}

static void lower(unsigned irq)
{
	irq_set(&fixture.machine, irq, false);
}

static void pulse(unsigned irq)
{
	raise(irq);
	lower(irq);
}

static void firmware_state(void **state)
{
	assert_int_equal(in8(MASTER + 1), 0xff);
	assert_int_equal(in8(SLAVE + 1), 0xff);
	pulse(4);
	assert_int_equal(take(), -1);
	out8(MASTER + 1, 0xef);
	assert_int_equal(take(), 0x0c);
}

static void fully_nested(void **state)
{
	program(1);
	pulse(5);
	pulse(3);
	assert_int_equal(in8(MASTER), 0x28); /* IRR */
	assert_int_equal(take(), 0x23);
	assert_int_equal(take(), -1); /* 5 is below 3 in service */
	pulse(1);
	assert_int_equal(take(), 0x21); /* 1 is above */
	out8(MASTER, 0x0b);
	assert_int_equal(in8(MASTER), 0x0a); /* ISR */
	out8(MASTER, 0x20);
	assert_int_equal(in8(MASTER), 0x08); /* the most urgent one went */
	out8(MASTER, 0x63); /* specific EOI of 3 */
	assert_int_equal(in8(MASTER), 0x00);
	assert_int_equal(take(), 0x25);
	out8(MASTER, 0x0a);
	assert_int_equal(in8(MASTER), 0x00);
}

static void edge_and_level(void **state)
{
	program(1);
	raise(5);
	assert_int_equal(take(), 0x25);
	out8(MASTER, 0x20);
	assert_int_equal(take(), -1); /* edge: high is not enough */
	lower(5);
	out8(0x4d0, 0x20);
	assert_int_equal(in8(0x4d0), 0x20);
	raise(5);
	assert_int_equal(take(), 0x25);
	out8(MASTER, 0x20);
	assert_int_equal(take(), 0x25); /* level: still high */
	lower(5);
	out8(MASTER, 0x20);
	assert_int_equal(take(), -1);
	assert_int_equal(in8(0x4d1), 0x02); /* the SCI, IRQ 9 */
	out8(0x4d0, 0xff);
	assert_int_equal(in8(0x4d0), 0xf8); /* IRQ 0, 1, 2 are edge always */
	out8(0x4d1, 0xff);
	assert_int_equal(in8(0x4d1), 0xde);
}

static void cascade(void **state)
{
	program(1);
	pulse(10);
	pulse(8);
	assert_int_equal(take(), 0x28);
	assert_int_equal(take(), -1); /* the slave has 8 in service */
	pulse(1);
	assert_int_equal(take(), 0x21);
	out8(MASTER, 0x20);
	out8(SLAVE, 0x20);
	assert_int_equal(take(), -1); /* the master still has its input 2 in service */
	out8(MASTER, 0x20);
	assert_int_equal(take(), 0x2a);
	out8(MASTER, 0x0b);
	assert_int_equal(in8(MASTER), 0x04);
	out8(SLAVE, 0x0b);
	assert_int_equal(in8(SLAVE), 0x04);
}

/* Special fully nested mode: a more urgent input of the slave gets through while it is in
 * service. */
static void special_fully_nested(void **state)
{
	program(0x11);
	pulse(12);
	assert_int_equal(take(), 0x2c);
	pulse(10);
	assert_int_equal(take(), 0x2a);
	pulse(14);
	assert_int_equal(take(), -1);
}

static void spurious(void **state)
{
	program(1);
	out8(0x4d0, 0x08);
	raise(3);
	assert_true(pending());
	lower(3);
	assert_false(pending());
	/* The CPU had seen INTR already: */
	assert_int_equal(machine_interrupt_ack(&fixture.machine), 0x27);
	out8(MASTER, 0x0b);
	assert_int_equal(in8(MASTER), 0); /* nothing in service for it */
}

static void rotation(void **state)
{
	program(1);
	out8(MASTER, 0xc3); /* 3 lowest: 4 is most urgent */
	pulse(3);
	pulse(0);
	pulse(4);
	assert_int_equal(take(), 0x24);
	out8(MASTER, 0xa0); /* rotate on non-specific EOI: 4 lowest */
	assert_int_equal(take(), 0x20);
	out8(MASTER, 0xe0 | 0); /* rotate on specific EOI of 0 */
	assert_int_equal(take(), 0x23);
	pulse(2);
	out8(MASTER, 0x20);
	pulse(1);
	pulse(7);
	assert_int_equal(take(), 0x21); /* 1 follows 0 */
}

static void automatic_eoi(void **state)
{
	program(3);
	pulse(6);
	assert_int_equal(take(), 0x26);
	out8(MASTER, 0x0b);
	assert_int_equal(in8(MASTER), 0);
	pulse(7);
	assert_int_equal(take(), 0x27);
	out8(MASTER, 0x80); /* rotate in automatic EOI mode */
	pulse(3);
	assert_int_equal(take(), 0x23);
	pulse(3);
	pulse(4);
	assert_int_equal(take(), 0x24); /* 3 is lowest now */
}

/* Special mask mode: a masked input in service does not hold others back. */
static void special_mask(void **state)
{
	program(1);
	pulse(2 - 1);
	assert_int_equal(take(), 0x21);
	pulse(6);
	assert_int_equal(take(), -1);
	out8(MASTER + 1, 0x02);
	out8(MASTER, 0x68);
	assert_int_equal(take(), 0x26);
	out8(MASTER, 0x20); /* a non-specific EOI leaves the masked one */
	out8(MASTER, 0x0b);
	assert_int_equal(in8(MASTER), 0x02);
	out8(MASTER, 0x48);
	pulse(6);
	assert_int_equal(take(), -1);
}

static void poll_command(void **state)
{
	program(1);
	out8(MASTER, 0x0c);
	assert_int_equal(in8(MASTER), 0);
	pulse(5);
	out8(MASTER, 0x0c);
	assert_int_equal(in8(MASTER), 0x85);
	assert_false(pending());
	out8(MASTER, 0x0b);
	assert_int_equal(in8(MASTER), 0x20);
}

/* The output reaches the CPU as LINT0 says, or directly while the local APIC is off. */
static void through_lint0(void **state)
{
	program(1);
	raise(4);
	assert_true(pending());
	mmio_out(LAPIC(0x350), 0x10700);
	assert_false(pending());
	assert_true(lapic_set_base(fixture.machine.lapic, 0xfee00100));
	assert_int_equal(take(), 0x24);
	lower(4);
}

static void lint0_nmi_and_fixed(void **state)
{
	program(1);
	mmio_out(LAPIC(0x350), 0x400);
	raise(4);
	assert_int_equal(fixture.nmis, 1);
	assert_false(pending());
	mmio_out(LAPIC(0x350), 0x10000);
	assert_int_equal(in8(MASTER), 0x10);
	lower(4);
	out8(MASTER, 0x0c);
	in8(MASTER);
	out8(MASTER, 0x20);
	mmio_out(LAPIC(0x350), 0x55);
	raise(4);
	assert_int_equal(take(), 0x55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(firmware_state),	   DEVICE_TEST(fully_nested),
		DEVICE_TEST(edge_and_level),	   DEVICE_TEST(cascade),
		DEVICE_TEST(special_fully_nested), DEVICE_TEST(spurious),
		DEVICE_TEST(rotation),		   DEVICE_TEST(automatic_eoi),
		DEVICE_TEST(special_mask),	   DEVICE_TEST(poll_command),
		DEVICE_TEST(through_lint0),	   DEVICE_TEST(lint0_nmi_and_fixed),
	};
	return cmocka_run_group_tests_name("pic", tests, NULL, NULL);
}
