/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The map of physical memory: what the loader says of it, what of it is in use, where something
 * fits.
 */
#include "l0/hv/hv.h"
#include "l0/hv/multiboot.h"

struct memory_map memory_map = {.used_count = 1}; /* used[0] is the image as it was loaded */

uint64_t memory_address(const void *pointer)
{
	uint64_t address = (uintptr_t)pointer;

	return address >= HV_PHYSICAL ? address - HV_PHYSICAL
				      : address - HV_LINK_OFFSET + memory_map.image_base;
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
