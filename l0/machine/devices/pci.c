/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PCI configuration mechanism #1 and the chip set behind it: host bridge 00:00.0, ISA bridge
 * 00:01.0, power management 00:01.3. None has a BAR: what they contain lies where PCs have it. PCI
 * Local Bus Specification "Configuration Mechanism #1", "Configuration Space Header"; register
 * places of the 82441FX, 82371SB and 82371AB from their data sheets.
 *
 *   0xcf8   31 enable | 23:16 bus | 15:11 device | 10:8 function | 7:2 register
 */
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_FUNCTION 0x00ffff00u
#define ADDRESS_WRITABLE 0x80fffffcu
#define FUNCTION(device, function) ((device) << 11 | (function) << 8)
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))
#define REGISTERS 64

static const uint32_t functions[] = { FUNCTION(0, 0), FUNCTION(1, 0), FUNCTION(1, 3) };

/* Registers that are not zero, or writable. */
static const struct {
	uint8_t function; /* index of functions[] */
	uint8_t at;
	uint32_t value, writable;
} rows[] = {
	{ 0, 0x00, 0x12378086, 0 },	     /* 82441FX */
	{ 0, 0x04, 0x02800006, 0x0140 },     /* decodes memory, is a master */
	{ 0, 0x08, 0x06000000, 0 },	     /* host bridge */
	{ 0, 0x0c, 0, 0xff00 },		     /* latency timer */
	{ 1, 0x00, 0x70008086, 0 },	     /* 82371SB */
	{ 1, 0x04, 0x02000007, 0x0108 },
	{ 1, 0x08, 0x06010000, 0 },	     /* ISA bridge */
	{ 1, 0x0c, 0x00800000, 0 },	     /* one of several functions */
	{ 1, 0x60, 0x80808080, 0x8f8f8f8f }, /* PIRQ routes: none */
	{ 2, 0x00, 0x71138086, 0 },	     /* 82371AB */
	{ 2, 0x04, 0x02800001, 0 },	     /* decodes ports */
	{ 2, 0x08, 0x06800003, 0 },	     /* other bridge */
	{ 2, 0x3c, 0x00000100 | SCI_IRQ, 0xff },
	{ 2, 0x40, PM1A_EVENT_PORT | 1, 0 }, /* PMBA, fixed */
	{ 2, 0x80, 1, 0 },		     /* PMREGMISC: PMBA is decoded */
};

struct pci {
	struct region address_port, data_port;
	uint32_t address;
	struct {
		uint32_t value[REGISTERS], writable[REGISTERS];
	} config[FUNCTIONS];
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

/* Index of the function that the address register selects, FUNCTIONS: none. */
static unsigned selected(const struct pci *pci)
{
	unsigned n = 0;

	if (!(pci->address & ADDRESS_ENABLE))
		return FUNCTIONS;
	while (n < FUNCTIONS && functions[n] != (pci->address & ADDRESS_FUNCTION))
		n++;
	return n;
}

static uint64_t data_read(void *opaque, uint64_t offset, unsigned size)
{
	const struct pci *pci = opaque;
	unsigned n = selected(pci);

	if (n == FUNCTIONS)
		return UINT64_MAX; /* master abort */
	return pci->config[n].value[(pci->address & 0xfc) / 4] >> 8 * offset;
}

static void data_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct pci *pci = opaque;
	unsigned n = selected(pci), at = (pci->address & 0xfc) / 4;

	if (n == FUNCTIONS)
		return;
	uint32_t written = (uint32_t)((UINT64_C(1) << 8 * size) - 1) << 8 * offset;
	uint32_t mask = pci->config[n].writable[at] & written;
	pci->config[n].value[at] &= ~mask;
	pci->config[n].value[at] |= (uint32_t)value << 8 * offset & mask;
}

void pci_create(struct machine *machine)
{
	struct pci *pci = machine_alloc(machine, sizeof(*pci));

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pci->config[rows[i].function].value[rows[i].at / 4] = rows[i].value;
		pci->config[rows[i].function].writable[rows[i].at / 4] = rows[i].writable;
	}
	pci->address_port = (struct region){ .base = 0xcf8, .length = 4, .read = address_read,
					     .write = address_write, .opaque = pci };
	pci->data_port = (struct region){ .base = 0xcfc, .length = 4, .read = data_read,
					  .write = data_write, .opaque = pci };
	machine_add_ports(machine, &pci->address_port);
	machine_add_ports(machine, &pci->data_port);
}
