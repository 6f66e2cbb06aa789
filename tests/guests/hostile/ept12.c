/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT12 and its corruption: entries of every level, with any rights, types, sizes and targets.
 */
#include "tests/guests/hostile/hostile.h"

#include "l1/lib/multiboot.h"
#include "l1/lib/paging.h"
#include "shadow/sdm/vmx.h"

#define HIDDEN (UINT64_C(64) << 20)
#define OWN_ENTRIES (HOSTILE_OWN >> 21)

static uint64_t *pointers, *directories[4], *small;

uint64_t ept12_create(void)
{
	uint64_t *root = page_alloc();

	pointers = page_alloc();
	small = page_alloc();
	root[0] = (uint64_t)pointers | EPT_RWX;
	for (unsigned i = 0; i < 4; i++) {
		directories[i] = page_alloc();
		pointers[i] = (uint64_t)directories[i] | EPT_RWX;
	}
	for (uint64_t i = 0; i < OWN_ENTRIES; i++)
		directories[0][i] = i << 21 | EPT_R | EPT_X | EPT_PS | EPT_MT_WB;
	for (uint64_t i = OWN_ENTRIES; i < 2 * OWN_ENTRIES; i++)
		directories[0][i] = i << 21 | EPT_RWX | EPT_PS | EPT_MT_WB;
	return (uint64_t)root | EPTP_WALK_4 | EPTP_MT_WB;
}

/* Leaf or table, mostly sane in all but its target. */
static uint64_t random_entry(uint64_t top)
{
	uint64_t target = chance_address(top) & EPT_ADDRESS, flags = EPT_RWX;

	/* L2 reaching for the hypervisor ends L1, and little else would be tried. */
	while (target - top < HIDDEN && !multiboot_has_word("reach"))
		target = chance_address(top) & EPT_ADDRESS;

	if (chance_one_in(4))
		flags = chance() & 7;
	if (chance_one_in(2))
		flags |= EPT_PS | EPT_MT_WB;
	else if (chance_one_in(2))
		return (uint64_t)small | flags;
	if (chance_one_in(8))
		flags ^= chance() & 0xfff;
	if (chance_one_in(2))
		target &= ~(PAGE_2M - 1);
	return chance_one_in(16) ? chance() : target | flags;
}

void ept12_spoil(uint64_t top)
{
	for (unsigned i = chance() >> 62; i < 4; i++) {
		unsigned which = chance() >> 62, slot = chance() >> 55;

		if (which == 0 && slot < OWN_ENTRIES)
			slot += OWN_ENTRIES;
		directories[which][slot] = random_entry(top);
		small[chance() >> 55] = random_entry(top) & ~EPT_PS;
		if (chance_one_in(32))
			pointers[1 + (chance() >> 8) % 3] = random_entry(top);
		else
			pointers[1 + (chance() >> 8) % 3] =
				(uint64_t)directories[1 + (chance() >> 8) % 3] | EPT_RWX;
	}
}
