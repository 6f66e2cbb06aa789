/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CPUID: constant leaves (cpuid.def) plus the profile's feature bits plus the few bits that follow
 * the CPU's state.
 */
#include "l0/machine/interp/mmu.h"

#include <inttypes.h>
#include <string.h>

#include "l0/machine/debug/watch.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/xstate.h"

#define CPUID_LAST_BASIC 0x16
#define CPUID_LAST_EXTENDED 0x80000008u
#define ANY UINT32_MAX
/* The local APIC timer's input clock when leaf 0x15 gives a ratio, SDM 3A "APIC Timer". */
#define CRYSTAL_HZ LAPIC_TIMER_HZ

static const struct leaf {
	uint32_t leaf, subleaf;
	uint32_t out[4];
} leaves[] = {
#define CPUID_LEAF(leaf, subleaf, eax, ebx, ecx, edx) {leaf, subleaf, {eax, ebx, ecx, edx}},
#include "l0/machine/interp/cpuid.def"
#undef CPUID_LEAF
};

static void constant_part(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0, 4 * sizeof(*out));
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (leaves[i].leaf == leaf &&
		    (leaves[i].subleaf == ANY || leaves[i].subleaf == subleaf)) {
			memcpy(out, leaves[i].out, 4 * sizeof(*out));
			return;
		}
}

static void feature_part(const struct cpu_profile *profile, uint32_t leaf, uint32_t subleaf,
			 uint32_t out[4])
{
	/* Of the leaves with flags only 7 and 0xD look at ECX. */
	if (leaf != 7 && leaf != 0xd)
		subleaf = 0;
	for (unsigned f = 0; f < CPU_FEATURE_COUNT; f++) {
		const struct cpu_feature_info *info = &cpu_features[f];

		if (info->leaf == leaf && info->subleaf == subleaf && cpu_profile_has(profile, f))
			out[info->reg] |= UINT32_C(1) << info->bit;
	}
}

/* Extended model 19:16 | family 11:8 | model 7:4 | stepping 3:0 */
static uint32_t signature(const struct cpu_profile *profile)
{
	return (uint32_t)(profile->model >> 4) << 16 | (uint32_t)profile->family << 8 |
	       (profile->model & 0xfu) << 4 | profile->stepping;
}

static void brand_string(uint32_t leaf, uint32_t out[4])
{
	char brand[48] = "abyme interpreted processor @ 1.00GHz";

	memcpy(out, brand + 16 * (leaf - 0x80000002u), 16);
}

static void state_part(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	switch (leaf) {
	case 0x1:
		out[CPUID_EAX] = signature(cpu->profile);
		if (cpu->cr4 & CR4_OSXSAVE)
			out[CPUID_ECX] |= BIT32(27);
		if (!(cpu->msrs.misc_enable & MISC_ENABLE_MONITOR))
			out[CPUID_ECX] &= ~BIT32(3);
		if (cpu->machine->lapic && !(lapic_base(cpu->machine->lapic) & APIC_BASE_EN))
			out[CPUID_EDX] &= ~BIT32(9);
		break;
	case 0x5:
		if (!cpu_has(cpu->profile, MONITOR))
			memset(out, 0, 4 * sizeof(*out));
		break;
	case 0x7:
		if (subleaf == 0 && (cpu->cr4 & CR4_PKE))
			out[CPUID_ECX] |= BIT32(4);
		if (subleaf == 0 && (cpu->msrs.tsx_ctrl & TSX_CTRL_CPUID_CLEAR))
			out[CPUID_EBX] &= ~(BIT32(4) | BIT32(11)); /* HLE, RTM */
		if (subleaf == 0) /* the highest subleaf */
			out[CPUID_EAX] = cpu_has(cpu->profile, LAM);
		break;
	case 0xb:
		out[CPUID_ECX] = (out[CPUID_ECX] & ~0xffu) | (subleaf & 0xff);
		break;
	case 0xd:
		xstate_cpuid(cpu, subleaf, out);
		break;
	case 0x14:
		pt_cpuid(cpu, subleaf, out);
		break;
	case 0x80000002:
	case 0x80000003:
	case 0x80000004:
		brand_string(leaf, out);
		break;
	case 0x80000008:
		out[CPUID_EAX] |= cpu->profile->caps.maxphyaddr |
				  (cpu_has(cpu->profile, LA57) ? 57 : 48) << 8;
		break;
	default:
		break;
	}
}

void cpu_cpuid(struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	/* Out of range: the data of the highest basic leaf. */
	if (leaf >= 0x80000000u ? leaf > CPUID_LAST_EXTENDED : leaf > CPUID_LAST_BASIC)
		leaf = CPUID_LAST_BASIC;
	constant_part(leaf, subleaf, out);
	feature_part(cpu->profile, leaf, subleaf, out);
	state_part(cpu, leaf, subleaf, out);
}

void insn_cpuid(struct cpu *cpu, const struct op *op)
{
	uint32_t leaf = (uint32_t)cpu->gpr[REG_RAX], out[4];

	vmx_intercept_insn(cpu, EXIT_REASON_CPUID, 0);
	cpu_cpuid(cpu, leaf, (uint32_t)cpu->gpr[REG_RCX], out);
	/* SYSCALL is there in every mode that has it, but announced to 64-bit code only. */
	if (leaf == 0x80000001 && !cpu_code64(cpu))
		out[CPUID_EDX] &= ~BIT32(11);
	if (watches(cpu->machine, WATCH_CPUID))
		watch_tell(cpu->machine, "cpuid %x.%x = %x %x %x %x", leaf,
			   (uint32_t)cpu->gpr[REG_RCX], out[CPUID_EAX], out[CPUID_EBX],
			   out[CPUID_ECX], out[CPUID_EDX]);
	cpu->gpr[REG_RAX] = out[CPUID_EAX];
	cpu->gpr[REG_RBX] = out[CPUID_EBX];
	cpu->gpr[REG_RCX] = out[CPUID_ECX];
	cpu->gpr[REG_RDX] = out[CPUID_EDX];
}
