/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The console: what COM1 and port 0xe9 print, and what is typed. Output goes to stdout or a file
 * and into a digest; input comes from the same terminal or from standard input.
 *
 * Input that is a regular file is deterministic: it arrives at the line's speed in virtual time.
 * From a terminal or pipe it arrives when it is there; a pipe is waited for at first, so that `echo
 * x | abyme run` behaves like a file.
 */
#ifndef L0_MACHINE_CONSOLE_H
#define L0_MACHINE_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

struct console;
struct machine;

enum { CONSOLE_EMPTY = -1, CONSOLE_END = -2 };

/* path: NULL for stdio; a file takes the output and there is no input. NULL: cannot be opened,
 * errno set. */
struct console *console_open(struct machine *machine, const char *path);
/* Flushes, restores the terminal. */
void console_close(struct console *console);
/* The terminal as it was before console_open, for a way out that is not console_close.
 * Async-signal-safe. */
void console_restore_terminal(void);
void console_flush(struct console *console);
/* As opened, but that whoever is at the other end goes on where he was. */
void console_power_cycle(struct console *console);
void console_put(struct console *console, uint8_t byte);
/* Next input byte; CONSOLE_EMPTY: none now, CONSOLE_END: never again. */
int console_get(struct console *console);
bool console_interactive(const struct console *console);
/* FNV-1a, 64 bits, over every byte put. */
uint64_t console_digest(const struct console *console);
uint64_t console_bytes(const struct console *console);

#endif
