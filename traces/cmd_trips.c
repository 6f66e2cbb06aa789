/* SPDX-License-Identifier: BSD-2-Clause
 *
 * abyme trace trips: what round trips take, one line for each guest, reason and place.
 */
#include "traces/cmd_trace.h"

#include <inttypes.h>
#include <string.h>

#include "traces/describe.h"
#include "traces/json.h"
#include "traces/trips.h"

#define ROWS 10

static bool wanted(const struct trace_options *options, const struct trap_trips_row *row)
{
	return (options->stream < 0 || options->stream == row->level) &&
	       (!options->reason || !strcmp(options->reason, trap_reason_name(row->reason)));
}

static void print_row(const struct trap_trips_row *row)
{
	printf("L%-3u %-27s %-9s %016" PRIx64 " %8" PRIu64 " %6" PRIu64 " %8" PRIu64 " %10.1f"
	       " %8" PRIu64 " %10.1f #%" PRIu64 "\n",
	       row->level, trap_reason_name(row->reason), row->reflected ? "reflected" : "absorbed",
	       row->rip, row->count, row->median.exits, row->median.l0_insns,
	       (double)row->total.l0_insns / (double)row->count, row->median.between_insns,
	       (double)row->total.between_insns / (double)row->count, row->typical);
}

static void cost_json(struct json *json, const char *name, uint64_t median, uint64_t total)
{
	json_open_object(json, name);
	json_count(json, "median", median);
	json_count(json, "total", total);
	json_close(json);
}

static void row_json(struct json *json, const struct trap_trips_row *row)
{
	char rip[24];

	snprintf(rip, sizeof(rip), "0x%" PRIx64, row->rip);
	json_open_object(json, NULL);
	json_count(json, "level", row->level);
	json_text(json, "reason", trap_reason_name(row->reason));
	json_text(json, "by", row->reflected ? "reflected" : "absorbed");
	json_text(json, "rip", rip);
	json_count(json, "count", row->count);
	cost_json(json, "exits", row->median.exits, row->total.exits);
	cost_json(json, "l0_instructions", row->median.l0_insns, row->total.l0_insns);
	cost_json(json, "between_instructions", row->median.between_insns,
		  row->total.between_insns);
	json_count(json, "typical_seq", row->typical);
	json_close(json);
}

int trace_cmd_trips(const struct trace_options *options, const struct trap_log *log)
{
	uint64_t left = options->limit == UINT64_MAX ? ROWS : options->limit;
	struct trap_trips trips;
	struct json json;
	int status = 0;

	trap_trips_make(&trips, log);
	if (options->json) {
		json_start(&json, stdout, false);
		json_open_array(&json, "trips");
	} else {
		printf("%-4s %-27s %-9s %-16s %8s %6s %8s %10s %8s %10s typical\n", "of", "reason",
		       "by", "rip", "count", "exits", "L0 insns", "mean", "between", "mean");
	}
	for (size_t i = 0; i < trips.count && left; i++) {
		if (!wanted(options, &trips.rows[i]))
			continue;
		left--;
		if (options->json)
			row_json(&json, &trips.rows[i]);
		else
			print_row(&trips.rows[i]);
	}
	if (options->json) {
		json_close(&json);
		status = json_end(&json) ? 0 : 1;
	}
	trap_trips_free(&trips);
	return status;
}
