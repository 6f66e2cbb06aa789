/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Writes the trap log: the machine's records gathered into blocks, the levels' blocks as they come.
 */
#include "traces/machine_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/totals.h"
#include "traces/xalloc.h"

#define BLOCK_RECORDS 100
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

struct trap_log_writer {
	FILE *file;
	char *path;
	int failed; /* errno of the first failed write */
	uint64_t sequence, digest, refused, blocks;
	struct trap_totals totals;
	struct {
		struct trap_log_block_header header;
		struct trap_record records[BLOCK_RECORDS];
	} block;
};

static void put(struct trap_log_writer *writer, const void *data, size_t size)
{
	if (!writer->failed && fwrite(data, size, 1, writer->file) != 1)
		writer->failed = errno ? errno : EIO;
}

struct trap_log_writer *trap_log_create(const char *path, uint64_t hz, char *error, size_t size)
{
	struct trap_log_file_header header = {
		.magic = TRAP_LOG_FILE_MAGIC,
		.version = TRAP_LOG_VERSION,
		.record_size = sizeof(struct trap_record),
		.hz = hz,
	};
	struct trap_log_writer *writer = calloc(1, sizeof(*writer));

	if (!writer || !(writer->path = strdup(path)) || !(writer->file = fopen(path, "wb"))) {
		snprintf(error, size, "cannot create trace file %s: %s", path, strerror(errno));
		if (writer)
			free(writer->path);
		free(writer);
		return NULL;
	}
	setvbuf(writer->file, NULL, _IOFBF, 1 << 20);
	writer->digest = FNV_OFFSET;
	header.crc = trap_log_crc32c(0, &header, sizeof(header));
	put(writer, &header, sizeof(header));
	return writer;
}

/* Counts `count` records of a stream. */
static void count_records(struct trap_log_writer *writer, uint16_t stream,
			  const struct trap_record *records, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t row;

		if (records[i].path == TRAP_PATH_MARK)
			continue;
		row = trap_totals_row(&writer->totals, stream, &records[i]); /* may move rows */
		writer->totals.rows[row].count++;
	}
}

static uint64_t fnv(uint64_t digest, const void *data, size_t size)
{
	const uint64_t *word = data; /* records are whole words */

	for (size_t i = 0; i < size / sizeof(*word); i++)
		digest = (digest ^ word[i]) * FNV_PRIME;
	return digest;
}

/* Writes a complete block; the checksum covers header and records. */
static void put_block(struct trap_log_writer *writer, struct trap_log_block_header *header,
		      const struct trap_record *records)
{
	size_t bytes = header->count * sizeof(*records);

	header->crc = 0;
	header->crc = trap_log_crc32c(trap_log_crc32c(0, header, sizeof(*header)), records, bytes);
	put(writer, header, sizeof(*header));
	if (bytes)
		put(writer, records, bytes);
	writer->blocks++;
	count_records(writer, header->stream, records, header->count);
}

/* A block of ours: `stream`, as many records as are gathered, `sequence`. */
static void put_own(struct trap_log_writer *writer, uint16_t stream, uint64_t sequence)
{
	struct trap_log_block_header *header = &writer->block.header;

	header->magic = TRAP_LOG_BLOCK_MAGIC;
	header->stream = stream;
	header->version = TRAP_LOG_VERSION;
	header->record_size = sizeof(struct trap_record);
	header->sequence = sequence;
	put_block(writer, header, writer->block.records);
	header->count = 0;
}

static void flush_own(struct trap_log_writer *writer)
{
	unsigned count = writer->block.header.count;

	if (!count)
		return;
	writer->digest = fnv(writer->digest, writer->block.records,
			     count * sizeof(struct trap_record));
	put_own(writer, TRAP_LOG_MACHINE, writer->sequence - count);
}

void trap_log_append(struct trap_log_writer *writer, const struct trap_record *record)
{
	struct trap_record *slot = &writer->block.records[writer->block.header.count++];

	*slot = *record;
	slot->sequence = writer->sequence++;
	if (writer->block.header.count == BLOCK_RECORDS)
		flush_own(writer);
}

void trap_log_mark(struct trap_log_writer *writer, uint32_t number, uint64_t cycles, uint64_t insns)
{
	struct trap_record mark = {
		.cause = TRAP_NO_CAUSE,
		.qualification = number,
		.cycles_at = cycles,
		.insns_at = insns,
		.reason = TRAP_MARK_REASON,
		.path = TRAP_PATH_MARK,
	};

	trap_log_append(writer, &mark);
}

bool trap_log_block(struct trap_log_writer *writer, const void *block, size_t size)
{
	struct trap_log_block_header header;

	if (size < sizeof(header))
		goto refuse;
	memcpy(&header, block, sizeof(header));
	if (header.magic != TRAP_LOG_BLOCK_MAGIC || header.version != TRAP_LOG_VERSION ||
	    header.record_size != sizeof(struct trap_record) || header.stream >= TRAP_LOG_END ||
	    size - sizeof(header) != header.count * sizeof(struct trap_record))
		goto refuse;
	put_block(writer, &header, (const void *)((const char *)block + sizeof(header)));
	return true;
refuse:
	writer->refused++;
	return false;
}

const struct trap_log_total *trap_log_totals(struct trap_log_writer *writer, size_t *count)
{
	flush_own(writer);
	trap_totals_sort(&writer->totals);
	*count = writer->totals.count;
	return writer->totals.rows;
}

uint64_t trap_log_digest(const struct trap_log_writer *writer)
{
	return fnv(writer->digest, writer->block.records,
		   writer->block.header.count * sizeof(struct trap_record));
}

uint64_t trap_log_refused(const struct trap_log_writer *writer)
{
	return writer->refused;
}

bool trap_log_close(struct trap_log_writer *writer, char *error, size_t size)
{
	int failed;

	flush_own(writer);
	put_own(writer, TRAP_LOG_END, writer->blocks);
	if (fclose(writer->file) && !writer->failed)
		writer->failed = errno;
	failed = writer->failed;
	if (failed)
		snprintf(error, size, "trace file %s is incomplete: %s", writer->path,
			 strerror(failed));
	trap_totals_free(&writer->totals);
	free(writer->path);
	free(writer);
	return !failed;
}
