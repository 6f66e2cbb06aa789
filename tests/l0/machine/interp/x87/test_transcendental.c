/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Transcendental instructions against results computed elsewhere, in all four rounding modes.
 */
#include "tests/l0/machine/interp/x87/exec.h"

static const struct {
	const char *name;
	uint8_t opcode;
	struct f80 x, y, results[4];
} rows[] = {
#define TRANSCENDENTAL(name, opcode, xe, xs, ye, ys, ne, ns, de, ds, ue, us, ze, zs)               \
	{#name, opcode, {xs, xe}, {ys, ye}, {{ns, ne}, {ds, de}, {us, ue}, {zs, ze}}},
#include "tests/l0/machine/interp/x87/transcendental.def"
#undef TRANSCENDENTAL
};

static void load(struct fixture *f, struct f80 value)
{
	poke(f, DATA, value.sig, 8);
	poke(f, DATA + 8, value.se, 2);
	OK(f, "\xdb\x2d\x00\x50\x00\x00"); /* FLD m80fp */
}

static void results_to_the_last_bit(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned rc = 0; rc < 4; rc++) {
			struct fixture *f = x87_new(PROTECTED, NULL);
			char insn[3] = {(char)0xd9, (char)rows[i].opcode, 0};
			struct f80 result;

			load(f, rows[i].y);
			load(f, rows[i].x);
			set_control(f, (uint16_t)(0x37f | rc << 10));
			assert_int_equal(run_bytes(f, insn, 2), NO_FAULT);
			result = x87_get(&f->cpu, rows[i].opcode == 0xf2); /* FPTAN pushes 1 */
			if (result.sig != rows[i].results[rc].sig ||
			    result.se != rows[i].results[rc].se)
				fail_msg("row %zu, %s, RC %u: %04x %016lx", i, rows[i].name, rc,
					 result.se, result.sig);
			assert_int_equal(status(f) & 0x7f, SOFT_PE);
			fixture_free(f);
		}
}

/* From 2^63 on nothing is reduced: C2, and the operand stays. */
static void out_of_range(void **state)
{
	static const char *const insns[] = {"\xd9\xfe", "\xd9\xff", "\xd9\xfb", "\xd9\xf2"};

	for (unsigned i = 0; i < 4; i++) {
		struct fixture *f = x87_new(PROTECTED, NULL);

		load(f, (struct f80){F80_INTEGER, 0xc03e});
		assert_int_equal(run_bytes(f, insns[i], 2), NO_FAULT);
		assert_st(f, 0, 0xc03e, F80_INTEGER);
		assert_int_equal(status(f) & ~FSW_TOP, FSW_C2);
		assert_int_equal(f->cpu.xsave_area[X87_FTW], 0x80);
		fixture_free(f);
	}
}

/* Exact results raise nothing. */
static void exact_results(void **state)
{
	static const struct {
		const char *insn;
		struct f80 x, y, result;
	} cases[] = {
	    {"\xd9\xf0", {F80_INTEGER, 0x3fff}, {0, 0}, {F80_INTEGER, 0x3fff}},
	    {"\xd9\xf0", {F80_INTEGER, 0xbfff}, {0, 0}, {F80_INTEGER, 0xbffe}},
	    {"\xd9\xf1",
	     {F80_INTEGER, 0x3ffc},
	     {0xc000000000000000, 0x3fff},
	     {0x9000000000000000, 0xc001}},
	    {"\xd9\xf1", {F80_INTEGER, 0x3fff}, {0xc000000000000000, 0xbfff}, {0, 0x8000}},
	    {"\xd9\xf3", {F80_INTEGER, 0x3fff}, {0, 0x8000}, {0, 0x8000}},
	    {"\xd9\xff", {0, 0x8000}, {0, 0}, {F80_INTEGER, 0x3fff}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = x87_new(PROTECTED, NULL);

		load(f, cases[i].y);
		load(f, cases[i].x);
		assert_int_equal(run_bytes(f, cases[i].insn, 2), NO_FAULT);
		assert_st(f, 0, cases[i].result.se, cases[i].result.sig);
		assert_int_equal(status(f) & 0x7f, 0);
		fixture_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(results_to_the_last_bit),
	    cmocka_unit_test(out_of_range),
	    cmocka_unit_test(exact_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
