/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How the guest reaches its virtual APIC: MOV CR8, the APIC-access page, RDMSR and WRMSR in x2APIC
 * mode. SDM 3C "Virtualizing CR8-Based TPR Accesses", "Virtualizing Memory-Mapped APIC Accesses",
 * "Virtualizing MSR-Based APIC Accesses".
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/vmx/private.h"

enum {
	APIC_TPR = 0x80,
	APIC_EOI_REGISTER = 0xb0,
	APIC_ICR_LOW = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_SELF_IPI = 0x3f0,
};

/* ---- CR8 ---- */

bool vmx_read_cr8(struct cpu *cpu, uint64_t *value)
{
	if (!cpu->vmx->nonroot || !vmx_primary(cpu, PRIMARY_USE_TPR_SHADOW))
		return false;
	*value = vmx_vapic_read(cpu, APIC_TPR) >> 4 & 0xf;
	return true;
}

bool vmx_write_cr8(struct cpu *cpu, uint64_t value)
{
	if (!cpu->vmx->nonroot || !vmx_primary(cpu, PRIMARY_USE_TPR_SHADOW))
		return false;
	vmx_vapic_write(cpu, APIC_TPR, (uint32_t)(value & 0xf) << 4);
	vmx_tpr_virtualization(cpu);
	return true;
}

/* ---- the APIC-access page ---- */

/* Registers as bits of offset >> 4. */
#define REG_BIT(offset) (UINT64_C(1) << ((offset) >> 4))
#define REG_BITS(first, last) (REG_BIT(last) * 2 - REG_BIT(first))
#define WRITABLE                                                                                   \
	(REG_BIT(0x20) | REG_BIT(0x80) | REG_BIT(0xb0) | REG_BITS(0xd0, 0xf0) | REG_BIT(0x280) |   \
	 REG_BITS(0x300, 0x310) | REG_BITS(0x320, 0x380) | REG_BIT(0x3e0))
#define READABLE (WRITABLE | REG_BIT(0x30) | REG_BITS(0x100, 0x270))

/* SDM 3C "Virtualizing Reads from the APIC-Access Page" */
static uint64_t readable(const struct cpu *cpu)
{
	return vmx_secondary(cpu, SECONDARY_APIC_REGISTER_VIRTUALIZATION) ? READABLE :
									    REG_BIT(APIC_TPR);
}

/* SDM 3C "Determining Whether a Write Access is Virtualized" */
static uint64_t writable(const struct cpu *cpu)
{
	if (vmx_secondary(cpu, SECONDARY_APIC_REGISTER_VIRTUALIZATION))
		return WRITABLE;
	if (vmx_secondary(cpu, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY))
		return REG_BIT(APIC_TPR) | REG_BIT(APIC_EOI_REGISTER) | REG_BIT(APIC_ICR_LOW);
	return REG_BIT(APIC_TPR);
}

static bool is_virtualized(const struct cpu *cpu, uint64_t registers, unsigned offset,
			   unsigned size)
{
	return vmx_primary(cpu, PRIMARY_USE_TPR_SHADOW) && offset < 0x400 &&
	       (offset & 15) + size <= 4 && (registers >> (offset >> 4) & 1);
}

/* SDM 3C "Exit Qualification for APIC-Access VM Exits": 11:0 offset | 15:12 type: 0 read, 1 write,
 * 2 fetch, 3 during event delivery. */
static _Noreturn void access_exit(struct cpu *cpu, unsigned offset, unsigned access)
{
	uint64_t type = cpu->delivering.valid ? 3 :
			access & MEM_FETCH    ? 2 :
			access & MEM_WRITE    ? 1 :
						0;

	vmx_exit(cpu, EXIT_REASON_APIC_ACCESS, offset | type << 12);
}

/* Types 10 and 15: guest-physical accesses during event delivery and otherwise. */
_Noreturn void vmx_exit_apic_access(struct cpu *cpu, unsigned offset)
{
	uint64_t type = cpu->delivering.valid ? 10 : 15;

	vmx_exit(cpu, EXIT_REASON_APIC_ACCESS, offset | type << 12);
}

uint64_t vmx_apic_read(struct cpu *cpu, unsigned offset, unsigned size, uint64_t linear,
		       unsigned access)
{
	(void)linear;
	if ((access & MEM_FETCH) || !is_virtualized(cpu, readable(cpu), offset, size))
		access_exit(cpu, offset, access);
	return phys_read(cpu, vmx_private(cpu)->virtual_apic + offset, size);
}

void vmx_apic_write(struct cpu *cpu, unsigned offset, unsigned size, uint64_t value,
		    uint64_t linear, unsigned access)
{
	struct vmx_private *private = vmx_private(cpu);

	(void)linear;
	if (!is_virtualized(cpu, writable(cpu), offset, size))
		access_exit(cpu, offset, access | MEM_WRITE);
	phys_write(cpu, private->virtual_apic + offset, size, value);
	private->apic_pending = APIC_EMULATE;
	private->apic_offset = offset & ~15u;
	cpu->attention = true;
}

/* What of ICR_LOW may be virtualized: reserved bits and delivery status 0, shorthand self, edge,
 * fixed, vector above 15. */
static bool is_self_ipi(uint32_t icr)
{
	return !(icr & UINT32_C(0xfff3b700)) && (icr >> 18 & 3) == 1 && (icr & 0xf0);
}

/* SDM 3C "APIC-Write Emulation". False: an APIC-write VM exit. */
bool vmx_apic_emulate_write(struct cpu *cpu, uint32_t offset)
{
	bool delivery = vmx_secondary(cpu, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
	uint32_t value = vmx_vapic_read(cpu, offset);

	switch (offset) {
	case APIC_TPR:
		vmx_vapic_write(cpu, APIC_TPR, value & 0xff);
		vmx_tpr_virtualization(cpu);
		return true;
	case APIC_EOI_REGISTER:
		if (!delivery)
			return false;
		vmx_vapic_write(cpu, APIC_EOI_REGISTER, 0);
		vmx_eoi_virtualization(cpu);
		return true;
	case APIC_ICR_LOW:
		if (!delivery || !is_self_ipi(value))
			return false;
		vmx_self_ipi_virtualization(cpu, (uint8_t)value);
		return true;
	case APIC_ICR_HIGH:
		vmx_vapic_write(cpu, APIC_ICR_HIGH, value & UINT32_C(0xff000000));
		return true;
	default:
		return false;
	}
}

/* ---- x2APIC MSRs ---- */

static unsigned msr_offset(uint32_t msr)
{
	return (msr & 0xff) << 4;
}

bool vmx_x2apic_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	if (!cpu->vmx->nonroot || !vmx_secondary(cpu, SECONDARY_VIRTUALIZE_X2APIC))
		return false;
	if (!vmx_secondary(cpu, SECONDARY_APIC_REGISTER_VIRTUALIZATION) &&
	    msr_offset(msr) != APIC_TPR)
		return false;
	*value = phys_read(cpu, vmx_private(cpu)->virtual_apic + msr_offset(msr), 8);
	return true;
}

/* Stores a register of the virtual-APIC page; #GP(0) if reserved bits are set. */
static void store_register(struct cpu *cpu, unsigned offset, uint64_t value, uint64_t valid)
{
	if (value & ~valid)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	phys_write(cpu, vmx_private(cpu)->virtual_apic + offset, 8, value);
}

/* SDM 3C "Virtualizing MSR-Based APIC Accesses": a vector below 16 is software's to handle. */
static void self_ipi(struct cpu *cpu, uint8_t vector)
{
	if (vector & 0xf0)
		vmx_self_ipi_virtualization(cpu, vector);
	else
		vmx_apic_pend_write(cpu, APIC_SELF_IPI);
}

bool vmx_x2apic_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	unsigned offset = msr_offset(msr);

	if (!cpu->vmx->nonroot || !vmx_secondary(cpu, SECONDARY_VIRTUALIZE_X2APIC))
		return false;
	if (offset == APIC_TPR) {
		store_register(cpu, offset, value, 0xff);
		vmx_tpr_virtualization(cpu);
		return true;
	}
	if (!vmx_secondary(cpu, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY))
		return false;
	if (offset == APIC_EOI_REGISTER) {
		store_register(cpu, offset, value, 0);
		vmx_eoi_virtualization(cpu);
		return true;
	}
	if (offset == APIC_SELF_IPI) {
		store_register(cpu, offset, value, 0xff);
		self_ipi(cpu, (uint8_t)value);
		return true;
	}
	return false;
}
