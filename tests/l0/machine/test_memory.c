/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RAM, its split around the PCI hole, and port/MMIO dispatch.
 */
#include "tests/l0/machine/fixture.h"

#define GIB (UINT64_C(1) << 30)

static void sizes(void **state)
{
	static const struct {
		uint64_t size;
		bool ok;
		uint64_t low, high;
	} rows[] = {
		{ 0, false, 0, 0 },
		{ 4095, false, 0, 0 },
		{ 4096, true, 4096, 0 },
		{ 3 * GIB, true, 3 * GIB, 0 },
		{ 5 * GIB, true, 3 * GIB, 2 * GIB },
		{ MEMORY_MAX, true, 3 * GIB, MEMORY_MAX - 3 * GIB },
		{ MEMORY_MAX + 4096, false, 0, 0 },
	};
	struct memory memory;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(memory_init(&memory, rows[i].size), rows[i].ok);
		assert_int_equal(memory.low_size, rows[i].low);
		assert_int_equal(memory.high_size, rows[i].high);
		memory_free(&memory);
	}
}

static void bounds(void **state)
{
	static const struct {
		uint64_t at;
		size_t length;
		bool ok;
	} rows[] = {
		{ 0, 1, true },
		{ 3 * GIB - 1, 1, true },
		{ 3 * GIB - 1, 2, false },
		{ 3 * GIB, 1, false },
		{ 4 * GIB - 1, 2, false },
		{ 4 * GIB, 4096, true },
		{ 4 * GIB + 4095, 2, false },
		{ 4 * GIB + 4096, 1, false },
		{ UINT64_MAX, 1, false },
		{ UINT64_MAX, 0, true },
		{ 0, SIZE_MAX, false },
	};
	struct memory memory;
	static uint8_t data[4096];

	assert_true(memory_init(&memory, 3 * GIB + 4096));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(memory_read(&memory, rows[i].at, data, rows[i].length),
				 rows[i].ok);
		if (rows[i].ok)
			assert_true(memory_write(&memory, rows[i].at, data, rows[i].length));
	}
	assert_null(memory_at(&memory, 3 * GIB));
	assert_non_null(memory_at(&memory, 4 * GIB + 4095));
	assert_null(memory_at(&memory, 4 * GIB + 4096));
	assert_true(memory_write(&memory, 4 * GIB, "x", 1));
	assert_int_equal(*memory_at(&memory, 4 * GIB), 'x');
	assert_int_equal(*memory_at(&memory, 0), 0);
	memory_free(&memory);
}

static uint64_t log_value;
static unsigned log_count;

static uint64_t byte_read(void *opaque, uint64_t offset, unsigned size)
{
	assert_int_equal(size, 1);
	return 0xa0 + offset;
}

static void byte_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	assert_int_equal(size, 1);
	log_value |= value << 8 * offset;
	log_count++;
}

/* Accesses that are wider than a device, leave it, or hit nothing. */
static void dispatch(void **state)
{
	static struct region region = { .base = 0x5000, .length = 3, .max_size = 1,
					.read = byte_read, .write = byte_write };

	machine_add_ports(&fixture.machine, &region);
	assert_int_equal(machine_port_read(&fixture.machine, 0x5000, 2), 0xa1a0);
	assert_int_equal(machine_port_read(&fixture.machine, 0x5001, 4), 0xffffa2a1);
	assert_int_equal(machine_port_read(&fixture.machine, 0x5003, 4), 0xffffffff);
	assert_int_equal(machine_port_read(&fixture.machine, 0x5003, 1), 0xff);
	log_value = log_count = 0;
	machine_port_write(&fixture.machine, 0x5000, 4, 0x44332211);
	assert_int_equal(log_value, 0x332211);
	assert_int_equal(log_count, 3);
	assert_true(machine_mmio_read(&fixture.machine, 0xd0000000, 8) == UINT64_MAX);
	assert_int_equal(machine_mmio_read(&fixture.machine, 0xd0000000, 2), 0xffff);
}

static void first_stop_wins(void **state)
{
	unsigned pokes = fixture.pokes;

	machine_port_write(&fixture.machine, 0xf4, 4, 0x12345678);
	assert_int_equal(fixture.machine.stop, STOP_EXIT_PORT);
	assert_int_equal(fixture.machine.stop_value, 0x12345678);
	assert_true(fixture.pokes > pokes);
	machine_stop(&fixture.machine, STOP_RESET, 1);
	assert_int_equal(fixture.machine.stop, STOP_EXIT_PORT);
	assert_int_equal(fixture.machine.stop_value, 0x12345678);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(bounds),
		DEVICE_TEST(dispatch),
		DEVICE_TEST(first_stop_wins),
	};
	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
