/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of ranges, sorted by l1_gpa; the last one found is tried first.
 */
#include "l0/hv/range.h"

#include "l0/hv/hv.h"
#include "l0/hv/multiboot.h"

#define RANGES_MAX (2 * MEMORY_MAP_MAX)

static struct range ranges[RANGES_MAX];
static unsigned range_count;
static const struct range *last_found = ranges;

static void add(uint64_t gpa, uint64_t end, bool ram)
{
	if (gpa >= end)
		return;
	if (range_count == RANGES_MAX)
		hv_refuse("the memory map has too many pieces");
	ranges[range_count++] = (struct range){
		.gpa = gpa, .hpa = gpa, .length = end - gpa, .rights = EPT_RWX, .ram = ram};
}

/* RAM and the firmware's tables are cached; what the map does not name is devices or nothing. */
static bool is_memory(uint32_t type)
{
	return type == MULTIBOOT_MEMORY_RAM || type == MULTIBOOT_MEMORY_ACPI ||
	       type == MULTIBOOT_MEMORY_NVS;
}

/* Adds [at, end) without our region. */
static void add_visible(uint64_t at, uint64_t end, bool ram)
{
	const struct memory_area *region = &memory_map.region;

	if (region->base >= end || region->end <= at) {
		add(at, end, ram);
		return;
	}
	add(at, region->base, ram);
	add(region->end, end, ram);
}

static struct range *find(uint64_t gpa)
{
	for (unsigned i = 0; i < range_count; i++)
		if (gpa - ranges[i].gpa < ranges[i].length)
			return &ranges[i];
	return NULL;
}

/* Cuts the range that holds `gpa`, if one does, so that one begins there. */
static void cut_at(uint64_t gpa)
{
	struct range *range = find(gpa);
	uint64_t first;

	if (!range || range->gpa == gpa)
		return;
	first = gpa - range->gpa;
	if (range_count == RANGES_MAX)
		hv_refuse("the memory map has too many pieces");
	memmove(range + 1, range, (size_t)(ranges + range_count - range) * sizeof(*range));
	range_count++;
	range->length = first;
	range[1].gpa += first;
	range[1].hpa += first;
	range[1].length -= first;
}

static void swap_contents(uint64_t a, uint64_t b, uint64_t length)
{
	uint8_t *page = pool_need();

	for (uint64_t at = 0; at < length; at += PAGE_SIZE) {
		memcpy(page, memory_pointer(a + at), PAGE_SIZE);
		memcpy(memory_pointer(a + at), memory_pointer(b + at), PAGE_SIZE);
		memcpy(memory_pointer(b + at), page, PAGE_SIZE);
	}
	pool_free(page);
}

/* The RAM range from 2 MiB on, in large pages: its halves change places. */
static void swap_halves(void)
{
	struct range *low = find(HV_LARGE_PAGE);
	uint64_t half, base = HV_LARGE_PAGE;
	struct range *a, *b;

	if (!low || !low->ram)
		hv_refuse("map=offset: no RAM at 2 MiB");
	half = ((low->gpa + low->length - base) / 2) & ~(HV_LARGE_PAGE - 1);
	if (!half)
		hv_refuse("map=offset: too little RAM");
	cut_at(base);
	cut_at(base + half);
	if (find(base)->gpa + 2 * half < find(base + half)->gpa + find(base + half)->length)
		cut_at(base + 2 * half);
	swap_contents(base, base + half, half);
	a = find(base);
	b = find(base + half);
	a->hpa = base + half;
	b->hpa = base;
}

void range_build(uint8_t maxphyaddr, bool offset)
{
	/* A 4-level EPT translates 48 bits. */
	uint64_t limit = UINT64_C(1) << (maxphyaddr < 48 ? maxphyaddr : 48);
	uint64_t at = 0, end;

	range_count = 0;
	last_found = ranges;
	while (at < limit) {
		bool ram = is_memory(memory_type_at(at, &end));

		if (end > limit)
			end = limit;
		add_visible(at, end, ram);
		at = end;
	}
	if (offset)
		swap_halves();
}

void range_hide(uint64_t gpa, uint64_t length)
{
	unsigned kept = 0;

	cut_at(gpa);
	cut_at(gpa + length);
	for (unsigned i = 0; i < range_count; i++)
		if (ranges[i].gpa - gpa >= length)
			ranges[kept++] = ranges[i];
	range_count = kept;
	last_found = ranges;
}

void range_add_read_only(uint64_t hpa, uint64_t length)
{
	unsigned at = 0;

	if (range_count == RANGES_MAX)
		hv_refuse("the memory map has too many pieces");
	while (at < range_count && ranges[at].gpa < hpa)
		at++;
	memmove(ranges + at + 1, ranges + at, (range_count - at) * sizeof(ranges[0]));
	ranges[at] = (struct range){
		.gpa = hpa, .hpa = hpa, .length = length, .rights = EPT_R, .ram = true};
	range_count++;
}

const struct range *range_find(struct l1_gpa gpa)
{
	const struct range *range = last_found;

	if (gpa.value - range->gpa < range->length)
		return range;
	range = find(gpa.value);
	if (range)
		last_found = range;
	return range;
}

const struct range *range_list(unsigned *count)
{
	*count = range_count;
	return ranges;
}
