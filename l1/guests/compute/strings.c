/* SPDX-License-Identifier: BSD-2-Clause
 *
 * String instructions as memcpy, memset, memchr and memcmp use them, on lengths from a few bytes to
 * some pages, aligned and not.
 */
#include "l1/guests/compute/compute.h"

static void copy_bytes(uint8_t *to, const uint8_t *from, uint64_t count)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void copy_words(uint64_t *to, const uint64_t *from, uint64_t count)
{
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void fill_bytes(uint8_t *to, uint8_t value, uint64_t count)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

static uint64_t find_byte(const uint8_t *from, uint8_t value, uint64_t count)
{
	__asm__ volatile("repne scasb" : "+D"(from), "+c"(count) : "a"(value) : "cc", "memory");
	return count;
}

static uint64_t match(const uint8_t *a, const uint8_t *b, uint64_t count)
{
	__asm__ volatile("repe cmpsb" : "+D"(a), "+S"(b), "+c"(count) : : "cc", "memory");
	return count;
}

uint64_t strings_round(uint64_t x)
{
	uint8_t *to = (uint8_t *)copies, *from = (uint8_t *)words;
	uint64_t sum = x;

	for (unsigned i = 0; i < 2000; i++) {
		uint64_t length = 16u << i % 8, at = i * 61 % 4096;

		fill_bytes(from + at, (uint8_t)i, length);
		copy_bytes(to + at + 3, from + at, length);
		copy_words(copies + 1024, words + at / 8, length / 8);
		sum += find_byte(from + at, (uint8_t)(i + 1), length) + to[at + 3];
		sum += match(from + at, to + at + 3, length);
	}
	return sum;
}
