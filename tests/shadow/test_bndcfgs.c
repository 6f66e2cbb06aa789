/* SPDX-License-Identifier: BSD-2-Clause
 *
 * IA32_BNDCFGS through nested transitions. L0 loads it at each entry and clears it at each exit, so
 * whose value it is follows from VMCS12's two controls: SDM 3C "Loading Guest Control Registers,
 * Debug Registers, and MSRs", "Saving Control Registers, Debug Registers, and MSRs", "Loading Host
 * Control Registers, Debug Registers, MSRs". While nobody uses it, it costs nothing.
 */
#include "tests/shadow/fixture.h"

#define OF_L1 UINT64_C(0x1003)
#define OF_L2 UINT64_C(0x2001)
#define NEW UINT64_C(0xffff800000003003)

static void controls(struct fixture *f, bool load, bool clear)
{
	uint64_t entry = l1_read(f, VMCS_ENTRY_CONTROLS), exit = l1_read(f, VMCS_EXIT_CONTROLS);

	l1_write(f, VMCS_ENTRY_CONTROLS, load ? entry | ENTRY_LOAD_BNDCFGS : entry);
	l1_write(f, VMCS_EXIT_CONTROLS, clear ? exit | EXIT_CLEAR_BNDCFGS : exit);
}

/* WRMSR by the guest of the current VMCS, as L0 emulates it. */
static void write01(struct fixture *f, uint64_t value)
{
	SET01(f, GUEST_IA32_BNDCFGS, value);
	shadow_bndcfgs_used(&f->v);
}

static void write02(struct fixture *f, uint64_t value)
{
	SET02(f, GUEST_IA32_BNDCFGS, value);
	shadow_bndcfgs_used(&f->v);
}

static void exits(struct fixture *f)
{
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
}

static void renew(void **state)
{
	struct fixture *f = *state;
	bool shadowing = f->v.hw_shadowing;

	fixture_teardown(state);
	if (shadowing)
		fixture_setup(state);
	else
		fixture_setup_without_shadowing(state);
}

static unsigned touched(const struct fixture *f)
{
	return fake_count(&f->fake, FAKE_READ, VMCS_GUEST_IA32_BNDCFGS) +
	       fake_count(&f->fake, FAKE_WRITE, VMCS_GUEST_IA32_BNDCFGS);
}

/* VMCS02 has both controls, whatever L1 wants; the field is left alone. */
static void costs_nothing_unused(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_launch(f);
	assert_true(GET02(f, ENTRY_CONTROLS) & ENTRY_LOAD_BNDCFGS);
	assert_true(GET02(f, EXIT_CONTROLS) & EXIT_CLEAR_BNDCFGS);
	assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), 0);
	fake_forget(&f->fake);
	for (unsigned i = 0; i < 3; i++) {
		exits(f);
		assert_int_equal(l1_read(f, VMCS_GUEST_GS_BASE), GET02(f, GUEST_GS_BASE));
		l1_resume(f);
	}
	assert_int_equal(touched(f), 0);
	exits(f);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_BNDCFGS), 0);
}

/* Each choice of controls, with a value of L1's before the entry, one of L2's before the exit. */
static void each_choice(void **state)
{
	static const struct {
		bool load, clear;
		uint64_t l2, l1; /* what L2 begins with; what L1 has after the exit */
	} rows[] = {
		{true, true, OF_L2, 0},
		{true, false, OF_L2, NEW},
		{false, true, OF_L1, 0},
		{false, false, OF_L1, NEW},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = *state;

		l1_prepare(f);
		controls(f, rows[i].load, rows[i].clear);
		l1_write(f, VMCS_GUEST_IA32_BNDCFGS, OF_L2);
		write01(f, OF_L1);
		l1_launch(f);
		assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), rows[i].l2);
		write02(f, NEW);
		exits(f);
		assert_int_equal(GET01(f, GUEST_IA32_BNDCFGS), rows[i].l1);
		assert_int_equal(l1_read(f, VMCS_GUEST_IA32_BNDCFGS), NEW);
		write01(f, OF_L1);
		l1_resume(f);
		assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), rows[i].load ? NEW : OF_L1);
		exits(f);
		/* and back to nothing */
		write01(f, 0);
		l1_write(f, VMCS_GUEST_IA32_BNDCFGS, 0);
		l1_resume(f);
		assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), 0);
		exits(f);
		assert_int_equal(GET01(f, GUEST_IA32_BNDCFGS), 0);
		renew(state);
	}
}

/* What L2 leaves in it is loaded again, whether L1 has looked at it or not. */
static void goes_on(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	controls(f, true, true);
	l1_launch(f);
	write02(f, OF_L2);
	exits(f);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), OF_L2);
	write02(f, 0);
	exits(f);
	l1_write(f, VMCS_GUEST_GS_BASE, 0x1000);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), 0);
	exits(f);
	l1_write(f, VMCS_GUEST_IA32_BNDCFGS, NEW);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), NEW);
}

/* L2 is the first to use it, while L1 knows nothing of it. */
static void first_use_by_l2(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_launch(f);
	write02(f, NEW);
	exits(f);
	assert_int_equal(GET01(f, GUEST_IA32_BNDCFGS), NEW);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_BNDCFGS), NEW);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), NEW);
}

/* A value in VMCS12 that no control loads reaches nobody, and the exit replaces it. */
static void not_loaded(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_GUEST_IA32_BNDCFGS, OF_L2);
	l1_launch(f);
	assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), 0);
	exits(f);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_BNDCFGS), 0);
	assert_int_equal(GET01(f, GUEST_IA32_BNDCFGS), 0);
}

/* Out of the cache and back. */
static void survives_vmclear(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	controls(f, true, true);
	l1_write(f, VMCS_GUEST_IA32_BNDCFGS, OF_L2);
	l1_launch(f);
	write02(f, NEW);
	exits(f);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_SUCCEED, 0);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_BNDCFGS), NEW);
	l1_launch(f);
	assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), NEW);
}

/* A region that comes with a value, in a machine where there was none so far. */
static void comes_with_the_region(void **state)
{
	struct fixture *f = *state;
	uint64_t at;

	l1_prepare(f);
	controls(f, true, false);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	at = VMCS_A + offsetof(struct vmcs, field[VMCS_INDEX_GUEST_IA32_BNDCFGS]);
	fake_poke64(&f->fake, at, OF_L2);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_SUCCEED, 0);
	l1_launch(f);
	assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), OF_L2);
	exits(f);
	assert_int_equal(GET01(f, GUEST_IA32_BNDCFGS), OF_L2);
}

/* An entry that fails leaves L1's value, unless it is to be cleared. */
static void failed_entry(void **state)
{
	for (unsigned clear = 0; clear < 2; clear++) {
		struct fixture *f = *state;

		l1_prepare(f);
		controls(f, true, clear);
		l1_write(f, VMCS_GUEST_IA32_BNDCFGS, OF_L2);
		l1_write(f, VMCS_ENTRY_MSR_LOAD_ADDRESS, AREA);
		l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 1);
		fake_poke64(&f->fake, AREA, MSR_IA32_BNDCFGS);
		fake_poke64(&f->fake, AREA + 8, 4); /* reserved */
		write01(f, OF_L1);
		assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_EXIT,
			       EXIT_REASON_ENTRY_FAILURE_MSR_LOADING | EXIT_REASON_ENTRY_FAILURE);
		assert_int_equal(GET01(f, GUEST_IA32_BNDCFGS), clear ? 0 : OF_L1);
		renew(state);
	}
}

static void put(struct fixture *f, uint64_t area, uint64_t value)
{
	fake_poke64(&f->fake, area, MSR_IA32_BNDCFGS);
	fake_poke64(&f->fake, area + 8, value);
}

/* MSR areas come after the fields. */
static void msr_areas(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	put(f, AREA, OF_L2);
	put(f, AREA_2, NEW);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_ADDRESS, AREA);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 1);
	l1_write(f, VMCS_EXIT_MSR_STORE_ADDRESS, AREA);
	l1_write(f, VMCS_EXIT_MSR_STORE_COUNT, 1);
	l1_write(f, VMCS_EXIT_MSR_LOAD_ADDRESS, AREA_2);
	l1_write(f, VMCS_EXIT_MSR_LOAD_COUNT, 1);
	l1_launch(f);
	assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), OF_L2);
	SET02(f, GUEST_IA32_BNDCFGS, OF_L1);
	exits(f);
	assert_int_equal(fake_peek64(&f->fake, AREA + 8), OF_L1);
	assert_int_equal(GET01(f, GUEST_IA32_BNDCFGS), NEW);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_IA32_BNDCFGS), OF_L1);
}

static void msr_area_values(void **state)
{
	static const uint64_t bad[] = {4, 0x800, UINT64_C(0x800000000000), UINT64_C(1) << 63};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fixture *f = *state;

		l1_prepare(f);
		vmx_cap(&f->fake.hw, CR4_FIXED1) &= ~CR4_LA57;
		vmx_cap(&f->v.caps, CR4_FIXED1) &= ~CR4_LA57;
		put(f, AREA, bad[i]);
		l1_write(f, VMCS_ENTRY_MSR_LOAD_ADDRESS, AREA);
		l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 1);
		assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_EXIT,
			       EXIT_REASON_ENTRY_FAILURE_MSR_LOADING | EXIT_REASON_ENTRY_FAILURE);
		renew(state);
	}
}

/* A machine without the controls: L1 has none either, and the field does not exist. */
static void absent(void **state)
{
	struct fixture *f = *state;
	uint64_t value;

	fixture_free(f);
	fixture_init(f, fake_all_features() & ~VMX_FEATURE_BIT(VMX_FEATURE_BNDCFGS));
	l1_prepare(f);
	assert_outcome(l1_vmread(f, VMCS_GUEST_IA32_BNDCFGS, &value), SEEN_VALID,
		       VMX_ERROR_UNSUPPORTED_FIELD);
	shadow_bndcfgs_used(&f->v);
	l1_launch(f);
	assert_false(GET02(f, ENTRY_CONTROLS) & ENTRY_LOAD_BNDCFGS);
	assert_false(GET02(f, EXIT_CONTROLS) & EXIT_CLEAR_BNDCFGS);
	exits(f);
	assert_int_equal(touched(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(costs_nothing_unused),
		BOTH(each_choice),
		BOTH(goes_on),
		BOTH(first_use_by_l2),
		BOTH(not_loaded),
		BOTH(survives_vmclear),
		BOTH(comes_with_the_region),
		BOTH(failed_entry),
		BOTH(msr_areas),
		BOTH(msr_area_values),
		BOTH(absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
