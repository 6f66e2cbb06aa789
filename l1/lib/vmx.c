/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Into VMX operation: SDM 3C "Enabling and Entering VMX Operation", "VMXON-Enter VMX Operation".
 */
#include "l1/lib/vmx.h"

#include <stddef.h>

#include "l1/lib/cpu.h"
#include "l1/lib/layout.h"
#include "l1/lib/paging.h"
#include "l1/lib/runtime.h"
#include "l1/lib/trap.h"

#define CPUID_1_ECX_VMX BIT32(5)
#define TRUE_OFFSET (MSR_IA32_VMX_TRUE_PINBASED_CTLS - MSR_IA32_VMX_PINBASED_CTLS)

extern uint64_t boot_gdt[];

static void *new_region(void)
{
	uint32_t *region = page_alloc();

	*region = (uint32_t)(rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_REVISION);
	return region;
}

static bool vmxon(const void *region)
{
	uint64_t address = (uint64_t)region;
	bool failed;

	__asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(address) : "memory");
	return !failed;
}

const char *vmx_start(void)
{
	uint64_t enabled = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX;

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX))
		return "this CPU has no VMX";
	if (!(rdmsr(MSR_IA32_FEATURE_CONTROL) & FEATURE_CONTROL_LOCKED))
		wrmsr(MSR_IA32_FEATURE_CONTROL, enabled);
	if ((rdmsr(MSR_IA32_FEATURE_CONTROL) & enabled) != enabled)
		return "VMX is locked off by IA32_FEATURE_CONTROL";
	write_cr0((read_cr0() | rdmsr(MSR_IA32_VMX_CR0_FIXED0)) & rdmsr(MSR_IA32_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | rdmsr(MSR_IA32_VMX_CR4_FIXED0)) & rdmsr(MSR_IA32_VMX_CR4_FIXED1));
	return vmxon(new_region()) ? NULL : "VMXON failed";
}

void *vmx_new_vmcs(void)
{
	void *vmcs = new_region();

	return vmx_vmclear(vmcs) && vmx_vmptrld(vmcs) ? vmcs : NULL;
}

uint32_t vmx_controls(uint32_t msr, uint32_t wanted)
{
	bool has_true = rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;
	uint64_t allowed;

	if (has_true && msr <= MSR_IA32_VMX_ENTRY_CTLS)
		msr += TRUE_OFFSET;
	allowed = rdmsr(msr);
	return (wanted | (uint32_t)allowed) & (uint32_t)(allowed >> 32);
}

void vmx_write_rows(const struct vmx_row *rows, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!vmx_vmwrite(rows[i].field, rows[i].value))
			runtime_panic(STATUS_VMX, "VMWRITE of field %x failed", rows[i].field);
	}
}

void vmx_write_host_state(void)
{
	const struct vmx_row rows[] = {
		{VMCS_HOST_CR0, read_cr0()},
		{VMCS_HOST_CR3, read_cr3()},
		{VMCS_HOST_CR4, read_cr4()},
		{VMCS_HOST_CS_SELECTOR, KERNEL_CS},
		{VMCS_HOST_SS_SELECTOR, KERNEL_DS},
		{VMCS_HOST_TR_SELECTOR, TASK_STATE},
		{VMCS_HOST_TR_BASE, trap_task_state()},
		{VMCS_HOST_GDTR_BASE, (uint64_t)boot_gdt},
		{VMCS_HOST_IDTR_BASE, trap_idt()},
		{VMCS_HOST_IA32_EFER, rdmsr(MSR_IA32_EFER)},
		{VMCS_HOST_IA32_PAT, rdmsr(MSR_IA32_PAT)},
	};

	vmx_write_rows(rows, sizeof(rows) / sizeof(rows[0]));
}
