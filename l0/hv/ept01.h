/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT01: L1's ranges as page tables, with the largest pages that fit. RAM is mapped at the start,
 * the platform's addresses when they are first touched. Our own memory is in no range, so never.
 */
#ifndef L0_HV_EPT01_H
#define L0_HV_EPT01_H

#include "l0/hv/range.h"

/* Builds the tables; returns the EPTP. */
uint64_t ept01_create(void);
/* How `gpa` is or would be mapped: its hpa, and the size of the largest page around it that lies in
 * one range and is aligned alike in both spaces. False: not at all. */
bool ept01_translate(struct l1_gpa gpa, struct hpa *hpa, uint64_t *size,
		     const struct range **range);
/* Maps what holds `gpa` if that is in a range and not mapped yet. False: it can't be. */
bool ept01_fill(struct l1_gpa gpa);
/* Changes the rights of one 4 KiB page, splitting large ones. False: no memory for tables. */
bool ept01_protect(struct l1_gpa page, uint8_t rights);

#endif
