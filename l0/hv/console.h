/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the hypervisor says on COM1. Quiet unless asked to be verbose: a guest's output must be the
 * same whatever runs beneath it.
 */
#ifndef L0_HV_CONSOLE_H
#define L0_HV_CONSOLE_H

#include <stdarg.h>

/* Formats %s %c %d %u %x %p and %%, with l for 64 bits and a zero-padded width (%016lx). */
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_vprint(const char *format, va_list args);
/* The same if the command line says `verbose`. */
void console_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
