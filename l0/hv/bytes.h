/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The four memory functions that every C environment has; here they are string.c's.
 */
#ifndef L0_HV_BYTES_H
#define L0_HV_BYTES_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
void *memmove(void *to, const void *from, size_t length);
int memcmp(const void *a, const void *b, size_t length);

#endif
