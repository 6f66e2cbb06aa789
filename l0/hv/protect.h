/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which of the hypervisor's own pages may be written or executed.
 */
#ifndef L0_HV_PROTECT_H
#define L0_HV_PROTECT_H

#include <stdint.h>

/* Linear addresses, page-aligned, in this order: code, constants, what can be written. */
struct protect_bounds {
	uint64_t text, rodata, data;
};

/* PTE_P, PTE_W and PTE_NX of the page at a linear address of the image's region. */
uint64_t protect_rights(const struct protect_bounds *bounds, uint64_t address);
/* Fills the page table that maps a large page's worth from `linear` to `hpa`. */
void protect_fill(const struct protect_bounds *bounds, uint64_t *table, uint64_t linear,
		  uint64_t hpa);

#endif
