/* SPDX-License-Identifier: BSD-2-Clause
 *
 * BNDLDX and BNDSTX: how the address of a pointer becomes that of its bounds, and each fault on the
 * way. SDM 1 "Loading and Storing Bounds in Memory".
 */
#include "tests/l0/machine/interp/bounds.h"

/* RAX: address of the pointer; RCX: its value. */
static struct fixture *tables_new(enum fixture_mode mode)
{
	struct fixture *f = mpx_new(mode);

	f->cpu.gpr[REG_RAX] = POINTER;
	f->cpu.gpr[REG_RCX] = 0x4321;
	if (mode == LONG64)
		poke(f, ENTRY, TABLE | 7, 8); /* bits 2:1 mean nothing */
	else
		poke(f, ENTRY_32, TABLE | 3, 4);
	return f;
}

static void test_tables_64(void **state)
{
	struct fixture *f = tables_new(LONG64);

	set(f, 1, 0x1000, 0x2000);
	poke(f, BOUNDS + 24, MARK, 8);
	assert_int_equal(execute(f, CODE_15(BNDSTX "\x0c\x08")), NO_FAULT);
	assert_int_equal(peek(f, BOUNDS, 8), 0x1000);
	assert_int_equal(peek(f, BOUNDS + 8, 8), 0x2000);
	assert_int_equal(peek(f, BOUNDS + 16, 8), 0x4321);
	assert_int_equal(peek(f, BOUNDS + 24, 8), MARK);
	/* the scale does not count, nor do bits 2:0 of the address */
	f->cpu.gpr[REG_RAX] += 7;
	assert_int_equal(execute(f, CODE_15(BNDLDX "\x14\x88")), NO_FAULT);
	assert_bound(f, 2, 0x1000, 0x2000);
	/* the displacement does */
	f->cpu.gpr[REG_RAX] = POINTER - 8;
	assert_int_equal(execute(f, CODE_15(BNDLDX "\x5c\x08\x08")), NO_FAULT);
	assert_bound(f, 3, 0x1000, 0x2000);
	/* bits 63:48 mean nothing */
	f->cpu.gpr[REG_RAX] = POINTER | UINT64_C(0xabcd) << 48;
	set(f, 3, 0, 0);
	assert_int_equal(execute(f, CODE_15(BNDLDX "\x1c\x08")), NO_FAULT);
	assert_bound(f, 3, 0x1000, 0x2000);
	/* another pointer: bounds that allow everything */
	f->cpu.gpr[REG_RCX]++;
	assert_int_equal(execute(f, CODE_15(BNDLDX "\x14\x08")), NO_FAULT);
	assert_bound(f, 2, 0, 0);
	assert_int_equal(f->cpu.mpx.status, MARK);
	fixture_free(f);
}

/* FS and GS count in the address of the pointer only; the others not at all. */
static void test_tables_segments(void **state)
{
	struct fixture *f = tables_new(LONG64);

	f->cpu.seg[SEG_FS].base = POINTER - 0x40;
	f->cpu.seg[SEG_ES].base = f->cpu.seg[SEG_DS].base = 0x1000;
	f->cpu.gpr[REG_RAX] = 0x40;
	set(f, 0, 5, 6);
	assert_int_equal(execute(f, CODE_15("\x64" BNDSTX "\x04\x08")), NO_FAULT);
	assert_int_equal(peek(f, BOUNDS, 8), 5);
	f->cpu.gpr[REG_RAX] = POINTER;
	assert_int_equal(execute(f, CODE_15("\x26" BNDLDX "\x0c\x08")), NO_FAULT);
	assert_bound(f, 1, 5, 6);
	/* without a base the address is 0, whatever the displacement */
	poke(f, DIRECTORY, (TABLE + 0x1000) | 1, 8);
	assert_int_equal(execute(f, CODE_15(BNDSTX "\x04\x0d\x58\x34\x12\x00")), NO_FAULT);
	assert_int_equal(peek(f, TABLE + 0x1000, 8), 5);
	assert_int_equal(peek(f, TABLE + 0x1010, 8), 0x4321);
	/* without an index the value is 0 */
	assert_int_equal(execute(f, CODE_15(BNDSTX "\x00")), NO_FAULT);
	assert_int_equal(peek(f, BOUNDS + 16, 8), 0);
	fixture_free(f);
}

static void test_tables_32(void **state)
{
	struct fixture *f = tables_new(PROTECTED);

	set(f, 1, HIGH | 0x1000, HIGH | 0x2000);
	f->cpu.gpr[REG_RCX] |= HIGH;
	poke(f, BOUNDS_32 + 12, MARK, 4);
	assert_int_equal(execute(f, CODE_15(BNDSTX "\x0c\x08")), NO_FAULT);
	assert_int_equal(peek(f, BOUNDS_32, 8), UINT64_C(0x0000200000001000));
	assert_int_equal(peek(f, BOUNDS_32 + 8, 8), 0x4321 | (uint64_t)MARK << 32);
	assert_int_equal(execute(f, CODE_15(BNDLDX "\x14\x08")), NO_FAULT);
	assert_bound(f, 2, 0x1000, 0x2000);
	f->cpu.gpr[REG_RCX] = 1;
	assert_int_equal(execute(f, CODE_15(BNDLDX "\x14\x08")), NO_FAULT);
	assert_bound(f, 2, 0, 0);
	fixture_free(f);

	/* The directory is linear, the table's address an offset in DS. */
	f = tables_new(PROTECTED);
	f->cpu.seg[SEG_DS].base = 0x10000;
	f->cpu.gpr[REG_RAX] = POINTER - 0x10000;
	set(f, 0, 8, 9);
	assert_int_equal(execute(f, CODE_15(BNDSTX "\x04\x08")), NO_FAULT);
	assert_int_equal(peek(f, BOUNDS_32 + 0x10000, 8), UINT64_C(0x900000008));
	fixture_free(f);
}

static void test_tables_faults(void **state)
{
	struct fixture *f = tables_new(LONG64);
	uint64_t bound[3] = {1, 2};

	poke(f, ENTRY, TABLE | 6, 8);
	set(f, 0, bound[0], bound[1]);
	assert_int_equal(execute(f, CODE_15(BNDLDX "\x04\x08")), VECTOR_BR);
	assert_int_equal(f->cpu.mpx.status, ENTRY | BNDSTATUS_INVALID_ENTRY);
	assert_false(f->cpu.event.has_error);
	f->cpu.mpx.status = 0;
	assert_int_equal(execute(f, CODE_15(BNDSTX "\x04\x08")), VECTOR_BR);
	assert_int_equal(f->cpu.mpx.status, ENTRY | BNDSTATUS_INVALID_ENTRY);
	/* a table that is not mapped, or has no address */
	poke(f, ENTRY, UNMAPPED | 1, 8);
	assert_int_equal(execute(f, CODE_15(BNDSTX "\x04\x08")), VECTOR_PF);
	poke(f, ENTRY, UINT64_C(0x800000000000) | 1, 8);
	assert_outcome(f, execute(f, CODE_15(BNDSTX "\x04\x08")), VECTOR_GP, 0);
	assert_outcome(f, execute(f, CODE_15(BNDLDX "\x04\x08")), VECTOR_GP, 0);
	/* nor the directory */
	f->cpu.msrs.bndcfgs = UNMAPPED | ON;
	assert_int_equal(execute(f, CODE_15(BNDLDX "\x04\x08")), VECTOR_PF);
	assert_int_equal(f->cpu.event.cr2, UNMAPPED + 8);
	f->cpu.msrs.bndcfgs = UINT64_C(0x7ffffffff000) | ON;
	f->cpu.gpr[REG_RAX] = UINT64_C(0x200) << 20;
	assert_outcome(f, execute(f, CODE_15(BNDLDX "\x04\x08")), VECTOR_GP, 0);
	assert_bound(f, 0, 1, 2);
	fixture_free(f);
}

/* Nothing is stored if any of it faults; DS has to be there and long enough. */
static void test_tables_faults_32(void **state)
{
	struct fixture *f = tables_new(PROTECTED);

	f->cpu.seg[SEG_DS].limit = BOUNDS_32 + 10;
	assert_outcome(f, execute(f, CODE_15(BNDSTX "\x04\x08")), VECTOR_GP, 0);
	assert_int_equal(peek(f, BOUNDS_32, 8), 0);
	assert_outcome(f, execute(f, CODE_15(BNDLDX "\x04\x08")), VECTOR_GP, 0);
	f->cpu.seg[SEG_DS].limit++;
	set(f, 0, 1, 2);
	assert_int_equal(execute(f, CODE_15(BNDSTX "\x04\x08")), NO_FAULT);
	f->cpu.seg[SEG_DS].ar = AR_UNUSABLE;
	assert_outcome(f, execute(f, CODE_15(BNDLDX "\x04\x08")), VECTOR_GP, 0);
	/* the other segments play no part, limits and all */
	f->cpu.seg[SEG_DS].ar = 0xc093;
	f->cpu.seg[SEG_ES].limit = 0;
	f->cpu.seg[SEG_ES].ar = AR_UNUSABLE;
	assert_int_equal(execute(f, CODE_15("\x26" BNDLDX "\x04\x08")), NO_FAULT);
	poke(f, ENTRY_32, TABLE | 2, 4);
	assert_int_equal(execute(f, CODE_15(BNDLDX "\x04\x08")), VECTOR_BR);
	assert_int_equal(f->cpu.mpx.status, ENTRY_32 | BNDSTATUS_INVALID_ENTRY);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_64),
		cmocka_unit_test(test_tables_segments),
		cmocka_unit_test(test_tables_32),
		cmocka_unit_test(test_tables_faults),
		cmocka_unit_test(test_tables_faults_32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
