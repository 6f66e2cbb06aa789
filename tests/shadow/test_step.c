/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A step of L2 for L0: VMCS02's primary controls meanwhile and afterwards, whoever else wants the
 * trap flag and whatever comes before it.
 */
#include "tests/shadow/fixture.h"

#define MTF (uint32_t)PRIMARY_MONITOR_TRAP_FLAG
#define IO ((uint32_t)PRIMARY_UNCONDITIONAL_IO_EXITING | (uint32_t)PRIMARY_USE_IO_BITMAPS)

static uint64_t start(struct fixture *f, uint32_t primary12)
{
	l1_prepare(f);
	l1_write(f, VMCS_PRIMARY_CONTROLS, l1_read(f, VMCS_PRIMARY_CONTROLS) | primary12);
	l1_launch(f);
	return GET02(f, PRIMARY_CONTROLS);
}

static void step(struct fixture *f)
{
	assert_true(shadow_l2_step(&f->v));
	assert_int_equal(GET02(f, PRIMARY_CONTROLS) & (MTF | IO), MTF);
}

static void for_l0_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t primary = start(f, 0);

	assert_true(primary & IO);
	step(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_MONITOR_TRAP_FLAG, 0), SHADOW_RESUME_L2);
	assert_int_equal(GET02(f, PRIMARY_CONTROLS), primary);
	/* The next one is not L0's. */
	assert_int_equal(l2_exit(f, EXIT_REASON_MONITOR_TRAP_FLAG, 0), SHADOW_RESUME_L1);
}

static void for_both(void **state)
{
	struct fixture *f = *state;
	uint64_t primary = start(f, MTF);

	step(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_MONITOR_TRAP_FLAG, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_MONITOR_TRAP_FLAG);
	l1_resume(f);
	assert_int_equal(GET02(f, PRIMARY_CONTROLS), primary);
}

/* L1's exit comes first; L2 goes on without L0's step, until it comes to the instruction again. */
static void overtaken(void **state)
{
	struct fixture *f = *state;
	uint64_t primary = start(f, 0);

	step(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	l1_resume(f);
	assert_int_equal(GET02(f, PRIMARY_CONTROLS), primary);
	step(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_MONITOR_TRAP_FLAG, 0), SHADOW_RESUME_L2);
	assert_int_equal(GET02(f, PRIMARY_CONTROLS), primary);
}

static void without_trap_flag(void **state)
{
	struct fixture *f = *state;
	uint64_t primary;

	fixture_free(f);
	fixture_init(f, fake_all_features() & ~VMX_FEATURE_BIT(VMX_FEATURE_MONITOR_TRAP_FLAG));
	primary = start(f, 0);
	assert_false(shadow_l2_step(&f->v));
	assert_int_equal(GET02(f, PRIMARY_CONTROLS), primary);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(for_l0_alone),
	    TEST(for_both),
	    TEST(overtaken),
	    TEST(without_trap_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
