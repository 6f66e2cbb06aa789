/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Text on COM1, by polling. Lines end in a bare newline, so that outputs compare byte by byte.
 */
#ifndef L1_LIB_CONSOLE_H
#define L1_LIB_CONSOLE_H

#include <stdarg.h>

void console_init(void);
void console_put(char c);
/* printf of: %c %s %d %u %x %p %%, each with l, width, and a leading 0 or -. */
void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vprintf(const char *format, va_list arguments);

#endif
