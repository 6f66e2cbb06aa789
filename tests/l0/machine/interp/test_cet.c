/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Shadow stacks: whose pages they are, the instructions that manage them, what events, far
 * transfers and task switches leave there and compare; the MSRs. Near branches and the tracker run
 * as code in test_cet_code.c.
 */
#include "tests/l0/machine/interp/protect.h"

#include "l0/machine/interp/cet.h"

/* 4 KiB pages from 2 MiB on. */
#define TABLE UINT64_C(0x12000)
#define DIRECTORY UINT64_C(0x13000)
#define USER_SHADOW UINT64_C(0x200000)
#define SHADOW UINT64_C(0x201000)
#define SHADOW_IST UINT64_C(0x202000)
#define SHADOW_PAGE (PTE_P | PTE_A | PTE_D)
#define TOP (SHADOW + 0xff8) /* of a shadow stack with a token: the frame's region is aligned */
#define VECTOR 0x40

static void map(struct fixture *f, uint64_t linear, uint64_t flags)
{
	poke(f, TABLE + (linear >> 12 & 511) * 8, PAGE_BASE(linear) | flags, 8);
	mmu_flush_all(&f->cpu);
}

static void become(struct fixture *f, const char *part)
{
	char error[128];

	assert_true(cpu_profile_parse(part, &f->profile, error, sizeof(error)));
}

static struct fixture *cet_fixture(enum fixture_mode mode)
{
	struct fixture *f = fixture_new(mode);

	become(f, "sapphire-rapids");
	poke(f, PDPT, DIRECTORY | PTE_P | PTE_W | PTE_U, 8);
	poke(f, DIRECTORY, PTE_P | PTE_W | PTE_U | PTE_PS, 8);
	poke(f, DIRECTORY + 8, TABLE | PTE_P | PTE_W | PTE_U, 8);
	map(f, USER_SHADOW, SHADOW_PAGE | PTE_U);
	map(f, SHADOW, SHADOW_PAGE);
	map(f, SHADOW_IST, SHADOW_PAGE);
	f->cpu.cr0 |= CR0_WP;
	f->cpu.cr4 |= CR4_CET;
	f->cpu.cet.s_cet = f->cpu.cet.u_cet = CET_SH_STK_EN | CET_WR_SHSTK_EN;
	f->cpu.cet.ssp = TOP;
	cpu_mode_changed(&f->cpu);
	return f;
}

static unsigned probe(struct fixture *f, unsigned access)
{
	f->cpu.event.valid = false;
	if (setjmp(f->escape) == 0)
		lin_probe(&f->cpu, USER_SHADOW, 8, access);
	return f->cpu.event.valid ? f->cpu.event.vector : NO_FAULT;
}

/* ---- pages ---- */

/* SDM 3A "Determination of Access Rights". */
static void check_page(struct fixture *f, uint64_t leaf, bool above_writable, bool user, bool write)
{
	bool shadow = !(leaf & PTE_W) && (leaf & PTE_D) && above_writable;
	bool allowed = shadow && !(leaf & PTE_U) == !user;
	unsigned access = cet_access(user ? 3 : 0) | (write ? MEM_WRITE : 0);

	assert_outcome(f, probe(f, access), allowed ? NO_FAULT : VECTOR_PF,
		       PFEC_P | PFEC_SS | (write ? PFEC_W : 0) | (user ? PFEC_U : 0));
	/* The TLB knows, too. */
	assert_outcome(f, probe(f, access), allowed ? NO_FAULT : VECTOR_PF,
		       PFEC_P | PFEC_SS | (write ? PFEC_W : 0) | (user ? PFEC_U : 0));
}

static void test_pages(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	for (unsigned i = 0; i < 64; i++) {
		uint64_t leaf = PTE_P | (i & 1 ? PTE_W : 0) | (i & 2 ? PTE_D : 0) |
				(i & 4 ? PTE_U : 0);

		poke(f, DIRECTORY + 8, TABLE | PTE_P | PTE_U | (i & 8 ? PTE_W : 0), 8);
		map(f, USER_SHADOW, leaf);
		check_page(f, leaf, i & 8, i & 16, i & 32);
	}
	fixture_free(f);
}

/* To everybody else it is a read-only page, whatever the TLB has learnt. */
static void test_ordinary_accesses(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(probe(f, cet_access(3) | MEM_WRITE), NO_FAULT);
		assert_int_equal(probe(f, MEM_READ | MEM_USER), NO_FAULT);
		assert_outcome(f, probe(f, MEM_WRITE | MEM_USER), VECTOR_PF,
			       PFEC_P | PFEC_W | PFEC_U);
		assert_outcome(f, probe(f, MEM_WRITE), VECTOR_PF, PFEC_P | PFEC_W);
		assert_outcome(f, probe(f, cet_access(0)), VECTOR_PF, PFEC_P | PFEC_SS);
	}
	map(f, USER_SHADOW, 0);
	assert_outcome(f, probe(f, cet_access(3)), VECTOR_PF, PFEC_SS | PFEC_U);
	fixture_free(f);
}

static void test_keys(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	f->cpu.cr4 |= CR4_PKE;
	f->cpu.pkru = 2u << 2 * 3;
	map(f, USER_SHADOW, SHADOW_PAGE | PTE_U | UINT64_C(3) << PTE_KEY_SHIFT);
	cpu_mode_changed(&f->cpu);
	assert_int_equal(probe(f, cet_access(3)), NO_FAULT);
	assert_outcome(f, probe(f, cet_access(3) | MEM_WRITE), VECTOR_PF,
		       PFEC_P | PFEC_W | PFEC_U | PFEC_SS | PFEC_PK);
	fixture_free(f);
}

/* ---- instructions ---- */

static void test_off(void **state)
{
	static handler *const insns[] = {insn_incssp,	insn_saveprevssp, insn_rstorssp, insn_wrss,
					 insn_setssbsy, insn_clrssbsy};
	struct fixture *f = cet_fixture(LONG64);

	f->cpu.cet.s_cet = 0;
	for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++)
		assert_int_equal(call(f, insns[i]), VECTOR_UD);
	use_register(f, REG_RBX);
	f->cpu.gpr[REG_RBX] = 77;
	assert_int_equal(call(f, insn_rdssp), NO_FAULT);
	assert_int_equal(f->cpu.gpr[REG_RBX], 77);
	f->cpu.cet.s_cet = CET_SH_STK_EN; /* without WR_SHSTK_EN */
	assert_int_equal(call(f, insn_wrss), VECTOR_UD);
	assert_int_equal(call(f, insn_rdssp), NO_FAULT);
	assert_int_equal(f->cpu.gpr[REG_RBX], TOP);
	f->cpu.cr4 &= ~CR4_CET;
	assert_int_equal(call(f, insn_wruss), VECTOR_UD);
	fixture_free(f);
}

static void test_incssp(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	use_register(f, REG_RBX);
	f->cpu.cet.ssp = SHADOW + 0xff0;
	f->cpu.gpr[REG_RBX] = 0x102; /* 8 bits count */
	assert_int_equal(call(f, insn_incssp), NO_FAULT);
	assert_int_equal(f->cpu.cet.ssp, SHADOW + 0x1000);
	/* The last entry of the next page but one is no shadow stack. */
	f->cpu.cet.ssp = SHADOW_IST + 0xff8;
	f->cpu.gpr[REG_RBX] = 2;
	assert_outcome(f, call(f, insn_incssp), VECTOR_PF, PFEC_SS);
	assert_int_equal(f->cpu.cet.ssp, SHADOW_IST + 0xff8);
	f->cpu.gpr[REG_RBX] = 1;
	f->op.opsize = 4;
	assert_int_equal(call(f, insn_incssp), NO_FAULT);
	assert_int_equal(f->cpu.cet.ssp, SHADOW_IST + 0xffc);
	fixture_free(f);
}

static void test_wrss(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	f->op.reg = REG_RBX;
	f->cpu.gpr[REG_RBX] = UINT64_C(0x1122334455667788);
	use_memory(f, SHADOW + 8);
	assert_int_equal(call(f, insn_wrss), NO_FAULT);
	assert_int_equal(peek(f, SHADOW + 8, 8), UINT64_C(0x1122334455667788));
	use_memory(f, SHADOW + 4);
	assert_outcome(f, call(f, insn_wrss), VECTOR_GP, 0);
	f->op.opsize = 4;
	assert_int_equal(call(f, insn_wrss), NO_FAULT);
	use_memory(f, USER_SHADOW);
	assert_outcome(f, call(f, insn_wrss), VECTOR_PF, PFEC_P | PFEC_W | PFEC_SS);
	assert_int_equal(call(f, insn_wruss), NO_FAULT);
	assert_int_equal(peek(f, USER_SHADOW, 8), 0x55667788);
	use_memory(f, SHADOW); /* WRUSS is as user, whoever executes it */
	assert_outcome(f, call(f, insn_wruss), VECTOR_PF, PFEC_P | PFEC_W | PFEC_SS | PFEC_U);
	set_segments(f, LONG64, 3);
	assert_outcome(f, call(f, insn_wruss), VECTOR_GP, 0);
	fixture_free(f);
}

static void test_busy(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	f->cpu.cet.pl_ssp[0] = TOP;
	assert_outcome(f, call(f, insn_setssbsy), VECTOR_CP, CP_SETSSBSY);
	poke(f, TOP, TOP, 8);
	f->cpu.cet.ssp = 0;
	assert_int_equal(call(f, insn_setssbsy), NO_FAULT);
	assert_int_equal(f->cpu.cet.ssp, TOP);
	assert_int_equal(peek(f, TOP, 8), TOP | 1);
	assert_outcome(f, call(f, insn_setssbsy), VECTOR_CP, CP_SETSSBSY);
	use_memory(f, (uint32_t)TOP);
	assert_int_equal(call(f, insn_clrssbsy), NO_FAULT);
	assert_int_equal(peek(f, TOP, 8), TOP);
	assert_int_equal(f->cpu.cet.ssp, 0);
	assert_false(cpu_rflags(&f->cpu) & RFLAGS_CF);
	assert_int_equal(call(f, insn_clrssbsy), NO_FAULT); /* not busy: CF */
	assert_true(cpu_rflags(&f->cpu) & RFLAGS_CF);
	f->cpu.cet.pl_ssp[0] = TOP - 4;
	assert_outcome(f, call(f, insn_setssbsy), VECTOR_GP, 0);
	set_segments(f, LONG64, 3);
	assert_outcome(f, call(f, insn_setssbsy), VECTOR_GP, 0);
	fixture_free(f);
}

/* To another stack and back, a restore token left behind. */
static void test_restore(void **state)
{
	struct fixture *f = cet_fixture(LONG64);
	uint64_t at = SHADOW_IST + 0x100;

	f->cpu.cet.ssp = SHADOW + 0x804; /* leaves an alignment hole */
	use_memory(f, (uint32_t)at);
	assert_outcome(f, call(f, insn_rstorssp), VECTOR_CP, CP_RSTORSSP);
	poke(f, at, (at + 8) | 1, 8);
	assert_int_equal(call(f, insn_rstorssp), NO_FAULT);
	assert_int_equal(f->cpu.cet.ssp, at);
	assert_int_equal(peek(f, at, 8), (SHADOW + 0x804) | 3);
	assert_false(cpu_rflags(&f->cpu) & RFLAGS_CF);
	assert_int_equal(call(f, insn_saveprevssp), NO_FAULT);
	assert_int_equal(f->cpu.cet.ssp, at + 8);
	assert_int_equal(peek(f, SHADOW + 0x7f8, 8), (SHADOW + 0x804) | 1);
	assert_int_equal(peek(f, SHADOW + 0x800, 4), 0);
	use_memory(f, (uint32_t)SHADOW + 0x7f8);
	assert_int_equal(call(f, insn_rstorssp), NO_FAULT);
	assert_true(cpu_rflags(&f->cpu) & RFLAGS_CF);
	assert_outcome(f, call(f, insn_saveprevssp), VECTOR_GP, 0); /* no holes in 64-bit mode */
	fixture_free(f);
}

/* Tokens of the other mode, of another place, previous-SSP tokens. */
static void test_bad_tokens(void **state)
{
	const uint64_t at = SHADOW_IST + 0x100, bad[] = {at + 8, (at + 8) | 2, (at + 8) | 3,
							 (at + 16) | 1, at | 1};
	struct fixture *f = cet_fixture(LONG64);

	use_memory(f, (uint32_t)at);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		poke(f, at, bad[i], 8);
		assert_outcome(f, call(f, insn_rstorssp), VECTOR_CP, CP_RSTORSSP);
		assert_int_equal(peek(f, at, 8), bad[i]);
		assert_int_equal(f->cpu.cet.ssp, TOP);
	}
	use_memory(f, (uint32_t)at + 4);
	assert_outcome(f, call(f, insn_rstorssp), VECTOR_GP, 0);
	fixture_free(f);
}

/* ---- events ---- */

#define EVENT (&(struct cpu_event){.vector = VECTOR, .type = INTR_TYPE_EXTERNAL})

static void assert_frame(struct fixture *f, uint64_t at, uint64_t cs, uint64_t lip, uint64_t ssp)
{
	assert_int_equal(peek(f, at, 8), ssp);
	assert_int_equal(peek(f, at + 8, 8), lip);
	assert_int_equal(peek(f, at + 16, 8), cs);
}

static void iret(struct fixture *f, unsigned vector, uint32_t error)
{
	assert_outcome(f, call(f, insn_iret), vector, error);
	cpu_rip(&f->cpu) = f->cpu.next_rip;
}

static void test_same_level(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	put_idt(f, VECTOR, DESC_INT_GATE, 0, CODE64);
	f->cpu.cet.ssp = SHADOW + 0x804;
	assert_true(deliver(f, EVENT));
	assert_int_equal(f->cpu.cet.ssp, SHADOW + 0x800 - 24);
	assert_frame(f, SHADOW + 0x800 - 24, CODE64, CODE, SHADOW + 0x804);
	assert_int_equal(peek(f, SHADOW + 0x800, 4), 0);
	iret(f, NO_FAULT, 0);
	assert_int_equal(f->cpu.cet.ssp, SHADOW + 0x804);
	assert_int_equal(cpu_rip(&f->cpu), CODE);
	fixture_free(f);
}

static void test_compares(void **state)
{
	static const struct {
		unsigned offset;
		uint64_t flip;
		uint8_t vector;
		uint32_t error;
	} rows[] = {
		{16, 8, VECTOR_CP, CP_FAR_RET_IRET}, {16, 0x10000, VECTOR_CP, CP_FAR_RET_IRET},
		{8, 1, VECTOR_CP, CP_FAR_RET_IRET},  {0, 2, VECTOR_CP, CP_FAR_RET_IRET},
		{0, BIT64(55), VECTOR_GP, 0},
	};
	struct fixture *f = cet_fixture(LONG64);
	uint64_t frame, rsp;

	put_idt(f, VECTOR, DESC_INT_GATE, 0, CODE64);
	assert_true(deliver(f, EVENT));
	frame = f->cpu.cet.ssp;
	rsp = f->cpu.gpr[REG_RSP];
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t old = peek(f, frame + rows[i].offset, 8);

		poke(f, frame + rows[i].offset, old ^ rows[i].flip, 8);
		assert_outcome(f, call(f, insn_iret), rows[i].vector, rows[i].error);
		assert_int_equal(f->cpu.cet.ssp, frame);
		assert_int_equal(f->cpu.gpr[REG_RSP], rsp);
		poke(f, frame + rows[i].offset, old, 8);
	}
	f->cpu.cet.ssp = frame + 4;
	assert_outcome(f, call(f, insn_iret), VECTOR_CP, CP_FAR_RET_IRET);
	f->cpu.cet.ssp = frame;
	iret(f, NO_FAULT, 0);
	fixture_free(f);
}

/* From user mode: a token, no frame; the user's SSP is kept in IA32_PL3_SSP. */
static void test_from_user(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	put_idt(f, VECTOR, DESC_INT_GATE, 3, CODE64);
	set_segments(f, LONG64, 3);
	f->cpu.cet.ssp = USER_SHADOW + 0x100;
	f->cpu.cet.pl_ssp[0] = TOP;
	poke(f, TOP, TOP, 8);
	assert_true(deliver(f, EVENT));
	assert_int_equal(f->cpu.cpl, 0);
	assert_int_equal(f->cpu.cet.ssp, TOP);
	assert_int_equal(f->cpu.cet.pl3_ssp, USER_SHADOW + 0x100);
	assert_int_equal(peek(f, TOP, 8), TOP | 1);
	f->cpu.cet.pl3_ssp = USER_SHADOW + 0x80;
	iret(f, NO_FAULT, 0);
	assert_int_equal(f->cpu.cpl, 3);
	assert_int_equal(f->cpu.cet.ssp, USER_SHADOW + 0x80);
	assert_int_equal(peek(f, TOP, 8), TOP);
	fixture_free(f);
}

static void deliver_once(struct fixture *f)
{
	f->cpu.event = *EVENT;
	if (setjmp(f->escape) == 0)
		cpu_deliver_event(&f->cpu);
}

/* #GP(0) in delivery is a #GP of delivery: seen here as the next event. */
static void test_bad_switch(void **state)
{
	static const struct {
		uint64_t ssp, token;
	} rows[] = {
		{TOP, TOP | 1}, {TOP, 0}, {TOP - 4, TOP - 4},
		{TOP - 8, TOP - 8}, /* token and frame in two regions of 32 bytes */
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = cet_fixture(LONG64);

		put_idt(f, VECTOR, DESC_INT_GATE, 3, CODE64);
		set_segments(f, LONG64, 3);
		f->cpu.cet.ssp = USER_SHADOW + 0x100;
		f->cpu.cet.pl_ssp[0] = rows[i].ssp;
		poke(f, rows[i].ssp, rows[i].token, 8);
		deliver_once(f);
		assert_true(f->cpu.event.valid);
		assert_int_equal(f->cpu.event.vector, VECTOR_GP);
		assert_int_equal(f->cpu.event.error, 0);
		assert_int_equal(f->cpu.cpl, 3);
		assert_int_equal(f->cpu.cet.ssp, USER_SHADOW + 0x100);
		assert_int_equal(peek(f, rows[i].ssp, 8), rows[i].token);
		fixture_free(f);
	}
}

/* The interrupt SSP table: at the same level with a frame; the return frees the token. */
static void test_ist(void **state)
{
	const uint64_t table = 0x14000, top = SHADOW_IST + 0xff8;
	struct fixture *f = cet_fixture(LONG64);

	put_gate(f, IDT + VECTOR * 16, DESC_INT_GATE, 0, CODE64, HANDLER, 1);
	f->cpu.cet.ssp_table = table;
	poke(f, table + 8, top, 8);
	poke(f, top, top, 8);
	assert_true(deliver(f, EVENT));
	assert_int_equal(f->cpu.cet.ssp, top - 24);
	assert_frame(f, top - 24, CODE64, CODE, TOP);
	assert_int_equal(peek(f, top, 8), top | 1);
	iret(f, NO_FAULT, 0);
	assert_int_equal(f->cpu.cet.ssp, TOP);
	assert_int_equal(peek(f, top, 8), top);
	fixture_free(f);
}

/* ---- far transfers ---- */

static void test_far_call(void **state)
{
	struct fixture *f = cet_fixture(COMPAT);
	uint64_t frame = TOP - 24;

	f->op.opsize = 4;
	f->op.disp = CODE32;
	f->op.imm = 0x100;
	assert_int_equal(call(f, insn_far_call), NO_FAULT);
	assert_int_equal(f->cpu.cet.ssp, frame);
	assert_frame(f, frame, CODE32, CODE + 2, TOP);
	poke(f, frame + 8, CODE + 3, 8);
	assert_outcome(f, call(f, insn_retf), VECTOR_CP, CP_FAR_RET_IRET);
	poke(f, frame + 8, CODE + 2, 8);
	assert_int_equal(call(f, insn_retf), NO_FAULT);
	assert_int_equal(f->cpu.cet.ssp, TOP);
	assert_int_equal(f->cpu.next_rip, CODE + 2);
	fixture_free(f);
}

/* Code that is not 64-bit code has no SSP above 4 GiB. */
static void test_high_ssp(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	use_memory(f, DATA);
	poke(f, DATA, 0x100, 4);
	poke(f, DATA + 4, CODE32, 2);
	f->op.opsize = 4;
	f->cpu.cet.ssp = BIT64(32);
	assert_outcome(f, call(f, insn_far_jmp_m), VECTOR_GP, 0);
	assert_outcome(f, call(f, insn_far_call_m), VECTOR_GP, 0);
	f->cpu.cet.s_cet = 0;
	assert_int_equal(call(f, insn_far_jmp_m), NO_FAULT);
	fixture_free(f);
}

static void test_syscall(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	f->cpu.cet.s_cet |= CET_ENDBR_EN;
	f->cpu.msrs.star = (uint64_t)CODE64 << 32 | (uint64_t)(USER_CODE64 - 16) << 48;
	f->cpu.msrs.lstar = HANDLER;
	set_segments(f, LONG64, 3);
	f->cpu.cet.ssp = USER_SHADOW + 0x100;
	assert_int_equal(call(f, insn_syscall), NO_FAULT);
	assert_int_equal(f->cpu.cet.ssp, 0);
	assert_int_equal(f->cpu.cet.pl3_ssp, USER_SHADOW + 0x100);
	assert_int_equal(f->cpu.cet.s_cet & CET_TRACKER, CET_TRACKER);
	assert_true(f->cpu.mode & MODE_ENDBRANCH);
	f->cpu.gpr[REG_RCX] = CODE;
	f->cpu.gpr[REG_R11] = RFLAGS_FIXED1;
	assert_int_equal(call(f, insn_sysret), NO_FAULT);
	assert_int_equal(f->cpu.cet.ssp, USER_SHADOW + 0x100);
	fixture_free(f);
}

/* SDM 2A "IRET": no virtual-8086 mode while user mode has CET. */
static void test_vm86(void **state)
{
	struct fixture *f = cet_fixture(PROTECTED);
	uint64_t frame[] = {0x100, 0x1000, RFLAGS_VM | RFLAGS_FIXED1, 0xfff0, 0x2000, 0, 0, 0, 0};

	for (unsigned i = 0; i < 9; i++)
		poke(f, STACK - 36 + 4 * i, frame[i], 4);
	f->cpu.gpr[REG_RSP] = STACK - 36;
	f->cpu.cet.ssp = TOP;
	poke(f, TOP, TOP | 1, 8);
	assert_outcome(f, call(f, insn_iret), VECTOR_GP, 0);
	f->cpu.cet.u_cet = 0;
	assert_int_equal(call(f, insn_iret), NO_FAULT);
	assert_true(cpu_vm86(&f->cpu));
	assert_int_equal(peek(f, TOP, 8), TOP); /* the supervisor's stack is free */
	fixture_free(f);
}

/* ---- tasks ---- */

static void test_task(void **state)
{
	const uint32_t top = (uint32_t)SHADOW_IST + 0xff8;
	struct fixture *f = cet_fixture(PROTECTED);

	put_segment(f, GDT + TSS_SEL, 0x008b, TSS, 0x67);
	put_segment(f, GDT + TSS_2_SEL, 0x0089, TSS_2, 0x6b);
	poke(f, TSS_2 + 0x20, HANDLER, 4);
	poke(f, TSS_2 + 0x24, RFLAGS_FIXED1, 4);
	poke(f, TSS_2 + 0x38, STACK_0, 4);
	poke(f, TSS_2 + 0x4c, CODE32, 2);
	for (unsigned i = 0; i < 6; i++)
		if (i != SEG_CS)
			poke(f, TSS_2 + 0x48 + 4 * i, DATA32, 2);
	poke(f, TSS_2 + 0x68, top, 4);
	poke(f, top, top, 8);
	poke(f, TOP, TOP | 1, 8);
	f->cpu.cet.ssp = TOP;
	f->op.disp = TSS_2_SEL;
	assert_int_equal(call(f, insn_far_call), NO_FAULT);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER);
	assert_int_equal(f->cpu.cet.ssp, top - 24);
	assert_frame(f, top - 24, CODE32, CODE + 2, TOP);
	assert_int_equal(peek(f, top, 8), top | 1);
	assert_int_equal(call(f, insn_iret), NO_FAULT);
	assert_int_equal(cpu_rip(&f->cpu), CODE + 2);
	assert_int_equal(f->cpu.cet.ssp, TOP);
	assert_int_equal(peek(f, top, 8), top);
	/* A TSS without room for an SSP. */
	put_segment(f, GDT + TSS_2_SEL, 0x0089, TSS_2, 0x67);
	assert_outcome(f, call(f, insn_far_call), VECTOR_TS, TSS_2_SEL);
	fixture_free(f);
}

/* ---- MSRs ---- */

static void test_msrs(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
		bool good;
	} rows[] = {
		{MSR_IA32_U_CET, 0x3f, true},
		{MSR_IA32_U_CET, 0x40, false},
		{MSR_IA32_U_CET, CET_TRACKER, true},
		{MSR_IA32_U_CET, CET_TRACKER | CET_SUPPRESS, false},
		{MSR_IA32_S_CET, UINT64_C(0xffff800000001000), true},
		{MSR_IA32_S_CET, UINT64_C(0x0200000000001000), false},
		{MSR_IA32_PL0_SSP, 4, true},
		{MSR_IA32_PL0_SSP, 2, false},
		{MSR_IA32_PL3_SSP, UINT64_C(0x0200000000000000), false},
		{MSR_IA32_INTERRUPT_SSP_TABLE_ADDR, 1, true},
	};
	struct fixture *f = cet_fixture(LONG64);
	uint64_t value;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(cpu_wrmsr(&f->cpu, rows[i].msr, rows[i].value), rows[i].good);
		assert_true(cpu_rdmsr(&f->cpu, rows[i].msr, &value));
		assert_int_equal(value == rows[i].value, rows[i].good);
	}
	become(f, "sapphire-rapids,-cet-ss");
	assert_false(cpu_wrmsr(&f->cpu, MSR_IA32_S_CET, CET_SH_STK_EN));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_S_CET, CET_ENDBR_EN));
	assert_false(cpu_rdmsr(&f->cpu, MSR_IA32_PL0_SSP, &value));
	become(f, "sapphire-rapids,-cet-ibt");
	assert_false(cpu_wrmsr(&f->cpu, MSR_IA32_S_CET, CET_ENDBR_EN));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_S_CET, CET_SH_STK_EN));
	become(f, "skylake");
	assert_false(cpu_rdmsr(&f->cpu, MSR_IA32_S_CET, &value));
	fixture_free(f);
}

/* SDM 3A "Control Registers": CR4.CET and CR0.WP. */
static void test_write_protect(void **state)
{
	struct fixture *f = cet_fixture(LONG64);

	assert_false(cpu_set_cr0(&f->cpu, f->cpu.cr0 & ~CR0_WP));
	assert_true(cpu_set_cr4(&f->cpu, f->cpu.cr4 & ~CR4_CET));
	assert_true(cpu_set_cr0(&f->cpu, f->cpu.cr0 & ~CR0_WP));
	assert_false(cpu_set_cr4(&f->cpu, f->cpu.cr4 | CR4_CET));
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_ordinary_accesses),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_incssp),
		cmocka_unit_test(test_wrss),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_bad_tokens),
		cmocka_unit_test(test_same_level),
		cmocka_unit_test(test_compares),
		cmocka_unit_test(test_from_user),
		cmocka_unit_test(test_bad_switch),
		cmocka_unit_test(test_ist),
		cmocka_unit_test(test_far_call),
		cmocka_unit_test(test_high_ssp),
		cmocka_unit_test(test_syscall),
		cmocka_unit_test(test_vm86),
		cmocka_unit_test(test_task),
		cmocka_unit_test(test_msrs),
		cmocka_unit_test(test_write_protect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
