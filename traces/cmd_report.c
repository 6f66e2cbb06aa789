/* SPDX-License-Identifier: BSD-2-Clause
 *
 * abyme trace report: the sums of a log as a table or as JSON.
 */
#include "traces/cmd_trace.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>

#include "traces/describe.h"
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

static cJSON *cost_json(const struct trap_cost *cost, uint64_t count)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "min", cost->min);
	cJSON_AddNumberToObject(json, "avg", (double)cost->total / count);
	cJSON_AddNumberToObject(json, "max", cost->max);
	cJSON_AddNumberToObject(json, "total", cost->total);
	return json;
}

static cJSON *row_json(const struct trap_report_row *row)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "level", trap_stream_name(row->stream));
	cJSON_AddStringToObject(json, "path", trap_who_name(row->path, row->level));
	cJSON_AddStringToObject(json, "reason", trap_reason_name(row->reason));
	cJSON_AddNumberToObject(json, "count", row->count);
	cJSON_AddNumberToObject(json, "caused", row->caused);
	cJSON_AddItemToObject(json, "instructions", cost_json(&row->insns, row->count));
	cJSON_AddItemToObject(json, "cycles", cost_json(&row->cycles, row->count));
	return json;
}

static void print_json(const struct trap_log *log, const struct trap_report *report)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *levels = cJSON_AddArrayToObject(json, "levels");
	cJSON *rows = cJSON_AddArrayToObject(json, "rows");
	char *text;

	for (size_t i = 0; i < log->count; i++) {
		cJSON *level = cJSON_CreateObject();

		cJSON_AddStringToObject(level, "level", trap_stream_name(log->streams[i].stream));
		cJSON_AddNumberToObject(level, "exits", log->streams[i].count);
		cJSON_AddNumberToObject(level, "dropped", log->streams[i].dropped);
		cJSON_AddItemToArray(levels, level);
	}
	for (size_t i = 0; i < report->count; i++)
		cJSON_AddItemToArray(rows, row_json(&report->rows[i]));
	if (log->damage[0])
		cJSON_AddStringToObject(json, "damage", log->damage);
	text = cJSON_Print(json);
	puts(text);
	free(text);
	cJSON_Delete(json);
}

int trace_cmd_report(const struct trace_options *options, const struct trap_log *log)
{
	struct trap_report report;
	char why[160];
	int status = 0;

	trap_report_make(&report, log);
	if (options->json)
		print_json(log, &report);
	else
		print_table(log, &report);
	if (options->check && !log->damage[0] && !trap_report_agrees(&report, why, sizeof(why))) {
		fprintf(stderr, "abyme trace report: logs disagree: %s\n", why);
		status = 1;
	}
	trap_report_free(&report);
	return status;
}
