/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The page pool: what the hypervisor's region holds beside the image. Never grows, never shared
 * with a guest; whoever keeps pages on a guest's behalf must be able to give some back.
 */
#include "l0/hv/hv.h"

struct free_page {
	struct free_page *next;
};

static struct pool {
	struct free_page *free; /* given back */
	struct memory_area fresh[2]; /* never used */
	unsigned fresh_count, available;
} pool;

void pool_reset(void)
{
	pool = (struct pool){0};
}

void pool_add(uint64_t base, uint64_t end)
{
	if (base >= end)
		return;
	pool.fresh[pool.fresh_count++] = (struct memory_area){.base = base, .end = end};
	pool.available += (unsigned)((end - base) / PAGE_SIZE);
}

static void *take_fresh(void)
{
	for (unsigned i = 0; i < pool.fresh_count; i++) {
		struct memory_area *area = &pool.fresh[i];

		if (area->base < area->end) {
			area->base += PAGE_SIZE;
			return memory_pointer(area->base - PAGE_SIZE);
		}
	}
	return NULL;
}

void *pool_alloc(void)
{
	void *page = pool.free;

	if (page)
		pool.free = pool.free->next;
	else
		page = take_fresh();
	if (!page)
		return NULL;
	pool.available--;
	return memset(page, 0, PAGE_SIZE);
}

void pool_free(void *page)
{
	struct free_page *entry = page;

	entry->next = pool.free;
	pool.free = entry;
	pool.available++;
}

unsigned pool_available(void)
{
	return pool.available;
}

void *pool_need(void)
{
	void *page = pool_alloc();

	if (!page)
		hv_panic("out of memory: the machine needs more RAM");
	return page;
}
