/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory functions by string instructions: a C loop would be turned back into a call of itself.
 */
#include "l1/lib/string.h"

void *memcpy(void *to, const void *from, size_t length)
{
	void *out = to;

	__asm__ volatile("rep movsb" : "+D"(out), "+S"(from), "+c"(length) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t length)
{
	uint8_t *out = (uint8_t *)to + length - 1;
	const uint8_t *in = (const uint8_t *)from + length - 1;

	if ((uintptr_t)to - (uintptr_t)from >= length)
		return memcpy(to, from, length);
	__asm__ volatile("std; rep movsb; cld" : "+D"(out), "+S"(in), "+c"(length) : : "memory");
	return to;
}

void *memset(void *to, int value, size_t length)
{
	void *out = to;

	__asm__ volatile("rep stosb" : "+D"(out), "+c"(length) : "a"(value) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
	const uint8_t *p = a, *q = b;

	for (; length; length--, p++, q++) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}
