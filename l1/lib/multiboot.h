/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a multiboot 1 loader hands over, "Multiboot Specification version 0.6.96".
 */
#ifndef L1_LIB_MULTIBOOT_H
#define L1_LIB_MULTIBOOT_H

#include <stdbool.h>
#include <stdint.h>

#define MULTIBOOT_MAGIC 0x2badb002
#define MULTIBOOT_HEADER_MAGIC 0x1badb002
#define MULTIBOOT_HEADER_SEARCH 8192
#define MULTIBOOT_HEADER_ADDRESSES (1u << 16)

#define MULTIBOOT_INFO_MEMORY (1u << 0)
#define MULTIBOOT_INFO_COMMAND_LINE (1u << 2)
#define MULTIBOOT_INFO_MODULES (1u << 3)
#define MULTIBOOT_INFO_MEMORY_MAP (1u << 6)

#define MULTIBOOT_RAM 1 /* type of a memory-map entry */

struct multiboot_header {
	uint32_t magic, flags, checksum;
	uint32_t header_address, load_address, load_end, bss_end, entry;
};

struct multiboot_info {
	uint32_t flags;
	uint32_t memory_lower, memory_upper; /* KiB */
	uint32_t boot_device;
	uint32_t command_line;
	uint32_t module_count, modules;
	uint32_t symbols[4];
	uint32_t memory_map_length, memory_map;
	uint32_t drives_length, drives;
	uint32_t config_table, loader_name, apm_table;
};

struct multiboot_module {
	uint32_t start, end; /* end: first byte after */
	uint32_t command_line;
	uint32_t reserved;
};

/* `size` does not count itself. */
struct multiboot_memory {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

/* Takes the address from boot.S; all of the below work on it. */
void multiboot_init(uint32_t information);
const struct multiboot_info *multiboot_get_info(void);
/* "" if there is none. */
const char *multiboot_command_line(void);
/* The words of the command line are NAME or NAME=VALUE. fallback if the option is absent. */
uint64_t multiboot_option(const char *name, uint64_t fallback);
bool multiboot_has_word(const char *word);
/* NULL: no such module. */
const struct multiboot_module *multiboot_module(uint32_t index);
/* Entry after `previous`, the first one for NULL; NULL at the end. */
const struct multiboot_memory *multiboot_next_memory(const struct multiboot_memory *previous);
/* The highest `size` bytes of RAM below 4 GiB, aligned to `align`, that are clear of this image,
 * the modules and the multiboot information; 0 if there are none. Does not remember what it
 * gave. */
uint64_t multiboot_find_ram(uint64_t size, uint64_t align);

#endif
