/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a log says in sum: per stream, path, guest and reason the count and cost of the exits and
 * how many exits their handling caused.
 */
#ifndef TRACES_REPORT_H
#define TRACES_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/reader.h"

struct trap_cost {
	uint64_t total, min, max;
};

struct trap_report_row {
	uint16_t stream;
	uint8_t path, level;
	uint16_t reason;
	uint64_t count;
	uint64_t caused; /* exits of the same level whose cause is one of these */
	struct trap_cost insns, cycles;
};

struct trap_report {
	struct trap_report_row *rows; /* by stream, then descending count */
	size_t count;
};

void trap_report_make(struct trap_report *report, const struct trap_log *log);
void trap_report_free(struct trap_report *report);
/* Exits of one stream. */
uint64_t trap_report_total(const struct trap_report *report, uint16_t stream);

/* True if the log of level 0 and the machine's agree: as many exits, reason by reason; and that of each
 * level above with what the level below reflected. Otherwise `why` holds one line. Logs without
 * both streams do not agree. */
bool trap_report_agrees(const struct trap_report *report, char *why, size_t size);

#endif
