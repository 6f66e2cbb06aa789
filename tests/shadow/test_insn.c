/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Outcomes of L1's VMX instructions as truth tables, with and without hardware VMCS shadowing.
 */
#include "tests/shadow/fixture.h"

#define BEYOND BIT64(40) /* above the fake machine's physical-address width */
#define NO_RAM UINT64_C(0x10000000)

/* Every instruction is #UD outside VMX operation; inside it is #GP(0) above CPL 0. */
static void privilege(void **state)
{
	struct fixture *f = *state;
	static const uint32_t reasons[] = {
#define INSN(reason, handler, vmx) EXIT_REASON_##reason,
#include "shadow/insns.def"
#undef INSN
	};

	for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i] != EXIT_REASON_VMXON)
			assert_outcome(l1_insn_pointer(f, reasons[i], VMCS_A), SEEN_UD, 0);
	l1_start_vmx(f);
	SET01(f, GUEST_SS_ACCESS_RIGHTS, 0xc093 | 3 << AR_DPL_SHIFT);
	for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		assert_outcome(l1_insn_pointer(f, reasons[i], VMCS_A), SEEN_GP, 0);
	assert_int_equal(f->v.current->address.value, VMCS_A);
}

static void vmxon(void **state)
{
	struct fixture *f = *state;
	static const uint32_t revision = VMCS_REVISION,
			      shadow = VMCS_REVISION | VMCS_SHADOW_INDICATOR;

	memcpy(f->fake.ram + VMXON_REGION, &revision, 4);
	memcpy(f->fake.ram + VMCS_B, &shadow, 4);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION), SEEN_GP, 0);
	assert_true(shadow_wrmsr(&f->v, MSR_IA32_FEATURE_CONTROL, 5));
	SET01(f, CR4_READ_SHADOW, CR4_PAE);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION), SEEN_UD, 0);
	SET01(f, CR4_READ_SHADOW, CR4_PAE | CR4_VMXE);
	SET01(f, GUEST_CR0, CR0_PE | CR0_PG);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION), SEEN_GP, 0);
	SET01(f, GUEST_CR0, CR0_PE | CR0_PG | CR0_NE);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION + 8), SEEN_INVALID, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, BEYOND), SEEN_INVALID, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, NO_RAM), SEEN_INVALID, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMCS_B), SEEN_INVALID, 0);
	assert_false(f->v.vmx_on);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION), SEEN_SUCCEED, 0);
	assert_true(f->v.vmx_on);
	/* Again: VMfail(15), which without a current VMCS is VMfailInvalid. */
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION), SEEN_INVALID, 0);
	memcpy(f->fake.ram + VMCS_A, &revision, 4);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION), SEEN_VALID,
		       VMX_ERROR_VMXON_IN_ROOT);
	assert_outcome(l1_insn(f, EXIT_REASON_VMXOFF), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn(f, EXIT_REASON_VMXOFF), SEEN_UD, 0);
}

/* The mode and the control registers that count are those that L1 sees, whatever L0 keeps set
 * beneath: a row changes one thing. */
static void vmxon_by_what_l1_sees(void **state)
{
	struct fixture *f = *state;
	const uint64_t cr0 = CR0_PG | CR0_PE | CR0_NE, cr4 = CR4_PAE | CR4_VMXE;
	const struct {
		uint64_t cr0, cr4, rflags, cs;
		enum seen seen;
	} rows[] = {
	    {cr0 & ~CR0_NE, cr4, 0, 0xa09b, SEEN_GP},
	    {cr0 & ~CR0_PG, cr4, 0, 0xa09b, SEEN_GP},
	    {cr0 & ~CR0_PE, cr4, 0, 0xa09b, SEEN_UD},
	    {cr0, cr4 & ~CR4_VMXE, 0, 0xa09b, SEEN_UD},
	    {cr0, cr4 | BIT64(40), 0, 0xa09b, SEEN_GP},
	    {cr0 | BIT64(40), cr4, 0, 0xa09b, SEEN_GP},
	    {cr0, cr4, RFLAGS_VM, 0xa09b, SEEN_UD},
	    {cr0, cr4, 0, 0xc09b, SEEN_UD}, /* compatibility mode */
	    {cr0, cr4, 0, 0xa09b, SEEN_SUCCEED},
	};
	static const uint32_t revision = VMCS_REVISION;

	memcpy(f->fake.ram + VMXON_REGION, &revision, 4);
	assert_true(shadow_wrmsr(&f->v, MSR_IA32_FEATURE_CONTROL, 5));
	vmcs_set(&f->vmcs01, CR0_GUEST_HOST_MASK, UINT64_MAX);
	vmcs_set(&f->vmcs01, CR4_GUEST_HOST_MASK, UINT64_MAX);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		SET01(f, CR0_READ_SHADOW, rows[i].cr0);
		SET01(f, CR4_READ_SHADOW, rows[i].cr4);
		SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1 | rows[i].rflags);
		SET01(f, GUEST_CS_ACCESS_RIGHTS, rows[i].cs);
		assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION), rows[i].seen,
			       0);
	}
}

/* A fault pushes RF set (SDM 3A "RFLAGS"), and injection pushes RFLAGS as it is. */
static void faults_set_rf(void **state)
{
	struct fixture *f = *state;

	SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_CF);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_UD, 0);
	assert_int_equal(GET01(f, GUEST_RFLAGS), RFLAGS_FIXED1 | RFLAGS_CF | RFLAGS_RF);
	SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION), SEEN_GP, 0);
	assert_int_equal(GET01(f, GUEST_RFLAGS), RFLAGS_FIXED1 | RFLAGS_RF);
	SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1);
	assert_true(shadow_wrmsr(&f->v, MSR_IA32_FEATURE_CONTROL, 5));
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION + 1), SEEN_INVALID, 0);
	assert_int_equal(GET01(f, GUEST_RFLAGS) & RFLAGS_RF, 0);
}

static void pointers(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint32_t reason;
		uint64_t pointer;
		enum seen seen;
		uint64_t error;
	} rows[] = {
	    {EXIT_REASON_VMCLEAR, VMCS_B + 1, SEEN_VALID, VMX_ERROR_VMCLEAR_ADDRESS},
	    {EXIT_REASON_VMCLEAR, BEYOND, SEEN_VALID, VMX_ERROR_VMCLEAR_ADDRESS},
	    {EXIT_REASON_VMCLEAR, VMXON_REGION, SEEN_VALID, VMX_ERROR_VMCLEAR_VMXON_POINTER},
	    {EXIT_REASON_VMCLEAR, NO_RAM, SEEN_SUCCEED, 0},
	    {EXIT_REASON_VMCLEAR, VMCS_B, SEEN_SUCCEED, 0},
	    {EXIT_REASON_VMPTRLD, VMCS_B + 1, SEEN_VALID, VMX_ERROR_VMPTRLD_ADDRESS},
	    {EXIT_REASON_VMPTRLD, BEYOND, SEEN_VALID, VMX_ERROR_VMPTRLD_ADDRESS},
	    {EXIT_REASON_VMPTRLD, VMXON_REGION, SEEN_VALID, VMX_ERROR_VMPTRLD_VMXON_POINTER},
	    {EXIT_REASON_VMPTRLD, NO_RAM, SEEN_VALID, VMX_ERROR_VMPTRLD_REVISION},
	    {EXIT_REASON_VMPTRLD, AREA, SEEN_VALID, VMX_ERROR_VMPTRLD_REVISION},
	    {EXIT_REASON_VMPTRLD, VMCS_SHADOW, SEEN_SUCCEED, 0},
	    {EXIT_REASON_VMPTRLD, VMCS_B, SEEN_SUCCEED, 0},
	};

	l1_start_vmx(f);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_outcome(l1_insn_pointer(f, rows[i].reason, rows[i].pointer), rows[i].seen,
			       rows[i].error);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRST, 0), SEEN_SUCCEED, 0);
	assert_int_equal(fake_peek64(&f->fake, OPERAND), VMCS_B);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_B), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRST, 0), SEEN_SUCCEED, 0);
	assert_int_equal(fake_peek64(&f->fake, OPERAND), UINT64_MAX);
}

/* Writes and reads every field that L1 is offered; others are VMfail(12). */
static void fields(void **state)
{
	struct fixture *f = *state;
	uint64_t value;

	l1_start_vmx(f);
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		bool offered =
		    vmx_features_have(f->v.caps.features, (enum vmx_feature)vmcs_fields[i].exists);
		uint64_t wanted = UINT64_C(0x8899aabbccddeeff) + i;
		uint32_t encoding = vmcs_fields[i].encoding;

		if (!offered) {
			assert_outcome(l1_vmread(f, encoding, &value), SEEN_VALID,
				       VMX_ERROR_UNSUPPORTED_FIELD);
			continue;
		}
		assert_outcome(l1_vmwrite(f, encoding, wanted), SEEN_SUCCEED, 0);
		if (vmcs_field_width(encoding) == VMCS_WIDTH_16)
			wanted &= 0xffff;
		if (vmcs_field_width(encoding) == VMCS_WIDTH_32)
			wanted &= UINT32_MAX;
		assert_outcome(l1_vmread(f, encoding, &value), SEEN_SUCCEED, 0);
		assert_int_equal(value, wanted);
		assert_int_equal(l1_read(f, encoding), wanted);
	}
	assert_outcome(l1_vmread(f, 0x6ffe, &value), SEEN_VALID, VMX_ERROR_UNSUPPORTED_FIELD);
	assert_outcome(l1_vmread(f, BIT64(32) | VMCS_GUEST_RIP, &value), SEEN_VALID,
		       VMX_ERROR_UNSUPPORTED_FIELD);
	assert_outcome(l1_vmwrite(f, VMCS_TSC_OFFSET, UINT64_C(0x1111111122222222)), SEEN_SUCCEED,
		       0);
	assert_outcome(l1_vmwrite(f, VMCS_TSC_OFFSET + 1, UINT64_C(0x55555555)), SEEN_SUCCEED, 0);
	assert_outcome(l1_vmread(f, VMCS_TSC_OFFSET, &value), SEEN_SUCCEED, 0);
	assert_int_equal(value, UINT64_C(0x5555555522222222));
	assert_outcome(l1_vmread(f, VMCS_TSC_OFFSET + 1, &value), SEEN_SUCCEED, 0);
	assert_int_equal(value, 0x55555555);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	assert_outcome(l1_vmread(f, VMCS_GUEST_RIP, &value), SEEN_INVALID, 0);
	assert_outcome(l1_vmwrite(f, VMCS_GUEST_RIP, 0), SEEN_INVALID, 0);
}

/* What was written survives VMCLEAR, in L1's memory, and comes back with VMPTRLD. */
static void vmclear_keeps_data(void **state)
{
	struct fixture *f = *state;

	l1_start_vmx(f);
	l1_write(f, VMCS_GUEST_RIP, 0x1234);
	l1_write(f, VMCS_GUEST_GS_BASE, 0x5678);
	l1_write(f, VMCS_EPT_POINTER, 0x9abc);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	assert_null(slot_find(&f->v, (struct l1_gpa){VMCS_A}));
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_SUCCEED, 0);
	assert_int_equal(l1_read(f, VMCS_GUEST_RIP), 0x1234);
	assert_int_equal(l1_read(f, VMCS_GUEST_GS_BASE), 0x5678);
	assert_int_equal(l1_read(f, VMCS_EPT_POINTER), 0x9abc);
}

static void invalidations(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint32_t reason;
		uint64_t type, low, high;
		enum seen seen;
	} rows[] = {
	    {EXIT_REASON_INVEPT, 0, EPTP12, 0, SEEN_VALID},
	    {EXIT_REASON_INVEPT, INVEPT_SINGLE, EPTP12, 0, SEEN_SUCCEED},
	    {EXIT_REASON_INVEPT, INVEPT_SINGLE, 0x1234, 0, SEEN_VALID},
	    {EXIT_REASON_INVEPT, INVEPT_SINGLE, EPTP12 | BEYOND, 0, SEEN_VALID},
	    {EXIT_REASON_INVEPT, INVEPT_GLOBAL, 0x1234, 0, SEEN_SUCCEED},
	    {EXIT_REASON_INVEPT, 3, EPTP12, 0, SEEN_VALID},
	    {EXIT_REASON_INVEPT, BIT64(32) | 1, EPTP12, 0, SEEN_VALID},
	    {EXIT_REASON_INVVPID, INVVPID_ADDRESS, 1, 0x1000, SEEN_SUCCEED},
	    {EXIT_REASON_INVVPID, INVVPID_ADDRESS, 1, BIT64(50), SEEN_VALID},
	    {EXIT_REASON_INVVPID, INVVPID_ADDRESS, 0, 0x1000, SEEN_VALID},
	    {EXIT_REASON_INVVPID, INVVPID_SINGLE, 1, 0, SEEN_SUCCEED},
	    {EXIT_REASON_INVVPID, INVVPID_SINGLE, 0xffff, 0, SEEN_SUCCEED},
	    {EXIT_REASON_INVVPID, INVVPID_SINGLE, 0x10001, 0, SEEN_VALID},
	    {EXIT_REASON_INVVPID, INVVPID_SINGLE, 0, 0, SEEN_VALID},
	    {EXIT_REASON_INVVPID, INVVPID_ALL, 0, 0, SEEN_SUCCEED},
	    {EXIT_REASON_INVVPID, INVVPID_SINGLE_NONGLOBAL, 7, 0, SEEN_SUCCEED},
	    {EXIT_REASON_INVVPID, 4, 7, 0, SEEN_VALID},
	};

	l1_start_vmx(f);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_outcome(l1_inv(f, rows[i].reason, rows[i].type, rows[i].low, rows[i].high),
			       rows[i].seen,
			       rows[i].seen == SEEN_VALID ? VMX_ERROR_INVALID_OPERAND : 0);
	fake_forget(&f->fake);
	assert_outcome(l1_inv(f, EXIT_REASON_INVVPID, INVVPID_SINGLE, 7, 0), SEEN_SUCCEED, 0);
	assert_int_equal(fake_count(&f->fake, FAKE_INVVPID, INVVPID_SINGLE), 1);
	for (unsigned i = 0; i < f->fake.events; i++)
		if (f->fake.history[i].op == FAKE_INVVPID)
			assert_int_equal(f->fake.history[i].b, 8); /* VPID02 of VPID12 7 */
}

static void launch_states(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_VALID,
		       VMX_ERROR_VMRESUME_NOT_LAUNCHED);
	SET01(f, GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_MOV_SS);
	assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_VALID,
		       VMX_ERROR_ENTRY_BLOCKED_BY_MOV_SS);
	l1_launch(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_VALID, VMX_ERROR_VMLAUNCH_NOT_CLEAR);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_INVALID, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_VALID,
		       VMX_ERROR_VMRESUME_NOT_LAUNCHED);
	l1_launch(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_SHADOW), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn(f, EXIT_REASON_VMLAUNCH), SEEN_INVALID, 0);
}

/* The operand's own faults: paging, segmentation, canonical addresses. */
/* SDM 3C "VMCALL-Call to VM Monitor": without dual-monitor treatment it fails in VMX root
 * operation. */
static void vmcall_in_root(void **state)
{
	struct fixture *f = *state;

	l1_start_vmx(f);
	assert_outcome(l1_insn(f, EXIT_REASON_VMCALL), SEEN_VALID, VMX_ERROR_VMCALL_IN_ROOT);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn(f, EXIT_REASON_VMCALL), SEEN_INVALID, 0);
}

static void operand_faults(void **state)
{
	struct fixture *f = *state;

	l1_start_vmx(f);
	SET01(f, EXIT_INSTRUCTION_INFO, DESCRIPTOR_MEMORY);
	SET01(f, EXIT_QUALIFICATION, BIT64(30));
	assert_outcome(l1_insn(f, EXIT_REASON_VMPTRLD), SEEN_PF, 0);
	assert_int_equal(f->fake.cr2, BIT64(30));
	assert_outcome(l1_insn(f, EXIT_REASON_VMPTRST), SEEN_PF, PFEC_W);
	SET01(f, EXIT_QUALIFICATION, BIT64(50));
	assert_outcome(l1_insn(f, EXIT_REASON_VMPTRLD), SEEN_GP, 0);
	SET01(f, EXIT_INSTRUCTION_INFO, (DESCRIPTOR_MEMORY & ~(7u << 15)) | SEG_SS << 15);
	assert_outcome(l1_insn(f, EXIT_REASON_VMPTRLD), SEEN_SS, 0);
	/* Base, scaled index and FS base add up. */
	fake_poke64(&f->fake, OPERAND, VMCS_B);
	f->regs.gpr[REG_RBX] = 0x1000;
	f->regs.gpr[REG_RSI] = 0x400;
	SET01(f, GUEST_FS_BASE, 0x2000);
	SET01(f, EXIT_QUALIFICATION, 0x1000);
	SET01(f, EXIT_INSTRUCTION_INFO,
	      2u << 7 | 2u | REG_RSI << 18 | REG_RBX << 23 | SEG_FS << 15);
	assert_outcome(l1_insn(f, EXIT_REASON_VMPTRLD), SEEN_SUCCEED, 0);
	assert_int_equal(f->v.current->address.value, VMCS_B);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(privilege),	      BOTH(vmxon),
	    BOTH(pointers),	      BOTH(fields),
	    BOTH(vmclear_keeps_data), BOTH(invalidations),
	    BOTH(launch_states),      BOTH(operand_faults),
	    BOTH(vmcall_in_root),     BOTH(vmxon_by_what_l1_sees),
	    BOTH(faults_set_rf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
