/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The memory map: tidying what loaders say, and finding places.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "l0/hv/multiboot.h"
#include "tests/l0/hv/fake_hv.h"

#define RAM MULTIBOOT_MEMORY_RAM
#define RESERVED MULTIBOOT_MEMORY_RESERVED

static void set_map(const struct memory_area *areas, unsigned count)
{
	memory_map = (struct memory_map){.map_count = count};
	for (unsigned i = 0; i < count; i++)
		memory_map.map[i] = areas[i];
}

static void expect_area(unsigned i, uint64_t base, uint64_t end, uint32_t type)
{
	assert_true(i < memory_map.map_count);
	assert_int_equal(memory_map.map[i].base, base);
	assert_int_equal(memory_map.map[i].end, end);
	assert_int_equal(memory_map.map[i].type, type);
}

static void tidy_sorts_and_reserved_wins(void **state)
{
	static const struct memory_area areas[] = {
		{0x100000, 0x800000, RAM}, {0, 0x9fc00, RAM}, {0x7ff800, 0x900000, RESERVED}};

	set_map(areas, 3);
	memory_map_tidy();
	assert_int_equal(memory_map.map_count, 3);
	expect_area(0, 0, 0x9f000, RAM);
	expect_area(1, 0x100000, 0x7ff000, RAM);
	expect_area(2, 0x7ff800, 0x900000, RESERVED);
}

static void tidy_drops_what_is_covered(void **state)
{
	static const struct memory_area areas[] = {{0, 0x10000, RESERVED}, {0x1000, 0x2000, RAM}};

	set_map(areas, 2);
	memory_map_tidy();
	assert_int_equal(memory_map.map_count, 1);
	expect_area(0, 0, 0x10000, RESERVED);
}

static void type_at_says_where_it_ends(void **state)
{
	uint64_t end;

	fake_start(0);
	assert_int_equal(memory_type_at(0x1000, &end), RAM);
	assert_int_equal(end, 0xa0000);
	assert_int_equal(memory_type_at(0xa0000, &end), 0);
	assert_int_equal(end, 0xf0000);
	assert_int_equal(memory_type_at(FAKE_RAM, &end), 0);
	assert_int_equal(end, UINT64_MAX);
}

static void find_high_goes_below_what_is_used(void **state)
{
	fake_start(0);
	/* 0x3e00000..RAM end is free above our region. */
	assert_int_equal(memory_find_high(0x200000, 0x200000, 0x100000, UINT64_MAX), 0x3e00000);
	assert_int_equal(memory_find_high(0x300000, 0x1000, 0x100000, UINT64_MAX), 0x3900000);
	memory_use(0x3800000, 0x1000);
	assert_int_equal(memory_find_high(0x400000, 0x200000, 0x100000, UINT64_MAX), 0x3400000);
	assert_int_equal(memory_find_high(FAKE_RAM, 0x1000, 0, UINT64_MAX), 0);
	assert_int_equal(memory_find_high(0x1000, 0x1000, 0x200000, 0x200800), 0);
}

static void find_low_goes_above_what_is_used(void **state)
{
	fake_start(0);
	memory_use(0x8000, 0x1001);
	assert_int_equal(memory_find_low(0x1000, 0x1000, 0x8000, 0xa0000), 0xa000);
	assert_int_equal(memory_find_low(0x97000, 0x1000, 0x8000, 0xa0000), 0);
	assert_int_equal(memory_find_low(0x97000, 0x1000, 0x8000, UINT64_MAX), 0x100000);
}

static void use_many(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		memory_use(i, 1);
}

static void used_areas_are_bounded(void **state)
{
	fake_start(0); /* uses one */
	assert_false(FAKE_REFUSES(use_many(MEMORY_USED_MAX - 1)));
	assert_true(FAKE_REFUSES(use_many(1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tidy_sorts_and_reserved_wins),
		cmocka_unit_test(tidy_drops_what_is_covered),
		cmocka_unit_test(type_at_says_where_it_ends),
		cmocka_unit_test(find_high_goes_below_what_is_used),
		cmocka_unit_test(find_low_goes_above_what_is_used),
		cmocka_unit_test(used_areas_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
