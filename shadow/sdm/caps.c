/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From a set of features to the VMX capability MSRs, and from those to the allowed settings of a
 * control word. The controls that a feature allows are the rows of controls.def; only the layout of
 * the MSRs is written out here. Source: SDM 3D "VMX Capability Reporting Facility".
 */
#include "shadow/sdm/vmcs.h"

#include <stddef.h>

#include "shadow/sdm/msr.h"

#define PREEMPTION_TIMER_SHIFT 5 /* the timer counts every 32 cycles, as Skylake's does */
#define CR3_TARGETS UINT64_C(4)

enum { WORD_PIN, WORD_PRIMARY, WORD_SECONDARY, WORD_EXIT, WORD_ENTRY, WORD_COUNT };

static const struct control_row {
	uint8_t word;
	uint8_t bit;
	uint8_t feature;
} control_rows[] = {
#define CONTROL(word_, name, bit_, feature_, text)                                                 \
	{.word = WORD_##word_, .bit = (bit_), .feature = VMX_FEATURE_##feature_},
#include "shadow/sdm/controls.def"
#undef CONTROL
};

/* What a word's capability MSRs must report: reserved bits that are 1, with and without TRUE MSRs.
 */
static const struct {
	uint32_t default1, true_default1;
	uint8_t msr, true_msr; /* offsets from IA32_VMX_BASIC; 0: no TRUE MSR */
} words[WORD_COUNT] = {
	[WORD_PIN] = {PIN_DEFAULT1, PIN_DEFAULT1, 0x1, 0xd},
	[WORD_PRIMARY] = {PRIMARY_DEFAULT1, PRIMARY_DEFAULT1_TRUE, 0x2, 0xe},
	[WORD_SECONDARY] = {0, 0, 0xb, 0},
	[WORD_EXIT] = {EXIT_DEFAULT1, EXIT_DEFAULT1_TRUE, 0x3, 0xf},
	[WORD_ENTRY] = {ENTRY_DEFAULT1, ENTRY_DEFAULT1_TRUE, 0x4, 0x10},
};

struct capability_row {
	uint64_t bits;
	uint8_t feature;
};

static const struct capability_row misc_rows[] = {
	{VMX_MISC_STORE_LMA, VMX_FEATURE_STORE_LMA},
	{VMX_MISC_ACTIVITY_HLT, VMX_FEATURE_ACTIVITY_HLT},
	{VMX_MISC_ACTIVITY_SHUTDOWN, VMX_FEATURE_ACTIVITY_SHUTDOWN},
	{VMX_MISC_ACTIVITY_WAIT_SIPI, VMX_FEATURE_ACTIVITY_WAIT_SIPI},
	{VMX_MISC_PT, VMX_FEATURE_PT_IN_VMX},
	{VMX_MISC_VMWRITE_ANY_FIELD, VMX_FEATURE_VMWRITE_ANY_FIELD},
	{VMX_MISC_INJECT_LENGTH_ZERO, VMX_FEATURE_INJECT_LENGTH_ZERO},
	{PREEMPTION_TIMER_SHIFT, VMX_FEATURE_PREEMPTION_TIMER},
	{CR3_TARGETS << VMX_MISC_CR3_TARGETS_SHIFT, VMX_FEATURE_CR3_TARGETS},
};

static const struct capability_row ept_vpid_rows[] = {
	{EPT_CAP_WALK_4 | EPT_CAP_UC | EPT_CAP_WB, VMX_FEATURE_EPT},
	{EPT_CAP_WALK_5, VMX_FEATURE_EPT_WALK_5},
	{EPT_CAP_EXECUTE_ONLY, VMX_FEATURE_EPT_EXECUTE_ONLY},
	{EPT_CAP_2M, VMX_FEATURE_EPT_2M},
	{EPT_CAP_1G, VMX_FEATURE_EPT_1G},
	{EPT_CAP_AD, VMX_FEATURE_EPT_AD},
	{EPT_CAP_ADVANCED_INFO, VMX_FEATURE_EPT_ADVANCED_INFO},
	{EPT_CAP_SHADOW_STACK, VMX_FEATURE_EPT_SHADOW_STACK},
	{EPT_CAP_INVEPT | EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_GLOBAL, VMX_FEATURE_INVEPT},
	{VPID_CAP_INVVPID | VPID_CAP_INVVPID_ADDRESS | VPID_CAP_INVVPID_SINGLE |
		 VPID_CAP_INVVPID_ALL | VPID_CAP_INVVPID_SINGLE_NONGLOBAL,
	 VMX_FEATURE_INVVPID},
};

static uint64_t collect(vmx_features features, const struct capability_row *rows, size_t count)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++)
		if (vmx_features_have(features, (enum vmx_feature)rows[i].feature))
			bits |= rows[i].bits;
	return bits;
}

static void set_controls(struct vmx_caps *caps)
{
	uint32_t may[WORD_COUNT] = {0};

	for (size_t i = 0; i < sizeof(control_rows) / sizeof(control_rows[0]); i++)
		if (vmx_features_have(caps->features, (enum vmx_feature)control_rows[i].feature))
			may[control_rows[i].word] |= BIT32(control_rows[i].bit);
	if (!vmx_features_have(caps->features, VMX_FEATURE_SECONDARY))
		may[WORD_SECONDARY] = 0;
	for (unsigned w = 0; w < WORD_COUNT; w++) {
		uint64_t allowed1 = (uint64_t)(may[w] | words[w].default1) << 32;

		caps->msr[words[w].msr] = allowed1 | words[w].default1;
		if (words[w].true_msr &&
		    vmx_features_have(caps->features, VMX_FEATURE_TRUE_CONTROLS))
			caps->msr[words[w].true_msr] = allowed1 | words[w].true_default1;
	}
}

/* SDM 3D "VMCS Enumeration": bits 9:1 hold the highest index of any field. */
static uint64_t highest_index(vmx_features features)
{
	uint64_t highest = 0;

	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		uint64_t index = vmcs_fields[i].encoding >> 1 & 0x1ff;

		if (vmx_features_have(features, (enum vmx_feature)vmcs_fields[i].exists) &&
		    index > highest)
			highest = index;
	}
	return highest << 1;
}

void vmx_caps_from_features(struct vmx_caps *caps)
{
	vmx_features features = caps->features;

	for (unsigned i = 0; i < VMX_CAP_COUNT; i++)
		caps->msr[i] = 0;
	vmx_cap(caps, BASIC) = VMCS_REVISION | (uint64_t)VMCS_REGION_SIZE << VMX_BASIC_SIZE_SHIFT |
			       VMX_BASIC_MEMORY_TYPE_WB | VMX_BASIC_INS_OUTS_INFO;
	if (vmx_features_have(features, VMX_FEATURE_TRUE_CONTROLS))
		vmx_cap(caps, BASIC) |= VMX_BASIC_TRUE_CONTROLS;
	if (vmx_features_have(features, VMX_FEATURE_INJECT_ANY_ERROR_CODE))
		vmx_cap(caps, BASIC) |= VMX_BASIC_ANY_ERROR_CODE;
	set_controls(caps);
	vmx_cap(caps, MISC) =
		collect(features, misc_rows, sizeof(misc_rows) / sizeof(misc_rows[0]));
	vmx_cap(caps, CR0_FIXED0) = CR0_PG | CR0_NE | CR0_PE;
	vmx_cap(caps, CR0_FIXED1) = UINT64_C(0xffffffff);
	vmx_cap(caps, CR4_FIXED0) = CR4_VMXE;
	vmx_cap(caps, CR4_FIXED1) = caps->cr4_valid | CR4_VMXE;
	vmx_cap(caps, VMCS_ENUM) = highest_index(features);
	vmx_cap(caps, EPT_VPID_CAP) =
		collect(features, ept_vpid_rows, sizeof(ept_vpid_rows) / sizeof(ept_vpid_rows[0]));
	if (vmx_features_have(features, VMX_FEATURE_EPTP_SWITCHING))
		vmx_cap(caps, VMFUNC) = 1;
}

/* SDM 3D "VMX Capability Reporting Facility" says for each MSR when it exists. */
static bool capability_exists(vmx_features features, uint32_t msr)
{
	switch (msr) {
	case MSR_IA32_VMX_PROCBASED_CTLS2:
		return vmx_features_have(features, VMX_FEATURE_SECONDARY);
	case MSR_IA32_VMX_EPT_VPID_CAP:
		return vmx_features_have(features, VMX_FEATURE_EPT) ||
		       vmx_features_have(features, VMX_FEATURE_VPID);
	case MSR_IA32_VMX_TRUE_PINBASED_CTLS ... MSR_IA32_VMX_TRUE_ENTRY_CTLS:
		return vmx_features_have(features, VMX_FEATURE_TRUE_CONTROLS);
	case MSR_IA32_VMX_VMFUNC:
		return vmx_features_have(features, VMX_FEATURE_VMFUNC);
	default:
		return msr >= MSR_IA32_VMX_BASIC && msr <= MSR_IA32_VMX_VMCS_ENUM;
	}
}

bool vmx_caps_read(const struct vmx_caps *caps, uint32_t msr, uint64_t *value)
{
	if (!capability_exists(caps->features, msr))
		return false;
	*value = caps->msr[msr - MSR_IA32_VMX_BASIC];
	return true;
}

uint64_t vmx_caps_allowed(const struct vmx_caps *caps, enum vmx_control_word word)
{
	uint8_t true_msr = words[word].true_msr;

	if (true_msr && (vmx_cap(caps, BASIC) & VMX_BASIC_TRUE_CONTROLS))
		return caps->msr[true_msr];
	return caps->msr[words[word].msr];
}

unsigned vmx_caps_linear_width(const struct vmx_caps *caps)
{
	return vmx_cap(caps, CR4_FIXED1) & CR4_LA57 ? 57 : 48;
}

bool vmx_caps_canonical(const struct vmx_caps *caps, uint64_t address)
{
	unsigned shift = 64 - vmx_caps_linear_width(caps);

	return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

static bool eptp_parts_exist(uint64_t cap, uint64_t eptp)
{
	if ((eptp & EPTP_MT) != EPTP_MT_WB && !((eptp & EPTP_MT) == 0 && (cap & EPT_CAP_UC)))
		return false;
	if ((eptp & EPTP_WALK) != EPTP_WALK_4 &&
	    !((eptp & EPTP_WALK) == EPTP_WALK_5 && (cap & EPT_CAP_WALK_5)))
		return false;
	return (!(eptp & EPTP_AD) || (cap & EPT_CAP_AD)) &&
	       (!(eptp & EPTP_SSS) || (cap & EPT_CAP_SHADOW_STACK));
}

bool vmx_caps_eptp_valid(const struct vmx_caps *caps, uint64_t eptp)
{
	return eptp_parts_exist(vmx_cap(caps, EPT_VPID_CAP), eptp) && !(eptp & EPTP_RESERVED) &&
	       !(eptp >> caps->maxphyaddr);
}
