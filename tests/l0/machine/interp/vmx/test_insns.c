/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Outcomes of the VMX instructions in root operation, in the SDM's order of checks.
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

/* ---- VMXON and what needs it ---- */

static void test_vmxon(void **state)
{
	struct fixture f;

	start(&f);
	f.cpu->cr4 &= ~CR4_VMXE;
	assert_true(call_pointer(&f, insn_vmxon, VMXON_REGION));
	assert_faults(&f, VECTOR_UD);
	f.cpu->cr4 |= CR4_VMXE;
	f.cpu->cpl = 3;
	assert_true(call(&f, insn_vmxon));
	assert_faults(&f, VECTOR_GP);
	f.cpu->cpl = 0;
	f.cpu->msrs.feature_control = FEATURE_CONTROL_VMX_OUTSIDE_SMX;
	assert_true(call(&f, insn_vmxon));
	assert_faults(&f, VECTOR_GP);
	f.cpu->msrs.feature_control |= FEATURE_CONTROL_LOCKED;
	f.cpu->cr0 &= ~CR0_NE;
	assert_true(call(&f, insn_vmxon));
	assert_faults(&f, VECTOR_GP);
	f.cpu->cr0 |= CR0_NE;
	assert_false(call_pointer(&f, insn_vmxon, VMXON_REGION + 1));
	assert_fails_invalid(&f);
	assert_false(call_pointer(&f, insn_vmxon, BIT64(46)));
	assert_fails_invalid(&f);
	assert_false(call_pointer(&f, insn_vmxon, OPERAND)); /* wrong revision */
	assert_fails_invalid(&f);
	assert_false(f.cpu->vmx->on);
	assert_false(call_pointer(&f, insn_vmxon, VMXON_REGION));
	assert_succeeds(&f);
	assert_true(f.cpu->vmx->on);
	assert_int_equal(f.cpu->vmx->current, VMX_NO_VMCS);
	/* Again: VMfail without a current VMCS is VMfailInvalid. */
	assert_false(call_pointer(&f, insn_vmxon, VMXON_REGION));
	assert_fails_invalid(&f);
	stop(&f);
}

static handler *const all[] = {
	insn_vmxoff,   insn_vmclear,  insn_vmptrld, insn_vmptrst, insn_vmread,  insn_vmwrite,
	insn_vmlaunch, insn_vmresume, insn_vmcall,  insn_invept,  insn_invvpid, insn_vmfunc,
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_undefined_outside_vmx_operation(void **state)
{
	struct fixture f;

	start(&f);
	for (size_t i = 0; i < COUNT(all); i++) {
		assert_true(call(&f, all[i]));
		assert_faults(&f, VECTOR_UD);
	}
	stop(&f);
}

static void test_undefined_in_compatibility_mode(void **state)
{
	struct fixture f;

	start_vmx(&f);
	f.cpu->seg[SEG_CS].ar = (f.cpu->seg[SEG_CS].ar & ~AR_L) | AR_DB;
	for (size_t i = 0; i < COUNT(all); i++) {
		assert_true(call(&f, all[i]));
		assert_faults(&f, VECTOR_UD);
	}
	stop(&f);
}

static void test_privileged(void **state)
{
	struct fixture f;

	start_vmx(&f);
	f.cpu->cpl = 3;
	for (size_t i = 0; i < COUNT(all); i++) {
		assert_true(call(&f, all[i]));
		assert_faults(&f, all[i] == insn_vmfunc ? VECTOR_UD : VECTOR_GP);
	}
	stop(&f);
}

static void test_vmxoff(void **state)
{
	struct fixture f;

	start_vmx(&f);
	assert_false(call(&f, insn_vmxoff));
	assert_succeeds(&f);
	assert_false(f.cpu->vmx->on);
	assert_true(call(&f, insn_vmxoff));
	assert_faults(&f, VECTOR_UD);
	stop(&f);
}

/* ---- pointers ---- */

static void test_vmclear_and_vmptrld(void **state)
{
	static const struct {
		uint64_t pointer;
		enum vmx_error clear, load;
	} cases[] = {
		{VMCS_B + 8, VMX_ERROR_VMCLEAR_ADDRESS, VMX_ERROR_VMPTRLD_ADDRESS},
		{BIT64(46), VMX_ERROR_VMCLEAR_ADDRESS, VMX_ERROR_VMPTRLD_ADDRESS},
		{VMXON_REGION, VMX_ERROR_VMCLEAR_VMXON_POINTER, VMX_ERROR_VMPTRLD_VMXON_POINTER},
		{OPERAND, 0, VMX_ERROR_VMPTRLD_REVISION},
		{UINT64_C(1) << 40, 0, VMX_ERROR_VMPTRLD_REVISION}, /* no memory there */
	};
	struct fixture f;

	start_vmx(&f);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_false(call_pointer(&f, insn_vmclear, cases[i].pointer));
		if (cases[i].clear)
			assert_fails_valid(&f, cases[i].clear);
		else
			assert_succeeds(&f);
		assert_false(call_pointer(&f, insn_vmptrld, cases[i].pointer));
		assert_fails_valid(&f, cases[i].load);
	}
	/* A failing instruction leaves the current VMCS alone; clearing it ends it. */
	assert_int_equal(f.cpu->vmx->current, VMCS_A);
	f.cpu->vmx->vmcs->launch_state = VMCS_STATE_LAUNCHED;
	assert_false(call_pointer(&f, insn_vmclear, VMCS_A));
	assert_succeeds(&f);
	assert_int_equal(f.cpu->vmx->current, VMX_NO_VMCS);
	assert_int_equal(peek64(&f, VMCS_A + offsetof(struct vmcs, launch_state)) & UINT32_MAX,
			 VMCS_STATE_CLEAR);
	assert_false(call_pointer(&f, insn_vmclear, VMCS_A + 1));
	assert_fails_invalid(&f);
	stop(&f);
}

static void test_shadow_vmcs_needs_the_feature(void **state)
{
	struct fixture f;

	start_vmx(&f);
	poke32(&f, VMCS_B, VMCS_REVISION | VMCS_SHADOW_INDICATOR);
	assert_false(call_pointer(&f, insn_vmptrld, VMCS_B));
	assert_succeeds(&f);
	/* A shadow VMCS can't be launched. */
	assert_false(call(&f, insn_vmlaunch));
	assert_fails_invalid(&f);
	assert_false(call_pointer(&f, insn_vmptrld, VMCS_A));
	f.profile.caps.features &= ~VMX_FEATURE_BIT(VMX_FEATURE_VMCS_SHADOWING);
	assert_false(call_pointer(&f, insn_vmptrld, VMCS_B));
	assert_fails_valid(&f, VMX_ERROR_VMPTRLD_REVISION);
	stop(&f);
}

static void test_vmptrst(void **state)
{
	struct fixture f;

	start_vmx(&f);
	assert_false(call(&f, insn_vmptrst));
	assert_succeeds(&f);
	assert_int_equal(peek64(&f, OPERAND), VMCS_A);
	call_pointer(&f, insn_vmclear, VMCS_A);
	assert_false(call(&f, insn_vmptrst));
	assert_int_equal(peek64(&f, OPERAND), UINT64_MAX);
	stop(&f);
}

static void test_operand_faults(void **state)
{
	struct fixture f;

	start_vmx(&f);
	f.cpu->gpr[REG_RBX] = UINT64_C(0x8000) << 48 >> 16; /* not canonical */
	assert_true(call(&f, insn_vmclear));
	assert_faults(&f, VECTOR_GP);
	f.cpu->gpr[REG_RBX] = UINT64_C(1) << 30; /* not mapped */
	assert_true(call(&f, insn_vmptrst));
	assert_faults(&f, VECTOR_PF);
	f.op.flags &= ~OP_MEMORY;
	assert_true(call(&f, insn_vmptrld));
	assert_faults(&f, VECTOR_UD);
	stop(&f);
}

/* ---- VMREAD, VMWRITE ---- */

static void vmwrite(struct fixture *f, uint64_t field, uint64_t value)
{
	f->op.flags &= ~OP_MEMORY;
	f->cpu->gpr[REG_RAX] = field;
	f->cpu->gpr[REG_RDX] = value;
	assert_false(call(f, insn_vmwrite));
}

static uint64_t vmread(struct fixture *f, uint64_t field)
{
	f->op.flags &= ~OP_MEMORY;
	f->cpu->gpr[REG_RAX] = field;
	f->cpu->gpr[REG_RDX] = 0x5555;
	assert_false(call(f, insn_vmread));
	return f->cpu->gpr[REG_RDX];
}

/* Every field of the table keeps what its width can hold, and nothing else changes. */
static void test_every_field(void **state)
{
	static const uint64_t masks[] = {0xffff, UINT64_MAX, UINT32_MAX, UINT64_MAX};
	struct fixture f;

	start_vmx(&f);
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		uint32_t encoding = vmcs_fields[i].encoding;
		uint64_t value = UINT64_C(0x123456789abcdef0) + i;

		vmwrite(&f, encoding, value);
		if (!vmx_features_have(f.profile.caps.features, vmcs_fields[i].exists)) {
			assert_fails_valid(&f, VMX_ERROR_UNSUPPORTED_FIELD);
			continue;
		}
		assert_succeeds(&f);
		value &= masks[vmcs_field_width(encoding)];
		assert_int_equal(vmread(&f, encoding), value);
		assert_succeeds(&f);
		if (vmcs_field_width(encoding) != VMCS_WIDTH_64)
			continue;
		assert_int_equal(vmread(&f, encoding | 1), value >> 32);
		vmwrite(&f, encoding | 1, 0x87654321);
		assert_int_equal(vmread(&f, encoding),
				 UINT64_C(0x8765432100000000) | (uint32_t)value);
	}
	stop(&f);
}

static void test_vmread_failures(void **state)
{
	static const uint64_t absent[] = {
		0x0006, 0x2001 + 0x400, 0x4001, 0x6001, 0x8000, 0x6800 | UINT64_C(1) << 32, 0x1000,
	};
	struct fixture f;

	start_vmx(&f);
	for (size_t i = 0; i < COUNT(absent); i++) {
		assert_int_equal(vmread(&f, absent[i]), absent[i] == 0x2401 ? 0 : 0x5555);
		if (absent[i] != 0x2401)
			assert_fails_valid(&f, VMX_ERROR_UNSUPPORTED_FIELD);
		SET(&f, INSTRUCTION_ERROR, 0);
	}
	call_pointer(&f, insn_vmclear, VMCS_A);
	f.op.flags |= OP_MEMORY;
	assert_false(call_pointer(&f, insn_vmclear, VMCS_A));
	vmread(&f, VMCS_GUEST_RIP);
	assert_fails_invalid(&f);
	stop(&f);
}

static void test_read_only_fields(void **state)
{
	struct fixture f;

	start_vmx(&f);
	vmwrite(&f, VMCS_EXIT_REASON, 7);
	assert_succeeds(&f);
	f.profile.caps.features &= ~VMX_FEATURE_BIT(VMX_FEATURE_VMWRITE_ANY_FIELD);
	vmwrite(&f, VMCS_EXIT_REASON, 8);
	assert_fails_valid(&f, VMX_ERROR_READ_ONLY_FIELD);
	assert_int_equal(vmread(&f, VMCS_EXIT_REASON), 7);
	stop(&f);
}

static void test_feature_takes_its_fields_away(void **state)
{
	struct fixture f;

	start_vmx(&f);
	f.profile.caps.features &= ~VMX_FEATURE_BIT(VMX_FEATURE_EPT);
	vmwrite(&f, VMCS_EPT_POINTER, 7);
	assert_fails_valid(&f, VMX_ERROR_UNSUPPORTED_FIELD);
	stop(&f);
}

/* ---- VMLAUNCH, VMRESUME, VMCALL ---- */

static void test_launch_state(void **state)
{
	struct fixture f;

	start_vmx(&f);
	assert_false(call(&f, insn_vmresume));
	assert_fails_valid(&f, VMX_ERROR_VMRESUME_NOT_LAUNCHED);
	f.cpu->vmx->vmcs->launch_state = VMCS_STATE_LAUNCHED;
	assert_false(call(&f, insn_vmlaunch));
	assert_fails_valid(&f, VMX_ERROR_VMLAUNCH_NOT_CLEAR);
	/* MOV SS blocking comes before the launch state. */
	f.cpu->mov_ss_shadow = true;
	assert_false(call(&f, insn_vmlaunch));
	assert_fails_valid(&f, VMX_ERROR_ENTRY_BLOCKED_BY_MOV_SS);
	f.cpu->mov_ss_shadow = false;
	assert_false(call(&f, insn_vmcall));
	assert_fails_valid(&f, VMX_ERROR_VMCALL_IN_ROOT);
	call_pointer(&f, insn_vmclear, VMCS_A);
	assert_false(call(&f, insn_vmlaunch));
	assert_fails_invalid(&f);
	stop(&f);
}

/* ---- INVEPT, INVVPID ---- */

static void invalidate(struct fixture *f, handler *insn, uint64_t type, uint64_t low, uint64_t high,
		       bool succeeds)
{
	f->cpu->gpr[REG_RAX] = type;
	poke64(f, OPERAND, low);
	poke64(f, OPERAND + 8, high);
	assert_false(call(f, insn));
	if (succeeds)
		assert_succeeds(f);
	else
		assert_fails_valid(f, VMX_ERROR_INVALID_OPERAND);
}

static void test_invept(void **state)
{
	uint64_t eptp = EPT_ROOT | EPTP_WALK_4 | EPTP_MT_WB;
	struct fixture f;

	start_vmx(&f);
	invalidate(&f, insn_invept, 0, eptp, 0, false);
	invalidate(&f, insn_invept, 3, eptp, 0, false);
	invalidate(&f, insn_invept, INVEPT_SINGLE, eptp, 0, true);
	invalidate(&f, insn_invept, INVEPT_SINGLE, eptp, 1, false);
	invalidate(&f, insn_invept, INVEPT_SINGLE, EPT_ROOT | EPTP_WALK_4 | 2, 0, false);
	invalidate(&f, insn_invept, INVEPT_SINGLE, EPT_ROOT | EPTP_MT_WB, 0, false);
	invalidate(&f, insn_invept, INVEPT_SINGLE, eptp | BIT64(46), 0, false);
	invalidate(&f, insn_invept, INVEPT_SINGLE, eptp | BIT64(8), 0, false);
	f.profile.caps.features &= ~VMX_FEATURE_BIT(VMX_FEATURE_EPT_SHADOW_STACK);
	vmx_caps_from_features(&f.profile.caps);
	invalidate(&f, insn_invept, INVEPT_SINGLE, eptp | EPTP_SSS, 0, false);
	f.profile.caps.features |= VMX_FEATURE_BIT(VMX_FEATURE_EPT_SHADOW_STACK);
	vmx_caps_from_features(&f.profile.caps);
	invalidate(&f, insn_invept, INVEPT_SINGLE, eptp | EPTP_SSS, 0, true);
	invalidate(&f, insn_invept, INVEPT_GLOBAL, 0, 0, true);
	f.profile.caps.features &= ~VMX_FEATURE_BIT(VMX_FEATURE_INVEPT);
	assert_true(call(&f, insn_invept));
	assert_faults(&f, VECTOR_UD);
	stop(&f);
}

static void test_invvpid(void **state)
{
	struct fixture f;

	start_vmx(&f);
	invalidate(&f, insn_invvpid, INVVPID_ADDRESS, 1, 0x1000, true);
	invalidate(&f, insn_invvpid, INVVPID_ADDRESS, 1, BIT64(47), false);
	invalidate(&f, insn_invvpid, INVVPID_ADDRESS, 0, 0x1000, false);
	invalidate(&f, insn_invvpid, INVVPID_ADDRESS, 0x10001, 0x1000, false);
	invalidate(&f, insn_invvpid, INVVPID_SINGLE, 1, BIT64(47), true);
	invalidate(&f, insn_invvpid, INVVPID_SINGLE, 0, 0, false);
	invalidate(&f, insn_invvpid, INVVPID_ALL, 0, 0, true);
	invalidate(&f, insn_invvpid, INVVPID_SINGLE_NONGLOBAL, 0, 0, false);
	invalidate(&f, insn_invvpid, INVVPID_SINGLE_NONGLOBAL, 5, 0, true);
	invalidate(&f, insn_invvpid, 4, 1, 0, false);
	stop(&f);
}

/* ---- capability MSRs ---- */

static void test_capability_msrs(void **state)
{
	struct fixture f;
	uint64_t value;

	start(&f);
	for (uint32_t msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_VMFUNC; msr++) {
		assert_true(vmx_rdmsr(f.cpu, msr, &value));
		assert_int_equal(value, f.profile.caps.msr[msr - MSR_IA32_VMX_BASIC]);
	}
	assert_false(vmx_rdmsr(f.cpu, MSR_IA32_VMX_VMFUNC + 1, &value));
	stop(&f);
	start_with(&f, ",-vmfunc,-true-controls");
	assert_false(vmx_rdmsr(f.cpu, MSR_IA32_VMX_VMFUNC, &value));
	assert_false(vmx_rdmsr(f.cpu, MSR_IA32_VMX_TRUE_EXIT_CTLS, &value));
	assert_true(vmx_rdmsr(f.cpu, MSR_IA32_VMX_EPT_VPID_CAP, &value));
	stop(&f);
	start_with(&f, ",-secondary-controls");
	assert_false(vmx_rdmsr(f.cpu, MSR_IA32_VMX_PROCBASED_CTLS2, &value));
	assert_false(vmx_rdmsr(f.cpu, MSR_IA32_VMX_EPT_VPID_CAP, &value));
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmxon),
		cmocka_unit_test(test_undefined_outside_vmx_operation),
		cmocka_unit_test(test_undefined_in_compatibility_mode),
		cmocka_unit_test(test_privileged),
		cmocka_unit_test(test_vmxoff),
		cmocka_unit_test(test_vmclear_and_vmptrld),
		cmocka_unit_test(test_shadow_vmcs_needs_the_feature),
		cmocka_unit_test(test_vmptrst),
		cmocka_unit_test(test_operand_faults),
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_vmread_failures),
		cmocka_unit_test(test_read_only_fields),
		cmocka_unit_test(test_feature_takes_its_fields_away),
		cmocka_unit_test(test_launch_state),
		cmocka_unit_test(test_invept),
		cmocka_unit_test(test_invvpid),
		cmocka_unit_test(test_capability_msrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
