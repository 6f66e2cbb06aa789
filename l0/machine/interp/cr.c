/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Control registers: what may be written to them and what a write entails, SDM 2B "MOV--Move
 * to/from Control Registers", SDM 3A "Control Registers", "Operations that Invalidate TLBs and
 * Paging-Structure Caches". The instructions are in cr_insns.c.
 */
#include "l0/machine/interp/sys.h"

#define CR0_WRITABLE                                                                               \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
/* A change of these makes a MOV to CR0 or CR4 load the PDPTEs: SDM 3A "PDPTE Registers". */
#define CR0_PDPTE_BITS (CR0_CD | CR0_NW | CR0_PG)
#define CR4_PDPTE_BITS (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

/* SDM 3D "VMX-Fixed Bits in CR0"; an unrestricted guest may clear PE and PG. */
static bool cr0_vmx_allows(const struct cpu *cpu, uint64_t value)
{
	uint64_t fixed0;

	if (!cpu->vmx->on)
		return true;
	fixed0 = vmx_cap(cpu->vmx->caps, CR0_FIXED0);
	if (cpu->vmx->nonroot && (cpu->vmx->secondary & SECONDARY_UNRESTRICTED_GUEST))
		fixed0 &= ~(CR0_PE | CR0_PG);
	return (value & fixed0) == fixed0;
}

static bool cr0_valid(const struct cpu *cpu, uint64_t value)
{
	bool enables_paging = (value & CR0_PG) && !(cpu->cr0 & CR0_PG);

	if (value >> 32)
		return false;
	if ((value & CR0_PG) && !(value & CR0_PE))
		return false;
	if ((value & CR0_NW) && !(value & CR0_CD))
		return false;
	if (enables_paging && (cpu->efer & EFER_LME) &&
	    (!(cpu->cr4 & CR4_PAE) || (cpu->seg[SEG_CS].ar & AR_L)))
		return false;
	if (!(value & CR0_PG) && (cpu->cr0 & CR0_PG) &&
	    ((cpu->cr4 & CR4_PCIDE) || cpu_code64(cpu)))
		return false;
	if (!(value & CR0_WP) && (cpu->cr4 & CR4_CET))
		return false;
	return cr0_vmx_allows(cpu, value);
}

bool cpu_set_cr0(struct cpu *cpu, uint64_t value)
{
	uint64_t old = cpu->cr0, efer = cpu->efer;

	if (!cr0_valid(cpu, value))
		return false;
	value = (value & CR0_WRITABLE) | CR0_ET;
	if ((value ^ old) & CR0_PG)
		efer = (value & CR0_PG) && (efer & EFER_LME) ? efer | EFER_LMA : efer & ~EFER_LMA;
	if (pae_paging(value, cpu->cr4, efer) && ((value ^ old) & CR0_PDPTE_BITS) &&
	    !mmu_load_pdptes(cpu, cpu->cr3))
		return false;
	cpu->cr0 = value;
	cpu->efer = efer;
	if ((old & ~value) & CR0_PG)
		mmu_flush_current(cpu, true);
	cpu_mode_changed(cpu);
	return true;
}

bool cpu_set_cr3(struct cpu *cpu, uint64_t value)
{
	uint64_t reserved = ~((UINT64_C(1) << cpu->vmx->caps->maxphyaddr) - 1);
	bool pcide = cpu->cr4 & CR4_PCIDE, keep = pcide && (value & CR3_NOFLUSH);

	if (cpu->vmx->caps->cr4_valid & CR4_LAM_SUP)
		reserved &= ~(CR3_LAM_U48 | CR3_LAM_U57);
	if (pcide)
		value &= ~CR3_NOFLUSH;
	if (value & reserved)
		return false;
	if (pae_paging(cpu->cr0, cpu->cr4, cpu->efer) && !mmu_load_pdptes(cpu, value))
		return false;
	cpu->cr3 = value;
	cpu->pt.cr3_loaded = true;
	if (pcide && !keep)
		mmu_flush_pcid(cpu, value & CR3_PCID_MASK);
	else if (!pcide)
		mmu_flush_current(cpu, false);
	cpu_mode_changed(cpu);
	return true;
}

static bool cr4_vmx_allows(const struct cpu *cpu, uint64_t value)
{
	uint64_t fixed0, fixed1;

	if (!cpu->vmx->on)
		return true;
	fixed0 = vmx_cap(cpu->vmx->caps, CR4_FIXED0);
	fixed1 = vmx_cap(cpu->vmx->caps, CR4_FIXED1);
	return (value & fixed0) == fixed0 && !(value & ~fixed1);
}

static bool cr4_valid(const struct cpu *cpu, uint64_t value)
{
	uint64_t set = value & ~cpu->cr4;

	if (value & ~cpu->vmx->caps->cr4_valid)
		return false;
	if (cpu_long_mode(cpu) && (!(value & CR4_PAE) || ((value ^ cpu->cr4) & CR4_LA57)))
		return false;
	if ((set & CR4_PCIDE) && (!cpu_long_mode(cpu) || (cpu->cr3 & CR3_PCID_MASK)))
		return false;
	if ((value & CR4_CET) && !(cpu->cr0 & CR0_WP))
		return false;
	return cr4_vmx_allows(cpu, value);
}

bool cpu_set_cr4(struct cpu *cpu, uint64_t value)
{
	uint64_t changed = value ^ cpu->cr4;

	if (!cr4_valid(cpu, value))
		return false;
	if (pae_paging(cpu->cr0, value, cpu->efer) && (changed & CR4_PDPTE_BITS) &&
	    !mmu_load_pdptes(cpu, cpu->cr3))
		return false;
	cpu->cr4 = value;
	if ((changed & (CR4_PGE | CR4_PAE | CR4_PSE)) || (changed & ~value & CR4_PCIDE))
		mmu_flush_current(cpu, true);
	else if (changed & value & CR4_SMEP)
		mmu_flush_current(cpu, false);
	cpu_mode_changed(cpu);
	return true;
}

bool cpu_set_efer(struct cpu *cpu, uint64_t value)
{
	if (value & ~(cpu->vmx->caps->efer_valid | EFER_LMA))
		return false;
	if (((value ^ cpu->efer) & EFER_LME) && (cpu->cr0 & CR0_PG))
		return false;
	cpu->efer = (value & ~EFER_LMA) | (cpu->efer & EFER_LMA);
	cpu_mode_changed(cpu);
	return true;
}
