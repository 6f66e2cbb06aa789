/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Between instructions: event injection, monitor trap flag, preemption timer, windows, NMIs and
 * virtual NMIs, external interrupts, INIT and SIPI.
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

static bool before_traps(struct fixture *f)
{
	return EXITS_AT_BOUNDARY(f, vmx_attend_before_traps(f->cpu));
}

static bool timer_and_windows(struct fixture *f)
{
	return EXITS_AT_BOUNDARY(f, vmx_attend_timer_and_windows(f->cpu));
}

static void retire(struct fixture *f)
{
	f->cpu->insns++;
	cpu_rip(f->cpu)++;
}

/* ---- event injection ---- */

static void test_injection(void **state)
{
	static const struct {
		enum vmx_intr_type type;
		uint8_t vector;
		bool error, length;
	} events[] = {
		{INTR_TYPE_EXTERNAL, 0x31, false, false},
		{INTR_TYPE_NMI, 2, false, false},
		{INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_GP, true, false},
		{INTR_TYPE_SOFTWARE_INTERRUPT, 0x80, false, true},
		{INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB, false, true},
		{INTR_TYPE_SOFTWARE_EXCEPTION, VECTOR_BP, false, true},
	};

	for (volatile size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		uint32_t info = INTR_INFO_VALID | (uint32_t)events[i].type << 8 | events[i].vector |
				(events[i].error ? INTR_INFO_ERROR_CODE : 0);
		struct fixture f;

		start_vmx(&f);
		SET(&f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF);
		SET(&f, ENTRY_INTERRUPTION_INFO, info);
		SET(&f, ENTRY_EXCEPTION_ERROR_CODE, 0x18);
		SET(&f, ENTRY_INSTRUCTION_LENGTH, 2);
		enter(&f);
		assert_true(f.cpu->event.valid);
		assert_true(f.cpu->event.injected);
		assert_int_equal(f.cpu->event.vector, events[i].vector);
		assert_int_equal(f.cpu->event.type, events[i].type);
		assert_int_equal(f.cpu->event.has_error, events[i].error);
		if (events[i].error)
			assert_int_equal(f.cpu->event.error, 0x18);
		assert_int_equal(f.cpu->event.insn_length, events[i].length ? 2 : 0);
		assert_int_equal(f.cpu->nmi_blocked, events[i].type == INTR_TYPE_NMI);
		EXITS_AT_BOUNDARY(&f, vmx_exit_triple_fault(f.cpu));
		assert_int_equal(GET(&f, ENTRY_INTERRUPTION_INFO), info & ~INTR_INFO_VALID);
		assert_false(f.cpu->event.valid);
		stop(&f);
	}
}

static void test_injection_wakes_and_blocks_virtual_nmis(void **state)
{
	struct fixture f;

	start_vmx(&f);
	ENABLE(&f, PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	SET(&f, ENTRY_INTERRUPTION_INFO, INTR_INFO_VALID | INTR_TYPE_NMI << 8 | 2);
	SET(&f, GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	enter(&f);
	assert_true(f.cpu->vmx->virtual_nmi_blocked);
	assert_false(f.cpu->nmi_blocked);
	assert_int_equal(f.cpu->activity, ACTIVITY_ACTIVE);
	stop(&f);
}

/* ---- monitor trap flag ---- */

static void test_mtf(void **state)
{
	struct fixture f;

	start_vmx(&f);
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_MONITOR_TRAP_FLAG);
	enter(&f);
	assert_true(vmx_wants_attention(f.cpu));
	assert_false(before_traps(&f)); /* no instruction yet */
	retire(&f);
	assert_true(before_traps(&f));
	assert_exit(&f, EXIT_REASON_MONITOR_TRAP_FLAG, 0);
	assert_int_equal(GET(&f, EXIT_INSTRUCTION_LENGTH), 0);
	assert_int_equal(GET(&f, GUEST_RIP), GUEST_ENTRY + 1);
	/* Delivery of an event in place of the instruction: RIP alone moves. */
	enter(&f);
	assert_false(before_traps(&f));
	cpu_rip(f.cpu) = 0x5000;
	assert_true(before_traps(&f));
	/* An iteration of a REP instruction: only RCX has moved. */
	enter(&f);
	assert_false(before_traps(&f));
	f.cpu->gpr[REG_RCX]--;
	assert_true(before_traps(&f));
	/* After injection, before the first instruction. */
	SET(&f, ENTRY_INTERRUPTION_INFO, INTR_INFO_VALID | INTR_TYPE_NMI << 8 | 2);
	enter(&f);
	assert_true(before_traps(&f));
	stop(&f);
}

static void test_pending_mtf_injection(void **state)
{
	struct fixture f;

	start_vmx(&f);
	SET(&f, ENTRY_INTERRUPTION_INFO, INTR_INFO_VALID | INTR_TYPE_OTHER_EVENT << 8);
	enter(&f);
	assert_false(f.cpu->event.valid);
	assert_true(before_traps(&f));
	assert_exit(&f, EXIT_REASON_MONITOR_TRAP_FLAG, 0);
	enter(&f); /* once only */
	assert_false(before_traps(&f));
	assert_false(vmx_wants_attention(f.cpu));
	stop(&f);
}

/* ---- preemption timer ---- */

static void spend(struct fixture *f, uint64_t cycles)
{
	cpu_charge(f->cpu, cycles);
}

static void test_preemption_timer(void **state)
{
	struct fixture f;
	uint64_t due;

	start_vmx(&f);
	spend(&f, 1003);
	ENABLE(&f, PIN_BASED_CONTROLS, PIN_PREEMPTION_TIMER);
	ENABLE(&f, EXIT_CONTROLS, EXIT_SAVE_PREEMPTION_TIMER);
	SET(&f, PREEMPTION_TIMER_VALUE, 10);
	enter(&f);
	/* It counts changes of TSC bit 5, so the first tick comes early. */
	due = vmx_next_event(f.cpu);
	assert_int_equal((due + cpu_tsc(f.cpu) - cpu_now(f.cpu)) % 32, 0);
	assert_in_range(due - cpu_now(f.cpu), 9 * 32 + 1, 10 * 32);
	spend(&f, due - cpu_now(f.cpu) - 1);
	assert_false(timer_and_windows(&f));
	spend(&f, 1);
	assert_true(timer_and_windows(&f));
	assert_exit(&f, EXIT_REASON_PREEMPTION_TIMER, 0);
	assert_int_equal(GET(&f, PREEMPTION_TIMER_VALUE), 0);
	assert_int_equal(vmx_next_event(f.cpu), EVENT_NEVER);
	/* Zero: before the first instruction. */
	enter(&f);
	assert_true(timer_and_windows(&f));
	/* Saved: what is left. */
	SET(&f, PREEMPTION_TIMER_VALUE, 100);
	enter(&f);
	due = vmx_next_event(f.cpu);
	spend(&f, due - cpu_now(f.cpu) - 64);
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	assert_int_equal(GET(&f, PREEMPTION_TIMER_VALUE), 2);
	stop(&f);
}

static void test_timer_and_activity(void **state)
{
	struct fixture f;

	start_vmx(&f);
	ENABLE(&f, PIN_BASED_CONTROLS, PIN_PREEMPTION_TIMER);
	SET(&f, GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_SIPI);
	enter(&f);
	assert_int_equal(vmx_next_event(f.cpu), EVENT_NEVER);
	assert_false(timer_and_windows(&f));
	f.cpu->activity = ACTIVITY_HLT;
	assert_true(timer_and_windows(&f));
	assert_int_equal(GET(&f, GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
	stop(&f);
}

/* ---- windows ---- */

static void test_interrupt_window(void **state)
{
	static const struct {
		bool flag, sti, mov_ss, exits;
		enum vmx_activity activity;
	} cases[] = {
		{true, false, false, true, ACTIVITY_ACTIVE},
		{false, false, false, false, ACTIVITY_ACTIVE},
		{true, true, false, false, ACTIVITY_ACTIVE},
		{true, false, true, false, ACTIVITY_ACTIVE},
		{true, false, false, true, ACTIVITY_HLT},
		{true, false, false, false, ACTIVITY_SHUTDOWN},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		start_vmx(&f);
		ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_INTERRUPT_WINDOW_EXITING);
		enter(&f);
		f.cpu->eflags_rest |= cases[i].flag ? RFLAGS_IF : 0;
		f.cpu->sti_shadow = cases[i].sti;
		f.cpu->mov_ss_shadow = cases[i].mov_ss;
		f.cpu->activity = cases[i].activity;
		assert_int_equal(timer_and_windows(&f), cases[i].exits);
		if (cases[i].exits)
			assert_exit(&f, EXIT_REASON_INTERRUPT_WINDOW, 0);
		stop(&f);
	}
}

static void test_nmi_window(void **state)
{
	struct fixture f;

	start_vmx(&f);
	ENABLE(&f, PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW_EXITING);
	SET(&f, GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	enter(&f);
	assert_false(timer_and_windows(&f));
	vmx_iret(f.cpu);
	assert_false(f.cpu->vmx->virtual_nmi_blocked);
	f.cpu->mov_ss_shadow = true;
	assert_false(timer_and_windows(&f));
	f.cpu->mov_ss_shadow = false;
	assert_true(timer_and_windows(&f));
	assert_exit(&f, EXIT_REASON_NMI_WINDOW, 0);
	stop(&f);
}

/* ---- NMIs and IRET ---- */

static void test_nmi(void **state)
{
	struct fixture f;

	start_vmx(&f);
	enter(&f);
	f.cpu->nmi_pending = true;
	assert_true(vmx_attend_nmi(f.cpu));
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	ENABLE(&f, PIN_BASED_CONTROLS, PIN_NMI_EXITING);
	enter(&f);
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_attend_nmi(f.cpu)));
	assert_exit(&f, EXIT_REASON_EXCEPTION_OR_NMI, 0);
	assert_int_equal(GET(&f, EXIT_INTERRUPTION_INFO), 0x80000202);
	assert_true(f.cpu->nmi_blocked);
	assert_false(f.cpu->nmi_pending);
	stop(&f);
}

/* SDM 3C "Changes to Instruction Behavior in VMX Non-Root Operation", IRET: three cases. */
static void test_iret_unblocks(void **state)
{
	static const struct {
		uint32_t pin;
		bool physical, virtual; /* still blocked afterwards */
		bool reported;          /* as NMI unblocking due to IRET */
	} cases[] = {
		{0, false, false, true},
		{PIN_NMI_EXITING, true, false, false},
		{PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, false, false, true},
	};

	for (volatile size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		start_vmx(&f);
		ENABLE(&f, PIN_BASED_CONTROLS, cases[i].pin);
		SET(&f, GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
		enter(&f);
		f.cpu->op = &f.op;
		vmx_iret(f.cpu);
		assert_int_equal(f.cpu->nmi_blocked, cases[i].physical);
		assert_int_equal(f.cpu->vmx->virtual_nmi_blocked, cases[i].virtual);
		/* The IRET goes on to violate EPT. */
		assert_true(
			EXITS(&f, vmx_exit_ept_violation(f.cpu, 0x9000, 0, false, EPT_QUAL_READ)));
		assert_int_equal(GET(&f, EXIT_QUALIFICATION),
				 EPT_QUAL_READ | (cases[i].reported ? EPT_QUAL_NMI_UNBLOCKING : 0));
		stop(&f);
	}
}

static void test_unblocking_is_that_irets_only(void **state)
{
	struct fixture f;

	start_vmx(&f);
	SET(&f, GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	enter(&f);
	vmx_iret(f.cpu);
	retire(&f);
	assert_true(EXITS(&f, vmx_exit_ept_violation(f.cpu, 0x9000, 0, false, EPT_QUAL_READ)));
	assert_int_equal(GET(&f, EXIT_QUALIFICATION), EPT_QUAL_READ);
	stop(&f);
}

/* ---- external interrupts: a pending one is faked by the exit without acknowledgement ---- */

static void test_external_interrupt(void **state)
{
	struct fixture f;

	start_vmx(&f);
	enter(&f);
	assert_true(vmx_attend_interrupt(f.cpu));
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	ENABLE(&f, PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	enter(&f);
	/* RFLAGS.IF = 0 does not matter. */
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_attend_interrupt(f.cpu)));
	assert_exit(&f, EXIT_REASON_EXTERNAL_INTERRUPT, 0);
	assert_int_equal(GET(&f, EXIT_INTERRUPTION_INFO), 0);
	SET(&f, GUEST_ACTIVITY_STATE, ACTIVITY_SHUTDOWN);
	enter(&f);
	assert_false(vmx_attend_interrupt(f.cpu));
	stop(&f);
}

/* SDM 3C "Guest Non-Register State": the field "never reflects" the state that MWAIT enters. */
static void test_mwait_is_no_activity_state(void **state)
{
	struct fixture f;

	start_vmx(&f);
	ENABLE(&f, PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	enter(&f);
	cpu_wait_for_event(f.cpu, WAIT_MWAIT_MASKED);
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_attend_interrupt(f.cpu)));
	assert_int_equal(GET(&f, GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
	enter(&f);
	cpu_wait_for_event(f.cpu, WAIT_HLT);
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_attend_interrupt(f.cpu)));
	assert_int_equal(GET(&f, GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
	enter(&f);
	assert_int_equal(f.cpu->wait, WAIT_HLT);
	stop(&f);
}

/* ---- INIT and SIPI ---- */

static void test_init_and_sipi(void **state)
{
	struct fixture f;

	start(&f);
	assert_false(vmx_attend_init(f.cpu));
	assert_false(vmx_attend_sipi(f.cpu, 8));
	stop(&f);
	start_vmx(&f);
	f.cpu->init_pending = true;
	assert_true(vmx_attend_init(f.cpu)); /* blocked, stays pending */
	assert_true(f.cpu->init_pending);
	enter(&f);
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_attend_init(f.cpu)));
	assert_exit(&f, EXIT_REASON_INIT_SIGNAL, 0);
	assert_false(f.cpu->init_pending);
	enter(&f);
	f.cpu->sipi_pending = true;
	assert_true(vmx_attend_sipi(f.cpu, 8)); /* lost */
	assert_false(f.cpu->sipi_pending);
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	SET(&f, GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_SIPI);
	enter(&f);
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_attend_sipi(f.cpu, 0x9f)));
	assert_exit(&f, EXIT_REASON_SIPI, 0x9f);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_injection_wakes_and_blocks_virtual_nmis),
		cmocka_unit_test(test_mtf),
		cmocka_unit_test(test_pending_mtf_injection),
		cmocka_unit_test(test_preemption_timer),
		cmocka_unit_test(test_timer_and_activity),
		cmocka_unit_test(test_interrupt_window),
		cmocka_unit_test(test_nmi_window),
		cmocka_unit_test(test_nmi),
		cmocka_unit_test(test_iret_unblocks),
		cmocka_unit_test(test_unblocking_is_that_irets_only),
		cmocka_unit_test(test_external_interrupt),
		cmocka_unit_test(test_mwait_is_no_activity_state),
		cmocka_unit_test(test_init_and_sipi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
