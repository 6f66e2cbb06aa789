/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Paging off without "unrestricted guest": VMX keeps CR0.PG and CR0.PE set, so a guest that has
 * paging off runs on an identity page table of 4 MiB pages. It lies in our region and is shown to
 * the guest's page walker read-only; its accessed and dirty flags are set, so that nobody wants to
 * write it.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "l0/hv/range.h"

#define PDE_COUNT 1024
#define PDE_SIZE UINT32_C(0x400000)
#define PAGING_CR4 (CR4_PAE | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_PKE)
#define CR3_EXITING (PRIMARY_CR3_LOAD_EXITING | PRIMARY_CR3_STORE_EXITING)

void unpaged_prepare(struct unpaged *unpaged)
{
	uint32_t *table;

	if (machine_has(&hv.machine, VMX_FEATURE_UNRESTRICTED_GUEST))
		return;
	table = pool_need();
	for (uint32_t i = 0; i < PDE_COUNT; i++)
		table[i] =
		    (uint32_t)(i * PDE_SIZE | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_PS);
	unpaged->table = memory_address(table);
	range_add_read_only(unpaged->table, PAGE_SIZE);
}

void unpaged_enter(struct vcpu *vcpu)
{
	struct unpaged *unpaged = &vcpu->unpaged;
	uint64_t efer = efer_get();

	unpaged->on = true;
	unpaged->cr3 = hw_vmread(VMCS_GUEST_CR3);
	unpaged->efer = efer;
	hw_vmwrite(VMCS_GUEST_CR3, unpaged->table);
	efer_set(efer & ~(EFER_LME | EFER_LMA));
	hw_vmwrite(VMCS_PRIMARY_CONTROLS, hw_vmread(VMCS_PRIMARY_CONTROLS) | CR3_EXITING);
}

void unpaged_leave(struct vcpu *vcpu)
{
	struct unpaged *unpaged = &vcpu->unpaged;
	uint64_t kept = vmcs_get(&vcpu->vmcs01, PRIMARY_CONTROLS) & CR3_EXITING;
	uint64_t primary = hw_vmread(VMCS_PRIMARY_CONTROLS);

	unpaged->on = false;
	hw_vmwrite(VMCS_GUEST_CR3, unpaged->cr3);
	efer_set(unpaged->efer);
	hw_vmwrite(VMCS_PRIMARY_CONTROLS, (primary & ~(uint64_t)CR3_EXITING) | kept);
}

uint64_t unpaged_cr4(const struct vcpu *vcpu, uint64_t cr4)
{
	if (vcpu->unpaged.on)
		cr4 = (cr4 & ~PAGING_CR4) | CR4_PSE;
	return cr4 | vmx_cap(&hv.machine.caps, CR4_FIXED0) | CR4_VMXE;
}

uint64_t unpaged_cr0_mask(const struct unpaged *unpaged)
{
	return unpaged->table ? CR0_PE | CR0_PG : 0;
}

uint64_t unpaged_cr4_mask(const struct unpaged *unpaged)
{
	return unpaged->table ? PAGING_CR4 : 0;
}
