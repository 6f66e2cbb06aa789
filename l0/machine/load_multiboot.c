/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Multiboot 1 (Multiboot Specification 0.6.96): ELF images and images with address fields in the
 * header, modules, command lines, memory map. Memory: the image where it asks to be, modules on
 * pages above it, boot information below 640 KiB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "l0/machine/command.h"
#include "l0/machine/firmware.h"
#include "l0/machine/load.h"
#include "l0/machine/machine.h"

#define HEADER_SEARCH 8192
#define HEADER_MAGIC UINT32_C(0x1badb002)
#define LOADER_MAGIC UINT32_C(0x2badb002)
#define HEADER_KNOWN_FLAGS 0x7u      /* of the ones that a loader must understand, 15:0 */
#define HEADER_ADDRESSES 0x10000u
#define INFO_FLAGS 0x24du            /* memory, command line, modules, map, loader name */
#define INFO_FROM UINT64_C(0x10000)
#define IMAGE_FROM UINT64_C(0x100000)
#define LOADER_NAME "abyme " ABYME_VERSION

struct multiboot_header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct multiboot_module {
	uint32_t start, end, string, reserved;
};

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
	uint32_t mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr, config_table, boot_loader_name, apm_table, vbe[4];
};

struct multiboot_mmap {
	uint32_t size; /* of the rest */
	struct e820_entry entry;
};

/* Everything the image finds by pointers, built in one buffer whose guest address is `base`. */
struct info_block {
	uint8_t *data;
	uint32_t base, used, size;
};

/* File offset of the header, or file->size. */
static size_t header_find(const struct file *file, struct multiboot_header *header)
{
	size_t limit = file->size < HEADER_SEARCH ? file->size : HEADER_SEARCH;

	for (size_t at = 0; at + 12 <= limit; at += 4) {
		size_t left = file->size - at;

		memset(header, 0, sizeof(*header));
		memcpy(header, file->data + at, left < sizeof(*header) ? left : sizeof(*header));
		if (header->magic == HEADER_MAGIC &&
		    (uint32_t)(header->magic + header->flags + header->checksum) == 0)
			return at;
	}
	return file->size;
}

bool multiboot_claims(const struct file *file)
{
	struct multiboot_header header;

	return header_find(file, &header) != file->size;
}

/* The a.out kludge: the file from load_addr's place on goes to load_addr. */
static bool flat_load(struct load_map *map, const struct file *file,
		      const struct multiboot_header *header, size_t header_at, uint64_t *end,
		      struct load_error *error)
{
	uint64_t before = header->header_addr - header->load_addr;

	if (header->load_addr > header->header_addr || before > header_at ||
	    file->size - header_at < sizeof(*header))
		return load_fail(error, STATUS_BAD_IMAGE,
				 "%s: multiboot address fields do not match the file", file->path);
	size_t offset = header_at - before;
	uint64_t length = header->load_end_addr ? header->load_end_addr - header->load_addr :
						  file->size - offset;
	if (header->load_end_addr && (header->load_end_addr < header->load_addr ||
				      length > file->size - offset))
		return load_fail(error, STATUS_BAD_IMAGE,
				 "%s: truncated, load_end_addr lies beyond the end of the file",
				 file->path);
	*end = header->load_addr + length;
	if (header->bss_end_addr > *end)
		*end = header->bss_end_addr;
	if (header->entry_addr < header->load_addr || header->entry_addr >= *end)
		return load_fail(error, STATUS_BAD_IMAGE,
				 "%s: the entry point lies outside the image", file->path);
	if (!load_map_take(map, header->load_addr, *end - header->load_addr, "the image", error))
		return false;
	return memory_write(&map->machine->memory, header->load_addr, file->data + offset, length);
}

static bool image_load(struct load_map *map, const struct file *file, uint64_t *entry,
		       uint64_t *end, struct load_error *error)
{
	struct multiboot_header header;
	size_t at = header_find(file, &header);

	if (header.flags & 0xffff & ~HEADER_KNOWN_FLAGS)
		return load_fail(error, STATUS_BAD_IMAGE,
				 "%s: multiboot header asks for unknown features (flags 0x%x)",
				 file->path, header.flags);
	if (header.flags & HEADER_ADDRESSES) {
		*entry = header.entry_addr;
		return flat_load(map, file, &header, at, end, error);
	}
	if (elf_claims(file))
		return elf_load(map, file, entry, end, error);
	return load_fail(error, STATUS_BAD_IMAGE,
			 "%s: multiboot header without address fields in a file that is not ELF",
			 file->path);
}

static bool module_load(struct load_map *map, const char *path, uint64_t *from,
			struct multiboot_module *module, struct load_error *error)
{
	struct file file;

	if (!file_open(&file, path, error))
		return false;
	uint64_t start = load_map_find(map, *from, file.size);
	bool ok = start ? load_map_take(map, start, file.size, "a module", error) :
			  load_fail(error, STATUS_BAD_IMAGE,
				    "no room in RAM for module %s; give more with --mem", path);
	if (ok)
		ok = memory_write(&map->machine->memory, start, file.data, file.size);
	module->start = start;
	module->end = *from = start + file.size;
	file_close(&file);
	return ok;
}

static uint32_t info_align(uint32_t size)
{
	return (size + 7) & ~7u;
}

static uint32_t info_add(struct info_block *info, const void *data, uint32_t size)
{
	uint32_t at = info->used;

	memcpy(info->data + at, data, size);
	info->used += info_align(size);
	return info->base + at;
}

/* "PATH ARGS", as most multiboot loaders hand a command line on. */
static uint32_t info_add_command(struct info_block *info, const struct load_file *file)
{
	uint32_t at = info->used;
	const char *args = file->args ? file->args : "";
	int length = sprintf((char *)info->data + at, "%s%s%s", file->path, *args ? " " : "", args);

	info->used += info_align(length + 1);
	return info->base + at;
}

static uint32_t command_size(const struct load_file *file)
{
	return info_align(strlen(file->path) + 1 + (file->args ? strlen(file->args) : 0) + 1);
}

static uint32_t info_size(const struct load_request *request)
{
	uint32_t size = info_align(sizeof(struct multiboot_info)) + info_align(sizeof(LOADER_NAME));

	size += E820_MAX * sizeof(struct multiboot_mmap);
	size += command_size(&request->image);
	size += info_align(request->module_count * sizeof(struct multiboot_module));
	for (unsigned i = 0; i < request->module_count; i++)
		size += command_size(&request->modules[i]);
	return size;
}

static void info_add_map(struct info_block *block, const struct machine *machine,
			 struct multiboot_info *info)
{
	struct e820_entry map[E820_MAX];
	unsigned count = firmware_memory_map(machine, map);
	struct multiboot_mmap entries[E820_MAX];

	for (unsigned i = 0; i < count; i++)
		entries[i] = (struct multiboot_mmap){ sizeof(map[i]), map[i] };
	info->mmap_length = count * sizeof(entries[0]);
	info->mmap_addr = info_add(block, entries, info->mmap_length);
	info->mem_lower = EBDA_BASE >> 10;
	info->mem_upper = (machine->memory.low_size - FIRMWARE_END) >> 10;
}

static void info_build(struct info_block *block, const struct machine *machine,
		       const struct load_request *request, struct multiboot_module *modules)
{
	struct multiboot_info info = { .flags = INFO_FLAGS };

	block->used = info_align(sizeof(info)); /* the structure itself comes first */
	info_add_map(block, machine, &info);
	info.cmdline = info_add_command(block, &request->image);
	for (unsigned i = 0; i < request->module_count; i++)
		modules[i].string = info_add_command(block, &request->modules[i]);
	info.mods_count = request->module_count;
	info.mods_addr = info_add(block, modules, request->module_count * sizeof(*modules));
	info.boot_loader_name = info_add(block, LOADER_NAME, sizeof(LOADER_NAME));
	memcpy(block->data, &info, sizeof(info));
}

/* Boot information goes below 640 KiB, or above everything if the image lies there. */
static bool info_place(struct load_map *map, const struct load_request *request,
		       struct multiboot_module *modules, uint64_t end, uint32_t *address,
		       struct load_error *error)
{
	struct info_block block = { .size = info_size(request) };
	uint64_t at = load_map_find(map, INFO_FROM, block.size);

	if (at + block.size > EBDA_BASE)
		at = load_map_find(map, end, block.size);
	if (!at)
		return load_fail(error, STATUS_BAD_IMAGE,
				 "no room in RAM for the boot information; give more with --mem");
	block.base = *address = at;
	block.data = calloc(1, block.size);
	if (!block.data)
		return load_fail(error, STATUS_ERROR, "out of memory");
	info_build(&block, map->machine, request, modules);
	bool ok = memory_write(&map->machine->memory, at, block.data, block.size);
	free(block.data);
	return ok;
}

bool multiboot_load(struct load_map *map, const struct file *file,
		    const struct load_request *request, struct cpu_boot_state *state,
		    struct load_error *error)
{
	struct multiboot_module *modules = calloc(request->module_count + 1, sizeof(*modules));
	uint64_t entry = 0, end = 0;
	uint32_t info = 0;
	bool ok = modules && image_load(map, file, &entry, &end, error);

	if (end < IMAGE_FROM && ok)
		end = IMAGE_FROM;
	for (unsigned i = 0; ok && i < request->module_count; i++)
		ok = module_load(map, request->modules[i].path, &end, &modules[i], error);
	ok = ok && info_place(map, request, modules, end, &info, error);
	free(modules);
	if (!ok)
		return false;
	*state = (struct cpu_boot_state){ .mode = BOOT_PROTECTED32,
					  .rip = entry,
					  .rax = LOADER_MAGIC,
					  .rbx = info,
					  .gdt_base = FIRMWARE_GDT,
					  .gdt_limit = FIRMWARE_GDT_LIMIT };
	return true;
}
