/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Skipping VM-entry checks must never let through what the checks would refuse: random changes to a
 * VMCS that passed, judged by running everything.
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

static uint64_t seed = 1;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool read_phys32(void *opaque, uint64_t address, uint32_t *value)
{
	(void)opaque;
	(void)address;
	*value = VMCS_REVISION;
	return true;
}

static bool all_hold(const struct vmx_check_env *env)
{
	for (int group = 0; group < VMX_CHECK_GROUPS; group++)
		if (vmx_checks_run((enum vmx_check_group)group, env))
			return false;
	return true;
}

/* One field: a bit flipped, a small or large random value, or another field's value. */
static void mutate(struct vmcs *vmcs)
{
	unsigned i = (unsigned)(random64() % VMCS_FIELD_COUNT);

	switch (random64() % 4) {
	case 0:
		vmcs->field[i] ^= BIT64(random64() % 64);
		break;
	case 1:
		vmcs->field[i] = random64() & 0xff;
		break;
	case 2:
		vmcs->field[i] = random64();
		break;
	default:
		vmcs->field[i] = vmcs->field[random64() % VMCS_FIELD_COUNT];
		break;
	}
}

static void test_skipping_agrees_with_checking(void **state)
{
	static unsigned skipped, refused;
	struct vmx_check_env env;
	struct fixture f;
	struct vmcs good;

	start_vmx(&f);
	enter(&f);
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	env = (struct vmx_check_env){.vmcs = f.cpu->vmx->vmcs,
				     .caps = f.cpu->vmx->caps,
				     .cr0 = f.cpu->cr0,
				     .cr4 = f.cpu->cr4,
				     .efer = f.cpu->efer,
				     .current_vmcs = f.cpu->vmx->current,
				     .read_phys32 = read_phys32};
	good = *f.cpu->vmx->vmcs;
	for (unsigned n = 0; n < 200000; n++) {
		*f.cpu->vmx->vmcs = good;
		vmx_checks_held(f.cpu, &env);
		for (unsigned k = random64() % 3 + 1; k > 0; k--)
			mutate(f.cpu->vmx->vmcs);
		if (vmx_checks_still_hold(f.cpu, &env)) {
			assert_true(all_hold(&env));
			skipped++;
		} else if (!all_hold(&env)) {
			refused++;
		} else if (random64() % 64 == 0) {
			good = *f.cpu->vmx->vmcs; /* go on from a neighbour */
		}
	}
	assert_true(skipped > 1000);
	assert_true(refused > 1000);
	stop(&f);
}

/* The round trip that the shortcut is for takes it. */
static void test_ordinary_exit_takes_the_shortcut(void **state)
{
	struct vmx_check_env env;
	struct fixture f;

	start_vmx(&f);
	for (unsigned i = 0; i < 2; i++) {
		enter(&f);
		EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	}
	SET(&f, GUEST_RIP, GUEST_ENTRY + 2);
	SET(&f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_ZF);
	env = (struct vmx_check_env){.vmcs = f.cpu->vmx->vmcs,
				     .caps = f.cpu->vmx->caps,
				     .cr0 = f.cpu->cr0,
				     .cr4 = f.cpu->cr4,
				     .efer = f.cpu->efer,
				     .current_vmcs = f.cpu->vmx->current};
	assert_true(vmx_checks_still_hold(f.cpu, &env));
	env.cr4 |= CR4_PGE;
	assert_false(vmx_checks_still_hold(f.cpu, &env));
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_skipping_agrees_with_checking),
		cmocka_unit_test(test_ordinary_exit_takes_the_shortcut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
