/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Accesses to control registers in non-root operation: masks and read shadows, CR3 targets, CR8,
 * CLTS, LMSW.
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

static void test_cr0_and_cr4(void **state)
{
	static uint64_t value;
	struct fixture f;

	start_vmx(&f);
	SET(&f, CR0_GUEST_HOST_MASK, CR0_TS | CR0_NE);
	SET(&f, CR0_READ_SHADOW, CR0_TS);
	SET(&f, CR4_GUEST_HOST_MASK, CR4_VMXE);
	enter(&f);
	/* Reads: owned bits from the shadow. */
	assert_int_equal(vmx_mov_from_cr(f.cpu, 0, f.cpu->cr0, REG_RAX),
			 CR0_PE | CR0_PG | CR0_ET | CR0_TS);
	assert_int_equal(vmx_mov_from_cr(f.cpu, 4, f.cpu->cr4, REG_RAX), CR4_PAE);
	/* Writes: owned bits must match the shadow, and do not change. */
	assert_false(EXITS(&f, value = vmx_mov_to_cr(f.cpu, 0, CR0_TS | CR0_PE | CR0_WP, 1)));
	assert_int_equal(value, CR0_PE | CR0_NE | CR0_WP);
	assert_true(EXITS(&f, vmx_mov_to_cr(f.cpu, 0, CR0_PE | CR0_WP, REG_RSI)));
	assert_exit(&f, EXIT_REASON_CR_ACCESS, 0x600);
	enter(&f);
	assert_true(EXITS(&f, vmx_mov_to_cr(f.cpu, 4, CR4_VMXE | CR4_PAE, REG_R12)));
	assert_exit(&f, EXIT_REASON_CR_ACCESS, 0xc04);
	stop(&f);
}

static void test_cr3_and_targets(void **state)
{
	struct fixture f;

	start_vmx(&f);
	enter(&f);
	assert_false(EXITS(&f, vmx_mov_to_cr(f.cpu, 3, 0x1000, 0)));
	assert_false(EXITS(&f, vmx_mov_from_cr(f.cpu, 3, 0x1000, 0)));
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_CR3_LOAD_EXITING | PRIMARY_CR3_STORE_EXITING);
	SET(&f, CR3_TARGET_COUNT, 2);
	SET(&f, CR3_TARGET_VALUE0, 0x1000);
	SET(&f, CR3_TARGET_VALUE1, 0x2000);
	SET(&f, CR3_TARGET_VALUE2, 0x3000);
	enter(&f);
	assert_false(EXITS(&f, vmx_mov_to_cr(f.cpu, 3, 0x1000, 0)));
	assert_false(EXITS(&f, vmx_mov_to_cr(f.cpu, 3, 0x2000, 0)));
	assert_true(EXITS(&f, vmx_mov_to_cr(f.cpu, 3, 0x3000, REG_RDX)));
	assert_exit(&f, EXIT_REASON_CR_ACCESS, 0x203);
	enter(&f);
	assert_true(EXITS(&f, vmx_mov_from_cr(f.cpu, 3, 0x1000, REG_RBX)));
	assert_exit(&f, EXIT_REASON_CR_ACCESS, 0x313);
	stop(&f);
}

static void test_cr8(void **state)
{
	struct fixture f;

	start_vmx(&f);
	enter(&f);
	assert_false(EXITS(&f, vmx_mov_to_cr(f.cpu, 8, 5, 0)));
	assert_false(EXITS(&f, vmx_mov_from_cr(f.cpu, 8, 5, 0)));
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_CR8_LOAD_EXITING | PRIMARY_CR8_STORE_EXITING);
	enter(&f);
	assert_true(EXITS(&f, vmx_mov_to_cr(f.cpu, 8, 5, REG_RAX)));
	assert_exit(&f, EXIT_REASON_CR_ACCESS, 0x008);
	enter(&f);
	assert_true(EXITS(&f, vmx_mov_from_cr(f.cpu, 8, 5, REG_RDI)));
	assert_exit(&f, EXIT_REASON_CR_ACCESS, 0x718);
	stop(&f);
}

/* SDM 3C "Instructions That Cause VM Exits Conditionally", LMSW and CLTS. */
static void test_clts_and_lmsw(void **state)
{
	static const struct {
		uint64_t mask, shadow;
		uint16_t source;
		bool clts, lmsw;
	} cases[] = {
		{0, CR0_TS, CR0_TS, false, false}, {CR0_TS, CR0_TS, CR0_TS, true, false},
		{CR0_TS, 0, CR0_TS, false, true},  {CR0_TS, CR0_TS, 0, true, true},
		{CR0_PE, CR0_PE, 0, false, false}, /* PE is not cleared, so nothing differs */
		{CR0_PE, 0, CR0_PE, false, true},  {CR0_MP, CR0_MP, 0, false, true},
		{CR0_WP, 0, 0xffff, false, false}, /* bits above 3 are not written */
	};

	for (volatile size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		start_vmx(&f);
		SET(&f, CR0_GUEST_HOST_MASK, cases[i].mask);
		SET(&f, CR0_READ_SHADOW, cases[i].shadow);
		enter(&f);
		assert_int_equal(vmx_clts_effective(f.cpu), !(cases[i].mask & CR0_TS));
		assert_int_equal(EXITS(&f, vmx_intercept_clts(f.cpu)), cases[i].clts);
		if (cases[i].clts) {
			assert_exit(&f, EXIT_REASON_CR_ACCESS, 0x20);
			enter(&f);
		}
		assert_int_equal(EXITS(&f, vmx_lmsw(f.cpu, cases[i].source, true, 0x99)),
				 cases[i].lmsw);
		if (cases[i].lmsw) {
			assert_exit(&f, EXIT_REASON_CR_ACCESS,
				    0x70 | (uint32_t)cases[i].source << 16);
			assert_int_equal(GET(&f, GUEST_LINEAR_ADDRESS), 0x99);
		}
		stop(&f);
	}
}

static void test_lmsw_value(void **state)
{
	struct fixture f;

	start_vmx(&f);
	f.cpu->cr0 |= CR0_TS;
	assert_int_equal(vmx_lmsw(f.cpu, 0, false, 0), f.cpu->cr0 & ~CR0_TS);
	SET(&f, CR0_GUEST_HOST_MASK, CR0_MP);
	SET(&f, CR0_READ_SHADOW, CR0_MP);
	enter(&f);
	/* MP is the host's: the guest's matching write does not reach the register. */
	assert_int_equal(vmx_lmsw(f.cpu, CR0_MP | CR0_EM | CR0_PE, false, 0), f.cpu->cr0 | CR0_EM);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cr0_and_cr4),
		cmocka_unit_test(test_cr3_and_targets),
		cmocka_unit_test(test_cr8),
		cmocka_unit_test(test_clts_and_lmsw),
		cmocka_unit_test(test_lmsw_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
