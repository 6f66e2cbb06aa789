/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Debug registers: access rules, breakpoint matching by kind and length, single-step traps and
 * their interplay with MOV SS, RF and event delivery.
 */
#include "tests/l0/machine/interp/protect.h"

static struct fixture *debug_fixture(void)
{
	struct fixture *f = fixture_new(LONG64);

	for (unsigned v = 0; v < 32; v++)
		put_idt(f, v, 14, 0, CODE64);
	return f;
}

/* ---- MOV DR ---- */

struct mov_dr {
	const char *what;
	uint8_t cpl, dr;
	uint64_t cr4, dr7, value;
	uint8_t vector;
	uint32_t error;
	uint64_t reads; /* value read back */
};

static const struct mov_dr mov_drs[] = {
	{ "DR0", 0, 0, 0, 0, UINT64_MAX, NO_FAULT, 0, UINT64_MAX },
	{ "DR8", 0, 8, 0, 0, 0, VECTOR_UD, NO_ERROR, 0 },
	{ "level 3", 3, 0, 0, 0, 0, VECTOR_GP, 0, 0 },
	{ "DR4 is DR6", 0, 4, 0, 0, 0xe00f, NO_FAULT, 0, 0xffffeffful },
	{ "DR5 is DR7", 0, 5, 0, 0, 0, NO_FAULT, 0, DR7_FIXED1 },
	{ "DR4 with CR4.DE", 0, 4, CR4_DE, 0, 0, VECTOR_UD, NO_ERROR, 0 },
	{ "DR4 with CR4.DE at level 3", 3, 4, CR4_DE, 0, 0, VECTOR_UD, NO_ERROR, 0 },
	{ "reserved bits of DR6", 0, 6, 0, 0, 0xffff1000, NO_FAULT, 0, DR6_FIXED1 },
	{ "reserved bits of DR7", 0, 7, 0, 0, 0x0000dc00, NO_FAULT, 0, DR7_FIXED1 },
	{ "upper half of DR6", 0, 6, 0, 0, BIT64(32), VECTOR_GP, 0, 0 },
	{ "upper half of DR7", 0, 7, 0, 0, BIT64(63), VECTOR_GP, 0, 0 },
	{ "general detect", 0, 0, 0, DR7_GD, 0, VECTOR_DB, NO_ERROR, 0 },
	{ "level 3 before general detect", 3, 0, 0, DR7_GD, 0, VECTOR_GP, 0, 0 },
};

static void test_mov_dr(void **state)
{
	for (unsigned i = 0; i < sizeof(mov_drs) / sizeof(*mov_drs); i++) {
		const struct mov_dr *row = &mov_drs[i];
		struct fixture *f = debug_fixture();

		set_segments(f, LONG64, row->cpl);
		f->cpu.cr4 |= row->cr4;
		f->cpu.dr7 |= row->dr7;
		f->op.reg = row->dr;
		use_register(f, REG_RAX);
		f->cpu.gpr[REG_RAX] = row->value;
		print_message("%s\n", row->what);
		assert_outcome(f, call(f, insn_mov_to_dr), row->vector, row->error);
		if (row->vector == NO_FAULT) {
			assert_outcome(f, call(f, insn_mov_from_dr), NO_FAULT, 0);
			assert_int_equal(f->cpu.gpr[REG_RAX], row->reads);
		}
		if (row->vector == VECTOR_DB)
			assert_int_equal(f->cpu.event.dr6, DR6_BD);
		fixture_free(f);
	}
}

/* ---- matching ---- */

struct match {
	const char *what;
	uint64_t address; /* DR1 */
	unsigned kind, len;
	bool write;
	uint64_t access;
	unsigned size;
	bool hit;
};

#define LEN1 0
#define LEN2 1
#define LEN8 2
#define LEN4 3
static const struct match matches[] = {
	{ "write to a write breakpoint", 0x1000, DEBUG_WRITE, LEN4, true, 0x1000, 4, true },
	{ "read of a write breakpoint", 0x1000, DEBUG_WRITE, LEN4, false, 0x1000, 4, false },
	{ "read of an access breakpoint", 0x1000, DEBUG_ACCESS, LEN4, false, 0x1003, 1, true },
	{ "just above", 0x1000, DEBUG_ACCESS, LEN4, false, 0x1004, 1, false },
	{ "just below", 0x1000, DEBUG_ACCESS, LEN4, false, 0xffe, 2, false },
	{ "reaching in from below", 0x1000, DEBUG_ACCESS, LEN1, false, 0xff9, 8, true },
	{ "aligned down to the length", 0x1003, DEBUG_ACCESS, LEN4, true, 0x1000, 1, true },
	{ "eight bytes", 0x1000, DEBUG_WRITE, LEN8, true, 0x1007, 1, true },
	{ "data access of an instruction breakpoint", 0x1000, DEBUG_EXECUTE, LEN1, true, 0x1000, 1,
	  false },
};

static void test_matching(void **state)
{
	for (unsigned i = 0; i < sizeof(matches) / sizeof(*matches); i++) {
		const struct match *row = &matches[i];
		unsigned access = row->write ? MEM_WRITE : MEM_READ;
		struct fixture *f = debug_fixture();

		f->cpu.dr[1] = row->address;
		f->cpu.dr7 |= 1u << 2 | row->kind << 20 | row->len << 22;
		print_message("%s\n", row->what);
		debug_memory_access(&f->cpu, row->access, row->size, access);
		assert_int_equal(f->cpu.pending_debug, row->hit ? 2 : 0);
		/* Disabled, it never hits. */
		f->cpu.pending_debug = 0;
		f->cpu.dr7 &= ~UINT64_C(0xff);
		debug_memory_access(&f->cpu, row->access, row->size, access);
		assert_int_equal(f->cpu.pending_debug, 0);
		fixture_free(f);
	}
}

/* The accesses of instructions come by there. */
static void test_memory_breakpoint(void **state)
{
	struct fixture *f = debug_fixture();

	f->cpu.dr[0] = DATA;
	f->cpu.dr7 |= 1 | DEBUG_WRITE << 16;
	cpu_mode_changed(&f->cpu);
	mem_read(&f->cpu, SEG_DS, DATA, 8);
	assert_int_equal(f->cpu.pending_debug, 0);
	mem_write(&f->cpu, SEG_DS, DATA, 8, 1);
	assert_int_equal(f->cpu.pending_debug, 1);
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_DB);
	assert_int_equal(f->cpu.dr6, DR6_FIXED1 | 1);
	fixture_free(f);
}

static void test_port_breakpoint(void **state)
{
	struct fixture *f = debug_fixture();

	f->cpu.dr[0] = 0x80;
	f->cpu.dr7 |= 1 | DEBUG_IO << 16;
	debug_port_access(&f->cpu, 0x80, 1);
	assert_int_equal(f->cpu.pending_debug, 0); /* needs CR4.DE */
	f->cpu.cr4 |= CR4_DE;
	debug_port_access(&f->cpu, 0x81, 1);
	assert_int_equal(f->cpu.pending_debug, 0);
	debug_port_access(&f->cpu, 0x7e, 4);
	assert_int_equal(f->cpu.pending_debug, 1);
	fixture_free(f);
}

static void test_code_breakpoint(void **state)
{
	struct fixture *f = debug_fixture();

	f->cpu.dr[2] = CODE;
	f->cpu.dr7 |= 1u << 4;
	flags_load(&f->cpu, RFLAGS_RF, RFLAGS_RF);
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), CODE); /* RF */
	assert_true(f->cpu.attention);
	f->cpu.insns++; /* the instruction ran and looped to itself */
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_DB);
	assert_int_equal(f->cpu.dr6 & 0xf, 4);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 8), CODE);
	fixture_free(f);
}

/* ---- single step ---- */

static void test_single_step(void **state)
{
	struct fixture *f = debug_fixture();

	flags_load(&f->cpu, RFLAGS_TF, RFLAGS_TF);
	f->cpu.insns++; /* POPF itself does not trap */
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), CODE);
	assert_true(f->cpu.attention);
	cpu_rip(&f->cpu) = CODE + 1;
	f->cpu.insns++;
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_DB);
	assert_int_equal(f->cpu.dr6, DR6_FIXED1 | DR6_BS);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 8), CODE + 1);
	assert_true(peek(f, f->cpu.gpr[REG_RSP] + 16, 8) & RFLAGS_TF);
	assert_false(f->cpu.eflags_rest & RFLAGS_TF);
	/* The handler's first instruction does not trap. */
	f->cpu.insns++;
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_DB);
	fixture_free(f);
}

static void test_step_clearing_tf(void **state)
{
	struct fixture *f = debug_fixture();

	flags_load(&f->cpu, RFLAGS_TF, RFLAGS_TF);
	cpu_attend(&f->cpu);
	flags_load(&f->cpu, 0, RFLAGS_TF); /* POPF that clears TF still traps */
	f->cpu.insns++;
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_DB);
	fixture_free(f);
}

static void test_step_over_mov_ss(void **state)
{
	struct fixture *f = debug_fixture();

	flags_load(&f->cpu, RFLAGS_TF, RFLAGS_TF);
	cpu_attend(&f->cpu);
	cpu_block_by_mov_ss(&f->cpu);
	f->cpu.insns++;
	cpu_attend(&f->cpu); /* after MOV SS: no trap */
	assert_int_equal(cpu_rip(&f->cpu), CODE);
	f->cpu.insns++;
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_DB);
	fixture_free(f);
}

static void test_data_breakpoint_on_mov_ss_waits(void **state)
{
	struct fixture *f = debug_fixture();

	f->cpu.pending_debug = 1;
	cpu_block_by_mov_ss(&f->cpu);
	f->cpu.insns++;
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), CODE);
	assert_int_equal(f->cpu.pending_debug, 1);
	f->cpu.insns++;
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_DB);
	assert_int_equal(f->cpu.dr6 & 0xf, 1);
	fixture_free(f);
}

static void test_step_and_int(void **state)
{
	struct fixture *f = debug_fixture();

	flags_load(&f->cpu, RFLAGS_TF, RFLAGS_TF);
	cpu_attend(&f->cpu);
	call(f, insn_int3);
	assert_true(deliver(f, &f->cpu.event));
	cpu_attend(&f->cpu); /* INT3 ran with TF set, and yet no trap: delivery cleared TF */
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_BP);
	fixture_free(f);
}

static void test_syscall_step(void **state)
{
	for (unsigned masked = 0; masked < 2; masked++) {
		struct fixture *f = debug_fixture();

		f->cpu.msrs.lstar = DATA;
		f->cpu.msrs.star = (uint64_t)CODE64 << 32;
		f->cpu.msrs.fmask = masked ? RFLAGS_TF : 0;
		flags_load(&f->cpu, RFLAGS_TF, RFLAGS_TF);
		cpu_attend(&f->cpu);
		assert_outcome(f, call(f, insn_syscall), NO_FAULT, 0);
		cpu_rip(&f->cpu) = f->cpu.next_rip;
		f->cpu.insns++;
		cpu_attend(&f->cpu);
		assert_int_equal(cpu_rip(&f->cpu), masked ? DATA : HANDLER + VECTOR_DB);
		fixture_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mov_dr),
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_memory_breakpoint),
		cmocka_unit_test(test_port_breakpoint),
		cmocka_unit_test(test_code_breakpoint),
		cmocka_unit_test(test_single_step),
		cmocka_unit_test(test_step_clearing_tf),
		cmocka_unit_test(test_step_over_mov_ss),
		cmocka_unit_test(test_data_breakpoint_on_mov_ss_waits),
		cmocka_unit_test(test_step_and_int),
		cmocka_unit_test(test_syscall_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
