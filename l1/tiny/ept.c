/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Guest-physical memory: everything below 4 GiB where it is, in 2 MiB pages, but for tiny itself; or lazily,
 * page by page as the guest touches it.
 * Under EPT the MTRRs do not count for the guest, so the memory types are said here.
 */
#include "l1/tiny/tiny.h"

#include "l1/lib/paging.h"

#define GIB (UINT64_C(1) << 30)
#define MMIO_START (3 * GIB) /* PCI devices and APICs, as on every PC */
#define VGA_START UINT64_C(0xa0000)
#define VGA_END UINT64_C(0xc0000)

/* The first 2 MiB by 4 KiB pages: display memory lies there. */
static uint64_t *build_first_table(void)
{
	uint64_t *table = page_alloc();

	for (uint64_t at = 0; at < PAGE_2M; at += PAGE_SIZE) {
		uint64_t type = at >= VGA_START && at < VGA_END ? EPT_MT_UC : EPT_MT_WB;

		table[at / PAGE_SIZE] = at | EPT_RWX | type;
	}
	return table;
}

static uint64_t *pointers;
static bool is_lazy;

uint64_t ept_build(uint64_t hole, uint64_t hole_end, bool lazy)
{
	uint64_t *root = page_alloc();

	pointers = page_alloc();
	is_lazy = lazy;

	root[0] = (uint64_t)pointers | EPT_RWX;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t *directory = page_alloc();

		pointers[i] = (uint64_t)directory | EPT_RWX;
		for (unsigned j = 0; j < 512; j++) {
			uint64_t at = i * GIB + j * PAGE_2M;

			if ((at >= hole && at < hole_end) || (lazy && at < MMIO_START))
				continue;
			directory[j] = at | EPT_RWX | EPT_PS |
				       (at >= MMIO_START ? EPT_MT_UC : EPT_MT_WB);
		}
	}
	*(uint64_t *)(pointers[0] & EPT_ADDRESS) = (uint64_t)build_first_table() | EPT_RWX;
	return (uint64_t)root | EPTP_WALK_4 | EPTP_MT_WB;
}

bool ept_map(uint64_t gpa)
{
	uint64_t *entry;

	if (!is_lazy || gpa >= MMIO_START || (gpa >= tiny_start() && gpa < tiny_end()))
		return false;
	entry = &((uint64_t *)(pointers[gpa / GIB] & EPT_ADDRESS))[gpa / PAGE_2M % 512];
	if (!*entry)
		*entry = (uint64_t)page_alloc() | EPT_RWX;
	entry = &((uint64_t *)(*entry & EPT_ADDRESS))[gpa / PAGE_SIZE % 512];
	if (*entry)
		return false; /* all rights are given: it is something else */
	*entry = (gpa & EPT_ADDRESS) | EPT_RWX | EPT_MT_WB;
	return true;
}
