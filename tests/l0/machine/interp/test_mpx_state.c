/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The bound registers as code and its system meet them: which branches clear them, the XSAVE
 * components, XCR0, INIT. SDM 1 "CALL, RET, JMP and All Jcc", "MPX State".
 */
#include "tests/l0/machine/interp/bounds.h"

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
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_branches_in_code),
		cmocka_unit_test(test_branch_faults),
		cmocka_unit_test(test_xsave),
		cmocka_unit_test(test_xsavec),
		cmocka_unit_test(test_xcr0),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
