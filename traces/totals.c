/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Counting records by (stream, path, level, reason). A run has a few dozen keys, so a linear search
 * is enough for what the table of recent rows does not know.
 */
#include "traces/totals.h"

#include <stdlib.h>
#include <string.h>

#include "shadow/sdm/vmx.h"
#include "traces/xalloc.h"

static bool same_key(const struct trap_log_total *a, const struct trap_log_total *b)
{
	return a->stream == b->stream && a->path == b->path && a->level == b->level &&
	       a->reason == b->reason;
}

static size_t find_or_add(struct trap_totals *totals, const struct trap_log_total *key)
{
	for (size_t i = 0; i < totals->count; i++)
		if (same_key(&totals->rows[i], key))
			return i;
	if (totals->count == totals->room)
		totals->rows = xgrow(totals->rows, &totals->room, sizeof(*totals->rows));
	totals->rows[totals->count] = *key;
	return totals->count++;
}

size_t trap_totals_row(struct trap_totals *totals, uint16_t stream,
		       const struct trap_record *record)
{
	struct trap_log_total key = {
		.stream = stream,
		.path = record->path,
		.level = record->level,
		.reason = record->reason & EXIT_REASON_BASIC,
	};
	unsigned hash = key.reason + (key.path + key.level * 5u) * 67u + stream * 29u;
	size_t *recent = &totals->recent[hash % TRAP_TOTALS_RECENT];

	if (!*recent || !same_key(&totals->rows[*recent - 1], &key))
		*recent = find_or_add(totals, &key) + 1;
	return *recent - 1;
}

static int compare(const void *a, const void *b)
{
	const struct trap_log_total *x = a, *y = b;

	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	if (x->path != y->path)
		return x->path < y->path ? -1 : 1;
	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	return (x->reason > y->reason) - (x->reason < y->reason);
}

void trap_totals_sort(struct trap_totals *totals)
{
	if (totals->count)
		qsort(totals->rows, totals->count, sizeof(*totals->rows), compare);
	memset(totals->recent, 0, sizeof(totals->recent));
}

void trap_totals_free(struct trap_totals *totals)
{
	free(totals->rows);
	*totals = (struct trap_totals){0};
}
