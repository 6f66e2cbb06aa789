/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Segment-register loads and the instructions on selectors, as truth tables of (state, selector) ->
 * (vector, error code).
 */
#include "tests/l0/machine/interp/protect.h"

struct load {
	const char *what;
	enum fixture_mode mode;
	uint8_t cpl;
	uint8_t seg;
	uint16_t selector;
	uint8_t vector;
	uint32_t error;
};

static const struct load loads[] = {
	{ "flat data", PROTECTED, 0, SEG_DS, DATA32, NO_FAULT, 0 },
	{ "null data", PROTECTED, 0, SEG_DS, 0, NO_FAULT, 0 },
	{ "null data, RPL 3", PROTECTED, 0, SEG_ES, 3, NO_FAULT, 0 },
	{ "user data from level 0", PROTECTED, 0, SEG_FS, USER_DATA, NO_FAULT, 0 },
	{ "level 0 data from level 3", PROTECTED, 3, SEG_DS, DATA32, VECTOR_GP, DATA32 },
	{ "RPL weaker than DPL", PROTECTED, 0, SEG_DS, DATA32 | 3, VECTOR_GP, DATA32 },
	{ "conforming code at any level", PROTECTED, 3, SEG_DS, CONFORMING, NO_FAULT, 0 },
	{ "readable code", PROTECTED, 0, SEG_GS, CODE32, NO_FAULT, 0 },
	{ "execute-only code", PROTECTED, 0, SEG_DS, XO_CODE, VECTOR_GP, XO_CODE },
	{ "system descriptor", PROTECTED, 0, SEG_DS, TSS_SEL, VECTOR_GP, TSS_SEL },
	{ "beyond the GDT", PROTECTED, 0, SEG_DS, BEYOND, VECTOR_GP, BEYOND },
	{ "not present", PROTECTED, 0, SEG_DS, ABSENT_DATA, VECTOR_NP, ABSENT_DATA },
	{ "LDT entry", PROTECTED, 0, SEG_DS, 0x08 | SELECTOR_TI, NO_FAULT, 0 },
	{ "beyond the LDT", PROTECTED, 0, SEG_DS, BEYOND | SELECTOR_TI, VECTOR_GP,
	  BEYOND | SELECTOR_TI },
	{ "stack", PROTECTED, 0, SEG_SS, DATA32, NO_FAULT, 0 },
	{ "user stack", PROTECTED, 3, SEG_SS, USER_DATA | 3, NO_FAULT, 0 },
	{ "null stack", PROTECTED, 0, SEG_SS, 0, VECTOR_GP, 0 },
	{ "stack with other RPL", PROTECTED, 0, SEG_SS, DATA32 | 3, VECTOR_GP, DATA32 },
	{ "stack with other DPL", PROTECTED, 0, SEG_SS, USER_DATA, VECTOR_GP, USER_DATA },
	{ "read-only stack", PROTECTED, 0, SEG_SS, RO_DATA, VECTOR_GP, RO_DATA },
	{ "code as stack", PROTECTED, 0, SEG_SS, CODE32, VECTOR_GP, CODE32 },
	{ "absent stack", PROTECTED, 0, SEG_SS, ABSENT_DATA, VECTOR_SS, ABSENT_DATA },
	{ "null stack in 64-bit code", LONG64, 0, SEG_SS, 0, NO_FAULT, 0 },
	{ "null stack, RPL not CPL", LONG64, 0, SEG_SS, 1, VECTOR_GP, 0 },
	{ "null stack at level 3", LONG64, 3, SEG_SS, 3, VECTOR_GP, 0 },
	{ "null stack in compatibility mode", COMPAT, 0, SEG_SS, 0, VECTOR_GP, 0 },
	{ "CS", PROTECTED, 0, SEG_CS, CODE32, VECTOR_UD, NO_ERROR },
	{ "no such register", PROTECTED, 0, 6, DATA32, VECTOR_UD, NO_ERROR },
	{ "anything in real mode", REAL, 0, SEG_SS, 0x1234, NO_FAULT, 0 },
	{ "anything in virtual-8086 mode", VM86, 3, SEG_DS, 0x1234, NO_FAULT, 0 },
};

static void test_loads(void **state)
{
	for (unsigned i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
		const struct load *row = &loads[i];
		struct fixture *f = fixture_new(row->mode);
		struct segment before;

		if (row->cpl && row->mode != VM86)
			set_segments(f, row->mode, row->cpl);
		use_register(f, REG_RAX);
		f->cpu.gpr[REG_RAX] = row->selector;
		f->op.reg = row->seg;
		before = f->cpu.seg[row->seg];
		print_message("%s\n", row->what);
		assert_outcome(f, call(f, insn_mov_to_seg), row->vector, row->error);
		if (row->vector == NO_FAULT)
			assert_int_equal(f->cpu.seg[row->seg].selector, row->selector);
		else
			assert_memory_equal(&f->cpu.seg[row->seg], &before, sizeof(before));
		fixture_free(f);
	}
}

static void test_load_contents(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	put_segment(f, GDT + GATE, 0xc0f2, 0x12345000, 0x000ff);
	use_register(f, REG_RAX);
	f->cpu.gpr[REG_RAX] = GATE;
	f->op.reg = SEG_ES;
	assert_outcome(f, call(f, insn_mov_to_seg), NO_FAULT, 0);
	assert_int_equal(f->cpu.seg[SEG_ES].base, 0x12345000);
	assert_int_equal(f->cpu.seg[SEG_ES].limit, 0xfffff);
	assert_int_equal(f->cpu.seg[SEG_ES].ar, 0xc0f3);
	/* The accessed bit is set in memory, too. */
	assert_int_equal(peek(f, GDT + GATE + 5, 1), 0xf3);
	f->cpu.gpr[REG_RAX] = 0;
	assert_outcome(f, call(f, insn_mov_to_seg), NO_FAULT, 0);
	assert_true(f->cpu.seg[SEG_ES].ar & AR_UNUSABLE);
	fixture_free(f);
}

static void test_real_mode_keeps_limit(void **state)
{
	struct fixture *f = fixture_new(REAL);

	f->cpu.seg[SEG_DS].limit = UINT32_MAX;
	seg_load(&f->cpu, SEG_DS, 0x1234);
	assert_int_equal(f->cpu.seg[SEG_DS].base, 0x12340);
	assert_int_equal(f->cpu.seg[SEG_DS].limit, UINT32_MAX);
	fixture_free(f);
	f = fixture_new(VM86);
	f->cpu.seg[SEG_DS].limit = UINT32_MAX;
	seg_load(&f->cpu, SEG_DS, 0x1234);
	assert_int_equal(f->cpu.seg[SEG_DS].limit, 0xffff);
	assert_int_equal(f->cpu.seg[SEG_DS].ar, 0xf3);
	fixture_free(f);
}

static void test_mov_ss_shadow(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	use_register(f, REG_RAX);
	f->cpu.gpr[REG_RAX] = DATA32;
	f->op.reg = SEG_DS;
	call(f, insn_mov_to_seg);
	assert_false(f->cpu.mov_ss_shadow);
	f->op.reg = SEG_SS;
	call(f, insn_mov_to_seg);
	assert_true(f->cpu.mov_ss_shadow);
	f->cpu.insns++;
	/* The next instruction is covered; a second MOV SS there does not prolong the shadow. */
	cpu_attend(&f->cpu);
	assert_true(f->cpu.mov_ss_shadow);
	call(f, insn_mov_to_seg);
	f->cpu.insns++;
	cpu_attend(&f->cpu);
	assert_false(f->cpu.mov_ss_shadow);
	fixture_free(f);
}

static void test_push_pop_seg(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	poke(f, STACK - 4, 0xaaaaaaaa, 4);
	f->op.reg = SEG_DS;
	assert_outcome(f, call(f, insn_push_seg), NO_FAULT, 0);
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK - 4);
	assert_int_equal(peek(f, STACK - 4, 4), 0xaaaa0000 | DATA32);
	poke(f, STACK - 4, ABSENT_DATA, 4);
	assert_outcome(f, call(f, insn_pop_seg), VECTOR_NP, ABSENT_DATA);
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK - 4);
	poke(f, STACK - 4, USER_DATA, 4);
	assert_outcome(f, call(f, insn_pop_seg), NO_FAULT, 0);
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK);
	assert_int_equal(f->cpu.seg[SEG_DS].selector, USER_DATA);
	fixture_free(f);
}

static void test_far_pointers(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	poke(f, DATA, 0x11223344, 4);
	poke(f, DATA + 4, ABSENT_DATA, 2);
	use_memory(f, DATA);
	f->op.reg = REG_RBX;
	f->cpu.gpr[REG_RBX] = 7;
	assert_outcome(f, call(f, insn_les), VECTOR_NP, ABSENT_DATA);
	assert_int_equal(f->cpu.gpr[REG_RBX], 7);
	poke(f, DATA + 4, USER_DATA, 2);
	assert_outcome(f, call(f, insn_les), NO_FAULT, 0);
	assert_int_equal(f->cpu.gpr[REG_RBX], 0x11223344);
	assert_int_equal(f->cpu.seg[SEG_ES].selector, USER_DATA);
	fixture_free(f);
}

/* ---- LAR, LSL, VERR, VERW, ARPL ---- */

struct query {
	const char *what;
	enum fixture_mode mode;
	uint8_t cpl;
	uint16_t selector;
	bool lar, lsl, verr, verw;
};

static const struct query queries[] = {
	{ "flat data", PROTECTED, 0, DATA32, true, true, true, true },
	{ "null", PROTECTED, 0, 0, false, false, false, false },
	{ "beyond the limit", PROTECTED, 0, BEYOND, false, false, false, false },
	{ "level 0 data from level 3", PROTECTED, 3, DATA32, false, false, false, false },
	{ "RPL above DPL", PROTECTED, 0, DATA32 | 3, false, false, false, false },
	{ "conforming code from level 3", PROTECTED, 3, CONFORMING, true, true, true, false },
	{ "read-only data", PROTECTED, 0, RO_DATA, true, true, true, false },
	{ "execute-only code", PROTECTED, 0, XO_CODE, true, true, false, false },
	{ "absent data", PROTECTED, 0, ABSENT_DATA, true, true, true, true },
	{ "32-bit TSS", PROTECTED, 0, TSS_SEL, true, true, false, false },
	{ "LDT", PROTECTED, 0, LDT_SEL, true, true, false, false },
	{ "call gate", PROTECTED, 0, GATE, true, false, false, false },
	{ "64-bit TSS", LONG64, 0, TSS_SEL, true, true, false, false },
	{ "64-bit call gate", LONG64, 0, GATE, true, false, false, false },
};

static bool zf_after(struct fixture *f, handler *insn)
{
	assert_outcome(f, call(f, insn), NO_FAULT, 0);
	return cpu_rflags(&f->cpu) & RFLAGS_ZF;
}

static void test_queries(void **state)
{
	for (unsigned i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
		const struct query *row = &queries[i];
		struct fixture *f = fixture_new(row->mode);

		put_gate(f, GDT + GATE, DESC_CALL_GATE, 0, CODE32, 0, 0);
		set_segments(f, row->mode, row->cpl);
		use_register(f, REG_RAX);
		f->op.reg = REG_RBX;
		f->cpu.gpr[REG_RAX] = row->selector;
		print_message("%s\n", row->what);
		assert_int_equal(zf_after(f, insn_lar), row->lar);
		assert_int_equal(zf_after(f, insn_lsl), row->lsl);
		assert_int_equal(zf_after(f, insn_verr), row->verr);
		assert_int_equal(zf_after(f, insn_verw), row->verw);
		fixture_free(f);
	}
}

static void test_query_values(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	use_register(f, REG_RAX);
	f->op.reg = REG_RBX;
	f->cpu.gpr[REG_RAX] = USER_CODE32;
	call(f, insn_lar);
	assert_int_equal(f->cpu.gpr[REG_RBX], 0x00c0fb00);
	call(f, insn_lsl);
	assert_int_equal(f->cpu.gpr[REG_RBX], UINT32_MAX);
	f->cpu.gpr[REG_RAX] = 0;
	f->cpu.gpr[REG_RBX] = 5;
	call(f, insn_lar);
	assert_int_equal(f->cpu.gpr[REG_RBX], 5);
	f->cpu.gpr[REG_RAX] = DATA32;
	f->cpu.gpr[REG_RBX] = 3;
	assert_true(zf_after(f, insn_arpl));
	assert_int_equal(f->cpu.gpr[REG_RAX], DATA32 | 3);
	assert_false(zf_after(f, insn_arpl));
	fixture_free(f);
}

static void test_not_in_real_mode(void **state)
{
	static handler *const insns[] = { insn_lar,  insn_lsl, insn_verr, insn_verw, insn_arpl,
					  insn_lldt, insn_ltr, insn_sldt, insn_str };

	for (unsigned mode = REAL; mode <= VM86; mode += VM86)
		for (unsigned i = 0; i < sizeof(insns) / sizeof(*insns); i++) {
			struct fixture *f = fixture_new((enum fixture_mode)mode);

			assert_outcome(f, call(f, insns[i]), VECTOR_UD, NO_ERROR);
			fixture_free(f);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_load_contents),
		cmocka_unit_test(test_real_mode_keeps_limit),
		cmocka_unit_test(test_mov_ss_shadow),
		cmocka_unit_test(test_push_pop_seg),
		cmocka_unit_test(test_far_pointers),
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_query_values),
		cmocka_unit_test(test_not_in_real_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
