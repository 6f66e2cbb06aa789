/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The map of physical memory, the choice of our region in it, and the move there. The image is
 * linked at a fixed address and copied as it is; only the page tables say where it lies:
 *
 *   0x40000000           our region, 2 MiB pages (the image begins 1 MiB into it)
 *   0xffff800000000000   all of physical memory, 2 MiB pages
 */
#include "l0/hv/memory.h"

#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "l0/hv/multiboot.h"

#define REGION_SHARE 16 /* of the RAM below 4 GiB, one part in this many is ours */
#define REGION_MIN HV_LARGE_PAGE
#define REGION_MAX (32 * HV_LARGE_PAGE)
#define FOUR_GIB (UINT64_C(1) << 32)
#define TABLE_ENTRIES 512
#define IMAGE_OFFSET UINT64_C(0x100000) /* of the image in the first large page */

extern uint64_t boot_pml4[], boot_pdpt_low[], boot_pdpt_physical[], boot_directories[];
extern const char image_start[], image_end[];

struct memory_map memory_map = {.used_count = 1}; /* used[0] is the image as it was loaded */
static uint64_t image_base; /* hpa that HV_LINK_OFFSET maps to */

uint64_t memory_address(const void *pointer)
{
	uint64_t address = (uintptr_t)pointer;

	return address >= HV_PHYSICAL ? address - HV_PHYSICAL : address - HV_LINK_OFFSET + image_base;
}

static void sort_map(void)
{
	struct memory_area *map = memory_map.map;

	for (unsigned i = 1; i < memory_map.map_count; i++) {
		struct memory_area area = map[i];
		unsigned j = i;

		for (; j && map[j - 1].base > area.base; j--)
			map[j] = map[j - 1];
		map[j] = area;
	}
}

/* Where two areas overlap, the one that is not RAM wins; RAM keeps whole pages only. */
void memory_map_tidy(void)
{
	struct memory_area *map = memory_map.map;
	unsigned kept = 0;

	sort_map();
	for (unsigned i = 0; i + 1 < memory_map.map_count; i++) {
		struct memory_area *a = &map[i], *b = &map[i + 1];

		if (a->end <= b->base)
			continue;
		if (a->type == MULTIBOOT_MEMORY_RAM)
			a->end = b->base;
		else
			b->base = b->end < a->end ? b->end : a->end;
	}
	for (unsigned i = 0; i < memory_map.map_count; i++) {
		if (map[i].type == MULTIBOOT_MEMORY_RAM) {
			map[i].base = PAGE_BASE(map[i].base + PAGE_SIZE - 1);
			map[i].end = PAGE_BASE(map[i].end);
		}
		if (map[i].base < map[i].end)
			map[kept++] = map[i];
	}
	memory_map.map_count = kept;
}

void memory_use(uint64_t base, uint64_t length)
{
	if (!length)
		return;
	if (memory_map.used_count == MEMORY_USED_MAX)
		hv_refuse("too many boot modules");
	memory_map.used[memory_map.used_count++] =
		(struct memory_area){.base = base, .end = base + length};
}

/* A used area that overlaps [base, end), or NULL. */
static const struct memory_area *used_in(uint64_t base, uint64_t end)
{
	for (unsigned i = 0; i < memory_map.used_count; i++) {
		const struct memory_area *used = &memory_map.used[i];

		if (used->base < end && base < used->end)
			return used;
	}
	return NULL;
}

static uint64_t find_high_in(uint64_t size, uint64_t align, uint64_t from, uint64_t to)
{
	while (to >= from && to - from >= size) {
		uint64_t base = (to - size) & ~(align - 1);
		const struct memory_area *used;

		if (base < from)
			return 0;
		used = used_in(base, base + size);
		if (!used)
			return base;
		to = used->base;
	}
	return 0;
}

static uint64_t find_low_in(uint64_t size, uint64_t align, uint64_t from, uint64_t to)
{
	for (;;) {
		uint64_t base = (from + align - 1) & ~(align - 1);
		const struct memory_area *used;

		if (base > to || to - base < size)
			return 0;
		used = used_in(base, base + size);
		if (!used)
			return base;
		from = used->end;
	}
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t memory_find_high(uint64_t size, uint64_t align, uint64_t from, uint64_t to)
{
	for (unsigned i = memory_map.map_count; i--;) {
		const struct memory_area *area = &memory_map.map[i];
		uint64_t base;

		if (area->type != MULTIBOOT_MEMORY_RAM)
			continue;
		base = find_high_in(size, align, larger(from, area->base), smaller(to, area->end));
		if (base)
			return base;
	}
	return 0;
}

uint64_t memory_find_low(uint64_t size, uint64_t align, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < memory_map.map_count; i++) {
		const struct memory_area *area = &memory_map.map[i];
		uint64_t base;

		if (area->type != MULTIBOOT_MEMORY_RAM)
			continue;
		base = find_low_in(size, align, larger(from, area->base), smaller(to, area->end));
		if (base)
			return base;
	}
	return 0;
}

uint32_t memory_type_at(uint64_t address, uint64_t *end)
{
	*end = UINT64_MAX;
	for (unsigned i = 0; i < memory_map.map_count; i++) {
		const struct memory_area *area = &memory_map.map[i];

		if (address >= area->base && address < area->end) {
			*end = area->end;
			return area->type;
		}
		if (area->base > address) {
			*end = area->base;
			break;
		}
	}
	return 0;
}

static uint64_t ram_below_4g(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < memory_map.map_count; i++) {
		const struct memory_area *area = &memory_map.map[i];

		if (area->type == MULTIBOOT_MEMORY_RAM && area->base < FOUR_GIB)
			sum += smaller(area->end, FOUR_GIB) - area->base;
	}
	return sum;
}

static void choose_region(void)
{
	uint64_t ram = ram_below_4g();
	uint64_t size = ram / REGION_SHARE & ~(HV_LARGE_PAGE - 1);
	uint64_t base;

	size = smaller(larger(size, REGION_MIN), REGION_MAX);
	base = memory_find_high(size, HV_LARGE_PAGE, 2 * IMAGE_OFFSET, FOUR_GIB);
	if (!base)
		hv_refuse("%lu MiB of RAM are too little: no room for %lu MiB of its own", ram >> 20,
			  size >> 20);
	memory_map.region = (struct memory_area){
		.base = base, .end = base + size, .type = MULTIBOOT_MEMORY_RESERVED};
	memory_use(base, size);
}

/* The boot page tables in the copied image, with addresses of the copy. */
static uint64_t *copied(uint64_t *table)
{
	return memory_pointer((uintptr_t)table - HV_LINK_OFFSET + memory_map.region.base);
}

static uint64_t copied_address(uint64_t *table)
{
	return (uintptr_t)table - HV_LINK_OFFSET + memory_map.region.base;
}

/* The copy's page tables: the identity map goes, directory 0 shows the region. Memory above 4 GiB is
 * added later, from the pool. */
static uint64_t build_tables(void)
{
	uint64_t *physical = copied(boot_pdpt_physical);
	uint64_t *low = copied(boot_pdpt_low);
	static uint64_t region_directory[TABLE_ENTRIES] __attribute__((aligned(4096)));
	uint64_t *directory = copied(region_directory);

	for (unsigned i = 0; i < 4; i++)
		physical[i] = copied_address(boot_directories + i * TABLE_ENTRIES) | PTE_P | PTE_W;
	for (uint64_t at = memory_map.region.base; at < memory_map.region.end; at += HV_LARGE_PAGE)
		directory[(at - memory_map.region.base) / HV_LARGE_PAGE] = at | PTE_P | PTE_W | PTE_PS;
	low[0] = 0;
	low[1] = copied_address(region_directory) | PTE_P | PTE_W;
	copied(boot_pml4)[0] = copied_address(boot_pdpt_low) | PTE_P | PTE_W;
	copied(boot_pml4)[256] = copied_address(boot_pdpt_physical) | PTE_P | PTE_W;
	return copied_address(boot_pml4);
}

/* What follows runs on the copy; nothing of the old stack or image is used again. */
_Noreturn void memory_relocate(void (*then)(void))
{
	uint64_t cr3;

	/* The loaded image is in use until the copy runs: it is the first entry, see memory_open_pool. */
	memory_map.used[0] = (struct memory_area){
		.base = IMAGE_OFFSET, .end = IMAGE_OFFSET + (uint64_t)(image_end - image_start)};
	choose_region();
	image_base = memory_map.region.base;
	memcpy(memory_pointer(image_base + IMAGE_OFFSET), image_start, (size_t)(image_end - image_start));
	cr3 = build_tables();
	hw_switch_memory(cr3, hv_vcpu.regs.gpr, then);
}

/* Called once on the copy: the pool is what the image leaves of the region. */
void memory_open_pool(void)
{
	uint64_t image_last = (uintptr_t)image_end - HV_LINK_OFFSET + memory_map.region.base;

	memory_map.used[0] = (struct memory_area){0};
	pool_add(image_last, memory_map.region.end);
	pool_add(memory_map.region.base, memory_map.region.base + IMAGE_OFFSET);
}

/* Shows RAM above 4 GiB at HV_PHYSICAL too. */
void memory_map_high(void)
{
	for (unsigned i = 0; i < memory_map.map_count; i++) {
		const struct memory_area *area = &memory_map.map[i];

		if (area->type != MULTIBOOT_MEMORY_RAM)
			continue;
		for (uint64_t at = larger(area->base, FOUR_GIB) & ~(HV_LARGE_PAGE - 1); at < area->end;
		     at += HV_LARGE_PAGE) {
			uint64_t *slot = &boot_pdpt_physical[at >> 30 & 511], *directory;

			if (at >> 39)
				hv_refuse("RAM above 512 GiB is not supported");
			if (!(*slot & PTE_P))
				*slot = memory_address(pool_need()) | PTE_P | PTE_W;
			directory = memory_pointer(*slot & EPT_ADDRESS);
			directory[at >> 21 & 511] = at | PTE_P | PTE_W | PTE_PS;
		}
	}
}
