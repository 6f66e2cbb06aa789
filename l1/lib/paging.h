/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Four-level page tables, in pages from a pool inside the image. RAM below 2 GiB and the MMIO below
 * 4 GiB stay identity mapped in every space, so a table's physical address is its pointer.
 */
#ifndef L1_LIB_PAGING_H
#define L1_LIB_PAGING_H

#include <stdint.h>

#define PAGE_2M (UINT64_C(1) << 21)
/* The GiB below 4 GiB that a new space leaves empty: for code that has 32-bit addresses only. */
#define PAGING_PRIVATE UINT64_C(0x80000000)

/* A zeroed 4 KiB page; ends the run if the pool is empty. Pages are not given back. */
void *page_alloc(void);

/* A new space: the identity map of the low 4 GiB but for the GiB at PAGING_PRIVATE; returns its
 * root (for CR3). */
uint64_t *paging_new_space(void);
/* The space in which the runtime runs. */
uint64_t *paging_boot_space(void);
/* Maps one page: size 4096 or PAGE_2M, flags PTE_*. Not for the identity map, which all spaces
 * share. No invalidation. */
void paging_map(uint64_t *root, uint64_t linear, uint64_t physical, uint64_t size, uint64_t flags);
/* The leaf entry of a 4 KiB or 2 MiB mapping, NULL if the tables do not reach that far. */
uint64_t *paging_find(uint64_t *root, uint64_t linear);

#endif
