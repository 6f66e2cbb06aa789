/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fw_cfg as a guest reads it: selector, then bytes.
 */
#include <string.h>

#include "l0/machine/devices/platform.h"
#include "tests/l0/machine/fixture.h"

#define FILES 0x19

static void item_select(uint16_t item)
{
	machine_port_write(&fixture.machine, 0x510, 2, item);
}

static uint64_t number(unsigned bytes, bool big)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++) {
		uint64_t byte = in8(0x511);

		value = big ? value << 8 | byte : value | byte << 8 * i;
	}
	return value;
}

static uint64_t item_number(uint16_t item, unsigned bytes)
{
	item_select(item);
	return number(bytes, false);
}

static void identity(void **state)
{
	item_select(0);
	for (const char *p = "QEMU"; *p; p++)
		assert_int_equal(in8(0x511), *p);
	assert_int_equal(in8(0x511), 0); /* beyond the end */
	assert_int_equal(item_number(1, 4), 1);
}

static void numbers(void **state)
{
	assert_int_equal(item_number(3, 8), UINT64_C(64) << 20);
	assert_int_equal(item_number(5, 2), 1);
	assert_int_equal(item_number(0xf, 2), 1);
	/* Selecting it again begins at its start. */
	item_select(5);
	assert_int_equal(in8(0x511), 1);
	assert_int_equal(item_number(5, 2), 1);
}

static void absent_items(void **state)
{
	assert_int_equal(item_number(0x11, 8), 0);
	assert_int_equal(item_number(0x8000, 4), 0);
	assert_int_equal(item_number(0xffff, 4), 0);
}

/* Bytes, and reads of the selector, change nothing. */
static void selector_is_a_word(void **state)
{
	item_select(5);
	out8(0x510, 3);
	out8(0x511, 3);
	assert_int_equal(machine_port_read(&fixture.machine, 0x510, 2), 0xffff);
	assert_int_equal(number(2, false), 1);
}

static int setup_high(void **state)
{
	return fixture_setup_size(UINT64_C(5) << 30);
}

static void memory_above_the_hole_counts(void **state)
{
	assert_int_equal(item_number(3, 8), UINT64_C(5) << 30);
}

/* The directory names the memory map, and the file is the map. */
static void memory_map_file(void **state)
{
	struct e820_entry map[E820_MAX], entry;
	unsigned entries = firmware_memory_map(&fixture.machine, map);
	char name[57] = "";

	item_select(FILES);
	assert_int_equal(number(4, true), 1);
	assert_int_equal(number(4, true), entries * sizeof(entry));
	uint16_t item = number(2, true);
	assert_int_equal(number(2, true), 0);
	for (unsigned i = 0; i < 56; i++)
		name[i] = in8(0x511);
	assert_string_equal(name, "etc/e820");
	item_select(item);
	for (unsigned i = 0; i < entries; i++) {
		for (unsigned k = 0; k < sizeof(entry); k++)
			((uint8_t *)&entry)[k] = in8(0x511);
		assert_memory_equal(&entry, &map[i], sizeof(entry));
	}
	assert_int_equal(in8(0x511), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(identity),
		DEVICE_TEST(numbers),
		DEVICE_TEST(absent_items),
		DEVICE_TEST(selector_is_a_word),
		DEVICE_TEST(memory_map_file),
		cmocka_unit_test_setup_teardown(memory_above_the_hole_counts, setup_high,
						fixture_teardown),
	};
	return cmocka_run_group_tests_name("fw_cfg", tests, NULL, NULL);
}
