/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Far JMP, CALL, RET, IRET, SYSCALL and SYSENTER families: outcome of every check, and the state
 * after success.
 */
#include "tests/l0/machine/interp/protect.h"

/* ---- far JMP ---- */

struct far_jump {
	const char *what;
	enum fixture_mode mode;
	uint8_t cpl;
	uint16_t selector;
	uint32_t offset;
	uint8_t vector;
	uint32_t error;
	uint16_t cs; /* after success */
};

static const struct far_jump jumps[] = {
	{ "same level", PROTECTED, 0, CODE32, 0x100, NO_FAULT, 0, CODE32 },
	{ "null", PROTECTED, 0, 0, 0, VECTOR_GP, 0, 0 },
	{ "beyond the GDT", PROTECTED, 0, BEYOND, 0, VECTOR_GP, BEYOND, 0 },
	{ "data segment", PROTECTED, 0, DATA32, 0, VECTOR_GP, DATA32, 0 },
	{ "LDT descriptor", PROTECTED, 0, LDT_SEL, 0, VECTOR_GP, LDT_SEL, 0 },
	{ "RPL above CPL", PROTECTED, 0, CODE32 | 3, 0, VECTOR_GP, CODE32, 0 },
	{ "inner level", PROTECTED, 3, CODE32, 0, VECTOR_GP, CODE32, 0 },
	{ "outer level", PROTECTED, 0, USER_CODE32, 0, VECTOR_GP, USER_CODE32, 0 },
	{ "RPL below CPL", PROTECTED, 3, USER_CODE32, 0x10, NO_FAULT, 0, USER_CODE32 | 3 },
	{ "conforming keeps CPL", PROTECTED, 3, CONFORMING, 0x10, NO_FAULT, 0, CONFORMING | 3 },
	{ "absent", PROTECTED, 0, ABSENT_CODE, 0, VECTOR_NP, ABSENT_CODE, 0 },
	{ "offset beyond limit", PROTECTED, 0, CODE16, 0x10000, VECTOR_GP, 0, 0 },
	{ "L and D in IA-32e mode", COMPAT, 0, CODE_LD, 0, VECTOR_GP, CODE_LD, 0 },
	{ "L and D in legacy mode", PROTECTED, 0, CODE_LD, 0, NO_FAULT, 0, CODE_LD },
	{ "to 64-bit code", COMPAT, 0, CODE64, 0x100, NO_FAULT, 0, CODE64 },
	{ "available TSS in IA-32e mode", LONG64, 0, TSS_SEL, 0, VECTOR_GP, TSS_SEL, 0 },
	{ "real mode", REAL, 0, 0x1234, 0x10, NO_FAULT, 0, 0x1234 },
	{ "real mode, beyond limit", REAL, 0, 0x1234, 0x10000, VECTOR_GP, 0, 0 },
};

static void test_jumps(void **state)
{
	for (unsigned i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
		const struct far_jump *row = &jumps[i];
		struct fixture *f = fixture_new(row->mode);
		uint16_t cs;

		if (row->mode != REAL)
			set_segments(f, row->mode, row->cpl);
		cs = f->cpu.seg[SEG_CS].selector;
		f->op.opsize = 4;
		f->op.disp = row->selector;
		f->op.imm = (int32_t)row->offset;
		print_message("%s\n", row->what);
		assert_outcome(f, call(f, insn_far_jmp), row->vector, row->error);
		assert_int_equal(f->cpu.seg[SEG_CS].selector,
				 row->vector == NO_FAULT ? row->cs : cs);
		if (row->vector == NO_FAULT)
			assert_int_equal(f->cpu.next_rip, row->offset);
		assert_int_equal(f->cpu.cpl, row->cpl);
		fixture_free(f);
	}
}

/* ---- call gates ---- */

struct gate {
	const char *what;
	enum fixture_mode mode;
	uint8_t cpl;
	bool jump;
	uint8_t type, dpl;
	uint16_t selector; /* of the code segment */
	uint8_t rpl;       /* of the gate's selector */
	uint8_t vector;
	uint32_t error;
	uint8_t new_cpl;
};

static const struct gate gates[] = {
	{ "same level", PROTECTED, 0, false, 12, 0, CODE32, 0, NO_FAULT, 0, 0 },
	{ "inner level", PROTECTED, 3, false, 12, 3, CODE32, 3, NO_FAULT, 0, 0 },
	{ "conforming target", PROTECTED, 3, false, 12, 3, CONFORMING, 3, NO_FAULT, 0, 3 },
	{ "gate DPL below CPL", PROTECTED, 3, false, 12, 0, CODE32, 3, VECTOR_GP, GATE, 0 },
	{ "gate DPL below RPL", PROTECTED, 0, false, 12, 0, CODE32, 3, VECTOR_GP, GATE, 0 },
	{ "outer level", PROTECTED, 0, false, 12, 3, USER_CODE32, 0, VECTOR_GP, USER_CODE32, 0 },
	{ "null target", PROTECTED, 0, false, 12, 0, 0, 0, VECTOR_GP, 0, 0 },
	{ "data target", PROTECTED, 0, false, 12, 0, DATA32, 0, VECTOR_GP, DATA32, 0 },
	{ "absent target", PROTECTED, 0, false, 12, 0, ABSENT_CODE, 0, VECTOR_NP, ABSENT_CODE, 0 },
	{ "JMP to inner level", PROTECTED, 3, true, 12, 3, CODE32, 3, VECTOR_GP, CODE32, 0 },
	{ "JMP same level", PROTECTED, 0, true, 12, 0, CODE32, 0, NO_FAULT, 0, 0 },
	{ "interrupt gate", PROTECTED, 0, false, 14, 0, CODE32, 0, VECTOR_GP, GATE, 0 },
	{ "64-bit gate", LONG64, 0, false, 12, 0, CODE64, 0, NO_FAULT, 0, 0 },
	{ "64-bit gate, inner level", LONG64, 3, false, 12, 3, CODE64, 3, NO_FAULT, 0, 0 },
	{ "64-bit gate to 32-bit code", LONG64, 0, false, 12, 0, CODE32, 0, VECTOR_GP, CODE32, 0 },
	{ "16-bit gate in IA-32e mode", LONG64, 0, false, 4, 0, CODE64, 0, VECTOR_GP, GATE, 0 },
};

static void test_gates(void **state)
{
	for (unsigned i = 0; i < sizeof(gates) / sizeof(*gates); i++) {
		const struct gate *row = &gates[i];
		struct fixture *f = fixture_new(row->mode);

		set_segments(f, row->mode, row->cpl);
		put_gate(f, GDT + GATE, row->type, row->dpl, row->selector, HANDLER, 0);
		use_memory(f, DATA);
		f->op.opsize = 4;
		poke(f, DATA, 0xdead, 4);
		poke(f, DATA + 4, GATE | row->rpl, 2);
		print_message("%s\n", row->what);
		assert_outcome(f, call(f, row->jump ? insn_far_jmp_m : insn_far_call_m),
			       row->vector, row->error);
		if (row->vector == NO_FAULT) {
			assert_int_equal(f->cpu.next_rip, HANDLER);
			assert_int_equal(f->cpu.cpl, row->new_cpl);
		}
		fixture_free(f);
	}
}

static void test_gate_parameters(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	set_segments(f, PROTECTED, 3);
	put_gate(f, GDT + GATE, 12, 3, CODE32, HANDLER, 2);
	poke(f, STACK, 0x2222222211111111, 8);
	f->op.disp = GATE;
	assert_outcome(f, call(f, insn_far_call), NO_FAULT, 0);
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK_0 - 24);
	assert_int_equal(peek(f, STACK_0 - 24, 4), CODE + 2);
	assert_int_equal(peek(f, STACK_0 - 20, 4), USER_CODE32 | 3);
	assert_int_equal(peek(f, STACK_0 - 16, 8), 0x2222222211111111);
	assert_int_equal(peek(f, STACK_0 - 8, 4), STACK);
	assert_int_equal(peek(f, STACK_0 - 4, 4), USER_DATA | 3);
	/* RET 8 goes all the way back and releases the parameters on both stacks. */
	f->cpu.seg[SEG_ES] = f->cpu.seg[SEG_SS]; /* level 0 data */
	f->op.imm = 8;
	assert_outcome(f, call(f, insn_retf_i), NO_FAULT, 0);
	assert_int_equal(f->cpu.cpl, 3);
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK + 8);
	assert_int_equal(f->cpu.next_rip, CODE + 2);
	assert_true(f->cpu.seg[SEG_ES].ar & AR_UNUSABLE);
	assert_false(f->cpu.seg[SEG_DS].ar & AR_UNUSABLE);
	fixture_free(f);
}

static void test_call_pushes(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	use_memory(f, DATA);
	f->op.opsize = 8;
	poke(f, DATA, HANDLER, 8);
	poke(f, DATA + 8, CODE64, 2);
	assert_outcome(f, call(f, insn_far_call_m), NO_FAULT, 0);
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK - 16);
	assert_int_equal(peek(f, STACK - 16, 8), CODE + 2);
	assert_int_equal(peek(f, STACK - 8, 8), CODE64);
	poke(f, DATA, UINT64_C(0x900000000000), 8);
	assert_outcome(f, call(f, insn_far_call_m), VECTOR_GP, 0);
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK - 16);
	fixture_free(f);
}

/* ---- returns ---- */

struct ret {
	const char *what;
	enum fixture_mode mode;
	uint8_t cpl;
	uint16_t cs, ss;
	uint64_t rip;
	uint8_t vector;
	uint32_t error;
};

/* The same rules hold for RETF and for IRET. */
static const struct ret rets[] = {
	{ "same level", PROTECTED, 0, CODE32, 0, HANDLER, NO_FAULT, 0 },
	{ "outer level", PROTECTED, 0, USER_CODE32 | 3, USER_DATA | 3, HANDLER, NO_FAULT, 0 },
	{ "null CS", PROTECTED, 0, 0, 0, HANDLER, VECTOR_GP, 0 },
	{ "CS beyond the GDT", PROTECTED, 0, BEYOND, 0, HANDLER, VECTOR_GP, BEYOND },
	{ "data as CS", PROTECTED, 0, DATA32, 0, HANDLER, VECTOR_GP, DATA32 },
	{ "inner level", PROTECTED, 3, CODE32, 0, HANDLER, VECTOR_GP, CODE32 },
	{ "DPL is not RPL", PROTECTED, 0, CODE32 | 3, USER_DATA | 3, HANDLER, VECTOR_GP, CODE32 },
	{ "conforming, outer", PROTECTED, 0, CONFORMING | 3, USER_DATA | 3, HANDLER, NO_FAULT, 0 },
	{ "absent CS", PROTECTED, 0, ABSENT_CODE, 0, HANDLER, VECTOR_NP, ABSENT_CODE },
	{ "EIP beyond limit", PROTECTED, 0, CODE16, 0, 0x10000, VECTOR_GP, 0 },
	{ "null SS", PROTECTED, 0, USER_CODE32 | 3, 0, HANDLER, VECTOR_GP, 0 },
	{ "SS of other level", PROTECTED, 0, USER_CODE32 | 3, DATA32, HANDLER, VECTOR_GP, DATA32 },
	{ "code as SS", PROTECTED, 0, USER_CODE32 | 3, USER_CODE32 | 3, HANDLER, VECTOR_GP,
	  USER_CODE32 },
	{ "absent SS", PROTECTED, 0, USER_CODE32 | 3, ABSENT_DATA | 3, HANDLER, VECTOR_GP,
	  ABSENT_DATA },
	{ "64-bit to user", LONG64, 0, USER_CODE64 | 3, USER_DATA | 3, HANDLER, NO_FAULT, 0 },
	{ "64-bit to compatibility", LONG64, 0, USER_CODE32 | 3, USER_DATA | 3, HANDLER, NO_FAULT,
	  0 },
	{ "null SS to 64-bit user", LONG64, 0, USER_CODE64 | 3, 3, HANDLER, VECTOR_GP, 0 },
	{ "L and D", LONG64, 0, CODE_LD, DATA32, HANDLER, VECTOR_GP, CODE_LD },
	{ "RIP not canonical", LONG64, 0, USER_CODE64 | 3, USER_DATA | 3,
	  UINT64_C(0x800000000000), VECTOR_GP, 0 },
};

/* Pushes a frame of `count` items, the last one at the top of the stack. */
static void push_frame(struct fixture *f, unsigned size, const uint64_t *items, unsigned count)
{
	f->cpu.gpr[REG_RSP] = STACK - count * size;
	for (unsigned i = 0; i < count; i++)
		poke(f, STACK - (count - i) * size, items[i], size);
}

static void check_ret(const struct ret *row, bool iret)
{
	struct fixture *f = fixture_new(row->mode);
	unsigned size = row->mode == LONG64 ? 8 : 4, n = 0;
	uint64_t items[5], rsp;

	set_segments(f, row->mode, row->cpl);
	items[n++] = row->rip;
	items[n++] = row->cs;
	if (iret)
		items[n++] = RFLAGS_IF | RFLAGS_CF | RFLAGS_FIXED1;
	items[n++] = 0x7000;
	items[n++] = row->ss;
	push_frame(f, size, items, n);
	f->op.opsize = (uint8_t)size;
	rsp = f->cpu.gpr[REG_RSP];
	print_message("%s%s\n", iret ? "IRET: " : "RETF: ", row->what);
	assert_outcome(f, call(f, iret ? insn_iret : insn_retf), row->vector, row->error);
	if (row->vector == NO_FAULT) {
		assert_int_equal(f->cpu.seg[SEG_CS].selector, row->cs);
		assert_int_equal(f->cpu.cpl, row->cs & 3);
		assert_int_equal(f->cpu.next_rip, row->rip);
		if (row->ss)
			assert_int_equal(f->cpu.gpr[REG_RSP], 0x7000);
		if (iret)
			assert_true(cpu_rflags(&f->cpu) & RFLAGS_IF);
	} else {
		assert_int_equal(f->cpu.gpr[REG_RSP], rsp);
		assert_int_equal(f->cpu.cpl, row->cpl);
	}
	fixture_free(f);
}

static void test_returns(void **state)
{
	for (unsigned i = 0; i < sizeof(rets) / sizeof(*rets); i++) {
		check_ret(&rets[i], false);
		check_ret(&rets[i], true);
	}
}

static void test_iret_keeps_gs_base(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	f->cpu.seg[SEG_GS].base = UINT64_C(0xffff800012345000);
	push_frame(f, 8, (uint64_t[]){ HANDLER, USER_CODE64 | 3, 2, 0x7000, USER_DATA | 3 }, 5);
	assert_outcome(f, call(f, insn_iret), NO_FAULT, 0);
	assert_int_equal(f->cpu.seg[SEG_GS].selector, 0);
	assert_true(f->cpu.seg[SEG_GS].ar & AR_UNUSABLE);
	assert_int_equal(f->cpu.seg[SEG_GS].base, UINT64_C(0xffff800012345000));
	fixture_free(f);
}

static void test_iret_long_null_ss(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	push_frame(f, 8, (uint64_t[]){ HANDLER, CODE64, 2, 0x7000, 0 }, 5);
	assert_outcome(f, call(f, insn_iret), NO_FAULT, 0);
	assert_true(f->cpu.seg[SEG_SS].ar & AR_UNUSABLE);
	assert_int_equal(f->cpu.gpr[REG_RSP], 0x7000);
	fixture_free(f);
}

struct iret_flags {
	const char *what;
	uint8_t cpl, iopl, opsize;
	uint64_t before, image, after;
};

#define FIXED RFLAGS_FIXED1
static const struct iret_flags iret_flags[] = {
	{ "level 0 loads IOPL and IF", 0, 0, 4, FIXED, FIXED | RFLAGS_IOPL | RFLAGS_IF,
	  FIXED | RFLAGS_IOPL | RFLAGS_IF },
	{ "level 3 loads neither", 3, 0, 4, FIXED, FIXED | RFLAGS_IOPL | RFLAGS_IF, FIXED },
	{ "level 3 with IOPL 3 loads IF", 3, 3, 4, FIXED | RFLAGS_IOPL, FIXED | RFLAGS_IF,
	  FIXED | RFLAGS_IOPL | RFLAGS_IF },
	{ "RF, AC, ID, VIF, VIP", 0, 0, 4, FIXED,
	  FIXED | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID | RFLAGS_VIF | RFLAGS_VIP,
	  FIXED | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID | RFLAGS_VIF | RFLAGS_VIP },
	{ "level 3 loads no VIF, VIP", 3, 0, 4, FIXED, FIXED | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_DF,
	  FIXED | RFLAGS_DF },
	{ "16 bits leave the upper half", 0, 0, 2, FIXED | RFLAGS_ID, FIXED | RFLAGS_CF,
	  FIXED | RFLAGS_ID | RFLAGS_CF },
};

static void test_iret_flags(void **state)
{
	for (unsigned i = 0; i < sizeof(iret_flags) / sizeof(*iret_flags); i++) {
		const struct iret_flags *row = &iret_flags[i];
		struct fixture *f = fixture_new(PROTECTED);

		set_segments(f, PROTECTED, row->cpl);
		cpu_set_rflags(&f->cpu, row->before);
		push_frame(f, row->opsize,
			   (uint64_t[]){ HANDLER, f->cpu.seg[SEG_CS].selector, row->image }, 3);
		f->op.opsize = row->opsize;
		print_message("%s\n", row->what);
		assert_outcome(f, call(f, insn_iret), NO_FAULT, 0);
		assert_int_equal(cpu_rflags(&f->cpu), row->after);
		fixture_free(f);
	}
}

static void test_iret_vm86(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	push_frame(f, 4,
		   (uint64_t[]){ 0x123, 0x1000, RFLAGS_VM | FIXED | RFLAGS_IF, 0x456, 0x2000, 1, 2,
				 3, 4 },
		   9);
	assert_outcome(f, call(f, insn_iret), NO_FAULT, 0);
	assert_true(cpu_vm86(&f->cpu));
	assert_int_equal(f->cpu.cpl, 3);
	assert_int_equal(f->cpu.next_rip, 0x123);
	assert_int_equal(f->cpu.seg[SEG_CS].base, 0x10000);
	assert_int_equal(f->cpu.seg[SEG_SS].base, 0x20000);
	assert_int_equal(f->cpu.seg[SEG_GS].selector, 4);
	assert_int_equal(f->cpu.seg[SEG_GS].ar, 0xf3);
	assert_int_equal(f->cpu.gpr[REG_RSP], 0x456);
	/* From virtual-8086 mode with IOPL 0, IRET is #GP(0); with IOPL 3 it leaves IOPL and VM. */
	f->op.opsize = 2;
	assert_outcome(f, call(f, insn_iret), VECTOR_GP, 0);
	f->cpu.eflags_rest |= RFLAGS_IOPL;
	poke(f, 0x20456, 0x0789, 2);
	poke(f, 0x20458, 0x1000, 2);
	poke(f, 0x2045a, RFLAGS_CF, 2);
	assert_outcome(f, call(f, insn_iret), NO_FAULT, 0);
	assert_int_equal(f->cpu.next_rip, 0x789);
	assert_int_equal(f->cpu.eflags_rest & (RFLAGS_IOPL | RFLAGS_VM), RFLAGS_IOPL | RFLAGS_VM);
	fixture_free(f);
}

static void test_iret_nested_task_in_long_mode(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	f->cpu.eflags_rest |= RFLAGS_NT;
	assert_outcome(f, call(f, insn_iret), VECTOR_GP, 0);
	fixture_free(f);
}

/* ---- fast system calls ---- */

static void test_syscall(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	set_segments(f, LONG64, 3);
	f->cpu.msrs.star = (uint64_t)CODE64 << 32;
	f->cpu.msrs.lstar = HANDLER;
	f->cpu.msrs.fmask = RFLAGS_IF | RFLAGS_CF;
	cpu_set_rflags(&f->cpu, FIXED | RFLAGS_IF | RFLAGS_CF | RFLAGS_ZF);
	assert_outcome(f, call(f, insn_syscall), NO_FAULT, 0);
	assert_int_equal(f->cpu.gpr[REG_RCX], CODE + 2);
	assert_int_equal(f->cpu.gpr[REG_R11], FIXED | RFLAGS_IF | RFLAGS_CF | RFLAGS_ZF);
	assert_int_equal(cpu_rflags(&f->cpu), FIXED | RFLAGS_ZF);
	assert_int_equal(f->cpu.next_rip, HANDLER);
	assert_int_equal(f->cpu.cpl, 0);
	assert_int_equal(f->cpu.seg[SEG_SS].selector, CODE64 + 8);
	/* ... and back. */
	f->cpu.msrs.star = (uint64_t)(USER_CODE32 | 3) << 48;
	f->op.opsize = 8;
	assert_outcome(f, call(f, insn_sysret), NO_FAULT, 0);
	assert_int_equal(f->cpu.cpl, 3);
	assert_int_equal(f->cpu.seg[SEG_CS].selector, (USER_CODE32 + 16) | 3);
	assert_int_equal(f->cpu.seg[SEG_SS].selector, (USER_CODE32 + 8) | 3);
	assert_int_equal(f->cpu.next_rip, CODE + 2);
	assert_int_equal(cpu_rflags(&f->cpu), FIXED | RFLAGS_IF | RFLAGS_CF | RFLAGS_ZF);
	fixture_free(f);
}

static void test_syscall_checks(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	f->cpu.efer &= ~EFER_SCE;
	assert_outcome(f, call(f, insn_syscall), VECTOR_UD, NO_ERROR);
	assert_outcome(f, call(f, insn_sysret), VECTOR_UD, NO_ERROR);
	f->cpu.efer |= EFER_SCE;
	f->op.opsize = 8;
	f->cpu.gpr[REG_RCX] = UINT64_C(0x800000000000);
	assert_outcome(f, call(f, insn_sysret), VECTOR_GP, 0);
	set_segments(f, LONG64, 3);
	assert_outcome(f, call(f, insn_sysret), VECTOR_GP, 0);
	set_segments(f, COMPAT, 0);
	assert_outcome(f, call(f, insn_syscall), VECTOR_UD, NO_ERROR);
	fixture_free(f);
}

static void test_sysenter(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	set_segments(f, PROTECTED, 3);
	assert_outcome(f, call(f, insn_sysenter), VECTOR_GP, 0);
	f->cpu.msrs.sysenter_cs = CODE32 | 3;
	f->cpu.msrs.sysenter_eip = HANDLER;
	f->cpu.msrs.sysenter_esp = STACK_0;
	f->cpu.eflags_rest |= RFLAGS_IF;
	assert_outcome(f, call(f, insn_sysenter), NO_FAULT, 0);
	assert_int_equal(f->cpu.cpl, 0);
	assert_int_equal(f->cpu.seg[SEG_CS].selector, CODE32);
	assert_int_equal(f->cpu.seg[SEG_SS].selector, CODE32 + 8);
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK_0);
	assert_false(f->cpu.eflags_rest & RFLAGS_IF);
	f->cpu.gpr[REG_RDX] = CODE;
	f->cpu.gpr[REG_RCX] = STACK;
	assert_outcome(f, call(f, insn_sysexit), NO_FAULT, 0);
	assert_int_equal(f->cpu.cpl, 3);
	assert_int_equal(f->cpu.seg[SEG_CS].selector, (CODE32 + 16) | 3);
	assert_int_equal(f->cpu.seg[SEG_SS].selector, (CODE32 + 24) | 3);
	assert_int_equal(f->cpu.next_rip, CODE);
	assert_outcome(f, call(f, insn_sysexit), VECTOR_GP, 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_gate_parameters),
		cmocka_unit_test(test_call_pushes),
		cmocka_unit_test(test_returns),
		cmocka_unit_test(test_iret_keeps_gs_base),
		cmocka_unit_test(test_iret_long_null_ss),
		cmocka_unit_test(test_iret_flags),
		cmocka_unit_test(test_iret_vm86),
		cmocka_unit_test(test_iret_nested_task_in_long_mode),
		cmocka_unit_test(test_syscall),
		cmocka_unit_test(test_syscall_checks),
		cmocka_unit_test(test_sysenter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
