/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The virtual APIC: TPR, PPR, EOI and self-IPI virtualization, recognition and delivery of virtual
 * interrupts, posted interrupts. SDM 3C "APIC Virtualization and Virtual Interrupts". The
 * virtual-APIC page has the xAPIC's layout; registers are named by their offsets there.
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/vmx/private.h"

enum { VTPR = 0x80, VPPR = 0xa0, VEOI = 0xb0, VISR = 0x100, VIRR = 0x200 };

uint32_t vmx_vapic_read(struct cpu *cpu, unsigned offset)
{
	return (uint32_t)phys_read(cpu, vmx_private(cpu)->virtual_apic + offset, 4);
}

void vmx_vapic_write(struct cpu *cpu, unsigned offset, uint32_t value)
{
	phys_write(cpu, vmx_private(cpu)->virtual_apic + offset, 4, value);
}

/* ---- the 256-bit registers and the guest interrupt status ---- */

static void set_bit(struct cpu *cpu, unsigned reg, uint8_t vector, bool on)
{
	unsigned offset = reg + (vector >> 5) * 0x10;
	uint32_t word = vmx_vapic_read(cpu, offset), bit = BIT32(vector & 31);

	vmx_vapic_write(cpu, offset, on ? word | bit : word & ~bit);
}

static uint8_t highest_bit(uint32_t word)
{
	return (uint8_t)(31 - __builtin_clz(word));
}

/* Highest vector set, 0 if there is none. */
static uint8_t highest_vector(struct cpu *cpu, unsigned reg)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t word = vmx_vapic_read(cpu, reg + (unsigned)i * 0x10);

		if (word)
			return (uint8_t)(i * 32 + highest_bit(word));
	}
	return 0;
}

/* GUEST_INTERRUPT_STATUS: 7:0 RVI | 15:8 SVI */
static uint8_t rvi(const struct cpu *cpu)
{
	return (uint8_t)vmcs_get(cpu->vmx->vmcs, GUEST_INTERRUPT_STATUS);
}

static uint8_t svi(const struct cpu *cpu)
{
	return (uint8_t)(vmcs_get(cpu->vmx->vmcs, GUEST_INTERRUPT_STATUS) >> 8);
}

static void set_status(struct cpu *cpu, uint8_t requesting, uint8_t servicing)
{
	vmcs_set(cpu->vmx->vmcs, GUEST_INTERRUPT_STATUS, (uint32_t)servicing << 8 | requesting);
}

static void raise_rvi(struct cpu *cpu, uint8_t vector)
{
	if (vector > rvi(cpu))
		set_status(cpu, vector, svi(cpu));
}

/* ---- recognition and delivery ---- */

/* SDM 3C "PPR Virtualization" */
static void ppr_virtualization(struct cpu *cpu)
{
	uint32_t tpr = vmx_vapic_read(cpu, VTPR) & 0xff;
	uint8_t servicing = svi(cpu);

	vmx_vapic_write(cpu, VPPR, tpr >> 4 >= servicing >> 4 ? tpr : servicing & 0xf0u);
}

/* SDM 3C "Evaluation of Pending Virtual Interrupts" */
void vmx_evaluate_virtual_interrupts(struct cpu *cpu)
{
	uint32_t ppr = vmx_vapic_read(cpu, VPPR) & 0xff;

	vmx_private(cpu)->virtual_interrupt =
		!vmx_primary(cpu, PRIMARY_INTERRUPT_WINDOW_EXITING) && rvi(cpu) >> 4 > ppr >> 4;
	if (vmx_private(cpu)->virtual_interrupt)
		cpu->attention = true;
}

/* SDM 3C "Virtual-Interrupt Delivery" */
void vmx_deliver_virtual_interrupt(struct cpu *cpu)
{
	uint8_t vector = rvi(cpu);

	set_bit(cpu, VISR, vector, true);
	vmx_vapic_write(cpu, VPPR, vector & 0xf0u);
	set_bit(cpu, VIRR, vector, false);
	set_status(cpu, highest_vector(cpu, VIRR), vector);
	vmx_private(cpu)->virtual_interrupt = false;
	cpu->activity = ACTIVITY_ACTIVE;
	cpu->event =
		(struct cpu_event){.valid = true, .vector = vector, .type = INTR_TYPE_EXTERNAL};
}

/* ---- virtualization of single registers ---- */

static void pend(struct cpu *cpu, enum pending_apic what, uint32_t value)
{
	vmx_private(cpu)->apic_pending = what;
	vmx_private(cpu)->apic_offset = value;
	cpu->attention = true;
}

void vmx_apic_pend_write(struct cpu *cpu, uint32_t offset)
{
	pend(cpu, APIC_WRITE, offset);
}

static bool below_threshold(struct cpu *cpu)
{
	return (vmx_vapic_read(cpu, VTPR) >> 4 & 0xf) <
	       (vmcs_get(cpu->vmx->vmcs, TPR_THRESHOLD) & 0xf);
}

/* SDM 3C "TPR Virtualization" */
void vmx_tpr_virtualization(struct cpu *cpu)
{
	if (!vmx_secondary(cpu, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)) {
		if (below_threshold(cpu))
			pend(cpu, APIC_TPR_THRESHOLD, 0);
		return;
	}
	ppr_virtualization(cpu);
	vmx_evaluate_virtual_interrupts(cpu);
}

static bool eoi_exits(const struct cpu *cpu, uint8_t vector)
{
	const uint64_t *bitmap = &cpu->vmx->vmcs->field[VMCS_INDEX_EOI_EXIT_BITMAP0];

	return bitmap[vector >> 6] >> (vector & 63) & 1;
}

/* SDM 3C "EOI Virtualization" */
void vmx_eoi_virtualization(struct cpu *cpu)
{
	uint8_t vector = svi(cpu);

	set_bit(cpu, VISR, vector, false);
	set_status(cpu, rvi(cpu), highest_vector(cpu, VISR));
	ppr_virtualization(cpu);
	if (eoi_exits(cpu, vector))
		pend(cpu, APIC_EOI, vector);
	else
		vmx_evaluate_virtual_interrupts(cpu);
}

/* SDM 3C "Self-IPI Virtualization" */
void vmx_self_ipi_virtualization(struct cpu *cpu, uint8_t vector)
{
	set_bit(cpu, VIRR, vector, true);
	raise_rvi(cpu, vector);
	vmx_evaluate_virtual_interrupts(cpu);
}

/* ---- posted interrupts ---- */

static void dismiss(struct cpu *cpu)
{
	struct lapic *lapic = cpu->machine->lapic;

	if (!lapic)
		return;
	if (lapic_base(lapic) & APIC_BASE_EXTD)
		(void)lapic_msr_write(lapic, MSR_IA32_X2APIC_FIRST + (VEOI >> 4), 0);
	else
		lapic_mmio_write(lapic, VEOI, 0);
}

/* SDM 3C "Posted-Interrupt Processing". Descriptor: 255:0 requests | 256 notification pending */
bool vmx_posted_interrupt(struct cpu *cpu, uint8_t vector)
{
	uint64_t descriptor = vmcs_get(cpu->vmx->vmcs, POSTED_INTERRUPT_DESCRIPTOR);
	uint8_t highest = 0;

	if (vector != vmcs_get(cpu->vmx->vmcs, POSTED_INTERRUPT_NOTIFICATION_VECTOR))
		return false;
	phys_write(cpu, descriptor + 32, 1, phys_read(cpu, descriptor + 32, 1) & ~UINT64_C(1));
	dismiss(cpu);
	for (unsigned i = 0; i < 8; i++) {
		uint32_t word = (uint32_t)phys_read(cpu, descriptor + i * 4, 4);

		if (!word)
			continue;
		phys_write(cpu, descriptor + i * 4, 4, 0);
		vmx_vapic_write(cpu, VIRR + i * 0x10, vmx_vapic_read(cpu, VIRR + i * 0x10) | word);
		highest = (uint8_t)(i * 32 + highest_bit(word));
	}
	raise_rvi(cpu, highest);
	vmx_evaluate_virtual_interrupts(cpu);
	return true;
}

/* ---- entry, and what waits for the end of an instruction ---- */

/* SDM 3C "VM Exits Induced by the TPR Threshold", "Updating Virtual APIC State after VM Entry" */
void vmx_apic_entry(struct cpu *cpu)
{
	if (!vmx_primary(cpu, PRIMARY_USE_TPR_SHADOW))
		return;
	if (vmx_secondary(cpu, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)) {
		ppr_virtualization(cpu);
		vmx_evaluate_virtual_interrupts(cpu);
	} else if (vmx_secondary(cpu, SECONDARY_VIRTUALIZE_APIC_ACCESSES) && below_threshold(cpu)) {
		pend(cpu, APIC_TPR_THRESHOLD, 0);
	}
}

void vmx_apic_pending(struct cpu *cpu)
{
	static const enum vmx_exit_reason reasons[] = {
		[APIC_WRITE] = EXIT_REASON_APIC_WRITE,
		[APIC_EOI] = EXIT_REASON_VIRTUALIZED_EOI,
		[APIC_TPR_THRESHOLD] = EXIT_REASON_TPR_BELOW_THRESHOLD,
	};
	struct vmx_private *private = vmx_private(cpu);
	struct vmx_exit_info info = {.trap = true};

	if (private->apic_pending == APIC_EMULATE) {
		private->apic_pending = APIC_NOTHING;
		if (!vmx_apic_emulate_write(cpu, private->apic_offset))
			pend(cpu, APIC_WRITE, private->apic_offset);
	}
	if (private->apic_pending == APIC_NOTHING)
		return;
	info.reason = reasons[private->apic_pending];
	info.qualification = private->apic_offset;
	vmx_exit_with(cpu, &info);
}
