/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The trap log written and read back: whole, cut at every byte, with every byte damaged; the
 * report's sums, the comparison of levels, and the tree of exits, on a small log built by hand.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shadow/sdm/vmx.h"
#include "traces/describe.h"
#include "traces/machine_log.h"
#include "traces/reader.h"
#include "traces/report.h"
#include "traces/tree.h"

static char path[64];

static struct trap_record record(uint32_t reason, uint8_t trap_path, uint64_t sequence,
				 uint64_t cause, uint32_t insns)
{
	return (struct trap_record){
		.sequence = sequence,
		.cause = cause,
		.reason = reason,
		.path = trap_path,
		.insns = insns,
		.cycles = 2 * insns,
	};
}

/* A level's block as a hypervisor would send it. */
static void send_block(struct trap_log_writer *writer, uint16_t stream, uint64_t first,
		       const struct trap_record *records, uint16_t count)
{
	unsigned char block[sizeof(struct trap_log_block_header) + 16 * sizeof(struct trap_record)];
	struct trap_log_block_header header = {
		.magic = TRAP_LOG_BLOCK_MAGIC,
		.stream = stream,
		.version = TRAP_LOG_VERSION,
		.record_size = sizeof(struct trap_record),
		.count = count,
		.sequence = first,
	};

	memcpy(block, &header, sizeof(header));
	memcpy(block + sizeof(header), records, count * sizeof(*records));
	assert_true(trap_log_block(writer, block, sizeof(header) + count * sizeof(*records)));
}

/* L2 executes CPUID: L0 reflects it; L1's handler does VMREAD (absorbed) and VMRESUME. */
static const struct trap_record level0[] = {
	{.sequence = 0, .cause = TRAP_NO_CAUSE, .reason = EXIT_REASON_CPUID,
	 .path = TRAP_PATH_201, .insns = 900, .cycles = 1000},
	{.sequence = 1, .cause = 0, .reason = EXIT_REASON_VMREAD, .path = TRAP_PATH_101, .insns = 50,
	 .insn_info = VMCS_HOST_CR3},
	{.sequence = 2, .cause = 0, .reason = EXIT_REASON_VMRESUME, .path = TRAP_PATH_101,
	 .insns = 700},
};
static const struct trap_record level1[] = {
	{.sequence = 0, .cause = TRAP_NO_CAUSE, .reason = EXIT_REASON_CPUID,
	 .path = TRAP_PATH_101, .insns = 1800},
};

static void write_log(void)
{
	char error[160];
	struct trap_log_writer *writer = trap_log_create(path, 1000, error, sizeof(error));

	assert_non_null(writer);
	for (int i = 0; i < 3; i++) {
		struct trap_record seen =
			record(level0[i].reason, TRAP_PATH_MACHINE, 0, TRAP_NO_CAUSE, 10);

		trap_log_append(writer, &seen);
	}
	send_block(writer, 1, 0, level1, 1);
	send_block(writer, 0, 0, level0, 2);
	send_block(writer, 0, 2, level0 + 2, 1);
	assert_true(trap_log_close(writer, error, sizeof(error)));
}

static int setup(void **state)
{
	snprintf(path, sizeof(path), "/tmp/test_trap_log.%d", getpid());
	write_log();
	return 0;
}

static int teardown(void **state)
{
	return unlink(path);
}

static void check_crc_of_the_standard(void **state)
{
	assert_int_equal(trap_log_crc32c(0, "123456789", 9), 0xe3069283);
}

/* Bit by bit, as the polynomial division is defined. */
static uint32_t slow_crc(const uint8_t *byte, size_t length)
{
	uint32_t crc = UINT32_MAX;

	while (length--) {
		crc ^= *byte++;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

/* Every length and alignment up to a few steps, and in two parts. */
static void crc_of_every_length(void **state)
{
	uint8_t bytes[64];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i * 29 + 7 * i + 131);
	for (unsigned from = 0; from < 8; from++)
		for (unsigned length = 0; from + length <= sizeof(bytes); length++) {
			uint32_t first = trap_log_crc32c(0, bytes + from, length / 3);

			assert_int_equal(trap_log_crc32c(0, bytes + from, length),
					 slow_crc(bytes + from, length));
			assert_int_equal(trap_log_crc32c(first, bytes + from + length / 3,
							 length - length / 3),
					 slow_crc(bytes + from, length));
		}
}

static void reads_back_every_stream(void **state)
{
	struct trap_log log;
	char error[160];

	assert_true(trap_log_load(&log, path, error, sizeof(error)));
	assert_string_equal(log.damage, "");
	assert_int_equal(log.header.hz, 1000);
	assert_int_equal(log.count, 3);
	assert_int_equal(trap_log_stream(&log, 0)->count, 3);
	assert_memory_equal(trap_log_stream(&log, 0)->records, level0, sizeof(level0));
	assert_memory_equal(trap_log_stream(&log, 1)->records, level1, sizeof(level1));
	assert_int_equal(trap_log_stream(&log, TRAP_LOG_MACHINE)->records[2].sequence, 2);
	assert_int_equal(trap_stream_find(trap_log_stream(&log, 0), 2), 2);
	assert_true(trap_stream_find(trap_log_stream(&log, 0), 7) == TRAP_NOT_FOUND);
	trap_log_unload(&log);
}

static unsigned char *slurp(size_t *size)
{
	FILE *file = fopen(path, "rb");
	unsigned char *bytes = malloc(1 << 16);

	*size = fread(bytes, 1, 1 << 16, file);
	fclose(file);
	return bytes;
}

static void rewrite(const unsigned char *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");

	if (size)
		assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

/* Records readable from the first `size` bytes: those of the blocks that end within them. */
static size_t records_within(const unsigned char *bytes, size_t size)
{
	size_t at = sizeof(struct trap_log_file_header), records = 0;
	struct trap_log_block_header header;

	while (at + sizeof(header) <= size) {
		memcpy(&header, bytes + at, sizeof(header));
		at += sizeof(header) + header.count * sizeof(struct trap_record);
		if (at <= size)
			records += header.count;
	}
	return records;
}

static size_t count_records(const struct trap_log *log)
{
	size_t count = 0;

	for (size_t i = 0; i < log->count; i++)
		count += log->streams[i].count;
	return count;
}

static void survives_a_cut_at_every_byte(void **state)
{
	size_t size;
	unsigned char *bytes = slurp(&size);

	for (size_t cut = 0; cut < size; cut++) {
		struct trap_log log;
		char error[160];

		rewrite(bytes, cut);
		if (cut < sizeof(struct trap_log_file_header)) {
			assert_false(trap_log_load(&log, path, error, sizeof(error)));
			assert_non_null(strstr(error, "not a trap log"));
			continue;
		}
		assert_true(trap_log_load(&log, path, error, sizeof(error)));
		assert_int_equal(count_records(&log), records_within(bytes, cut));
		assert_non_null(strstr(log.damage, "cut "));
		trap_log_unload(&log);
	}
	rewrite(bytes, size);
	free(bytes);
}

static void notices_every_damaged_byte(void **state)
{
	size_t size;
	unsigned char *bytes = slurp(&size);

	for (size_t at = 0; at < size; at++) {
		struct trap_log log;
		char error[160] = "";

		bytes[at] ^= 0x40;
		rewrite(bytes, size);
		bytes[at] ^= 0x40;
		if (at < sizeof(struct trap_log_file_header)) {
			assert_false(trap_log_load(&log, path, error, sizeof(error)));
			assert_non_null(strstr(error, path));
			continue;
		}
		assert_true(trap_log_load(&log, path, error, sizeof(error)));
		assert_non_null(strstr(log.damage, "damaged at byte"));
		/* nothing of a damaged block; the end mark comes last */
		assert_true(count_records(&log) < 7 ||
			    at >= size - sizeof(struct trap_log_block_header));
		trap_log_unload(&log);
	}
	rewrite(bytes, size);
	free(bytes);
}

static void notices_data_after_the_end(void **state)
{
	struct trap_log log;
	char error[160];
	size_t size;
	unsigned char *bytes = slurp(&size);

	rewrite(bytes, size + 1);
	assert_true(trap_log_load(&log, path, error, sizeof(error)));
	assert_non_null(strstr(log.damage, "after the end mark"));
	assert_int_equal(count_records(&log), 7);
	trap_log_unload(&log);
	rewrite(bytes, size);
	free(bytes);
}

static void refuses_malformed_blocks(void **state)
{
	char error[160];
	struct trap_log_writer *writer = trap_log_create(path, 1000, error, sizeof(error));
	struct trap_log_block_header header = {
		.magic = TRAP_LOG_BLOCK_MAGIC,
		.version = TRAP_LOG_VERSION,
		.record_size = sizeof(struct trap_record),
		.stream = TRAP_LOG_MACHINE,
	};

	assert_false(trap_log_block(writer, &header, sizeof(header) - 1));
	assert_false(trap_log_block(writer, &header, sizeof(header))); /* the machine's own */
	header.stream = TRAP_LOG_END;
	assert_false(trap_log_block(writer, &header, sizeof(header)));
	header.stream = 0;
	header.count = 1;
	assert_false(trap_log_block(writer, &header, sizeof(header))); /* record missing */
	assert_int_equal(trap_log_refused(writer), 4);
	assert_true(trap_log_close(writer, error, sizeof(error)));
	write_log();
}

static const struct trap_report_row *find_row(const struct trap_report *report, uint16_t stream,
					      uint16_t reason)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->rows[i].stream == stream && report->rows[i].reason == reason)
			return &report->rows[i];
	fail_msg("no row for reason %u of stream %u", reason, stream);
	return NULL;
}

static void report_sums_and_agrees(void **state)
{
	const struct trap_report_row *row;
	struct trap_log log;
	struct trap_report report;
	char text[160];

	assert_true(trap_log_load(&log, path, text, sizeof(text)));
	trap_report_make(&report, &log);
	assert_int_equal(trap_report_total(&report, 0), 3);
	assert_true(trap_report_agrees(&report, text, sizeof(text)));
	row = find_row(&report, 0, EXIT_REASON_CPUID);
	assert_int_equal(row->caused, 2);
	assert_int_equal(row->insns.max, 900);
	assert_int_equal(row->cycles.min, 1000);
	trap_report_free(&report);
	log.streams[0].count--; /* level 0 lost a record */
	trap_report_make(&report, &log);
	assert_false(trap_report_agrees(&report, text, sizeof(text)));
	assert_string_equal(text, "VMRESUME: L0 logged 0 exits, the machine saw 1");
	trap_report_free(&report);
	log.streams[0].count++;
	log.streams[1].records[0].reason = EXIT_REASON_HLT; /* L1 says something else */
	trap_report_make(&report, &log);
	assert_false(trap_report_agrees(&report, text, sizeof(text)));
	assert_string_equal(text, "CPUID: L1 logged 0 exits, L0 reflected 1");
	trap_report_free(&report);
	trap_log_unload(&log);
}

/* A mark is no exit: what names it as its cause was caused by nothing that is counted. */
static void mark_as_a_cause(void **state)
{
	struct trap_log log;
	struct trap_report report;
	char text[160];

	assert_true(trap_log_load(&log, path, text, sizeof(text)));
	log.streams[0].records[0].path = TRAP_PATH_MARK;
	mallopt(M_PERTURB, 0x5a); /* what is not written is not 0 */
	trap_report_make(&report, &log);
	mallopt(M_PERTURB, 0);
	assert_int_equal(trap_report_total(&report, 0), 2);
	for (size_t i = 0; i < report.count; i++)
		assert_int_equal(report.rows[i].caused, 0);
	trap_report_free(&report);
	trap_log_unload(&log);
}

struct visits {
	unsigned count;
	struct {
		unsigned depth;
		uint16_t stream;
		uint64_t sequence;
	} seen[8];
};

static void visit(void *opaque, unsigned depth, uint16_t stream, const struct trap_record *seen)
{
	struct visits *visits = opaque;

	assert_true(visits->count < 8);
	visits->seen[visits->count].depth = depth;
	visits->seen[visits->count].stream = stream;
	visits->seen[visits->count++].sequence = seen->sequence;
}

static void tree_joins_levels(void **state)
{
	struct trap_log log;
	struct visits visits = {0};
	char error[160];
	struct trap_forest *forest;

	assert_true(trap_log_load(&log, path, error, sizeof(error)));
	forest = trap_forest_make(&log);
	assert_true(trap_forest_walk(forest, 1, 0, visit, &visits));
	assert_int_equal(visits.count, 4); /* L1's exit, L0's reflection, VMREAD, VMRESUME */
	assert_int_equal(visits.seen[0].stream, 1);
	assert_int_equal(visits.seen[1].stream, 0);
	assert_int_equal(visits.seen[1].depth, 1);
	assert_int_equal(visits.seen[3].sequence, 2);
	assert_int_equal(visits.seen[3].depth, 2);
	assert_false(trap_forest_walk(forest, 0, 99, visit, &visits));
	assert_false(trap_forest_walk(forest, 5, 0, visit, &visits));
	trap_forest_free(forest);
	trap_log_unload(&log);
}

static void describes_in_the_field_words(void **state)
{
	char text[96];
	struct trap_record cr = record(EXIT_REASON_CR_ACCESS, 0, 0, 0, 0);
	struct trap_record io = record(EXIT_REASON_IO_INSTRUCTION, 0, 0, 0, 0);

	trap_record_detail(&level0[1], text, sizeof(text));
	assert_string_equal(text, "HOST_CR3");
	cr.qualification = 3 | 2 << 8;
	trap_record_detail(&cr, text, sizeof(text));
	assert_string_equal(text, "mov cr3, rdx");
	io.qualification = 0x80 << 16 | 1 << 3;
	trap_record_detail(&io, text, sizeof(text));
	assert_string_equal(text, "in port 0x0080, 1 byte");
	assert_string_equal(trap_reason_name(99), "REASON_99");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_crc_of_the_standard),
		cmocka_unit_test(crc_of_every_length),
		cmocka_unit_test(reads_back_every_stream),
		cmocka_unit_test(survives_a_cut_at_every_byte),
		cmocka_unit_test(notices_every_damaged_byte),
		cmocka_unit_test(notices_data_after_the_end),
		cmocka_unit_test(refuses_malformed_blocks),
		cmocka_unit_test(report_sums_and_agrees),
		cmocka_unit_test(mark_as_a_cause),
		cmocka_unit_test(tree_joins_levels),
		cmocka_unit_test(describes_in_the_field_words),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
