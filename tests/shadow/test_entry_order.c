/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VM entries of L1 that fail, where L0 has to judge what the hardware will not see in VMCS02, or
 * not soon enough: the order is that of SDM 3C "VM Entries".
 */
#include "tests/shadow/fixture.h"

#define FAILED_STATE (EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE)

/* SDM 3C "Checks on Guest Non-Register State": the link pointer "must not contain the current VMCS
 * pointer". */
static void link_to_itself(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_VMCS_LINK_POINTER, VMCS_A);
	assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_EXIT, FAILED_STATE);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 4);
	l1_write(f, VMCS_VMCS_LINK_POINTER, VMCS_B); /* another one, if it is not used */
	SET01(f, GUEST_RIP, L1_RIP);
	l1_launch(f);
}

static void bad_event(struct fixture *f)
{
	SET01(f, GUEST_RIP, L1_RIP);
	l1_write(f, VMCS_ENTRY_INTERRUPTION_INFO, INTR_INFO_VALID | 1u << INTR_INFO_TYPE_SHIFT);
}

/* Checks on controls come before those on guest state: VMfailValid(7), not a failed entry. */
static void event_before_link(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_launch(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	l1_write(f, VMCS_VMCS_LINK_POINTER, 0x123);
	bad_event(f);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_VALID, VMX_ERROR_ENTRY_CONTROLS);
	SET01(f, GUEST_RIP, L1_RIP);
	l1_write(f, VMCS_ENTRY_INTERRUPTION_INFO, 0);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_EXIT, FAILED_STATE);
}

static void put_msr(struct fixture *f, uint32_t msr, uint64_t value)
{
	fake_set_msr(&f->fake, msr, 1);
	fake_poke64(&f->fake, AREA, msr);
	fake_poke64(&f->fake, AREA + 8, value);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_ADDRESS, AREA);
	l1_write(f, VMCS_ENTRY_MSR_LOAD_COUNT, 1);
}

/* And before MSRs are loaded: an entry that is refused has loaded none. The event and VTPR change
 * without a VMWRITE that exits. */
static void controls_before_msrs(void **state)
{
	struct fixture *f = *state;
	const uint64_t primary = (uint32_t)PRIMARY_USE_TPR_SHADOW;

	l1_prepare(f);
	put_msr(f, MSR_IA32_LSTAR, 0x1000);
	l1_write(f, VMCS_PRIMARY_CONTROLS, l1_read(f, VMCS_PRIMARY_CONTROLS) | primary);
	l1_write(f, VMCS_VIRTUAL_APIC_ADDRESS, APIC_PAGE);
	l1_write(f, VMCS_TPR_THRESHOLD, 3);
	f->fake.ram[APIC_PAGE + 0x80] = 0x30;
	l1_launch(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	fake_set_msr(&f->fake, MSR_IA32_LSTAR, 5);
	bad_event(f);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_VALID, VMX_ERROR_ENTRY_CONTROLS);
	assert_int_equal(fake_msr(&f->fake, MSR_IA32_LSTAR), 5);
	l1_write(f, VMCS_ENTRY_INTERRUPTION_INFO, 0);
	f->fake.ram[APIC_PAGE + 0x80] = 0x20;
	SET01(f, GUEST_RIP, L1_RIP);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_VALID, VMX_ERROR_ENTRY_CONTROLS);
	assert_int_equal(fake_msr(&f->fake, MSR_IA32_LSTAR), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(link_to_itself),
	    BOTH(event_before_link),
	    BOTH(controls_before_msrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
