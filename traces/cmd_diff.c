/* SPDX-License-Identifier: BSD-2-Clause
 *
 * abyme trace diff: where two logs first differ, stream by stream. Two runs of one image with the
 * same options must not differ at all.
 */
#include "traces/cmd_trace.h"

#include <inttypes.h>
#include <string.h>

#include "traces/describe.h"

static void print_side(const char *side, const struct trap_record *record)
{
	char detail[96];

	trap_record_detail(record, detail, sizeof(detail));
	printf("  %s %s %s rip=%016" PRIx64 " insns=%" PRIu32 " cycles=%" PRIu32
	       " at=%" PRIu64 "%s%s\n",
	       side, trap_path_name(record->path), trap_reason_name(record->reason), record->rip,
	       record->insns, record->cycles, record->cycles_at, detail[0] ? "  ; " : "", detail);
}

/* Number of differences in one stream (0 or 1: only the first is of interest). */
static int diff_stream(const struct trap_stream *a, const struct trap_stream *b)
{
	size_t common = a->count < b->count ? a->count : b->count;

	for (size_t i = 0; i < common; i++) {
		if (!memcmp(&a->records[i], &b->records[i], sizeof(*a->records)))
			continue;
		printf("%s: first difference at #%" PRIu64 "\n", trap_stream_name(a->stream),
		       a->records[i].sequence);
		print_side("<", &a->records[i]);
		print_side(">", &b->records[i]);
		return 1;
	}
	if (a->count == b->count)
		return 0;
	printf("%s: the same for %zu records, then one log ends (%zu and %zu records)\n",
	       trap_stream_name(a->stream), common, a->count, b->count);
	return 1;
}

int trace_cmd_diff(const struct trace_options *options, const struct trap_log *a,
		   const struct trap_log *b)
{
	static const struct trap_stream none;
	int differences = 0;

	for (size_t i = 0; i < a->count; i++) {
		const struct trap_stream *other = trap_log_stream(b, a->streams[i].stream);

		if (options->stream < 0 || options->stream == a->streams[i].stream)
			differences += diff_stream(&a->streams[i], other ? other : &none);
	}
	for (size_t i = 0; i < b->count; i++)
		if (!trap_log_stream(a, b->streams[i].stream)) {
			printf("%s: only in the second log\n",
			       trap_stream_name(b->streams[i].stream));
			differences++;
		}
	if (!differences)
		puts("no difference");
	return differences ? 1 : 0;
}
