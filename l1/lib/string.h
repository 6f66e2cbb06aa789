/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The four functions that the compiler may call, and the few on strings that guests use.
 */
#ifndef L1_LIB_STRING_H
#define L1_LIB_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *a, const void *b, size_t length);
size_t strlen(const char *text);

#endif
