/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The MSR areas of VMCS12, worked off at L1's VM entries and exits, beside L0's own.
 */
#include "tests/shadow/fixture.h"

static void put_msr(struct fixture *f, uint64_t area, unsigned i, uint32_t msr, uint64_t value)
{
	fake_poke64(&f->fake, area + 16 * i, msr);
	fake_poke64(&f->fake, area + 16 * i + 8, value);
}

static void msr_lists(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	fake_set_msr(&f->fake, MSR_IA32_LSTAR, 1);
	put_msr(f, AREA, 0, MSR_IA32_LSTAR, 0x1000);
	put_msr(f, AREA, 1, MSR_IA32_SYSENTER_ESP, 0x2000);
	put_msr(f, AREA_2, 0, MSR_IA32_LSTAR, 0x3000);
	put_msr(f, AREA_2, 1, MSR_IA32_SYSENTER_EIP, 0x4000);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_ADDRESS, AREA);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 2);
	l1_write(f, VMCS_EXIT_MSR_STORE_ADDRESS, AREA);
	l1_write(f, VMCS_EXIT_MSR_STORE_COUNT, 2);
	l1_write(f, VMCS_EXIT_MSR_LOAD_ADDRESS, AREA_2);
	l1_write(f, VMCS_EXIT_MSR_LOAD_COUNT, 2);
	l1_launch(f);
	assert_int_equal(fake_msr(&f->fake, MSR_IA32_LSTAR), 0x1000);
	assert_int_equal(GET02(f, GUEST_IA32_SYSENTER_ESP), 0x2000);
	fake_set_msr(&f->fake, MSR_IA32_LSTAR, 0x1111);
	SET02(f, GUEST_IA32_SYSENTER_ESP, 0x2222);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(fake_peek64(&f->fake, AREA + 8), 0x1111);
	assert_int_equal(fake_peek64(&f->fake, AREA + 24), 0x2222);
	assert_int_equal(fake_msr(&f->fake, MSR_IA32_LSTAR), 0x3000);
	assert_int_equal(GET01(f, GUEST_IA32_SYSENTER_EIP), 0x4000);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_IA32_SYSENTER_ESP), 0x2222);
}

/* L0's own areas are in VMCS02, too; then IA32_PERF_GLOBAL_CTRL, which they may name, is loaded by
 * way of L0. */
static void msr_lists_of_l0(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	fake_set_msr(&f->fake, MSR_IA32_PERF_GLOBAL_CTRL, 0);
	l1_write(f, VMCS_ENTRY_CONTROLS,
		 l1_read(f, VMCS_ENTRY_CONTROLS) | ENTRY_LOAD_PERF_GLOBAL_CTRL);
	l1_write(f, VMCS_GUEST_IA32_PERF_GLOBAL_CTRL, 3);
	vmcs_set(&f->vmcs01, ENTRY_MSR_LOAD_COUNT, 2);
	vmcs_set(&f->vmcs01, ENTRY_MSR_LOAD_ADDRESS, 0x1000);
	vmcs_set(&f->vmcs01, EXIT_MSR_LOAD_COUNT, 1);
	vmcs_set(&f->vmcs01, EXIT_MSR_LOAD_ADDRESS, 0x2000);
	l1_launch(f);
	assert_int_equal(GET02(f, ENTRY_MSR_LOAD_COUNT), 2);
	assert_int_equal(GET02(f, ENTRY_MSR_LOAD_ADDRESS), 0x1000);
	assert_int_equal(GET02(f, EXIT_MSR_LOAD_COUNT), 1);
	assert_int_equal(GET02(f, EXIT_MSR_LOAD_ADDRESS), 0x2000);
	assert_false(GET02(f, ENTRY_CONTROLS) & ENTRY_LOAD_PERF_GLOBAL_CTRL);
	assert_int_equal(fake_msr(&f->fake, MSR_IA32_PERF_GLOBAL_CTRL), 3);

	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	vmcs_set(&f->vmcs01, ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_set(&f->vmcs01, EXIT_MSR_LOAD_COUNT, 0);
	shadow_l0_changed(&f->v);
	l1_write(f, VMCS_GUEST_IA32_PERF_GLOBAL_CTRL, 1);
	l1_resume(f);
	assert_int_equal(GET02(f, ENTRY_MSR_LOAD_COUNT), 0);
	assert_int_equal(GET02(f, EXIT_MSR_LOAD_COUNT), 0);
	assert_true(GET02(f, ENTRY_CONTROLS) & ENTRY_LOAD_PERF_GLOBAL_CTRL);
	assert_int_equal(GET02(f, GUEST_IA32_PERF_GLOBAL_CTRL), 1);
	assert_int_equal(fake_msr(&f->fake, MSR_IA32_PERF_GLOBAL_CTRL), 3);
}

/* With a load area the guest state is checked before it is loaded: the state that L2 left, in its
 * rare fields, too. */
static void msr_list_and_rare_fields(void **state)
{
	struct fixture *f = *state;
	const uint64_t dpl3 = 3 << AR_DPL_SHIFT;

	l1_prepare(f);
	fake_set_msr(&f->fake, MSR_IA32_LSTAR, 1);
	put_msr(f, AREA, 0, MSR_IA32_LSTAR, 0x1000);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_ADDRESS, AREA);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 1);
	l1_launch(f);
	SET02(f, GUEST_CS_SELECTOR, GET02(f, GUEST_CS_SELECTOR) | 3);
	SET02(f, GUEST_SS_SELECTOR, GET02(f, GUEST_SS_SELECTOR) | 3);
	SET02(f, GUEST_CS_ACCESS_RIGHTS, GET02(f, GUEST_CS_ACCESS_RIGHTS) | dpl3);
	SET02(f, GUEST_SS_ACCESS_RIGHTS, GET02(f, GUEST_SS_ACCESS_RIGHTS) | dpl3);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	l1_resume(f);
}

/* The hardware stores the TSC at the exit itself; L1 finds that value, not a later one. */
static void tsc_in_store_list(void **state)
{
	struct fixture *f = *state;
	struct vmx_msr_entry entry = {.index = MSR_IA32_STAR};

	fake_set_msr(&f->fake, MSR_IA32_TSC, 9000);
	fake_set_msr(&f->fake, MSR_IA32_STAR, 77);
	l1_prepare(f);
	memcpy(f->fake.ram + AREA, &entry, sizeof(entry));
	l1_write(f, VMCS_EXIT_MSR_STORE_ADDRESS, AREA);
	l1_write(f, VMCS_EXIT_MSR_STORE_COUNT, 1);
	l1_launch(f);
	assert_int_equal(GET02(f, EXIT_MSR_STORE_COUNT), 0);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(fake_peek64(&f->fake, AREA + 8), 77);
	/* L1 names the TSC in memory, without any VMWRITE. */
	entry.index = MSR_IA32_TSC;
	memcpy(f->fake.ram + AREA, &entry, sizeof(entry));
	l1_resume(f);
	assert_int_equal(GET02(f, EXIT_MSR_STORE_COUNT), 1);
	memcpy(&entry, f->fake.pool + (GET02(f, EXIT_MSR_STORE_ADDRESS) - FAKE_POOL_HPA),
	       sizeof(entry));
	assert_int_equal(entry.index, MSR_IA32_TSC);
	entry.value = 8000;
	memcpy(f->fake.pool + (GET02(f, EXIT_MSR_STORE_ADDRESS) - FAKE_POOL_HPA), &entry,
	       sizeof(entry));
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(fake_peek64(&f->fake, AREA + 8), 8000);
}

/* What WRMSR would refuse or not change, in registers that L0 writes to fields. "VM entry" (reason
 * 34) and VMX abort; SDM 3C "Loading MSRs". */
static void values_as_wrmsr_takes_them(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint32_t msr;
		uint64_t value;
	} bad[] = {
	    {MSR_IA32_EFER, EFER_LMA | EFER_NXE}, /* LME is not to be changed under paging */
	    {MSR_IA32_EFER, BIT64(20) | EFER_LME | EFER_LMA},
	    {MSR_IA32_SYSENTER_ESP, BIT64(60)},
	    {MSR_IA32_SYSENTER_EIP, BIT64(60)},
	    {MSR_IA32_PAT, 2},
	    {MSR_IA32_DEBUGCTL, BIT64(63)},
	};

	l1_prepare(f);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_ADDRESS, AREA);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 1);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_msr(f, AREA, 0, bad[i].msr, bad[i].value);
		SET01(f, GUEST_RIP, L1_RIP);
		assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_EXIT,
			       EXIT_REASON_ENTRY_FAILURE_MSR_LOADING | EXIT_REASON_ENTRY_FAILURE);
	}
	/* LMA is read-only: without it in the value L2 is in IA-32e mode all the same, and so is
	 * L1. */
	put_msr(f, AREA, 0, MSR_IA32_EFER, EFER_LME | EFER_NXE);
	l1_write(f, VMCS_EXIT_MSR_LOAD_ADDRESS, AREA);
	l1_write(f, VMCS_EXIT_MSR_LOAD_COUNT, 1);
	SET01(f, GUEST_RIP, L1_RIP);
	l1_launch(f);
	assert_int_equal(GET02(f, GUEST_IA32_EFER), EFER_LMA | EFER_LME | EFER_NXE);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(GET01(f, GUEST_IA32_EFER), EFER_LMA | EFER_LME | EFER_NXE);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	l1_resume(f);
	put_msr(f, AREA, 0, MSR_IA32_SYSENTER_ESP, BIT64(60));
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_DEAD);
}

/* SDM 3C "Loading Guest Control Registers, Debug Registers, and MSRs": what a control loads "is
 * subsequently overwritten if it appears in the VM-entry MSR-load area"; VMCS02 loads by its
 * controls after that. */
static void area_after_controls(void **state)
{
	static const struct {
		uint32_t msr, encoding, control;
	} rows[] = {
	    {MSR_IA32_PERF_GLOBAL_CTRL, VMCS_GUEST_IA32_PERF_GLOBAL_CTRL,
	     ENTRY_LOAD_PERF_GLOBAL_CTRL},
	    {MSR_IA32_PKRS, VMCS_GUEST_IA32_PKRS, ENTRY_LOAD_PKRS},
	    {MSR_IA32_S_CET, VMCS_GUEST_IA32_S_CET, ENTRY_LOAD_CET},
	    {MSR_IA32_INTERRUPT_SSP_TABLE_ADDR, VMCS_GUEST_INTERRUPT_SSP_TABLE_ADDR,
	     ENTRY_LOAD_CET},
	};
	struct fixture *f = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned index = (unsigned)vmcs_field_index(rows[i].encoding);

		fixture_free(f);
		fixture_init(f, fake_all_features());
		f->v.caps.perf_global_ctrl_valid = 3;
		l1_prepare(f);
		fake_set_msr(&f->fake, rows[i].msr, 0);
		put_msr(f, AREA, 0, rows[i].msr, 2);
		l1_write(f, VMCS_ENTRY_CONTROLS,
			 l1_read(f, VMCS_ENTRY_CONTROLS) | rows[i].control);
		l1_write(f, rows[i].encoding, 1);
		l1_write(f, VMCS_ENTRY_MSR_LOAD_ADDRESS, AREA);
		l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 1);
		l1_launch(f);
		assert_true(GET02(f, ENTRY_CONTROLS) & rows[i].control);
		assert_int_equal(fake_vmcs_at(&f->fake, HPA02(f))->field[index], 2);
		assert_int_equal(fake_msr(&f->fake, rows[i].msr), 2);
	}
}

/* Which entries of a load area are refused; the qualification is the entry's number. */
static void bad_msr_lists(void **state)
{
	struct fixture *f = *state;
	static const uint64_t bad[] = {
	    MSR_IA32_FS_BASE,	   MSR_IA32_GS_BASE, MSR_IA32_BIOS_UPDT_TRIG,
	    MSR_IA32_X2APIC_FIRST, 0x12345,	     BIT64(40) | MSR_IA32_LSTAR};

	l1_prepare(f);
	fake_set_msr(&f->fake, MSR_IA32_LSTAR, 1);
	put_msr(f, AREA, 0, MSR_IA32_LSTAR, 0);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_ADDRESS, AREA);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 2);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_poke64(&f->fake, AREA + 16, bad[i]);
		SET01(f, GUEST_RIP, L1_RIP);
		assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_EXIT,
			       EXIT_REASON_ENTRY_FAILURE_MSR_LOADING | EXIT_REASON_ENTRY_FAILURE);
		assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 2);
		assert_false(f->v.in_l2);
	}
	l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 1);
	l1_write(f, VMCS_EXIT_MSR_LOAD_ADDRESS, AREA + 16);
	l1_write(f, VMCS_EXIT_MSR_LOAD_COUNT, 1);
	SET01(f, GUEST_RIP, L1_RIP);
	l1_launch(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_DEAD);
	assert_non_null(strstr(f->v.dead, "VMX abort"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(msr_lists),	       BOTH(msr_list_and_rare_fields),
	    BOTH(msr_lists_of_l0),     BOTH(tsc_in_store_list),
	    BOTH(bad_msr_lists),       BOTH(values_as_wrmsr_takes_them),
	    BOTH(area_after_controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
