/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The trap log's hosted writer. The CPU appends the machine's own records one by one; the log port
 * hands over whole blocks of the levels' records. Totals are kept as records pass, so that a run
 * can report counts without reading its file back.
 */
#ifndef TRACES_MACHINE_LOG_H
#define TRACES_MACHINE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/format/trap_log.h"

struct trap_log_writer;

/* Creates the file and writes its header. NULL: `error` holds one line. hz: cycles a second. */
struct trap_log_writer *trap_log_create(const char *path, uint64_t hz, char *error, size_t size);

/* Adds a record of the machine's own stream; sequence is filled in. Never loses one: a write error
 * is remembered and reported by trap_log_close. */
void trap_log_append(struct trap_log_writer *writer, const struct trap_record *record);

/* Adds a mark (LOG_MARK): `number` as the guest chose it, at a time and count of retired
 * instructions. */
void trap_log_mark(struct trap_log_writer *writer, uint32_t number, uint64_t cycles,
		   uint64_t insns);

/* Adds a whole block as a hypervisor sent it (header and records). False: it is not a well-formed
 * block; it is counted as refused and nothing is written. */
bool trap_log_block(struct trap_log_writer *writer, const void *block, size_t size);

/* Count of exits of one stream by path, guest (struct trap_record.level) and basic reason. */
struct trap_log_total {
	uint16_t stream;
	uint8_t path, level;
	uint16_t reason;
	uint64_t count;
};
/* Totals so far, sorted by (stream, path, level, reason), the machine's stream last; *count rows,
 * valid until the next call. */
const struct trap_log_total *trap_log_totals(struct trap_log_writer *writer, size_t *count);
/* Digest (FNV-1a, 64 bits) over the machine's records so far. */
uint64_t trap_log_digest(const struct trap_log_writer *writer);
/* Blocks refused by trap_log_block. */
uint64_t trap_log_refused(const struct trap_log_writer *writer);

/* Flushes and closes. False: not everything reached the file; `error` holds one line. */
bool trap_log_close(struct trap_log_writer *writer, char *error, size_t size);

#endif
