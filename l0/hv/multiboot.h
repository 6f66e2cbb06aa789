/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The multiboot 1 structures, as a loader gives them to us and as we give them to our guest.
 * Source: Multiboot Specification 0.6.96, "Boot information format" and "OS image format".
 */
#ifndef L0_HV_MULTIBOOT_H
#define L0_HV_MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_HEADER_MAGIC UINT32_C(0x1badb002)
#define MULTIBOOT_BOOT_MAGIC UINT32_C(0x2badb002)
#define MULTIBOOT_HEADER_SEARCH 8192
#define MULTIBOOT_HEADER_ADDRESSES (UINT32_C(1) << 16)

struct multiboot_header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

#define MULTIBOOT_INFO_MEMORY (UINT32_C(1) << 0)
#define MULTIBOOT_INFO_CMDLINE (UINT32_C(1) << 2)
#define MULTIBOOT_INFO_MODS (UINT32_C(1) << 3)
#define MULTIBOOT_INFO_MMAP (UINT32_C(1) << 6)
#define MULTIBOOT_INFO_LOADER_NAME (UINT32_C(1) << 9)

struct multiboot_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe[4];
	uint32_t framebuffer[6];
};

struct multiboot_module {
	uint32_t start, end; /* end is the first byte after it */
	uint32_t string;
	uint32_t reserved;
};

#define MULTIBOOT_MEMORY_RAM 1
#define MULTIBOOT_MEMORY_RESERVED 2
#define MULTIBOOT_MEMORY_ACPI 3
#define MULTIBOOT_MEMORY_NVS 4

struct multiboot_mmap {
	uint32_t size; /* of what follows */
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

#endif
