/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The log port: presence, nesting blocks, marks, and what malformed blocks leave behind.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "l0/machine/console.h"
#include "tests/l0/machine/fixture.h"
#include "traces/machine_log.h"

#define DATA (LOG_PORT + 4)

struct block {
	struct trap_log_block_header header;
	struct trap_record records[2];
};

static const char *const path = "/tmp/abyme-log-port-test.trace";

static uint32_t in32(uint16_t port)
{
	return machine_port_read(&fixture.machine, port, 4);
}

static void out32(uint16_t port, uint32_t value)
{
	machine_port_write(&fixture.machine, port, 4, value);
}

static void log_open(void)
{
	char error[128];

	fixture.machine.log = trap_log_create(path, MACHINE_HZ, error, sizeof(error));
	assert_non_null(fixture.machine.log);
}

static int teardown(void **state)
{
	char error[128];

	if (fixture.machine.log)
		assert_true(trap_log_close(fixture.machine.log, error, sizeof(error)));
	unlink(path);
	return fixture_teardown(state);
}

static struct block block_of(uint16_t stream, uint32_t reason)
{
	struct block block = {
		.header = { .magic = TRAP_LOG_BLOCK_MAGIC, .stream = stream,
			    .version = TRAP_LOG_VERSION,
			    .record_size = sizeof(struct trap_record), .count = 2 },
	};

	for (unsigned i = 0; i < 2; i++)
		block.records[i] = (struct trap_record){ .sequence = i, .cause = TRAP_NO_CAUSE,
							 .reason = reason };
	return block;
}

static void send(const void *bytes, unsigned from, unsigned to)
{
	for (unsigned at = from; at < to; at += 4) {
		uint32_t word;

		memcpy(&word, (const uint8_t *)bytes + at, 4);
		out32(DATA, word);
	}
}

static uint64_t total(uint16_t stream, uint16_t reason)
{
	size_t count;
	const struct trap_log_total *totals = trap_log_totals(fixture.machine.log, &count);

	for (size_t i = 0; i < count; i++)
		if (totals[i].stream == stream && totals[i].reason == reason)
			return totals[i].count;
	return 0;
}

static void absent_without_a_log(void **state)
{
	assert_int_equal(in32(LOG_PORT), 0xffffffff);
	out32(LOG_PORT, LOG_BEGIN);
	out32(DATA, 1);
	out32(LOG_PORT, LOG_END);
	out32(LOG_PORT, LOG_MARK | 1);
}

static void present_with_a_log(void **state)
{
	log_open();
	assert_int_equal(in32(LOG_PORT), LOG_MAGIC);
	assert_int_equal(machine_port_read(&fixture.machine, LOG_PORT, 2), 0xffff);
	struct block block = block_of(0, 10);
	out32(LOG_PORT, LOG_BEGIN);
	send(&block, 0, sizeof(block));
	assert_int_equal(total(0, 10), 0); /* not before its end */
	out32(LOG_PORT, LOG_END);
	assert_int_equal(total(0, 10), 2);
	assert_int_equal(trap_log_refused(fixture.machine.log), 0);
}

/* A lower level writes a block in the middle of a higher one's, three deep. */
static void nested_blocks(void **state)
{
	struct block blocks[3] = { block_of(2, 12), block_of(1, 11), block_of(0, 10) };
	const unsigned half = sizeof(blocks[0]) / 8 * 4;

	log_open();
	for (unsigned i = 0; i < 3; i++) {
		out32(LOG_PORT, LOG_BEGIN);
		send(&blocks[i], 0, half);
	}
	for (unsigned i = 3; i-- > 0;) {
		send(&blocks[i], half, sizeof(blocks[i]));
		out32(LOG_PORT, LOG_END);
		assert_int_equal(total(blocks[i].header.stream, 10 + blocks[i].header.stream), 2);
	}
	assert_int_equal(trap_log_refused(fixture.machine.log), 0);
}

/* As REP OUTSD hands a block over: in runs, broken where a page ends. */
static void blocks_in_runs(void **state)
{
	struct block block = block_of(0, 10);

	log_open();
	assert_true(machine_port_is_fast(&fixture.machine, DATA));
	assert_false(machine_port_is_fast(&fixture.machine, 0x3f8));
	for (unsigned cut = 4; cut < sizeof(block); cut += 4) {
		const uint8_t *bytes = (const uint8_t *)&block;

		out32(LOG_PORT, LOG_BEGIN);
		machine_port_write_run(&fixture.machine, DATA, 4, bytes, cut / 4);
		machine_port_write_run(&fixture.machine, DATA, 4, bytes + cut,
				       (sizeof(block) - cut) / 4);
		out32(LOG_PORT, LOG_END);
		assert_int_equal(total(0, 10), 2 * (cut / 4));
	}
	assert_int_equal(trap_log_refused(fixture.machine.log), 0);
}

/* A port without runs gets its elements one by one. */
static void runs_in_pieces(void **state)
{
	machine_port_write_run(&fixture.machine, 0x70, 1, (const uint8_t[]){ 0x01, 0x02, 0x0f }, 3);
	machine_port_write_run(&fixture.machine, 0x71, 1, (const uint8_t[]){ 0x11, 0x5a }, 2);
	assert_int_equal(machine_port_read(&fixture.machine, 0x71, 1), 0x5a);
}

static void malformed_blocks_are_counted(void **state)
{
	struct block block = block_of(0, 10);

	log_open();
	out32(LOG_PORT, LOG_END); /* nothing was begun: ignored */
	out32(DATA, 7);
	assert_int_equal(trap_log_refused(fixture.machine.log), 0);
	out32(LOG_PORT, LOG_BEGIN);
	send(&block, 0, sizeof(block) - 4);
	out32(LOG_PORT, LOG_END);
	assert_int_equal(trap_log_refused(fixture.machine.log), 1);
	out32(LOG_PORT, LOG_BEGIN);
	for (unsigned i = 0; i < 2 << 20; i++) /* more than any block can be */
		out32(DATA, i);
	out32(LOG_PORT, LOG_END);
	assert_int_equal(trap_log_refused(fixture.machine.log), 2);
	out32(LOG_PORT, LOG_BEGIN);
	send(&block, 0, sizeof(block));
	out32(LOG_PORT, LOG_END);
	assert_int_equal(total(0, 10), 2);
}

/* A guest that only begins blocks costs the host no more than it may. */
static void too_many_open(void **state)
{
	struct block block = block_of(0, 10);

	log_open();
	for (unsigned i = 0; i < 100000; i++)
		out32(LOG_PORT, LOG_BEGIN);
	send(&block, 0, sizeof(block));
	for (unsigned i = 0; i < 100000; i++)
		out32(LOG_PORT, LOG_END);
	assert_int_equal(total(0, 10), 0);
	out32(LOG_PORT, LOG_BEGIN);
	send(&block, 0, sizeof(block));
	out32(LOG_PORT, LOG_END);
	assert_int_equal(total(0, 10), 2);
}

static void marks(void **state)
{
	log_open();
	fixture_advance_to(1234);
	out32(LOG_PORT, LOG_MARK | 77);
	char error[128];
	assert_true(trap_log_close(fixture.machine.log, error, sizeof(error)));
	fixture.machine.log = NULL;
	struct {
		struct trap_log_file_header file;
		struct trap_log_block_header block;
		struct trap_record record;
	} content;
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fread(&content, sizeof(content), 1, file), 1);
	fclose(file);
	assert_int_equal(content.block.stream, TRAP_LOG_MACHINE);
	assert_int_equal(content.record.reason, TRAP_MARK_REASON);
	assert_int_equal(content.record.qualification, 77);
	assert_int_equal(content.record.cycles_at, 1234);
	assert_int_equal(content.record.insns_at, 1234);
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(absent_without_a_log),		LOG_TEST(present_with_a_log),
		LOG_TEST(nested_blocks),		LOG_TEST(malformed_blocks_are_counted),
		LOG_TEST(too_many_open),		LOG_TEST(marks),
		LOG_TEST(blocks_in_runs),		LOG_TEST(runs_in_pieces),
	};
	return cmocka_run_group_tests_name("log port", tests, NULL, NULL);
}
