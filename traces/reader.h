/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads a trap log block by block and survives damage: whatever lies before it is delivered, then
 * the reader says where and what the damage is.
 */
#ifndef TRACES_READER_H
#define TRACES_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "traces/format/trap_log.h"

struct trap_log_reader {
	FILE *file;
	struct trap_log_file_header header;
	struct trap_log_block_header block;
	struct trap_record *records; /* of the current block */
	uint64_t offset;             /* of the next block in the file */
	uint64_t blocks;             /* read so far */
	char damage[160];            /* one line once trap_log_read has met damage, else empty */
};

/* Opens a log and checks its header. False: `error` holds one line; nothing to close. */
bool trap_log_open(struct trap_log_reader *reader, const char *path, char *error, size_t size);
/* Reads the next block into reader->block and reader->records. False: the end, or damage. */
bool trap_log_read(struct trap_log_reader *reader);
void trap_log_reader_close(struct trap_log_reader *reader);

/* One stream's records in memory, in order. */
struct trap_stream {
	uint16_t stream;
	struct trap_record *records;
	size_t count, room;
	uint64_t dropped; /* as the last block says, plus gaps in the sequence */
};
struct trap_log {
	struct trap_log_file_header header;
	struct trap_stream *streams; /* ascending: level 0, 1 ..., the machine last */
	size_t count, room;
	char damage[160];
};
/* Reads a whole log. False: `error` holds one line. Damage is not an error: see log->damage. */
bool trap_log_load(struct trap_log *log, const char *path, char *error, size_t size);
void trap_log_unload(struct trap_log *log);
/* The stream, or NULL if the log has none such. */
const struct trap_stream *trap_log_stream(const struct trap_log *log, uint16_t stream);
#define TRAP_NOT_FOUND SIZE_MAX
/* Index of the record with that sequence number, or TRAP_NOT_FOUND (never there, or dropped). */
size_t trap_stream_find(const struct trap_stream *stream, uint64_t sequence);

#endif
