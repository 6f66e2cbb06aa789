/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L1's physical address space as a list of ranges: what is where, with which rights and type. EPT01
 * is made from it and every address that L1 hands to us is looked up in it; an address in no range
 * is refused. Nothing may assume that l1_gpa and hpa are equal.
 */
#ifndef L0_HV_RANGE_H
#define L0_HV_RANGE_H

#include "shadow/types.h"

struct range {
	uint64_t gpa, hpa, length;
	uint8_t rights; /* EPT_R | EPT_W | EPT_X */
	bool ram;       /* type WB; else UC: the platform's, passed through */
};

/* Builds the list from memory_map: all that the CPU can address, less our region. With offset, two
 * halves of the RAM above 2 MiB change places, contents and all. */
void range_build(uint8_t maxphyaddr, bool offset);
/* Takes [gpa, gpa + length) out: a region of a hypervisor beneath, which would be hit through us.
 */
void range_hide(uint64_t gpa, uint64_t length);
/* Shows pages of our own, at their own address, to be read. */
void range_add_read_only(uint64_t hpa, uint64_t length);
/* The range that holds gpa, or NULL. */
const struct range *range_find(struct l1_gpa gpa);
/* The ranges in order of gpa; *count of them. */
const struct range *range_list(unsigned *count);

#endif
