/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MOV to CR0, CR4, CR3 and WRMSR IA32_EFER by L1, when they exit: with all that the CPU would have
 * checked and changed. SDM 3A "Control Registers", "Switching Out of IA-32e Mode Operation",
 * "Initializing IA-32e Mode"; SDM 3A "Paging" for the faults.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "l0/hv/range.h"

#define CR0_DEFINED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define PDPTE_COUNT 4
#define CR3_PAE_BASE UINT64_C(0xffffffe0)

/* Paging changed behind the CPU's back: with VPIDs it would keep old translations. */
static void flush_translations(void)
{
	if (machine_has(&hv.machine, VMX_FEATURE_INVVPID))
		hw_invvpid(INVVPID_SINGLE, 1, 0);
}

static uint64_t address_mask(void)
{
	return (UINT64_C(1) << hv.machine.caps.maxphyaddr) - 1;
}

/* SDM 3A "PDPTE Registers". False: a present entry has reserved bits set. */
static bool load_pdptes(uint64_t cr3)
{
	static const enum vmcs_field fields[PDPTE_COUNT] = {VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE1,
							    VMCS_GUEST_PDPTE2, VMCS_GUEST_PDPTE3};
	const struct range *range = range_find((struct l1_gpa){cr3 & CR3_PAE_BASE});
	uint64_t pdpte[PDPTE_COUNT];

	if (!range || !range->ram)
		return false;
	memcpy(pdpte, memory_pointer((cr3 & CR3_PAE_BASE) - range->gpa + range->hpa),
	       sizeof(pdpte));
	for (unsigned i = 0; i < PDPTE_COUNT; i++)
		if (pdpte[i] & PTE_P &&
		    pdpte[i] & (PDPTE_RESERVED | (~address_mask() & ~PTE_NX) | PTE_NX))
			return false;
	for (unsigned i = 0; i < PDPTE_COUNT; i++)
		hw_vmwrite(fields[i], pdpte[i]);
	return true;
}

static bool in_64bit_code(uint64_t efer)
{
	return efer & EFER_LMA && hw_vmread(VMCS_GUEST_CS_ACCESS_RIGHTS) & AR_L;
}

static bool cr0_valid(uint64_t value, uint64_t cr4, uint64_t efer)
{
	if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) ||
	    (value & CR0_NW && !(value & CR0_CD)) || (cr4 & CR4_CET && !(value & CR0_WP)))
		return false;
	if (value & CR0_PG)
		return !(efer & EFER_LME) || efer & EFER_LMA ||
		       (cr4 & CR4_PAE && !(hw_vmread(VMCS_GUEST_CS_ACCESS_RIGHTS) & AR_L));
	return !in_64bit_code(efer) && !(cr4 & CR4_PCIDE);
}

/* The running guest's IA32_EFER. Where the VMCS has no field for it, LME and LMA follow the entry
 * control and the other bits are the CPU's own, which the hypervisor does not depend on (SDM 3C
 * "Loading Guest Control Registers, Debug Registers, and MSRs"). */
uint64_t efer_get(void)
{
	uint64_t efer;

	if (machine_has(&hv.machine, VMX_FEATURE_EFER))
		return hw_vmread(VMCS_GUEST_IA32_EFER);
	efer = hw_rdmsr(MSR_IA32_EFER) & ~(EFER_LME | EFER_LMA);
	return hw_vmread(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST ? efer | EFER_LME | EFER_LMA
								       : efer;
}

void efer_set(uint64_t value)
{
	if (machine_has(&hv.machine, VMX_FEATURE_EFER))
		hw_vmwrite(VMCS_GUEST_IA32_EFER, value);
	else
		hw_wrmsr(MSR_IA32_EFER, value | EFER_LME | EFER_LMA);
}

/* Enters or leaves IA-32e mode where CR0.PG changes under EFER.LME. */
static void set_long_mode(uint64_t efer, bool on)
{
	uint64_t controls = hw_vmread(VMCS_ENTRY_CONTROLS);

	efer_set(on ? efer | EFER_LMA : efer & ~EFER_LMA);
	hw_vmwrite(VMCS_ENTRY_CONTROLS, on ? controls | ENTRY_IA32E_MODE_GUEST
					   : controls & ~(uint64_t)ENTRY_IA32E_MODE_GUEST);
}

/* VM entries and exits leave CD and NW alone (SDM 3C "Loading Guest Control Registers, Debug
 * Registers, and MSRs"): the CPU has one pair of them, which is the guest's. */
static void set_cache_bits(uint64_t value)
{
	uint64_t bits = CR0_CD | CR0_NW, real = hw_read_cr0();

	if ((real ^ value) & bits)
		hw_write_cr0((real & ~bits) | (value & bits));
}

uint64_t cr0_read(const struct vcpu *vcpu)
{
	uint64_t mask = vmcs_get(&vcpu->vmcs01, CR0_GUEST_HOST_MASK);

	return (hw_vmread(VMCS_GUEST_CR0) & ~mask) | (hw_vmread(VMCS_CR0_READ_SHADOW) & mask);
}

static uint64_t cr4_seen(const struct vcpu *vcpu)
{
	uint64_t mask = vmcs_get(&vcpu->vmcs01, CR4_GUEST_HOST_MASK);

	return (hw_vmread(VMCS_GUEST_CR4) & ~mask) | (hw_vmread(VMCS_CR4_READ_SHADOW) & mask);
}

uint64_t cr3_read(const struct vcpu *vcpu)
{
	return vcpu->unpaged.on ? vcpu->unpaged.cr3 : hw_vmread(VMCS_GUEST_CR3);
}

uint64_t efer_read(const struct vcpu *vcpu)
{
	return vcpu->unpaged.on ? vcpu->unpaged.efer : efer_get();
}

/* A CPU without unrestricted guest needs to be told when paging goes off and on. */
static void change_paging(struct vcpu *vcpu, uint64_t cr0)
{
	bool unpaged = vcpu->unpaged.table && !(cr0 & CR0_PG);

	if (vcpu->unpaged.table && !(cr0 & CR0_PE))
		hv_end_guest(vcpu, "real mode, which this CPU's VMX can't run");
	if (unpaged == vcpu->unpaged.on)
		return;
	if (unpaged)
		unpaged_enter(vcpu);
	else
		unpaged_leave(vcpu);
	hw_vmwrite(VMCS_GUEST_CR4, unpaged_cr4(vcpu, cr4_seen(vcpu)));
}

bool cr0_write(struct vcpu *vcpu, uint64_t value)
{
	uint64_t fixed = vmcs_get(&vcpu->vmcs01, CR0_GUEST_HOST_MASK) &
			 vmx_cap(&hv.machine.caps, CR0_FIXED0);
	uint64_t cr4 = cr4_seen(vcpu), efer = efer_read(vcpu), changed;

	if (!cr0_valid(value, cr4, efer) || !shadow_cr0_allowed(&vcpu->shadow, value))
		return false;
	value = (value & CR0_DEFINED) | CR0_ET;
	changed = value ^ cr0_read(vcpu);
	if (value & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LME) &&
	    changed & (CR0_PG | CR0_CD | CR0_NW) && !load_pdptes(cr3_read(vcpu)))
		return false;
	if (changed & CR0_PG && efer & EFER_LME && !(value & CR0_PG))
		set_long_mode(efer, false);
	change_paging(vcpu, value);
	if (changed & CR0_PG && efer & EFER_LME && value & CR0_PG)
		set_long_mode(efer, true);
	set_cache_bits(value);
	hw_vmwrite(VMCS_CR0_READ_SHADOW, value);
	hw_vmwrite(VMCS_GUEST_CR0, value | fixed);
	if (changed & (CR0_PG | CR0_WP | CR0_PE))
		flush_translations();
	return true;
}

static bool cr4_valid(struct vcpu *vcpu, uint64_t value, uint64_t changed, uint64_t efer)
{
	if (value & ~vmx_cap(&hv.machine.caps, CR4_FIXED1) || value & CR4_SMXE)
		return false;
	if (efer & EFER_LMA && (!(value & CR4_PAE) || changed & CR4_LA57))
		return false;
	if (value & CR4_CET && !(cr0_read(vcpu) & CR0_WP))
		return false;
	if (changed & value & CR4_PCIDE)
		return efer & EFER_LMA && !(cr3_read(vcpu) & CR3_PCID_MASK);
	return true;
}

bool cr4_write(struct vcpu *vcpu, uint64_t value)
{
	uint64_t efer = efer_read(vcpu), changed = value ^ cr4_seen(vcpu);

	if (!cr4_valid(vcpu, value, changed, efer) || !shadow_cr4_allowed(&vcpu->shadow, value))
		return false;
	if (cr0_read(vcpu) & CR0_PG && value & CR4_PAE && !(efer & EFER_LMA) &&
	    changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) && !load_pdptes(cr3_read(vcpu)))
		return false;
	hw_vmwrite(VMCS_CR4_READ_SHADOW, value);
	hw_vmwrite(VMCS_GUEST_CR4, unpaged_cr4(vcpu, value));
	if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE))
		flush_translations();
	return true;
}

/* SDM 3A "Linear-Address Masking" */
static uint64_t lam_bits(void)
{
	bool lam = vmx_cap(&hv.machine.caps, CR4_FIXED1) & CR4_LAM_SUP;

	return lam ? CR3_LAM_U48 | CR3_LAM_U57 : 0;
}

bool cr3_write(struct vcpu *vcpu, uint64_t value)
{
	uint64_t cr4 = cr4_seen(vcpu), efer = efer_read(vcpu);
	bool keep = cr4 & CR4_PCIDE && value & CR3_NOFLUSH;

	if (cr4 & CR4_PCIDE)
		value &= ~CR3_NOFLUSH;
	if (efer & EFER_LMA && value & ~(address_mask() | lam_bits()))
		return false;
	if (vcpu->unpaged.on) {
		vcpu->unpaged.cr3 = value;
		return true;
	}
	if (cr0_read(vcpu) & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LMA) && !load_pdptes(value))
		return false;
	hw_vmwrite(VMCS_GUEST_CR3, value);
	if (!keep && machine_has(&hv.machine, VMX_FEATURE_INVVPID))
		hw_invvpid(INVVPID_SINGLE_NONGLOBAL, 1, 0);
	return true;
}

bool efer_write(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = efer_read(vcpu), writable = EFER_SCE | EFER_LME | EFER_NXE;

	if (value & ~(writable | EFER_LMA))
		return false;
	if ((value ^ old) & EFER_LME && cr0_read(vcpu) & CR0_PG)
		return false;
	value = (value & writable) | (old & EFER_LMA);
	if (vcpu->unpaged.on) {
		vcpu->unpaged.efer = value;
		value &= ~EFER_LME;
	}
	efer_set(value);
	if ((value ^ old) & EFER_NXE)
		flush_translations();
	return true;
}
