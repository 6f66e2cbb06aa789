/* SPDX-License-Identifier: BSD-2-Clause
 *
 * abyme trace dump: one line a record, as text or as JSON lines.
 */
#include "traces/cmd_trace.h"

#include <inttypes.h>
#include <string.h>

#include "traces/describe.h"
#include "traces/json.h"

static void print_text(uint16_t stream, const struct trap_record *record)
{
	char detail[96];

	trap_record_detail(record, detail, sizeof(detail));
	printf(
	    "%-7s #%-8" PRIu64 " %s %-24s rip=%016" PRIx64 " insns=%-6" PRIu32 " cycles=%-7" PRIu32,
	    trap_stream_name(stream), record->sequence, trap_who_name(record->path, record->level),
	    trap_reason_name(record->reason), record->rip, record->insns, record->cycles);
	if (record->flags & TRAP_GPA_VALID)
		printf(" gpa=%" PRIx64, record->gpa);
	if (record->cause != TRAP_NO_CAUSE)
		printf(" cause=#%" PRIu64, record->cause);
	printf("%s%s\n", detail[0] ? "  ; " : "", detail);
}

/* Addresses are strings: JSON numbers are doubles in most readers. */
static void add_hex(struct json *json, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	json_text(json, name, text);
}

static bool print_json(uint16_t stream, const struct trap_record *record)
{
	struct json json;
	char detail[96];

	trap_record_detail(record, detail, sizeof(detail));
	json_start(&json, stdout, true);
	json_text(&json, "level", trap_stream_name(stream));
	json_count(&json, "seq", record->sequence);
	if (record->cause != TRAP_NO_CAUSE)
		json_count(&json, "cause", record->cause);
	json_text(&json, "path", trap_who_name(record->path, record->level));
	json_text(&json, "reason", trap_reason_name(record->reason));
	add_hex(&json, "qualification", record->qualification);
	add_hex(&json, "rip", record->rip);
	if (record->flags & TRAP_GPA_VALID)
		add_hex(&json, "gpa", record->gpa);
	json_count(&json, "at_cycles", record->cycles_at);
	json_count(&json, "at_instructions", record->insns_at);
	json_count(&json, "cycles", record->cycles);
	json_count(&json, "instructions", record->insns);
	json_text(&json, "detail", detail);
	return json_end(&json);
}

static bool wanted(const struct trace_options *options, const struct trap_record *record)
{
	return record->sequence >= options->sequence &&
	       (!options->reason || !strcmp(options->reason, trap_reason_name(record->reason)));
}

int trace_cmd_dump(const struct trace_options *options, const struct trap_log *log)
{
	uint64_t left = options->limit;

	for (size_t i = 0; i < log->count; i++) {
		const struct trap_stream *stream = &log->streams[i];

		if (options->stream >= 0 && options->stream != stream->stream)
			continue;
		for (size_t k = 0; k < stream->count && left; k++) {
			if (!wanted(options, &stream->records[k]))
				continue;
			left--;
			if (!options->json)
				print_text(stream->stream, &stream->records[k]);
			else if (!print_json(stream->stream, &stream->records[k]))
				return 1;
		}
	}
	return 0;
}
