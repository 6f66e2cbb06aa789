/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What only some controls of L1 ask for: its trap flag where L0 executes an instruction for L2, a
 * register that entries load and exits do not save, PDPTEs of an L2 that changes its mode.
 */
#include "tests/shadow/fixture.h"

#define MTF (uint32_t)PRIMARY_MONITOR_TRAP_FLAG
#define PENDING_MTF (INTR_INFO_VALID | INTR_TYPE_OTHER_EVENT << INTR_INFO_TYPE_SHIFT)

static void start(struct fixture *f, uint32_t primary12)
{
	l1_prepare(f);
	l1_write(f, VMCS_PRIMARY_CONTROLS, l1_read(f, VMCS_PRIMARY_CONTROLS) | primary12);
	l1_launch(f);
}

/* An exit that L0 has handled itself, RIP moved by `length`. */
static void l0_handles(struct fixture *f, uint32_t reason, unsigned length)
{
	assert_int_equal(l2_exit(f, reason, 0), SHADOW_L0);
	SET02(f, GUEST_RIP, GET02(f, GUEST_RIP) + length);
	shadow_l2_absorbed(&f->v);
}

/* SDM 3C "Monitor Trap Flag": "If the instruction does not cause a fault ... an MTF VM exit is
 * pending on the instruction boundary following execution of that instruction", whoever executes
 * it. */
static void mtf_behind_emulation(void **state)
{
	struct fixture *f = *state;

	start(f, MTF);
	l0_handles(f, EXIT_REASON_HLT, 1);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), PENDING_MTF);
	/* Nothing was executed: nothing is pending. */
	l0_handles(f, EXIT_REASON_EXTERNAL_INTERRUPT, 0);
	assert_false(GET02(f, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID);
	/* A fault: with the flag set the hardware itself exits behind its delivery. */
	assert_int_equal(l2_exit(f, EXIT_REASON_HLT, 0), SHADOW_L0);
	shadow_inject_fault(&f->fake.env, VECTOR_GP, true, 0);
	shadow_l2_absorbed(&f->v);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VECTOR, VECTOR_GP);
}

static void no_mtf_unasked(void **state)
{
	struct fixture *f = *state;

	start(f, 0);
	l0_handles(f, EXIT_REASON_HLT, 1);
	assert_false(GET02(f, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID);
}

/* The same for an instruction that is executed within shadow/. */
static void mtf_behind_vmfunc(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	fake_poke64(&f->fake, AREA, EPTP12);
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VM_FUNCTIONS);
	l1_write(f, VMCS_VM_FUNCTION_CONTROLS, 1);
	l1_write(f, VMCS_EPTP_LIST_ADDRESS, AREA);
	l1_write(f, VMCS_PRIMARY_CONTROLS, l1_read(f, VMCS_PRIMARY_CONTROLS) | MTF);
	l1_launch(f);
	f->regs.gpr[REG_RAX] = f->regs.gpr[REG_RCX] = 0;
	assert_int_equal(l2_exit(f, EXIT_REASON_VMFUNC, 0), SHADOW_RESUME_L2);
	assert_int_equal(GET02(f, GUEST_RIP), L2_RIP + 2);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), PENDING_MTF);
}

/* IA32_PERF_GLOBAL_CTRL as L2 has written it survives the exits that L1 does not hear of; L1's next
 * entry loads what L1 asked for, as no exit saves it (SDM 3C "Saving Guest State"). */
static void perf_global_ctrl(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	fake_set_msr(&f->fake, MSR_IA32_PERF_GLOBAL_CTRL, 1);
	l1_write(f, VMCS_ENTRY_CONTROLS,
		 l1_read(f, VMCS_ENTRY_CONTROLS) | ENTRY_LOAD_PERF_GLOBAL_CTRL);
	l1_write(f, VMCS_GUEST_IA32_PERF_GLOBAL_CTRL, 3);
	l1_launch(f);
	assert_int_equal(GET02(f, GUEST_IA32_PERF_GLOBAL_CTRL), 3);
	fake_set_msr(&f->fake, MSR_IA32_PERF_GLOBAL_CTRL, 0xf); /* L2's WRMSR */
	l0_handles(f, EXIT_REASON_HLT, 1);
	assert_int_equal(GET02(f, GUEST_IA32_PERF_GLOBAL_CTRL), 0xf);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_PERF_GLOBAL_CTRL), 3);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_IA32_PERF_GLOBAL_CTRL), 3);
}

/* SDM 3C "Saving Guest State": with EPT and PAE paging the PDPTEs are saved. L2 was in IA-32e mode
 * when it was entered. */
static void pdptes_behind_long_mode(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_UNRESTRICTED_GUEST);
	l1_launch(f);
	SET02(f, ENTRY_CONTROLS, GET02(f, ENTRY_CONTROLS) & ~(uint64_t)ENTRY_IA32E_MODE_GUEST);
	SET02(f, GUEST_IA32_EFER, 0);
	SET02(f, GUEST_PDPTE2, 0x7001);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_GUEST_PDPTE2), 0x7001);
	l1_write(f, VMCS_GUEST_PDPTE0, 0x8001);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_PDPTE0), 0x8001);
	assert_int_equal(GET02(f, GUEST_PDPTE2), 0x7001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(mtf_behind_emulation),
	    BOTH(no_mtf_unasked),
	    BOTH(mtf_behind_vmfunc),
	    BOTH(perf_global_ctrl),
	    BOTH(pdptes_behind_long_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
