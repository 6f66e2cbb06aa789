/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VM entries and exits of L1: what reaches VMCS02, what comes back to VMCS12 and VMCS01, failed
 * entries, events. With and without hardware VMCS shadowing. MSR lists: test_msr_list.c.
 */
#include "shadow/host_state.h"
#include "tests/shadow/fixture.h"

static void start(struct fixture *f)
{
	l1_prepare(f);
	l1_launch(f);
}

/* All guest state of VMCS12 is in VMCS02, and all of VMCS02's comes back, asked for or not. */
static void guest_state_round_trip(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_GUEST_GS_BASE, 0x111000);
	l1_write(f, VMCS_GUEST_IA32_SYSENTER_EIP, 0x222000);
	l1_launch(f);
	assert_int_equal(GET02(f, GUEST_GS_BASE), 0x111000);
	assert_int_equal(GET02(f, GUEST_IA32_SYSENTER_EIP), 0x222000);
	assert_int_equal(GET02(f, GUEST_RIP), L2_RIP);
	assert_int_equal(GET02(f, GUEST_CR3), 0x40000);
	assert_int_equal(GET02(f, GUEST_IA32_EFER), EFER_LMA | EFER_LME);
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		uint64_t *field = &fake_vmcs_at(&f->fake, HPA02(f))->field[i];

		if (vmcs_fields[i].rule == VMCS_RULE_GUEST_RARE)
			*field ^= 1;
	}
	SET02(f, GUEST_RSP, 0x7777);
	assert_int_equal(l2_exit(f, EXIT_REASON_HLT, 0), SHADOW_L0); /* L1 did not ask */
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_GUEST_RSP), 0x7777);
	assert_int_equal(l1_read(f, VMCS_GUEST_GS_BASE), 0x111001);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_SYSENTER_EIP), 0x222001);
	assert_int_equal(l1_read(f, VMCS_GUEST_DR7), DR7_FIXED1 ^ 1);
	/* L1 writes one of them; the rest must not be lost or stale. */
	l1_write(f, VMCS_GUEST_FS_BASE, 0x333000);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_FS_BASE), 0x333000);
	assert_int_equal(GET02(f, GUEST_GS_BASE), 0x111001);
	/* And the other way round: written without having been read. */
	SET02(f, GUEST_GS_BASE, 0x444000);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	l1_write(f, VMCS_GUEST_ES_BASE, 0x555000);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_GS_BASE), 0x444000);
	assert_int_equal(GET02(f, GUEST_ES_BASE), 0x555000);
	/* It also survives leaving the cache. */
	SET02(f, GUEST_GS_BASE, 0x666000);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_SUCCEED, 0);
	assert_int_equal(l1_read(f, VMCS_GUEST_GS_BASE), 0x666000);
}

/* L1 that reads rare fields after each exit sees them right each time, first by exits, then
 * without. */
static void rare_fields_on_demand(void **state)
{
	struct fixture *f = *state;
	unsigned without = 0;

	start(f);
	for (uint64_t i = 0; i < 3 * SLOT_RARE_CREDIT; i++) {
		SET02(f, GUEST_GS_BASE, 0x1000 * i);
		SET02(f, GUEST_TR_LIMIT, 0x67 + i);
		assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
		without += f->v.current->rare_in_shadow;
		if (i % 7 == 3)
			l1_write(f, VMCS_GUEST_TR_LIMIT, 0x1000);
		assert_int_equal(l1_read(f, VMCS_GUEST_GS_BASE), 0x1000 * i);
		assert_int_equal(l1_read(f, VMCS_GUEST_TR_LIMIT), i % 7 == 3 ? 0x1000 : 0x67 + i);
		f->fake.events = 0;
		l1_resume(f);
		assert_int_equal(GET02(f, GUEST_TR_LIMIT), i % 7 == 3 ? 0x1000 : 0x67 + i);
		f->fake.events = 0;
	}
	if (f->v.hw_shadowing)
		assert_true(without > 2 * SLOT_RARE_CREDIT);
}

/* What the exit of host_state() makes of VMCS01. */
static const struct {
	const char *name;
	enum vmcs_index index;
	uint64_t value;
} host_values[] = {
#define LOADED(name, value) {#name, VMCS_INDEX_##name, value}
	LOADED(GUEST_RIP, L1_HOST_RIP),
	LOADED(GUEST_RSP, 0x32000),
	LOADED(GUEST_RFLAGS, RFLAGS_FIXED1),
	LOADED(GUEST_CR0, CR0_PG | CR0_PE | CR0_NE | CR0_WP | CR0_ET | CR0_CD),
	LOADED(GUEST_CS_SELECTOR, 8),
	LOADED(GUEST_CS_ACCESS_RIGHTS, 0xa09b),
	LOADED(GUEST_DS_ACCESS_RIGHTS, 0xc093),
	LOADED(GUEST_FS_SELECTOR, 0),
	LOADED(GUEST_FS_BASE, 0x1234000),
	LOADED(GUEST_TR_SELECTOR, 24),
	LOADED(GUEST_TR_BASE, 0x4321000),
	LOADED(GUEST_TR_LIMIT, 0x67),
	LOADED(GUEST_TR_ACCESS_RIGHTS, 0x8b),
	LOADED(GUEST_GDTR_BASE, 0x30000),
	LOADED(GUEST_GDTR_LIMIT, 0xffff),
	LOADED(GUEST_IDTR_BASE, 0x31000),
	LOADED(GUEST_DR7, DR7_FIXED1),
	LOADED(GUEST_IA32_SYSENTER_CS, 8),
	LOADED(GUEST_IA32_PAT, UINT64_C(0x0007040600070406)),
#undef LOADED
};

static void host_state(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_HOST_FS_BASE, 0x1234000);
	l1_write(f, VMCS_HOST_TR_BASE, 0x4321000);
	l1_write(f, VMCS_HOST_IA32_SYSENTER_CS, 8);
	l1_launch(f);
	SET01(f, GUEST_CR0, GET01(f, GUEST_CR0) | CR0_CD | CR0_TS); /* CD is not loaded, TS is */
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_false(f->v.in_l2);
	assert_ptr_equal(f->v.launched, &f->launched01);
	for (unsigned i = 0; i < sizeof(host_values) / sizeof(host_values[0]); i++) {
		uint64_t value =
		    fake_vmcs_at(&f->fake, VMCS01_HPA)->field[host_values[i].index];

		if (value != host_values[i].value)
			fail_msg("%s is %#lx, not %#lx", host_values[i].name, value,
				 host_values[i].value);
	}
	assert_true(GET01(f, GUEST_FS_ACCESS_RIGHTS) & AR_UNUSABLE);
	assert_true(GET01(f, GUEST_LDTR_ACCESS_RIGHTS) & AR_UNUSABLE);
	/* What L1 then changes is put right again at the next exit. */
	SET01(f, GUEST_DS_SELECTOR, 0x33);
	SET01(f, GUEST_DS_LIMIT, 0x1234);
	SET01(f, GUEST_GS_BASE, 0x777);
	SET01(f, GUEST_RIP, L1_RIP);
	l1_resume(f);
	l2_exit(f, EXIT_REASON_CPUID, 0);
	assert_int_equal(GET01(f, GUEST_DS_SELECTOR), 16);
	assert_int_equal(GET01(f, GUEST_DS_LIMIT), UINT32_MAX);
	assert_int_equal(GET01(f, GUEST_GS_BASE), 0);
}

/* Which exit fields L1 finds. */
static void exit_information(void **state)
{
	struct fixture *f = *state;
	const uint32_t info = INTR_INFO_VALID | INTR_INFO_ERROR_CODE | VECTOR_GP |
			      INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT;

	l1_prepare(f);
	l1_write(f, VMCS_EXCEPTION_BITMAP, BIT32(VECTOR_GP));
	l1_launch(f);
	SET02(f, EXIT_INTERRUPTION_INFO, info);
	SET02(f, EXIT_INTERRUPTION_ERROR_CODE, 0x18);
	SET02(f, IDT_VECTORING_INFO, info | 1);
	SET02(f, IDT_VECTORING_ERROR_CODE, 0x28);
	assert_int_equal(l2_exit(f, EXIT_REASON_EXCEPTION_OR_NMI, 0x99), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_EXCEPTION_OR_NMI);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 0x99);
	assert_int_equal(l1_read(f, VMCS_EXIT_INTERRUPTION_INFO), info);
	assert_int_equal(l1_read(f, VMCS_EXIT_INTERRUPTION_ERROR_CODE), 0x18);
	assert_int_equal(l1_read(f, VMCS_IDT_VECTORING_INFO), info | 1);
	assert_int_equal(l1_read(f, VMCS_IDT_VECTORING_ERROR_CODE), 0x28);
	l1_resume(f);
	SET02(f, EXIT_INTERRUPTION_INFO, 0);
	SET02(f, IDT_VECTORING_INFO, 0);
	SET02(f, EXIT_INSTRUCTION_INFO, 0x4321);
	assert_int_equal(l2_exit(f, EXIT_REASON_VMPTRLD, 0x10), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_INSTRUCTION_INFO), 0x4321);
	assert_int_equal(l1_read(f, VMCS_EXIT_INSTRUCTION_LENGTH), 2);
	assert_int_equal(l1_read(f, VMCS_EXIT_INTERRUPTION_INFO), 0);
}

static void event_injection(void **state)
{
	struct fixture *f = *state;
	const uint32_t soft = INTR_INFO_VALID | 0x80 | INTR_TYPE_SOFTWARE_INTERRUPT << 8;

	start(f);
	assert_false(GET02(f, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID);
	l2_exit(f, EXIT_REASON_CPUID, 0);
	l1_write(f, VMCS_ENTRY_INTERRUPTION_INFO, soft);
	l1_write(f, VMCS_ENTRY_INSTRUCTION_LENGTH, 2);
	l1_resume(f);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), soft);
	assert_int_equal(GET02(f, ENTRY_INSTRUCTION_LENGTH), 2);
	/* The delivery meets a missing page of EPT02: L0 fills it and puts the event back. */
	SET02(f, IDT_VECTORING_INFO, soft);
	SET02(f, GUEST_PHYSICAL_ADDRESS, 0x5000);
	assert_int_equal(l2_exit(f, EXIT_REASON_EPT_VIOLATION, EPT_QUAL_READ), SHADOW_RESUME_L2);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), soft);
	assert_int_equal(GET02(f, ENTRY_INSTRUCTION_LENGTH), 2);
	SET02(f, IDT_VECTORING_INFO, 0);
	l2_exit(f, EXIT_REASON_CPUID, 0);
	assert_int_equal(l1_read(f, VMCS_ENTRY_INTERRUPTION_INFO), soft & ~INTR_INFO_VALID);
	l1_resume(f);
	assert_false(GET02(f, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID);
}

/* SDM 3C "Injection of Pending MTF VM Exits": L1 can have the exit without the control, and L0
 * never wants it for itself. */
static void pending_mtf(void **state)
{
	struct fixture *f = *state;
	const uint32_t mtf = INTR_INFO_VALID | INTR_TYPE_OTHER_EVENT << INTR_INFO_TYPE_SHIFT;

	l1_prepare(f);
	l1_write(f, VMCS_ENTRY_INTERRUPTION_INFO, mtf);
	l1_launch(f);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), mtf);
	assert_int_equal(l2_exit(f, EXIT_REASON_MONITOR_TRAP_FLAG, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_MONITOR_TRAP_FLAG);
	assert_false(l1_read(f, VMCS_ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID);
	l1_write(f, VMCS_PRIMARY_CONTROLS,
		 l1_read(f, VMCS_PRIMARY_CONTROLS) | (uint32_t)PRIMARY_MONITOR_TRAP_FLAG);
	l1_resume(f);
	assert_true(GET02(f, PRIMARY_CONTROLS) & (uint32_t)PRIMARY_MONITOR_TRAP_FLAG);
	assert_int_equal(l2_exit(f, EXIT_REASON_MONITOR_TRAP_FLAG, 0), SHADOW_RESUME_L1);
}

static void refused_entries(void **state)
{
	struct fixture *f = *state;
	uint64_t pin;

	l1_prepare(f);
	pin = l1_read(f, VMCS_PIN_BASED_CONTROLS);
	l1_write(f, VMCS_PIN_BASED_CONTROLS, 0);
	assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_VALID, VMX_ERROR_ENTRY_CONTROLS);
	assert_non_null(f->v.failed_check);
	l1_write(f, VMCS_PIN_BASED_CONTROLS, pin);
	l1_write(f, VMCS_HOST_CR4, 0);
	assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_VALID, VMX_ERROR_ENTRY_HOST_STATE);
	l1_write(f, VMCS_HOST_CR4, CR4_PAE | CR4_VMXE);
	l1_launch(f);
	/* The hardware refuses the event. */
	l2_exit(f, EXIT_REASON_CPUID, 0);
	l1_write(f, VMCS_ENTRY_INTERRUPTION_INFO, INTR_INFO_VALID | 1u << 8);
	l1_resume(f);
	assert_int_equal(
	    shadow_entry_failed(&f->v, &(struct vmx_result){.outcome = VMX_FAIL_VALID, .error = 7}),
	    SHADOW_RESUME_L1);
	assert_int_equal(f->fake.current->hpa, VMCS01_HPA);
	assert_true(GET01(f, GUEST_RFLAGS) & RFLAGS_ZF);
	assert_int_equal(vmcs_get(&f->v.current->v12, INSTRUCTION_ERROR), 7);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), 0);
	assert_false(f->v.in_l2);
}

static void failed_entries(void **state)
{
	struct fixture *f = *state;
	const uint32_t failed = EXIT_REASON_ENTRY_FAILURE;

	l1_prepare(f);
	l1_write(f, VMCS_VMCS_LINK_POINTER, 0x123);
	assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_EXIT,
		       EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | failed);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 4);
	l1_write(f, VMCS_VMCS_LINK_POINTER, VMCS_SHADOW); /* a shadow VMCS without shadowing */
	SET01(f, GUEST_RIP, L1_RIP);
	assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_EXIT,
		       EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | failed);
	l1_write(f, VMCS_VMCS_LINK_POINTER, UINT64_MAX);
	SET01(f, GUEST_RIP, L1_RIP);
	/* The hardware finds fault with L2's state: the launch state stays clear. */
	l1_launch(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | failed, 0),
			 SHADOW_RESUME_L1);
	assert_int_equal(GET01(f, GUEST_RIP), L1_HOST_RIP);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON),
			 EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | failed);
	SET01(f, GUEST_RIP, L1_RIP);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_VALID,
		       VMX_ERROR_VMRESUME_NOT_LAUNCHED);
	l1_launch(f);
}

/* Without EPT12 L0 loads L2's PDPTEs itself, before the hardware sees the registers; yet their
 * checks come first (SDM 3C "Checks on Guest Page-Directory-Pointer-Table Entries"). */
static void pdptes_come_last(void **state)
{
	struct fixture *f = *state;
	const uint32_t failed = EXIT_REASON_ENTRY_FAILURE;

	l1_prepare(f);
	l1_write(f, VMCS_SECONDARY_CONTROLS, 0);
	l1_write(f, VMCS_ENTRY_CONTROLS,
		 l1_read(f, VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_IA32E_MODE_GUEST);
	l1_write(f, VMCS_GUEST_CR3, AREA);
	fake_poke64(&f->fake, AREA, PTE_P | PTE_W); /* bit 1 is reserved */
	assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_EXIT,
		       EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | failed);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 0); /* IA32_EFER.LMA */
	l1_write(f, VMCS_GUEST_IA32_EFER, 0);
	SET01(f, GUEST_RIP, L1_RIP);
	assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_EXIT,
		       EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | failed);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 2);
	fake_poke64(&f->fake, AREA, PTE_P);
	SET01(f, GUEST_RIP, L1_RIP);
	l1_launch(f);
}

/* IA32_PKRS is L1's and L2's in turn; L0 leaves it alone, so only L1's own controls move it. */
static void protection_keys(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	fake_set_msr(&f->fake, MSR_IA32_PKRS, 1);
	l1_write(f, VMCS_GUEST_IA32_PKRS, 0x20);
	l1_write(f, VMCS_HOST_IA32_PKRS, 0x30);
	l1_launch(f);
	assert_false(GET02(f, ENTRY_CONTROLS) & ENTRY_LOAD_PKRS);
	SET02(f, GUEST_IA32_PKRS, 0x21); /* every exit saves it */
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(fake_msr(&f->fake, MSR_IA32_PKRS), 1);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_PKRS), 0x21);
	l1_write(f, VMCS_ENTRY_CONTROLS, l1_read(f, VMCS_ENTRY_CONTROLS) | ENTRY_LOAD_PKRS);
	l1_write(f, VMCS_EXIT_CONTROLS, l1_read(f, VMCS_EXIT_CONTROLS) | EXIT_LOAD_PKRS);
	l1_write(f, VMCS_GUEST_IA32_PKRS, 0x22);
	l1_resume(f);
	assert_true(GET02(f, ENTRY_CONTROLS) & ENTRY_LOAD_PKRS);
	assert_false(GET02(f, EXIT_CONTROLS) & EXIT_LOAD_PKRS);
	assert_int_equal(GET02(f, GUEST_IA32_PKRS), 0x22);
	SET02(f, GUEST_IA32_PKRS, 0x23);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(fake_msr(&f->fake, MSR_IA32_PKRS), 0x30);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_PKRS), 0x23);
}

/* L2's trace is switched by VMCS02's field, into L2's memory whatever L1 asks for; a trace that L1
 * makes of itself pauses, and ends if its exit controls say so. */
static void processor_trace(void **state)
{
	struct fixture *f = *state;
	const uint64_t on = 0x2005;

	f->v.caps.rtit_ctl_valid = on;
	l1_prepare(f);
	SET01(f, GUEST_IA32_RTIT_CTL, on);
	l1_write(f, VMCS_GUEST_IA32_RTIT_CTL, 4);
	l1_launch(f);
	assert_true(GET02(f, ENTRY_CONTROLS) & ENTRY_LOAD_RTIT_CTL);
	assert_true(GET02(f, ENTRY_CONTROLS) & ENTRY_CONCEAL_VMX_FROM_PT);
	assert_true(GET02(f, EXIT_CONTROLS) & EXIT_CLEAR_RTIT_CTL);
	assert_true(GET02(f, SECONDARY_CONTROLS) & SECONDARY_PT_USES_GPA);
	assert_true(GET02(f, SECONDARY_CONTROLS) & SECONDARY_CONCEAL_VMX_FROM_PT);
	assert_int_equal(GET02(f, GUEST_IA32_RTIT_CTL), 0);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(GET01(f, GUEST_IA32_RTIT_CTL), on);
	/* While L1 traces, its entries may not load the register. */
	l1_write(f, VMCS_ENTRY_CONTROLS, l1_read(f, VMCS_ENTRY_CONTROLS) | ENTRY_LOAD_RTIT_CTL);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_VALID, VMX_ERROR_ENTRY_CONTROLS);
	l1_write(f, VMCS_ENTRY_CONTROLS,
		 l1_read(f, VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_LOAD_RTIT_CTL);
	l1_write(f, VMCS_EXIT_CONTROLS, l1_read(f, VMCS_EXIT_CONTROLS) | EXIT_CLEAR_RTIT_CTL);
	l1_resume(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(GET01(f, GUEST_IA32_RTIT_CTL), 0);
	/* A trace of L2's own. */
	l1_write(f, VMCS_ENTRY_CONTROLS, l1_read(f, VMCS_ENTRY_CONTROLS) | ENTRY_LOAD_RTIT_CTL);
	l1_write(f, VMCS_SECONDARY_CONTROLS,
		 l1_read(f, VMCS_SECONDARY_CONTROLS) | SECONDARY_PT_USES_GPA);
	l1_write(f, VMCS_GUEST_IA32_RTIT_CTL, on);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_IA32_RTIT_CTL), on);
	SET02(f, GUEST_IA32_RTIT_CTL, 4); /* L2 has switched it off */
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_RTIT_CTL), 4);
}

/* The SSP can be loaded by VM entries only: VMCS01's do it while L1 has had it loaded, and inherit
 * L2's otherwise. */
static void cet_state(void **state)
{
	struct fixture *f = *state;
	uint64_t exits;

	l1_prepare(f);
	l1_write(f, VMCS_GUEST_SSP, 0x2000);
	l1_write(f, VMCS_HOST_IA32_S_CET, CET_SH_STK_EN);
	l1_write(f, VMCS_HOST_SSP, 0x3000);
	l1_write(f, VMCS_HOST_INTERRUPT_SSP_TABLE_ADDR, 0x4000);
	exits = l1_read(f, VMCS_EXIT_CONTROLS);
	l1_launch(f);
	assert_false(GET02(f, ENTRY_CONTROLS) & ENTRY_LOAD_CET);
	SET02(f, GUEST_SSP, 0x2008); /* every exit saves it */
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_GUEST_SSP), 0x2008);
	assert_false(GET01(f, ENTRY_CONTROLS) & ENTRY_LOAD_CET);
	l1_write(f, VMCS_ENTRY_CONTROLS, l1_read(f, VMCS_ENTRY_CONTROLS) | ENTRY_LOAD_CET);
	l1_write(f, VMCS_EXIT_CONTROLS, exits | EXIT_LOAD_CET);
	l1_write(f, VMCS_GUEST_SSP, 0x2010);
	l1_resume(f);
	assert_true(GET02(f, ENTRY_CONTROLS) & ENTRY_LOAD_CET);
	assert_false(GET02(f, EXIT_CONTROLS) & EXIT_LOAD_CET);
	assert_int_equal(GET02(f, GUEST_SSP), 0x2010);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_true(GET01(f, ENTRY_CONTROLS) & ENTRY_LOAD_CET);
	assert_int_equal(GET01(f, GUEST_IA32_S_CET), CET_SH_STK_EN);
	assert_int_equal(GET01(f, GUEST_SSP), 0x3000);
	assert_int_equal(GET01(f, GUEST_INTERRUPT_SSP_TABLE_ADDR), 0x4000);
	l1_write(f, VMCS_EXIT_CONTROLS, exits);
	l1_resume(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_false(GET01(f, ENTRY_CONTROLS) & ENTRY_LOAD_CET);
}

/* An NMI that found L0 at work while L2 was about to run: L1's exit if it asked for NMIs, after
 * what is being injected; nothing of an earlier exit shows in it. */
static void nmi_between_exits(void **state)
{
	struct fixture *f = *state;
	const uint64_t nmi = INTR_INFO_VALID | INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT | VECTOR_NMI;

	start(f);
	assert_int_equal(shadow_l2_nmi(&f->v), SHADOW_NMI_GUEST);
	SET02(f, IDT_VECTORING_INFO, INTR_INFO_VALID | 0x33);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	l1_write(f, VMCS_PIN_BASED_CONTROLS, l1_read(f, VMCS_PIN_BASED_CONTROLS) | PIN_NMI_EXITING);
	l1_resume(f);
	SET02(f, ENTRY_INTERRUPTION_INFO, INTR_INFO_VALID | 0x44);
	assert_int_equal(shadow_l2_nmi(&f->v), SHADOW_NMI_LATER);
	assert_true(GET02(f, PRIMARY_CONTROLS) & (uint32_t)PRIMARY_MONITOR_TRAP_FLAG);
	SET02(f, ENTRY_INTERRUPTION_INFO, 0);
	SET02(f, IDT_VECTORING_INFO, 0);
	assert_int_equal(l2_exit(f, EXIT_REASON_MONITOR_TRAP_FLAG, 0), SHADOW_RESUME_L2);
	SET02(f, IDT_VECTORING_INFO, INTR_INFO_VALID | 0x33);
	SET02(f, GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_MOV_SS);
	assert_int_equal(shadow_l2_nmi(&f->v), SHADOW_NMI_LATER);
	SET02(f, GUEST_INTERRUPTIBILITY_STATE, 0);
	assert_int_equal(shadow_l2_nmi(&f->v), SHADOW_NMI_EXITED);
	assert_false(f->v.in_l2);
	assert_int_equal(f->fake.current->hpa, VMCS01_HPA);
	assert_int_equal(GET01(f, GUEST_RIP), L1_HOST_RIP);
	assert_true(GET01(f, GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_EXCEPTION_OR_NMI);
	assert_int_equal(l1_read(f, VMCS_EXIT_INTERRUPTION_INFO), nmi);
	assert_int_equal(l1_read(f, VMCS_IDT_VECTORING_INFO), 0);
}

/* INIT that waited for L2: its exit, unless L2 waits for a SIPI. */
static void init_between_exits(void **state)
{
	struct fixture *f = *state;

	start(f);
	SET02(f, ENTRY_INTERRUPTION_INFO, INTR_INFO_VALID | 0x44);
	assert_false(shadow_l2_init(&f->v));
	SET02(f, ENTRY_INTERRUPTION_INFO, 0);
	SET02(f, GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_SIPI);
	assert_false(shadow_l2_init(&f->v));
	assert_true(f->v.in_l2);
	SET02(f, GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	SET02(f, EXIT_INTERRUPTION_INFO, INTR_INFO_VALID | 0x33); /* of an exit before */
	assert_true(shadow_l2_init(&f->v));
	assert_int_equal(GET01(f, GUEST_RIP), L1_HOST_RIP);
	assert_int_equal(l1_read(f, VMCS_EXIT_INTERRUPTION_INFO), 0);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_INIT_SIGNAL);
	assert_int_equal(l1_read(f, VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
}

/* Controls of L1 that leave loads or saves out. */
static void unsteady_registers(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_ENTRY_CONTROLS,
		 l1_read(f, VMCS_ENTRY_CONTROLS) &
		     ~(uint64_t)(ENTRY_LOAD_EFER | ENTRY_LOAD_PAT | ENTRY_LOAD_DEBUG_CONTROLS));
	l1_write(f, VMCS_EXIT_CONTROLS,
		 l1_read(f, VMCS_EXIT_CONTROLS) &
		     ~(uint64_t)(EXIT_LOAD_PAT | EXIT_LOAD_EFER | EXIT_SAVE_PAT | EXIT_SAVE_EFER));
	SET01(f, GUEST_IA32_PAT, UINT64_C(0x0606060606060606));
	SET01(f, GUEST_IA32_EFER, EFER_LMA | EFER_LME | EFER_SCE);
	SET01(f, GUEST_DR7, DR7_FIXED1 | 3);
	l1_launch(f);
	assert_int_equal(GET02(f, GUEST_IA32_PAT), UINT64_C(0x0606060606060606));
	assert_int_equal(GET02(f, GUEST_IA32_EFER), EFER_LMA | EFER_LME | EFER_SCE);
	assert_int_equal(GET02(f, GUEST_DR7), DR7_FIXED1 | 3);
	/* L2's values go on in L1, and are not saved in VMCS12. */
	SET02(f, GUEST_IA32_PAT, UINT64_C(0x0404040404040404));
	SET02(f, GUEST_IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE);
	l2_exit(f, EXIT_REASON_CPUID, 0);
	assert_int_equal(GET01(f, GUEST_IA32_PAT), UINT64_C(0x0404040404040404));
	assert_int_equal(GET01(f, GUEST_IA32_EFER), EFER_LMA | EFER_LME | EFER_NXE);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_EFER), EFER_LMA | EFER_LME);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_PAT), UINT64_C(0x0007040600070406));
}

static void preemption_timer(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_PIN_BASED_CONTROLS,
		 l1_read(f, VMCS_PIN_BASED_CONTROLS) | PIN_PREEMPTION_TIMER);
	l1_write(f, VMCS_PREEMPTION_TIMER_VALUE, 1000);
	l1_launch(f);
	assert_int_equal(GET02(f, PREEMPTION_TIMER_VALUE), 1000);
	assert_true(GET02(f, EXIT_CONTROLS) & EXIT_SAVE_PREEMPTION_TIMER);
	SET02(f, PREEMPTION_TIMER_VALUE, 600);
	l2_exit(f, EXIT_REASON_CPUID, 0);
	assert_int_equal(l1_read(f, VMCS_PREEMPTION_TIMER_VALUE),
			 1000); /* L1 did not ask to save */
	l1_write(f, VMCS_EXIT_CONTROLS,
		 l1_read(f, VMCS_EXIT_CONTROLS) | EXIT_SAVE_PREEMPTION_TIMER);
	l1_resume(f);
	assert_int_equal(GET02(f, PREEMPTION_TIMER_VALUE), 1000);
	SET02(f, PREEMPTION_TIMER_VALUE, 700);
	l2_exit(f, EXIT_REASON_CPUID, 0);
	assert_int_equal(l1_read(f, VMCS_PREEMPTION_TIMER_VALUE), 700);
}

/* SDM 3C "VMX-Preemption Timer": it counts while L2 runs, which it does for L1 during an exit that
 * L0 keeps to itself. */
static void preemption_timer_counts_absorbed_exits(void **state)
{
	struct fixture *f = *state;
	unsigned shift = (unsigned)vmx_cap(&f->fake.hw, MISC) & 0x1f;

	l1_prepare(f);
	l1_write(f, VMCS_PIN_BASED_CONTROLS,
		 l1_read(f, VMCS_PIN_BASED_CONTROLS) | PIN_PREEMPTION_TIMER);
	l1_write(f, VMCS_PREEMPTION_TIMER_VALUE, 1000);
	f->fake.tsc = UINT64_C(1) << 40;
	l1_launch(f);
	f->fake.tsc += 300ull << shift;
	SET02(f, PREEMPTION_TIMER_VALUE, 900);
	assert_int_equal(l2_exit(f, EXIT_REASON_HLT, 0), SHADOW_L0);
	shadow_l2_absorbed(&f->v);
	assert_int_equal(GET02(f, PREEMPTION_TIMER_VALUE), 700);
	f->fake.tsc += 701ull << shift;
	assert_int_equal(l2_exit(f, EXIT_REASON_HLT, 0), SHADOW_L0);
	shadow_l2_absorbed(&f->v);
	assert_int_equal(GET02(f, PREEMPTION_TIMER_VALUE), 0);
}

/* More VMCSs than pages: the least recently used ones leave the cache, and nothing of them is lost.
 */
static void eviction(void **state)
{
	struct fixture *f = *state;
	const uint32_t revision = VMCS_REVISION;

	l1_prepare(f);
	l1_launch(f);
	l2_exit(f, EXIT_REASON_CPUID, 0);
	f->fake.pool_limit = f->fake.pool_used + 4;
	for (uint64_t round = 0; round < 2; round++)
		for (uint64_t i = 0; i < 12; i++) {
			uint64_t address = 0x50000 + i * PAGE_SIZE;

			memcpy(f->fake.ram + address, &revision, 4);
			assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, address),
				       SEEN_SUCCEED, 0);
			if (round)
				assert_int_equal(l1_read(f, VMCS_GUEST_RSP), 0x100 * i);
			l1_write(f, VMCS_GUEST_RSP, 0x100 * i);
			f->fake.events = 0;
			assert_true(f->fake.pool_used <= f->fake.pool_limit);
		}
	f->fake.pool_limit = FAKE_POOL_PAGES;
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_SUCCEED, 0);
	SET01(f, GUEST_RIP, L1_RIP);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_RIP), L2_RIP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(guest_state_round_trip),
	    BOTH(rare_fields_on_demand),
	    BOTH(host_state),
	    BOTH(exit_information),
	    BOTH(event_injection),
	    BOTH(refused_entries),
	    BOTH(failed_entries),
	    BOTH(protection_keys),
	    BOTH(processor_trace),
	    BOTH(cet_state),
	    BOTH(nmi_between_exits),
	    BOTH(init_between_exits),
	    BOTH(unsteady_registers),
	    BOTH(preemption_timer),
	    BOTH(preemption_timer_counts_absorbed_exits),
	    BOTH(eviction),
	    BOTH(pending_mtf),
	    BOTH(pdptes_come_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
