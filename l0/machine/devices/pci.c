/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PCI configuration mechanism #1 with one function behind it: a host bridge without any BARs at
 * 00:00.0. PCI Local Bus Specification "Configuration Mechanism #1".
 *
 *   0xcf8   31 enable | 23:16 bus | 15:11 device | 10:8 function | 7:2 register
 */
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_FUNCTION 0x00ffff00u
#define ADDRESS_WRITABLE 0x80fffffcu

struct pci {
	struct region address_port, data_port;
	uint32_t address;
	uint8_t config[64];
};

static uint64_t address_read(void *opaque, uint64_t offset, unsigned size)
{
	return ((struct pci *)opaque)->address >> 8 * offset;
}

/* Only a 32-bit write reaches the register; others would go to ISA ports of the same numbers. */
static void address_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	if (size == 4)
		((struct pci *)opaque)->address = value & ADDRESS_WRITABLE;
}

static uint64_t data_read(void *opaque, uint64_t offset, unsigned size)
{
	const struct pci *pci = opaque;
	uint64_t value = 0;

	if (!(pci->address & ADDRESS_ENABLE) || pci->address & ADDRESS_FUNCTION)
		return UINT64_MAX; /* master abort */
	unsigned at = (pci->address & 0xfc) + offset;
	for (unsigned i = 0; i < size && at + i < sizeof(pci->config); i++)
		value |= (uint64_t)pci->config[at + i] << 8 * i;
	return value;
}

void pci_create(struct machine *machine)
{
	struct pci *pci = machine_alloc(machine, sizeof(*pci));
	/* Vendor 8086, device 1237 (82441FX), class 06.00.00: the host bridge that every system
	 * knows. */
	static const uint8_t header[] = { 0x86, 0x80, 0x37, 0x12, 0, 0, 0, 0, 0, 0, 0, 6 };

	for (unsigned i = 0; i < sizeof(header); i++)
		pci->config[i] = header[i];
	pci->address_port = (struct region){ .base = 0xcf8, .length = 4, .read = address_read,
					     .write = address_write, .opaque = pci };
	pci->data_port = (struct region){ .base = 0xcfc, .length = 4, .read = data_read,
					  .opaque = pci };
	machine_add_ports(machine, &pci->address_port);
	machine_add_ports(machine, &pci->data_port);
}
