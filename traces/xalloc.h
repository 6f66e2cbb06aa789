/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Growing arrays for the tools. Running out of memory ends the program with one line: a tool has
 * nothing to save by going on.
 */
#ifndef TRACES_XALLOC_H
#define TRACES_XALLOC_H

#include <stdio.h>
#include <stdlib.h>

/* Doubles *room (elements of `size` bytes) and returns the moved array; the new part is not
 * cleared. */
static inline void *xgrow(void *array, size_t *room, size_t size)
{
	*room = *room ? *room * 2 : 16;
	array = reallocarray(array, *room, size);
	if (!array) {
		fputs("abyme: out of memory: use a shorter trace or a machine with more\n", stderr);
		exit(EXIT_FAILURE);
	}
	return array;
}

#endif
