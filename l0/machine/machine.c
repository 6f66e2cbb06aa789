/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Port and MMIO dispatch, the interrupt lines between devices and CPU, and the end of a run.
 */
#include "l0/machine/machine.h"

#include <inttypes.h>

#include "l0/machine/debug/watch.h"
#include "l0/machine/devices/ioapic.h"
#include "l0/machine/devices/lapic.h"
#include "l0/machine/devices/pic.h"

#define ISA_IRQS 16
#define PIT_IOAPIC_PIN 2 /* as the MADT's interrupt source override says */

static uint64_t all_ones(unsigned size)
{
	return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

static void region_add(struct region **list, struct region *region)
{
	region->next = *list;
	*list = region;
}

void machine_add_ports(struct machine *machine, struct region *region)
{
	region_add(&machine->ports, region);
}

void machine_add_mmio(struct machine *machine, struct region *region)
{
	region_add(&machine->mmio, region);
}

static const struct region *region_find(const struct region *list, uint64_t address)
{
	for (; list; list = list->next)
		if (address - list->base < list->length)
			return list;
	return NULL;
}

/* Size of the pieces in which an access reaches `region`. */
static unsigned piece_size(const struct region *region, uint64_t address, unsigned size)
{
	if (address - region->base + size > region->length)
		return 1;
	return region->max_size && size > region->max_size ? region->max_size : size;
}

static uint64_t region_read(const struct region *list, uint64_t address, unsigned size)
{
	const struct region *region = region_find(list, address);
	uint64_t value = 0;

	if (!region || !region->read)
		return all_ones(size);
	unsigned piece = piece_size(region, address, size);
	if (piece == size)
		return region->read(region->opaque, address - region->base, size) & all_ones(size);
	for (unsigned i = 0; i < size; i += piece)
		value |= region_read(list, address + i, piece) << (8 * i);
	return value;
}

static void region_write(const struct region *list, uint64_t address, unsigned size, uint64_t value)
{
	const struct region *region = region_find(list, address);

	if (!region || !region->write)
		return;
	unsigned piece = piece_size(region, address, size);
	if (piece == size) {
		region->write(region->opaque, address - region->base, size,
			      value & all_ones(size));
		return;
	}
	for (unsigned i = 0; i < size; i += piece)
		region_write(list, address + i, piece, value >> (8 * i));
}

static void watch_io(struct machine *machine, const char *what, uint64_t address, unsigned size,
		     uint64_t value)
{
	if (watches(machine, WATCH_IO))
		watch_tell(machine, "%s%u %" PRIx64 " = %" PRIx64, what, 8 * size, address,
			   value & all_ones(size));
}

uint64_t machine_port_read(struct machine *machine, uint16_t port, unsigned size)
{
	uint64_t value = region_read(machine->ports, port, size);

	watch_io(machine, "in", port, size, value);
	return value;
}

void machine_port_write(struct machine *machine, uint16_t port, unsigned size, uint64_t value)
{
	watch_io(machine, "out", port, size, value);
	region_write(machine->ports, port, size, value);
}

bool machine_port_is_fast(const struct machine *machine, uint16_t port)
{
	const struct region *region = region_find(machine->ports, port);

	return region && region->fast;
}

void machine_port_write_run(struct machine *machine, uint16_t port, unsigned size,
			    const uint8_t *elements, uint64_t count)
{
	const struct region *region = region_find(machine->ports, port);

	if (region && region->write_run && piece_size(region, port, size) == size) {
		region->write_run(region->opaque, port - region->base, size, elements, count);
		return;
	}
	for (uint64_t i = 0; i < count; i++) {
		uint64_t value = 0;

		for (unsigned k = 0; k < size; k++)
			value |= (uint64_t)elements[i * size + k] << 8 * k;
		region_write(machine->ports, port, size, value);
	}
}

uint64_t machine_mmio_read(struct machine *machine, uint64_t hpa, unsigned size)
{
	uint64_t value = region_read(machine->mmio, hpa, size);

	watch_io(machine, "read", hpa, size, value);
	return value;
}

void machine_mmio_write(struct machine *machine, uint64_t hpa, unsigned size, uint64_t value)
{
	watch_io(machine, "write", hpa, size, value);
	region_write(machine->mmio, hpa, size, value);
}

void machine_poke(struct machine *machine)
{
	if (machine->cpu)
		machine->cpu_ops->poke(machine->cpu);
}

void machine_schedule(struct machine *machine, struct event *event, uint64_t when)
{
	event_schedule(&machine->events, event, when);
	machine_poke(machine);
}

void machine_cancel(struct machine *machine, struct event *event)
{
	event_cancel(&machine->events, event);
}

void machine_stop(struct machine *machine, enum machine_stop why, uint32_t value)
{
	if (machine->stop != STOP_NONE)
		return;
	machine->stop_value = value;
	machine->stop = why;
	machine_poke(machine);
}

void machine_set_a20(struct machine *machine, enum a20_source source, bool on)
{
	unsigned off = on ? machine->a20_off & ~source : machine->a20_off | source;
	bool changed = (off == A20_SOURCES) != (machine->a20_off == A20_SOURCES);

	machine->a20_off = off;
	if (changed && machine->cpu && machine->cpu_ops->a20_changed)
		machine->cpu_ops->a20_changed(machine->cpu);
}

void irq_set(struct machine *machine, unsigned gsi, bool level)
{
	if (machine->cpu && machine->cpu_ops->irq) {
		machine->cpu_ops->irq(machine->cpu, gsi, level);
		return;
	}
	if (gsi < ISA_IRQS)
		pic_set_irq(machine->pic, gsi, level);
	ioapic_set_pin(machine->ioapic, gsi == 0 ? PIT_IOAPIC_PIN : gsi, level);
}

void irq_set_timer(struct machine *machine, unsigned gsi, bool level)
{
	if (!machine->legacy_replaced)
		irq_set(machine, gsi, level);
}

/* The PICs' output reaches the CPU through LINT0 in ExtINT mode, or directly while the local
 * APIC is disabled: SDM 3A "Local APIC Status and Location", "Local Vector Table". It comes
 * first. */
static bool extint_pending(struct machine *machine)
{
	return pic_output(machine->pic) && lapic_accepts_extint(machine->lapic);
}

bool machine_interrupt_pending(struct machine *machine)
{
	return extint_pending(machine) || lapic_pending(machine->lapic);
}

uint8_t machine_interrupt_ack(struct machine *machine)
{
	/* Nothing pending any more: whoever raised INTR answers with its spurious vector. */
	if (extint_pending(machine) ||
	    (lapic_accepts_extint(machine->lapic) && !lapic_pending(machine->lapic)))
		return pic_ack(machine->pic);
	return lapic_ack(machine->lapic);
}
