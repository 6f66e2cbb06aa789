/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hardware task switches: by JMP, CALL, IRET and task gate, between 32-bit and 16-bit tasks; the
 * checks before the switch (in the old task) and after it (in the new one).
 */
#include "tests/l0/machine/interp/protect.h"

enum { NEW_IP = 0x8800, NEW_SP = 0xa000 };

static void put_tss32(struct fixture *f, uint64_t at)
{
	static const uint16_t segs[] = { DATA32, CODE32, DATA32, DATA32, 0, USER_DATA };

	poke(f, at + 0x1c, 0, 4);
	poke(f, at + 0x20, NEW_IP, 4);
	poke(f, at + 0x24, RFLAGS_FIXED1 | RFLAGS_CF, 4);
	for (unsigned i = 0; i < 8; i++)
		poke(f, at + 0x28 + 4 * i, 0x1000u * i, 4);
	poke(f, at + 0x38, NEW_SP, 4);
	for (unsigned i = 0; i < 6; i++)
		poke(f, at + 0x48 + 4 * i, segs[i], 2);
	poke(f, at + 0x60, LDT_SEL, 2);
}

static void put_tss16(struct fixture *f, uint64_t at)
{
	static const uint16_t segs[] = { DATA16, CODE16, DATA16, DATA16 };

	poke(f, at + 0x0e, NEW_IP, 2);
	poke(f, at + 0x10, RFLAGS_FIXED1 | RFLAGS_CF, 2);
	for (unsigned i = 0; i < 8; i++)
		poke(f, at + 0x12 + 2 * i, 0x1000 * i, 2);
	poke(f, at + 0x1a, NEW_SP, 2);
	for (unsigned i = 0; i < 4; i++)
		poke(f, at + 0x22 + 2 * i, segs[i], 2);
	poke(f, at + 0x2a, 0, 2);
}

static struct fixture *task_fixture(void)
{
	struct fixture *f = fixture_new(PROTECTED);

	put_segment(f, GDT + TSS_SEL, 0x8b, TSS, 0x67);
	put_tss32(f, TSS_2);
	for (unsigned v = 0; v < 32; v++)
		put_idt(f, v, 14, 0, CODE32);
	f->cpu.gpr[REG_RBX] = 0xbbbbbbbb;
	f->op.disp = TSS_2_SEL;
	return f;
}

static unsigned busy(struct fixture *f, uint16_t selector)
{
	return peek(f, GDT + selector + 5, 1) >> 1 & 1;
}

/* A switch leaves by cpu_escape without an event. */
static void assert_switched(struct fixture *f, unsigned outcome)
{
	assert_outcome(f, outcome, NO_FAULT, 0);
	assert_int_equal(f->cpu.seg[SEG_TR].base, TSS_2);
	assert_int_equal(f->cpu.seg[SEG_TR].selector, TSS_2_SEL);
	assert_int_equal(cpu_rip(&f->cpu), NEW_IP);
	assert_int_equal(f->cpu.gpr[REG_RDX], 0x2000);
	assert_int_equal(f->cpu.seg[SEG_LDTR].base, LDT);
	assert_true(f->cpu.cr0 & CR0_TS);
	assert_true(cpu_rflags(&f->cpu) & RFLAGS_CF);
	/* The old state lies in the old TSS. */
	assert_int_equal(peek(f, TSS + 0x34, 4), 0xbbbbbbbb);
	assert_int_equal(peek(f, TSS + 0x38, 4), STACK);
	assert_int_equal(peek(f, TSS + 0x4c, 2), CODE32);
}

static void test_jump(void **state)
{
	struct fixture *f = task_fixture();

	f->cpu.dr7 |= 0x3ff;
	assert_switched(f, call(f, insn_far_jmp));
	assert_int_equal(peek(f, TSS + 0x20, 4), CODE + 2);
	assert_int_equal(busy(f, TSS_SEL), 0);
	assert_int_equal(busy(f, TSS_2_SEL), 1);
	assert_false(f->cpu.eflags_rest & RFLAGS_NT);
	assert_int_equal(f->cpu.gpr[REG_RSP], NEW_SP);
	assert_int_equal(f->cpu.dr7 & 0x3ff, 0x2aa); /* local enables are cleared */
	fixture_free(f);
}

static void test_call_and_return(void **state)
{
	struct fixture *f = task_fixture();

	assert_switched(f, call(f, insn_far_call));
	assert_int_equal(busy(f, TSS_SEL), 1);
	assert_int_equal(busy(f, TSS_2_SEL), 1);
	assert_true(f->cpu.eflags_rest & RFLAGS_NT);
	assert_int_equal(peek(f, TSS_2, 2), TSS_SEL);
	assert_outcome(f, call(f, insn_iret), NO_FAULT, 0);
	assert_int_equal(f->cpu.seg[SEG_TR].base, TSS);
	assert_int_equal(cpu_rip(&f->cpu), CODE + 2);
	assert_int_equal(f->cpu.gpr[REG_RBX], 0xbbbbbbbb);
	assert_int_equal(busy(f, TSS_SEL), 1);
	assert_int_equal(busy(f, TSS_2_SEL), 0);
	assert_false(peek(f, TSS_2 + 0x24, 4) & RFLAGS_NT);
	fixture_free(f);
}

static void test_gate_pushes_error(void **state)
{
	struct fixture *f = task_fixture();

	put_gate(f, IDT + VECTOR_GP * 8, DESC_TASK_GATE, 0, TSS_2_SEL, 0, 0);
	assert_true(deliver(f, EXCEPTION(VECTOR_GP, .has_error = true, .error = 0x50)));
	assert_int_equal(f->cpu.seg[SEG_TR].base, TSS_2);
	assert_int_equal(cpu_rip(&f->cpu), NEW_IP);
	assert_int_equal(f->cpu.gpr[REG_RSP], NEW_SP - 4);
	assert_int_equal(peek(f, NEW_SP - 4, 4), 0x50);
	assert_int_equal(peek(f, TSS + 0x20, 4), CODE);
	assert_true(peek(f, TSS + 0x24, 4) & RFLAGS_RF);
	assert_true(f->cpu.eflags_rest & RFLAGS_NT);
	fixture_free(f);
}

static void test_gate_reached_by_jump(void **state)
{
	struct fixture *f = task_fixture();

	put_gate(f, GDT + GATE, DESC_TASK_GATE, 0, TSS_2_SEL, 0, 0);
	f->op.disp = GATE;
	assert_switched(f, call(f, insn_far_jmp));
	fixture_free(f);
}

static void test_16_bit(void **state)
{
	struct fixture *f = task_fixture();

	put_segment(f, GDT + TSS_2_SEL, 0x81, TSS_2, 0x2b);
	put_tss16(f, TSS_2);
	assert_outcome(f, call(f, insn_far_jmp), NO_FAULT, 0);
	assert_int_equal(cpu_rip(&f->cpu), NEW_IP);
	assert_int_equal(f->cpu.seg[SEG_CS].selector, CODE16);
	assert_int_equal(f->cpu.gpr[REG_RDX] & 0xffff, 0x2000);
	assert_true(f->cpu.seg[SEG_FS].ar & AR_UNUSABLE);
	/* And back: its state goes to the 16-bit TSS. */
	f->op.disp = TSS_SEL;
	f->cpu.gpr[REG_RSI] = 0x7777;
	assert_outcome(f, call(f, insn_far_jmp), NO_FAULT, 0);
	assert_int_equal(peek(f, TSS_2 + 0x1e, 2), 0x7777);
	assert_int_equal(cpu_rip(&f->cpu), CODE + 2);
	fixture_free(f);
}

static void test_vm86_task(void **state)
{
	struct fixture *f = task_fixture();

	poke(f, TSS_2 + 0x24, RFLAGS_FIXED1 | RFLAGS_VM, 4);
	poke(f, TSS_2 + 0x4c, 0x1000, 2);
	assert_outcome(f, call(f, insn_far_jmp), NO_FAULT, 0);
	assert_true(cpu_vm86(&f->cpu));
	assert_int_equal(f->cpu.cpl, 3);
	assert_int_equal(f->cpu.seg[SEG_CS].base, 0x10000);
	fixture_free(f);
}

static void test_debug_trap(void **state)
{
	struct fixture *f = task_fixture();

	poke(f, TSS_2 + 0x64, 1, 1);
	assert_switched(f, call(f, insn_far_jmp));
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_DB);
	assert_true(f->cpu.dr6 & DR6_BT);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 4), NEW_IP);
	fixture_free(f);
}

/* ---- refusals ---- */

enum stage { OLD, NEW };
struct refusal {
	const char *what;
	enum stage stage;   /* the task in which the fault is raised */
	uint64_t at;        /* what to change */
	uint64_t value;
	unsigned size;
	uint8_t cpl;
	uint8_t vector;
	uint32_t error;
};

static const struct refusal refusals[] = {
	{ "busy", OLD, GDT + TSS_2_SEL + 5, 0x8b, 1, 0, VECTOR_GP, TSS_2_SEL },
	{ "absent", OLD, GDT + TSS_2_SEL + 5, 0x09, 1, 0, VECTOR_NP, TSS_2_SEL },
	{ "DPL", OLD, GDT + TSS_2_SEL + 5, 0x89, 1, 3, VECTOR_GP, TSS_2_SEL },
	{ "limit", OLD, GDT + TSS_2_SEL, 0x66, 1, 0, VECTOR_TS, TSS_2_SEL },
	{ "LDT is a TSS", NEW, TSS_2 + 0x60, TSS_SEL, 2, 0, VECTOR_TS, TSS_SEL },
	{ "LDT in the LDT", NEW, TSS_2 + 0x60, 0xc, 2, 0, VECTOR_TS, 0xc },
	{ "null CS", NEW, TSS_2 + 0x4c, 0, 2, 0, VECTOR_TS, 0 },
	{ "data as CS", NEW, TSS_2 + 0x4c, DATA32, 2, 0, VECTOR_TS, DATA32 },
	{ "CS RPL", NEW, TSS_2 + 0x4c, CODE32 | 3, 2, 0, VECTOR_TS, CODE32 },
	{ "absent CS", NEW, TSS_2 + 0x4c, ABSENT_CODE, 2, 0, VECTOR_NP, ABSENT_CODE },
	{ "null SS", NEW, TSS_2 + 0x50, 0, 2, 0, VECTOR_TS, 0 },
	{ "SS DPL", NEW, TSS_2 + 0x50, USER_DATA, 2, 0, VECTOR_TS, USER_DATA },
	{ "absent SS", NEW, TSS_2 + 0x50, ABSENT_DATA, 2, 0, VECTOR_SS, ABSENT_DATA },
	{ "absent DS", NEW, TSS_2 + 0x54, ABSENT_DATA, 2, 0, VECTOR_NP, ABSENT_DATA },
	{ "execute-only ES", NEW, TSS_2 + 0x48, XO_CODE, 2, 0, VECTOR_TS, XO_CODE },
	{ "FS beyond the GDT", NEW, TSS_2 + 0x58, BEYOND, 2, 0, VECTOR_TS, BEYOND },
};

static void test_refusals(void **state)
{
	for (unsigned i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		const struct refusal *row = &refusals[i];
		struct fixture *f = task_fixture();

		set_segments(f, PROTECTED, row->cpl);
		poke(f, row->at, row->value, row->size);
		print_message("%s\n", row->what);
		assert_outcome(f, call(f, insn_far_jmp), row->vector, row->error);
		if (row->stage == OLD) {
			assert_int_equal(cpu_rip(&f->cpu), CODE);
			assert_int_equal(f->cpu.seg[SEG_TR].base, TSS);
			assert_int_equal(busy(f, TSS_SEL), 1);
		} else {
			assert_int_equal(cpu_rip(&f->cpu), NEW_IP);
			assert_int_equal(f->cpu.seg[SEG_TR].base, TSS_2);
		}
		fixture_free(f);
	}
}

static void test_ip_beyond_limit(void **state)
{
	struct fixture *f = task_fixture();

	poke(f, TSS_2 + 0x4c, CODE16, 2);
	poke(f, TSS_2 + 0x20, 0x10000, 4);
	assert_outcome(f, call(f, insn_far_jmp), VECTOR_GP, 0);
	assert_int_equal(cpu_rip(&f->cpu), 0x10000);
	assert_int_equal(f->cpu.seg[SEG_CS].selector, CODE16);
	fixture_free(f);
}

static void test_iret_link(void **state)
{
	struct fixture *f = task_fixture();

	f->cpu.eflags_rest |= RFLAGS_NT;
	poke(f, TSS, TSS_2_SEL, 2); /* not busy */
	assert_outcome(f, call(f, insn_iret), VECTOR_TS, TSS_2_SEL);
	poke(f, TSS, 0xc, 2);
	assert_outcome(f, call(f, insn_iret), VECTOR_TS, 0xc);
	poke(f, TSS, DATA32, 2);
	assert_outcome(f, call(f, insn_iret), VECTOR_TS, DATA32);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jump),
		cmocka_unit_test(test_call_and_return),
		cmocka_unit_test(test_gate_pushes_error),
		cmocka_unit_test(test_gate_reached_by_jump),
		cmocka_unit_test(test_16_bit),
		cmocka_unit_test(test_vm86_task),
		cmocka_unit_test(test_debug_trap),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_ip_beyond_limit),
		cmocka_unit_test(test_iret_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
