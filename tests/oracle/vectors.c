/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads and writes vectors.txt.
 */
#include "tests/oracle/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAME_SIZE 64
#define ROWS_MAX 4096
#define LINE_SIZE 512

struct line {
	char name[NAME_SIZE];
	struct vectors_row row;
};

struct vectors {
	char cpu[100];
	unsigned count;
	struct line lines[ROWS_MAX];
};

/* Short ones first, so that a few states have a digest too. */
unsigned vectors_block_end(unsigned block)
{
	return block < 4 ? 125u << block : 1000 * (block - 2);
}

static void name_row(const struct insn_row *row, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%s %s (%s)", row->mnemonic, row->operands, row->encoding);
}

uint64_t vectors_seed(const struct insn_row *row)
{
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
	char name[NAME_SIZE];

	name_row(row, name);
	for (const char *at = name; *at; at++)
		seed = (seed ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
	return seed | 1;
}

void vectors_digest_add(struct vectors_digest *digest, const struct insn_instance *instance,
			const struct outcome *outcome)
{
	digest->inputs = outcome_digest_inputs(digest->inputs, instance);
	digest->outcomes = outcome_digest(digest->outcomes, instance, outcome);
}

struct vectors_block vectors_digest_end(const struct vectors_digest *digest)
{
	return (struct vectors_block){(uint16_t)(digest->inputs >> 48),
				      (uint32_t)(digest->outcomes >> 32)};
}

/* ---- reading ---- */

static bool read_blocks(const char *text, struct vectors_row *row)
{
	for (unsigned i = 0; i < VECTORS_BLOCKS; i++) {
		char *end;
		uint64_t both = strtoull(text, &end, 16);

		if (end != text + 12 + (i > 0))
			return false;
		row->block[i] = (struct vectors_block){(uint16_t)(both >> 32), (uint32_t)both};
		text = end;
	}
	return *text == '\n';
}

/* NAME TAB KIND [TAB DIGESTS] */
static bool read_row(const char *text, struct line *line)
{
	const char *tab = strchr(text, '\t');

	if (!tab || tab - text >= NAME_SIZE)
		return false;
	memcpy(line->name, text, (size_t)(tab - text));
	line->name[tab - text] = 0;
	line->row.kind = (enum vectors_kind)tab[1];
	switch (tab[1]) {
	case VECTORS_ABSENT:
		return tab[2] == '\n';
	case VECTORS_EXACT:
	case VECTORS_APPROXIMATE:
		return tab[2] == '\t' && read_blocks(tab + 3, &line->row);
	default:
		return false;
	}
}

static bool read_line(const char *text, struct vectors *vectors)
{
	if (text[0] == '#')
		return true;
	if (sscanf(text, "cpu %99[^\n]", vectors->cpu) == 1)
		return true;
	return vectors->count < ROWS_MAX && read_row(text, &vectors->lines[vectors->count++]);
}

struct vectors *vectors_load(const char *path)
{
	struct vectors *vectors = calloc(1, sizeof(*vectors));
	FILE *file = fopen(path, "r");
	char text[LINE_SIZE];
	unsigned number = 0;
	bool good = vectors && file;

	if (!good)
		print_message("cannot read %s: run from the top of the source tree\n", path);
	while (good && fgets(text, sizeof(text), file)) {
		number++;
		good = read_line(text, vectors);
		if (!good)
			print_message("%s:%u is damaged: check the file out again\n", path, number);
	}
	if (file)
		fclose(file);
	if (good)
		return vectors;
	free(vectors);
	return NULL;
}

void vectors_free(struct vectors *vectors)
{
	free(vectors);
}

const struct vectors_row *vectors_find(const struct vectors *vectors, const struct insn_row *row)
{
	char name[NAME_SIZE];

	name_row(row, name);
	for (unsigned i = 0; vectors && i < vectors->count; i++)
		if (!strcmp(vectors->lines[i].name, name))
			return &vectors->lines[i].row;
	return NULL;
}

unsigned vectors_count(const struct vectors *vectors)
{
	return vectors->count;
}

const char *vectors_cpu(const struct vectors *vectors)
{
	return vectors->cpu;
}

/* ---- writing ---- */

static const char head[] =
    "# SPDX-License-Identifier: BSD-2-Clause\n"
    "# What a CPU made of %u random states of each row of the instruction table; written by\n"
    "# `make vectors` on an x86-64 host, read by test_vectors on any. After the CPU's name, a row\n"
    "# a line: its name, TAB, kind, TAB, a digest of each block of states. Kinds:\n"
    "#   =  digests of the CPU's own results\n"
    "#   ~  the same but for results that each part approximates as it likes: there the\n"
    "#      interpreter's, once found as near to the CPU's as the SDM allows\n"
    "#   -  the CPU lacks the instruction; no digests\n"
    "# A digest: 4 digits of what went in, 8 of what came out. Blocks end with state";

void vectors_write_head(FILE *file, const char *cpu)
{
	fprintf(file, head, VECTORS_STATES);
	for (unsigned block = 0; block < VECTORS_BLOCKS; block++)
		fprintf(file, "%s%u", block % 8 ? " " : "\n#   ", vectors_block_end(block));
	fprintf(file, "\ncpu %s\n", cpu);
}

void vectors_write_row(FILE *file, const struct insn_row *row, const struct vectors_row *record)
{
	char name[NAME_SIZE];

	name_row(row, name);
	fprintf(file, "%s\t%c", name, record->kind);
	for (unsigned i = 0; i < VECTORS_BLOCKS && record->kind != VECTORS_ABSENT; i++)
		fprintf(file, "%c%04x%08x", i ? ' ' : '\t', record->block[i].inputs,
			record->block[i].outcomes);
	fputc('\n', file);
}
