/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Linux bzImage by the 64-bit boot protocol (Documentation/arch/x86/boot.rst, "64-bit Boot
 * Protocol"; field offsets from "Details of Header Fields" and zero-page.rst): protocol 2.12 or
 * later, kernel and initial RAM disk below 4 GiB, entry at +0x200 with identity page tables for the
 * first 4 GiB.
 */
#include <string.h>

#include "l0/machine/command.h"
#include "l0/machine/firmware.h"
#include "l0/machine/load.h"
#include "l0/machine/machine.h"

#define PAGE UINT64_C(4096)
#define HUGE_PAGE (UINT64_C(2) << 20)
#define LOW_FROM UINT64_C(0x10000) /* zero page, page tables, GDT, command line */
#define ENTRY_64 0x200

/* Offsets in the file's first sectors, the same in the zero page. */
#define SETUP_HEADER 0x1f1
#define SETUP_SECTS 0x1f1
#define BOOT_FLAG 0x1fe
#define HEADER_LENGTH 0x201 /* the header ends at 0x202 + this byte */
#define HEADER_MAGIC 0x202
#define VERSION 0x206
#define TYPE_OF_LOADER 0x210
#define LOADFLAGS 0x211
#define RAMDISK_IMAGE 0x218
#define RAMDISK_SIZE 0x21c
#define CMD_LINE_PTR 0x228
#define INITRD_ADDR_MAX 0x22c
#define KERNEL_ALIGNMENT 0x230
#define RELOCATABLE 0x234
#define XLOADFLAGS 0x236
#define CMDLINE_SIZE 0x238
#define PREF_ADDRESS 0x258
#define INIT_SIZE 0x260
#define SETUP_HEADER_MIN_END 0x264
/* Of the zero page alone. */
#define ACPI_RSDP_ADDR 0x070
#define E820_ENTRIES 0x1e8
#define E820_TABLE 0x2d0

#define VERSION_XLOADFLAGS 0x20c
#define LOADED_HIGH 0x01
#define XLF_KERNEL_64 0x01
#define LOADER_UNDEFINED 0xff

static uint64_t get(const uint8_t *bytes, unsigned at, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)bytes[at + i] << 8 * i;
	return value;
}

static void put(uint8_t *bytes, unsigned at, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		bytes[at + i] = value >> 8 * i;
}

bool linux_claims(const struct file *file)
{
	return file->size >= HEADER_MAGIC + 4 && get(file->data, BOOT_FLAG, 2) == 0xaa55 &&
	       !memcmp(file->data + HEADER_MAGIC, "HdrS", 4);
}

/* Where the protected-mode kernel starts in the file; 0: refused. */
static size_t kernel_offset(const struct file *file, struct load_error *error)
{
	const char *why = NULL;
	unsigned sectors = file->data[SETUP_SECTS] ? file->data[SETUP_SECTS] : 4;
	size_t offset = (sectors + 1) * (size_t)512;

	if (file->size < SETUP_HEADER_MIN_END || file->size <= offset)
		why = "truncated bzImage";
	else if (get(file->data, VERSION, 2) < VERSION_XLOADFLAGS)
		why = "boot protocol older than 2.12";
	else if (!(file->data[LOADFLAGS] & LOADED_HIGH) ||
		 !(get(file->data, XLOADFLAGS, 2) & XLF_KERNEL_64))
		why = "not a 64-bit kernel";
	if (why)
		load_fail(error, STATUS_BAD_IMAGE, "%s: %s", file->path, why);
	return why ? 0 : offset;
}

static bool kernel_load(struct load_map *map, const struct file *file, size_t offset,
			uint64_t *address, struct load_error *error)
{
	uint64_t size = file->size - offset, room = get(file->data, INIT_SIZE, 4);
	uint64_t alignment = get(file->data, KERNEL_ALIGNMENT, 4);

	*address = get(file->data, PREF_ADDRESS, 8);
	if (room < size)
		room = size;
	if (file->data[RELOCATABLE] && *address + room > map->machine->memory.low_size &&
	    alignment && alignment < *address)
		*address = (FIRMWARE_END + alignment - 1) / alignment * alignment;
	if (!load_map_take(map, *address, room, "the kernel", error))
		return false;
	return memory_write(&map->machine->memory, *address, file->data + offset, size);
}

/* As high as the kernel allows, so that it is out of the way of what the kernel unpacks. */
static bool initrd_load(struct load_map *map, const char *path, uint8_t *zero,
			struct load_error *error)
{
	struct file file;
	uint64_t top = get(zero, INITRD_ADDR_MAX, 4) + 1;

	if (!file_open(&file, path, error))
		return false;
	if (top > map->machine->memory.low_size)
		top = map->machine->memory.low_size;
	uint64_t start = (top - file.size) & ~(PAGE - 1);
	bool ok = top > file.size;
	if (!ok)
		load_fail(error, STATUS_BAD_IMAGE, "no room in RAM for %s; give more with --mem",
			  path);
	ok = ok && load_map_take(map, start, file.size, "the initial RAM disk", error) &&
	     memory_write(&map->machine->memory, start, file.data, file.size);
	put(zero, RAMDISK_IMAGE, 4, start);
	put(zero, RAMDISK_SIZE, 4, file.size);
	file_close(&file);
	return ok;
}

/* Takes `size` bytes below 640 KiB. */
static bool low_take(struct load_map *map, uint64_t size, uint64_t *address,
		     struct load_error *error)
{
	*address = load_map_find(map, LOW_FROM, size);
	return load_map_take(map, *address, size, "boot information", error);
}

static bool command_line_load(struct load_map *map, const char *text, uint8_t *zero,
			      struct load_error *error)
{
	uint64_t address, size = strlen(text) + 1;

	if (size - 1 > get(zero, CMDLINE_SIZE, 4))
		return load_fail(error, STATUS_BAD_IMAGE,
				 "the kernel takes at most %u characters of command line",
				 (unsigned)get(zero, CMDLINE_SIZE, 4));
	if (!low_take(map, size, &address, error))
		return false;
	put(zero, CMD_LINE_PTR, 4, address);
	return memory_write(&map->machine->memory, address, text, size);
}

/* PML4, PDPT, four page directories of 2 MiB pages: the first 4 GiB at their own addresses. */
static bool page_tables_load(struct load_map *map, uint64_t *cr3, struct load_error *error)
{
	uint64_t entry;

	if (!low_take(map, 6 * PAGE, cr3, error))
		return false;
	struct memory *memory = &map->machine->memory;
	entry = (*cr3 + PAGE) | 3;
	bool ok = memory_write(memory, *cr3, &entry, 8);
	for (unsigned i = 0; i < 4; i++) {
		entry = (*cr3 + (2 + i) * PAGE) | 3;
		ok = ok && memory_write(memory, *cr3 + PAGE + 8 * i, &entry, 8);
	}
	for (unsigned i = 0; i < 4 * 512; i++) {
		entry = (i * HUGE_PAGE) | 0x83;
		ok = ok && memory_write(memory, *cr3 + 2 * PAGE + 8 * i, &entry, 8);
	}
	return ok;
}

/* 64-bit code at 0x10, data at 0x18. */
static bool gdt_load(struct load_map *map, struct cpu_boot_state *state, struct load_error *error)
{
	static const uint64_t gdt[] = { 0, 0, UINT64_C(0x00af9b000000ffff),
					UINT64_C(0x00cf93000000ffff) };

	if (!low_take(map, sizeof(gdt), &state->gdt_base, error))
		return false;
	state->gdt_limit = sizeof(gdt) - 1;
	return memory_write(&map->machine->memory, state->gdt_base, gdt, sizeof(gdt));
}

static void zero_page_fill(uint8_t *zero, const struct file *file, const struct machine *machine)
{
	struct e820_entry e820[E820_MAX];
	unsigned count = firmware_memory_map(machine, e820);
	unsigned end = HEADER_MAGIC + file->data[HEADER_LENGTH];

	memset(zero, 0, PAGE);
	memcpy(zero + SETUP_HEADER, file->data + SETUP_HEADER, end - SETUP_HEADER);
	zero[TYPE_OF_LOADER] = LOADER_UNDEFINED;
	zero[E820_ENTRIES] = count;
	memcpy(zero + E820_TABLE, e820, count * sizeof(e820[0]));
	put(zero, ACPI_RSDP_ADDR, 8, ACPI_BASE);
}

bool linux_load(struct load_map *map, const struct file *file, const struct load_request *request,
		struct cpu_boot_state *state, struct load_error *error)
{
	uint8_t zero[4096];
	uint64_t kernel, zero_page, cr3;
	size_t offset = kernel_offset(file, error);

	if (!offset)
		return false;
	if (request->module_count)
		return load_fail(error, STATUS_USAGE,
				 "%s: a Linux image takes --initrd, not modules", file->path);
	zero_page_fill(zero, file, map->machine);
	if (!kernel_load(map, file, offset, &kernel, error) ||
	    !low_take(map, PAGE, &zero_page, error) || !page_tables_load(map, &cr3, error) ||
	    !gdt_load(map, state, error) ||
	    !command_line_load(map, request->image.args ? request->image.args : "", zero, error) ||
	    (request->initrd && !initrd_load(map, request->initrd, zero, error)))
		return false;
	state->mode = BOOT_LONG64;
	state->rip = kernel + ENTRY_64;
	state->rsi = zero_page;
	state->cr3 = cr3;
	return memory_write(&map->machine->memory, zero_page, zero, sizeof(zero));
}
