/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Transactions, as machine code through the run loop: what commits and what is taken back, the
 * status of each kind of abort, nesting, capacity, debugging, IA32_TSX_CTRL. SDM 1 "Programming
 * with Intel Transactional Synchronization Extensions".
 */
#include "tests/l0/machine/interp/code.h"

#include "l0/machine/interp/insn_table.h"
#include "l0/machine/interp/perf.h"
#include "l0/machine/interp/rtm.h"

enum { FALLBACK = CODE + 0x100, DEVICE = 0xfee00000, BEFORE = 0x1122334455667788 };

/* XBEGIN at CODE, 6 bytes, with FALLBACK */
#define XBEGIN 0xc7, 0xf8, 0xfa, 0, 0, 0
#define XEND 0x0f, 0x01, 0xd5
#define XTEST 0x0f, 0x01, 0xd6
#define XABORT 0xc6, 0xf8
#define STORE_RBX 0x89, 0x03 /* mov [rbx], eax */

/* Vector v halts at HANDLER + 16 * v; so does the fallback. RBX points to DATA, full of 8s. */
static struct fixture *rtm_new(void)
{
	struct fixture *f = fixture_new(LONG64);
	char error[128];

	assert_true(cpu_profile_parse("cascade-lake", &f->profile, error, sizeof(error)));
	insn_features_announced(&f->cpu, f->cpu.blocks->env.announced);
	f->cpu.cr4 |= CR4_OSFXSR;
	cpu_mode_changed(&f->cpu);
	poke(f, PDPT + 24, UINT64_C(0xc0000000) | PTE_P | PTE_W | PTE_PS, 8);
	put_halting_handlers(f, 31);
	CODE_AT(f, FALLBACK, HLT);
	poke(f, DATA, UINT64_C(0x0808080808080808), 8);
	f->cpu.gpr[REG_RAX] = BEFORE;
	f->cpu.gpr[REG_RBX] = DATA;
	f->cpu.attention = true;
	return f;
}

/* Runs to a HLT; the address behind it. */
static uint64_t run(struct fixture *f)
{
	uint64_t end = run_to_hlt(f);

	assert_false(rtm_active(&f->cpu));
	return end;
}

/* Runs to the fallback address; EAX there. */
static uint64_t aborted(struct fixture *f)
{
	assert_int_equal(run(f), FALLBACK + 1);
	return f->cpu.gpr[REG_RAX];
}

static void test_commit(void **state)
{
	struct fixture *f = rtm_new();

	/* xtest in it and after it */
	CODE_AT(f, CODE, XBEGIN, STORE_RBX, XTEST, 0x0f, 0x95, 0xc1, XEND, XTEST, 0x0f, 0x94, 0xc2,
		HLT);
	cpu_set_rflags(&f->cpu, RFLAGS_FIXED1 | RFLAGS_CF | RFLAGS_OF);
	assert_int_equal(run(f), CODE + 24);
	assert_int_equal(peek(f, DATA, 8), UINT64_C(0x0808080855667788));
	assert_int_equal(f->cpu.gpr[REG_RCX] & 0xff, 1);
	assert_int_equal(f->cpu.gpr[REG_RDX] & 0xff, 1);
	assert_int_equal(cpu_rflags(&f->cpu), RFLAGS_FIXED1 | RFLAGS_ZF);
	assert_int_equal(f->cpu.gpr[REG_RAX], BEFORE);
	fixture_free(f);
}

/* Memory, registers, flags, XMM registers, MXCSR are what they were. */
static void test_abort_takes_everything_back(void **state)
{
	struct fixture *f = rtm_new();
	uint8_t area[sizeof(f->cpu.xsave_area)];

	/* movq xmm1,rbx; mov [rbx],rsp; ldmxcsr [rbx+16]; std; push rbx; inc rbx; xor edx,edx;
	 * xabort 0x5a */
	CODE_AT(f, CODE, XBEGIN, 0x66, 0x48, 0x0f, 0x6e, 0xcb, 0x48, 0x89, 0x23, 0x0f, 0xae, 0x53,
		0x10, 0xfd, 0x53, 0x48, 0xff, 0xc3, 0x31, 0xd2, XABORT, 0x5a);
	poke(f, DATA + 16, 0x1fc0, 8);
	memcpy(area, f->cpu.xsave_area, sizeof(area));
	f->cpu.gpr[REG_RDX] = 77;
	cpu_set_rflags(&f->cpu, RFLAGS_FIXED1 | RFLAGS_CF);
	assert_int_equal(aborted(f), 0x5a000001);
	assert_int_equal(peek(f, DATA, 8), UINT64_C(0x0808080808080808));
	assert_int_equal(peek(f, STACK - 8, 8), 0);
	assert_int_equal(f->cpu.gpr[REG_RBX], DATA);
	assert_int_equal(f->cpu.gpr[REG_RDX], 77);
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK);
	assert_int_equal(cpu_rflags(&f->cpu), RFLAGS_FIXED1 | RFLAGS_CF);
	assert_memory_equal(area, f->cpu.xsave_area, sizeof(area));
	fixture_free(f);
}

/* The fallback address is the outermost one's, and what the inner ones wrote goes, too. */
static void test_nesting(void **state)
{
	struct fixture *f = rtm_new();

	CODE_AT(f, CODE, XBEGIN, XBEGIN, STORE_RBX, XEND, XABORT, 1);
	assert_int_equal(aborted(f), 0x01000001);
	assert_int_equal(peek(f, DATA, 1), 8);
	fixture_free(f);

	f = rtm_new();
	CODE_AT(f, CODE, XBEGIN, XBEGIN, STORE_RBX, XABORT, 1);
	assert_int_equal(aborted(f), 0x01000001 | RTM_NESTED);
	assert_int_equal(peek(f, DATA, 1), 8);
	fixture_free(f);

	f = rtm_new();
	CODE_AT(f, CODE, XBEGIN, XBEGIN, XBEGIN, XBEGIN, XBEGIN, XBEGIN, XBEGIN, XEND, XEND, XEND,
		XEND, XEND, XEND, XEND, HLT);
	assert_int_equal(run(f), CODE + 7 * 9 + 1);
	fixture_free(f);

	f = rtm_new();
	CODE_AT(f, CODE, XBEGIN, XBEGIN, XBEGIN, XBEGIN, XBEGIN, XBEGIN, XBEGIN, XBEGIN, HLT);
	assert_int_equal(aborted(f), RTM_NESTED);
	fixture_free(f);
}

/* mov ecx,n; l: mov [rbx],eax; add rbx,stride; loop l; xend; hlt */
static void store_often(struct fixture *f, uint32_t n, uint32_t stride)
{
	CODE_AT(f, CODE, XBEGIN, 0xb9, 0, 0, 0, 0, STORE_RBX, 0x48, 0x81, 0xc3, 0, 0, 0, 0, 0xe2,
		0xf5, XEND, HLT);
	poke(f, CODE + 7, n, 4);
	poke(f, CODE + 16, stride, 4);
	f->cpu.gpr[REG_RBX] = 0x100000;
}

/* 512 lines, eight ways of 64 sets. */
static void test_capacity(void **state)
{
	static const struct {
		uint32_t n, stride;
		bool fits;
	} rows[] = {{512, 64, true}, {513, 64, false}, {8, 4096, true}, {9, 4096, false},
		    {600, 0, true}};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = rtm_new();

		store_often(f, rows[i].n, rows[i].stride);
		assert_int_equal(run(f), rows[i].fits ? CODE + 26 : FALLBACK + 1);
		assert_int_equal(f->cpu.gpr[REG_RAX], rows[i].fits ? BEFORE : RTM_CAPACITY);
		assert_int_equal(peek(f, 0x100000, 4), rows[i].fits ? 0x55667788 : 0);
		assert_int_equal(peek(f, 0x100000 + 7 * rows[i].stride, 4),
				 rows[i].fits ? 0x55667788 : 0);
		fixture_free(f);
	}
}

/* A store across two lines, and two pages. */
static void test_straddling_store(void **state)
{
	struct fixture *f = rtm_new();

	CODE_AT(f, CODE, XBEGIN, STORE_RBX, XABORT, 0);
	f->cpu.gpr[REG_RBX] = 0x100ffe;
	poke(f, 0x100ff8, UINT64_C(0x0102030405060708), 8);
	poke(f, 0x101000, UINT64_C(0x1112131415161718), 8);
	assert_int_equal(aborted(f), RTM_XABORT);
	assert_int_equal(peek(f, 0x100ff8, 8), UINT64_C(0x0102030405060708));
	assert_int_equal(peek(f, 0x101000, 8), UINT64_C(0x1112131415161718));
	fixture_free(f);
}

/* Exceptions are as if they had not been; a device's register is not touched. */
static void test_suppressed(void **state)
{
	static const uint8_t codes[][8] = {
		{0x0f, 0x0b},		  /* ud2 */
		{0x31, 0xc9, 0xf7, 0xf1}, /* xor ecx,ecx; div ecx */
		{0xa1, 0, 0, 0, 0x80, 0, 0, 0}, /* mov eax,[unmapped] */
		{0xa1, 0x20, 0, 0xe0, 0xfe, 0, 0, 0}, /* mov eax,[the local APIC's ID] */
		{0x0f, 0xa2},		  /* cpuid */
		{0xf3, 0x90},		  /* pause */
		{0xd9, 0xe8},		  /* fld1 */
		{0x0f, 0x77},		  /* emms */
		{0xfa},			  /* cli */
		{HLT},
	};

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct fixture *f = rtm_new();

		CODE_AT(f, CODE, XBEGIN, STORE_RBX);
		assert_true(memory_write(&f->machine.memory, CODE + 8, codes[i], sizeof(codes[i])));
		f->cpu.cr2 = 5;
		assert_int_equal(aborted(f), 0);
		assert_int_equal(peek(f, DATA, 1), 8);
		assert_int_equal(f->cpu.cr2, 5);
		fixture_free(f);
	}
}

/* Code that a transaction has changed is again what it was. */
static void test_code_is_restored(void **state)
{
	struct fixture *f = rtm_new();

	/* call s; mov byte [s+1],2; call s; xabort 0; s: mov cl,1; ret */
	CODE_AT(f, CODE, XBEGIN, 0xe8, 0x0f, 0, 0, 0, 0xc6, 0x05, 0x09, 0, 0, 0, 2, 0xe8, 3, 0, 0,
		0, XABORT, 7, 0xb1, 1, 0xc3);
	CODE_AT(f, FALLBACK, 0xe8, 0x15, 0xff, 0xff, 0xff, HLT); /* call s */
	assert_int_equal(run(f), FALLBACK + 6);
	assert_int_equal(f->cpu.gpr[REG_RAX], 0x07000001);
	assert_int_equal(f->cpu.gpr[REG_RCX] & 0xff, 1);
	assert_int_equal(peek(f, CODE + 27, 1), 1);
	fixture_free(f);
}

/* Stops between the instructions of a transaction. */
static void run_for(struct fixture *f, unsigned insns)
{
	f->machine.max_insns = f->cpu.insns + insns;
	interp_cpu_ops.run(&f->cpu);
	assert_int_equal(f->machine.stop, STOP_INSN_LIMIT);
	assert_true(rtm_active(&f->cpu));
}

static void test_nmi(void **state)
{
	struct fixture *f = rtm_new();

	CODE_AT(f, CODE, XBEGIN, STORE_RBX, 0xeb, 0xfe);
	run_for(f, 5);
	interp_cpu_ops.nmi(&f->cpu);
	assert_int_equal(run(f), HANDLER + 16 * VECTOR_NMI + 1);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 8), FALLBACK);
	assert_int_equal(f->cpu.gpr[REG_RAX], RTM_RETRY);
	assert_int_equal(peek(f, DATA, 1), 8);
	fixture_free(f);
}

/* Counter 0 counts instructions in transactions, 1 all, 2 all but those of aborted ones. XBEGIN
 * counts as in its transaction, XEND as behind it. */
static void test_counters(void **state)
{
	static const uint64_t modes[] = {EVTSEL_IN_TX, 0, EVTSEL_IN_TXCP};
	static const uint64_t expected[2][3] = {{2, 5, 5}, {2, 3, 1}};

	for (unsigned aborts = 0; aborts < 2; aborts++) {
		struct fixture *f = rtm_new();

		CODE_AT(f, CODE, XBEGIN, 0x90, XEND, 0x90, HLT);
		if (aborts)
			CODE_AT(f, CODE + 7, 0x0f, 0x0b);
		for (unsigned i = 0; i < 3; i++)
			assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERFEVTSEL0 + i,
					      EVTSEL_EN | EVTSEL_OS | 0xc0 | modes[i]));
		assert_false(cpu_wrmsr(&f->cpu, MSR_IA32_PERFEVTSEL0, EVTSEL_IN_TXCP));
		assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_CTRL, 7));
		run(f);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(perf_counter(&f->cpu, FIXED_COUNTERS + i),
					 expected[aborts][i]);
		fixture_free(f);
	}
}

/* ---- debugging ---- */

enum debug_how { BY_INT3, BY_INT1, BY_STEP, BY_CODE, BY_DATA };

static struct fixture *debugging(enum debug_how how, bool advanced)
{
	struct fixture *f = rtm_new();

	CODE_AT(f, CODE, XBEGIN, STORE_RBX, 0xcc, XEND, HLT);
	poke(f, CODE + 8, how == BY_INT1 ? 0xf1 : how == BY_INT3 ? 0xcc : 0x90, 1);
	f->cpu.dr[0] = how == BY_DATA ? DATA : CODE + 8;
	f->cpu.dr7 |= how == BY_CODE ? 1 : how == BY_DATA ? 0xd0001 : 0;
	f->cpu.dr7 |= advanced ? DR7_RTM : 0;
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_DEBUGCTL, DEBUGCTL_RTM));
	cpu_mode_changed(&f->cpu);
	if (how == BY_STEP)
		flags_load(&f->cpu, RFLAGS_TF, RFLAGS_TF);
	return f;
}

static void test_debug_aborts(void **state)
{
	static const enum debug_how ways[] = {BY_INT3, BY_INT1, BY_CODE, BY_DATA};

	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct fixture *f = debugging(ways[i], false);

		assert_int_equal(aborted(f), RTM_DEBUG);
		assert_int_equal(f->cpu.dr6, DR6_FIXED1);
		assert_int_equal(peek(f, DATA, 1), 8);
		fixture_free(f);
	}
}

static void test_advanced_debugging(void **state)
{
	static const struct {
		enum debug_how how;
		uint64_t dr6;
	} rows[] = {{BY_INT3, 0}, {BY_INT1, 0}, {BY_CODE, 1}, {BY_DATA, 1}, {BY_STEP, DR6_BS}};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = debugging(rows[i].how, true);

		assert_int_equal(run(f), HANDLER + 16 * VECTOR_DB + 1);
		assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 8), CODE);
		assert_int_equal(f->cpu.gpr[REG_RAX], BEFORE);
		assert_int_equal(f->cpu.dr6, (DR6_FIXED1 & ~DR6_RTM) | rows[i].dr6);
		assert_int_equal(peek(f, DATA, 1), 8);
		fixture_free(f);
	}
}

/* Outside a transaction DR6.RTM is set again. */
static void test_dr6_outside(void **state)
{
	struct fixture *f = debugging(BY_CODE, true);

	CODE_AT(f, CODE, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90);
	f->cpu.dr6 = DR6_FIXED1 & ~DR6_RTM;
	assert_int_equal(run(f), HANDLER + 16 * VECTOR_DB + 1);
	assert_int_equal(f->cpu.dr6, DR6_FIXED1 | 1);
	fixture_free(f);
}

/* ---- the instructions by themselves ---- */

static void test_outside(void **state)
{
	struct fixture *f = rtm_new();

	CODE_AT(f, CODE, XABORT, 3, XEND);
	assert_int_equal(run(f), HANDLER + 16 * VECTOR_GP + 1);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 8), 0);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP] + 8, 8), CODE + 3);
	fixture_free(f);
}

static void test_fallback_address(void **state)
{
	struct fixture *f = rtm_new();

	/* 16 bits of displacement, which do not truncate the address */
	CODE_AT(f, CODE, 0x66, 0xc7, 0xf8, 0xfb, 0x00, XABORT, 0);
	assert_int_equal(aborted(f), RTM_XABORT);
	f->cpu.escape = &f->escape;
	f->op.imm = 0x10;
	cpu_rip(&f->cpu) = UINT64_C(0x00007ffffffffff0);
	assert_outcome(f, call(f, insn_xbegin), VECTOR_GP, 0);
	assert_false(rtm_active(&f->cpu));
	fixture_free(f);
}

static void test_tsx_ctrl(void **state)
{
	struct fixture *f = rtm_new();
	uint64_t value = 0;
	uint32_t out[4];

	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_ARCH_CAPABILITIES, &value));
	assert_true(value & ARCH_CAPABILITIES_TSX_CTRL);
	assert_false(cpu_wrmsr(&f->cpu, MSR_IA32_TSX_CTRL, 4));
	cpu_cpuid(&f->cpu, 7, 0, out);
	assert_int_equal(out[CPUID_EBX] & (BIT32(4) | BIT32(11)), BIT32(4) | BIT32(11));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_TSX_CTRL, TSX_CTRL_CPUID_CLEAR));
	cpu_cpuid(&f->cpu, 7, 0, out);
	assert_int_equal(out[CPUID_EBX] & (BIT32(4) | BIT32(11)), 0);
	CODE_AT(f, CODE, XBEGIN, STORE_RBX, XEND, HLT);
	assert_int_equal(run(f), CODE + 12);
	cpu_rip(&f->cpu) = CODE;
	f->cpu.activity = ACTIVITY_ACTIVE;
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_TSX_CTRL, TSX_CTRL_RTM_DISABLE));
	assert_int_equal(aborted(f), 0);
	fixture_free(f);
}

/* Parts without RTM have nothing of it. */
static void test_absent(void **state)
{
	struct fixture *f = fixture_new(LONG64);
	uint64_t value = 0;

	assert_false(cpu_rdmsr(&f->cpu, MSR_IA32_TSX_CTRL, &value));
	assert_false(cpu_wrmsr(&f->cpu, MSR_IA32_DEBUGCTL, DEBUGCTL_RTM));
	f->op.reg = 6;
	assert_int_equal(call(f, insn_mov_to_dr), NO_FAULT);
	assert_int_equal(f->cpu.dr6, DR6_FIXED1);
	f->cpu.gpr[0] = DR7_RTM;
	f->op.reg = 7;
	assert_int_equal(call(f, insn_mov_to_dr), NO_FAULT);
	assert_int_equal(f->cpu.dr7, DR7_FIXED1);
	fixture_free(f);
}

/* Every row of rtm.def is an instruction. */
static void test_rows(void **state)
{
	static const char *const names[] = {
#define RTM_ABORTS(handler) #handler,
#define RTM_ABORTS_NAME(mnemonic) #mnemonic,
#include "l0/machine/interp/rtm.def"
#undef RTM_ABORTS
#undef RTM_ABORTS_NAME
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bool found = false;

		for (unsigned row = 0; row < insn_row_count(); row++) {
			const struct insn_row *r = insn_row(row);
			const char *name = r->mnemonic + (r->mnemonic[0] == 'V');

			if (!strcmp(r->handler, names[i]) || !strcmp(name, names[i]))
				found = insn_info(row)->rtm_aborts;
		}
		if (!found)
			fail_msg("%s is no instruction", names[i]);
	}
}

/* Bounds are taken back with the rest; a branch that would clear some aborts, and so does a bound
 * table reached by a segment that is not flat: SDM 1 "Support of Intel MPX in Intel TSX". */
static struct fixture *mpx_new(uint64_t config)
{
	struct fixture *f = rtm_new();

	f->cpu.cr4 |= CR4_OSXSAVE;
	f->cpu.xcr0 = 0x1f;
	f->cpu.msrs.bndcfgs = config;
	f->cpu.mpx.bound[0].upper = ~(uint64_t)DATA;
	cpu_mode_changed(&f->cpu);
	return f;
}

#define BNDMK_BND1 0xf3, 0x0f, 0x1b, 0x0b /* bndmk bnd1, [rbx] */
static void test_bounds(void **state)
{
	struct fixture *f = mpx_new(1);

	CODE_AT(f, CODE, XBEGIN, BNDMK_BND1, 0xf2, 0xe9, 0, 0, 0, 0, XEND, HLT); /* bnd jmp */
	assert_int_equal(run(f), CODE + 20);
	assert_int_equal(f->cpu.mpx.bound[1].lower, DATA);
	assert_int_equal(f->cpu.mpx.bound[0].upper, ~(uint64_t)DATA);
	fixture_free(f);

	f = mpx_new(1);
	CODE_AT(f, CODE, XBEGIN, BNDMK_BND1, XABORT, 1);
	assert_int_equal(aborted(f), 0x01000001);
	assert_int_equal(f->cpu.mpx.bound[1].lower, 0);
	fixture_free(f);

	f = mpx_new(1);
	CODE_AT(f, CODE, XBEGIN, 0xe9, 0, 0, 0, 0, XEND, HLT);
	assert_int_equal(aborted(f), 0);
	assert_int_equal(f->cpu.mpx.bound[0].upper, ~(uint64_t)DATA);
	fixture_free(f);

	f = mpx_new(3);
	CODE_AT(f, CODE, XBEGIN, 0xe9, 0, 0, 0, 0, XEND, HLT);
	assert_int_equal(run(f), CODE + 15);
	fixture_free(f);

	/* bndcu bnd0, [rbx + 1]: #BR, and nobody hears of it */
	f = mpx_new(3);
	CODE_AT(f, CODE, XBEGIN, 0xf2, 0x0f, 0x1a, 0x43, 1, XEND, HLT);
	assert_int_equal(aborted(f), 0);
	assert_int_equal(f->cpu.mpx.status, 0);
	fixture_free(f);
}

static void test_bound_tables(void **state)
{
	for (unsigned flat = 0; flat < 2; flat++) {
		struct fixture *f = mpx_new(0x20003);

		f->cpu.seg[SEG_FS].base = flat ? 0 : 8;
		poke(f, 0x20000, 0x30001, 8);
		CODE_AT(f, CODE, XBEGIN, 0x64, 0x0f, 0x1b, 0x03, XEND,
			HLT); /* bndstx fs:[rbx], bnd0 */
		if (flat)
			assert_int_equal(run(f), CODE + 14);
		else
			assert_int_equal(aborted(f), 0);
		assert_int_equal(peek(f, 0x30008 + (DATA >> 3) * 32, 8),
				 flat ? ~(uint64_t)DATA : 0);
		fixture_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit),
		cmocka_unit_test(test_abort_takes_everything_back),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_straddling_store),
		cmocka_unit_test(test_suppressed),
		cmocka_unit_test(test_code_is_restored),
		cmocka_unit_test(test_nmi),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_debug_aborts),
		cmocka_unit_test(test_advanced_debugging),
		cmocka_unit_test(test_dr6_outside),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_fallback_address),
		cmocka_unit_test(test_tsx_ctrl),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bound_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
