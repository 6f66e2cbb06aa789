/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Ordinary computation: sorting, hashing, sieving, recursion, matrix product, pointer chasing, and
 * the long string instructions. Most of the guest's instructions are spent here.
 */
#include "l1/guests/equiv/equiv.h"

#include "l1/lib/string.h"

#define SORT_COUNT 2048
#define SIEVE_LIMIT 32768
#define MATRIX 40
#define CHASE_COUNT 4096
#define BUFFER 16384

static uint32_t keys[SORT_COUNT];
static uint8_t composite[SIEVE_LIMIT];
static uint32_t matrix[3][MATRIX][MATRIX];
static uint16_t next[CHASE_COUNT];
static uint8_t buffer[2][BUFFER];

static void sort(uint32_t *first, uint32_t *last)
{
	while (first < last) {
		uint32_t pivot = first[(last - first) / 2], *low = first, *high = last;

		while (low <= high) {
			while (*low < pivot)
				low++;
			while (*high > pivot)
				high--;
			if (low <= high) {
				uint32_t swap = *low;

				*low++ = *high;
				*high-- = swap;
			}
		}
		sort(first, high);
		first = low;
	}
}

static void run_sort(struct equiv *equiv)
{
	for (unsigned i = 0; i < SORT_COUNT; i++)
		keys[i] = (uint32_t)equiv_random(equiv);
	sort(keys, keys + SORT_COUNT - 1);
	for (unsigned i = 0; i < SORT_COUNT; i += 16)
		equiv_add(equiv, keys[i]);
}

static void run_sieve(struct equiv *equiv)
{
	unsigned count = 0;

	memset(composite, 0, sizeof(composite));
	for (unsigned i = 2; i < SIEVE_LIMIT; i++) {
		if (composite[i])
			continue;
		count++;
		for (unsigned j = 2 * i; j < SIEVE_LIMIT; j += i)
			composite[j] = 1;
	}
	equiv_add(equiv, count);
}

static uint64_t __attribute__((noinline)) ackermann(uint64_t m, uint64_t n)
{
	if (!m)
		return n + 1;
	return ackermann(m - 1, n ? ackermann(m, n - 1) : 1);
}

static void run_matrix(struct equiv *equiv)
{
	for (unsigned i = 0; i < MATRIX; i++) {
		for (unsigned j = 0; j < MATRIX; j++) {
			matrix[0][i][j] = (uint32_t)equiv_random(equiv);
			matrix[1][i][j] = (uint32_t)equiv_random(equiv);
		}
	}
	for (unsigned i = 0; i < MATRIX; i++) {
		for (unsigned j = 0; j < MATRIX; j++) {
			uint32_t sum = 0;

			for (unsigned k = 0; k < MATRIX; k++)
				sum += matrix[0][i][k] * matrix[1][k][j];
			matrix[2][i][j] = sum;
		}
		equiv_add(equiv, matrix[2][i][i]);
	}
}

static void run_chase(struct equiv *equiv)
{
	unsigned at = 0;

	for (unsigned i = 0; i < CHASE_COUNT; i++)
		next[i] = (uint16_t)i;
	for (unsigned i = CHASE_COUNT - 1; i > 0; i--) { /* Sattolo: one cycle */
		unsigned j = (unsigned)(equiv_random(equiv) % i);
		uint16_t swap = next[i];

		next[i] = next[j];
		next[j] = swap;
	}
	for (unsigned i = 0; i < 4 * CHASE_COUNT + 7; i++)
		at = next[at];
	equiv_add(equiv, at);
}

static uint64_t crc(const uint8_t *data, unsigned length)
{
	uint32_t value = UINT32_MAX;

	while (length--) {
		value ^= *data++;
		for (unsigned bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~value;
}

static void run_strings(struct equiv *equiv)
{
	for (unsigned i = 0; i < BUFFER; i += 8)
		*(uint64_t *)&buffer[0][i] = equiv_random(equiv);
	memcpy(buffer[1], buffer[0], BUFFER);
	memmove(buffer[1] + 5, buffer[1], BUFFER - 5);
	memmove(buffer[1], buffer[1] + 4099, BUFFER - 4099);
	memset(buffer[1] + 100, (int)equiv->round, 333);
	equiv_add(equiv, (uint64_t)memcmp(buffer[0], buffer[1] + 1, 7));
	equiv_add(equiv, crc(buffer[1], BUFFER / 4));
}

void equiv_algorithms(struct equiv *equiv)
{
	run_sort(equiv);
	run_sieve(equiv);
	equiv_add(equiv, ackermann(2, 100));
	run_matrix(equiv);
	run_chase(equiv);
	run_strings(equiv);
}
