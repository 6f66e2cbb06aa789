/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every user-mode row of the instruction table against the host's own CPU: the same random states
 * executed natively and by the interpreter in 64-bit user mode. ABYME_STATES sets the states a row
 * (default 1000), ABYME_ROWS names the mnemonics to try by a part of them. x86-64 hosts only; rows
 * that the host lacks are skipped by name. ABYME_RECORD=FILE writes digests of the host's results
 * there for test_vectors: of all rows or, with ABYME_ROWS, of those and of rows not yet in FILE.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shadow/sdm/x86.h"
#include "tests/oracle/interpreted.h"
#include "tests/oracle/variation.h"
#include "tests/oracle/vectors.h"

enum verdict { SAME, DIFFERENT, MISSING };

/* One state; what differs is explained, what is the same goes into the digest. */
static enum verdict compare_one(const struct insn_row *row, uint64_t *seed,
				struct vectors_digest *digest)
{
	struct outcome native = {.data = native_data()}, ours = {.data = interpreted_data()};
	struct insn_instance instance;

	insn_gen_make(row, seed, &instance);
	memcpy(native.data, instance.data, NATIVE_DATA_SIZE);
	native_execute(instance.bytes, instance.length, &instance.state, &native.state);
	interpreted_execute(&instance, &ours.state);
	if (native.state.vector == VECTOR_UD && ours.state.vector != VECTOR_UD)
		return MISSING;
	variation_correct(row, &instance, &native);
	variation_leave_out(row, &instance, &native);
	variation_leave_out(row, &instance, &ours);
	variation_accept(row, &instance, &native, &ours);
	if (!outcome_same(&instance, &native, &ours)) {
		outcome_explain(row, &instance, &native, &ours);
		return DIFFERENT;
	}
	vectors_digest_add(digest, &instance, &native);
	return SAME;
}

/* The first `states` states; the record has the blocks that they fill. */
static enum verdict compare_row(const struct insn_row *row, unsigned states,
				struct vectors_row *record)
{
	uint64_t seed = vectors_seed(row);
	enum verdict verdict = SAME;
	unsigned done = 0;

	record->kind = variation_is_approximate(row) ? VECTORS_APPROXIMATE : VECTORS_EXACT;
	for (unsigned block = 0; verdict == SAME && done < states; block++) {
		unsigned end = block < VECTORS_BLOCKS ? vectors_block_end(block) : states;
		struct vectors_digest digest = {0};

		for (; verdict == SAME && done < states && done < end; done++)
			verdict = compare_one(row, &seed, &digest);
		if (block < VECTORS_BLOCKS)
			record->block[block] = vectors_digest_end(&digest);
	}
	if (verdict == MISSING)
		record->kind = VECTORS_ABSENT;
	return verdict;
}

struct run {
	const char *rows, *path; /* of the environment */
	unsigned states, count[3], excluded;
	struct vectors *before; /* record to be kept but for the rows asked for */
	FILE *record;
};

static void start_record(struct run *run)
{
	char cpu[100];

	run->states = VECTORS_STATES;
	if (run->rows) {
		run->before = vectors_load(run->path);
		assert_non_null(run->before);
	}
	run->record = fopen(run->path, "w");
	assert_non_null(run->record);
	native_cpu_name(cpu, sizeof(cpu));
	vectors_write_head(run->record, cpu);
}

static void do_row(struct run *run, const struct insn_row *row)
{
	const struct vectors_row *before = vectors_find(run->before, row);
	struct vectors_row record = {0};
	enum verdict verdict;

	if (insn_gen_excluded(row) || !interpreted_announces(row)) {
		run->excluded++;
		return;
	}
	if (run->rows && !strstr(row->mnemonic, run->rows) && (before || !run->record)) {
		run->excluded++;
		if (before)
			vectors_write_row(run->record, row, before);
		return;
	}
	verdict = compare_row(row, run->states, &record);
	run->count[verdict]++;
	if (verdict == MISSING)
		print_message("the host lacks %s (%s)\n", row->mnemonic, row->encoding);
	if (verdict != DIFFERENT && run->record)
		vectors_write_row(run->record, row, &record);
}

static void every_row_as_on_the_host(void **state)
{
	const char *states = getenv("ABYME_STATES");
	struct run run = {.rows = getenv("ABYME_ROWS"),
			  .path = getenv("ABYME_RECORD"),
			  .states = states ? (unsigned)strtoul(states, NULL, 0) : 1000};

	/* here: cmocka takes the fault signals for itself until a test runs */
	if (!native_init()) {
		print_message("skipped: this host cannot run x86-64 code at fixed addresses\n");
		skip();
	}
	interpreted_init();
	if (run.path)
		start_record(&run);
	for (unsigned number = 0; number < insn_row_count(); number++)
		do_row(&run, insn_row(number));
	print_message("%u rows compared on %u states each, %u excluded, %u missing on the host\n",
		      run.count[SAME] + run.count[DIFFERENT], run.states, run.excluded,
		      run.count[MISSING]);
	print_message("transcendental results within %u ulp of the host's\n",
		      variation_worst_ulps());
	if (run.record)
		assert_int_equal(fclose(run.record), 0);
	vectors_free(run.before);
	assert_int_equal(run.count[DIFFERENT], 0);
	assert_true(run.count[SAME] > (run.rows ? 0 : 200) || run.record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_as_on_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
