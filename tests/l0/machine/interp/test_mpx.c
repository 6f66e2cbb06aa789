/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The instructions of MPX: what each computes and refuses in every mode, and the ways to have them
 * off. SDM 2, their pages; SDM 1 "Intel MPX and Operating Modes".
 */
#include "tests/l0/machine/interp/bounds.h"

/* ---- checks ---- */

struct check_row {
	enum fixture_mode mode;
	char code[16];
	uint64_t rax, lower, upper;
	unsigned vector;
};

static const struct check_row check_rows[] = {
	{LONG64, BNDCL "\xc0", 0x1000, 0x1000, 0, NO_FAULT},
	{LONG64, BNDCL "\xc0", 0xfff, 0x1000, 0, BR},
	{LONG64, BNDCL "\xc0", 0xfff | HIGH, 0x1000, 0, NO_FAULT},
	{LONG64, BNDCL "\x40\x04", 0xffc, 0x1000, 0, NO_FAULT},
	{LONG64, BNDCL "\x40\x04", 0xffb, 0x1000, 0, BR},
	{LONG64, "\x67" BNDCL "\x40\x04", HIGH - 4, 0x1000, 0, NO_FAULT}, /* 64-bit addresses */
	{LONG64, BNDCL "\x04\x00", 0x7ff, 0x1000, 0, BR},
	{LONG64, BNDCL "\x04\x00", 0x800, 0x1000, 0, NO_FAULT},
	{LONG64, BNDCL "\x05\x00\x00\x00\x00", 0, CODE + 8, 0, NO_FAULT}, /* RIP-relative */
	{LONG64, BNDCL "\x05\x00\x00\x00\x00", 0, CODE + 9, 0, BR},
	{LONG64, BNDCU "\xc0", 0x1fff, 0, ~UINT64_C(0x1fff), NO_FAULT},
	{LONG64, BNDCU "\xc0", 0x2000, 0, ~UINT64_C(0x1fff), BR},
	{LONG64, BNDCU "\xc0", UINT64_MAX, 0, 0, NO_FAULT},
	{LONG64, BNDCU "\x00", HIGH, 0, ~UINT64_C(0x1fff), BR},
	{LONG64, BNDCN "\xc0", 0x1fff, 0, 0x1fff, NO_FAULT},
	{LONG64, BNDCN "\xc0", 0x2000, 0, 0x1fff, BR},
	{LONG64, BNDCN "\x40\x01", 0x1fff, 0, 0x1fff, BR},
	{LONG64, BNDCN "\xc0", 1, 0, 0, BR},
	{LONG64, BNDCN "\xc0", 0, 0, 0, NO_FAULT},
	/* 32 bits: of the address, of the bounds */
	{PROTECTED, BNDCL "\xc0", 0x1000 | HIGH, 0x1000, 0, NO_FAULT},
	{PROTECTED, BNDCL "\xc0", 0xfff | HIGH, 0x1000, 0, BR},
	{PROTECTED, BNDCL "\xc0", 0x1000, 0x1000 | HIGH, 0, NO_FAULT},
	{PROTECTED, BNDCL "\x40\x04", 0xfffffffc, 1, 0, BR},
	{PROTECTED, "\x67" BNDCL "\xc0", 0xfff, 0x1000, 0, BR}, /* 67H: register forms ignore it */
	{PROTECTED, BNDCU "\xc0", 0x1fff, 0, 0xffffe000, NO_FAULT},
	{PROTECTED, BNDCU "\xc0", 0x2000, 0, 0xffffe000, BR},
	{PROTECTED, BNDCU "\xc0", 0xffffffff, 0, 0, NO_FAULT},
	{PROTECTED, BNDCN "\xc0", 0x2000, 0, 0x1fff | HIGH, BR},
	{COMPAT, BNDCL "\xc0", 0xfff | HIGH, 0x1000, 0, BR},
	{REAL, BNDCL "\xc0", 0xfff, 0x1000, 0, BR},
	{REAL, "\x67" BNDCL "\x00", 0xfff, 0x1000, 0, BR},
	{REAL, "\x67" BNDCL "\x00", 0x11000, 0x11000, 0, NO_FAULT},
	{VM86, "\x67" BNDCU "\x00", 0x11000, 0, ~0x10fffu, BR},
};

static void test_checks(void **state)
{
	for (size_t i = 0; i < sizeof(check_rows) / sizeof(check_rows[0]); i++) {
		const struct check_row *row = &check_rows[i];
		struct fixture *f = mpx_new(row->mode);

		set(f, 0, row->lower, row->upper);
		f->cpu.gpr[REG_RAX] = row->rax;
		if (execute(f, row->code) != row->vector)
			fail_msg("row %zu", i);
		assert_int_equal(f->cpu.mpx.status,
				 row->vector == BR ? (uint64_t)BNDSTATUS_VIOLATION : MARK);
		assert_bound(f, 0, row->lower, row->upper);
		fixture_free(f);
	}
}

/* ---- making ---- */

struct make_row {
	enum fixture_mode mode;
	char code[16];
	uint64_t rax, rcx, lower, upper;
};

static const struct make_row make_rows[] = {
	{LONG64, BNDMK "\x14\x08", 0x1000, 0xff, 0x1000, ~UINT64_C(0x10ff)},
	{LONG64, BNDMK "\x54\x88\x10", 0x1000, 1, 0x1000, ~UINT64_C(0x1014)},
	{LONG64, BNDMK "\x10", HIGH | 5, 0, HIGH | 5, ~(HIGH | 5)},
	{LONG64, BNDMK "\x14\x0d\x10\x00\x00\x00", 7, 5, 0, ~UINT64_C(0x15)}, /* no base */
	{LONG64, BNDMK "\x50\xff", 0, 0, 0, 0},	/* up to the highest address */
	{LONG64, "\x67" BNDMK "\x10", HIGH | 5, 0, HIGH | 5, ~(HIGH | 5)},
	{LONG64, "\xf3\x48\x0f\x1b\x10", HIGH | 5, 0, HIGH | 5, ~(HIGH | 5)},
	{PROTECTED, BNDMK "\x14\x08", HIGH | 0x1000, 0xff, 0x1000, 0xffffef00},
	{PROTECTED, BNDMK "\x50\x01", 0xffffffff, 0, 0xffffffff, 0xffffffff},
	{COMPAT, BNDMK "\x50\x01", HIGH | 2, 0, 2, 0xfffffffc},
	{REAL, "\x67" BNDMK "\x50\x01", 2, 0, 2, 0xfffffffc},
};

static void test_make(void **state)
{
	for (size_t i = 0; i < sizeof(make_rows) / sizeof(make_rows[0]); i++) {
		const struct make_row *row = &make_rows[i];
		struct fixture *f = mpx_new(row->mode);

		set(f, 2, UINT64_MAX, UINT64_MAX);
		set(f, 1, 1, 2);
		f->cpu.gpr[REG_RAX] = row->rax;
		f->cpu.gpr[REG_RCX] = row->rcx;
		if (execute(f, row->code) != NO_FAULT)
			fail_msg("row %zu", i);
		assert_bound(f, 2, row->lower, row->upper);
		assert_bound(f, 1, 1, 2);
		assert_int_equal(f->cpu.mpx.status, MARK);
		fixture_free(f);
	}
}

/* ---- moving ---- */

static void test_move_64(void **state)
{
	struct fixture *f = mpx_new(LONG64);

	f->cpu.gpr[REG_RAX] = DATA;
	set(f, 1, UINT64_C(0x1111222233334444), UINT64_C(0x5555666677778888));
	assert_int_equal(execute(f, CODE_15(STORE "\x48\x08")), NO_FAULT); /* [rax+8], bnd1 */
	assert_int_equal(peek(f, DATA + 8, 8), UINT64_C(0x1111222233334444));
	assert_int_equal(peek(f, DATA + 16, 8), UINT64_C(0x5555666677778888));
	assert_int_equal(execute(f, CODE_15(LOAD "\x58\x08")), NO_FAULT); /* bnd3, [rax+8] */
	assert_bound(f, 3, UINT64_C(0x1111222233334444), UINT64_C(0x5555666677778888));
	assert_int_equal(execute(f, CODE_15(LOAD "\xc1")), NO_FAULT); /* bnd0, bnd1 */
	assert_bound(f, 0, UINT64_C(0x1111222233334444), UINT64_C(0x5555666677778888));
	set(f, 1, 7, 8);
	assert_int_equal(execute(f, CODE_15(STORE "\xca")), NO_FAULT); /* bnd2, bnd1 */
	assert_bound(f, 2, 7, 8);
	fixture_free(f);
}

static void test_move_32(void **state)
{
	struct fixture *f = mpx_new(PROTECTED);

	f->cpu.gpr[REG_RAX] = DATA;
	poke(f, DATA + 8, UINT64_MAX, 8);
	set(f, 1, HIGH | 3, HIGH | 4);
	assert_int_equal(execute(f, CODE_15(STORE "\x08")), NO_FAULT);
	assert_int_equal(peek(f, DATA, 8), UINT64_C(0x400000003));
	assert_int_equal(peek(f, DATA + 8, 8), UINT64_MAX);
	set(f, 2, UINT64_MAX, UINT64_MAX);
	assert_int_equal(execute(f, CODE_15(LOAD "\x10")), NO_FAULT);
	assert_bound(f, 2, 3, 4);
	assert_int_equal(execute(f, CODE_15(LOAD "\xc1")), NO_FAULT);
	assert_bound(f, 0, 3, 4);
	fixture_free(f);
}

/* A store that faults half-way has stored nothing. */
static void test_move_faults(void **state)
{
	struct fixture *f = mpx_new(LONG64);

	poke(f, PDPT, DIRECTORY_2M | PTE_P | PTE_W | PTE_U, 8);
	poke(f, DIRECTORY_2M, PTE_P | PTE_W | PTE_U | PTE_PS, 8);
	poke(f, MAPPED_END - 8, 0x77, 8);
	f->cpu.gpr[REG_RAX] = MAPPED_END - 8;
	set(f, 1, 1, 2);
	assert_int_equal(execute(f, CODE_15(STORE "\x08")), VECTOR_PF);
	assert_int_equal(f->cpu.event.cr2, MAPPED_END);
	assert_int_equal(peek(f, MAPPED_END - 8, 8), 0x77);
	assert_int_equal(execute(f, CODE_15(LOAD "\x08")), VECTOR_PF);
	assert_bound(f, 1, 1, 2);
	f->cpu.gpr[REG_RAX] = UINT64_C(0x7ffffffffff8);
	assert_int_equal(execute(f, CODE_15(STORE "\x08")), VECTOR_PF);
	f->cpu.gpr[REG_RAX] = UINT64_C(0x800000000000);
	assert_outcome(f, execute(f, CODE_15(STORE "\x08")), VECTOR_GP, 0);
	f->cpu.gpr[REG_RSP] = UINT64_C(0x800000000000);
	assert_outcome(f, execute(f, CODE_15(LOAD "\x0c\x24")), VECTOR_SS, 0);
	fixture_free(f);

	f = mpx_new(PROTECTED);
	f->cpu.seg[SEG_DS].limit = DATA + 6;
	f->cpu.gpr[REG_RAX] = DATA;
	poke(f, DATA, 0x77, 8);
	assert_outcome(f, execute(f, CODE_15(STORE "\x08")), VECTOR_GP, 0);
	assert_int_equal(peek(f, DATA, 8), 0x77);
	fixture_free(f);
}

/* ---- what is refused, and what is a NOP ---- */

struct refused_row {
	enum fixture_mode mode;
	char code[16];
	unsigned vector;
};

static const struct refused_row refused_rows[] = {
	/* BND4 to BND15 */
	{LONG64, BNDCL "\xe0", VECTOR_UD},
	{LONG64, "\xf3\x44\x0f\x1a\xc0", VECTOR_UD},
	{LONG64, "\xf3\x41\x0f\x1a\xc0", NO_FAULT}, /* r8 */
	{LONG64, BNDCU "\xe0", VECTOR_UD},
	{LONG64, BNDCN "\xe0", VECTOR_UD},
	{LONG64, BNDMK "\x20", VECTOR_UD},
	{LONG64, LOAD "\xe0", VECTOR_UD},
	{LONG64, LOAD "\xc4", VECTOR_UD},
	{LONG64, "\x66\x41\x0f\x1a\xc0", VECTOR_UD},
	{LONG64, STORE "\xc4", VECTOR_UD},
	{LONG64, STORE "\xe0", VECTOR_UD},
	{LONG64, STORE "\x20", VECTOR_UD},
	{LONG64, BNDLDX "\x20", VECTOR_UD},
	{LONG64, BNDSTX "\x20", VECTOR_UD},
	/* LOCK, whatever the operand: SDM 2 "LOCK" lists what takes it */
	{LONG64, "\xf0" BNDCL "\xc0", VECTOR_UD},
	{LONG64, "\xf0" STORE "\x00", VECTOR_UD},
	{LONG64, "\xf0" BNDSTX "\x00", VECTOR_UD},
	/* RIP-relative */
	{LONG64, BNDMK "\x05\x00\x00\x00\x00", VECTOR_UD},
	{LONG64, BNDLDX "\x05\x00\x00\x00\x00", VECTOR_UD},
	{LONG64, BNDSTX "\x05\x00\x00\x00\x00", VECTOR_UD},
	{PROTECTED, BNDMK "\x05\x00\x00\x00\x00", NO_FAULT}, /* disp32 */
	/* 16-bit addresses */
	{PROTECTED, "\x67" BNDCL "\x07", VECTOR_UD},
	{PROTECTED, "\x67" BNDMK "\x07", VECTOR_UD},
	{PROTECTED, "\x67" LOAD "\x07", VECTOR_UD},
	{PROTECTED, "\x67" LOAD "\xc1", NO_FAULT},
	{PROTECTED, "\x67" BNDLDX "\x07", VECTOR_UD},
	{REAL, BNDCL "\x07", VECTOR_UD},
	{REAL, BNDCL "\xc0", NO_FAULT},
	{REAL, BNDMK "\x07", VECTOR_UD},
	{REAL, STORE "\x07", VECTOR_UD},
	{REAL, BNDSTX "\x07", VECTOR_UD},
	{VM86, BNDSTX "\x07", VECTOR_UD},
	/* register forms that do not exist are NOPs */
	{LONG64, BNDMK "\xe1", NO_FAULT},
	{LONG64, BNDLDX "\xe1", NO_FAULT},
	{LONG64, BNDSTX "\xe1", NO_FAULT},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused_rows) / sizeof(refused_rows[0]); i++) {
		const struct refused_row *row = &refused_rows[i];
		struct fixture *f = mpx_new(row->mode);

		if (execute(f, row->code) != row->vector)
			fail_msg("row %zu", i);
		assert_int_equal(f->cpu.mpx.status, MARK);
		fixture_free(f);
	}
}

/* Each way to have it off makes NOPs even of what would be #UD; LOCK is #UD all the same. */
static void assert_off(struct fixture *f)
{
	static const char code[][16] = {BNDCL "\xc0", BNDCL "\xe0",  BNDCU "\x00", BNDCN "\x00",
					BNDMK "\x00", LOAD "\x00",   LOAD "\xc4",  STORE "\x00",
					BNDMK "\x05", BNDLDX "\x00", BNDSTX "\x00"};

	set(f, 0, UINT64_MAX, UINT64_MAX);
	poke(f, DATA, UINT64_C(0x0807060504030201), 8);
	f->cpu.gpr[REG_RAX] = DATA;
	for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++)
		assert_int_equal(execute(f, code[i]), NO_FAULT);
	assert_int_equal(execute(f, CODE_15("\xf0" BNDCL "\xc0")), VECTOR_UD);
	assert_bound(f, 0, UINT64_MAX, UINT64_MAX);
	assert_int_equal(peek(f, DATA, 8), UINT64_C(0x0807060504030201));
	assert_int_equal(f->cpu.mpx.status, MARK);
	assert_false(f->cpu.mode & MODE_BOUNDS);
	fixture_free(f);
}

static void test_off(void **state)
{
	struct fixture *f = not_preserving(LONG64);

	f->cpu.msrs.bndcfgs = DIRECTORY; /* the user's is on, CPL is 0 */
	assert_off(f);
	f = not_preserving(LONG64);
	set_segments(f, LONG64, 3);
	f->cpu.mpx.cfgu = 0;
	assert_off(f);
	f = not_preserving(LONG64);
	f->cpu.cr4 &= ~CR4_OSXSAVE;
	assert_off(f);
	f = not_preserving(LONG64);
	f->cpu.xcr0 = 7;
	assert_off(f);
}

/* On a part without MPX the opcodes are NOPs of another kind. */
static void test_absent(void **state)
{
	struct fixture *f = mpx_new(LONG64);
	char error[128];

	assert_true(cpu_profile_parse("sapphire-rapids", &f->profile, error, sizeof(error)));
	insn_features_announced(&f->cpu, f->cpu.blocks->env.announced);
	set(f, 0, UINT64_MAX, UINT64_MAX);
	assert_int_equal(execute(f, CODE_15(BNDCL "\xc0")), NO_FAULT);
	assert_int_equal(execute(f, CODE_15(BNDMK "\x20")), NO_FAULT);
	assert_bound(f, 0, UINT64_MAX, UINT64_MAX);
	fixture_free(f);
}

/* CPL 3 goes by BNDCFGU. */
static void test_user(void **state)
{
	struct fixture *f = mpx_new(LONG64);

	set_segments(f, LONG64, 3);
	f->cpu.msrs.bndcfgs = 0;
	f->cpu.gpr[REG_RAX] = 0xfff;
	set(f, 0, 0x1000, 0);
	assert_int_equal(execute(f, CODE_15(BNDCL "\xc0")), VECTOR_BR);
	poke(f, DIRECTORY + 0x1000 + 8, TABLE | 1, 8);
	f->cpu.mpx.cfgu = (DIRECTORY + 0x1000) | ON;
	f->cpu.gpr[REG_RAX] = POINTER;
	assert_int_equal(execute(f, CODE_15(BNDSTX "\x00")), NO_FAULT);
	assert_int_equal(peek(f, BOUNDS, 8), 0x1000);
	fixture_free(f);
}

/* ---- BOUND ---- */

static void test_bound(void **state)
{
	struct fixture *f = mpx_new(PROTECTED);

	poke(f, DATA, UINT64_C(0x0000000900000001), 8);
	f->cpu.gpr[REG_RAX] = DATA;
	f->cpu.gpr[REG_RCX] = 9;
	assert_int_equal(execute(f, CODE_15("\x62\x08")), NO_FAULT);
	assert_int_equal(f->cpu.mpx.status, MARK);
	f->cpu.gpr[REG_RCX] = 10;
	assert_int_equal(execute(f, CODE_15("\x62\x08")), VECTOR_BR);
	assert_int_equal(f->cpu.mpx.status, 0);
	f->cpu.mpx.status = MARK;
	f->cpu.msrs.bndcfgs = 0;
	assert_int_equal(execute(f, CODE_15("\x62\x08")), VECTOR_BR);
	assert_int_equal(f->cpu.mpx.status, MARK);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_move_64),
		cmocka_unit_test(test_move_32),
		cmocka_unit_test(test_move_faults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
