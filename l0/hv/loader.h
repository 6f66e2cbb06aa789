/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Starting the guest as a boot loader would: what was booted with us, where it goes, and the state
 * in which its first instruction runs. While it works, guest-physical is physical (range.c may
 * change that afterwards, carrying the contents along).
 */
#ifndef L0_HV_LOADER_H
#define L0_HV_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#define LOADER_MODULES_MAX 512
#define LOADER_STRING_MAX 2048

struct loader_module {
	uint64_t start, end;
	const char *string; /* where the loader left it, or "" */
};

/* What the boot loader handed to us; filled by multiboot_read. */
struct loader_boot {
	unsigned module_count;
	struct loader_module modules[LOADER_MODULES_MAX]; /* [0] is the guest */
	char command_line[LOADER_STRING_MAX];
};
extern struct loader_boot loader_boot;

enum loader_mode { LOADER_PROTECTED32, LOADER_LONG64 };

/* The guest's first state. */
struct loader_entry {
	enum loader_mode mode;
	uint64_t rip, rax, rbx, rsi, rsp, cr3;
	uint64_t gdt_base;
	uint16_t gdt_limit;
};

/* ---- multiboot.c ---- */
/* Takes the loader's information: memory map, modules, command line; marks all of it as in use. */
void multiboot_read(uint32_t magic, uint64_t info);
/* Writes the guest's information structure: modules but the first, the map without our region.
 * Returns its address. */
uint64_t multiboot_write(void);

/* ---- image.c ---- */
struct image_segment {
	uint64_t file, address, file_size, memory_size;
};
#define IMAGE_SEGMENTS_MAX 16
struct image {
	unsigned segment_count;
	struct image_segment segments[IMAGE_SEGMENTS_MAX];
	uint64_t entry;
};
/* Reads the headers of the multiboot image at [start, end). False: it is not one. */
bool image_parse(struct image *image, const uint8_t *start, const uint8_t *end);

/* ---- linux.c ---- */
bool linux_recognize(const uint8_t *start, const uint8_t *end);
void linux_load(struct loader_entry *entry);

/* ---- loader.c ---- */
/* Loads modules[0] and says how it starts. Refuses what can't be started. */
void loader_load(struct loader_entry *entry);

#endif
