/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the guests that digest groups of operations share: a name for each operation of a table
 * included for its lines, operands at random, digests.
 */
#ifndef TESTS_GUESTS_OPERATIONS_H
#define TESTS_GUESTS_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "l1/lib/string.h"

#define OPERATION_NAME(line) operation_##line
#define OPERATION_NAME_OF(line) OPERATION_NAME(line)

#define DIGEST_START UINT64_C(0xcbf29ce484222325)

/* The same numbers in every run. */
static inline uint64_t random64(void)
{
	static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline void digest_add(uint64_t *digest, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*digest = (*digest ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
}

/* Whether two operations stand in one group. */
static inline bool same_group(const char *a, const char *b)
{
	size_t length = strlen(a);

	return length == strlen(b) && !memcmp(a, b, length);
}

#endif
