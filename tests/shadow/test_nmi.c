/* SPDX-License-Identifier: BSD-2-Clause
 *
 * NMIs and their blocking across L1's transitions, by what L1 makes of NMIs: SDM 3C
 * "Interruptibility State" (VM entry), "Updating Non-Register State" (VM exit).
 */
#include "tests/shadow/fixture.h"

#define NMI (INTR_INFO_VALID | INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT | VECTOR_NMI)
#define BLOCKED INTERRUPTIBILITY_NMI

/* L1 with these pin-based controls enters L2 while NMIs are blocked in L1, or not. */
static void enter(struct fixture *f, uint32_t pin, bool blocked)
{
	l1_prepare(f);
	l1_write(f, VMCS_PIN_BASED_CONTROLS, l1_read(f, VMCS_PIN_BASED_CONTROLS) | pin);
	SET01(f, GUEST_INTERRUPTIBILITY_STATE, blocked ? BLOCKED : 0);
	l1_launch(f);
}

/* "Other VM exits do not affect blocking by NMI": L1 finds what was in effect in L2, which is
 * VMCS12's bit, or no blocking with virtual NMIs, whose bit means something else. */
static void exits(void **state)
{
	static const struct {
		uint32_t pin;
		bool in_l1, in_l2, after;
	} rows[] = {
	    {0, true, false, false},
	    {0, false, true, true},
	    {PIN_NMI_EXITING, true, false, false},
	    {PIN_NMI_EXITING, false, true, true},
	    {PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, true, false, false},
	    {PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, true, true, false},
	    {PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, false, true, false},
	};
	struct fixture *f = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fixture_free(f);
		fixture_init(f, fake_all_features());
		enter(f, rows[i].pin, rows[i].in_l1);
		SET02(f, GUEST_INTERRUPTIBILITY_STATE, rows[i].in_l2 ? BLOCKED : 0);
		assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
		assert_int_equal(GET01(f, GUEST_INTERRUPTIBILITY_STATE),
				 rows[i].after ? BLOCKED : 0);
	}
}

static void exit_by_nmi(void **state)
{
	struct fixture *f = *state;

	enter(f, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, false);
	SET02(f, EXIT_INTERRUPTION_INFO, NMI);
	assert_int_equal(l2_exit(f, EXIT_REASON_EXCEPTION_OR_NMI, 0), SHADOW_RESUME_L1);
	assert_int_equal(GET01(f, GUEST_INTERRUPTIBILITY_STATE), BLOCKED);
}

/* An entry that fails late has not touched it. */
static void failed_entry(void **state)
{
	struct fixture *f = *state;
	const uint32_t failed = EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE;

	enter(f, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, true);
	assert_int_equal(l2_exit(f, failed, 0), SHADOW_RESUME_L1);
	assert_int_equal(GET01(f, GUEST_INTERRUPTIBILITY_STATE), BLOCKED);
}

/* An NMI that found L0 at work has to wait where the CPU would not take it. */
static void blocked_in_l2(void **state)
{
	struct fixture *f = *state;

	enter(f, PIN_NMI_EXITING, false);
	SET02(f, GUEST_INTERRUPTIBILITY_STATE, BLOCKED);
	assert_int_equal(shadow_l2_nmi(&f->v), SHADOW_NMI_LATER);
	assert_false(GET02(f, PRIMARY_CONTROLS) & (uint32_t)PRIMARY_MONITOR_TRAP_FLAG);
	SET02(f, GUEST_INTERRUPTIBILITY_STATE, 0);
	SET02(f, GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_SIPI);
	assert_int_equal(shadow_l2_nmi(&f->v), SHADOW_NMI_LATER);
	SET02(f, GUEST_ACTIVITY_STATE, ACTIVITY_SHUTDOWN);
	assert_int_equal(shadow_l2_nmi(&f->v), SHADOW_NMI_EXITED);
}

/* Virtual-NMI blocking keeps nothing from exiting. */
static void virtually_blocked_in_l2(void **state)
{
	struct fixture *f = *state;

	enter(f, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, false);
	SET02(f, GUEST_INTERRUPTIBILITY_STATE, BLOCKED);
	assert_int_equal(shadow_l2_nmi(&f->v), SHADOW_NMI_EXITED);
}

/* L1 injects an MTF VM exit while an NMI waits: the exit is L1's, not the end of a step of L0's. */
static void behind_an_injected_mtf(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_PIN_BASED_CONTROLS, l1_read(f, VMCS_PIN_BASED_CONTROLS) | PIN_NMI_EXITING);
	l1_write(f, VMCS_ENTRY_INTERRUPTION_INFO,
		 INTR_INFO_VALID | INTR_TYPE_OTHER_EVENT << INTR_INFO_TYPE_SHIFT);
	l1_launch(f);
	assert_int_equal(shadow_l2_nmi(&f->v), SHADOW_NMI_LATER);
	assert_int_equal(l2_exit(f, EXIT_REASON_MONITOR_TRAP_FLAG, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_MONITOR_TRAP_FLAG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(exits),
	    BOTH(exit_by_nmi),
	    BOTH(failed_entry),
	    BOTH(blocked_in_l2),
	    BOTH(virtually_blocked_in_l2),
	    BOTH(behind_an_injected_mtf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
