/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Machine code through the run loop, where the instruction boundary matters: single step,
 * breakpoints, interrupt shadows, RF, SYSCALL. The #DB handler logs the RIP it interrupted and
 * returns.
 */
#include "tests/l0/machine/interp/code.h"

enum { LOG = 0x6000 }; /* count, then RIPs */

/* push rax; push rcx; mov rcx,[LOG]; inc rcx; mov [LOG],rcx; mov rax,[rsp+16]; mov [LOG+rcx*8],rax;
 * or dword [rsp+32],0x10000 (RF); pop rcx; pop rax; iretq */
#define LOGGER                                                                                     \
	0x50, 0x51, 0x48, 0x8b, 0x0c, 0x25, 0x00, 0x60, 0x00, 0x00, 0x48, 0xff, 0xc1, 0x48, 0x89,  \
		0x0c, 0x25, 0x00, 0x60, 0x00, 0x00, 0x48, 0x8b, 0x44, 0x24, 0x10, 0x48, 0x89,      \
		0x04, 0xcd, 0x00, 0x60, 0x00, 0x00, 0x81, 0x4c, 0x24, 0x20, 0x00, 0x00, 0x01,      \
		0x00, 0x59, 0x58, 0x48, 0xcf

enum { VECTOR_STOP = 0x30 };

static struct fixture *stepping(void)
{
	struct fixture *f = fixture_new(LONG64);

	put_gate(f, IDT + VECTOR_DB * 16, 14, 0, CODE64, HANDLER, 0);
	put_gate(f, IDT + VECTOR_BP * 16, 14, 0, CODE64, HANDLER + 0x100, 0);
	put_gate(f, IDT + 0x40 * 16, 14, 0, CODE64, HANDLER, 0);
	CODE_AT(f, HANDLER, LOGGER);
	CODE_AT(f, HANDLER + 0x100, 0xf4); /* hlt: the end of a test program is INT3 */
	f->cpu.attention = true;
	return f;
}

/* Runs to the INT3 that ends the program; instructions retired until then, it and HLT included. */
static uint64_t run(struct fixture *f)
{
	uint64_t before = f->cpu.insns;

	assert_int_equal(run_to_hlt(f), HANDLER + 0x101);
	return f->cpu.insns - before;
}

static void assert_logged(struct fixture *f, const uint64_t *rips, unsigned count)
{
	assert_int_equal(peek(f, LOG, 8), count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(peek(f, LOG + 8 * (i + 1), 8), rips[i]);
}
#define LOGGED(f, ...)                                                                             \
	assert_logged(f, (const uint64_t[]){ __VA_ARGS__ },                                        \
		      sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8)

static void test_single_step(void **state)
{
	struct fixture *f = stepping();

	/* nop; nop; inc eax; int3 */
	CODE_AT(f, CODE, 0x90, 0x90, 0xff, 0xc0, 0xcc);
	flags_load(&f->cpu, RFLAGS_TF, RFLAGS_TF);
	run(f);
	LOGGED(f, CODE + 1, CODE + 2, CODE + 4);
	assert_int_equal(f->cpu.gpr[REG_RAX], 1);
	fixture_free(f);
}

static void test_popf_starts_stepping(void **state)
{
	struct fixture *f = stepping();

	/* pushfq; or dword [rsp],0x100; popfq; nop; pushfq; and dword [rsp],~0x100; popfq; nop;
	 * int3 */
	CODE_AT(f, CODE, 0x9c, 0x81, 0x0c, 0x24, 0x00, 0x01, 0x00, 0x00, 0x9d, 0x90, 0x9c, 0x81,
		0x24, 0x24, 0xff, 0xfe, 0xff, 0xff, 0x9d, 0x90, 0xcc);
	run(f);
	/* After nop, pushfq, and, and the POPFQ that ends it. */
	LOGGED(f, CODE + 10, CODE + 11, CODE + 18, CODE + 19);
	fixture_free(f);
}

static void test_step_over_mov_ss(void **state)
{
	struct fixture *f = stepping();

	/* nop; mov ss,eax; nop; nop; int3 */
	CODE_AT(f, CODE, 0x90, 0x8e, 0xd0, 0x90, 0x90, 0xcc);
	f->cpu.gpr[REG_RAX] = DATA32;
	flags_load(&f->cpu, RFLAGS_TF, RFLAGS_TF);
	run(f);
	LOGGED(f, CODE + 1, CODE + 4, CODE + 5);
	fixture_free(f);
}

static void test_step_rep(void **state)
{
	struct fixture *f = stepping();

	/* rep stosb; nop; int3: a trap after each iteration */
	CODE_AT(f, CODE, 0xf3, 0xaa, 0x90, 0xcc);
	f->cpu.gpr[REG_RCX] = 3;
	f->cpu.gpr[REG_RDI] = DATA;
	flags_load(&f->cpu, RFLAGS_TF, RFLAGS_TF);
	run(f);
	LOGGED(f, CODE, CODE, CODE + 2, CODE + 3);
	assert_int_equal(f->cpu.gpr[REG_RDI], DATA + 3);
	fixture_free(f);
}

/* The handler sets RF in its frame, so the instruction then runs. */
static void test_code_breakpoint(void **state)
{
	struct fixture *f = stepping();

	/* mov ecx,3; 1: dec ecx; jnz 1b; int3 */
	CODE_AT(f, CODE, 0xb9, 3, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xcc);
	f->cpu.dr[0] = CODE + 5;
	f->cpu.dr7 |= 1;
	run(f);
	LOGGED(f, CODE + 5, CODE + 5, CODE + 5);
	fixture_free(f);
}

/* mov eax,ss; mov rcx,rsp; push rax; push rcx; pushfq; or dword [rsp],0x10000; mov eax,cs; push
 * rax; lea rax,[rip+3]; push rax; iretq: to what follows, with RF */
#define IRET_WITH_RF                                                                               \
	0x8c, 0xd0, 0x48, 0x89, 0xe1, 0x50, 0x51, 0x9c, 0x81, 0x0c, 0x24, 0, 0, 1, 0, 0x8c, 0xc8,  \
		0x50, 0x48, 0x8d, 0x05, 3, 0, 0, 0, 0x50, 0x48, 0xcf

/* RF as INT3 pushes it: until one instruction has retired it is there. */
static void test_resume_flag(void **state)
{
	struct fixture *f = stepping();

	CODE_AT(f, CODE, IRET_WITH_RF, 0xcc);
	run(f);
	assert_true(peek(f, f->cpu.gpr[REG_RSP] + 16, 8) & RFLAGS_RF);
	fixture_free(f);
	f = stepping();
	CODE_AT(f, CODE, IRET_WITH_RF, 0x90, 0xcc);
	run(f);
	assert_false(peek(f, f->cpu.gpr[REG_RSP] + 16, 8) & RFLAGS_RF);
	fixture_free(f);
}

static void test_data_breakpoint(void **state)
{
	struct fixture *f = stepping();

	/* mov [DATA],eax; mov eax,[DATA]; push rax; mov [DATA+8],eax; int3 */
	CODE_AT(f, CODE, 0x89, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00, 0x8b, 0x04, 0x25, 0x00, 0x50,
		0x00, 0x00, 0x50, 0x89, 0x04, 0x25, 0x08, 0x50, 0x00, 0x00, 0xcc);
	/* Its frame would hit the stack's breakpoint, too: a stack of its own. */
	put_gate(f, IDT + VECTOR_DB * 16, 14, 0, CODE64, HANDLER, 1);
	f->cpu.dr[3] = DATA;
	f->cpu.dr7 |= 1u << 6 | DEBUG_WRITE << 28 | 3u << 30;
	f->cpu.dr[1] = STACK - 8;
	f->cpu.dr7 |= 1u << 2 | DEBUG_ACCESS << 20 | 2u << 22;
	cpu_mode_changed(&f->cpu);
	run(f);
	LOGGED(f, CODE + 7, CODE + 15);
	assert_int_equal(f->cpu.dr6 & 0xf, 2);
	fixture_free(f);
}

/* A trap on MOV SS and the INT1 after it are one #DB; INT 1 is an interrupt, and the trap comes
 * after. */
static void test_mov_ss_and_int1(void **state)
{
	for (unsigned two = 0; two < 2; two++) {
		struct fixture *f = stepping();

		/* mov ss,[DATA]; int1 or int 1; int3 */
		CODE_AT(f, CODE, 0x8e, 0x14, 0x25, 0x00, 0x50, 0x00, 0x00, 0xf1, 0xcc);
		if (two)
			CODE_AT(f, CODE + 7, 0xcd, 0x01, 0xcc);
		poke(f, DATA, DATA32, 2);
		f->cpu.dr[0] = DATA;
		f->cpu.dr7 |= 1 | DEBUG_ACCESS << 16;
		cpu_mode_changed(&f->cpu);
		run(f);
		assert_int_equal(f->cpu.dr6 & 0xf, 1);
		if (two)
			LOGGED(f, HANDLER, CODE + 9);
		else
			LOGGED(f, CODE + 8);
		fixture_free(f);
	}
}

static void test_enabling_by_mov_dr7(void **state)
{
	struct fixture *f = stepping();

	/* mov dr7,rax; mov [DATA],eax; int3 */
	CODE_AT(f, CODE, 0x0f, 0x23, 0xf8, 0x89, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00, 0xcc);
	f->cpu.gpr[REG_RAX] = DR7_FIXED1 | 1 | DEBUG_WRITE << 16;
	f->cpu.dr[0] = DATA;
	mem_write(&f->cpu, SEG_DS, DATA, 4, 0); /* a TLB entry from before */
	run(f);
	LOGGED(f, CODE + 10);
	fixture_free(f);
}

static void test_sti_shadow(void **state)
{
	struct fixture *f = stepping();

	/* sti; nop; nop; cli; int3: the interrupt comes after the first nop */
	CODE_AT(f, CODE, 0xfb, 0x90, 0x90, 0xfa, 0xcc);
	send_interrupt(f, 0x40);
	run(f);
	LOGGED(f, CODE + 2);
	fixture_free(f);
}

/* With nothing pending at STI, and the interrupt coming while the shadow lasts or later. */
static void test_late_interrupt(void **state)
{
	for (unsigned nops = 0; nops < 2; nops++) {
		struct fixture *f = stepping();

		assert_outcome(f, call(f, insn_sti), NO_FAULT, 0);
		f->cpu.insns += 1 + nops;
		assert_int_equal(cpu_sti_blocking(&f->cpu), !nops);
		/* nop; nop; cli; int3 */
		CODE_AT(f, CODE, 0x90, 0x90, 0xfa, 0xcc);
		send_interrupt(f, 0x40);
		run(f);
		LOGGED(f, nops ? CODE : CODE + 1);
		fixture_free(f);
	}
}

static void test_sti_cli(void **state)
{
	struct fixture *f = stepping();

	/* sti; cli; nop; int3: never open */
	CODE_AT(f, CODE, 0xfb, 0xfa, 0x90, 0xcc);
	send_interrupt(f, 0x40);
	run(f);
	LOGGED(f);
	fixture_free(f);
}

static void test_sti_hlt(void **state)
{
	struct fixture *f = stepping();

	/* sti; hlt; cli; int3 */
	CODE_AT(f, CODE, 0xfb, 0xf4, 0xfa, 0xcc);
	send_interrupt(f, 0x40);
	run(f);
	LOGGED(f, CODE + 2);
	fixture_free(f);
}

static void test_mov_ss_holds_interrupts(void **state)
{
	struct fixture *f = stepping();

	/* mov ss,eax; nop; nop; cli; int3 with IF set: the interrupt waits for the first nop */
	CODE_AT(f, CODE, 0x8e, 0xd0, 0x90, 0x90, 0xfa, 0xcc);
	f->cpu.gpr[REG_RAX] = DATA32;
	use_register(f, REG_RAX);
	f->op.reg = SEG_SS;
	call(f, insn_mov_to_seg);
	cpu_rip(&f->cpu) = CODE + 2;
	f->cpu.insns++;
	f->cpu.eflags_rest |= RFLAGS_IF;
	send_interrupt(f, 0x40);
	run(f);
	LOGGED(f, CODE + 3);
	fixture_free(f);
}

static void test_syscall(void **state)
{
	struct fixture *f = stepping();

	CODE_AT(f, CODE, 0x0f, 0x05);
	CODE_AT(f, DATA, 0xcc);
	f->cpu.msrs.lstar = DATA;
	f->cpu.msrs.star = (uint64_t)CODE64 << 32;
	assert_int_equal(run(f), 3);
	assert_int_equal(f->cpu.gpr[REG_RCX], CODE + 2);
	fixture_free(f);
}

/* INT n retires, a fault does not; the handler's instructions do. */
static void test_retired(void **state)
{
	struct fixture *f = stepping();

	CODE_AT(f, CODE, 0x90, 0xcc);
	assert_int_equal(run(f), 3);
	fixture_free(f);
	f = stepping();
	put_gate(f, IDT + VECTOR_UD * 16, 14, 0, CODE64, DATA, 0);
	CODE_AT(f, CODE, 0x90, 0x0f, 0x0b);
	CODE_AT(f, DATA, 0xcc);
	assert_int_equal(run(f), 3);
	fixture_free(f);
}

/* INIT puts the local APIC back, too; who is not the bootstrap processor waits for a SIPI. */
static void test_init(void **state)
{
	for (unsigned bsp = 0; bsp < 2; bsp++) {
		struct fixture *f = stepping();
		struct lapic *lapic = f->machine.lapic;

		if (!bsp)
			assert_true(lapic_set_base(lapic, lapic_base(lapic) & ~APIC_BASE_BSP));
		lapic_mmio_write(lapic, 0x80, 0x50);
		f->cpu.msrs.star = 5;
		f->cpu.init_pending = true;
		cpu_attend(&f->cpu);
		assert_int_equal(f->cpu.seg[SEG_CS].selector, 0xf000);
		assert_int_equal(f->cpu.msrs.star, 5);
		assert_int_equal(lapic_mmio_read(lapic, 0x80), 0);
		assert_true(lapic_mmio_read(lapic, 0x350) & BIT32(16)); /* LINT0 masked */
		assert_int_equal(f->cpu.activity, bsp ? ACTIVITY_ACTIVE : ACTIVITY_WAIT_SIPI);
		interp_cpu_ops.sipi(&f->cpu, 0x12);
		cpu_attend(&f->cpu);
		assert_int_equal(f->cpu.seg[SEG_CS].selector, bsp ? 0xf000 : 0x1200);
		assert_int_equal(f->cpu.activity, ACTIVITY_ACTIVE);
		fixture_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_step),
		cmocka_unit_test(test_popf_starts_stepping),
		cmocka_unit_test(test_step_over_mov_ss),
		cmocka_unit_test(test_step_rep),
		cmocka_unit_test(test_code_breakpoint),
		cmocka_unit_test(test_resume_flag),
		cmocka_unit_test(test_data_breakpoint),
		cmocka_unit_test(test_mov_ss_and_int1),
		cmocka_unit_test(test_enabling_by_mov_dr7),
		cmocka_unit_test(test_sti_shadow),
		cmocka_unit_test(test_late_interrupt),
		cmocka_unit_test(test_sti_cli),
		cmocka_unit_test(test_sti_hlt),
		cmocka_unit_test(test_mov_ss_holds_interrupts),
		cmocka_unit_test(test_syscall),
		cmocka_unit_test(test_retired),
		cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
