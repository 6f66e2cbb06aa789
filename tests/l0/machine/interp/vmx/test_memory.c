/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What VMX does with memory: EPT exits, #VE, page-modification log, VMFUNC, VMCS shadowing.
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

#define EPTP (EPT_ROOT | EPTP_WALK_4 | EPTP_MT_WB)

static void with_ept(struct fixture *f, uint32_t controls)
{
	start_vmx(f);
	secondary(f, SECONDARY_ENABLE_EPT | controls);
	SET(f, EPT_POINTER, EPTP);
}

static void test_ept_exits(void **state)
{
	struct fixture f;

	with_ept(&f, 0);
	enter(&f);
	assert_true(EXITS(&f, vmx_exit_ept_violation(f.cpu, 0x12345678, 0xffff0000, true,
						     EPT_QUAL_WRITE | EPT_QUAL_LINEAR_VALID |
							     VMX_EPT_CONVERTIBLE)));
	assert_exit(&f, EXIT_REASON_EPT_VIOLATION, EPT_QUAL_WRITE | EPT_QUAL_LINEAR_VALID);
	assert_int_equal(GET(&f, GUEST_PHYSICAL_ADDRESS), 0x12345678);
	assert_int_equal(GET(&f, GUEST_LINEAR_ADDRESS), 0xffff0000);
	enter(&f);
	assert_true(EXITS(&f, vmx_exit_ept_misconfiguration(f.cpu, 0x777000)));
	assert_exit(&f, EXIT_REASON_EPT_MISCONFIGURATION, 0);
	assert_int_equal(GET(&f, GUEST_PHYSICAL_ADDRESS), 0x777000);
	stop(&f);
}

/* SDM 3C "Convertible EPT Violations": each condition alone turns the exception into an exit. */
static void test_virtualization_exception(void **state)
{
	static const struct {
		bool convertible, paging, delivering, busy, exits;
	} cases[] = {
		{true, true, false, false, false}, {false, true, false, false, true},
		{true, false, false, false, true}, {true, true, true, false, true},
		{true, true, false, true, true},
	};

	for (volatile size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t qualification = EPT_QUAL_READ | EPT_QUAL_TRANSLATED |
					 (cases[i].convertible ? VMX_EPT_CONVERTIBLE : 0);
		struct fixture f;
		bool exits;

		with_ept(&f, SECONDARY_EPT_VIOLATION_VE);
		SET(&f, VIRTUALIZATION_EXCEPTION_INFO, AREA);
		SET(&f, EPTP_INDEX, 3);
		poke32(&f, AREA + 4, cases[i].busy);
		enter(&f);
		if (!cases[i].paging)
			f.cpu->cr0 &= ~CR0_PE;
		f.cpu->delivering.valid = cases[i].delivering;
		exits = EXITS(&f,
			      vmx_exit_ept_violation(f.cpu, 0x5123, 0x6123, true, qualification));
		assert_int_equal(exits, cases[i].exits);
		if (exits) {
			assert_exit(&f, EXIT_REASON_EPT_VIOLATION,
				    EPT_QUAL_READ | EPT_QUAL_TRANSLATED);
		} else {
			assert_faults(&f, VECTOR_VE);
			assert_int_equal(peek64(&f, AREA), UINT64_C(0xffffffff00000030));
			assert_int_equal(peek64(&f, AREA + 8), EPT_QUAL_READ | EPT_QUAL_TRANSLATED);
			assert_int_equal(peek64(&f, AREA + 16), 0x6123);
			assert_int_equal(peek64(&f, AREA + 24), 0x5123);
			assert_int_equal(peek64(&f, AREA + 32) & 0xffff, 3);
		}
		stop(&f);
	}
}

static void test_page_modification_log(void **state)
{
	struct fixture f;

	with_ept(&f, SECONDARY_ENABLE_PML);
	SET(&f, EPT_POINTER, EPTP | EPTP_AD);
	SET(&f, PML_ADDRESS, AREA);
	SET(&f, PML_INDEX, 1);
	enter(&f);
	assert_false(EXITS(&f, vmx_log_dirty(f.cpu, 0x7654321)));
	assert_false(EXITS(&f, vmx_log_dirty(f.cpu, 0x8888888)));
	assert_int_equal(peek64(&f, AREA + 8), 0x7654000);
	assert_int_equal(peek64(&f, AREA), 0x8888000);
	assert_int_equal(GET(&f, PML_INDEX), 0xffff);
	assert_true(EXITS(&f, vmx_log_dirty(f.cpu, 0x9999999)));
	assert_exit(&f, EXIT_REASON_PML_FULL, 0);
	assert_int_equal(GET(&f, PML_INDEX), 0xffff);
	stop(&f);
	with_ept(&f, 0);
	SET(&f, PML_ADDRESS, AREA);
	enter(&f);
	vmx_log_dirty(f.cpu, 0x1000);
	assert_int_equal(peek64(&f, AREA), 0);
	stop(&f);
}

/* ---- VMFUNC ---- */

static void vmfunc(struct fixture *f, uint64_t function, uint64_t index)
{
	f->cpu->gpr[REG_RAX] = function;
	f->cpu->gpr[REG_RCX] = index;
	call(f, insn_vmfunc);
}

static void test_vmfunc(void **state)
{
	struct fixture f;

	with_ept(&f, 0);
	enter(&f);
	vmfunc(&f, 0, 0);
	assert_faults(&f, VECTOR_UD);
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	secondary(&f, SECONDARY_ENABLE_VM_FUNCTIONS);
	enter(&f);
	vmfunc(&f, 0, 0); /* EPTP switching not enabled */
	assert_exit(&f, EXIT_REASON_VMFUNC, 0);
	SET(&f, VM_FUNCTION_CONTROLS, 1);
	SET(&f, EPTP_LIST_ADDRESS, AREA);
	poke64(&f, AREA + 511 * 8, (BITMAP) | EPTP_WALK_4 | EPTP_MT_WB);
	poke64(&f, AREA + 8, 0x1234);
	enter(&f);
	vmfunc(&f, 0, 511);
	assert_true(f.cpu->vmx->nonroot);
	assert_int_equal(f.cpu->vmx->eptp, (BITMAP) | EPTP_WALK_4 | EPTP_MT_WB);
	assert_int_equal(GET(&f, EPT_POINTER), f.cpu->vmx->eptp);
	vmfunc(&f, 0, 1); /* an EPTP that VM entry would refuse */
	assert_exit(&f, EXIT_REASON_VMFUNC, 0);
	enter(&f);
	vmfunc(&f, 0, 512);
	assert_exit(&f, EXIT_REASON_VMFUNC, 0);
	enter(&f);
	vmfunc(&f, 64, 0);
	assert_exit(&f, EXIT_REASON_VMFUNC, 0);
	stop(&f);
}

/* ---- VMCS shadowing ---- */

#define BIT_OF(field) ((field)&7)
#define BYTE_OF(field) ((field) >> 3)

static void shadowing(struct fixture *f)
{
	start_vmx(f);
	secondary(f, SECONDARY_VMCS_SHADOWING);
	poke32(f, SHADOW_VMCS, VMCS_REVISION | VMCS_SHADOW_INDICATOR);
	SET(f, VMCS_LINK_POINTER, SHADOW_VMCS);
	SET(f, VMREAD_BITMAP, BITMAP);
	SET(f, VMWRITE_BITMAP, BITMAP_2);
	f->op.flags &= ~OP_MEMORY;
}

static bool access_exits(struct fixture *f, handler *insn, uint64_t field, uint64_t value)
{
	f->cpu->gpr[REG_RAX] = field;
	f->cpu->gpr[REG_RDX] = value;
	return call(f, insn) && !f->cpu->vmx->nonroot;
}

static void test_shadowing(void **state)
{
	uint8_t bit = 1u << BIT_OF(VMCS_GUEST_RSP);
	struct fixture f;

	shadowing(&f);
	memory_write(&f.machine.memory, BITMAP + BYTE_OF(VMCS_GUEST_RSP), &bit, 1);
	enter(&f);
	assert_false(access_exits(&f, insn_vmwrite, VMCS_GUEST_RIP, 0xabc));
	assert_succeeds(&f);
	assert_false(access_exits(&f, insn_vmread, VMCS_GUEST_RIP, 0));
	assert_int_equal(f.cpu->gpr[REG_RDX], 0xabc);
	assert_int_equal(GET(&f, GUEST_RIP), GUEST_ENTRY); /* the ordinary VMCS has its own */
	/* Only the read of GUEST_RSP is intercepted. */
	assert_false(access_exits(&f, insn_vmwrite, VMCS_GUEST_RSP, 5));
	assert_true(access_exits(&f, insn_vmread, VMCS_GUEST_RSP, 0));
	assert_exit(&f, EXIT_REASON_VMREAD, 0);
	enter(&f);
	assert_true(access_exits(&f, insn_vmread, VMCS_GUEST_RIP | 0x8000, 0));
	enter(&f);
	assert_false(access_exits(&f, insn_vmread, 0x6822 + 0x30, 0));
	assert_fails_valid(&f,
			   VMX_ERROR_UNSUPPORTED_FIELD); /* in the current VMCS, not the shadow */
	f.cpu->cpl = 3;
	assert_true(call(&f, insn_vmread));
	assert_faults(&f, VECTOR_GP);
	stop(&f);
}

static void test_shadowing_without_link(void **state)
{
	struct fixture f;

	shadowing(&f);
	SET(&f, VMCS_LINK_POINTER, UINT64_MAX);
	enter(&f);
	assert_false(access_exits(&f, insn_vmread, VMCS_GUEST_RIP, 0));
	assert_fails_invalid(&f);
	stop(&f);
	start_vmx(&f);
	f.op.flags &= ~OP_MEMORY;
	enter(&f);
	assert_true(access_exits(&f, insn_vmread, VMCS_GUEST_RIP, 0));
	assert_exit(&f, EXIT_REASON_VMREAD, 0);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ept_exits),
		cmocka_unit_test(test_virtualization_exception),
		cmocka_unit_test(test_page_modification_log),
		cmocka_unit_test(test_vmfunc),
		cmocka_unit_test(test_shadowing),
		cmocka_unit_test(test_shadowing_without_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
