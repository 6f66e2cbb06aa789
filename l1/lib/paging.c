/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Page-table walker: SDM 3A "4-Level Paging and 5-Level Paging".
 */
#include "l1/lib/paging.h"

#include <stddef.h>

#include "l1/lib/layout.h"
#include "l1/lib/runtime.h"
#include "shadow/sdm/x86.h"

#define POOL_PAGES 256
#define PTE_ADDRESS UINT64_C(0x000ffffffffff000)

extern uint64_t boot_pml4[512];

static uint8_t pool[POOL_PAGES][4096] __attribute__((aligned(4096)));
static unsigned pool_used;

void *page_alloc(void)
{
	if (pool_used == POOL_PAGES)
		runtime_panic(STATUS_NO_MEMORY, "page pool of %u pages is used up", POOL_PAGES);
	return pool[pool_used++];
}

uint64_t *paging_boot_space(void)
{
	return boot_pml4;
}

uint64_t *paging_new_space(void)
{
	uint64_t *root = page_alloc();
	uint64_t *low = page_alloc();
	const uint64_t *boot_low = (const uint64_t *)(boot_pml4[0] & PTE_ADDRESS);

	for (unsigned i = 0; i < 4; i++) {
		if (i != PAGING_PRIVATE >> 30)
			low[i] = boot_low[i];
	}
	root[0] = (uint64_t)low | PTE_BITS_TABLE;
	return root;
}

static uint64_t *entry_at(uint64_t *table, uint64_t linear, unsigned shift)
{
	return &table[linear >> shift & 511];
}

void paging_map(uint64_t *root, uint64_t linear, uint64_t physical, uint64_t size, uint64_t flags)
{
	unsigned leaf = size == PAGE_2M ? 21 : 12;
	uint64_t *table = root;

	for (unsigned shift = 39; shift > leaf; shift -= 9) {
		uint64_t *entry = entry_at(table, linear, shift);

		if (!(*entry & PTE_P))
			*entry = (uint64_t)page_alloc() | PTE_BITS_TABLE;
		table = (uint64_t *)(*entry & PTE_ADDRESS);
	}
	*entry_at(table, linear, leaf) = physical | flags | (leaf == 21 ? PTE_PS : 0);
}

uint64_t *paging_find(uint64_t *root, uint64_t linear)
{
	uint64_t *entry = entry_at(root, linear, 39);

	for (unsigned shift = 30; shift >= 12; shift -= 9) {
		if (!(*entry & PTE_P))
			return NULL;
		entry = entry_at((uint64_t *)(*entry & PTE_ADDRESS), linear, shift);
		if (shift == 12 || (*entry & PTE_PS))
			return entry;
	}
	return entry;
}
