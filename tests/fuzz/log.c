/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as a trap log: read to the damage, then reported on. The checksums would stop most of
 * it, so they are made right first, as a malicious writer would.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "traces/report.h"
#include "traces/tree.h"

#define RECORD sizeof(struct trap_record)

/* Sets the checksums of the header and of every whole block from there on. */
static void checksums_fix(uint8_t *log, size_t size)
{
	struct trap_log_file_header header;
	struct trap_log_block_header block;
	size_t at = sizeof(header);

	if (size < at)
		return;
	memcpy(&header, log, sizeof(header));
	header.crc = 0;
	header.crc = trap_log_crc32c(0, &header, sizeof(header));
	memcpy(log, &header, sizeof(header));
	while (size - at >= sizeof(block)) {
		memcpy(&block, log + at, sizeof(block));
		size_t records = block.count * RECORD;
		if (size - at - sizeof(block) < records)
			return;
		block.crc = 0;
		block.crc = trap_log_crc32c(trap_log_crc32c(0, &block, sizeof(block)),
					    log + at + sizeof(block), records);
		memcpy(log + at, &block, sizeof(block));
		at += sizeof(block) + records;
	}
}

static void count_visit(void *opaque, unsigned depth, uint16_t stream,
			const struct trap_record *record)
{
	++*(unsigned *)opaque;
}

static void use(const struct trap_log *log)
{
	struct trap_forest *forest = trap_forest_make(log);
	struct trap_report report;
	char text[200];
	unsigned visits = 0;

	trap_report_make(&report, log);
	for (size_t i = 0; i < log->count; i++) {
		const struct trap_stream *stream = &log->streams[i];

		trap_report_total(&report, stream->stream);
		for (size_t k = 0; k < stream->count && k < 16; k++)
			(void)trap_forest_walk(forest, stream->stream, stream->records[k].sequence,
					       count_visit, &visits);
	}
	(void)trap_report_agrees(&report, text, sizeof(text));
	trap_report_free(&report);
	trap_forest_free(forest);
}

/* The first byte: bit 0, checksums as they are. */
void fuzz_log(const uint8_t *bytes, size_t size)
{
	struct trap_log log;
	char error[200];
	bool fix = !(fuzz_take(&bytes, &size, 1) & 1);
	uint8_t *copy = malloc(size + 1);

	memcpy(copy, bytes, size);
	if (fix)
		checksums_fix(copy, size);
	if (trap_log_load(&log, fuzz_file(copy, size), error, sizeof(error))) {
		use(&log);
		trap_log_unload(&log);
	}
	fuzz_file_end();
	free(copy);
}
