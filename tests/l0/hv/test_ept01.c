/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L1's memory: the ranges, and EPT01 made from them, judged by a page walk of the test's own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "l0/hv/ept01.h"
#include "tests/l0/hv/fake_hv.h"

#define LARGE (VMX_FEATURE_BIT(VMX_FEATURE_EPT_2M) | VMX_FEATURE_BIT(VMX_FEATURE_EPT_1G))
#define MAXPHYADDR 40

struct walk {
	uint64_t entry, hpa, size;
};

/* False: not present. */
static bool walk(uint64_t eptp, uint64_t gpa, struct walk *out)
{
	uint64_t table = eptp & EPT_ADDRESS;

	for (int level = 3; level >= 0; level--) {
		uint64_t size = UINT64_C(1) << (12 + 9 * level);
		uint64_t entry = ((uint64_t *)memory_pointer(table))[gpa >> (12 + 9 * level) & 511];

		if (!(entry & EPT_RWX))
			return false;
		if (level == 0 || entry & EPT_PS) {
			*out = (struct walk){
			    entry, (entry & EPT_ADDRESS & ~(size - 1)) | (gpa & (size - 1)), size};
			return true;
		}
		table = entry & EPT_ADDRESS;
	}
	return false;
}

static uint64_t start(vmx_features features, bool offset)
{
	fake_start(features);
	range_build(MAXPHYADDR, offset);
	return ept01_create();
}

static void every_page_is_mapped_but_ours(void **state)
{
	uint64_t eptp = start(LARGE, false);

	for (uint64_t gpa = 0; gpa < FAKE_RAM; gpa += PAGE_SIZE) {
		bool ours = gpa >= memory_map.region.base && gpa < memory_map.region.end;
		struct walk w;

		assert_int_equal(walk(eptp, gpa, &w), !ours);
		if (!ours)
			assert_int_equal(w.hpa, gpa);
	}
}

static void pages_are_as_large_as_offered(void **state)
{
	struct walk w;

	assert_true(walk(start(LARGE, false), 0x800000, &w));
	assert_int_equal(w.size, 0x200000);
	assert_true(walk(start(0, false), 0x800000, &w));
	assert_int_equal(w.size, 0x1000);
}

static void ram_is_cached_and_devices_are_not(void **state)
{
	uint64_t eptp = start(LARGE, false);
	struct walk w;

	assert_true(walk(eptp, 0x1000, &w));
	assert_int_equal(w.entry & EPT_MT, EPT_MT_WB);
	assert_true(walk(eptp, 0xb8000, &w));
	assert_int_equal(w.entry & EPT_MT, EPT_MT_UC);
	assert_false(walk(eptp, 0xfee00000, &w));
	assert_true(ept01_fill((struct l1_gpa){0xfee00020}));
	assert_true(walk(eptp, 0xfee00000, &w));
	assert_int_equal(w.hpa, 0xfee00000);
	assert_int_equal(w.entry & EPT_MT, EPT_MT_UC);
}

static void ours_and_beyond_are_refused(void **state)
{
	struct l1_gpa region = {0x3c00000}, beyond = {UINT64_C(1) << MAXPHYADDR},
		      last = {0x3dfffff};

	start(LARGE, false);
	assert_null(range_find(region));
	assert_null(range_find(last));
	assert_null(range_find(beyond));
	assert_false(ept01_fill(region));
	assert_false(ept01_fill(beyond));
	assert_false(ept01_protect(region, EPT_R));
}

static void translations_never_reach_our_region(void **state)
{
	for (unsigned offset = 0; offset < 2; offset++) {
		start(LARGE, offset);
		for (uint64_t at = 0; at < FAKE_RAM; at += PAGE_SIZE) {
			const struct range *range;
			struct hpa hpa;
			uint64_t size;

			if (!ept01_translate((struct l1_gpa){at}, &hpa, &size, &range))
				continue;
			hpa.value &= ~(size - 1);
			assert_true(hpa.value + size <= memory_map.region.base ||
				    hpa.value >= memory_map.region.end);
		}
	}
}

static void offset_carries_the_contents_along(void **state)
{
	struct walk w;
	uint64_t eptp;
	unsigned moved = 0;

	fake_start(LARGE);
	for (uint64_t at = 0x200000; at < memory_map.region.base; at += PAGE_SIZE)
		*(uint64_t *)memory_pointer(at) = at;
	range_build(MAXPHYADDR, true);
	eptp = ept01_create();
	for (uint64_t gpa = 0x200000; gpa < memory_map.region.base; gpa += PAGE_SIZE) {
		assert_true(walk(eptp, gpa, &w));
		moved += w.hpa != gpa;
		assert_int_equal(*(uint64_t *)memory_pointer(w.hpa), gpa);
	}
	assert_true(moved > FAKE_RAM / PAGE_SIZE / 2);
}

static void protect_splits_one_page_out(void **state)
{
	uint64_t eptp = start(LARGE, false);
	struct walk w;

	assert_true(ept01_protect((struct l1_gpa){0x805000}, EPT_R | EPT_X));
	for (uint64_t gpa = 0x800000; gpa < 0xa00000; gpa += PAGE_SIZE) {
		assert_true(walk(eptp, gpa, &w));
		assert_int_equal(w.hpa, gpa);
		assert_int_equal(w.entry & EPT_RWX, gpa == 0x805000 ? EPT_R | EPT_X : EPT_RWX);
		assert_int_equal(w.entry & EPT_MT, EPT_MT_WB);
	}
}

static void hidden_regions_are_no_addresses(void **state)
{
	struct walk w;
	uint64_t eptp;

	fake_start(LARGE);
	range_build(MAXPHYADDR, false);
	range_hide(0x805000, 0x400000);
	eptp = ept01_create();
	for (uint64_t gpa = 0x800000; gpa < 0xd00000; gpa += PAGE_SIZE) {
		bool hidden = gpa >= 0x805000 && gpa < 0xc05000;

		assert_int_equal(walk(eptp, gpa, &w), !hidden);
		assert_int_equal(!range_find((struct l1_gpa){gpa}), hidden);
	}
}

/* What is hidden may lie across ranges, at their edges, and where there are none. */
static void hiding_crosses_ranges(void **state)
{
	fake_start(LARGE);
	range_build(MAXPHYADDR, false);
	range_hide(0x9f000, 0x62000); /* conventional memory's end to 1 MiB + 4 KiB */
	assert_non_null(range_find((struct l1_gpa){0x9efff}));
	assert_null(range_find((struct l1_gpa){0x9f000}));
	assert_null(range_find((struct l1_gpa){0xb8000}));
	assert_null(range_find((struct l1_gpa){0x100fff}));
	assert_non_null(range_find((struct l1_gpa){0x101000}));
	range_hide(memory_map.region.base, memory_map.region.end - memory_map.region.base);
	assert_null(range_find((struct l1_gpa){memory_map.region.base}));
	assert_non_null(range_find((struct l1_gpa){memory_map.region.base - 1}));
	assert_non_null(range_find((struct l1_gpa){memory_map.region.end}));
}

static void read_only_pages_of_ours_are_just_that(void **state)
{
	uint64_t page = 0x3c10000, eptp;
	struct walk w;

	fake_start(LARGE);
	range_build(MAXPHYADDR, false);
	range_add_read_only(page, PAGE_SIZE);
	eptp = ept01_create();
	assert_true(walk(eptp, page, &w));
	assert_int_equal(w.entry & EPT_RWX, EPT_R);
	assert_int_equal(w.hpa, page);
	assert_false(walk(eptp, page - PAGE_SIZE, &w));
	assert_false(walk(eptp, page + PAGE_SIZE, &w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_page_is_mapped_but_ours),
		cmocka_unit_test(pages_are_as_large_as_offered),
		cmocka_unit_test(ram_is_cached_and_devices_are_not),
		cmocka_unit_test(ours_and_beyond_are_refused),
		cmocka_unit_test(translations_never_reach_our_region),
		cmocka_unit_test(offset_carries_the_contents_along),
		cmocka_unit_test(protect_splits_one_page_out),
		cmocka_unit_test(hidden_regions_are_no_addresses),
		cmocka_unit_test(hiding_crosses_ranges),
		cmocka_unit_test(read_only_pages_of_ours_are_just_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
