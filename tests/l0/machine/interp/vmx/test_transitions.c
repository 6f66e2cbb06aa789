/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VM entry and VM exit as round trips: every guest mode, every control that loads or saves state,
 * MSR areas, failing entries, VMX aborts.
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

static void exit_now(struct fixture *f)
{
	assert_true(EXITS(f, vmx_exit(f->cpu, EXIT_REASON_CPUID, 0)));
}

/* ---- guest modes ---- */

static void guest_real(struct fixture *f)
{
	secondary(f, SECONDARY_ENABLE_EPT | SECONDARY_UNRESTRICTED_GUEST);
	SET(f, EPT_POINTER, EPT_ROOT | EPTP_WALK_4 | EPTP_MT_WB);
	SET(f, ENTRY_CONTROLS, ENTRY_DEFAULT1_TRUE);
	SET(f, GUEST_CR0, CR0_NE);
	SET(f, GUEST_CR4, CR4_VMXE);
	for (int seg = SEG_ES; seg <= SEG_GS; seg++) {
		guest_segment(f->cpu->vmx->vmcs, (enum x86_seg)seg, 0x100, 0x93);
		vmcs_set_seg(f->cpu->vmx->vmcs, BASE, seg, 0x1000);
		vmcs_set_seg(f->cpu->vmx->vmcs, LIMIT, seg, 0xffff);
	}
	vmcs_set_seg(f->cpu->vmx->vmcs, ACCESS_RIGHTS, SEG_CS, 0x9b);
}

static void guest_protected(struct fixture *f)
{
	SET(f, ENTRY_CONTROLS, ENTRY_DEFAULT1_TRUE);
	SET(f, GUEST_CR4, CR4_VMXE);
	vmcs_set_seg(f->cpu->vmx->vmcs, ACCESS_RIGHTS, SEG_CS, 0xc09b);
}

static void guest_pae(struct fixture *f)
{
	guest_protected(f);
	SET(f, GUEST_CR4, CR4_VMXE | CR4_PAE);
	SET(f, GUEST_CR3, AREA);
	for (unsigned i = 0; i < 4; i++)
		poke64(f, AREA + i * 8, 0x20000 + i * 0x1000 + PTE_P);
}

static void guest_vm86(struct fixture *f)
{
	guest_protected(f);
	SET(f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_VM);
	for (int seg = SEG_ES; seg <= SEG_GS; seg++) {
		guest_segment(f->cpu->vmx->vmcs, (enum x86_seg)seg, 0x1000, 0xf3);
		vmcs_set_seg(f->cpu->vmx->vmcs, BASE, seg, 0x10000);
		vmcs_set_seg(f->cpu->vmx->vmcs, LIMIT, seg, 0xffff);
	}
}

static void guest_compatibility(struct fixture *f)
{
	vmcs_set_seg(f->cpu->vmx->vmcs, ACCESS_RIGHTS, SEG_CS, 0xc09b);
}

static void guest_64(struct fixture *f)
{
	(void)f;
}

static void guest_user(struct fixture *f)
{
	struct vmcs *vmcs = f->cpu->vmx->vmcs;

	guest_segment(vmcs, SEG_CS, 0x33, 0xa0fb);
	guest_segment(vmcs, SEG_SS, 0x2b, 0xc0f3);
}

static const struct {
	void (*make)(struct fixture *f);
	bool lma, code64, protected;
	uint8_t cpl;
} modes[] = {
	{guest_real, false, false, false, 0}, {guest_protected, false, false, true, 0},
	{guest_pae, false, false, true, 0},   {guest_vm86, false, false, true, 3},
	{guest_64, true, true, true, 0},      {guest_compatibility, true, false, true, 0},
	{guest_user, true, true, true, 3},
};

static void assert_host_state(struct fixture *f)
{
	struct cpu *cpu = f->cpu;

	assert_int_equal(cpu->cr0, CR0_PE | CR0_NE | CR0_PG | CR0_ET);
	assert_int_equal(cpu->cr3, PML4);
	assert_int_equal(cpu->cr4, CR4_PAE | CR4_VMXE);
	assert_int_equal(cpu->efer & (EFER_LMA | EFER_LME), EFER_LMA | EFER_LME);
	assert_int_equal(cpu->cpl, 0);
	assert_int_equal(cpu->gpr[REG_RSP], HOST_STACK);
	assert_int_equal(cpu_rip(cpu), HOST_ENTRY);
	assert_int_equal(cpu_rflags(cpu), RFLAGS_FIXED1);
	assert_int_equal(cpu->seg[SEG_CS].ar, 0xa09b);
	assert_int_equal(cpu->seg[SEG_SS].ar, 0xc093);
	assert_int_equal(cpu->seg[SEG_GS].ar, AR_UNUSABLE);
	assert_int_equal(cpu->seg[SEG_GS].base, 0x65000);
	assert_int_equal(cpu->seg[SEG_FS].base, 0xf5000);
	assert_int_equal(cpu->seg[SEG_TR].ar, 0x8b);
	assert_int_equal(cpu->seg[SEG_TR].limit, 0x67);
	assert_int_equal(cpu->seg[SEG_LDTR].ar, AR_UNUSABLE);
	assert_int_equal(cpu->gdtr.limit, 0xffff);
	assert_int_equal(cpu->dr7, DR7_FIXED1);
	assert_false(cpu->vmx->nonroot);
	assert_int_equal(cpu->vmx->primary, 0);
	assert_int_equal(cpu->vmx->eptp, 0);
}

/* The guest-state area comes back as it went in. */
static void test_modes(void **state)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct fixture f;
		struct vmcs before;

		start_vmx(&f);
		modes[i].make(&f);
		before = *f.cpu->vmx->vmcs;
		enter(&f);
		assert_int_equal(cpu_long_mode(f.cpu), modes[i].lma);
		assert_int_equal(cpu_code64(f.cpu), modes[i].code64);
		assert_int_equal(cpu_protected(f.cpu), modes[i].protected);
		assert_int_equal(f.cpu->cpl, modes[i].cpl);
		assert_int_equal(cpu_rip(f.cpu), GUEST_ENTRY);
		assert_int_equal(f.cpu->gpr[REG_RSP], GUEST_STACK);
		assert_int_equal(f.cpu->vmx->vmcs->launch_state, VMCS_STATE_LAUNCHED);
		exit_now(&f);
		assert_exit(&f, EXIT_REASON_CPUID, 0);
		assert_host_state(&f);
		for (unsigned k = VMCS_INDEX_GUEST_ES_SELECTOR; k < VMCS_FIELD_COUNT; k++) {
			uint64_t ignored = k == VMCS_INDEX_GUEST_CR0 ? CR0_ET : 0;
			bool pdpte = k >= VMCS_INDEX_GUEST_PDPTE0 && k <= VMCS_INDEX_GUEST_PDPTE3;

			if (vmcs_field_type(vmcs_fields[k].encoding) == VMCS_TYPE_GUEST && !pdpte)
				assert_int_equal(f.cpu->vmx->vmcs->field[k] & ~ignored,
						 before.field[k] & ~ignored);
		}
		/* And the guest goes on. */
		enter(&f);
		stop(&f);
	}
}

static void test_pdptes(void **state)
{
	struct fixture f;

	start_vmx(&f);
	guest_pae(&f);
	enter(&f);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(f.cpu->pdpte[i], 0x20000 + i * 0x1000 + PTE_P);
	exit_now(&f);
	/* With EPT they come from the VMCS, and go back there. */
	secondary(&f, SECONDARY_ENABLE_EPT);
	SET(&f, EPT_POINTER, EPT_ROOT | EPTP_WALK_4 | EPTP_MT_WB);
	SET(&f, GUEST_PDPTE2, 0x77001);
	enter(&f);
	assert_int_equal(f.cpu->pdpte[2], 0x77001);
	f.cpu->pdpte[2] = 0x88001;
	exit_now(&f);
	assert_int_equal(GET(&f, GUEST_PDPTE2), 0x88001);
	stop(&f);
}

static void test_bad_pdptes_fail_the_entry(void **state)
{
	struct fixture f;

	start_vmx(&f);
	guest_pae(&f);
	poke64(&f, AREA + 8, 0x20000 | PTE_P | PTE_W);
	call(&f, insn_vmlaunch);
	assert_exit(&f, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE, 2);
	stop(&f);
}

/* ---- controls that load and save ---- */

static void test_efer(void **state)
{
	struct fixture f;

	start_vmx(&f);
	f.cpu->efer |= EFER_SCE;
	guest_protected(&f);
	enter(&f);
	/* Without "load IA32_EFER" only LMA and LME follow the guest. */
	assert_int_equal(f.cpu->efer, EFER_SCE | EFER_NXE);
	f.cpu->efer |= 0;
	exit_now(&f);
	assert_int_equal(f.cpu->efer, EFER_SCE | EFER_NXE | EFER_LMA | EFER_LME);
	ENABLE(&f, ENTRY_CONTROLS, ENTRY_LOAD_EFER);
	ENABLE(&f, EXIT_CONTROLS, EXIT_SAVE_EFER | EXIT_LOAD_EFER);
	SET(&f, GUEST_IA32_EFER, EFER_NXE);
	SET(&f, HOST_IA32_EFER, EFER_LMA | EFER_LME);
	enter(&f);
	assert_int_equal(f.cpu->efer, EFER_NXE);
	f.cpu->efer = EFER_SCE;
	exit_now(&f);
	assert_int_equal(GET(&f, GUEST_IA32_EFER), EFER_SCE);
	assert_int_equal(f.cpu->efer, EFER_LMA | EFER_LME);
	stop(&f);
}

static void test_pat(void **state)
{
	struct fixture f;

	start_vmx(&f);
	f.cpu->msrs.pat = 0x0606;
	SET(&f, GUEST_IA32_PAT, 0x0404);
	SET(&f, HOST_IA32_PAT, 0x0101);
	enter(&f);
	assert_int_equal(f.cpu->msrs.pat, 0x0606);
	exit_now(&f);
	assert_int_equal(f.cpu->msrs.pat, 0x0606);
	assert_int_equal(GET(&f, GUEST_IA32_PAT), 0x0404);
	ENABLE(&f, ENTRY_CONTROLS, ENTRY_LOAD_PAT);
	ENABLE(&f, EXIT_CONTROLS, EXIT_SAVE_PAT | EXIT_LOAD_PAT);
	enter(&f);
	assert_int_equal(f.cpu->msrs.pat, 0x0404);
	f.cpu->msrs.pat = 0x0505;
	exit_now(&f);
	assert_int_equal(GET(&f, GUEST_IA32_PAT), 0x0505);
	assert_int_equal(f.cpu->msrs.pat, 0x0101);
	stop(&f);
}

/* Saved by every exit, loaded and cleared by the controls; what branches do goes with it. */
static void test_bndcfgs(void **state)
{
	struct fixture f;

	start_vmx(&f);
	f.cpu->cr4 |= CR4_OSXSAVE;
	f.cpu->xcr0 = 0x1f;
	f.cpu->mpx.bound[0].upper = 1;
	f.cpu->msrs.bndcfgs = 0x1001;
	SET(&f, GUEST_IA32_BNDCFGS, 0x2001);
	SET(&f, GUEST_CR4, vmcs_get(f.cpu->vmx->vmcs, GUEST_CR4) | CR4_OSXSAVE);
	SET(&f, HOST_CR4, vmcs_get(f.cpu->vmx->vmcs, HOST_CR4) | CR4_OSXSAVE);
	enter(&f);
	assert_int_equal(f.cpu->msrs.bndcfgs, 0x1001);
	exit_now(&f);
	assert_int_equal(f.cpu->msrs.bndcfgs, 0x1001);
	assert_int_equal(GET(&f, GUEST_IA32_BNDCFGS), 0x1001);
	assert_true(f.cpu->mode & MODE_BOUNDS);
	SET(&f, GUEST_IA32_BNDCFGS, 0x2003);
	ENABLE(&f, ENTRY_CONTROLS, ENTRY_LOAD_BNDCFGS);
	enter(&f);
	assert_int_equal(f.cpu->msrs.bndcfgs, 0x2003);
	assert_false(f.cpu->mode & MODE_BOUNDS);
	exit_now(&f);
	ENABLE(&f, EXIT_CONTROLS, EXIT_CLEAR_BNDCFGS);
	enter(&f);
	f.cpu->msrs.bndcfgs = 0x3001;
	exit_now(&f);
	assert_int_equal(GET(&f, GUEST_IA32_BNDCFGS), 0x3001);
	assert_int_equal(f.cpu->msrs.bndcfgs, 0);
	assert_int_equal(f.cpu->mpx.bound[0].upper, 1);
	assert_false(f.cpu->mode & MODE_BOUNDS);
	stop(&f);
}

static void test_debug_controls(void **state)
{
	struct fixture f;

	start_vmx(&f);
	f.cpu->dr7 = DR7_FIXED1 | 1;
	SET(&f, GUEST_DR7, 0x0000d402);
	enter(&f);
	assert_int_equal(f.cpu->dr7, DR7_FIXED1 | 1);
	exit_now(&f);
	assert_int_equal(GET(&f, GUEST_DR7), 0xd402);
	assert_int_equal(f.cpu->dr7, DR7_FIXED1);
	ENABLE(&f, ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS);
	ENABLE(&f, EXIT_CONTROLS, EXIT_SAVE_DEBUG_CONTROLS);
	SET(&f, GUEST_IA32_DEBUGCTL, DEBUGCTL_BTF);
	enter(&f);
	assert_int_equal(f.cpu->dr7, 0x0402); /* bits 12, 14 and 15 are always 0 */
	assert_int_equal(f.cpu->msrs.debugctl, DEBUGCTL_BTF);
	f.cpu->dr7 = DR7_FIXED1 | 4;
	exit_now(&f);
	assert_int_equal(GET(&f, GUEST_DR7), DR7_FIXED1 | 4);
	assert_int_equal(GET(&f, GUEST_IA32_DEBUGCTL), DEBUGCTL_BTF);
	assert_int_equal(f.cpu->msrs.debugctl, 0);
	stop(&f);
}

static void test_sysenter_and_32_bit_host_fields(void **state)
{
	struct fixture f;

	start_vmx(&f);
	SET(&f, GUEST_IA32_SYSENTER_CS, 0x33);
	SET(&f, GUEST_IA32_SYSENTER_EIP, 0x1234);
	SET(&f, HOST_IA32_SYSENTER_ESP, 0x5678);
	enter(&f);
	assert_int_equal(f.cpu->msrs.sysenter_cs, 0x33);
	assert_int_equal(f.cpu->msrs.sysenter_eip, 0x1234);
	f.cpu->msrs.sysenter_esp = 0x9abc;
	exit_now(&f);
	assert_int_equal(GET(&f, GUEST_IA32_SYSENTER_ESP), 0x9abc);
	assert_int_equal(f.cpu->msrs.sysenter_esp, 0x5678);
	assert_int_equal(f.cpu->msrs.sysenter_cs, 0);
	stop(&f);
}

/* SDM 3D "Miscellaneous Data": exits store EFER.LMA in the entry control. */
static void test_entry_control_follows_lma(void **state)
{
	struct fixture f;

	start_vmx(&f);
	enter(&f);
	f.cpu->efer &= ~(EFER_LMA | EFER_LME);
	exit_now(&f);
	assert_false(GET(&f, ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
	stop(&f);
}

/* ---- MSR areas ---- */

static void msr_entry(struct fixture *f, uint64_t area, unsigned i, uint64_t index, uint64_t value)
{
	poke64(f, area + i * 16, index);
	poke64(f, area + i * 16 + 8, value);
}

static void test_msr_areas(void **state)
{
	struct fixture f;

	start_vmx(&f);
	SET(&f, ENTRY_MSR_LOAD_ADDRESS, AREA);
	SET(&f, ENTRY_MSR_LOAD_COUNT, 2);
	msr_entry(&f, AREA, 0, MSR_IA32_STAR, 0x11);
	msr_entry(&f, AREA, 1, MSR_IA32_LSTAR, 0x22);
	SET(&f, EXIT_MSR_STORE_ADDRESS, AREA_2);
	SET(&f, EXIT_MSR_STORE_COUNT, 1);
	msr_entry(&f, AREA_2, 0, MSR_IA32_STAR, 0);
	SET(&f, EXIT_MSR_LOAD_ADDRESS, AREA_2 + 16);
	SET(&f, EXIT_MSR_LOAD_COUNT, 1);
	msr_entry(&f, AREA_2, 1, MSR_IA32_LSTAR, 0x44);
	enter(&f);
	assert_int_equal(f.cpu->msrs.star, 0x11);
	assert_int_equal(f.cpu->msrs.lstar, 0x22);
	f.cpu->msrs.star = 0x55;
	exit_now(&f);
	assert_int_equal(peek64(&f, AREA_2 + 8), 0x55);
	assert_int_equal(f.cpu->msrs.lstar, 0x44);
	stop(&f);
}

static void test_bad_entry_msrs(void **state)
{
	static const struct {
		uint64_t index, value;
	} bad[] = {
		{MSR_IA32_FS_BASE, 0},
		{MSR_IA32_GS_BASE, 0},
		{MSR_IA32_X2APIC_FIRST + 8, 0},
		{MSR_IA32_STAR | UINT64_C(1) << 32, 0},
		{0x12345, 0},
		{MSR_IA32_LSTAR, BIT64(47)},
		{MSR_IA32_VMX_BASIC, 0},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fixture f;

		start_vmx(&f);
		SET(&f, ENTRY_MSR_LOAD_ADDRESS, AREA);
		SET(&f, ENTRY_MSR_LOAD_COUNT, 3);
		msr_entry(&f, AREA, 0, MSR_IA32_STAR, 0x11);
		msr_entry(&f, AREA, 1, bad[i].index, bad[i].value);
		call(&f, insn_vmlaunch);
		assert_exit(&f, EXIT_REASON_ENTRY_FAILURE_MSR_LOADING | EXIT_REASON_ENTRY_FAILURE,
			    2);
		assert_int_equal(f.cpu->next_rip, HOST_ENTRY);
		assert_int_equal(f.cpu->vmx->vmcs->launch_state, VMCS_STATE_CLEAR);
		assert_non_null(strstr(vmx_last_failure(f.cpu), "entry 2"));
		stop(&f);
	}
}

static void test_aborts(void **state)
{
	struct fixture f;

	start_vmx(&f);
	SET(&f, EXIT_MSR_STORE_ADDRESS, AREA);
	SET(&f, EXIT_MSR_STORE_COUNT, 1);
	msr_entry(&f, AREA, 0, 0x12345, 0);
	enter(&f);
	exit_now(&f);
	assert_int_equal(f.cpu->vmx->vmcs->abort, VMX_ABORT_SAVE_GUEST_MSR);
	assert_int_equal(f.machine.stop, STOP_VMX_ABORT);
	stop(&f);
	start_vmx(&f);
	SET(&f, EXIT_MSR_LOAD_ADDRESS, AREA);
	SET(&f, EXIT_MSR_LOAD_COUNT, 1);
	msr_entry(&f, AREA, 0, 0x12345, 0);
	enter(&f);
	exit_now(&f);
	assert_int_equal(f.cpu->vmx->vmcs->abort, VMX_ABORT_LOAD_HOST_MSR);
	assert_int_equal(f.machine.stop_value, VMX_ABORT_LOAD_HOST_MSR);
	stop(&f);
}

#define AREA_LONG 0x20000

/* 512 entries are what IA32_VMX_MISC recommends at most; the list that is longer fails. */
static void test_long_msr_areas(void **state)
{
	struct fixture f;

	for (unsigned count = 512; count <= 513; count++) {
		start_vmx(&f);
		SET(&f, ENTRY_MSR_LOAD_ADDRESS, AREA_LONG);
		SET(&f, ENTRY_MSR_LOAD_COUNT, count);
		for (unsigned i = 0; i < count; i++)
			msr_entry(&f, AREA_LONG, i, MSR_IA32_STAR, i);
		call(&f, insn_vmlaunch);
		if (count == 512)
			assert_int_equal(f.cpu->msrs.star, 511);
		else
			assert_exit(
			    &f, EXIT_REASON_ENTRY_FAILURE_MSR_LOADING | EXIT_REASON_ENTRY_FAILURE,
			    513);
		stop(&f);
	}
	for (unsigned load = 0; load < 2; load++) {
		start_vmx(&f);
		SET(&f, EXIT_MSR_LOAD_ADDRESS, AREA_LONG);
		SET(&f, EXIT_MSR_STORE_ADDRESS, AREA_LONG);
		SET(&f, EXIT_MSR_LOAD_COUNT, load ? 513 : 0);
		SET(&f, EXIT_MSR_STORE_COUNT, load ? 0 : 513);
		for (unsigned i = 0; i < 513; i++)
			msr_entry(&f, AREA_LONG, i, MSR_IA32_STAR, 0);
		enter(&f);
		exit_now(&f);
		assert_int_equal(f.cpu->vmx->vmcs->abort,
				 load ? VMX_ABORT_LOAD_HOST_MSR : VMX_ABORT_SAVE_GUEST_MSR);
		stop(&f);
	}
}

/* ---- entries that fail ---- */

static void test_control_and_host_failures(void **state)
{
	struct fixture f;

	start_vmx(&f);
	SET(&f, PIN_BASED_CONTROLS, 0);
	assert_false(call(&f, insn_vmlaunch));
	assert_fails_valid(&f, VMX_ERROR_ENTRY_CONTROLS);
	assert_true(vmx_last_failure(f.cpu)[0]);
	SET(&f, PIN_BASED_CONTROLS, PIN_DEFAULT1);
	SET(&f, HOST_TR_SELECTOR, 0);
	assert_false(call(&f, insn_vmlaunch));
	assert_fails_valid(&f, VMX_ERROR_ENTRY_HOST_STATE);
	assert_int_equal(f.cpu->vmx->vmcs->launch_state, VMCS_STATE_CLEAR);
	assert_int_equal(f.cpu->vmx->exits, 0);
	stop(&f);
}

static void count_failure(struct cpu *cpu, const char *text)
{
	assert_true(strstr(text, "GUEST_RFLAGS=0x"));
	cpu->gpr[REG_R15]++;
}

static void test_guest_state_failure(void **state)
{
	struct fixture f;

	start_vmx(&f);
	SET(&f, GUEST_RFLAGS, 0);
	SET(&f, IDT_VECTORING_INFO, 0x1234);
	SET(&f, ENTRY_INTERRUPTION_INFO, INTR_INFO_VALID | INTR_TYPE_NMI << 8 | 2);
	f.cpu->vmx->on_entry_failure = count_failure;
	f.cpu->nmi_blocked = true;
	call(&f, insn_vmlaunch);
	assert_exit(&f, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE, 0);
	assert_int_equal(f.cpu->gpr[REG_R15], 1);
	/* SDM 3C "VM-Entry Failures During or After Loading Guest State": what stays as it was. */
	assert_int_equal(GET(&f, IDT_VECTORING_INFO), 0x1234);
	assert_true(GET(&f, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID);
	assert_int_equal(f.cpu->vmx->vmcs->launch_state, VMCS_STATE_CLEAR);
	assert_true(f.cpu->nmi_blocked);
	assert_int_equal(f.cpu->vmx->exit_counts[EXIT_REASON_ENTRY_FAILURE_GUEST_STATE], 1);
	cpu_rip(f.cpu) = f.cpu->next_rip;
	assert_host_state(&f);
	stop(&f);
}

/* Skipping checks that nothing could have changed must not skip those that something did. */
static void test_vmwrite_makes_the_checks_run_again(void **state)
{
	struct fixture f;

	start_vmx(&f);
	enter(&f);
	exit_now(&f);
	assert_false(call(&f, insn_vmresume));
	assert_true(f.cpu->vmx->nonroot);
	exit_now(&f);
	f.op.flags &= ~OP_MEMORY;
	f.cpu->gpr[REG_RAX] = VMCS_HOST_CR3;
	f.cpu->gpr[REG_RDX] = BIT64(60);
	assert_false(call(&f, insn_vmwrite));
	assert_false(call(&f, insn_vmresume));
	assert_fails_valid(&f, VMX_ERROR_ENTRY_HOST_STATE);
	stop(&f);
}

/* ---- non-register state ---- */

static void test_interruptibility_and_activity(void **state)
{
	struct fixture f;

	start_vmx(&f);
	SET(&f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF);
	SET(&f, GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_STI | INTERRUPTIBILITY_NMI);
	enter(&f);
	assert_true(f.cpu->sti_shadow);
	assert_false(f.cpu->mov_ss_shadow);
	assert_true(f.cpu->nmi_blocked);
	exit_now(&f);
	assert_int_equal(GET(&f, GUEST_INTERRUPTIBILITY_STATE),
			 INTERRUPTIBILITY_STI | INTERRUPTIBILITY_NMI);
	assert_false(f.cpu->sti_shadow);
	assert_true(f.cpu->nmi_blocked); /* an exit does not change it */
	f.cpu->nmi_blocked = false;
	/* Virtual NMIs: the bit is about those. */
	ENABLE(&f, PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	SET(&f, GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	enter(&f);
	assert_false(f.cpu->nmi_blocked);
	assert_true(f.cpu->vmx->virtual_nmi_blocked);
	exit_now(&f);
	assert_int_equal(GET(&f, GUEST_INTERRUPTIBILITY_STATE), INTERRUPTIBILITY_NMI);
	assert_false(f.cpu->nmi_blocked);
	SET(&f, GUEST_INTERRUPTIBILITY_STATE, 0);
	SET(&f, GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	enter(&f);
	assert_int_equal(f.cpu->activity, ACTIVITY_HLT);
	exit_now(&f);
	assert_int_equal(GET(&f, GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
	assert_int_equal(f.cpu->activity, ACTIVITY_ACTIVE);
	stop(&f);
}

static void test_pending_debug_exceptions(void **state)
{
	uint64_t pending = PENDING_DEBUG_ENABLED_BREAKPOINT | 2;
	struct fixture f;

	start_vmx(&f);
	SET(&f, GUEST_PENDING_DEBUG_EXCEPTIONS, pending);
	enter(&f);
	assert_int_equal(f.cpu->pending_debug, pending);
	f.cpu->vmx->mtf_pending = true;
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_attend_before_traps(f.cpu)));
	assert_exit(&f, EXIT_REASON_MONITOR_TRAP_FLAG, 0);
	assert_int_equal(GET(&f, GUEST_PENDING_DEBUG_EXCEPTIONS), pending);
	enter(&f);
	exit_now(&f); /* most exits clear the field */
	assert_int_equal(GET(&f, GUEST_PENDING_DEBUG_EXCEPTIONS), 0);
	stop(&f);
}

static void test_tsc_offset_and_scaling(void **state)
{
	struct fixture f;

	start_vmx(&f);
	SET(&f, TSC_OFFSET, 1000);
	SET(&f, TSC_MULTIPLIER, BIT64(47) * 3);
	enter(&f);
	assert_int_equal(vmx_guest_tsc(f.cpu, 500), 500);
	exit_now(&f);
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_USE_TSC_OFFSETTING);
	enter(&f);
	assert_int_equal(vmx_guest_tsc(f.cpu, 500), 1500);
	exit_now(&f);
	secondary(&f, SECONDARY_USE_TSC_SCALING);
	enter(&f);
	assert_int_equal(vmx_guest_tsc(f.cpu, 500), 1750);
	exit_now(&f);
	assert_int_equal(vmx_guest_tsc(f.cpu, 500), 500);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_pdptes),
		cmocka_unit_test(test_bad_pdptes_fail_the_entry),
		cmocka_unit_test(test_efer),
		cmocka_unit_test(test_pat),
		cmocka_unit_test(test_bndcfgs),
		cmocka_unit_test(test_debug_controls),
		cmocka_unit_test(test_sysenter_and_32_bit_host_fields),
		cmocka_unit_test(test_entry_control_follows_lma),
		cmocka_unit_test(test_msr_areas),
		cmocka_unit_test(test_long_msr_areas),
		cmocka_unit_test(test_bad_entry_msrs),
		cmocka_unit_test(test_aborts),
		cmocka_unit_test(test_control_and_host_failures),
		cmocka_unit_test(test_guest_state_failure),
		cmocka_unit_test(test_vmwrite_makes_the_checks_run_again),
		cmocka_unit_test(test_interruptibility_and_activity),
		cmocka_unit_test(test_pending_debug_exceptions),
		cmocka_unit_test(test_tsc_offset_and_scaling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
