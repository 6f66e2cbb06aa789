/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A hash table of addresses with open addressing, and the report of it (docs/machine.md has the
 * file's form).
 */
#include "l0/machine/hits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "l0/machine/machine.h"
#include "l0/machine/symbols.h"

#define FIRST_BITS 12

struct hit {
	uint64_t rip, hpa;
	uint64_t insns; /* retired here */
	const struct symbol *symbol;
	bool used;
};

struct hits {
	struct symbols *symbols;
	const struct memory *memory;
	struct hit *table;
	unsigned bits;
	size_t count;
	struct hit *now;  /* begun last; NULL: none */
	uint64_t retired; /* when it began */
	uint64_t lost;
};

struct hits *hits_create(struct symbols *symbols, const struct memory *memory)
{
	struct hits *hits = calloc(1, sizeof(*hits));

	if (!hits)
		return NULL;
	*hits = (struct hits){ .symbols = symbols, .memory = memory, .bits = FIRST_BITS };
	hits->table = calloc((size_t)1 << hits->bits, sizeof(*hits->table));
	if (hits->table)
		return hits;
	free(hits);
	return NULL;
}

void hits_free(struct hits *hits)
{
	if (hits)
		free(hits->table);
	free(hits);
}

/* The entry of the address, or the free one where it belongs. */
static struct hit *find(struct hit *table, unsigned bits, uint64_t rip, uint64_t hpa)
{
	size_t mask = ((size_t)1 << bits) - 1;
	uint64_t hash = (rip + (hpa << 20)) * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = hash >> (64 - bits);; i++) {
		struct hit *hit = &table[i & mask];

		if (!hit->used || (hit->rip == rip && hit->hpa == hpa))
			return hit;
	}
}

static bool grow(struct hits *hits)
{
	struct hit *table = calloc((size_t)2 << hits->bits, sizeof(*table));

	if (!table)
		return false;
	for (size_t i = 0; i < (size_t)1 << hits->bits; i++) {
		const struct hit *hit = &hits->table[i];

		if (hit->used)
			*find(table, hits->bits + 1, hit->rip, hit->hpa) = *hit;
	}
	free(hits->table);
	hits->table = table;
	hits->bits++;
	return true;
}

static struct hit *insert(struct hits *hits, uint64_t rip, uint64_t hpa, unsigned length)
{
	const uint8_t *code = memory_at(hits->memory, hpa);
	struct hit *hit;

	if (hits->count + 1 > (size_t)1 << (hits->bits - 1) && !grow(hits))
		return NULL;
	hit = find(hits->table, hits->bits, rip, hpa);
	hits->count++;
	*hit = (struct hit){ .rip = rip, .hpa = hpa, .used = true };
	if (code && (hpa & 4095) + length <= 4096)
		hit->symbol = symbols_find(hits->symbols, rip, code, length);
	return hit;
}

void hits_end(struct hits *hits, uint64_t retired)
{
	if (hits->now)
		hits->now->insns += retired - hits->retired;
	else
		hits->lost += retired - hits->retired;
	hits->now = NULL;
	hits->retired = retired;
}

void hits_at(struct hits *hits, uint64_t rip, uint64_t hpa, unsigned length, uint64_t retired)
{
	hits_end(hits, retired);
	hits->now = find(hits->table, hits->bits, rip, hpa);
	if (!hits->now->used)
		hits->now = insert(hits, rip, hpa, length);
}

uint64_t hits_lost(const struct hits *hits)
{
	return hits->lost;
}

/* ---- the report ---- */

static int most_first(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	if (x->insns != y->insns)
		return x->insns < y->insns ? 1 : -1;
	if (x->hpa != y->hpa)
		return x->hpa < y->hpa ? -1 : 1;
	return x->rip < y->rip ? -1 : x->rip > y->rip;
}

/* Where the symbol's first byte lies in memory: tells the levels apart. */
static uint64_t symbol_hpa(const struct hit *hit)
{
	return hit->hpa - (hit->rip - hit->symbol->start);
}

/* The used entries, packed to the front of a copy. */
static struct hit *collect(const struct hits *hits, size_t *count)
{
	struct hit *all = calloc(hits->count + 1, sizeof(*all));

	*count = 0;
	for (size_t i = 0; all && i < (size_t)1 << hits->bits; i++)
		if (hits->table[i].used && hits->table[i].insns)
			all[(*count)++] = hits->table[i];
	return all;
}

static int by_symbol(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	if (x->symbol != y->symbol)
		return x->symbol < y->symbol ? -1 : 1;
	if (!x->symbol || symbol_hpa(x) == symbol_hpa(y))
		return 0;
	return symbol_hpa(x) < symbol_hpa(y) ? -1 : 1;
}

/* Sums up each run of equal symbols; returns how many are left. */
static size_t fold(struct hit *hits, size_t count)
{
	size_t kept = 0;

	qsort(hits, count, sizeof(*hits), by_symbol);
	for (size_t i = 0; i < count; i++) {
		if (kept && !by_symbol(&hits[kept - 1], &hits[i]))
			hits[kept - 1].insns += hits[i].insns;
		else
			hits[kept++] = hits[i];
	}
	return kept;
}

static void print_by_insn(FILE *file, const struct hits *hits, const struct hit *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct hit *h = &rows[i];

		fprintf(file, "%" PRIu64 " %" PRIx64 " %" PRIx64, h->insns, h->rip, h->hpa);
		if (h->symbol)
			fprintf(file, " %s %s+0x%" PRIx64 "\n",
				symbols_image_name(hits->symbols, h->symbol->image),
				h->symbol->name, h->rip - h->symbol->start);
		else
			fputs(" ? ?\n", file);
	}
}

static void print_by_symbol(FILE *file, const struct hits *hits, const struct hit *rows,
			    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct hit *h = &rows[i];

		if (h->symbol)
			fprintf(file, "%" PRIu64 " %" PRIx64 " %s %s\n", h->insns, symbol_hpa(h),
				symbols_image_name(hits->symbols, h->symbol->image),
				h->symbol->name);
		else
			fprintf(file, "%" PRIu64 " - ? ?\n", h->insns);
	}
}

bool hits_write(struct hits *hits, const char *path)
{
	size_t count, folded;
	struct hit *rows = collect(hits, &count), *sums = collect(hits, &count);
	FILE *file = rows && sums ? fopen(path, "w") : NULL;
	bool good = file;

	if (file) {
		folded = fold(sums, count);
		qsort(sums, folded, sizeof(*sums), most_first);
		qsort(rows, count, sizeof(*rows), most_first);
		fprintf(file, "# by symbol: instructions, physical address, image, symbol\n");
		print_by_symbol(file, hits, sums, folded);
		fprintf(file, "# by instruction: instructions, linear address, physical address, "
			      "image, symbol+offset\n");
		print_by_insn(file, hits, rows, count);
		good = !ferror(file);
		good = fclose(file) == 0 && good;
	}
	free(rows);
	free(sums);
	return good;
}
