/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What --device adds. The device of test images: scratch port, interrupt lines, memory; the tick of
 * a BIOS. A machine that was not asked for it has none of it.
 */
#include "l0/machine/devices/platform.h"
#include "tests/l0/machine/fixture.h"

#define SCRATCH 0xe0
#define LINES 0x2000
#define MEMORY UINT64_C(0xff000000)
#define IOAPIC UINT64_C(0xfec00000)

static int setup_device(void **state)
{
	int failed = fixture_setup(state);

	device_find("testdev")(&fixture.machine);
	return failed;
}

static uint64_t port_in(uint16_t port, unsigned size)
{
	return machine_port_read(&fixture.machine, port, size);
}

static void port_out(uint16_t port, unsigned size, uint64_t value)
{
	machine_port_write(&fixture.machine, port, size, value);
}

static void absent(void **state)
{
	port_out(SCRATCH, 1, 0x12);
	assert_int_equal(port_in(SCRATCH, 1), 0xff);
	mmio_out(MEMORY, 1);
	assert_int_equal(mmio_in(MEMORY), 0xffffffff);
	assert_null(device_find("nothing"));
}

static void scratch_keeps_any_width(void **state)
{
	port_out(SCRATCH, 4, 0x11223344);
	assert_int_equal(port_in(SCRATCH, 4), 0x11223344);
	assert_int_equal(port_in(SCRATCH, 2), 0x3344);
	assert_int_equal(port_in(SCRATCH + 3, 1), 0x11);
	port_out(SCRATCH, 1, 0xaa);
	assert_int_equal(port_in(SCRATCH, 4), 0x112233aa);
	port_out(SCRATCH + 4, 4, 0); /* the flush port */
	assert_int_equal(port_in(SCRATCH, 4), 0x112233aa);
}

static void ioapic_program(unsigned pin, uint32_t low)
{
	mmio_out(IOAPIC, 0x10 + 2 * pin);
	mmio_out(IOAPIC + 0x10, low);
}

/* The BIOS's tick: 18.2 times a second at vector 8, and the vector leads to a handler in ROM. */
static void bios_timer_ticks(void **state)
{
	unsigned ticks = 0;
	uint16_t vector[2];

	firmware_build(&fixture.machine);
	device_find("biostimer")(&fixture.machine);
	assert_true(memory_read(&fixture.machine.memory, 4 * 8, vector, sizeof(vector)));
	assert_int_equal(vector[1], 0xf000);
	assert_int_not_equal(vector[0], FIRMWARE_IRET & 0xffff);
	assert_int_equal(take(), 8); /* OUT goes high as the counter's mode is set */
	out8(0x20, 0x20);
	for (unsigned i = 0; i < 1000; i++) {
		fixture_advance(MACHINE_HZ / 1000);
		if (pending()) {
			assert_int_equal(take(), 8);
			out8(0x20, 0x20);
			ticks++;
		}
	}
	assert_int_equal(ticks, 18);
}

/* A level-triggered pin follows the port's bit 0, whatever the width of the access's neighbour. */
static void lines_reach_the_ioapic(void **state)
{
	mmio_out(LAPIC(0xf0), 0x1ff);
	ioapic_program(15, 0x8000 | 0x78);
	assert_int_equal(take(), -1);
	port_out(LINES + 15, 1, 1);
	assert_int_equal(take(), 0x78);
	mmio_out(LAPIC(0xb0), 0); /* still high: comes again */
	assert_int_equal(take(), 0x78);
	port_out(LINES + 15, 1, 0);
	mmio_out(LAPIC(0xb0), 0);
	assert_int_equal(take(), -1);
	ioapic_program(23, 0x79);
	port_out(LINES + 23, 1, 1);
	assert_int_equal(take(), 0x79);
	assert_int_equal(port_in(LINES + 15, 1), 0xff);
}

static void memory_is_kept(void **state)
{
	mmio_out(MEMORY, 0x12345678);
	machine_mmio_write(&fixture.machine, MEMORY + 0xfff8, 8, UINT64_C(0x1122334455667788));
	assert_int_equal(mmio_in(MEMORY), 0x12345678);
	assert_int_equal(machine_mmio_read(&fixture.machine, MEMORY + 1, 1), 0x56);
	assert_int_equal(machine_mmio_read(&fixture.machine, MEMORY + 0xfff8, 8),
			 UINT64_C(0x1122334455667788));
	/* The last bytes lie outside. */
	assert_int_equal(mmio_in(MEMORY + 0xfffe), 0xffff1122);
}

#define WITH_DEVICE(f) cmocka_unit_test_setup_teardown(f, setup_device, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(absent),
		DEVICE_TEST(bios_timer_ticks),
		WITH_DEVICE(scratch_keeps_any_width),
		WITH_DEVICE(lines_reach_the_ioapic),
		WITH_DEVICE(memory_is_kept),
	};
	return cmocka_run_group_tests_name("test_device", tests, NULL, NULL);
}
