/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the CPU offers a hypervisor, one line a fact: the settings that VMX controls may have, the
 * other VMX capabilities, CPUID. The same lines at another depth are the same CPU.
 */
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/runtime.h"
#include "l1/lib/trap.h"
#include "shadow/sdm/vmx.h"

enum { WORD_PIN, WORD_PRIMARY, WORD_SECONDARY, WORD_EXIT, WORD_ENTRY, WORD_COUNT };

static const struct {
	uint32_t bit;
	uint8_t word;
	const char *name;
} controls[] = {
#define CONTROL(word_, name_, bit_, feature, text)                                                 \
	{.bit = BIT32(bit_), .word = WORD_##word_, .name = #word_ "_" #name_},
#include "shadow/sdm/controls.def"
#undef CONTROL
};

struct access {
	uint32_t msr;
	uint64_t value;
};

static void read_access(void *argument)
{
	struct access *access = argument;

	access->value = rdmsr(access->msr);
}

/* False: the MSR does not exist. */
static bool try_rdmsr(uint32_t msr, uint64_t *value)
{
	struct access access = {.msr = msr};
	struct trap_info info;
	bool faulted = trap_catch(&info, read_access, &access);

	*value = access.value;
	return !faulted;
}

/* Low half: bits that must be 1; high half: bits that may be. */
static uint64_t allowed(unsigned word)
{
	static const struct {
		uint32_t msr, true_msr;
	} msrs[WORD_COUNT] = {
		[WORD_PIN] = {MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS},
		[WORD_PRIMARY] = {MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS},
		[WORD_SECONDARY] = {MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_PROCBASED_CTLS2},
		[WORD_EXIT] = {MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS},
		[WORD_ENTRY] = {MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS},
	};
	uint64_t value;

	if (!try_rdmsr(msrs[word].true_msr, &value) && !try_rdmsr(msrs[word].msr, &value))
		value = 0;
	return value;
}

static void print_controls(void)
{
	for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
		uint64_t word = allowed(controls[i].word);

		if (word & controls[i].bit)
			printf("%s is 1\n", controls[i].name);
		else if (word >> 32 & controls[i].bit)
			printf("%s\n", controls[i].name);
	}
	for (unsigned word = 0; word < WORD_COUNT; word++)
		printf("control word %u %016lx\n", word, allowed(word));
}

static void print_bits(const char *name, uint32_t msr)
{
	uint64_t value;

	if (!try_rdmsr(msr, &value)) {
		printf("%s does not exist\n", name);
		return;
	}
	for (unsigned bit = 0; bit < 64; bit++)
		if (value >> bit & 1)
			printf("%s bit %u\n", name, bit);
}

static void print_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r = cpuid(leaf, subleaf);

	printf("CPUID %x.%x %08x %08x %08x %08x\n", leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
}

static void print_range(uint32_t first)
{
	uint32_t last = cpuid(first, 0).eax;

	for (uint32_t leaf = first; leaf <= last && leaf - first < 0x20; leaf++)
		for (uint32_t subleaf = 0; subleaf < (leaf == 0xd ? 10 : 3); subleaf++)
			print_cpuid(leaf, subleaf);
}

int main(void)
{
	print_controls();
	print_bits("BASIC", MSR_IA32_VMX_BASIC);
	print_bits("MISC", MSR_IA32_VMX_MISC);
	print_bits("CR0_FIXED0", MSR_IA32_VMX_CR0_FIXED0);
	print_bits("CR0_FIXED1", MSR_IA32_VMX_CR0_FIXED1);
	print_bits("CR4_FIXED0", MSR_IA32_VMX_CR4_FIXED0);
	print_bits("CR4_FIXED1", MSR_IA32_VMX_CR4_FIXED1);
	print_bits("VMCS_ENUM", MSR_IA32_VMX_VMCS_ENUM);
	print_bits("EPT_VPID_CAP", MSR_IA32_VMX_EPT_VPID_CAP);
	print_bits("VMFUNC", MSR_IA32_VMX_VMFUNC);
	print_bits("FEATURE_CONTROL", MSR_IA32_FEATURE_CONTROL);
	print_range(0);
	print_range(0x80000000);
	return STATUS_OK;
}
