/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Multiboot information, read from our loader and written for our guest.
 */
#include "l0/hv/multiboot.h"

#include "l0/hv/hv.h"
#include "l0/hv/loader.h"

#define LOW_MEMORY_FROM UINT64_C(0x8000) /* below it a firmware may keep data */
#define LOW_MEMORY_TO UINT64_C(0xa0000)
#define UPPER_MEMORY UINT64_C(0x100000)
#define FOUR_GIB (UINT64_C(1) << 32)

struct loader_boot loader_boot;

static uint64_t string_length(const char *s)
{
	uint64_t n = 0;

	while (s[n])
		n++;
	return n;
}

static const char *used_string(uint32_t address)
{
	const char *string = address ? memory_pointer(address) : "";

	if (address)
		memory_use(address, string_length(string) + 1);
	return string;
}

static void add_area(uint64_t base, uint64_t length, uint32_t type)
{
	if (memory_map.map_count == MEMORY_MAP_MAX)
		hv_refuse("the memory map has more than %u entries", MEMORY_MAP_MAX);
	memory_map.map[memory_map.map_count++] =
		(struct memory_area){.base = base, .end = base + length, .type = type};
}

static void read_map(const struct multiboot_info *info)
{
	const uint8_t *at = memory_pointer(info->mmap_addr);
	const uint8_t *end = at + info->mmap_length;

	if (!(info->flags & MULTIBOOT_INFO_MMAP)) {
		add_area(0, (uint64_t)info->mem_lower << 10, MULTIBOOT_MEMORY_RAM);
		add_area(UPPER_MEMORY, (uint64_t)info->mem_upper << 10, MULTIBOOT_MEMORY_RAM);
		return;
	}
	memory_use(info->mmap_addr, info->mmap_length);
	while (at < end) {
		const struct multiboot_mmap *entry = (const void *)at;

		if (entry->length)
			add_area(entry->base, entry->length, entry->type);
		at += entry->size + sizeof(entry->size);
	}
}

static void read_modules(const struct multiboot_info *info)
{
	const struct multiboot_module *module = memory_pointer(info->mods_addr);

	if (!(info->flags & MULTIBOOT_INFO_MODS))
		return;
	if (info->mods_count > LOADER_MODULES_MAX)
		hv_refuse("more than %u boot modules", LOADER_MODULES_MAX);
	memory_use(info->mods_addr, info->mods_count * sizeof(*module));
	for (; loader_boot.module_count < info->mods_count; module++) {
		struct loader_module *to = &loader_boot.modules[loader_boot.module_count++];

		to->start = module->start;
		to->end = module->end;
		to->string = used_string(module->string);
		memory_use(module->start, module->end - module->start);
	}
}

void multiboot_read(uint32_t magic, uint64_t address)
{
	const struct multiboot_info *info = memory_pointer(address);

	if (magic != MULTIBOOT_BOOT_MAGIC)
		hv_refuse("not started by a multiboot 1 loader (EAX = %x)", magic);
	memory_use(address, sizeof(*info));
	read_map(info);
	memory_map_tidy();
	read_modules(info);
	if (info->flags & MULTIBOOT_INFO_CMDLINE) {
		const char *line = used_string(info->cmdline);
		uint64_t length = string_length(line);

		if (length >= LOADER_STRING_MAX)
			length = LOADER_STRING_MAX - 1;
		memcpy(loader_boot.command_line, line, length);
	}
}

/* Where multiboot_write puts things, one after the other. */
struct writer {
	uint64_t at;
};

static void *write_space(struct writer *writer, uint64_t size)
{
	void *space = memory_pointer(writer->at);

	writer->at += (size + 7) & ~UINT64_C(7);
	return space;
}

static uint32_t write_string(struct writer *writer, const char *string)
{
	uint64_t size = string_length(string) + 1;
	uint32_t address = (uint32_t)writer->at;

	memcpy(write_space(writer, size), string, size);
	return address;
}

static struct multiboot_mmap *write_map_entry(struct writer *writer, uint64_t base, uint64_t end,
					      uint32_t type)
{
	struct multiboot_mmap *entry = memory_pointer(writer->at);

	/* Entries follow each other without padding. */
	writer->at += sizeof(*entry);
	*entry = (struct multiboot_mmap){.size = sizeof(*entry) - sizeof(entry->size),
					 .base = base,
					 .length = end - base,
					 .type = type};
	return entry;
}

static void write_map(struct writer *writer, struct multiboot_info *info)
{
	const struct memory_area *region = &memory_map.region;

	info->mmap_addr = (uint32_t)writer->at;
	for (unsigned i = 0; i < memory_map.map_count; i++) {
		const struct memory_area *area = &memory_map.map[i];
		bool split = region->base >= area->base && region->base < area->end;

		if (!split) {
			write_map_entry(writer, area->base, area->end, area->type);
			continue;
		}
		if (region->base > area->base)
			write_map_entry(writer, area->base, region->base, area->type);
		write_map_entry(writer, region->base, region->end, MULTIBOOT_MEMORY_RESERVED);
		if (region->end < area->end)
			write_map_entry(writer, region->end, area->end, area->type);
	}
	info->mmap_length = (uint32_t)writer->at - info->mmap_addr;
	writer->at = (writer->at + 7) & ~UINT64_C(7);
}

/* KiB of RAM that begin at `from` and end at the first gap or at our region. */
static uint32_t contiguous(uint64_t from)
{
	uint64_t end;

	if (memory_type_at(from, &end) != MULTIBOOT_MEMORY_RAM)
		return 0;
	if (memory_map.region.base >= from && memory_map.region.base < end)
		end = memory_map.region.base;
	if (end > FOUR_GIB)
		end = FOUR_GIB;
	return (uint32_t)((end - from) >> 10);
}

static void write_modules(struct writer *writer, struct multiboot_info *info)
{
	unsigned count = loader_boot.module_count - 1;
	struct multiboot_module *modules = write_space(writer, count * sizeof(*modules));

	info->mods_count = count;
	info->mods_addr = (uint32_t)memory_address(modules);
	for (unsigned i = 0; i < count; i++) {
		const struct loader_module *from = &loader_boot.modules[i + 1];

		modules[i] = (struct multiboot_module){
			.start = (uint32_t)from->start,
			.end = (uint32_t)from->end,
			.string = write_string(writer, from->string),
		};
	}
}

static uint64_t information_size(void)
{
	uint64_t size = PAGE_SIZE;

	for (unsigned i = 0; i < loader_boot.module_count; i++)
		size += string_length(loader_boot.modules[i].string) + 8 +
			sizeof(struct multiboot_module);
	return size + (memory_map.map_count + 2) * sizeof(struct multiboot_mmap);
}

uint64_t multiboot_write(void)
{
	uint64_t size = information_size();
	uint64_t base = memory_find_low(size, 16, LOW_MEMORY_FROM, LOW_MEMORY_TO);
	struct writer writer;
	struct multiboot_info *info;

	if (!base)
		base = memory_find_high(size, PAGE_SIZE, UPPER_MEMORY, FOUR_GIB);
	if (!base)
		hv_refuse("no room for the guest's boot information");
	memory_use(base, size);
	writer.at = base;
	info = write_space(&writer, sizeof(*info));
	*info = (struct multiboot_info){
		.flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MODS |
			 MULTIBOOT_INFO_MMAP | MULTIBOOT_INFO_LOADER_NAME,
		.mem_lower = contiguous(0),
		.mem_upper = contiguous(UPPER_MEMORY),
	};
	info->cmdline = write_string(&writer, loader_boot.modules[0].string);
	info->boot_loader_name = write_string(&writer, "abyme");
	write_modules(&writer, info);
	write_map(&writer, info);
	return base;
}
