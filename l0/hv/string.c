/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The four functions that a freestanding compiler calls, by the string instructions: one retired
 * instruction a call, and what the CPU is fastest at.
 */
#include "l0/hv/bytes.h"

#include "l0/hv/hw.h"

void *memcpy(void *to, const void *from, size_t length)
{
	hw_copy(to, from, length);
	return to;
}

void *memset(void *to, int byte, size_t length)
{
	hw_fill(to, byte, length);
	return to;
}

void *memmove(void *to, const void *from, size_t length)
{
	uint8_t *target = to;
	const uint8_t *source = from;

	if (target <= source || target >= source + length) {
		hw_copy(to, from, length);
		return to;
	}
	hw_copy_down(target, source, length);
	return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
	const uint8_t *x = a, *y = b;

	for (; length; length--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
