/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT01, a 4-level table (SDM 3C "EPT Translation Mechanism"). Levels: 0 = 4 KiB entries,
 * 1 = 2 MiB, 2 = 1 GiB, 3 = the root.
 */
#include "l0/hv/ept01.h"

#include "l0/hv/hv.h"

#define ROOT_LEVEL 3
#define INDEX_MASK 511
#define LEGACY_END UINT64_C(0x100000) /* video memory and firmware: everybody looks there */

static uint64_t *root;

static uint64_t level_size(unsigned level)
{
	return UINT64_C(1) << (PAGE_SHIFT + 9 * level);
}

static uint64_t *slot(uint64_t *table, uint64_t gpa, unsigned level)
{
	return &table[gpa >> (PAGE_SHIFT + 9 * level) & INDEX_MASK];
}

static unsigned largest_level(void)
{
	if (machine_has(&hv.machine, VMX_FEATURE_EPT_1G))
		return 2;
	return machine_has(&hv.machine, VMX_FEATURE_EPT_2M) ? 1 : 0;
}

/* The highest level whose page around gpa lies inside `range` and is aligned in hpa too. */
static unsigned fitting_level(const struct range *range, uint64_t gpa, unsigned limit)
{
	unsigned level = limit;

	for (; level; level--) {
		uint64_t size = level_size(level), base = gpa & ~(size - 1);

		if (base >= range->gpa && base + size <= range->gpa + range->length &&
		    !((range->gpa ^ range->hpa) & (size - 1)))
			break;
	}
	return level;
}

static uint64_t leaf(const struct range *range, uint64_t gpa, unsigned level)
{
	uint64_t hpa = (gpa & ~(level_size(level) - 1)) - range->gpa + range->hpa;

	return hpa | range->rights | (range->ram ? EPT_MT_WB : EPT_MT_UC) | (level ? EPT_PS : 0);
}

/* The table that `entry` points to, made if need be; a large page becomes smaller ones. */
static uint64_t *descend(uint64_t *entry, unsigned level)
{
	uint64_t *table, old = *entry;

	if (old && !(old & EPT_PS))
		return memory_pointer(old & EPT_ADDRESS);
	table = pool_alloc();
	if (!table)
		return NULL;
	if (old) {
		uint64_t flags = level > 1 ? EPT_PS : 0;

		for (unsigned i = 0; i <= INDEX_MASK; i++)
			table[i] = ((old & ~EPT_PS) | flags) + i * level_size(level - 1);
	}
	*entry = memory_address(table) | EPT_RWX;
	return table;
}

/* The entry of `level` for gpa, or NULL for want of memory. */
static uint64_t *walk(uint64_t gpa, unsigned level)
{
	uint64_t *table = root;

	for (unsigned at = ROOT_LEVEL; at > level; at--) {
		table = descend(slot(table, gpa, at), at);
		if (!table)
			return NULL;
	}
	return slot(table, gpa, level);
}

static bool map(const struct range *range, uint64_t gpa, unsigned level)
{
	uint64_t *entry = walk(gpa, level);

	if (!entry)
		return false;
	*entry = leaf(range, gpa, level);
	return true;
}

static void map_range(const struct range *range)
{
	uint64_t gpa = range->gpa, end = gpa + range->length;

	while (gpa < end) {
		unsigned level = fitting_level(range, gpa, largest_level());

		if (!map(range, gpa, level))
			hv_refuse("too little RAM for the guest's page tables");
		gpa = (gpa & ~(level_size(level) - 1)) + level_size(level);
	}
}

uint64_t ept01_create(void)
{
	unsigned count;
	const struct range *ranges = range_list(&count);

	root = pool_need();
	for (unsigned i = 0; i < count; i++)
		if (ranges[i].ram || ranges[i].gpa + ranges[i].length <= LEGACY_END)
			map_range(&ranges[i]);
	return memory_address(root) | EPTP_MT_WB | EPTP_WALK_4;
}

bool ept01_translate(struct l1_gpa gpa, struct hpa *hpa, uint64_t *size, const struct range **found)
{
	const struct range *range = range_find(gpa);

	if (!range)
		return false;
	hpa->value = gpa.value - range->gpa + range->hpa;
	*size = level_size(fitting_level(range, gpa.value, 2));
	*found = range;
	return true;
}

bool ept01_fill(struct l1_gpa gpa)
{
	const struct range *range = range_find(gpa);
	unsigned limit = largest_level();

	if (!range)
		return false;
	/* A hole's 2 MiB may be cut by RAM that is mapped in smaller pages. */
	return map(range, gpa.value, fitting_level(range, gpa.value, limit > 1 ? 1 : limit));
}

bool ept01_protect(struct l1_gpa page, uint8_t rights)
{
	uint64_t *entry;

	if (!range_find(page))
		return false;
	entry = walk(page.value, 0);
	if (!entry)
		return false;
	*entry = (*entry & ~EPT_RWX) | rights;
	return true;
}
