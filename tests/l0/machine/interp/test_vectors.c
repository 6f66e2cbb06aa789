/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every user-mode row of the instruction table against the results that test_native recorded from a
 * CPU, on any host. ABYME_STATES sets the states a row (default 250, rounded up to a block; all are
 * VECTORS_STATES), ABYME_ROWS names the mnemonics to try by a part of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/oracle/interpreted.h"
#include "tests/oracle/variation.h"
#include "tests/oracle/vectors.h"

enum verdict {
	AS_RECORDED,
	APPROXIMATE, /* the same, of a row whose kind says so */
	ABSENT,	     /* on the CPU of the record */
	STALE,	     /* recorded of other states than the row has now, or not at all */
	DIFFERENT,
	VERDICTS,
};

static unsigned states_of_a_row(void)
{
	const char *text = getenv("ABYME_STATES");

	return text ? (unsigned)strtoul(text, NULL, 0) : 250;
}

static struct vectors_block interpret_block(const struct insn_row *row, uint64_t *seed,
					    unsigned states)
{
	struct outcome ours = {.data = interpreted_data()};
	struct vectors_digest digest = {0};
	struct insn_instance instance;

	for (unsigned i = 0; i < states; i++) {
		insn_gen_make(row, seed, &instance);
		interpreted_execute(&instance, &ours.state);
		variation_leave_out(row, &instance, &ours);
		vectors_digest_add(&digest, &instance, &ours);
	}
	return vectors_digest_end(&digest);
}

/* *block is the first that is not as recorded. */
static enum verdict check_row(const struct insn_row *row, const struct vectors_row *record,
			      unsigned states, unsigned *block)
{
	uint64_t seed = vectors_seed(row);
	unsigned done = 0;

	if (!record)
		return STALE;
	if (record->kind == VECTORS_ABSENT)
		return ABSENT;
	if ((record->kind == VECTORS_APPROXIMATE) != variation_is_approximate(row))
		return STALE;
	for (*block = 0; *block < VECTORS_BLOCKS && done < states; ++*block) {
		unsigned end = vectors_block_end(*block);
		struct vectors_block got = interpret_block(row, &seed, end - done);

		if (got.inputs != record->block[*block].inputs)
			return STALE;
		if (got.outcomes != record->block[*block].outcomes)
			return DIFFERENT;
		done = end;
	}
	return record->kind == VECTORS_APPROXIMATE ? APPROXIMATE : AS_RECORDED;
}

static void print_difference(const struct insn_row *row, unsigned block)
{
	print_message("%s %s (%s): among states %u to %u one is not as recorded; to see it on an "
		      "x86-64 host: ABYME_ROWS=%s ABYME_STATES=%u build/tests/l0/machine/interp/"
		      "test_native\n",
		      row->mnemonic, row->operands, row->encoding,
		      block ? vectors_block_end(block - 1) : 0, vectors_block_end(block) - 1,
		      row->mnemonic, vectors_block_end(block));
}

static bool wanted(const struct insn_row *row)
{
	const char *part = getenv("ABYME_ROWS");

	return !part || strstr(row->mnemonic, part);
}

static void print_verdicts(const unsigned *count, const struct vectors *vectors)
{
	print_message("%u rows as recorded on %s, %u states each at least; %u more but for what "
		      "parts approximate; %u absent there\n",
		      count[AS_RECORDED], vectors_cpu(vectors), states_of_a_row(),
		      count[APPROXIMATE], count[ABSENT]);
}

static void every_row_as_recorded(void **state)
{
	struct vectors *vectors = vectors_load(VECTORS_FILE);
	const struct insn_row *stale = NULL;
	unsigned count[VERDICTS] = {0}, known = 0, block;

	assert_non_null(vectors);
	for (unsigned number = 0; number < insn_row_count(); number++) {
		const struct insn_row *row = insn_row(number);
		enum verdict verdict;

		if (insn_gen_excluded(row) || !interpreted_announces(row))
			continue;
		known += vectors_find(vectors, row) != NULL;
		if (!wanted(row))
			continue;
		verdict = check_row(row, vectors_find(vectors, row), states_of_a_row(), &block);
		count[verdict]++;
		if (verdict == STALE && !stale)
			stale = row;
		if (verdict == DIFFERENT)
			print_difference(row, block);
	}
	print_verdicts(count, vectors);
	if (count[STALE] || known < vectors_count(vectors))
		print_message("%s is stale: %u rows of the table are new or changed, %u of its "
			      "rows are no more; on an x86-64 host: make vectors ABYME_ROWS=%s\n",
			      VECTORS_FILE, count[STALE], vectors_count(vectors) - known,
			      stale ? stale->mnemonic : "none");
	assert_int_equal(count[STALE] + count[DIFFERENT] + vectors_count(vectors) - known, 0);
	vectors_free(vectors);
}

/* Any row with digests whose operands can be exchanged. */
static const struct insn_row *find_row(const char *mnemonic, const char *operands)
{
	for (unsigned number = 0; number < insn_row_count(); number++)
		if (!strcmp(insn_row(number)->mnemonic, mnemonic) &&
		    !strcmp(insn_row(number)->operands, operands))
			return insn_row(number);
	fail_msg("no row %s %s", mnemonic, operands);
	return NULL;
}

static void another_result_is_noticed(void **state)
{
	struct vectors *vectors = vectors_load(VECTORS_FILE);
	const struct insn_row *add = find_row("ADD", "Ev,Gv"), *sub = find_row("SUB", "Ev,Gv");
	struct vectors_row record;
	unsigned block;

	assert_non_null(vectors);
	record = *vectors_find(vectors, add);
	assert_int_equal(check_row(add, &record, 500, &block), AS_RECORDED);
	record.block[1].outcomes ^= 1;
	assert_int_equal(check_row(add, &record, 125, &block), AS_RECORDED);
	assert_int_equal(check_row(add, &record, 500, &block), DIFFERENT);
	assert_int_equal(block, 1);
	/* what went in alone is not what is compared */
	assert_true(record.block[0].outcomes != vectors_find(vectors, sub)->block[0].outcomes);
	vectors_free(vectors);
}

static void another_definition_is_stale(void **state)
{
	struct vectors *vectors = vectors_load(VECTORS_FILE);
	const struct insn_row *add = find_row("ADD", "Ev,Gv");
	struct insn_row changed = *add;
	unsigned block;

	assert_non_null(vectors);
	changed.undefined ^= 1; /* CF */
	assert_int_equal(check_row(&changed, vectors_find(vectors, add), 125, &block), STALE);
	changed = *add;
	changed.operands = "Ev,Gb";
	assert_null(vectors_find(vectors, &changed));
	assert_int_equal(check_row(&changed, NULL, 125, &block), STALE);
	vectors_free(vectors);
}

static int setup(void **state)
{
	interpreted_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_as_recorded),
	    cmocka_unit_test(another_result_is_noticed),
	    cmocka_unit_test(another_definition_is_stale),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
