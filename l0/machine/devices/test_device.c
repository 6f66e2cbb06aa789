/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The device that test images for emulated PCs know as pc-testdev; `--device testdev`. No real PC
 * has it. (The exit port is on every machine: debug_ports.c.)
 *
 *   0xe0 - 0xe3      what was last written there, in any width
 *   0xe4 - 0xe7      write: the host may forget the translation of a page; there is none to forget
 *   0x2000 + n       write: level of interrupt line n, n < 24; bit 0 counts
 *   ff000000         64 KiB of memory that is not RAM
 */
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define SCRATCH_PORT 0xe0
#define FLUSH_PORT 0xe4
#define IRQ_PORT 0x2000
#define IRQ_LINES 24
#define MEMORY_BASE UINT64_C(0xff000000)
#define MEMORY_SIZE 0x10000

struct test_device {
	struct machine *machine;
	struct region scratch_ports, flush_ports, irq_ports, memory_region;
	uint8_t scratch[4];
	uint8_t memory[MEMORY_SIZE];
};

static uint64_t bytes_read(const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

static void bytes_write(uint8_t *bytes, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		bytes[i] = value >> 8 * i;
}

static uint64_t scratch_read(void *opaque, uint64_t offset, unsigned size)
{
	return bytes_read(((struct test_device *)opaque)->scratch + offset, size);
}

static void scratch_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	bytes_write(((struct test_device *)opaque)->scratch + offset, size, value);
}

static void irq_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	irq_set(((struct test_device *)opaque)->machine, offset, value & 1);
}

static uint64_t test_memory_read(void *opaque, uint64_t offset, unsigned size)
{
	return bytes_read(((struct test_device *)opaque)->memory + offset, size);
}

static void test_memory_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	bytes_write(((struct test_device *)opaque)->memory + offset, size, value);
}

void test_device_create(struct machine *machine)
{
	struct test_device *device = machine_alloc(machine, sizeof(*device));

	device->machine = machine;
	device->scratch_ports = (struct region){ .base = SCRATCH_PORT, .length = 4,
						 .read = scratch_read, .write = scratch_write,
						 .opaque = device };
	device->flush_ports = (struct region){ .base = FLUSH_PORT, .length = 4, .opaque = device };
	device->irq_ports = (struct region){ .base = IRQ_PORT, .length = IRQ_LINES, .max_size = 1,
					     .write = irq_write, .opaque = device };
	device->memory_region = (struct region){ .base = MEMORY_BASE, .length = MEMORY_SIZE,
						 .read = test_memory_read,
						 .write = test_memory_write, .opaque = device };
	machine_add_ports(machine, &device->scratch_ports);
	machine_add_ports(machine, &device->flush_ports);
	machine_add_ports(machine, &device->irq_ports);
	machine_add_mmio(machine, &device->memory_region);
}
