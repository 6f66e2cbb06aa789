/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Interrupt lines of a PC into KVM's controllers, and KVM's PIT, which has to be silent while the
 * HPET takes its place. Linux "Documentation/virt/kvm/api.rst": KVM_SET_GSI_ROUTING, KVM_SET_PIT2.
 */
#include "l0/machine/kvm/kvm.h"

#include <sys/ioctl.h>

#define ISA_IRQS 16
#define PIC_PINS 8
#define CASCADE 2
#define TIMER_PIN 2 /* of the IOAPIC: the MADT says so */
#define ROUTES (ISA_IRQS + KVM_IOAPIC_NUM_PINS)

bool kvm_route_interrupts(struct kvm_cpu *cpu)
{
	union {
		struct kvm_irq_routing table;
		uint8_t room[sizeof(struct kvm_irq_routing) +
			     ROUTES * sizeof(struct kvm_irq_routing_entry)];
	} routing = { 0 };
	struct kvm_irq_routing_entry *entries = routing.table.entries;
	unsigned n = 0;

	for (unsigned gsi = 0; gsi < KVM_IOAPIC_NUM_PINS; gsi++) {
		if (gsi == CASCADE)
			continue;
		if (gsi < ISA_IRQS)
			entries[n++] = (struct kvm_irq_routing_entry){
				.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP,
				.u.irqchip = { gsi < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER :
								KVM_IRQCHIP_PIC_SLAVE,
					       gsi % PIC_PINS } };
		entries[n++] = (struct kvm_irq_routing_entry){
			.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { KVM_IRQCHIP_IOAPIC, gsi ? gsi : TIMER_PIN } };
	}
	routing.table.nr = n;
	return !ioctl(cpu->vm, KVM_SET_GSI_ROUTING, &routing) || kvm_complain("interrupt routes");
}

void kvm_follow_legacy(struct kvm_cpu *cpu)
{
	bool replaced = cpu->machine->legacy_replaced;
	struct kvm_pit_state2 pit;

	if (replaced == cpu->legacy_replaced || ioctl(cpu->vm, KVM_GET_PIT2, &pit))
		return;
	pit.flags = replaced ? pit.flags | KVM_PIT_FLAGS_HPET_LEGACY :
			       pit.flags & ~KVM_PIT_FLAGS_HPET_LEGACY;
	if (!ioctl(cpu->vm, KVM_SET_PIT2, &pit))
		cpu->legacy_replaced = replaced;
}

/* Level-triggered or not is the IOAPIC's affair. */
void kvm_irq(struct cpu *opaque, unsigned gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	if (gsi < KVM_IOAPIC_NUM_PINS && ioctl(kvm_of(opaque)->vm, KVM_IRQ_LINE, &line))
		kvm_complain("interrupt line");
}
