/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A Linux bzImage as guest, with the second module as its initrd, entered by the 64-bit boot
 * protocol. Source: Linux "Documentation/arch/x86/boot.rst" ("The Real-Mode Kernel Header", "64-bit
 * Boot Protocol") and "zero-page.rst".
 */
#include "l0/hv/hv.h"
#include "l0/hv/loader.h"
#include "l0/hv/multiboot.h"

#define FOUR_GIB (UINT64_C(1) << 32)
#define LOW_FROM UINT64_C(0x8000)
#define LOW_TO UINT64_C(0x9fc00)
#define SECTOR 512u
#define DEFAULT_SETUP_SECTORS 4u
#define ENTRY_64 0x200u
#define MINIMUM_VERSION 0x20c /* xloadflags */

/* Offsets in the file's first sectors and in the zero page alike. */
enum zero_page {
	ZERO_E820_COUNT = 0x1e8,
	ZERO_SETUP_SECTORS = 0x1f1,
	ZERO_HEADER = 0x1f1,
	ZERO_HEADER_LENGTH = 0x201, /* of what follows 0x202 */
	ZERO_MAGIC = 0x202,
	ZERO_VERSION = 0x206,
	ZERO_LOADER_TYPE = 0x210,
	ZERO_RAMDISK = 0x218,
	ZERO_RAMDISK_SIZE = 0x21c,
	ZERO_COMMAND_LINE = 0x228,
	ZERO_RAMDISK_MAX = 0x22c,
	ZERO_ALIGNMENT = 0x230,
	ZERO_RELOCATABLE = 0x234,
	ZERO_XLOADFLAGS = 0x236,
	ZERO_PREFERRED = 0x258,
	ZERO_INIT_SIZE = 0x260,
	ZERO_E820 = 0x2d0,
};
#define ZERO_MAGIC_VALUE UINT32_C(0x53726448) /* "HdrS" */
#define XLOADFLAG_KERNEL_64 1
#define LOADER_UNDEFINED 0xff
#define E820_MAX 128

struct e820 {
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

/* What the guest needs in low memory, one page-aligned piece. */
struct linux_area {
	uint64_t pml4[512], pdpt[512], directories[4][512];
	uint8_t zero_page[PAGE_SIZE];
	uint64_t gdt[4];
	char command_line[LOADER_STRING_MAX];
};

static uint32_t get(const uint8_t *at, enum zero_page offset, unsigned size)
{
	uint32_t value = 0;

	memcpy(&value, at + offset, size);
	return value;
}

static void put(uint8_t *at, enum zero_page offset, uint64_t value, unsigned size)
{
	memcpy(at + offset, &value, size);
}

bool linux_recognize(const uint8_t *start, const uint8_t *end)
{
	return end - start > ZERO_E820 && get(start, ZERO_MAGIC, 4) == ZERO_MAGIC_VALUE &&
	       get(start, ZERO_VERSION, 2) >= MINIMUM_VERSION &&
	       get(start, ZERO_XLOADFLAGS, 2) & XLOADFLAG_KERNEL_64;
}

static uint64_t round_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

/* Where the kernel wants to be if that is free, else anywhere. */
static uint64_t place_kernel(const uint8_t *file)
{
	uint64_t size = round_up(get(file, ZERO_INIT_SIZE, 4), PAGE_SIZE);
	uint64_t align = get(file, ZERO_ALIGNMENT, 4), preferred = 0, to;

	memcpy(&preferred, file + ZERO_PREFERRED, sizeof(preferred));
	to = memory_find_low(size, align, preferred, FOUR_GIB);
	if (!to || (to != preferred && !get(file, ZERO_RELOCATABLE, 1)))
		hv_refuse("no room for a Linux kernel of %lu KiB at %lx", size >> 10, preferred);
	memory_use(to, size);
	return to;
}

static void place_initrd(uint8_t *zero_page, const uint8_t *file)
{
	struct loader_module *initrd = &loader_boot.modules[1];
	uint64_t size, to, limit = (uint64_t)get(file, ZERO_RAMDISK_MAX, 4) + 1;

	if (loader_boot.module_count < 2)
		return;
	size = initrd->end - initrd->start;
	to = initrd->start;
	if (initrd->end > limit) {
		to = memory_find_high(size, PAGE_SIZE, HV_LARGE_PAGE, limit);
		if (!to)
			hv_refuse("no room for an initrd of %lu KiB", size >> 10);
		memory_use(to, size);
		memcpy(memory_pointer(to), memory_pointer(initrd->start), size);
	}
	put(zero_page, ZERO_RAMDISK, to, 4);
	put(zero_page, ZERO_RAMDISK_SIZE, size, 4);
}

static void add_e820(struct e820 *map, unsigned *count, uint64_t base, uint64_t end, uint32_t type)
{
	if (base < end && *count < E820_MAX)
		map[(*count)++] = (struct e820){.base = base, .length = end - base, .type = type};
}

/* The map with our region cut out; multiboot and e820 types are the same numbers. */
static void write_e820(uint8_t *zero_page)
{
	struct e820 *map = (void *)(zero_page + ZERO_E820);
	const struct memory_area *region = &memory_map.region;
	unsigned count = 0;

	for (unsigned i = 0; i < memory_map.map_count; i++) {
		const struct memory_area *area = &memory_map.map[i];

		if (region->base < area->base || region->base >= area->end) {
			add_e820(map, &count, area->base, area->end, area->type);
			continue;
		}
		add_e820(map, &count, area->base, region->base, area->type);
		add_e820(map, &count, region->base, region->end, region->type);
		add_e820(map, &count, region->end, area->end, area->type);
	}
	put(zero_page, ZERO_E820_COUNT, count, 1);
}

static void write_tables(struct linux_area *area)
{
	area->pml4[0] = memory_address(area->pdpt) | PTE_P | PTE_W;
	for (unsigned i = 0; i < 4; i++) {
		area->pdpt[i] = memory_address(area->directories[i]) | PTE_P | PTE_W;
		for (uint64_t j = 0; j < 512; j++)
			area->directories[i][j] =
				(i * 512 + j) * HV_LARGE_PAGE | PTE_P | PTE_W | PTE_PS;
	}
	area->gdt[2] = UINT64_C(0x00af9b000000ffff); /* 0x10: __BOOT_CS */
	area->gdt[3] = UINT64_C(0x00cf93000000ffff); /* 0x18: __BOOT_DS */
}

static void write_zero_page(struct linux_area *area, const uint8_t *file)
{
	uint32_t header_end = ZERO_MAGIC + get(file, ZERO_HEADER_LENGTH, 1);

	memcpy(area->zero_page + ZERO_HEADER, file + ZERO_HEADER, header_end - ZERO_HEADER);
	put(area->zero_page, ZERO_LOADER_TYPE, LOADER_UNDEFINED, 1);
	put(area->zero_page, ZERO_COMMAND_LINE, memory_address(area->command_line), 4);
	place_initrd(area->zero_page, file);
	write_e820(area->zero_page);
}

static void copy_string(char *to, const char *from, size_t size)
{
	while (--size && *from)
		*to++ = *from++;
	*to = 0;
}

/* Multiboot loaders put the file's name in front of a module's words, or do not; Linux would hand
 * it to the first process. A name has a slash; of the kernel's words only those with = may have
 * one.
 */
static const char *without_name(const char *string)
{
	bool slash = false;
	const char *at = string;

	for (; *at && *at != ' '; at++) {
		if (*at == '=')
			return string;
		slash |= *at == '/';
	}
	if (!slash)
		return string;
	while (*at == ' ')
		at++;
	return at;
}

void linux_load(struct loader_entry *entry)
{
	const struct loader_module *module = &loader_boot.modules[0];
	const uint8_t *file = memory_pointer(module->start);
	uint32_t sectors = get(file, ZERO_SETUP_SECTORS, 1);
	uint32_t setup = ((sectors ? sectors : DEFAULT_SETUP_SECTORS) + 1) * SECTOR;
	uint64_t kernel = place_kernel(file);
	uint64_t base = memory_find_low(sizeof(struct linux_area), PAGE_SIZE, LOW_FROM, LOW_TO);
	struct linux_area *area = memory_pointer(base);

	if (!base || setup >= module->end - module->start ||
	    module->end - module->start - setup > get(file, ZERO_INIT_SIZE, 4))
		hv_refuse("the Linux kernel image can't be loaded");
	memory_use(base, sizeof(*area));
	memset(area, 0, sizeof(*area));
	copy_string(area->command_line, without_name(module->string),
		    sizeof(area->command_line));
	write_tables(area);
	write_zero_page(area, file);
	memcpy(memory_pointer(kernel), file + setup, module->end - module->start - setup);
	*entry = (struct loader_entry){.mode = LOADER_LONG64,
				       .rip = kernel + ENTRY_64,
				       .rsi = memory_address(area->zero_page),
				       .cr3 = memory_address(area->pml4),
				       .gdt_base = memory_address(area->gdt),
				       .gdt_limit = sizeof(area->gdt) - 1};
}
