/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sums over a log, and the comparison of level 0's records with the machine's.
 */
#include "traces/report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "shadow/sdm/vmx.h"
#include "traces/describe.h"
#include "traces/totals.h"
#include "traces/xalloc.h"

static void cost_add(struct trap_cost *cost, uint64_t value, bool first)
{
	cost->total += value;
	if (first || value < cost->min)
		cost->min = value;
	if (first || value > cost->max)
		cost->max = value;
}

#define NO_ROW UINT32_MAX

/* The row of each record of a stream, so that a cause can be looked up by sequence; marks have
 * none. */
static uint32_t *row_of_records(struct trap_totals *totals, const struct trap_stream *stream)
{
	size_t room = 0;
	uint32_t *rows = NULL;

	while (room < stream->count + 1)
		rows = xgrow(rows, &room, sizeof(*rows));
	for (size_t i = 0; i < stream->count; i++)
		rows[i] = stream->records[i].path == TRAP_PATH_MARK ?
				  NO_ROW :
				  trap_totals_row(totals, stream->stream, &stream->records[i]);
	return rows;
}

static void add_stream(struct trap_report *report, const struct trap_stream *stream,
		       struct trap_totals *totals)
{
	uint32_t *row_of = row_of_records(totals, stream);
	size_t room = report->count;

	while (totals->count > room)
		report->rows = xgrow(report->rows, &room, sizeof(*report->rows));
	for (; report->count < totals->count; report->count++)
		report->rows[report->count] = (struct trap_report_row){
			.stream = totals->rows[report->count].stream,
			.path = totals->rows[report->count].path,
			.level = totals->rows[report->count].level,
			.reason = totals->rows[report->count].reason,
		};
	for (size_t i = 0; i < stream->count; i++) {
		const struct trap_record *record = &stream->records[i];
		struct trap_report_row *row;
		size_t cause;

		if (record->path == TRAP_PATH_MARK)
			continue;
		row = &report->rows[row_of[i]];
		cost_add(&row->insns, record->insns, !row->count);
		cost_add(&row->cycles, record->cycles, !row->count);
		row->count++;
		if (record->cause == TRAP_NO_CAUSE)
			continue;
		cause = trap_stream_find(stream, record->cause);
		if (cause != TRAP_NOT_FOUND && row_of[cause] != NO_ROW)
			report->rows[row_of[cause]].caused++;
	}
	free(row_of);
}

static int compare_rows(const void *a, const void *b)
{
	const struct trap_report_row *x = a, *y = b;

	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	if (x->path != y->path)
		return x->path < y->path ? -1 : 1;
	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	return (x->reason > y->reason) - (x->reason < y->reason);
}

void trap_report_make(struct trap_report *report, const struct trap_log *log)
{
	struct trap_totals totals = {0};

	*report = (struct trap_report){0};
	for (size_t i = 0; i < log->count; i++)
		add_stream(report, &log->streams[i], &totals);
	trap_totals_free(&totals);
	if (report->count)
		qsort(report->rows, report->count, sizeof(*report->rows), compare_rows);
}

void trap_report_free(struct trap_report *report)
{
	free(report->rows);
}

uint64_t trap_report_total(const struct trap_report *report, uint16_t stream)
{
	uint64_t total = 0;

	for (size_t i = 0; i < report->count; i++)
		if (report->rows[i].stream == stream)
			total += report->rows[i].count;
	return total;
}

static uint64_t count_reason(const struct trap_report *report, uint16_t stream, uint16_t reason)
{
	uint64_t total = 0;

	for (size_t i = 0; i < report->count; i++)
		if (report->rows[i].stream == stream && report->rows[i].reason == reason)
			total += report->rows[i].count;
	return total;
}

/* Exits that the level saw, reason by reason, and those that the level below says it reflected. */
static bool reflections_agree(const struct trap_report *report, uint16_t level, char *why,
			      size_t size)
{
	for (uint16_t reason = 0; reason < EXIT_REASON_COUNT; reason++) {
		uint64_t below = 0, above = count_reason(report, level, reason);

		for (size_t i = 0; i < report->count; i++)
			if (report->rows[i].stream == level - 1 &&
			    report->rows[i].path == TRAP_PATH_201 &&
			    report->rows[i].reason == reason)
				below += report->rows[i].count;
		if (below == above)
			continue;
		snprintf(why, size, "%s: L%u logged %" PRIu64 " exits, L%u reflected %" PRIu64,
			 trap_reason_name(reason), level, above, level - 1u, below);
		return false;
	}
	return true;
}

bool trap_report_agrees(const struct trap_report *report, char *why, size_t size)
{
	if (!trap_report_total(report, 0) || !trap_report_total(report, TRAP_LOG_MACHINE)) {
		snprintf(why, size, "the log holds no %s records to compare",
			 trap_report_total(report, 0) ? "machine" : "L0");
		return false;
	}
	for (uint16_t reason = 0; reason < EXIT_REASON_COUNT; reason++) {
		uint64_t level0 = count_reason(report, 0, reason);
		uint64_t machine = count_reason(report, TRAP_LOG_MACHINE, reason);

		if (level0 == machine)
			continue;
		snprintf(why, size, "%s: L0 logged %" PRIu64 " exits, the machine saw %" PRIu64,
			 trap_reason_name(reason), level0, machine);
		return false;
	}
	for (uint16_t level = 1; trap_report_total(report, level); level++)
		if (!reflections_agree(report, level, why, size))
			return false;
	return true;
}
