/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Levels told apart by entries and exits: nests of hypervisors with a VMCS for each guest, and one
 * that loads whoever shall run next into the same VMCS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/levels.h"
#include "shadow/sdm/vmx.h"

#define L1 0x1000, 0x1e
#define L2 0x2000, 0x2e
#define L3 0x3000, 0x3e
#define L4 0x4000, 0x4e

static struct levels levels;
static uint64_t gpr[REG_COUNT];

static int setup(void **state)
{
	memset(&levels, 0, sizeof(levels));
	return 0;
}

#define enters(level, ...) assert_int_equal(levels_enter(&levels, __VA_ARGS__, 0), level)
#define launches() levels_exit(&levels, &(struct levels_exit){.reason = EXIT_REASON_VMRESUME}, gpr)
#define exits() levels_exit(&levels, &(struct levels_exit){.reason = EXIT_REASON_CPUID}, gpr)

/* L1 handles an exit of a guest above it: an exit of its own for another reason, and back. */
static void l1_works(void)
{
	enters(1, L1);
	exits();
	enters(1, L1);
}

/* A guest above L1 enters one of its own: that is L1's to do. */
static void launches_by_l1(void)
{
	launches();
	l1_works();
	launches();
}

/* A guest above L1 exits for another reason: L1 enters whoever handles that. */
static void exits_by_l1(void)
{
	exits();
	l1_works();
	launches();
}

static void nest(void)
{
	enters(1, L1);
	launches();
	enters(2, L2);
	launches_by_l1();
	enters(3, L3);
	launches_by_l1(); /* L3's VMLAUNCH is L2's to answer */
	enters(2, L2);
	exits_by_l1();
	enters(2, L2);
	launches_by_l1();
	enters(4, L4);
}

static void own_vmcs_each(void **state)
{
	nest();
	exits_by_l1();
	enters(2, L2);
	launches_by_l1();
	enters(3, L3);
	exits();
	assert_int_equal(levels_current(&levels), 3);
	assert_int_equal(levels_find(&levels, 2)->vmcs, 0x2000);
	gpr[REG_RBX] = 7;
	exits();
	assert_int_equal(levels_find(&levels, 3)->gpr[REG_RBX], 7);
	assert_null(levels_find(&levels, 5));
}

/* The instruction failed: L1 resumes L2 behind it. The next guest is then L2's sibling, not L3. */
static void failed_launch(void **state)
{
	enters(1, L1);
	launches();
	enters(2, L2);
	launches_by_l1();
	enters(2, L2);
	exits_by_l1();
	enters(2, 0x5000, 0x5e);
}

/* One VMCS for whoever runs above L1, told apart by the EPT pointer. */
static void shared_vmcs(void **state)
{
	enters(1, L1);
	launches();
	enters(2, 0x2000, 0x2e);
	launches_by_l1();
	enters(3, 0x2000, 0x3e);
	assert_null(levels_find(&levels, 2)); /* its state is no longer there */
	exits_by_l1();
	enters(2, 0x2000, 0x2e);
	exits();
	/* Another EPT for the guest that runs: nobody launched anything. */
	enters(2, 0x2000, 0x6e);
}

static void cleared(void **state)
{
	nest();
	levels_clear(&levels, 0x4000);
	assert_null(levels_find(&levels, 4));
	exits();
	enters(1, L1);
	launches();
	enters(2, L4);
}

/* More guests than rows: the ones that are entered stay known. */
static void many_guests(void **state)
{
	enters(1, L1);
	for (uint64_t i = 1; i <= 3 * LEVELS_ROWS; i++) {
		enters(1, L1);
		launches();
		enters(2, 0x100000 * i, 0);
		exits();
	}
	enters(1, L1);
}

static void exits_at(uint64_t insns, uint32_t reason)
{
	levels_exit(&levels, &(struct levels_exit){.insns = insns, .reason = reason}, gpr);
}

/* Every instruction is somebody's, and every exit its guest's. */
static void sums(void **state)
{
	levels_settle(&levels, 5);
	levels_enter(&levels, L1, 100);
	exits_at(130, EXIT_REASON_VMLAUNCH);
	levels_fail(&levels, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE);
	levels_enter(&levels, L2, 200);
	exits_at(201, EXIT_REASON_CPUID);
	levels_enter(&levels, L1, 1201);
	levels_settle(&levels, 1203);
	levels_settle(&levels, 1211);
	assert_int_equal(levels.sums[0].insns, 100 + 70 + 1000);
	assert_int_equal(levels.sums[0].l0_insns, 0);
	assert_int_equal(levels.sums[0].exits[EXIT_REASON_ENTRY_FAILURE_GUEST_STATE], 1);
	assert_int_equal(levels.sums[1].insns, 30 + 10);
	assert_int_equal(levels.sums[1].l0_insns, 70);
	assert_int_equal(levels.sums[1].exits[EXIT_REASON_VMLAUNCH], 1);
	assert_int_equal(levels.sums[2].insns, 1);
	assert_int_equal(levels.sums[2].l0_insns, 1000);
	assert_int_equal(levels.sums[2].exits[EXIT_REASON_CPUID], 1);
}

static void nothing_ran(void **state)
{
	assert_int_equal(levels_current(&levels), 0);
	enters(1, L1);
	enters(1, 0x7000, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(own_vmcs_each, setup),
		cmocka_unit_test_setup(failed_launch, setup),
		cmocka_unit_test_setup(shared_vmcs, setup),
		cmocka_unit_test_setup(cleared, setup),
		cmocka_unit_test_setup(many_guests, setup),
		cmocka_unit_test_setup(sums, setup),
		cmocka_unit_test_setup(nothing_ran, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
