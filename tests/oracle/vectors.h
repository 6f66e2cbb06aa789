/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Recorded vectors: digests of what a CPU made of random states of every row of the instruction
 * table, for hosts that can't execute the instructions themselves. vectors.txt opens with its
 * grammar.
 */
#ifndef TESTS_ORACLE_VECTORS_H
#define TESTS_ORACLE_VECTORS_H

#include <stdio.h>

#include "tests/oracle/outcome.h"

#define VECTORS_FILE "tests/oracle/vectors.txt"
#define VECTORS_BLOCKS 13
#define VECTORS_STATES 10000 /* vectors_block_end() of the last block */

enum vectors_kind {
	VECTORS_EXACT = '=',
	VECTORS_APPROXIMATE = '~',
	VECTORS_ABSENT = '-',
};

struct vectors_block {
	uint16_t inputs;
	uint32_t outcomes;
};

struct vectors_row {
	enum vectors_kind kind;
	struct vectors_block block[VECTORS_BLOCKS];
};

/* A digest under way of the states of one block; starts as zero. */
struct vectors_digest {
	uint64_t inputs, outcomes;
};

/* How many of a row's states the blocks up to this one cover. */
unsigned vectors_block_end(unsigned block);
/* Where the row's random states start: a function of what the row is called. */
uint64_t vectors_seed(const struct insn_row *row);

void vectors_digest_add(struct vectors_digest *digest, const struct insn_instance *instance,
			const struct outcome *outcome);
struct vectors_block vectors_digest_end(const struct vectors_digest *digest);

struct vectors;

/* Reads a record. NULL: there is none or it is not one; says so, and what to do, as a message. */
struct vectors *vectors_load(const char *path);
void vectors_free(struct vectors *vectors);
/* The row's record or NULL. */
const struct vectors_row *vectors_find(const struct vectors *vectors, const struct insn_row *row);
unsigned vectors_count(const struct vectors *vectors);
/* The CPU that it was recorded on. */
const char *vectors_cpu(const struct vectors *vectors);

/* Writes a record: what it opens with, then each row. */
void vectors_write_head(FILE *file, const char *cpu);
void vectors_write_row(FILE *file, const struct insn_row *row, const struct vectors_row *record);

#endif
