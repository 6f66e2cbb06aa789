/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MONITOR and MWAIT, UMONITOR, UMWAIT and TPAUSE: when they wait, what ends the wait, what they
 * refuse.
 */
#include "tests/l0/machine/interp/protect.h"

static struct fixture *with_monitor(void)
{
	struct fixture *f = boundary();

	f->cpu.msrs.misc_enable = MISC_ENABLE_MONITOR;
	f->cpu.gpr[REG_RAX] = DATA;
	return f;
}

static void test_mwait(void **state)
{
	struct fixture *f = with_monitor();

	f->cpu.eflags_rest |= RFLAGS_IF;
	assert_outcome(f, call(f, insn_mwait), NO_FAULT, 0); /* not armed: no wait */
	assert_int_equal(f->cpu.activity, ACTIVITY_ACTIVE);
	assert_outcome(f, call(f, insn_monitor), NO_FAULT, 0);
	put_idt(f, 0x80, 14, 0, CODE64);
	assert_true(deliver(f, &(struct cpu_event){ .vector = 0x80, .type = INTR_TYPE_EXTERNAL }));
	f->cpu.eflags_rest |= RFLAGS_IF;
	assert_outcome(f, call(f, insn_mwait), NO_FAULT, 0); /* an event came between */
	assert_int_equal(f->cpu.activity, ACTIVITY_ACTIVE);
	assert_outcome(f, call(f, insn_monitor), NO_FAULT, 0);
	assert_outcome(f, call(f, insn_mwait), NO_FAULT, 0);
	assert_int_equal(f->cpu.activity, ACTIVITY_HLT);
	fixture_free(f);
}

/* UMWAIT and TPAUSE from time 0: until the TSC of EDX:EAX, for no longer than IA32_UMWAIT_CONTROL
 * and the time that is left to the next event allow. */
static void test_timed_waits(void **state)
{
	static const struct {
		uint64_t until, control, left, waited;
		bool bounded;
	} rows[] = {
	    {100, 0, 1000, 100, false},	     {100, 48, 1000, 48, true},
	    {100, 400, 1000, 100, false},    {5000, 0, 1000, 1000, false},
	    {5000, 2000, 1000, 1000, false}, {UINT64_C(1) << 40, 800, 1000, 800, true},
	};

	for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *f = fixture_new(LONG64);
		bool umwait = i & 1;

		f->cpu.deadline = rows[i / 2].left;
		f->cpu.budget = (int64_t)rows[i / 2].left;
		f->cpu.msrs.umwait_control = rows[i / 2].control;
		f->cpu.gpr[REG_RAX] = (uint32_t)rows[i / 2].until;
		f->cpu.gpr[REG_RDX] = rows[i / 2].until >> 32;
		f->cpu.gpr[REG_RCX] = 1;
		use_register(f, REG_RCX);
		f->cpu.monitor_armed = true;
		cpu_set_rflags(&f->cpu, RFLAGS_STATUS);
		assert_outcome(f, call(f, umwait ? insn_umwait : insn_tpause), NO_FAULT, 0);
		assert_int_equal(cpu_now(&f->cpu), rows[i / 2].waited);
		assert_int_equal(cpu_rflags(&f->cpu) & RFLAGS_STATUS,
				 rows[i / 2].bounded ? RFLAGS_CF : 0);
		if (umwait) { /* not armed any more: no wait */
			assert_outcome(f, call(f, insn_umwait), NO_FAULT, 0);
			assert_int_equal(cpu_now(&f->cpu), rows[i / 2].waited);
		}
		fixture_free(f);
	}
}

static void test_timed_wait_checks(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	use_register(f, REG_RCX);
	f->cpu.gpr[REG_RCX] = 2; /* reserved */
	assert_outcome(f, call(f, insn_tpause), VECTOR_GP, 0);
	f->cpu.gpr[REG_RCX] = 0;
	f->cpu.cr4 |= CR4_TSD;
	assert_outcome(f, call(f, insn_tpause), NO_FAULT, 0);
	set_segments(f, LONG64, 3);
	assert_outcome(f, call(f, insn_tpause), VECTOR_GP, 0);
	f->cpu.vmx->nonroot = true; /* and the control off */
	assert_outcome(f, call(f, insn_tpause), VECTOR_UD, NO_ERROR);
	assert_outcome(f, call(f, insn_umonitor), VECTOR_UD, NO_ERROR);
	fixture_free(f);
}

static void test_mwait_checks(void **state)
{
	struct fixture *f = with_monitor();

	f->cpu.gpr[REG_RCX] = 2;
	assert_outcome(f, call(f, insn_monitor), VECTOR_GP, 0);
	assert_outcome(f, call(f, insn_mwait), VECTOR_GP, 0);
	f->cpu.gpr[REG_RCX] = 0;
	f->cpu.gpr[REG_RAX] = UINT64_C(0x800000000000);
	assert_outcome(f, call(f, insn_monitor), VECTOR_GP, 0);
	set_segments(f, LONG64, 3);
	assert_outcome(f, call(f, insn_monitor), VECTOR_UD, NO_ERROR);
	assert_outcome(f, call(f, insn_mwait), VECTOR_UD, NO_ERROR);
	fixture_free(f);
}

/* IF = 0: only MWAIT with ECX[0] = 1 waits, and an interrupt then ends the wait undelivered. */
static void test_masked_wait(void **state)
{
	struct fixture *f = with_monitor();

	assert_outcome(f, call(f, insn_monitor), NO_FAULT, 0);
	assert_outcome(f, call(f, insn_mwait), NO_FAULT, 0);
	assert_int_equal(f->cpu.activity, ACTIVITY_ACTIVE);
	assert_outcome(f, call(f, insn_monitor), NO_FAULT, 0);
	f->cpu.gpr[REG_RCX] = 1;
	assert_outcome(f, call(f, insn_mwait), NO_FAULT, 0);
	cpu_attend(&f->cpu);
	assert_int_equal(f->cpu.activity, ACTIVITY_HLT);
	assert_true(cpu_waits_for_interrupt(&f->cpu));
	send_interrupt(f, 0x40);
	cpu_attend(&f->cpu);
	assert_int_equal(f->cpu.activity, ACTIVITY_ACTIVE);
	assert_int_equal(cpu_rip(&f->cpu), CODE);
	assert_true(machine_interrupt_pending(&f->machine));
	/* HLT is no such wait. */
	call(f, insn_hlt);
	cpu_attend(&f->cpu);
	assert_int_equal(f->cpu.activity, ACTIVITY_HLT);
	assert_false(cpu_waits_for_interrupt(&f->cpu));
	fixture_free(f);
}

/* IA32_MISC_ENABLE takes both away, and the CPUID flag. */
static void test_misc_enable(void **state)
{
	struct fixture *f = with_monitor();
	uint32_t out[4];

	cpu_cpuid(&f->cpu, 1, 0, out);
	assert_true(out[CPUID_ECX] & BIT32(3));
	f->cpu.msrs.misc_enable = 0;
	cpu_cpuid(&f->cpu, 1, 0, out);
	assert_false(out[CPUID_ECX] & BIT32(3));
	assert_outcome(f, call(f, insn_monitor), VECTOR_UD, NO_ERROR);
	assert_outcome(f, call(f, insn_mwait), VECTOR_UD, NO_ERROR);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mwait),
		cmocka_unit_test(test_mwait_checks),
		cmocka_unit_test(test_masked_wait),
		cmocka_unit_test(test_misc_enable),
		cmocka_unit_test(test_timed_waits),
		cmocka_unit_test(test_timed_wait_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
