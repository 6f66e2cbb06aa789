/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Trips are cut out of the machine's stream level by level, sorted by what they are about, and
 * summed up.
 */
#include "traces/trips.h"

#include <stdlib.h>

#include "shadow/sdm/vmx.h"
#include "traces/xalloc.h"

struct trip {
	struct trap_trips_row key; /* level to reflected, typical */
	struct trap_trip_cost cost;
};

struct cutter {
	const struct trap_record *records; /* exits only */
	size_t count;
	struct trip *trips;
	size_t found, room;
};

/* Instructions of the guest that ran between the record before and this one. */
static uint64_t ran_before(const struct cutter *cutter, size_t i)
{
	const struct trap_record *last = &cutter->records[i - 1];

	return cutter->records[i].insns_at - (last->insns_at + last->insns);
}

/* The first record after `i` of the same level or one above it: that guest went on. */
static size_t find_end(const struct cutter *cutter, size_t i)
{
	unsigned level = cutter->records[i].level;

	for (i++; i < cutter->count && cutter->records[i].level < level; i++)
		;
	return i;
}

static bool goes_on(const struct cutter *cutter, size_t first, size_t end)
{
	const struct trap_record *a = &cutter->records[first], *b = &cutter->records[end];

	return a->level == b->level && a->rip == b->rip && !ran_before(cutter, end) &&
	       find_end(cutter, end) == end + 1;
}

static void add_records(struct cutter *cutter, struct trip *trip, size_t from, size_t end)
{
	for (size_t i = from; i < end; i++) {
		trip->cost.exits++;
		trip->cost.l0_insns += cutter->records[i].insns;
		if (i > from)
			trip->cost.between_insns += ran_before(cutter, i);
	}
}

/* The trip that begins with record `first`. Returns the record after it; the last exit of the log
 * leads nowhere. */
static size_t cut(struct cutter *cutter, size_t first)
{
	const struct trap_record *record = &cutter->records[first];
	size_t end = find_end(cutter, first);
	struct trip trip = {.key = {.level = record->level,
				    .reason = record->reason & EXIT_REASON_BASIC,
				    .rip = record->rip,
				    .reflected = end > first + 1,
				    .typical = record->sequence}};

	add_records(cutter, &trip, first, end);
	while (end < cutter->count && goes_on(cutter, first, end)) {
		add_records(cutter, &trip, end, end + 1);
		end++;
	}
	if (end == cutter->count)
		return end;
	if (cutter->found == cutter->room)
		cutter->trips = xgrow(cutter->trips, &cutter->room, sizeof(*cutter->trips));
	cutter->trips[cutter->found++] = trip;
	return end;
}

static void cut_level(struct cutter *cutter, unsigned level)
{
	size_t i = 0;

	while (i < cutter->count)
		i = cutter->records[i].level == level ? cut(cutter, i) : i + 1;
}

static int compare_keys(const struct trap_trips_row *a, const struct trap_trips_row *b)
{
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	if (a->reason != b->reason)
		return a->reason < b->reason ? -1 : 1;
	if (a->rip != b->rip)
		return a->rip < b->rip ? -1 : 1;
	return a->reflected - b->reflected;
}

static int compare_trips(const void *a, const void *b)
{
	const struct trip *x = a, *y = b;
	int order = compare_keys(&x->key, &y->key);

	if (order)
		return order;
	if (x->cost.l0_insns != y->cost.l0_insns)
		return x->cost.l0_insns < y->cost.l0_insns ? -1 : 1;
	return (x->key.typical > y->key.typical) - (x->key.typical < y->key.typical);
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of a number of each trip, in room for `count`. */
static uint64_t median(const struct trip *trips, size_t count, uint64_t *room,
		       uint64_t (*number)(const struct trip *))
{
	for (size_t i = 0; i < count; i++)
		room[i] = number(&trips[i]);
	qsort(room, count, sizeof(*room), compare_numbers);
	return room[(count - 1) / 2];
}

static uint64_t exits_of(const struct trip *trip)
{
	return trip->cost.exits;
}

static uint64_t between_of(const struct trip *trip)
{
	return trip->cost.between_insns;
}

/* Of trips with the same key, by l0_insns. */
static struct trap_trips_row make_row(const struct trip *trips, size_t count, uint64_t *room)
{
	const struct trip *middle = &trips[(count - 1) / 2];
	struct trap_trips_row row = middle->key;

	row.count = count;
	row.median.exits = median(trips, count, room, exits_of);
	row.median.l0_insns = middle->cost.l0_insns;
	row.median.between_insns = median(trips, count, room, between_of);
	for (size_t i = 0; i < count; i++) {
		row.total.exits += trips[i].cost.exits;
		row.total.l0_insns += trips[i].cost.l0_insns;
		row.total.between_insns += trips[i].cost.between_insns;
	}
	return row;
}

static int compare_rows(const void *a, const void *b)
{
	const struct trap_trips_row *x = a, *y = b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return compare_keys(x, y);
}

static void make_rows(struct trap_trips *trips, const struct cutter *cutter)
{
	size_t rows = 0, numbers = 0;
	uint64_t *room = NULL;

	while (numbers < cutter->found)
		room = xgrow(room, &numbers, sizeof(*room));
	for (size_t from = 0, end; from < cutter->found; from = end) {
		const struct trip *first = &cutter->trips[from];

		for (end = from + 1; end < cutter->found; end++)
			if (compare_keys(&first->key, &cutter->trips[end].key))
				break;
		if (trips->count == rows)
			trips->rows = xgrow(trips->rows, &rows, sizeof(*trips->rows));
		trips->rows[trips->count++] = make_row(first, end - from, room);
	}
	free(room);
	if (trips->count)
		qsort(trips->rows, trips->count, sizeof(*trips->rows), compare_rows);
}

/* The stream without marks. */
static size_t copy_exits(const struct trap_stream *stream, struct trap_record **records)
{
	size_t count = 0, room = 0;

	*records = NULL;
	for (size_t i = 0; stream && i < stream->count; i++) {
		if (stream->records[i].path == TRAP_PATH_MARK)
			continue;
		if (count == room)
			*records = xgrow(*records, &room, sizeof(**records));
		(*records)[count++] = stream->records[i];
	}
	return count;
}

void trap_trips_make(struct trap_trips *trips, const struct trap_log *log)
{
	struct trap_record *records;
	struct cutter cutter = {0};
	unsigned deepest = 0;

	*trips = (struct trap_trips){0};
	cutter.count = copy_exits(trap_log_stream(log, TRAP_LOG_MACHINE), &records);
	cutter.records = records;
	for (size_t i = 0; i < cutter.count; i++)
		if (records[i].level > deepest)
			deepest = records[i].level;
	for (unsigned level = 1; level <= deepest; level++)
		cut_level(&cutter, level);
	if (cutter.found)
		qsort(cutter.trips, cutter.found, sizeof(*cutter.trips), compare_trips);
	make_rows(trips, &cutter);
	free(cutter.trips);
	free(records);
}

void trap_trips_free(struct trap_trips *trips)
{
	free(trips->rows);
	*trips = (struct trap_trips){0};
}
