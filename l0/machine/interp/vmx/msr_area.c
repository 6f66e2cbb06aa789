/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The MSR-load and MSR-store areas of VM entry and VM exit. SDM 3C "Loading MSRs", "Saving MSRs".
 * An entry is 16 bytes: index, reserved, value.
 */
#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/vmx/private.h"

#define ENTRY_SIZE sizeof(struct vmx_msr_entry)
#define IA32_SMM_MONITOR_CTL 0x9b
#define IA32_SMBASE 0x9e

/* What neither list may name, whatever RDMSR and WRMSR would do: the x2APIC's registers, and SMM's
 * MSRs outside SMM. */
static bool never_in_area(uint32_t msr)
{
	return msr >> 8 == 0x8 || msr == IA32_SMM_MONITOR_CTL || msr == IA32_SMBASE;
}

/* FS and GS have fields; microcode is not loaded this way. */
static bool never_loaded(uint32_t msr)
{
	return msr == MSR_IA32_FS_BASE || msr == MSR_IA32_GS_BASE ||
	       msr == MSR_IA32_BIOS_UPDT_TRIG || never_in_area(msr);
}

/* Bits 63:0 of an entry: the index, if the rest is 0. */
static bool entry_index(struct cpu *cpu, uint64_t address, uint32_t *msr)
{
	uint64_t low = phys_read(cpu, address, 8);

	*msr = (uint32_t)low;
	return !(low >> 32);
}

/* IA32_VMX_MISC recommends a limit: SDM 3D "Miscellaneous Data". What lies beyond it is "undefined
 * processor behavior (including a machine check)"; here the list fails, and nothing of it is done.
 */
static bool is_too_long(const struct cpu *cpu, uint32_t count, uint32_t *bad)
{
	*bad = 512 * ((vmx_cap(cpu->vmx->caps, MISC) >> VMX_MISC_MSR_LIST_SHIFT & 7) + 1) + 1;
	return count >= *bad;
}

uint32_t vmx_load_msrs(struct cpu *cpu, uint64_t address, uint32_t count)
{
	uint32_t msr, bad;

	if (is_too_long(cpu, count, &bad))
		return bad;
	for (uint32_t i = 1; i <= count; i++, address += ENTRY_SIZE) {
		cpu_charge(cpu, COST_VM_MSR);
		if (!entry_index(cpu, address, &msr) || never_loaded(msr) ||
		    !cpu_wrmsr(cpu, msr, phys_read(cpu, address + 8, 8)))
			return i;
	}
	return 0;
}

uint32_t vmx_store_msrs(struct cpu *cpu, uint64_t address, uint32_t count)
{
	uint32_t msr, bad;
	uint64_t value;

	if (is_too_long(cpu, count, &bad))
		return bad;
	for (uint32_t i = 1; i <= count; i++, address += ENTRY_SIZE) {
		cpu_charge(cpu, COST_VM_MSR);
		if (!entry_index(cpu, address, &msr) || never_in_area(msr) ||
		    !cpu_rdmsr(cpu, msr, &value))
			return i;
		phys_write(cpu, address + 8, 8, value);
	}
	return 0;
}
