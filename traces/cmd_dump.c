/* SPDX-License-Identifier: BSD-2-Clause
 *
 * abyme trace dump: one line a record, as text or as JSON lines.
 */
#include "traces/cmd_trace.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "traces/describe.h"

static void print_text(uint16_t stream, const struct trap_record *record)
{
	char detail[96];

	trap_record_detail(record, detail, sizeof(detail));
	printf("%-7s #%-8" PRIu64 " %s %-24s rip=%016" PRIx64 " insns=%-6" PRIu32
	       " cycles=%-7" PRIu32,
	       trap_stream_name(stream), record->sequence, trap_who_name(record->path, record->level),
	       trap_reason_name(record->reason), record->rip, record->insns, record->cycles);
	if (record->flags & TRAP_GPA_VALID)
		printf(" gpa=%" PRIx64, record->gpa);
	if (record->cause != TRAP_NO_CAUSE)
		printf(" cause=#%" PRIu64, record->cause);
	printf("%s%s\n", detail[0] ? "  ; " : "", detail);
}

/* Addresses are strings: JSON numbers are doubles in most readers. */
static void add_hex(cJSON *json, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	cJSON_AddStringToObject(json, name, text);
}

static void print_json(uint16_t stream, const struct trap_record *record)
{
	cJSON *json = cJSON_CreateObject();
	char detail[96], *text;

	trap_record_detail(record, detail, sizeof(detail));
	cJSON_AddStringToObject(json, "level", trap_stream_name(stream));
	cJSON_AddNumberToObject(json, "seq", record->sequence);
	if (record->cause != TRAP_NO_CAUSE)
		cJSON_AddNumberToObject(json, "cause", record->cause);
	cJSON_AddStringToObject(json, "path", trap_who_name(record->path, record->level));
	cJSON_AddStringToObject(json, "reason", trap_reason_name(record->reason));
	add_hex(json, "qualification", record->qualification);
	add_hex(json, "rip", record->rip);
	if (record->flags & TRAP_GPA_VALID)
		add_hex(json, "gpa", record->gpa);
	cJSON_AddNumberToObject(json, "at_cycles", record->cycles_at);
	cJSON_AddNumberToObject(json, "at_instructions", record->insns_at);
	cJSON_AddNumberToObject(json, "cycles", record->cycles);
	cJSON_AddNumberToObject(json, "instructions", record->insns);
	cJSON_AddStringToObject(json, "detail", detail);
	text = cJSON_PrintUnformatted(json);
	puts(text);
	free(text);
	cJSON_Delete(json);
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
			(options->json ? print_json : print_text)(stream->stream,
								  &stream->records[k]);
		}
	}
	return 0;
}
