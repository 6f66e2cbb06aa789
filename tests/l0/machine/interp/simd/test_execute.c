/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a user-mode comparison with a CPU cannot set up: who may execute SIMD instructions, which
 * exception comes first, #XM or #UD by CR4.OSXMMEXCPT, and that a fault leaves registers alone.
 */
#include "tests/l0/machine/interp/fixture.h"

#include "l0/machine/interp/insn_table.h"
#include "l0/machine/interp/insns.h"

#define AREA UINT64_C(0x8000)

static struct fixture *new_cpu(void)
{
	struct fixture *f = fixture_new("skylake,+mmx,+sse4.2");

	assert_true(blocks_create(&f->cpu));
	f->cpu.cr0 = CR0_PE | CR0_NE;
	f->cpu.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
	f->cpu.efer = EFER_LMA;
	f->cpu.seg[SEG_CS].ar = AR_L;
	f->cpu.xsave_area[AREA_MXCSR] = 0x80;
	f->cpu.xsave_area[AREA_MXCSR + 1] = 0x1f;
	mmu_mode_changed(&f->cpu);
	return f;
}

static void free_cpu(struct fixture *f)
{
	blocks_destroy(&f->cpu);
	fixture_free(f);
}

static uint16_t row_of(const char *encoding)
{
	for (unsigned row = 0; row < insn_row_count(); row++)
		if (!strcmp(insn_row(row)->encoding, encoding))
			return (uint16_t)row;
	fail_msg("no row %s", encoding);
	return 0;
}

static bool escapes(struct fixture *f, const char *encoding, uint8_t flags, uint64_t address)
{
	struct op op = {.row = row_of(encoding),
			.flags = flags,
			.seg = SEG_DS,
			.disp = (int32_t)address,
			.opsize = 4,
			.addrsize = 8,
			.base = REG_ZERO,
			.index = REG_ZERO,
			.reg = 1,
			.rm = 2};

	return ESCAPES(f, simd_execute(&f->cpu, &op));
}

#define PADDB_MMX "NP 0F FC /r"
#define PADDB_SSE "66 0F FC /r"
#define DIVPS "NP 0F 5E /r"
#define CVTPI2PS "NP 0F 2A /r"

static const struct {
	const char *encoding;
	uint64_t cr0, cr4_clear;
	uint8_t flags, fsw;
	uint64_t address;
	int vector; /* -1: none */
} cases[] = {
    {PADDB_MMX, 0, 0, 0, 0, 0, -1},
    {PADDB_MMX, CR0_EM | CR0_TS, 0, 0, 0x80, 0, VECTOR_UD},
    {PADDB_MMX, CR0_TS, 0, 0, 0x80, 0, VECTOR_NM},
    {PADDB_MMX, 0, CR4_OSFXSR, 0, 0, 0, -1},
    {PADDB_MMX, 0, 0, 0, 0x80, 0, VECTOR_MF},
    {PADDB_MMX, 0, 0, OP_MEMORY, 0, AREA + 1, -1},
    {PADDB_SSE, 0, CR4_OSFXSR, 0, 0, 0, VECTOR_UD},
    {PADDB_SSE, CR0_EM, 0, 0, 0, 0, VECTOR_UD},
    {PADDB_SSE, CR0_TS, CR4_OSFXSR, 0, 0, 0, VECTOR_UD},
    {PADDB_SSE, CR0_TS, 0, OP_MEMORY, 0, AREA + 8, VECTOR_NM},
    {PADDB_SSE, 0, 0, OP_MEMORY, 0, AREA + 8, VECTOR_GP},
    {PADDB_SSE, 0, 0, OP_MEMORY, 0, AREA + 16, -1},
    {PADDB_SSE, 0, 0, 0, 0x80, 0, -1},
    {"NP 0F 10 /r", 0, 0, OP_MEMORY, 0, AREA + 1, -1},
    {"F3 0F 7F /r", 0, 0, OP_MEMORY, 0, AREA + 1, -1},
    {"66 0F 7F /r", 0, 0, OP_MEMORY, 0, AREA + 1, VECTOR_GP},
    {CVTPI2PS, 0, CR4_OSFXSR, 0, 0x80, 0, VECTOR_UD},
    {CVTPI2PS, 0, 0, 0, 0x80, 0, VECTOR_MF},
    {"66 0F 2A /r", 0, 0, OP_MEMORY, 0x80, AREA, -1},
};

static void who_may(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = new_cpu();
		bool faults;

		f->cpu.cr0 |= cases[i].cr0;
		f->cpu.cr4 &= ~cases[i].cr4_clear;
		f->cpu.xsave_area[AREA_FSW] = cases[i].fsw;
		faults = escapes(f, cases[i].encoding, cases[i].flags, cases[i].address);
		if (faults != (cases[i].vector >= 0) ||
		    (faults && f->cpu.event.vector != cases[i].vector))
			fail_msg("case %zu: %d", i, faults ? f->cpu.event.vector : -1);
		free_cpu(f);
	}
}

static uint32_t mxcsr(struct fixture *f)
{
	uint32_t value;

	memcpy(&value, f->cpu.xsave_area + AREA_MXCSR, 4);
	return value;
}

static void set_mxcsr(struct fixture *f, uint32_t value)
{
	memcpy(f->cpu.xsave_area + AREA_MXCSR, &value, 4);
}

/* 1/0 in one lane, 1/3 in the others: ZE, which comes before the computation, hides PE if it is
 * unmasked. */
static void unmasked_exceptions(void **state)
{
	const union vec ones = {.d = {0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000}};
	const union vec divisors = {.d = {0x40400000, 0, 0x40400000, 0x40400000}};

	for (unsigned os = 0; os < 2; os++) {
		struct fixture *f = new_cpu();

		*simd_xmm(&f->cpu, 1) = ones;
		*simd_xmm(&f->cpu, 2) = divisors;
		f->cpu.cr4 = CR4_OSFXSR | (os ? CR4_OSXMMEXCPT : 0);
		set_mxcsr(f, 0x1f80 & ~(SOFT_ZE << 7));
		assert_true(escapes(f, DIVPS, 0, 0));
		assert_int_equal(f->cpu.event.vector, os ? VECTOR_XM : VECTOR_UD);
		assert_int_equal(mxcsr(f), (0x1f80 & ~(SOFT_ZE << 7)) | SOFT_ZE);
		assert_memory_equal(simd_xmm(&f->cpu, 1), &ones, 16);
		set_mxcsr(f, 0x1f80 & ~(SOFT_PE << 7));
		assert_true(escapes(f, DIVPS, 0, 0));
		assert_int_equal(mxcsr(f), (0x1f80 & ~(SOFT_PE << 7)) | SOFT_ZE | SOFT_PE);
		assert_memory_equal(simd_xmm(&f->cpu, 1), &ones, 16);
		set_mxcsr(f, 0x1f80);
		assert_false(escapes(f, DIVPS, 0, 0));
		assert_int_equal(simd_xmm(&f->cpu, 1)->d[1], 0x7f800000);
		free_cpu(f);
	}
}

/* A store over the edge of RAM's last page that may be written changes nothing on the first one. */
static void store_faults_as_a_whole(void **state)
{
	const uint64_t page = 0x10000, tables = 0x20000;
	struct fixture *f = new_cpu();
	uint8_t untouched[8];

	memset(untouched, 0x5a, sizeof(untouched));
	memset(f->machine.memory.low + page + PAGE_SIZE - 8, 0x5a, 8);
	ram_write64(f, tables, (tables + 0x1000) | 7);
	ram_write64(f, tables + 0x1000, (tables + 0x2000) | 7);
	ram_write64(f, tables + 0x2000, (tables + 0x3000) | 7);
	ram_write64(f, tables + 0x3000 + 8 * (page >> PAGE_SHIFT), page | 7);
	f->cpu.cr3 = tables;
	f->cpu.cr0 = CR0_PE | CR0_PG | CR0_WP;
	f->cpu.cr4 |= CR4_PAE;
	f->cpu.efer = EFER_LMA | EFER_LME;
	mmu_mode_changed(&f->cpu);
	assert_true(escapes(f, "F3 0F 7F /r", OP_MEMORY, page + PAGE_SIZE - 8));
	assert_int_equal(f->cpu.event.vector, VECTOR_PF);
	assert_int_equal(f->cpu.event.cr2, page + PAGE_SIZE);
	assert_memory_equal(f->machine.memory.low + page + PAGE_SIZE - 8, untouched, 8);
	free_cpu(f);
}

/* TOP 3: MM1 is the x87's physical register 1, which the image holds as ST(6). */
static void mmx_is_on_physical_registers(void **state)
{
	struct fixture *f = new_cpu();

	f->cpu.xsave_area[AREA_FSW + 1] = 3 << 3;
	memset(f->cpu.xsave_area + AREA_ST + 16 * 6, 0x11, 8);
	memset(f->cpu.xsave_area + AREA_ST + 16 * 7, 0x22, 8);
	assert_false(escapes(f, PADDB_MMX, 0, 0));
	assert_int_equal(f->cpu.xsave_area[AREA_FSW + 1], 0);
	assert_int_equal(f->cpu.xsave_area[AREA_FTW], 0xff);
	assert_int_equal(f->cpu.xsave_area[AREA_ST + 16 * 1], 0x33);
	assert_int_equal(f->cpu.xsave_area[AREA_ST + 16 * 1 + 8], 0xff);
	assert_int_equal(f->cpu.xsave_area[AREA_ST + 16 * 2], 0x22);
	assert_false(escapes(f, "NP 0F 77", 0, 0));
	assert_int_equal(f->cpu.xsave_area[AREA_FTW], 0);
	free_cpu(f);
}

/* ---- VEX, SDM 2 "Exception Types" ---- */

static struct fixture *new_avx_cpu(void)
{
	struct fixture *f = new_cpu();

	f->cpu.cr4 |= CR4_OSXSAVE;
	f->cpu.xcr0 = 7;
	return f;
}

#define VADDPS "VEX.L1.NP 0F 58 /r"
#define VMOVDQA "VEX.L1.66 0F 6F /r"

static const struct {
	const char *encoding;
	uint64_t cr0, cr4_clear, xcr0, address;
	int vector; /* -1: none */
} vex_cases[] = {
    {VADDPS, 0, 0, 7, AREA + 1, -1},
    {VADDPS, CR0_EM, CR4_OSFXSR, 7, AREA, -1}, /* neither matters */
    {VADDPS, CR0_TS, CR4_OSXSAVE, 7, AREA, VECTOR_UD},
    {VADDPS, CR0_TS, 0, 3, AREA, VECTOR_UD},
    {VADDPS, CR0_TS, 0, 7, AREA, VECTOR_NM},
    {VMOVDQA, 0, 0, 7, AREA + 32, -1},
    {VMOVDQA, 0, 0, 7, AREA + 16, VECTOR_GP},
    {"VEX.L0.66 0F 6F /r", 0, 0, 7, AREA + 16, -1},
    {"VEX.L1.66 0F E7 /r mem", 0, 0, 7, AREA + 16, VECTOR_GP},
    {"VEX.L1.F3 0F 6F /r", 0, 0, 7, AREA + 16, -1},
};

static void who_may_with_vex(void **state)
{
	for (size_t i = 0; i < sizeof(vex_cases) / sizeof(vex_cases[0]); i++) {
		struct fixture *f = new_avx_cpu();
		bool faults;

		f->cpu.cr0 |= vex_cases[i].cr0;
		f->cpu.cr4 &= ~vex_cases[i].cr4_clear;
		f->cpu.xcr0 = vex_cases[i].xcr0;
		faults = escapes(f, vex_cases[i].encoding, OP_MEMORY, vex_cases[i].address);
		if (faults != (vex_cases[i].vector >= 0) ||
		    (faults && f->cpu.event.vector != vex_cases[i].vector))
			fail_msg("case %zu: %d", i, faults ? f->cpu.event.vector : -1);
		free_cpu(f);
	}
}

/* Legacy instructions leave bits 255:128 alone, VEX.128 clears them. */
static void upper_halves(void **state)
{
	struct fixture *f = new_avx_cpu();

	memset(simd_ymm_upper(&f->cpu, 1), 0x33, 16);
	assert_false(escapes(f, PADDB_SSE, 0, 0));
	assert_int_equal(simd_ymm_upper(&f->cpu, 1)->b[0], 0x33);
	assert_false(escapes(f, "VEX.L0.66 0F FC /r", 0, 0));
	assert_int_equal(simd_ymm_upper(&f->cpu, 1)->q[0] | simd_ymm_upper(&f->cpu, 1)->q[1], 0);
	free_cpu(f);
}

/* Outside 64-bit mode there are eight registers to clear. */
static void zeroing(void **state)
{
	struct fixture *f = new_avx_cpu();

	f->cpu.seg[SEG_CS].ar = AR_DB;
	memset(simd_xmm(&f->cpu, 0), 0x44, 256);
	memset(simd_ymm_upper(&f->cpu, 0), 0x33, 256);
	assert_false(escapes(f, "VEX.L0.NP 0F 77", 0, 0));
	assert_int_equal(simd_ymm_upper(&f->cpu, 7)->b[15], 0);
	assert_int_equal(simd_ymm_upper(&f->cpu, 8)->b[0], 0x33);
	assert_int_equal(simd_xmm(&f->cpu, 7)->b[15], 0x44);
	assert_false(escapes(f, "VEX.L1.NP 0F 77", 0, 0));
	assert_int_equal(simd_xmm(&f->cpu, 7)->b[15], 0);
	assert_int_equal(simd_xmm(&f->cpu, 8)->b[0], 0x44);
	free_cpu(f);
}

static bool gather_escapes(struct fixture *f, uint8_t dest, uint8_t mask, uint8_t index)
{
	struct op op = {.row = row_of("VEX.L1.W0.66 0F 38 90 /r mem"),
			.flags = OP_MEMORY,
			.seg = SEG_DS,
			.disp = (int32_t)AREA,
			.opsize = 4,
			.addrsize = 8,
			.base = REG_ZERO,
			.index = index,
			.reg = dest,
			.vvvv = mask};

	return ESCAPES(f, insn_vgather(&f->cpu, &op));
}

/* A lane that faults leaves those below it done; with the fault mended the rest follows. */
static void gather_restarts(void **state)
{
	struct fixture *f = new_avx_cpu();

	for (unsigned i = 0; i < 8; i++) {
		uint32_t value = 0x100 + i;

		memcpy(f->machine.memory.low + AREA + 4 * i, &value, 4);
		(i < 4 ? simd_xmm : simd_ymm_upper)(&f->cpu, 3)->d[i & 3] = 4 * i;
		(i < 4 ? simd_xmm : simd_ymm_upper)(&f->cpu, 2)->d[i & 3] = 0x80000000;
	}
	simd_xmm(&f->cpu, 2)->d[1] = 0; /* not chosen */
	simd_xmm(&f->cpu, 1)->d[1] = 0x55;
	f->cpu.seg[SEG_CS].ar = AR_DB;
	f->cpu.seg[SEG_DS] =
	    (struct segment){.limit = AREA + 4 * 5 - 1, .ar = AR_P | AR_S | AR_TYPE_WRITABLE};
	assert_true(gather_escapes(f, 1, 2, 3));
	assert_int_equal(f->cpu.event.vector, VECTOR_GP);
	assert_int_equal(simd_xmm(&f->cpu, 1)->d[0], 0x100);
	assert_int_equal(simd_ymm_upper(&f->cpu, 1)->d[0], 0x104);
	assert_int_equal(simd_ymm_upper(&f->cpu, 2)->d[0], 0);
	assert_int_equal(simd_ymm_upper(&f->cpu, 2)->d[1], UINT32_MAX);
	simd_ymm_upper(&f->cpu, 1)->d[0] = 0x77; /* not read again */
	f->cpu.seg[SEG_DS].limit = UINT32_MAX;
	assert_false(gather_escapes(f, 1, 2, 3));
	assert_int_equal(simd_xmm(&f->cpu, 1)->d[1], 0x55);
	assert_int_equal(simd_ymm_upper(&f->cpu, 1)->d[0], 0x77);
	assert_int_equal(simd_ymm_upper(&f->cpu, 1)->d[3], 0x107);
	assert_int_equal(simd_ymm_upper(&f->cpu, 2)->q[0] | simd_ymm_upper(&f->cpu, 2)->q[1], 0);
	assert_true(gather_escapes(f, 1, 1, 3));
	assert_true(gather_escapes(f, 1, 2, 1));
	assert_true(gather_escapes(f, 1, 2, 2));
	assert_int_equal(f->cpu.event.vector, VECTOR_UD);
	free_cpu(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_may),
	    cmocka_unit_test(unmasked_exceptions),
	    cmocka_unit_test(store_faults_as_a_whole),
	    cmocka_unit_test(mmx_is_on_physical_registers),
	    cmocka_unit_test(who_may_with_vex),
	    cmocka_unit_test(upper_halves),
	    cmocka_unit_test(zeroing),
	    cmocka_unit_test(gather_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
