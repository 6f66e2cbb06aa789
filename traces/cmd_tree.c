/* SPDX-License-Identifier: BSD-2-Clause
 *
 * abyme trace tree: one exit of one level and every exit beneath it, with what each level spent.
 */
#include "traces/cmd_trace.h"

#include <inttypes.h>
#include <sysexits.h>

#include "traces/describe.h"
#include "traces/tree.h"

struct sums {
	uint64_t exits, insns; /* insns: of level 0's records only, which contain all above them */
};

static void visit(void *opaque, unsigned depth, uint16_t stream, const struct trap_record *record)
{
	struct sums *sums = opaque;
	char detail[96];

	trap_record_detail(record, detail, sizeof(detail));
	printf("%*s%s #%" PRIu64 " %s %s insns=%" PRIu32 " cycles=%" PRIu32 "%s%s\n", 2 * depth, "",
	       trap_stream_name(stream), record->sequence, trap_path_name(record->path),
	       trap_reason_name(record->reason), record->insns, record->cycles,
	       detail[0] ? "  ; " : "", detail);
	if (stream == 0) {
		sums->exits++;
		sums->insns += record->insns;
	}
}

int trace_cmd_tree(const struct trace_options *options, const struct trap_log *log)
{
	struct trap_forest *forest = trap_forest_make(log);
	struct sums sums = {0};
	uint16_t level = options->stream > 0 ? options->stream : 0;

	if (!trap_forest_walk(forest, level, options->sequence, visit, &sums)) {
		fprintf(stderr, "abyme trace tree: %s has no exit #%" PRIu64 ": %s\n",
			trap_stream_name(level), options->sequence,
			log->damage[0] ? log->damage : "see abyme trace dump");
		trap_forest_free(forest);
		return EX_DATAERR;
	}
	printf("%" PRIu64 " exits of the hardware, %" PRIu64 " instructions in L0\n", sums.exits,
	       sums.insns);
	trap_forest_free(forest);
	return 0;
}
