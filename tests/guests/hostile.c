/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An L1 that means harm: random VMX instructions, VMCS12 values, EPT12 entries, and addresses that
 * point anywhere, from a fixed seed. It prints one line in the end; whether the hypervisor below
 * kept its memory to itself is for the machine to say (l0/machine/guard.h). Options: seed=N,
 * entries=N (attempts), reach (EPT12 also maps the hypervisor's memory, which ends L1 as soon as L2
 * touches it), and die=triple|abort|memory: do just that, which the hypervisor must report. guard:
 * has its scratch memory guarded, as a hypervisor would its own, so that L2 must be caught.
 */
#include "tests/guests/hostile/hostile.h"

#include "l0/machine/guard.h"
#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/runtime.h"
#include "l1/lib/trap.h"
#include "l1/lib/vmx.h"

static uint64_t entered, refused, failed, reasons[EXIT_REASON_COUNT];
static void *vmcs12;

/* The end of RAM below 4 GiB as the memory map has it; a hypervisor hides just above. */
static uint64_t ram_end(void)
{
	const struct multiboot_info *info = multiboot_get_info();

	return (uint64_t)info->memory_upper * 1024 + (UINT64_C(1) << 20);
}

static void count_exit(void)
{
	uint64_t reason = vmx_vmread(VMCS_EXIT_REASON), basic = reason & EXIT_REASON_BASIC;

	if (reason & EXIT_REASON_ENTRY_FAILURE)
		failed++;
	else
		entered++;
	if (basic < EXIT_REASON_COUNT)
		reasons[basic]++;
}

/* Stray instructions may have made another VMCS current, or cleared ours. */
static void come_back(void)
{
	if (!vmx_vmclear(vmcs12) || !vmx_vmptrld(vmcs12))
		runtime_panic(2, "hostile: VMCS12 is lost");
	vmcs12_restore();
}

static void attempt(uint64_t top)
{
	static bool launched;
	uint64_t registers[10];

	for (unsigned i = 0; i < 10; i++)
		registers[i] = chance_one_in(8) ? chance_value(top) : chance() >> 32;
	if (chance_one_in(4) && stray_instruction(top)) {
		come_back();
		launched = false;
	}
	if (!vmcs12_restore()) {
		come_back();
		launched = false;
	}
	vmx_vmwrite(VMCS_GUEST_RIP, (uint64_t)hostile_l2_code[(chance() >> 8) % L2_CODES]);
	if (!chance_one_in(8))
		vmcs12_spoil(top);
	ept12_spoil(top);
	if (hostile_enter(launched, registers)) {
		if (!(vmx_vmread(VMCS_EXIT_REASON) & EXIT_REASON_ENTRY_FAILURE))
			launched = true;
		count_exit();
	} else {
		refused++;
	}
}

static void die_by_abort(void)
{
	/* An exit that cannot load L1's MSRs: a VMX abort, SDM 3C "VMX Aborts". */
	struct vmx_msr_entry *area = (void *)HOSTILE_SCRATCH;
	uint64_t registers[10] = {0};

	*area = (struct vmx_msr_entry){.index = MSR_IA32_FS_BASE};
	vmx_vmwrite(VMCS_EXIT_MSR_LOAD_ADDRESS, (uint64_t)area);
	vmx_vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 1);
	vmx_vmwrite(VMCS_GUEST_RIP, (uint64_t)hostile_l2_code[6]);
	hostile_enter(false, registers);
}

static void die_by_triple_fault(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) empty = {0, 0};

	__asm__ volatile("lidt %0; ud2" : : "m"(empty));
}

static void die_by_memory(uint64_t top)
{
	*(volatile uint64_t *)(top + (UINT64_C(1) << 20)) = 1;
}

int main(void)
{
	uint64_t seed = multiboot_option("seed", 1), entries = multiboot_option("entries", 25000);
	uint64_t top = ram_end();
	const char *refusal = vmx_start();

	if (refusal)
		runtime_panic(3, "hostile: %s", refusal);
	chance_seed(seed);
	vmcs12_create();
	__asm__ volatile("vmptrst %0" : "=m"(vmcs12) : : "cc");
	if (multiboot_has_word("die=abort"))
		die_by_abort();
	if (multiboot_has_word("die=triple"))
		die_by_triple_fault();
	if (multiboot_has_word("die=memory"))
		die_by_memory(top);
	if (multiboot_has_word("guard")) {
		outl(GUARD_PORT, HOSTILE_SCRATCH >> PAGE_SHIFT);
		outl(GUARD_PORT + 4, (HOSTILE_SCRATCH_END - HOSTILE_SCRATCH) >> PAGE_SHIFT);
	}
	for (uint64_t i = 0; i < entries; i++)
		attempt(top);
	printf("seed=%lu attempts=%lu entered=%lu failed=%lu refused=%lu", seed, entries, entered,
	       failed, refused);
	for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
		if (reasons[i])
			printf(" %u:%lu", i, reasons[i]);
	printf("\n");
	return STATUS_OK;
}
