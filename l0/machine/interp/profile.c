/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CPU profiles from profiles.def and the two feature tables: parsing --cpu, closing the set under
 * "needs", and deriving the masks that control registers and VMX check against.
 */
#include "l0/machine/interp/profile.h"

#include <string.h>

#include "l0/machine/interp/perf.h"
#include "l0/machine/interp/pt/pt.h"
#include "shadow/sdm/cpuid.h"
#include "shadow/sdm/msr.h"

enum part {
#define PROFILE(name, ...) PART_INDEX_##name,
#include "l0/machine/interp/profiles.def"
#undef PROFILE
	PART_COUNT,
};
#define PART_SIERRA_FOREST (1u << PART_INDEX_SIERRA_FOREST)
#define PART_SAPPHIRE_RAPIDS (1u << PART_INDEX_SAPPHIRE_RAPIDS | PART_SIERRA_FOREST)
/* A part has what its predecessors had; what it lacks has another mask. */
#define PART_CASCADE_LAKE (1u << PART_INDEX_CASCADE_LAKE)
#define PART_SKYLAKE (1u << PART_INDEX_SKYLAKE | PART_CASCADE_LAKE | PART_SAPPHIRE_RAPIDS)
#define PART_MPX (1u << PART_INDEX_SKYLAKE | PART_CASCADE_LAKE)
#define PART_NEHALEM (1u << PART_INDEX_NEHALEM)
#define PART_ALL ((1u << PART_COUNT) - 1)

const struct cpu_feature_info cpu_features[CPU_FEATURE_COUNT] = {
#define CPU_FEATURE(name, text_, leaf_, subleaf_, reg_, bit_, needs_, parts_)                      \
	{.text = (text_),                                                                          \
	 .leaf = (leaf_),                                                                          \
	 .subleaf = (subleaf_),                                                                    \
	 .reg = CPUID_##reg_,                                                                      \
	 .bit = (bit_),                                                                            \
	 .needs = CPU_FEATURE_##needs_,                                                            \
	 .parts = (parts_)},
#include "l0/machine/interp/features.def"
#undef CPU_FEATURE
};

static const struct {
	const char *text;
	uint8_t needs; /* enum vmx_feature */
} vmx_feature_info[VMX_FEATURE_COUNT] = {
#define VMX_FEATURE(name, text_, needs_) {.text = (text_), .needs = VMX_FEATURE_##needs_},
#include "shadow/sdm/features.def"
#undef VMX_FEATURE
};

static const struct profile_row {
	const char *option, *text;
	uint8_t family, model, stepping, maxphyaddr, lbr_depth;
	vmx_features without;
} profiles[PART_COUNT] = {
#define NO(name) VMX_FEATURE_BIT(VMX_FEATURE_##name)
#define PROFILE(name, option_, text_, family_, model_, stepping_, maxphyaddr_, lbr_, without_)     \
	{option_, text_, family_, model_, stepping_, maxphyaddr_, lbr_, without_},
#include "l0/machine/interp/profiles.def"
#undef PROFILE
#undef NO
};

/* VMX features that control an instruction or a register need it in CPUID. */
static const struct {
	uint8_t vmx, cpu;
} across[] = {
    {VMX_FEATURE_RDTSCP, CPU_FEATURE_RDTSCP},
    {VMX_FEATURE_INVPCID, CPU_FEATURE_INVPCID},
    {VMX_FEATURE_XSAVES, CPU_FEATURE_XSAVES},
    {VMX_FEATURE_RDRAND_EXITING, CPU_FEATURE_RDRAND},
    {VMX_FEATURE_BNDCFGS, CPU_FEATURE_MPX},
    {VMX_FEATURE_RDSEED_EXITING, CPU_FEATURE_RDSEED},
    {VMX_FEATURE_VIRTUALIZE_X2APIC, CPU_FEATURE_X2APIC},
    {VMX_FEATURE_PKRS, CPU_FEATURE_PKS},
    {VMX_FEATURE_CET, CPU_FEATURE_CET_SS},
    {VMX_FEATURE_EPT_SHADOW_STACK, CPU_FEATURE_CET_SS},
    {VMX_FEATURE_USER_WAIT, CPU_FEATURE_WAITPKG},
    {VMX_FEATURE_PT_IN_VMX, CPU_FEATURE_INTEL_PT},
};

static const struct {
	uint64_t bits;
	uint8_t feature;
} cr4_rows[] = {
	{CR4_TSD, CPU_FEATURE_TSC},           {CR4_VME | CR4_PVI, CPU_FEATURE_VME},
	{CR4_DE, CPU_FEATURE_DE},             {CR4_PSE, CPU_FEATURE_PSE},
	{CR4_PAE, CPU_FEATURE_PAE},           {CR4_MCE, CPU_FEATURE_MCE},
	{CR4_PGE, CPU_FEATURE_PGE},           {CR4_OSFXSR, CPU_FEATURE_FXSR},
	{CR4_OSXMMEXCPT, CPU_FEATURE_SSE},    {CR4_UMIP, CPU_FEATURE_UMIP},
	{CR4_VMXE, CPU_FEATURE_VMX},          {CR4_FSGSBASE, CPU_FEATURE_FSGSBASE},
	{CR4_PCIDE, CPU_FEATURE_PCID},        {CR4_OSXSAVE, CPU_FEATURE_XSAVE},
	{CR4_SMEP, CPU_FEATURE_SMEP},         {CR4_SMAP, CPU_FEATURE_SMAP},
	{CR4_PKE, CPU_FEATURE_PKU},           {CR4_LA57, CPU_FEATURE_LA57},
	{CR4_PKS, CPU_FEATURE_PKS},           {CR4_CET, CPU_FEATURE_CET_SS},
	{CR4_CET, CPU_FEATURE_CET_IBT},       {CR4_LAM_SUP, CPU_FEATURE_LAM},
};

static void set_feature(struct cpu_profile *profile, unsigned feature, bool on)
{
	uint64_t bit = UINT64_C(1) << (feature % 64);

	if (on)
		profile->features[feature / 64] |= bit;
	else
		profile->features[feature / 64] &= ~bit;
}

static void switch_cpu(struct cpu_profile *profile, unsigned feature, bool on)
{
	for (; feature != CPU_FEATURE_NONE; feature = cpu_features[feature].needs) {
		set_feature(profile, feature, on);
		if (!on)
			return;
	}
}

static void switch_vmx(struct cpu_profile *profile, unsigned feature, bool on)
{
	for (; feature < VMX_FEATURE_COUNT; feature = vmx_feature_info[feature].needs) {
		if (!on) {
			profile->caps.features &= ~VMX_FEATURE_BIT(feature);
			return;
		}
		profile->caps.features |= VMX_FEATURE_BIT(feature);
	}
}

static bool close_across(struct cpu_profile *profile)
{
	vmx_features before = profile->caps.features;

	for (size_t i = 0; i < sizeof(across) / sizeof(across[0]); i++)
		if (!cpu_profile_has(profile, across[i].cpu))
			profile->caps.features &= ~VMX_FEATURE_BIT(across[i].vmx);
	if (!cpu_has(profile, VMX))
		profile->caps.features = 0;
	return profile->caps.features != before;
}

/* Removes what lacks something it needs, until nothing does. */
static void close_features(struct cpu_profile *profile)
{
	vmx_features *vmx = &profile->caps.features;
	bool again = true;

	while (again) {
		again = close_across(profile);
		for (unsigned f = 0; f < CPU_FEATURE_COUNT; f++)
			if (cpu_profile_has(profile, f) &&
			    cpu_features[f].needs != CPU_FEATURE_NONE &&
			    !cpu_profile_has(profile, cpu_features[f].needs)) {
				set_feature(profile, f, false);
				again = true;
			}
		for (unsigned f = 0; f < VMX_FEATURE_COUNT; f++)
			if (vmx_features_have(*vmx, f) &&
			    !vmx_features_have(*vmx, vmx_feature_info[f].needs)) {
				*vmx &= ~VMX_FEATURE_BIT(f);
				again = true;
			}
	}
}

static void derive(struct cpu_profile *profile)
{
	struct vmx_caps *caps = &profile->caps;

	close_features(profile);
	caps->cr4_valid = CR4_PCE;
	for (size_t i = 0; i < sizeof(cr4_rows) / sizeof(cr4_rows[0]); i++)
		if (cpu_profile_has(profile, cr4_rows[i].feature))
			caps->cr4_valid |= cr4_rows[i].bits;
	caps->efer_valid = (cpu_has(profile, SYSCALL) ? EFER_SCE : 0) |
			   (cpu_has(profile, LM) ? EFER_LME | EFER_LMA : 0) |
			   (cpu_has(profile, NX) ? EFER_NXE : 0);
	caps->debugctl_valid =
	    cpuid_debugctl_valid(cpu_has(profile, PDCM), 4, cpu_has(profile, RTM));
	caps->perf_global_ctrl_valid = PERF_GLOBAL_CTRL_VALID;
	caps->rtit_ctl_valid = cpu_has(profile, INTEL_PT) ? PT_CTL_VALID : 0;
	vmx_caps_from_features(caps);
}

static const struct profile_row *find_profile(const char *name, size_t length)
{
	if (!length)
		return &profiles[PART_INDEX_SKYLAKE];
	for (unsigned i = 0; i < PART_COUNT; i++)
		if (strlen(profiles[i].option) == length &&
		    !memcmp(profiles[i].option, name, length))
			return &profiles[i];
	return NULL;
}

static void take_profile(struct cpu_profile *profile, const struct profile_row *row)
{
	*profile = (struct cpu_profile){.name = row->option,
					.text = row->text,
					.family = row->family,
					.model = row->model,
					.stepping = row->stepping,
					.lbr_depth = row->lbr_depth};
	for (unsigned f = 0; f < CPU_FEATURE_COUNT; f++)
		set_feature(profile, f, cpu_features[f].parts >> (row - profiles) & 1);
	profile->caps.features = (VMX_FEATURE_BIT(VMX_FEATURE_COUNT) - 1) & ~row->without;
	profile->caps.maxphyaddr = row->maxphyaddr;
}

/* The option names of the two tables are disjoint (meta-tested). */
static bool switch_named(struct cpu_profile *profile, const char *name, size_t length, bool on)
{
	for (unsigned f = 0; f < CPU_FEATURE_COUNT; f++)
		if (strlen(cpu_features[f].text) == length &&
		    !memcmp(cpu_features[f].text, name, length))
			return switch_cpu(profile, f, on), true;
	for (unsigned f = 0; f < VMX_FEATURE_COUNT; f++)
		if (strlen(vmx_feature_info[f].text) == length &&
		    !memcmp(vmx_feature_info[f].text, name, length))
			return switch_vmx(profile, f, on), true;
	return false;
}

bool cpu_profile_parse(const char *spec, struct cpu_profile *profile, char *error, size_t size)
{
	const struct profile_row *row;
	size_t length;

	if (!spec)
		spec = "";
	length = strcspn(spec, ",");
	row = find_profile(spec, length);
	if (!row) {
		snprintf(error, size, "unknown CPU '%.*s'; `abyme run --cpu help` lists them",
			 (int)length, spec);
		return false;
	}
	take_profile(profile, row);
	for (spec += length; *spec; spec += length) {
		spec++;
		length = strcspn(spec, ",");
		if (length < 2 || (*spec != '+' && *spec != '-') ||
		    !switch_named(profile, spec + 1, length - 1, *spec == '+')) {
			snprintf(error, size,
				 "unknown CPU feature '%.*s': +name or -name, listed by `abyme run "
				 "--cpu help`",
				 (int)length, spec);
			return false;
		}
		close_features(
		    profile); /* a later + brings back what it names, not what fell with it */
	}
	derive(profile);
	return true;
}

void cpu_profile_list(FILE *out, const struct cpu_profile *profile)
{
	fprintf(out, "profiles:\n");
	for (unsigned i = 0; i < PART_COUNT; i++)
		fprintf(out, "  %-12s %s\n", profiles[i].option, profiles[i].text);
	fprintf(out, "CPUID features of %s (+ on, - off):\n", profile->name);
	for (unsigned f = 0; f < CPU_FEATURE_COUNT; f++)
		fprintf(out, "  %c%s%s\n", cpu_profile_has(profile, f) ? '+' : '-',
			cpu_features[f].text, cpu_features[f].parts ? "" : " (on no part yet)");
	fprintf(out, "VMX features of %s:\n", profile->name);
	for (unsigned f = 0; f < VMX_FEATURE_COUNT; f++)
		fprintf(out, "  %c%s\n", vmx_features_have(profile->caps.features, f) ? '+' : '-',
			vmx_feature_info[f].text);
}
