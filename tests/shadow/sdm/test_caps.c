/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMX capability MSRs from features: SDM 3D "VMX Capability Reporting Facility" row by row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shadow/sdm/cpuid.h"
#include "shadow/sdm/msr.h"
#include "shadow/sdm/vmcs.h"

static struct vmx_caps with(vmx_features features)
{
	struct vmx_caps caps = {
		.features = features, .cr4_valid = CR4_PAE | CR4_PGE, .maxphyaddr = 46};

	vmx_caps_from_features(&caps);
	return caps;
}

#define ALL ((UINT64_C(1) << VMX_FEATURE_COUNT) - 1)
#define WITHOUT(name) (ALL & ~VMX_FEATURE_BIT(VMX_FEATURE_##name))

static void test_basic(void **state)
{
	struct vmx_caps caps = with(ALL);
	uint64_t basic = vmx_cap(&caps, BASIC);

	assert_int_equal(basic & VMX_BASIC_REVISION, VMCS_REVISION);
	assert_int_equal(basic >> 32 & 0x1fff, 4096);
	assert_int_equal(basic >> 50 & 0xf, 6);
	assert_true(basic & VMX_BASIC_TRUE_CONTROLS);
	assert_true(basic & VMX_BASIC_INS_OUTS_INFO);
	caps = with(WITHOUT(TRUE_CONTROLS));
	assert_false(vmx_cap(&caps, BASIC) & VMX_BASIC_TRUE_CONTROLS);
	assert_int_equal(vmx_cap(&caps, TRUE_PROCBASED_CTLS), 0);
}

/* A control is allowed to be 1 exactly if its feature is there; whatever must be 1 may be. */
static void test_every_control(void **state)
{
	static const struct {
		enum vmx_control_word word;
		uint8_t bit, feature;
	} rows[] = {
#define WORD_PIN VMX_PIN
#define WORD_PRIMARY VMX_PRIMARY
#define WORD_SECONDARY VMX_SECONDARY
#define WORD_EXIT VMX_EXIT_CONTROLS
#define WORD_ENTRY VMX_ENTRY_CONTROLS
#define CONTROL(word, name, bit, feature, text) {WORD_##word, bit, VMX_FEATURE_##feature},
#include "shadow/sdm/controls.def"
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vmx_caps caps = with(ALL);
		bool never = rows[i].feature == VMX_FEATURE_NEVER;
		uint64_t allowed = vmx_caps_allowed(&caps, rows[i].word);

		assert_int_equal(allowed >> 32 >> rows[i].bit & 1, !never);
		assert_int_equal((uint32_t)allowed & ~(uint32_t)(allowed >> 32), 0);
		if (rows[i].feature >= VMX_FEATURE_COUNT)
			continue;
		caps = with(ALL & ~VMX_FEATURE_BIT(rows[i].feature));
		assert_int_equal(vmx_caps_allowed(&caps, rows[i].word) >> 32 >> rows[i].bit & 1, 0);
	}
}

static void test_default1(void **state)
{
	struct vmx_caps caps = with(ALL);

	assert_int_equal((uint32_t)vmx_cap(&caps, PINBASED_CTLS), PIN_DEFAULT1);
	assert_int_equal((uint32_t)vmx_cap(&caps, PROCBASED_CTLS), PRIMARY_DEFAULT1);
	assert_int_equal((uint32_t)vmx_cap(&caps, TRUE_PROCBASED_CTLS), PRIMARY_DEFAULT1_TRUE);
	assert_int_equal((uint32_t)vmx_cap(&caps, EXIT_CTLS), EXIT_DEFAULT1);
	assert_int_equal((uint32_t)vmx_cap(&caps, TRUE_EXIT_CTLS), EXIT_DEFAULT1_TRUE);
	assert_int_equal((uint32_t)vmx_cap(&caps, ENTRY_CTLS), ENTRY_DEFAULT1);
	assert_int_equal((uint32_t)vmx_cap(&caps, TRUE_ENTRY_CTLS), ENTRY_DEFAULT1_TRUE);
	assert_int_equal((uint32_t)vmx_cap(&caps, PROCBASED_CTLS2), 0);
	/* Without TRUE MSRs the default1 class must be 1. */
	caps = with(WITHOUT(TRUE_CONTROLS));
	assert_int_equal((uint32_t)vmx_caps_allowed(&caps, VMX_PRIMARY), PRIMARY_DEFAULT1);
}

static void test_misc(void **state)
{
	struct vmx_caps caps = with(ALL);
	uint64_t misc = vmx_cap(&caps, MISC);

	assert_int_equal(misc & VMX_MISC_PREEMPTION_SHIFT, 5);
	assert_int_equal(misc >> 6 & 7, 7);
	assert_int_equal(misc >> VMX_MISC_CR3_TARGETS_SHIFT & 0x1ff, 4);
	assert_int_equal(misc >> VMX_MISC_MSR_LIST_SHIFT & 7, 0);
	caps = with(WITHOUT(ACTIVITY_SHUTDOWN));
	assert_int_equal(vmx_cap(&caps, MISC) >> 6 & 7, 5);
	caps = with(WITHOUT(VMWRITE_ANY_FIELD));
	assert_false(vmx_cap(&caps, MISC) & VMX_MISC_VMWRITE_ANY_FIELD);
}

static void test_fixed_bits_and_enumeration(void **state)
{
	struct vmx_caps caps = with(ALL);

	assert_int_equal(vmx_cap(&caps, CR0_FIXED0), 0x80000021);
	assert_int_equal(vmx_cap(&caps, CR0_FIXED1), 0xffffffff);
	assert_int_equal(vmx_cap(&caps, CR4_FIXED0), CR4_VMXE);
	assert_int_equal(vmx_cap(&caps, CR4_FIXED1), CR4_PAE | CR4_PGE | CR4_VMXE);
	/* The preemption-timer value has index 17h, TSC_MULTIPLIER 19h. */
	assert_int_equal(vmx_cap(&caps, VMCS_ENUM), 0x19 << 1);
	caps = with(WITHOUT(TSC_SCALING));
	assert_int_equal(vmx_cap(&caps, VMCS_ENUM), 0x17 << 1);
}

static void test_ept_vpid(void **state)
{
	struct vmx_caps caps = with(ALL);
	uint64_t cap = vmx_cap(&caps, EPT_VPID_CAP);

	assert_int_equal(cap, UINT64_C(0x00000f0106f341c1));
	caps = with(WITHOUT(INVEPT));
	assert_int_equal(vmx_cap(&caps, EPT_VPID_CAP),
			 cap & ~(EPT_CAP_INVEPT | EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_GLOBAL));
	caps = with(WITHOUT(EPT_1G) & WITHOUT(EPT_EXECUTE_ONLY) & WITHOUT(EPT_WALK_5));
	assert_int_equal(vmx_cap(&caps, EPT_VPID_CAP), 
			 cap & ~(EPT_CAP_1G | EPT_CAP_EXECUTE_ONLY | EPT_CAP_WALK_5));
}

/* The *_valid facts, from CPUID as some parts answer. */
static void test_cpuid_facts(void **state)
{
	assert_int_equal(cpuid_perf_global_ctrl_valid(0x07300404, 0x603), UINT64_C(0x70000000f));
	assert_int_equal(cpuid_perf_global_ctrl_valid(0x08300805, 0x604), UINT64_C(0xf000000ff));
	/* Version 1 has no fixed counters. */
	assert_int_equal(cpuid_perf_global_ctrl_valid(0x201, 3), 3);
	assert_int_equal(cpuid_perf_global_ctrl_valid(0, 3), 0);
	assert_int_equal(cpuid_efer_valid(UINT32_C(0x2c100800)),
			 EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	assert_int_equal(cpuid_efer_valid(BIT32(29)), EFER_LME | EFER_LMA);
	assert_int_equal(cpuid_efer_valid(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_every_control),
		cmocka_unit_test(test_default1),
		cmocka_unit_test(test_misc),
		cmocka_unit_test(test_fixed_bits_and_enumeration),
		cmocka_unit_test(test_ept_vpid),
		cmocka_unit_test(test_cpuid_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
