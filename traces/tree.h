/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The exits beneath an exit. Within a level, `cause` says which exit's handling made another
 * happen. Across levels: level n sees an exit only because level n-1 reflected one to it, in the
 * same order, so the k-th exit of level n is the k-th record of level n-1 with path 201.
 */
#ifndef TRACES_TREE_H
#define TRACES_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "traces/reader.h"

struct trap_forest; /* the log with its links followed */

struct trap_forest *trap_forest_make(const struct trap_log *log);
void trap_forest_free(struct trap_forest *forest);

/* Called for an exit and each one beneath it, parents first. depth: 0 for the root. */
typedef void trap_visit(void *opaque, unsigned depth, uint16_t stream,
			const struct trap_record *record);
/* Walks the tree under the exit `sequence` of `stream`. False: no such record. */
bool trap_forest_walk(const struct trap_forest *forest, uint16_t stream, uint64_t sequence,
		      trap_visit *visit, void *opaque);

#endif
