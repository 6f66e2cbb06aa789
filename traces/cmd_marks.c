/* SPDX-License-Identifier: BSD-2-Clause
 *
 * abyme trace marks: what the machine saw between a guest's marks, one line an interval.
 */
#include "traces/cmd_trace.h"

#include <inttypes.h>

static void print_interval(bool json, const struct trap_record *from, const struct trap_record *to,
			   uint64_t exits)
{
	const char *form = json ? "{\"mark\":%" PRIu64 ",\"exits\":%" PRIu64
				  ",\"instructions\":%" PRIu64 ",\"cycles\":%" PRIu64 "}\n"
				: "mark=%" PRIu64 " exits=%" PRIu64 " insns=%" PRIu64
				  " cycles=%" PRIu64 "\n";

	printf(form, from->qualification, exits, to->insns_at - from->insns_at,
	       to->cycles_at - from->cycles_at);
}

int trace_cmd_marks(const struct trace_options *options, const struct trap_log *log)
{
	const struct trap_stream *machine = trap_log_stream(log, TRAP_LOG_MACHINE);
	const struct trap_record *from = NULL;
	uint64_t exits = 0;

	for (size_t i = 0; machine && i < machine->count; i++) {
		const struct trap_record *record = &machine->records[i];

		if (record->path != TRAP_PATH_MARK) {
			exits++;
			continue;
		}
		if (from)
			print_interval(options->json, from, record, exits);
		from = record;
		exits = 0;
	}
	return 0;
}
