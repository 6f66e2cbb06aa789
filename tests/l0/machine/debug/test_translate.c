/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The onlooker's page walks: every form of paging, large pages, EPT under them, and that a look
 * leaves no accessed flag behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/debug/context.h"
#include "l0/machine/machine.h"

#define RAM (UINT64_C(8) << 20)
#define TABLE(n) (UINT64_C(0x10000) + PAGE_SIZE * (n))

static struct memory memory;
static struct context context;

static int setup(void **state)
{
	memset(&context, 0, sizeof(context));
	return memory_init(&memory, RAM) ? 0 : -1;
}

static int teardown(void **state)
{
	memory_free(&memory);
	return 0;
}

static void put64(uint64_t at, uint64_t value)
{
	assert_true(memory_write(&memory, at, &value, 8));
}

static void put32(uint64_t at, uint32_t value)
{
	assert_true(memory_write(&memory, at, &value, 4));
}

static void maps(uint64_t linear, uint64_t expected)
{
	uint64_t hpa = 0;

	assert_true(context_translate(&context, &memory, linear, &hpa));
	assert_int_equal(hpa, expected);
}

static void does_not_map(uint64_t linear)
{
	uint64_t hpa;

	assert_false(context_translate(&context, &memory, linear, &hpa));
}

static void unpaged(void **state)
{
	maps(0x1234, 0x1234);
	maps(UINT64_C(0x100001234), 0x1234); /* 32 bits */
	does_not_map(RAM);
}

/* 4-level tables for 0x8040201000 + n: one 4 KiB page, beside it 2 MiB and 1 GiB ones. */
static void make_long(void)
{
	context.cr0 = CR0_PG | CR0_PE;
	context.cr4 = CR4_PAE;
	context.efer = EFER_LMA | EFER_LME;
	context.cr3 = TABLE(0);
	put64(TABLE(0) + 8, TABLE(1) | PTE_P);
	put64(TABLE(1) + 8, TABLE(2) | PTE_P);
	put64(TABLE(1) + 16, PTE_PS | PTE_P);
	put64(TABLE(2) + 8, TABLE(3) | PTE_P);
	put64(TABLE(2) + 16, 0x400000 | PTE_PS | PTE_P | PTE_NX);
	put64(TABLE(3) + 8, 0x5000 | PTE_P);
}

static void four_levels(void **state)
{
	uint64_t entry;

	make_long();
	maps(UINT64_C(0x8040201234), 0x5234);
	maps(UINT64_C(0x8040412345), 0x412345);
	maps(UINT64_C(0x8080123456), 0x123456);
	does_not_map(UINT64_C(0x8040202000));
	does_not_map(0x201234);
	assert_true(memory_read(&memory, TABLE(3) + 8, &entry, 8));
	assert_int_equal(entry, 0x5000 | PTE_P);
}

static void five_levels(void **state)
{
	make_long();
	context.cr4 |= CR4_LA57;
	context.cr3 = TABLE(4);
	put64(TABLE(4) + 8 * 3, TABLE(0) | PTE_P);
	maps(UINT64_C(0x3008040201234), 0x5234);
	does_not_map(UINT64_C(0x8040201234));
}

static void pae(void **state)
{
	make_long();
	context.efer = 0;
	context.pdpte[1] = TABLE(2) | PTE_P;
	maps(0x40201234, 0x5234);
	maps(0x40412345, 0x412345);
	does_not_map(0x201234);
}

static void two_levels(void **state)
{
	context.cr0 = CR0_PG | CR0_PE;
	context.cr3 = TABLE(0);
	put32(TABLE(0) + 4, (uint32_t)TABLE(1) | PTE_P);
	put32(TABLE(0) + 8, 0x400000 | PTE_PS | PTE_P);
	put32(TABLE(1) + 4 * 5, 0x6000 | PTE_P);
	maps(0x405678, 0x6678);
	does_not_map(0x406000);
	context.cr4 = CR4_PSE;
	maps(0x812345, 0x412345);
}

/* The tables are at guest-physical addresses, too: all of it 2 MiB higher than it seems. */
static void over_ept(void **state)
{
	make_long();
	context.eptp = TABLE(8) | EPTP_WALK_4;
	put64(TABLE(8), TABLE(9) | EPT_RWX);
	put64(TABLE(9), TABLE(10) | EPT_RWX);
	put64(TABLE(10), 0x200000 | EPT_PS | EPT_X);
	does_not_map(UINT64_C(0x8040201234));
	for (unsigned i = 0; i < 4; i++) {
		uint8_t page[PAGE_SIZE];

		assert_true(memory_read(&memory, TABLE(i), page, sizeof(page)));
		assert_true(memory_write(&memory, 0x200000 + TABLE(i), page, sizeof(page)));
	}
	maps(UINT64_C(0x8040201234), 0x205234);
	does_not_map(UINT64_C(0x8040412345)); /* EPT has no such page */
}

static void reads_up_to_a_hole(void **state)
{
	uint8_t bytes[64];

	make_long();
	put64(0x5ff8, UINT64_C(0x0807060504030201));
	assert_int_equal(context_read(&context, &memory, UINT64_C(0x8040201ffc), bytes, 64), 4);
	assert_memory_equal(bytes, "\5\6\7\10", 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unpaged),	   TEST(four_levels), TEST(five_levels), TEST(pae),
		TEST(two_levels), TEST(over_ept),    TEST(reads_up_to_a_hole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
