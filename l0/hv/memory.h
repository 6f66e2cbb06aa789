/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory as the hypervisor sees it: the loader's map, what of it is in use, its own region at the
 * top of RAM, and all of physical memory at HV_PHYSICAL. An hpa is what our own page tables yield:
 * under another hypervisor that is its guest-physical address.
 */
#ifndef L0_HV_MEMORY_H
#define L0_HV_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_LINK_OFFSET UINT64_C(0x40000000)
#ifndef HV_PHYSICAL /* tests have it elsewhere */
#define HV_PHYSICAL UINT64_C(0xffff800000000000)
#endif
#define HV_LARGE_PAGE UINT64_C(0x200000)

#define MEMORY_MAP_MAX 128
#define MEMORY_USED_MAX 1280 /* a module and its command line, and some */

struct memory_area {
	uint64_t base, end; /* end is the first byte after it */
	uint32_t type;      /* MULTIBOOT_MEMORY_* */
};

struct memory_map {
	unsigned map_count, used_count;
	struct memory_area map[MEMORY_MAP_MAX]; /* as the loader says, sorted, not overlapping */
	struct memory_area used[MEMORY_USED_MAX];
	struct memory_area region; /* our own */
	uint64_t image_base;       /* hpa that HV_LINK_OFFSET maps to */
};
extern struct memory_map memory_map;

static inline uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline void *memory_pointer(uint64_t hpa)
{
	return (void *)(HV_PHYSICAL + hpa);
}

/* Of a pointer into the image or from memory_pointer. */
uint64_t memory_address(const void *pointer);

/* Sorts and trims what memory_map.map holds. */
void memory_map_tidy(void);
/* Marks [base, base + length) as in use: nothing will be placed there. */
void memory_use(uint64_t base, uint64_t length);
/* The highest (or lowest) free, aligned place of `size` bytes of RAM in [from, to); 0: none. */
uint64_t memory_find_high(uint64_t size, uint64_t align, uint64_t from, uint64_t to);
uint64_t memory_find_low(uint64_t size, uint64_t align, uint64_t from, uint64_t to);
/* The type of the byte at `address` and the end of the area of that type around it. */
uint32_t memory_type_at(uint64_t address, uint64_t *end);
/* Moves the image to a region at the top of RAM; goes on with `then` on a fresh stack. */
_Noreturn void memory_relocate(void (*then)(void));
/* Once after the move: the page pool, and RAM above 4 GiB in our page tables. */
void memory_open_pool(void);
void memory_map_high(void);
/* Takes write or execute rights away from our own mappings, where the CPU can. */
struct hv_machine;
void memory_protect(const struct hv_machine *machine);

/* ---- pool.c: 4 KiB pages of the region ---- */
/* Empty, as at the start. */
void pool_reset(void);
void pool_add(uint64_t base, uint64_t end);
/* A zeroed page, NULL when there is none. */
void *pool_alloc(void);
void pool_free(void *page);
unsigned pool_available(void);
/* As pool_alloc, for what can't be done without: panics when there is none. */
void *pool_need(void);

#endif
