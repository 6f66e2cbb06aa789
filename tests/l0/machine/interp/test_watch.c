/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Machine code through the run loop while the processor watches itself: last-branch records, single
 * steps on branches, counters of branches, and the interrupt of a counter, at its exact
 * instruction.
 */
#include "tests/l0/machine/interp/code.h"

#include "l0/machine/interp/perf.h"

enum { LOG = 0x6000, PMI_VECTOR = 0x40 };

/* Vector v halts at HANDLER + 16 * v; the address at which it hit is on its stack. */
static struct fixture *watching(void)
{
	struct fixture *f = fixture_new(LONG64);

	put_halting_handlers(f, PMI_VECTOR);
	f->cpu.attention = true;
	return f;
}

/* Runs to the handler of `vector`; returns the RIP that it interrupted. */
static uint64_t run(struct fixture *f, unsigned vector)
{
	assert_int_equal(run_to_hlt(f), HANDLER + 16 * vector + 1);
	return peek(f, f->cpu.gpr[REG_RSP], 8);
}

static uint64_t msr(struct fixture *f, uint32_t number)
{
	uint64_t value = 0;

	assert_true(cpu_rdmsr(&f->cpu, number, &value));
	return value;
}

static void set_msr(struct fixture *f, uint32_t number, uint64_t value)
{
	assert_true(cpu_wrmsr(&f->cpu, number, value));
}

/* mov ecx,2; l: dec ecx; jnz l; call s; jmp e; s: ret; e: int3 */
#define BRANCHES                                                                                   \
	0xb9, 2, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xe8, 2, 0, 0, 0, 0xeb, 1, 0xc3, 0xcc

static void assert_records(struct fixture *f, const uint64_t (*pairs)[2], unsigned count)
{
	uint64_t tos = msr(f, MSR_LBR_TOS);

	for (unsigned i = 0; i < count; i++) {
		uint32_t at = (uint32_t)(tos - (count - 1 - i)) % 32;

		assert_int_equal(msr(f, MSR_LBR_FROM_0 + at), pairs[i][0]);
		assert_int_equal(msr(f, MSR_LBR_TO_0 + at), pairs[i][1]);
	}
	assert_int_equal(tos, count);
}

static void test_last_branches(void **state)
{
	static const uint64_t expected[][2] = {{CODE + 7, CODE + 5},
					       {CODE + 9, CODE + 16},
					       {CODE + 16, CODE + 14},
					       {CODE + 14, CODE + 17},
					       {CODE + 17, HANDLER + 16 * VECTOR_BP}};
	struct fixture *f = watching();

	CODE_AT(f, CODE, BRANCHES);
	set_msr(f, MSR_IA32_DEBUGCTL, DEBUGCTL_LBR);
	run(f, VECTOR_BP);
	assert_records(f, expected, 5);
	fixture_free(f);
}

/* What LBR_SELECT names is left out; exceptions are far branches; #DB ends the recording. */
static void test_selected_branches(void **state)
{
	static const uint64_t calls[][2] = {{CODE + 9, CODE + 16}, {CODE + 16, CODE + 14}};
	static const uint64_t fault[][2] = {{CODE, HANDLER + 16 * VECTOR_UD}};
	struct fixture *f = watching();

	CODE_AT(f, CODE, BRANCHES);
	set_msr(f, MSR_LBR_SELECT, 0x184); /* no JCC, near relative JMP, far */
	set_msr(f, MSR_IA32_DEBUGCTL, DEBUGCTL_LBR);
	run(f, VECTOR_BP);
	assert_records(f, calls, 2);
	fixture_free(f);

	f = watching();
	CODE_AT(f, CODE, 0x0f, 0x0b);
	set_msr(f, MSR_IA32_DEBUGCTL, DEBUGCTL_LBR);
	run(f, VECTOR_UD);
	assert_records(f, fault, 1);
	fixture_free(f);

	f = watching();
	CODE_AT(f, CODE, 0xf1);
	set_msr(f, MSR_IA32_DEBUGCTL, DEBUGCTL_LBR | DEBUGCTL_BTF);
	run(f, VECTOR_DB);
	assert_int_equal(msr(f, MSR_IA32_DEBUGCTL), 0);
	fixture_free(f);
}

/* With BTF the trap comes after the first branch that is taken. */
static void test_step_on_branches(void **state)
{
	struct fixture *f = watching();

	/* nop; or eax,1; jz +1; nop; jmp +1; nop; nop */
	CODE_AT(f, CODE, 0x90, 0x83, 0xc8, 1, 0x74, 1, 0x90, 0xeb, 1, 0x90, 0x90);
	set_msr(f, MSR_IA32_DEBUGCTL, DEBUGCTL_BTF);
	flags_load(&f->cpu, RFLAGS_TF, RFLAGS_TF);
	assert_int_equal(run(f, VECTOR_DB), CODE + 10);
	assert_int_equal(f->cpu.dr6, DR6_FIXED1 | DR6_BS);
	assert_int_equal(msr(f, MSR_IA32_DEBUGCTL), 0);
	fixture_free(f);
}

static void test_branch_counter(void **state)
{
	struct fixture *f = watching();

	CODE_AT(f, CODE, BRANCHES);
	set_msr(f, MSR_IA32_PERFEVTSEL0, EVTSEL_EN | EVTSEL_OS | EVTSEL_USR | 0xc4);
	set_msr(f, MSR_IA32_PERF_GLOBAL_CTRL, 1);
	run(f, VECTOR_BP);
	assert_int_equal(msr(f, MSR_IA32_PMC0), 6); /* JNZ twice, CALL, RET, JMP, INT3 */
	fixture_free(f);
}

/* ---- the interrupt of a counter ---- */

#define NOPS 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90

static struct fixture *with_lapic(void)
{
	struct fixture *f = watching();

	CODE_AT(f, CODE, 0xf7, 0xf1, NOPS, NOPS, NOPS, 0xcc); /* div ecx: many cycles */
	f->cpu.gpr[REG_RAX] = f->cpu.gpr[REG_RCX] = 1;
	lapic_mmio_write(f->machine.lapic, 0xf0, 0x1ff);
	lapic_mmio_write(f->machine.lapic, 0x340, PMI_VECTOR);
	f->cpu.eflags_rest |= RFLAGS_IF;
	return f;
}

static void test_interrupt_on_overflow(void **state)
{
	for (unsigned n = 1; n <= 20; n++) {
		struct fixture *f = with_lapic();

		set_msr(f, MSR_IA32_FIXED_CTR0, COUNTER_MASK + 1 - n);
		set_msr(f, MSR_IA32_FIXED_CTR_CTRL, 0xb);
		set_msr(f, MSR_IA32_PERF_GLOBAL_CTRL, BIT64(32));
		assert_int_equal(run(f, PMI_VECTOR), CODE + 1 + n);
		assert_int_equal(msr(f, MSR_IA32_PERF_GLOBAL_STATUS), BIT64(32));
		assert_true(lapic_mmio_read(f->machine.lapic, 0x340) &
			    BIT32(16)); /* masked itself */
		fixture_free(f);
	}
}

static void test_freeze_on_interrupt(void **state)
{
	struct fixture *f = with_lapic();

	set_msr(f, MSR_IA32_DEBUGCTL, DEBUGCTL_FREEZE_PERFMON_ON_PMI);
	set_msr(f, MSR_IA32_PMC0, (uint32_t)-3);
	set_msr(f, MSR_IA32_PERFEVTSEL0, EVTSEL_EN | EVTSEL_INT | EVTSEL_OS | 0xc0);
	set_msr(f, MSR_IA32_PERF_GLOBAL_CTRL, 1);
	run(f, PMI_VECTOR);
	assert_int_equal(msr(f, MSR_IA32_PERF_GLOBAL_STATUS), PERF_STATUS_CTR_FRZ | 1);
	assert_int_equal(msr(f, MSR_IA32_PMC0), 0); /* the handler's HLT does not count */
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_branches),
		cmocka_unit_test(test_selected_branches),
		cmocka_unit_test(test_step_on_branches),
		cmocka_unit_test(test_branch_counter),
		cmocka_unit_test(test_interrupt_on_overflow),
		cmocka_unit_test(test_freeze_on_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
