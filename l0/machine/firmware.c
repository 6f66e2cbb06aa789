/* SPDX-License-Identifier: BSD-2-Clause
 *
 * BIOS data area, EBDA, interrupt vectors, a flat GDT, the memory map. There is no BIOS code but
 * one IRET: an image that calls the BIOS returns with nothing done.
 */
#include "l0/machine/firmware.h"

#include <string.h>

#include "l0/machine/devices/ioapic.h"
#include "l0/machine/machine.h"

#define LAPIC_PAGE UINT64_C(0xfee00000)

static void poke16(struct machine *machine, uint64_t at, uint16_t value)
{
	uint8_t bytes[] = { value, value >> 8 };

	(void)!memory_write(&machine->memory, at, bytes, sizeof(bytes));
}

static void bda_build(struct machine *machine)
{
	for (unsigned vector = 0; vector < 256; vector++) {
		poke16(machine, 4 * vector, FIRMWARE_IRET & 0xffff);
		poke16(machine, 4 * vector + 2, 0xf000);
	}
	poke16(machine, 0x400, 0x3f8); /* COM1, COM2 */
	poke16(machine, 0x402, 0x2f8);
	poke16(machine, 0x40e, EBDA_BASE >> 4);
	poke16(machine, 0x410, 2 << 9); /* equipment: two serial ports */
	poke16(machine, 0x413, EBDA_BASE >> 10);
	poke16(machine, EBDA_BASE, 1); /* its size in KiB */
}

/* Flat 4 GiB segments where the Linux boot protocol wants them: code 0x10, data 0x18. */
static void gdt_build(struct machine *machine)
{
	static const uint8_t gdt[FIRMWARE_GDT_LIMIT + 1] = {
		[0x10] = 0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0,
		[0x18] = 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0,
	};
	static const uint8_t iret = 0xcf;

	(void)!memory_write(&machine->memory, FIRMWARE_GDT, gdt, sizeof(gdt));
	(void)!memory_write(&machine->memory, FIRMWARE_IRET, &iret, 1);
}

void firmware_build(struct machine *machine)
{
	bda_build(machine);
	gdt_build(machine);
	(void)!acpi_tables_build(machine); /* --mem is at least MEM_MIN */
}

unsigned firmware_memory_map(const struct machine *machine, struct e820_entry map[E820_MAX])
{
	const struct memory *memory = &machine->memory;
	unsigned n = 0;

	map[n++] = (struct e820_entry){ 0, EBDA_BASE, E820_RAM };
	map[n++] = (struct e820_entry){ EBDA_BASE, EBDA_END - EBDA_BASE, E820_RESERVED };
	map[n++] = (struct e820_entry){ ACPI_BASE, FIRMWARE_END - ACPI_BASE, E820_RESERVED };
	if (memory->low_size > FIRMWARE_END)
		map[n++] = (struct e820_entry){ FIRMWARE_END, memory->low_size - FIRMWARE_END,
						E820_RAM };
	map[n++] = (struct e820_entry){ IOAPIC_BASE, 0x1000, E820_RESERVED };
	map[n++] = (struct e820_entry){ LAPIC_PAGE, 0x1000, E820_RESERVED };
	if (memory->high_size)
		map[n++] = (struct e820_entry){ PCI_HOLE_END, memory->high_size, E820_RAM };
	return n;
}
