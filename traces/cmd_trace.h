/* SPDX-License-Identifier: BSD-2-Clause
 *
 * abyme trace VERB: the verbs share the option parser and the loaded log.
 */
#ifndef TRACES_CMD_TRACE_H
#define TRACES_CMD_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/reader.h"

struct trace_options {
	bool json;
	bool check;        /* report: level 0 against the machine */
	int32_t stream;    /* --level: a level's number, TRAP_LOG_MACHINE, or -1 for all; trips: the guest */
	const char *reason; /* --reason: SDM name, or NULL */
	uint64_t sequence; /* --seq: first record (dump) or the root (tree) */
	uint64_t limit;    /* --limit: records at the most */
};

/* argv[0] is "trace". Exit status: 0; 1 logs disagree or are damaged; EX_USAGE, EX_NOINPUT. */
int cmd_trace(int argc, char **argv);

int trace_cmd_report(const struct trace_options *options, const struct trap_log *log);
int trace_cmd_dump(const struct trace_options *options, const struct trap_log *log);
int trace_cmd_tree(const struct trace_options *options, const struct trap_log *log);
int trace_cmd_marks(const struct trace_options *options, const struct trap_log *log);
int trace_cmd_trips(const struct trace_options *options, const struct trap_log *log);
int trace_cmd_diff(const struct trace_options *options, const struct trap_log *a,
		   const struct trap_log *b);

#endif
