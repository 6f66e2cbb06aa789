/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Puts the board together. What a device claims and where is its own file's business.
 */
#include "l0/machine/devices/platform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "l0/machine/console.h"
#include "l0/machine/devices/hpet.h"
#include "l0/machine/devices/ioapic.h"
#include "l0/machine/devices/lapic.h"
#include "l0/machine/devices/pic.h"
#include "l0/machine/devices/uart.h"
#include "l0/machine/machine.h"

struct allocation {
	struct allocation *next;
	uint8_t data[] __attribute__((aligned(16)));
};

void *machine_alloc(struct machine *machine, size_t size)
{
	struct allocation *allocation = calloc(1, sizeof(*allocation) + size);

	if (!allocation) {
		fprintf(stderr, "abyme: out of memory\n");
		abort();
	}
	allocation->next = machine->allocations;
	machine->allocations = allocation;
	return allocation->data;
}

static void com1_put(void *opaque, uint8_t byte)
{
	console_put(opaque, byte);
}

static int com1_get(void *opaque)
{
	return console_get(opaque);
}

/* Nothing is plugged into COM2. */
static void com2_put(void *opaque, uint8_t byte)
{
}

static void devices_create(struct machine *machine)
{
	const struct uart_line com1 = { com1_put, com1_get, machine->console };
	const struct uart_line com2 = { com2_put, NULL, NULL };

	machine->lapic = lapic_create(machine);
	machine->ioapic = ioapic_create(machine);
	machine->pic = pic_create(machine);
	uart_create(machine, 0x3f8, 4, &com1);
	uart_create(machine, 0x2f8, 3, &com2);
	pit_create(machine);
	rtc_create(machine);
	i8042_create(machine);
	fpu_port_create(machine);
	hpet_create(machine);
	acpi_pm_create(machine);
	pci_create(machine);
	reset_ports_create(machine); /* after PCI: 0xcf9 lies within its address register */
	debug_ports_create(machine);
	log_port_create(machine);
	guard_port_create(machine);
	fw_cfg_create(machine);
}

device_creator device_find(const char *name)
{
	static const struct {
		const char *name;
		device_creator create;
	} optional[] = {
		{ "testdev", test_device_create },
		{ "biostimer", bios_timer_create },
	};

	for (unsigned i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
		if (!strcmp(name, optional[i].name))
			return optional[i].create;
	return NULL;
}

bool machine_init(struct machine *machine, uint64_t ram_size, const char *serial)
{
	memset(machine, 0, sizeof(*machine));
	if (!memory_init(&machine->memory, ram_size)) {
		fprintf(stderr,
			"abyme: cannot give the guest %llu MiB of memory; choose a --mem of at most "
			"%llu MiB that the host's address space has room for\n",
			(unsigned long long)ram_size >> 20, (unsigned long long)MEMORY_MAX >> 20);
		return false;
	}
	machine->console = console_open(machine, serial);
	if (!machine->console) {
		fprintf(stderr, "abyme: cannot open %s: %s\n", serial, strerror(errno));
		memory_free(&machine->memory);
		return false;
	}
	devices_create(machine);
	return true;
}

static void devices_destroy(struct machine *machine)
{
	while (machine->allocations) {
		struct allocation *allocation = machine->allocations;

		machine->allocations = allocation->next;
		free(allocation);
	}
}

bool machine_power_cycle(struct machine *machine)
{
	struct cpu *cpu = machine->cpu;

	if (!machine->cpu_ops->power_cycle)
		return false;
	devices_destroy(machine);
	console_power_cycle(machine->console);
	memory_clear(&machine->memory);
	*machine = (struct machine){ .memory = machine->memory, .console = machine->console,
				     .cpu_ops = machine->cpu_ops };
	devices_create(machine);
	machine->cpu = cpu;
	machine->cpu_ops->power_cycle(cpu);
	return true;
}

void machine_free(struct machine *machine)
{
	if (machine->cpu)
		machine->cpu_ops->destroy(machine->cpu);
	console_close(machine->console);
	devices_destroy(machine);
	memory_free(&machine->memory);
	memset(machine, 0, sizeof(*machine));
}
