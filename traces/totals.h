/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Counting records by (stream, path, level, reason).
 */
#ifndef TRACES_TOTALS_H
#define TRACES_TOTALS_H

#include "traces/machine_log.h"

#define TRAP_TOTALS_RECENT 256

struct trap_totals {
	struct trap_log_total *rows; /* in order of first appearance */
	size_t count, room;
	size_t recent[TRAP_TOTALS_RECENT]; /* row + 1 by a hash of the key; a hint */
};

/* Row of the record's key, added with count 0 if new. Index into totals->rows. */
size_t trap_totals_row(struct trap_totals *totals, uint16_t stream,
		       const struct trap_record *record);
/* Sorts by (stream, path, level, reason); row indices handed out before are void. */
void trap_totals_sort(struct trap_totals *totals);
void trap_totals_free(struct trap_totals *totals);

#endif
