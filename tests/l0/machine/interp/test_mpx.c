/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MPX, from machine code on: what each instruction computes and refuses in every mode, the ways to
 * have it off, bound tables with their faults, which branches clear the bound registers, the XSAVE
 * components, INIT. SDM 1 "Intel Memory Protection Extensions".
 */
#include "tests/l0/machine/interp/protect.h"

#include "l0/machine/interp/insn_table.h"
#include "l0/machine/interp/mpx.h"

enum {
	DIRECTORY = 0x20000,
	TABLE = 0x100000,
	AREA = 0x6000, /* of XSAVE */
	DIRECTORY_2M = 0x12000, /* of pages, for who wants less than everything mapped */
	MAPPED_END = 0x200000,
	ON = 3,	       /* EN and BNDPRESERVE */
	MARK = 0x5555,
};
#define POINTER UINT64_C(0x123458)			 /* where a pointer lies */
#define ENTRY (DIRECTORY + (POINTER >> 20) * 8)		 /* of it, 64-bit mode */
#define BOUNDS (TABLE + (POINTER >> 3 & 0x1ffff) * 32)	 /* likewise */
#define ENTRY_32 (DIRECTORY + (POINTER >> 12) * 4)
#define BOUNDS_32 (TABLE + (POINTER >> 2 & 0x3ff) * 16)
#define UNMAPPED UINT64_C(0x40000000)

static void enable(struct fixture *f, uint64_t config)
{
	f->cpu.cr4 |= CR4_OSXSAVE | CR4_OSFXSR;
	f->cpu.xcr0 = 0x1f;
	f->cpu.mpx.cfgu = f->cpu.msrs.bndcfgs = config;
	cpu_mode_changed(&f->cpu);
}

static struct fixture *mpx_new(enum fixture_mode mode)
{
	struct fixture *f = fixture_new(mode);

	enable(f, DIRECTORY | ON);
	f->cpu.mpx.status = MARK;
	return f;
}

/* Decodes for the present mode and executes; the vector raised. A row with a family is a NOP. */
static unsigned execute(struct fixture *f, const void *bytes)
{
	struct decode_env *env = &f->cpu.blocks->env;
	uint8_t padded[24] = {0};

	memcpy(padded, bytes, 15);
	env->mode = decode_mode_key(&f->cpu);
	f->op.off = 0;
	if (decode_insn(env, padded, sizeof(padded), &f->op) != DECODE_OK)
		return VECTOR_UD;
	if (insn_info(f->op.row)->family)
		return NO_FAULT;
	return call(f, insn_info(f->op.row)->complex);
}

/* The 15 bytes that execute() takes, from a string shorter than that. */
#define CODE_15(text) ((const char[16]){text})

static void set(struct fixture *f, unsigned n, uint64_t lower, uint64_t upper)
{
	f->cpu.mpx.bound[n].lower = lower;
	f->cpu.mpx.bound[n].upper = upper;
	cpu_mode_changed(&f->cpu);
}

static void assert_bound(const struct fixture *f, unsigned n, uint64_t lower, uint64_t upper)
{
	assert_int_equal(f->cpu.mpx.bound[n].lower, lower);
	assert_int_equal(f->cpu.mpx.bound[n].upper, upper);
}

/* ---- checks ---- */

#define BNDCL "\xf3\x0f\x1a"
#define BNDCU "\xf2\x0f\x1a"
#define BNDCN "\xf2\x0f\x1b"
#define BNDMK "\xf3\x0f\x1b"
#define LOAD "\x66\x0f\x1a"
#define STORE "\x66\x0f\x1b"
#define BNDLDX "\x0f\x1a"
#define BNDSTX "\x0f\x1b"
#define BR VECTOR_BR
#define HIGH UINT64_C(0x100000000)

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

static struct fixture *not_preserving(enum fixture_mode mode)
{
	struct fixture *f = mpx_new(mode);

	enable(f, DIRECTORY | BNDCFG_EN);
	return f;
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

/* ---- bound tables ---- */

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

/* ---- branches ---- */

enum { HALT = CODE + 0x40 };
#define HLT "\xf4"

struct branch_row {
	const char *what, *code; /* goes to HALT, or to a HLT of its own */
	size_t size;
	bool clears;
};
#define BRANCH(what, code, clears) {what, code HLT, sizeof(code HLT) - 1, clears}

/* RAX is HALT, [RBX] too, the stack's top; ZF is 1, RCX 1. */
static const struct branch_row branch_rows[] = {
	BRANCH("no branch", "\x90", false),
	BRANCH("CALL rel32", "\xe8\x3b\x00\x00\x00", true),
	BRANCH("BND CALL rel32", "\xf2\xe8\x3a\x00\x00\x00", false),
	BRANCH("CALL rax", "\xff\xd0", true),
	BRANCH("BND CALL rax", "\xf2\xff\xd0", false),
	BRANCH("CALL [rbx]", "\xff\x13", true),
	BRANCH("BND CALL [rbx]", "\xf2\xff\x13", false),
	BRANCH("RET", "\xc3", true),
	BRANCH("BND RET", "\xf2\xc3", false),
	BRANCH("RET 8", "\xc2\x08\x00", true),
	BRANCH("BND RET 8", "\xf2\xc2\x08\x00", false),
	BRANCH("JMP rel8", "\xeb\x3e", false),
	BRANCH("JMP rel32", "\xe9\x3b\x00\x00\x00", true),
	BRANCH("BND JMP rel32", "\xf2\xe9\x3a\x00\x00\x00", false),
	BRANCH("REP JMP rel32", "\xf3\xe9\x3a\x00\x00\x00", true),
	BRANCH("JMP rax", "\xff\xe0", true),
	BRANCH("BND JMP rax", "\xf2\xff\xe0", false),
	BRANCH("JMP [rbx]", "\xff\x23", true),
	BRANCH("BND JMP [rbx]", "\xf2\xff\x23", false),
	BRANCH("JZ rel8", "\x74\x3e", true),
	BRANCH("BND JZ rel8", "\xf2\x74\x3d", false),
	BRANCH("JZ rel32", "\x0f\x84\x3a\x00\x00\x00", true),
	BRANCH("BND JZ rel32", "\xf2\x0f\x84\x39\x00\x00\x00", false),
	BRANCH("JNZ, not taken", "\x75\x3e", true),
	BRANCH("BND JNZ, not taken", "\xf2\x75\x3e", false),
	BRANCH("CMP and JZ", "\x48\x39\xc0\x74\x3b", true),
	BRANCH("CMP and BND JZ", "\x48\x39\xc0\xf2\x74\x3a", false),
	BRANCH("LOOP", "\xe2\x3e", false),
	BRANCH("JRCXZ", "\xe3\x3e", false),
	BRANCH("RETF", "\x48\xcb", false),
	BRANCH("INT3", "\xcc", false),
};

static void put_code(struct fixture *f, uint64_t at, const void *bytes, size_t size)
{
	assert_true(memory_write(&f->machine.memory, at, bytes, size));
}

static struct fixture *branches_new(const struct branch_row *row, uint64_t config)
{
	struct fixture *f = fixture_new(LONG64);

	for (unsigned v = 0; v < 32; v++) {
		put_gate(f, IDT + v * 16, 14, 0, CODE64, HANDLER + 16 * v, 0);
		put_code(f, HANDLER + 16 * v, HLT, 1);
	}
	put_code(f, CODE, row->code, row->size);
	put_code(f, HALT, HLT, 1);
	poke(f, DATA, HALT, 8);
	poke(f, STACK - 32, HALT, 8);
	poke(f, STACK - 24, CODE64, 8);
	f->cpu.gpr[REG_RSP] = STACK - 32;
	f->cpu.gpr[REG_RAX] = HALT;
	f->cpu.gpr[REG_RBX] = DATA;
	f->cpu.gpr[REG_RCX] = 1;
	cpu_set_rflags(&f->cpu, RFLAGS_FIXED1 | RFLAGS_ZF);
	enable(f, config);
	set(f, 2, 0, 4);
	f->cpu.attention = true;
	return f;
}

static void run(struct fixture *f)
{
	f->machine.max_insns = f->cpu.insns + 10000;
	interp_cpu_ops.run(&f->cpu);
	assert_int_equal(f->machine.stop, STOP_HALTED);
}

static void run_row(const struct branch_row *row, uint64_t config, bool clears, bool single)
{
	struct fixture *f = branches_new(row, config);

	if (single)
		f->cpu.msrs.debugctl = DEBUGCTL_LBR; /* block by block */
	run(f);
	if (f->cpu.mpx.bound[2].upper != (clears ? 0 : 4))
		fail_msg("%s, configuration %x", row->what, (unsigned)config);
	assert_int_equal(!!(f->cpu.mode & MODE_BOUNDS),
			 !clears && (config & ON) == BNDCFG_EN);
	fixture_free(f);
}

static void test_branches(void **state)
{
	for (size_t i = 0; i < sizeof(branch_rows) / sizeof(branch_rows[0]); i++) {
		const struct branch_row *row = &branch_rows[i];

		run_row(row, BNDCFG_EN, row->clears, false);
		run_row(row, BNDCFG_EN, row->clears, true);
		run_row(row, ON, false, false);
		run_row(row, 0, false, false);
	}
}

/* The same code with nothing in the bound registers, then made by an instruction in mid-block, then
 * cleared, then restored: each time what follows goes by the new state. */
static void test_branches_in_code(void **state)
{
	static const uint8_t code[] = {
		0x31, 0xc0,	       /* xor eax, eax */
		0x74, 0x00,	       /* jz +0 */
		0xf3, 0x0f, 0x1b, 0x03, /* bndmk bnd0, [rbx] */
		0xf2, 0x74, 0x00,       /* bnd jz +0: keeps them */
		0x66, 0x0f, 0x1b, 0xc1, /* bndmov bnd1, bnd0 */
		0x66, 0x0f, 0x1b, 0x43, 0x20, /* bndmov [rbx+32], bnd0 */
		0x74, 0x00,	       /* jz +0: clears them */
		0x66, 0x0f, 0x1b, 0x4b, 0x30, /* bndmov [rbx+48], bnd1 */
		0x66, 0x0f, 0x1a, 0x53, 0x20, /* bndmov bnd2, [rbx+32] */
		0x66, 0x0f, 0x1b, 0x53, 0x40, /* bndmov [rbx+64], bnd2 */
		0xe9, 0, 0, 0, 0,	       /* jmp +0 */
		0xf4,
	};
	struct branch_row row = {"", (const char *)code, sizeof(code), true};

	for (unsigned pass = 0; pass < 3; pass++) {
		struct fixture *f = branches_new(&row, BNDCFG_EN);

		f->cpu.msrs.debugctl = pass == 2 ? DEBUGCTL_LBR : 0;
		memset(f->cpu.mpx.bound, 0, sizeof(f->cpu.mpx.bound));
		cpu_mode_changed(&f->cpu);
		poke(f, DATA + 0x30, 1, 8);
		run(f);
		assert_int_equal(peek(f, DATA + 0x20, 8), DATA);
		assert_int_equal(peek(f, DATA + 0x28, 8), ~(uint64_t)DATA);
		assert_int_equal(peek(f, DATA + 0x30, 8), 0);
		assert_int_equal(peek(f, DATA + 0x40, 8), DATA);
		assert_bound(f, 2, 0, 0);
		fixture_free(f);
	}
}

/* A branch that faults has done nothing. */
static void test_branch_faults(void **state)
{
	struct branch_row row = BRANCH("", "\xe8\x3b\x00\x00\x00", true);
	struct fixture *f = branches_new(&row, BNDCFG_EN);

	put_gate(f, IDT + VECTOR_PF * 16, 14, 0, CODE64, HANDLER, 1);
	f->cpu.gpr[REG_RSP] = UNMAPPED + 64;
	run(f);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + 1);
	assert_bound(f, 2, 0, 4);
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

/* ---- state ---- */

static unsigned xsave(struct fixture *f, handler *insn, uint64_t components)
{
	f->cpu.gpr[REG_RAX] = components;
	f->cpu.gpr[REG_RDX] = 0;
	f->op = (struct op){.base = REG_ZERO, .index = REG_ZERO, .seg = SEG_DS, .opsize = 8,
			    .addrsize = 8, .flags = OP_MEMORY, .disp = AREA};
	return call(f, insn);
}

/* 960: BND0 to BND3; 1024: BNDCFGU, BNDSTATUS. 64-bit values in every mode. */
static void test_xsave(void **state)
{
	struct fixture *f = mpx_new(PROTECTED);

	for (unsigned n = 0; n < 4; n++)
		set(f, n, HIGH + n, HIGH * 2 + n);
	assert_int_equal(xstate_in_use(&f->cpu) & XSTATE_MPX, XSTATE_MPX);
	assert_int_equal(xsave(f, insn_xsave, 0x18), NO_FAULT);
	assert_int_equal(peek(f, AREA + 512, 8), 0x18);
	assert_int_equal(peek(f, AREA + 960 + 48, 8), HIGH + 3);
	assert_int_equal(peek(f, AREA + 960 + 56, 8), HIGH * 2 + 3);
	assert_int_equal(peek(f, AREA + 1024, 8), DIRECTORY | ON);
	assert_int_equal(peek(f, AREA + 1032, 8), MARK);
	/* reserved bits and the upper bits of the address are made good, BNDSTATUS is taken */
	poke(f, AREA + 1024, UINT64_C(0x1234800000001ffd), 8);
	poke(f, AREA + 1032, UINT64_MAX, 8);
	poke(f, AREA + 960, 77, 8);
	assert_int_equal(xsave(f, insn_xrstor, 0x18), NO_FAULT);
	assert_int_equal(f->cpu.mpx.cfgu, UINT64_C(0xffff800000001001));
	assert_int_equal(f->cpu.mpx.status, UINT64_MAX);
	assert_bound(f, 0, 77, HIGH * 2);
	/* what the area does not have goes to 0 */
	poke(f, AREA + 512, 0x10, 8);
	assert_int_equal(xsave(f, insn_xrstor, 8), NO_FAULT);
	assert_bound(f, 3, 0, 0);
	assert_int_equal(f->cpu.mpx.cfgu, UINT64_C(0xffff800000001001));
	assert_int_equal(xstate_in_use(&f->cpu) & XSTATE_MPX, 0x10);
	poke(f, AREA + 512, 0, 8);
	assert_int_equal(xsave(f, insn_xrstor, 0x10), NO_FAULT);
	assert_int_equal(f->cpu.mpx.cfgu | f->cpu.mpx.status, 0);
	assert_int_equal(xstate_in_use(&f->cpu) & XSTATE_MPX, 0);
	fixture_free(f);
}

/* Compacted, the components follow the header; in their initial state they are left out. */
static void test_xsavec(void **state)
{
	struct fixture *f = mpx_new(LONG64);

	poke(f, AREA + 520, 0, 8);
	set(f, 1, 5, 6);
	assert_int_equal(xsave(f, insn_xsavec, 0x18), NO_FAULT);
	assert_int_equal(peek(f, AREA + 512, 8), 0x18);
	assert_int_equal(peek(f, AREA + 520, 8), BIT64(63) | 0x18);
	assert_int_equal(peek(f, AREA + 576 + 16, 8), 5);
	assert_int_equal(peek(f, AREA + 640, 8), DIRECTORY | ON);
	poke(f, AREA + 592, 9, 8);
	assert_int_equal(xsave(f, insn_xrstors, 0x18), NO_FAULT);
	assert_bound(f, 1, 9, 6);
	set(f, 1, 0, 0);
	assert_int_equal(xsave(f, insn_xsavec, 0x18), NO_FAULT);
	assert_int_equal(peek(f, AREA + 512, 8), 0x10);
	assert_int_equal(peek(f, AREA + 576 + 16, 8), 9);
	fixture_free(f);
}

static void test_xcr0(void **state)
{
	static const struct {
		uint64_t value;
		unsigned vector;
	} rows[] = {{0x1f, NO_FAULT}, {0x19, NO_FAULT}, {9, VECTOR_GP}, {0x11, VECTOR_GP},
		    {0xf, VECTOR_GP}, {3, NO_FAULT}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = not_preserving(LONG64);

		set(f, 0, 1, 1);
		f->cpu.gpr[REG_RCX] = f->cpu.gpr[REG_RDX] = 0;
		f->cpu.gpr[REG_RAX] = rows[i].value;
		assert_int_equal(call(f, insn_xsetbv), rows[i].vector);
		assert_int_equal(!!(f->cpu.mode & MODE_BOUNDS), !(~f->cpu.xcr0 & XSTATE_MPX));
		fixture_free(f);
	}
}

/* Whatever changes what branches do changes the mode. */
static void test_mode(void **state)
{
	struct fixture *f = not_preserving(LONG64);

	assert_false(f->cpu.mode & MODE_BOUNDS);
	f->cpu.gpr[REG_RAX] = 5;
	assert_int_equal(execute(f, CODE_15(BNDMK "\x00")), NO_FAULT);
	assert_true(f->cpu.mode & MODE_BOUNDS);
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_BNDCFGS, ON));
	assert_false(f->cpu.mode & MODE_BOUNDS);
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_BNDCFGS, BNDCFG_EN));
	assert_true(f->cpu.mode & MODE_BOUNDS);
	assert_int_equal(execute(f, CODE_15(LOAD "\xc1")), NO_FAULT);
	assert_false(f->cpu.mode & MODE_BOUNDS);
	fixture_free(f);
}

/* SDM 3A "Processor State After Reset": INIT clears them, too. */
static void test_init(void **state)
{
	struct fixture *f = mpx_new(LONG64);

	set(f, 0, 1, 2);
	cpu_reset(&f->cpu, true);
	assert_bound(f, 0, 0, 0);
	assert_int_equal(f->cpu.mpx.cfgu | f->cpu.mpx.status | f->cpu.msrs.bndcfgs, 0);
	assert_int_equal(f->cpu.xcr0, 0x1f);
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
		cmocka_unit_test(test_tables_64),
		cmocka_unit_test(test_tables_segments),
		cmocka_unit_test(test_tables_32),
		cmocka_unit_test(test_tables_faults),
		cmocka_unit_test(test_tables_faults_32),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_branches_in_code),
		cmocka_unit_test(test_branch_faults),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_xsave),
		cmocka_unit_test(test_xsavec),
		cmocka_unit_test(test_xcr0),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
