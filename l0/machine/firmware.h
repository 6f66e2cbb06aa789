/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What firmware leaves in memory below 1 MiB, and the memory map that it reports.
 */
#ifndef L0_MACHINE_FIRMWARE_H
#define L0_MACHINE_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

struct machine;

/*  0       real-mode IVT, BIOS data area (to BDA_END)
 *  9fc00   EBDA
 *  a0000   VGA window (plain RAM here)
 *  e0000   ACPI tables, and near the end a GDT and an IRET for the IVT */
#define BDA_END UINT64_C(0x1000)
#define EBDA_BASE UINT64_C(0x9fc00)
#define EBDA_END UINT64_C(0xa0000)
#define ACPI_BASE UINT64_C(0xe0000)
#define FIRMWARE_GDT UINT64_C(0xfff00)
#define FIRMWARE_GDT_LIMIT 0x1f
#define FIRMWARE_IRET UINT64_C(0xfff53)
#define FIRMWARE_END UINT64_C(0x100000)

void firmware_build(struct machine *machine);
/* The part of it in acpi_tables.c. False: no RAM at ACPI_BASE. */
bool acpi_tables_build(struct machine *machine) __attribute__((warn_unused_result));

/* Types as in the E820 map and the multiboot memory map. */
enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3 };
struct e820_entry {
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));
#define E820_MAX 8
/* Fills `map` in ascending order, returns the number of entries. */
unsigned firmware_memory_map(const struct machine *machine, struct e820_entry map[E820_MAX]);

#endif
