/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a user-mode comparison with a CPU cannot show of the x87: who may execute it, when pending
 * exceptions are reported and to whom, the environment's layouts, pointers to the last instruction,
 * and what Intel's parts do otherwise than the host may.
 */
#include "tests/l0/machine/interp/x87/exec.h"

#include "l0/machine/devices/ioapic.h"
#include "l0/machine/devices/platform.h"

#define FLD1 "\xd9\xe8"
#define FLDZ "\xd9\xee"
#define FNOP "\xd9\xd0"
#define FADD "\xd8\xc1"
#define FDIVP "\xde\xf9"
#define FNINIT "\xdb\xe3"
#define FNCLEX "\xdb\xe2"
#define FNSTSW_AX "\xdf\xe0"
#define FWAIT "\x9b"

/* ---- who may ---- */

static void who_may(void **state)
{
	static const struct {
		const char *insn;
		unsigned length;
		uint64_t cr0;
		bool pending;
		unsigned vector;
	} cases[] = {
	    {FNOP, 2, 0, false, NO_FAULT},
	    {FNOP, 2, CR0_MP, false, NO_FAULT},
	    {FNOP, 2, CR0_EM, false, VECTOR_NM},
	    {FNOP, 2, CR0_TS, true, VECTOR_NM},
	    {FNOP, 2, 0, true, VECTOR_MF},
	    {FNINIT, 2, CR0_TS, false, VECTOR_NM},
	    {FNINIT, 2, CR0_EM, false, VECTOR_NM},
	    {FNINIT, 2, 0, true, NO_FAULT},
	    {FNCLEX, 2, 0, true, NO_FAULT},
	    {FNSTSW_AX, 2, 0, true, NO_FAULT},
	    {"\xd9\x3d\x00\x50\x00\x00", 6, 0, true, NO_FAULT}, /* FNSTCW */
	    {"\xd9\x2d\x00\x50\x00\x00", 6, 0, true, VECTOR_MF}, /* FLDCW */
	    {"\xdd\x35\x00\x50\x00\x00", 6, 0, true, NO_FAULT}, /* FNSAVE */
	    {"\xdd\x25\x00\x50\x00\x00", 6, 0, true, VECTOR_MF}, /* FRSTOR */
	    {FWAIT, 1, CR0_EM, false, NO_FAULT},
	    {FWAIT, 1, CR0_TS, false, NO_FAULT},
	    {FWAIT, 1, CR0_TS | CR0_MP, true, VECTOR_NM},
	    {FWAIT, 1, CR0_TS, true, VECTOR_MF},
	    {"\x0f\xfc\xc1", 3, 0, true, VECTOR_MF}, /* PADDB MM0, MM1 */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = x87_new(PROTECTED, NULL);

		f->cpu.cr0 |= cases[i].cr0;
		if (cases[i].pending) {
			set_control(f, 0x37b);
			x87_set_word(&f->cpu, X87_FSW, 0x8084);
		}
		if (run_bytes(f, cases[i].insn, cases[i].length) != cases[i].vector)
			fail_msg("case %zu: %d", i, f->cpu.event.valid ? f->cpu.event.vector : -1);
		fixture_free(f);
	}
}

/* ---- exceptions ---- */

/* An unmasked exception found before the computation changes nothing but the status; the next
 * waiting instruction reports it, for as long as it is there. */
static void reported_by_the_next(void **state)
{
	struct fixture *f = x87_new(PROTECTED, NULL);

	set_control(f, 0x37b);
	OK(f, FLD1);
	OK(f, FLDZ);
	OK(f, FDIVP);
	assert_int_equal(status(f), 0xb084); /* TOP 6 */
	assert_st(f, 0, 0, 0);
	assert_st(f, 1, 0x3fff, F80_INTEGER);
	assert_int_equal(RUN(f, FNOP), VECTOR_MF);
	assert_int_equal(RUN(f, FWAIT), VECTOR_MF);
	OK(f, FNCLEX);
	assert_int_equal(status(f), 0x3000);
	OK(f, FNOP);
	set_control(f, 0x37f);
	OK(f, FDIVP);
	assert_st(f, 0, 0x7fff, F80_INTEGER);
	assert_int_equal(status(f), 0x3804);
	/* unmasking reports at once what is there */
	poke(f, DATA, 0x37b, 2);
	OK(f, "\xd9\x2d\x00\x50\x00\x00");
	assert_int_equal(status(f), 0xb884);
	assert_int_equal(RUN(f, FNOP), VECTOR_MF);
	fixture_free(f);
}

static void stack_faults(void **state)
{
	struct fixture *f = x87_new(PROTECTED, NULL);

	OK(f, FADD); /* ST(0) and ST(1) are empty */
	assert_int_equal(status(f), FSW_SF | SOFT_IE);
	assert_st(f, 0, 0xffff, UINT64_C(0xc000000000000000));
	OK(f, FNINIT);
	for (unsigned i = 0; i < 8; i++)
		OK(f, FLD1);
	assert_int_equal(status(f), 0);
	OK(f, FLDZ);
	assert_int_equal(status(f), 7 << 11 | FSW_C1 | FSW_SF | SOFT_IE);
	assert_st(f, 0, 0xffff, UINT64_C(0xc000000000000000));
	fixture_free(f);
}

/* SDM 2 "FCOM/FCOMP/FCOMPP", "FCOMI": with invalid operation unmasked the result is not reported.
 */
static void unordered_unmasked(void **state)
{
	struct fixture *f = x87_new(PROTECTED, NULL);

	set_control(f, 0x37e);
	OK(f, FLD1);
	x87_set(&f->cpu, 0, F80_INDEFINITE);
	x87_set_word(&f->cpu, X87_FSW, 7 << 11 | FSW_C2);
	OK(f, "\xd8\xd0"); /* FCOM ST(0) */
	assert_int_equal(status(f), 0x8080 | 7 << 11 | FSW_C2 | SOFT_IE);
	OK(f, FNCLEX);
	cpu_set_rflags(&f->cpu, RFLAGS_FIXED1 | RFLAGS_STATUS);
	OK(f, "\xdb\xf0"); /* FCOMI ST(0) */
	assert_int_equal(cpu_rflags(&f->cpu) & RFLAGS_STATUS, RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF);
	OK(f, FNCLEX);
	set_control(f, 0x37f);
	cpu_set_rflags(&f->cpu, RFLAGS_FIXED1 | RFLAGS_OF);
	OK(f, "\xdb\xf0");
	assert_int_equal(cpu_rflags(&f->cpu) & RFLAGS_STATUS, RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF);
	fixture_free(f);
}

/* A remainder by infinity is the dividend. Tiny, it is an underflow as any other result: SDM 1
 * "Numeric Underflow Exception (#U)". */
static void tiny_remainder_by_infinity(void **state)
{
	const struct f80 infinity = {F80_INTEGER, 0x7fff}, tiny = {UINT64_C(0x72fe600000000000), 0};
	struct fixture *f = x87_new(PROTECTED, NULL);

	OK(f, FLD1);
	OK(f, FLD1);
	for (unsigned nearest = 0; nearest < 2; nearest++) {
		OK(f, FNCLEX);
		x87_set(&f->cpu, 0, tiny);
		x87_set(&f->cpu, 1, infinity);
		set_control(f, 0x37f);
		run_bytes(f, nearest ? "\xd9\xf5" : "\xd9\xf8", 2); /* FPREM1, FPREM */
		assert_int_equal(status(f), 6 << 11 | SOFT_DE);
		assert_st(f, 0, tiny.se, tiny.sig);
		set_control(f, 0x36f);
		run_bytes(f, nearest ? "\xd9\xf5" : "\xd9\xf8", 2);
		assert_int_equal(status(f), 0x8080 | 6 << 11 | SOFT_DE | SOFT_UE);
		assert_st(f, 0, 0x6000, tiny.sig << 1);
	}
	fixture_free(f);
}

/* ---- CR0.NE = 0 ---- */

static void board_reports(void **state)
{
	struct fixture *f = x87_new(PROTECTED, NULL);

	f->machine.ioapic = ioapic_create(&f->machine);
	fpu_port_create(&f->machine);
	machine_port_write(&f->machine, 0x21, 1, 0xfb); /* the cascade */
	machine_port_write(&f->machine, 0xa1, 1, 0xdf); /* IRQ 13 */
	f->cpu.cr0 &= ~CR0_NE;
	set_control(f, 0x37b);
	OK(f, FLD1);
	OK(f, FLDZ);
	OK(f, FDIVP);
	assert_false(pic_output(f->machine.pic));
	OK(f, FNOP); /* stops before it */
	assert_int_equal(f->cpu.activity, ACTIVITY_HLT);
	assert_int_equal(cpu_rip(&f->cpu), CODE);
	assert_true(pic_output(f->machine.pic));
	assert_int_equal(pic_ack(f->machine.pic), 0x75);
	f->cpu.activity = ACTIVITY_ACTIVE;
	machine_port_write(&f->machine, 0xf0, 1, 0);
	OK(f, FNOP); /* IGNNE# */
	assert_int_equal(f->cpu.activity, ACTIVITY_ACTIVE);
	OK(f, FNCLEX);
	OK(f, FDIVP); /* a new error */
	OK(f, FNOP);
	assert_int_equal(f->cpu.activity, ACTIVITY_HLT);
	fixture_free(f);
}

/* ---- environment ---- */

static void set_environment(struct fixture *f)
{
	uint64_t fip = 0x12345678, fdp = 0x9abcdef0;

	OK(f, FLDZ);
	OK(f, FLD1);
	OK(f, "\xdd\xc0"); /* FFREE ST(0) */
	OK(f, "\xd9\xf7"); /* FINCSTP */
	memcpy(f->cpu.xsave_area + X87_FIP, &fip, 8);
	memcpy(f->cpu.xsave_area + X87_FDP, &fdp, 8);
	x87_set_word(&f->cpu, X87_FOP, 0x5a1);
	f->cpu.x87_cs = 0x1b;
	f->cpu.x87_ds = 0x23;
}

/* SDM 1 "x87 FPU State Image in Memory": figures of the four formats. TOP is 7, register 7 zero. */
static void layouts(void **state)
{
	static const struct {
		enum fixture_mode mode;
		const char *insn;
		unsigned length, size;
		uint16_t words[14];
	} cases[] = {
	    {PROTECTED, "\xd9\x35\x00\x50\x00\x00", 6, 28,
	     {0x37f, 0xffff, 0x3800, 0xffff, 0x7fff, 0xffff, 0x5678, 0x1234, 0x1b, 0x5a1, 0xdef0, 0x9abc,
	      0x23, 0xffff}},
	    {PROTECTED, "\x66\xd9\x35\x00\x50\x00\x00", 7, 14,
	     {0x37f, 0x3800, 0x7fff, 0x5678, 0x1b, 0xdef0, 0x23}},
	    {REAL, "\xd9\x36\x00\x50", 4, 14,
	     {0x37f, 0x3800, 0x7fff, 0x5828, 0x45a1, 0xe120, 0xc000}},
	    {REAL, "\x66\xd9\x36\x00\x50", 5, 28,
	     {0x37f, 0xffff, 0x3800, 0xffff, 0x7fff, 0xffff, 0x5828, 0xffff, 0x45a1, 0x123, 0xe120,
	      0xffff, 0xc000, 0x9ab}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = x87_new(cases[i].mode, "nehalem");

		set_environment(f);
		assert_int_equal(run_bytes(f, cases[i].insn, cases[i].length), NO_FAULT);
		for (unsigned at = 0; at < cases[i].size; at += 2)
			if (peek(f, DATA + at, 2) != cases[i].words[at / 2])
				fail_msg("case %zu: word at %u is %#lx", i, at, peek(f, DATA + at, 2));
		assert_int_equal(x87_word(&f->cpu, X87_FCW), 0x37f);
		fixture_free(f);
	}
}

/* What FNSAVE stores FRSTOR loads, in both sizes; between them the unit is initialised. */
static void save_and_restore(void **state)
{
	for (unsigned narrow = 0; narrow < 2; narrow++) {
		struct fixture *f = x87_new(PROTECTED, "nehalem");
		uint8_t before[160];

		set_environment(f);
		memcpy(before, f->cpu.xsave_area, sizeof(before));
		if (narrow) {
			OK(f, "\x66\xdd\x35\x00\x50\x00\x00");
		} else {
			OK(f, "\xdd\x35\x00\x50\x00\x00");
		}
		assert_int_equal(x87_word(&f->cpu, X87_FCW), 0x37f);
		assert_int_equal(status(f), 0);
		assert_int_equal(f->cpu.xsave_area[X87_FTW], 0);
		if (narrow) {
			OK(f, "\x66\xdd\x25\x00\x50\x00\x00");
			memset(before + X87_FOP, 0, 2); /* not in this layout, nor is the rest of: */
			memset(before + X87_FIP + 2, 0, 6);
			memset(before + X87_FDP + 2, 0, 6);
		} else {
			OK(f, "\xdd\x25\x00\x50\x00\x00");
		}
		assert_memory_equal(f->cpu.xsave_area, before, 24);
		assert_memory_equal(f->cpu.xsave_area + 32, before + 32, 128);
		assert_int_equal(f->cpu.x87_cs, 0x1b);
		assert_int_equal(f->cpu.x87_ds, 0x23);
		fixture_free(f);
	}
}

/* ---- pointers ---- */

static uint64_t pointer(const struct fixture *f, unsigned at)
{
	uint64_t value;

	memcpy(&value, f->cpu.xsave_area + at, 8);
	return value;
}

/* CPUID.(EAX=07H,ECX=0):EBX[6] and [13]: FDP moves with unmasked exceptions only, selectors are 0.
 */
static void pointers(void **state)
{
	static const struct {
		const char *spec;
		uint64_t fdp;
		uint16_t cs, ds;
	} parts[] = {{"skylake", 0, 0, 0}, {"nehalem", DATA, CODE32, DATA32}};

	for (unsigned i = 0; i < 2; i++) {
		struct fixture *f = x87_new(PROTECTED, parts[i].spec);

		OK(f, FLD1);
		OK(f, "\xd8\x05\x00\x50\x00\x00"); /* FADD m32fp */
		assert_int_equal(pointer(f, X87_FIP), CODE);
		assert_int_equal(pointer(f, X87_FDP), parts[i].fdp);
		assert_int_equal(f->cpu.x87_cs, parts[i].cs);
		assert_int_equal(f->cpu.x87_ds, parts[i].ds);
		assert_int_equal(x87_word(&f->cpu, X87_FOP), 0);
		cpu_rip(&f->cpu) = CODE + 0x10;
		OK(f, "\xd9\x3d\x00\x51\x00\x00"); /* FNSTCW: control, changes nothing */
		assert_int_equal(pointer(f, X87_FIP), CODE);
		set_control(f, 0x37b);
		OK(f, "\xd8\x35\x00\x50\x00\x00"); /* FDIV m32fp by zero */
		assert_int_equal(pointer(f, X87_FIP), CODE + 0x10);
		assert_int_equal(pointer(f, X87_FDP), DATA);
		assert_int_equal(x87_word(&f->cpu, X87_FOP), 0x035);
		fixture_free(f);
	}
}

/* With REX.W pointers are 64 bits wide, otherwise 32 bits and a selector. */
static void fxsave_forms(void **state)
{
	for (unsigned wide = 0; wide < 2; wide++) {
		struct fixture *f = x87_new(LONG64, "skylake,-no-fcs-fds");
		uint64_t fip = 0x123456789abcdef0;

		memcpy(f->cpu.xsave_area + X87_FIP, &fip, 8);
		f->cpu.x87_cs = 0x33;
		if (wide) {
			OK(f, "\x48\x0f\xae\x04\x25\x00\x50\x00\x00");
			assert_int_equal(peek(f, DATA + 8, 8), fip);
			poke(f, DATA, 0x37b, 2); /* unmasks what the status has: ES follows */
			poke(f, DATA + 2, 4, 2);
			OK(f, "\x48\x0f\xae\x0c\x25\x00\x50\x00\x00");
			assert_int_equal(pointer(f, X87_FIP), fip);
			assert_int_equal(f->cpu.x87_cs, 0);
			assert_int_equal(status(f), 0x8084);
		} else {
			OK(f, "\x0f\xae\x04\x25\x00\x50\x00\x00");
			assert_int_equal(peek(f, DATA + 8, 8), 0x339abcdef0);
			OK(f, "\x0f\xae\x0c\x25\x00\x50\x00\x00");
			assert_int_equal(pointer(f, X87_FIP), 0x9abcdef0);
			assert_int_equal(f->cpu.x87_cs, 0x33);
		}
		fixture_free(f);
	}
}

/* ---- MMX ---- */

static void mmx_aliases(void **state)
{
	struct fixture *f = x87_new(LONG64, NULL);

	OK(f, FLD1); /* register 7 */
	f->cpu.gpr[REG_RAX] = 0x1122334455667788;
	OK(f, "\x48\x0f\x6e\xc8"); /* MOVQ MM1, RAX */
	assert_int_equal(status(f), 0);
	assert_int_equal(f->cpu.xsave_area[X87_FTW], 0xff);
	assert_st(f, 1, 0xffff, 0x1122334455667788);
	assert_st(f, 7, 0x3fff, F80_INTEGER);
	OK(f, "\x0f\x77"); /* EMMS */
	assert_int_equal(f->cpu.xsave_area[X87_FTW], 0);
	OK(f, FLDZ);
	OK(f, "\x48\x0f\x7e\xc8"); /* MOVQ RAX, MM1, with TOP at 7 before */
	assert_int_equal(f->cpu.gpr[REG_RAX], 0x1122334455667788);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_may),
	    cmocka_unit_test(reported_by_the_next),
	    cmocka_unit_test(stack_faults),
	    cmocka_unit_test(unordered_unmasked),
	    cmocka_unit_test(tiny_remainder_by_infinity),
	    cmocka_unit_test(board_reports),
	    cmocka_unit_test(layouts),
	    cmocka_unit_test(save_and_restore),
	    cmocka_unit_test(pointers),
	    cmocka_unit_test(fxsave_forms),
	    cmocka_unit_test(mmx_aliases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
