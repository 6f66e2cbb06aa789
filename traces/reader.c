/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads a trap log, block by block or whole.
 */
#include "traces/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "traces/xalloc.h"

static bool header_intact(const struct trap_log_file_header *header)
{
	struct trap_log_file_header bare = *header;

	bare.crc = 0;
	return trap_log_crc32c(0, &bare, sizeof(bare)) == header->crc;
}

bool trap_log_open(struct trap_log_reader *reader, const char *path, char *error, size_t size)
{
	*reader = (struct trap_log_reader){.file = fopen(path, "rb")};
	if (!reader->file) {
		snprintf(error, size, "cannot open trace file %s: %s", path, strerror(errno));
		return false;
	}
	if (fread(&reader->header, sizeof(reader->header), 1, reader->file) != 1)
		snprintf(error, size, "%s is not a trap log: shorter than its header", path);
	else if (reader->header.magic != TRAP_LOG_FILE_MAGIC)
		snprintf(error, size, "%s is not a trap log: make one with abyme run --trace",
			 path);
	else if (reader->header.version != TRAP_LOG_VERSION ||
		 reader->header.record_size != sizeof(struct trap_record))
		snprintf(error, size,
			 "%s: trap log version %" PRIu32 ", this tool reads version %d", path,
			 reader->header.version, TRAP_LOG_VERSION);
	else if (!header_intact(&reader->header))
		snprintf(error, size, "%s is damaged in its header; nothing of it was read", path);
	else {
		reader->offset = sizeof(reader->header);
		return true;
	}
	fclose(reader->file);
	return false;
}

static bool damaged(struct trap_log_reader *reader, const char *what)
{
	snprintf(reader->damage, sizeof(reader->damage),
		 "damaged at byte %" PRIu64 ": %s; everything before it was read", reader->offset,
		 what);
	return false;
}

static uint32_t block_crc(const struct trap_log_block_header *block,
			  const struct trap_record *records)
{
	struct trap_log_block_header bare = *block;

	bare.crc = 0;
	return trap_log_crc32c(trap_log_crc32c(0, &bare, sizeof(bare)), records,
			       block->count * sizeof(*records));
}

/* At the end mark, which must be the last block: false, with damage if it is not. */
static bool at_end(struct trap_log_reader *reader)
{
	if (reader->block.count || reader->block.sequence != reader->blocks)
		return damaged(reader, "the end mark counts other blocks");
	if (getc(reader->file) != EOF)
		return damaged(reader, "data after the end mark");
	return false;
}

bool trap_log_read(struct trap_log_reader *reader)
{
	struct trap_log_block_header *block = &reader->block;
	size_t got = fread(block, 1, sizeof(*block), reader->file);

	if (!got && feof(reader->file))
		return damaged(reader, "cut before the end mark");
	if (got != sizeof(*block))
		return damaged(reader, "cut inside a block header");
	if (block->magic != TRAP_LOG_BLOCK_MAGIC ||
	    block->record_size != sizeof(struct trap_record))
		return damaged(reader, "no block header here");
	reader->records = realloc(reader->records, (block->count + 1) * sizeof(*reader->records));
	if (!reader->records)
		return damaged(reader, "out of memory");
	got = fread(reader->records, sizeof(*reader->records), block->count, reader->file);
	if (got != block->count)
		return damaged(reader, "cut inside a block");
	if (block_crc(block, reader->records) != block->crc)
		return damaged(reader, "checksum mismatch");
	if (block->stream == TRAP_LOG_END)
		return at_end(reader);
	reader->offset += sizeof(*block) + got * sizeof(*reader->records);
	reader->blocks++;
	return true;
}

void trap_log_reader_close(struct trap_log_reader *reader)
{
	free(reader->records);
	fclose(reader->file);
}

static struct trap_stream *find_or_add(struct trap_log *log, uint16_t stream)
{
	size_t at = 0;

	while (at < log->count && log->streams[at].stream < stream)
		at++;
	if (at < log->count && log->streams[at].stream == stream)
		return &log->streams[at];
	if (log->count == log->room)
		log->streams = xgrow(log->streams, &log->room, sizeof(*log->streams));
	memmove(&log->streams[at + 1], &log->streams[at],
		(log->count++ - at) * sizeof(*log->streams));
	log->streams[at] = (struct trap_stream){.stream = stream};
	return &log->streams[at];
}

static void add_block(struct trap_log *log, const struct trap_log_reader *reader)
{
	struct trap_stream *stream = find_or_add(log, reader->block.stream);

	for (unsigned i = 0; i < reader->block.count; i++) {
		if (stream->count == stream->room)
			stream->records =
				xgrow(stream->records, &stream->room, sizeof(*stream->records));
		stream->records[stream->count++] = reader->records[i];
	}
	stream->dropped = reader->block.dropped;
}

bool trap_log_load(struct trap_log *log, const char *path, char *error, size_t size)
{
	struct trap_log_reader reader;

	*log = (struct trap_log){0};
	if (!trap_log_open(&reader, path, error, size))
		return false;
	log->header = reader.header;
	while (trap_log_read(&reader))
		add_block(log, &reader);
	memcpy(log->damage, reader.damage, sizeof(log->damage));
	trap_log_reader_close(&reader);
	return true;
}

void trap_log_unload(struct trap_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->streams[i].records);
	free(log->streams);
}

const struct trap_stream *trap_log_stream(const struct trap_log *log, uint16_t stream)
{
	for (size_t i = 0; i < log->count; i++)
		if (log->streams[i].stream == stream)
			return &log->streams[i];
	return NULL;
}

size_t trap_stream_find(const struct trap_stream *stream, uint64_t sequence)
{
	size_t low = 0, high = stream->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (stream->records[middle].sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low < stream->count && stream->records[low].sequence == sequence ? low
										: TRAP_NOT_FOUND;
}
