/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Membership of a name in an array of names.
 */
#ifndef TESTS_ORACLE_AMONG_H
#define TESTS_ORACLE_AMONG_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool among(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}
#define AMONG(names, name) among(names, sizeof(names) / sizeof(names[0]), name)

#endif
