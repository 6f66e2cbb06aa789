/* SPDX-License-Identifier: BSD-2-Clause
 *
 * FXSAVE and the XSAVE family: what is written and read for each request bitmap, the header's
 * rules, the faults in their order, XCR0.
 */
#include "tests/l0/machine/interp/fixture.h"

#define AREA UINT64_C(0x8000)
#define PART "skylake"
#define YMM 576

WEAK void vmx_intercept_insn(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification)
{
	seen.intercepted++;
}

WEAK uint64_t op_ea(const struct cpu *cpu, const struct op *op)
{
	return (uint64_t)(int64_t)op->disp;
}

typedef void insn(struct cpu *, const struct op *);

static struct fixture *with_state(void)
{
	struct fixture *f = fixture_new(PART);

	f->cpu.cr0 = CR0_PE;
	f->cpu.cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	f->cpu.efer = EFER_LMA;
	f->cpu.seg[SEG_CS].ar = AR_L;
	f->cpu.xcr0 = 3;
	for (unsigned i = 0; i < 416; i++)
		f->cpu.xsave_area[i] = (uint8_t)(i * 3 + 1);
	/* FCW and FSW as they can be, pointers of 32 bits without selectors */
	memcpy(f->cpu.xsave_area, "\x7f\x03\x20\x38", 4);
	memset(f->cpu.xsave_area + 12, 0, 4);
	memset(f->cpu.xsave_area + 20, 0, 4);
	memcpy(f->cpu.xsave_area + 24, "\x80\x1f\0\0", 4);
	mmu_mode_changed(&f->cpu);
	return f;
}

static bool escapes(struct fixture *f, insn *handler, uint64_t address)
{
	struct op op = {.flags = OP_MEMORY, .seg = SEG_DS, .disp = (int32_t)address, .opsize = 4};

	return ESCAPES(f, handler(&f->cpu, &op));
}

static uint8_t *area(struct fixture *f)
{
	return f->machine.memory.low + AREA;
}

static void request(struct fixture *f, uint64_t mask)
{
	f->cpu.gpr[REG_RAX] = mask;
	f->cpu.gpr[REG_RDX] = 0;
}

struct fault_case {
	insn *handler;
	uint64_t cr0, cr4_clear, address;
	uint8_t cpl;
	int vector; /* -1: none */
};

static const struct fault_case fault_cases[] = {
	{insn_fxsave, 0, 0, AREA + 16, 0, -1},
	{insn_fxsave, 0, 0, AREA + 8, 0, VECTOR_GP},
	{insn_fxsave, CR0_TS, 0, AREA + 8, 0, VECTOR_NM},
	{insn_fxsave, CR0_EM, 0, AREA, 0, VECTOR_NM},
	{insn_fxrstor, CR0_TS, 0, AREA, 0, VECTOR_NM},
	{insn_fxrstor, 0, 0, AREA + 1, 0, VECTOR_GP},
	{insn_ldmxcsr, CR0_EM, 0, AREA, 0, VECTOR_UD},
	{insn_ldmxcsr, CR0_TS, 0, AREA, 0, VECTOR_NM},
	{insn_stmxcsr, CR0_TS, CR4_OSFXSR, AREA, 0, VECTOR_UD},
	{insn_xsave, 0, 0, AREA + 32, 0, VECTOR_GP},
	{insn_xsave, CR0_TS, 0, AREA, 0, VECTOR_NM},
	{insn_xsave, CR0_TS, CR4_OSXSAVE, AREA, 0, VECTOR_UD},
	{insn_xrstor, 0, CR4_OSXSAVE, AREA, 0, VECTOR_UD},
	{insn_xrstor, 0, 0, AREA + 16, 0, VECTOR_GP},
	{insn_xsavec, 0, 0, AREA, 3, -1},
	{insn_xsaves, 0, 0, AREA, 3, VECTOR_GP},
	{insn_xrstors, 0, 0, AREA, 3, VECTOR_GP},
	{insn_xgetbv, 0, CR4_OSXSAVE, AREA, 0, VECTOR_UD},
	{insn_xsetbv, 0, CR4_OSXSAVE, AREA, 3, VECTOR_UD},
	{insn_xsetbv, 0, 0, AREA, 3, VECTOR_GP},
};

static void test_faults(void **state)
{
	for (size_t i = 0; i < sizeof(fault_cases) / sizeof(fault_cases[0]); i++) {
		const struct fault_case *c = &fault_cases[i];
		struct fixture *f = with_state();

		f->cpu.cr0 |= c->cr0;
		f->cpu.cr4 &= ~c->cr4_clear;
		f->cpu.cpl = c->cpl;
		mmu_mode_changed(&f->cpu);
		request(f, 3);
		assert_int_equal(escapes(f, c->handler, c->address), c->vector >= 0);
		if (c->vector >= 0)
			assert_int_equal(f->cpu.event.vector, c->vector);
		fixture_free(f);
	}
}

static void test_fxsave(void **state)
{
	for (unsigned code64 = 0; code64 < 2; code64++) {
		struct fixture *f = with_state();
		uint8_t before[512];
		unsigned end = code64 ? 416 : 288;

		f->cpu.seg[SEG_CS].ar = code64 ? AR_L : 0;
		f->cpu.seg[SEG_DS].limit = UINT32_MAX;
		f->cpu.seg[SEG_DS].ar = AR_P | AR_S | AR_TYPE_WRITABLE;
		memcpy(before, f->cpu.xsave_area, sizeof(before));
		memset(area(f), 0xee, 512);
		assert_false(escapes(f, insn_fxsave, AREA));
		assert_memory_equal(area(f), before, 28);
		assert_memory_equal(area(f) + 28, "\xff\xff\0\0", 4); /* MXCSR_MASK */
		assert_memory_equal(area(f) + 32, before + 32, end - 32);
		assert_int_equal(area(f)[end], 0xee);
		memset(f->cpu.xsave_area, 0, 512);
		assert_false(escapes(f, insn_fxrstor, AREA));
		assert_memory_equal(f->cpu.xsave_area, before, 28);
		assert_memory_equal(f->cpu.xsave_area + 32, before + 32, end - 32);
		/* A reserved MXCSR bit: #GP, nothing loaded. */
		area(f)[26] = 1;
		memset(f->cpu.xsave_area, 0, 512);
		assert_true(escapes(f, insn_fxrstor, AREA));
		assert_int_equal(f->cpu.event.vector, VECTOR_GP);
		assert_int_equal(f->cpu.xsave_area[0], 0);
		fixture_free(f);
	}
}

static void test_xsave_components(void **state)
{
	for (uint64_t mask = 0; mask < 8; mask++) {
		struct fixture *f = with_state();
		uint64_t rfbm = mask & 3;

		memset(area(f), 0xee, 576);
		ram_write64(f, AREA + 512, 0);
		request(f, mask);
		assert_false(escapes(f, insn_xsave, AREA));
		assert_int_equal(area(f)[0] == 0xee, !(rfbm & 1));
		assert_int_equal(area(f)[40] == 0xee, !(rfbm & 1));
		assert_int_equal(area(f)[24] == 0xee, !(rfbm & 2));
		assert_int_equal(area(f)[160] == 0xee, !(rfbm & 2));
		assert_int_equal(ram_read64(f, AREA + 512), rfbm);
		assert_int_equal(area(f)[520], 0xee); /* XCOMP_BV is not written */
		fixture_free(f);
	}
}

/* The init optimization and the bits of components that were not asked for. */
static void test_in_use(void **state)
{
	struct fixture *f = with_state();

	memset(f->cpu.xsave_area + 160, 0, 256);
	memset(area(f), 0xee, 576);
	ram_write64(f, AREA + 512, 2);
	request(f, 1);
	assert_false(escapes(f, insn_xsave, AREA));
	assert_int_equal(ram_read64(f, AREA + 512), 3);
	request(f, 3);
	assert_false(escapes(f, insn_xsaveopt, AREA));
	assert_int_equal(ram_read64(f, AREA + 512), 1); /* SSE is in its initial state */
	assert_int_equal(area(f)[160], 0xee);
	assert_false(escapes(f, insn_xsavec, AREA));
	assert_int_equal(ram_read64(f, AREA + 512), 1);
	assert_int_equal(ram_read64(f, AREA + 520), BIT64(63) | 3);
	f->cpu.gpr[REG_RCX] = 1;
	assert_false(escapes(f, insn_xgetbv, 0));
	assert_int_equal(f->cpu.gpr[REG_RAX], 1);
	f->cpu.gpr[REG_RCX] = 0;
	assert_false(escapes(f, insn_xgetbv, 0));
	assert_int_equal(f->cpu.gpr[REG_RAX], 3);
	f->cpu.gpr[REG_RCX] = 2;
	assert_true(escapes(f, insn_xgetbv, 0));
	fixture_free(f);
}

static void test_xrstor(void **state)
{
	struct fixture *f = with_state();
	uint8_t before[512];

	memcpy(before, f->cpu.xsave_area, sizeof(before));
	request(f, 3);
	assert_false(escapes(f, insn_xsavec, AREA));
	memset(f->cpu.xsave_area, 0, 512);
	assert_false(escapes(f, insn_xrstor, AREA)); /* takes the compacted form */
	assert_memory_equal(f->cpu.xsave_area, before, 28);
	assert_memory_equal(f->cpu.xsave_area + 32, before + 32, 384);
	memset(area(f) + 512, 0, 64);
	assert_false(escapes(f, insn_xsave, AREA));
	/* A clear bit initializes its component. */
	ram_write64(f, AREA + 512, 2);
	assert_false(escapes(f, insn_xrstor, AREA));
	assert_int_equal(f->cpu.xsave_area[0], 0x7f);
	assert_int_equal(f->cpu.xsave_area[1], 0x03);
	assert_int_equal(f->cpu.xsave_area[40], 0);
	assert_memory_equal(f->cpu.xsave_area + 160, before + 160, 256);
	ram_write64(f, AREA + 512, 1);
	assert_false(escapes(f, insn_xrstor, AREA));
	assert_int_equal(f->cpu.xsave_area[160], 0);
	assert_memory_equal(f->cpu.xsave_area + 24, "\x80\x1f\0\0", 4);
	fixture_free(f);
}

static void test_header(void **state)
{
	static const struct {
		unsigned at;
		uint64_t value;
		insn *handler;
		bool faults;
	} cases[] = {
	    {512, 0, insn_xrstor, false},
	    {512, 4, insn_xrstor, true}, /* not in XCR0 */
	    {520, 1, insn_xrstor, true},
	    {528, 1, insn_xrstor, true},
	    {536, 1, insn_xrstor, false}, /* ignored by the standard form */
	    {520, BIT64(63) | 3, insn_xrstor, false},
	    {520, BIT64(63) | 4, insn_xrstor, true},
	    {520, BIT64(63) | 2, insn_xrstor, true}, /* XSTATE_BV has more */
	    {520, BIT64(63) | 3, insn_xrstors, false},
	    {520, 0, insn_xrstors, true}, /* compacted only */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = with_state();

		request(f, 3);
		assert_false(escapes(f, insn_xsave, AREA));
		ram_write64(f, AREA + cases[i].at, cases[i].value);
		assert_int_equal(escapes(f, cases[i].handler, AREA), cases[i].faults);
		if (cases[i].faults)
			assert_int_equal(f->cpu.event.vector, VECTOR_GP);
		fixture_free(f);
	}
}

static void test_xsetbv(void **state)
{
	static const struct {
		uint64_t index, value;
		bool faults;
	} cases[] = {
	    {0, 1, false}, {0, 3, false}, {0, 2, true},	    {0, 0, true},
	    {0, 7, false}, {0, 5, true}, /* AVX needs SSE */
	    {0, 6, true},  {0, 15, true}, {0, 0x203, true}, {1, 3, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = with_state();

		request(f, cases[i].value);
		f->cpu.gpr[REG_RCX] = cases[i].index;
		assert_int_equal(escapes(f, insn_xsetbv, 0), cases[i].faults);
		assert_int_equal(f->cpu.xcr0, cases[i].faults ? 3 : cases[i].value);
		assert_int_equal(seen.intercepted, 1); /* exits whatever the operands */
		fixture_free(f);
	}
}

/* In VMX non-root operation undefined unless "enable XSAVES/XRSTORS" is 1, whatever else holds. */
static void test_nonroot(void **state)
{
	static insn *const handlers[] = {insn_xsaves, insn_xrstors};

	for (unsigned i = 0; i < 2; i++) {
		struct fixture *f = with_state();

		f->cpu.vmx->nonroot = true;
		f->cpu.cr0 |= CR0_TS;
		f->cpu.cpl = 3;
		mmu_mode_changed(&f->cpu);
		assert_true(escapes(f, handlers[i], AREA));
		assert_int_equal(f->cpu.event.vector, VECTOR_UD);
		f->cpu.vmx->secondary = SECONDARY_ENABLE_XSAVES;
		assert_true(escapes(f, handlers[i], AREA));
		assert_int_equal(f->cpu.event.vector, VECTOR_NM);
		f->cpu.cr0 &= ~(uint64_t)CR0_TS;
		assert_true(escapes(f, handlers[i], AREA));
		assert_int_equal(f->cpu.event.vector, VECTOR_GP);
		assert_int_equal(seen.intercepted, 0);
		fixture_free(f);
	}
}

/* ---- components beyond the legacy region ---- */

static struct fixture *with_keys(void)
{
	struct fixture *f = fixture_new("skylake,+pku");

	f->cpu.cr0 = CR0_PE;
	f->cpu.cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	f->cpu.efer = EFER_LMA;
	f->cpu.seg[SEG_CS].ar = AR_L;
	f->cpu.xcr0 = 0x207;
	f->cpu.pkru = 0x55555554;
	memcpy(f->cpu.xsave_area, "\x7f\x03", 2);
	memcpy(f->cpu.xsave_area + 24, "\x80\x1f\0\0", 4);
	memset(f->cpu.xsave_area + YMM, 0x77, 256);
	mmu_mode_changed(&f->cpu);
	memset(area(f), 0xee, PAGE_SIZE);
	memset(area(f) + 512, 0, 64);
	return f;
}

/* SDM 1 "Extended Region of an XSAVE Area": fixed offsets, or one section after the other. */
static void test_formats(void **state)
{
	static const struct {
		insn *handler;
		uint64_t mask;
		unsigned avx, pkru; /* 0: not there */
	} cases[] = {
	    {insn_xsave, 0x207, 576, 2688}, {insn_xsave, 0x200, 0, 2688},
	    {insn_xsaveopt, 4, 576, 0},	    {insn_xsavec, 0x207, 576, 832},
	    {insn_xsavec, 0x200, 0, 576},   {insn_xsaves, 0x204, 576, 832},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = with_keys();
		uint64_t used = cases[i].mask & 0x204;

		request(f, cases[i].mask);
		assert_false(escapes(f, cases[i].handler, AREA));
		assert_int_equal(ram_read64(f, AREA + 512), used);
		for (unsigned at = 576; at < 2704; at += 8) {
			uint64_t expected = UINT64_C(0xeeeeeeeeeeeeeeee);

			if (cases[i].avx && at >= cases[i].avx && at < cases[i].avx + 256)
				expected = UINT64_C(0x7777777777777777);
			if (cases[i].pkru && at == cases[i].pkru)
				expected = 0x55555554;
			assert_int_equal(ram_read64(f, AREA + at), expected);
		}
		memset(f->cpu.xsave_area + YMM, 0x11, 256);
		f->cpu.pkru = 1;
		assert_false(escapes(f, insn_xrstor, AREA));
		assert_int_equal(f->cpu.pkru, cases[i].pkru ? 0x55555554 : 1);
		assert_int_equal(f->cpu.xsave_area[YMM + 255], cases[i].avx ? 0x77 : 0x11);
		/* Not present: the initial configuration. */
		ram_write64(f, AREA + 512, 0);
		assert_false(escapes(f, insn_xrstor, AREA));
		assert_int_equal(f->cpu.pkru, cases[i].pkru ? 0 : 1);
		assert_int_equal(f->cpu.xsave_area[YMM], cases[i].avx ? 0 : 0x11);
		fixture_free(f);
	}
}

/* MXCSR goes with AVX in the standard format only, and makes SSE in use in the compacted one only.
 */
static void test_mxcsr(void **state)
{
	struct fixture *f = with_keys();

	memcpy(f->cpu.xsave_area + 24, "\x81\x1f\0\0", 4);
	request(f, 4);
	assert_false(escapes(f, insn_xsavec, AREA));
	assert_int_equal(area(f)[24], 0xee);
	assert_false(escapes(f, insn_xsaveopt, AREA));
	assert_int_equal(area(f)[24], 0x81);
	request(f, 2);
	ram_write64(f, AREA + 520, 0);
	assert_false(escapes(f, insn_xsaveopt, AREA));
	assert_int_equal(ram_read64(f, AREA + 512) & 2, 0);
	assert_false(escapes(f, insn_xsavec, AREA));
	assert_int_equal(ram_read64(f, AREA + 512), 2);
	fixture_free(f);
}

/* Outside 64-bit mode there are eight YMM registers. */
static void test_narrow(void **state)
{
	struct fixture *f = with_keys();

	f->cpu.seg[SEG_CS].ar = AR_DB;
	f->cpu.seg[SEG_DS] =
	    (struct segment){.limit = UINT32_MAX, .ar = AR_P | AR_S | AR_TYPE_WRITABLE};
	request(f, 0x204);
	assert_false(escapes(f, insn_xsave, AREA));
	assert_int_equal(area(f)[YMM + 127], 0x77);
	assert_int_equal(area(f)[YMM + 128], 0xee);
	assert_int_equal(ram_read64(f, AREA + 2688), 0x55555554);
	ram_write64(f, AREA + 512, 0);
	assert_false(escapes(f, insn_xrstor, AREA));
	assert_int_equal(f->cpu.xsave_area[YMM + 127], 0);
	assert_int_equal(f->cpu.xsave_area[YMM + 128], 0x77);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_faults),	     cmocka_unit_test(test_fxsave),
	    cmocka_unit_test(test_xsave_components), cmocka_unit_test(test_in_use),
	    cmocka_unit_test(test_xrstor),	     cmocka_unit_test(test_header),
	    cmocka_unit_test(test_xsetbv),	     cmocka_unit_test(test_nonroot),
	    cmocka_unit_test(test_formats),	     cmocka_unit_test(test_mxcsr),
	    cmocka_unit_test(test_narrow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
