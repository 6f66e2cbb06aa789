/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CPUID as L1 sees it: the machine's, plus the hypervisor leaves. Leaves that are the same for
 * every subleaf and at all times are read once: under another hypervisor each CPUID of ours is an
 * exit.
 */
#include "l0/hv/exit.h"
#include "l0/hv/hw.h"
#include "shadow/sdm/cpuid.h"

#define BASIC_LEAVES 0x20u
#define EXTENDED_LEAVES 0x10u
#define EXTENDED_FIRST UINT32_C(0x80000000)
#define HYPERVISOR_FIRST UINT32_C(0x40000000)
#define HYPERVISOR_LEAVES 0x100u

#define LEAF1_ECX_SMX BIT32(6)
#define LEAF1_ECX_OSXSAVE BIT32(27)
#define LEAF1_ECX_HYPERVISOR BIT32(31)
#define LEAF1_EDX_APIC BIT32(9)
#define LEAF7_ECX_OSPKE BIT32(4)
#define XSTATE_PT 8

static struct cpuid_regs basic[BASIC_LEAVES], extended[EXTENDED_LEAVES];
static bool is_static[BASIC_LEAVES];   /* one answer for all subleaves, mirrors aside */
static bool is_constant[BASIC_LEAVES]; /* not even those */
static uint32_t basic_max, extended_max;
static bool has_apic;

/* SDM 2A "CPUID": leaves whose answer depends on ECX or on state that changes. */
static bool depends_on_subleaf(uint32_t leaf)
{
	return leaf == 4 || leaf == 7 || leaf == 0xb || leaf >= 0xd;
}

void cpuid_init(void)
{
	basic_max = hw_cpuid(0, 0).eax;
	extended_max = hw_cpuid(EXTENDED_FIRST, 0).eax;
	for (uint32_t i = 0; i < BASIC_LEAVES && i <= basic_max; i++) {
		is_static[i] = !depends_on_subleaf(i);
		is_constant[i] = is_static[i] && i != 1;
		if (is_static[i])
			basic[i] = hw_cpuid(i, 0);
	}
	for (uint32_t i = 0; i < EXTENDED_LEAVES && EXTENDED_FIRST + i <= extended_max; i++)
		extended[i] = hw_cpuid(EXTENDED_FIRST + i, 0);
	has_apic = basic[1].edx & LEAF1_EDX_APIC;
	mpx_init();
	basic[1].ecx = (basic[1].ecx & ~(LEAF1_ECX_SMX | LEAF1_ECX_OSXSAVE)) | LEAF1_ECX_HYPERVISOR;
}

/* Ours, or that of one further down: nobody needs to know how many there are. */
static void region_leaf(uint32_t subleaf, struct cpuid_regs *out)
{
	const struct memory_area *region = &memory_map.region;

	if (subleaf && hv.machine.level)
		*out = hw_cpuid(HV_CPUID_REGION, subleaf - 1);
	if (subleaf)
		return;
	out->eax = (uint32_t)(region->base / PAGE_SIZE);
	out->ebx = (uint32_t)((region->end - region->base) / PAGE_SIZE);
}

static void hypervisor_leaf(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	*out = (struct cpuid_regs){0};
	if (leaf == HV_CPUID_REGION)
		region_leaf(subleaf, out);
	if (leaf == HV_CPUID_SIGNATURE)
		*out = (struct cpuid_regs){.eax = HV_CPUID_REGION,
					   .ebx = HV_SIGNATURE_EBX,
					   .ecx = HV_SIGNATURE_ECX,
					   .edx = HV_SIGNATURE_EDX};
	else if (leaf == HV_CPUID_LEVEL)
		out->eax = hv.machine.level;
}

/* Bits that mirror CR4 mirror the guest's, not ours; the local APIC is the guest's to disable. */
static void mirror_state(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	uint64_t cr4;

	if (leaf != 1 && (leaf != 7 || subleaf))
		return;
	cr4 = hw_vmread(VMCS_GUEST_CR4);
	if (leaf == 1) {
		out->ecx &= ~LEAF1_ECX_OSXSAVE;
		out->ecx |= cr4 & CR4_OSXSAVE ? LEAF1_ECX_OSXSAVE : 0;
		if (has_apic && !(hw_rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_EN))
			out->edx &= ~LEAF1_EDX_APIC;
	} else {
		out->ecx &= ~LEAF7_ECX_OSPKE;
		out->ecx |= cr4 & CR4_PKE ? LEAF7_ECX_OSPKE : 0;
	}
}

/* Intel Processor Trace is not for guests where it would write to our memory: trace.c. */
static void hide_trace(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	if (trace_is_safe())
		return;
	if (leaf == CPUID_INTEL_PT || (leaf == CPUID_XSTATE && subleaf == XSTATE_PT))
		*out = (struct cpuid_regs){0};
	if (leaf == 7 && !subleaf)
		out->ebx &= ~CPUID_STRUCTURED_EBX_INTEL_PT;
	if (leaf == CPUID_XSTATE && subleaf == 1)
		out->ecx &= ~BIT32(XSTATE_PT);
}

static void answer_rare(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	if (leaf - EXTENDED_FIRST < EXTENDED_LEAVES && leaf <= extended_max) {
		*out = extended[leaf - EXTENDED_FIRST];
	} else if (leaf - HYPERVISOR_FIRST < HYPERVISOR_LEAVES) {
		hypervisor_leaf(leaf, subleaf, out);
	} else {
		*out = leaf < BASIC_LEAVES && is_static[leaf] ? basic[leaf]
							      : hw_cpuid(leaf, subleaf);
		mirror_state(leaf, subleaf, out);
		hide_trace(leaf, subleaf, out);
		mpx_hide(leaf, subleaf, out);
	}
}

static inline void give(uint64_t *gpr, const struct cpuid_regs *r)
{
	gpr[REG_RAX] = r->eax;
	gpr[REG_RBX] = r->ebx;
	gpr[REG_RCX] = r->ecx;
	gpr[REG_RDX] = r->edx;
}

/* Apart, lest the other leaves pay for its stack frame. */
static __attribute__((noinline)) enum exit_next give_rare(uint64_t *gpr)
{
	struct cpuid_regs r;

	answer_rare((uint32_t)gpr[REG_RAX], (uint32_t)gpr[REG_RCX], &r);
	give(gpr, &r);
	return EXIT_NEXT_SKIP;
}

enum exit_next handle_cpuid(struct vcpu *vcpu)
{
	uint64_t *gpr = vcpu->regs.gpr;
	uint32_t leaf = (uint32_t)gpr[REG_RAX];

	if (__builtin_expect(leaf >= BASIC_LEAVES || !is_constant[leaf], false))
		return give_rare(gpr);
	give(gpr, &basic[leaf]);
	return EXIT_NEXT_SKIP;
}
