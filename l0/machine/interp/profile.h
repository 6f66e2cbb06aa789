/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CPU profiles: what a part announces in CPUID and in its VMX capability MSRs, as data. Everything
 * in the interpreter that depends on a feature asks here.
 */
#ifndef L0_MACHINE_INTERP_PROFILE_H
#define L0_MACHINE_INTERP_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shadow/sdm/vmcs.h"

enum cpuid_register { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

enum cpu_feature {
#define CPU_FEATURE(name, text, leaf, subleaf, reg, bit, needs, parts) CPU_FEATURE_##name,
#include "l0/machine/interp/features.def"
#undef CPU_FEATURE
	CPU_FEATURE_COUNT,
	CPU_FEATURE_NONE = CPU_FEATURE_COUNT,
};

struct cpu_feature_info {
	const char *text;
	uint32_t leaf;
	uint8_t subleaf;
	uint8_t reg; /* enum cpuid_register */
	uint8_t bit;
	uint8_t needs; /* enum cpu_feature */
	uint8_t parts;
};
extern const struct cpu_feature_info cpu_features[CPU_FEATURE_COUNT];

struct cpu_profile {
	const char *name;
	const char *text;
	uint8_t family, model, stepping;
	uint8_t lbr_depth; /* 32: with INFO registers */
	uint64_t features[(CPU_FEATURE_COUNT + 63) / 64];
	struct vmx_caps
	    caps; /* VMX features, capability MSRs, MAXPHYADDR, valid CR4 and EFER bits */
};

static inline bool cpu_profile_has(const struct cpu_profile *profile, enum cpu_feature feature)
{
	return profile->features[feature / 64] >> (feature % 64) & 1;
}
#define cpu_has(profile, name) cpu_profile_has(profile, CPU_FEATURE_##name)

/* "PROFILE[,+feature][,-feature]..." (empty or NULL: the default part). Switching a feature off
 * switches off what needs it, switching one on switches on what it needs. False: `error` says in
 * one line which word is wrong and what would be right. */
bool cpu_profile_parse(const char *spec, struct cpu_profile *profile, char *error, size_t size);
/* Every profile and every feature, with what `profile` has of them, for `abyme run --cpu help`. */
void cpu_profile_list(FILE *out, const struct cpu_profile *profile);

#endif
