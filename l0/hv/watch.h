/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages of L1 whose next write is to be noticed: they are write-protected in EPT01. What was merged
 * from such a page stays good until the notice.
 */
#ifndef L0_HV_WATCH_H
#define L0_HV_WATCH_H

#include "shadow/types.h"

/* Watches the page; the caller drops what else may map it (INVEPT is done here for EPT01). False:
 * not possible now. */
bool watch_page(struct l1_gpa page, uint64_t eptp);
/* Ends the watch of the page around gpa and makes it writable again. False: it was not watched. */
bool watch_end(struct l1_gpa gpa);
/* Whether the naturally aligned `size` bytes around gpa hold a watched page. */
bool watch_overlaps(struct l1_gpa gpa, uint64_t size);

#endif
