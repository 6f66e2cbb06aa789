/* SPDX-License-Identifier: BSD-2-Clause
 *
 * abyme trace report: the sums of a log as a table or as JSON.
 */
#include "traces/cmd_trace.h"

#include <inttypes.h>

#include "traces/describe.h"
#include "traces/json.h"
#include "traces/report.h"

static void print_row(const struct trap_report_row *row, uint64_t total)
{
	printf("%-4s %-27s %10" PRIu64 " %6.2f%% %8" PRIu64 " %10.1f %9" PRIu64 " %8" PRIu64
	       " %10.1f %9" PRIu64 " %7.2f\n",
	       trap_who_name(row->path, row->level), trap_reason_name(row->reason), row->count,
	       100.0 * row->count / total, row->insns.min, (double)row->insns.total / row->count,
	       row->insns.max, row->cycles.min, (double)row->cycles.total / row->count,
	       row->cycles.max, (double)row->caused / row->count);
}

static void print_table(const struct trap_log *log, const struct trap_report *report)
{
	size_t row = 0;

	for (size_t i = 0; i < log->count; i++) {
		uint16_t stream = log->streams[i].stream;
		uint64_t total = trap_report_total(report, stream);

		printf("%s%s: %" PRIu64 " exits", i ? "\n" : "", trap_stream_name(stream), total);
		if (log->streams[i].dropped)
			printf(", %" PRIu64 " dropped", log->streams[i].dropped);
		printf("\n%-4s %-27s %10s %7s %8s %10s %9s %8s %10s %9s %7s\n", "path", "reason",
		       "count", "share", "insn min", "avg", "max", "cyc min", "avg", "max",
		       "caused");
		for (; row < report->count && report->rows[row].stream == stream; row++)
			print_row(&report->rows[row], total);
	}
}

static void cost_json(struct json *json, const char *name, const struct trap_cost *cost,
		      uint64_t count)
{
	json_open_object(json, name);
	json_count(json, "min", cost->min);
	json_number(json, "avg", (double)cost->total / count);
	json_count(json, "max", cost->max);
	json_count(json, "total", cost->total);
	json_close(json);
}

static void row_json(struct json *json, const struct trap_report_row *row)
{
	json_open_object(json, NULL);
	json_text(json, "level", trap_stream_name(row->stream));
	json_text(json, "path", trap_who_name(row->path, row->level));
	json_text(json, "reason", trap_reason_name(row->reason));
	json_count(json, "count", row->count);
	json_count(json, "caused", row->caused);
	cost_json(json, "instructions", &row->insns, row->count);
	cost_json(json, "cycles", &row->cycles, row->count);
	json_close(json);
}

static bool print_json(const struct trap_log *log, const struct trap_report *report)
{
	struct json json;

	json_start(&json, stdout, false);
	json_open_array(&json, "levels");
	for (size_t i = 0; i < log->count; i++) {
		json_open_object(&json, NULL);
		json_text(&json, "level", trap_stream_name(log->streams[i].stream));
		json_count(&json, "exits", log->streams[i].count);
		json_count(&json, "dropped", log->streams[i].dropped);
		json_close(&json);
	}
	json_close(&json);
	json_open_array(&json, "rows");
	for (size_t i = 0; i < report->count; i++)
		row_json(&json, &report->rows[i]);
	json_close(&json);
	if (log->damage[0])
		json_text(&json, "damage", log->damage);
	return json_end(&json);
}

int trace_cmd_report(const struct trace_options *options, const struct trap_log *log)
{
	struct trap_report report;
	char why[160];
	int status = 0;

	trap_report_make(&report, log);
	if (!options->json)
		print_table(log, &report);
	else if (!print_json(log, &report))
		status = 1;
	if (options->check && !log->damage[0] && !trap_report_agrees(&report, why, sizeof(why))) {
		fprintf(stderr, "abyme trace report: logs disagree: %s\n", why);
		status = 1;
	}
	trap_report_free(&report);
	return status;
}
