/* SPDX-License-Identifier: BSD-2-Clause
 *
 * --watch: chosen events as they happen, one line each on stderr, with the count of retired
 * instructions, the level that runs, and where it is. A run is the same with and without.
 */
#ifndef L0_MACHINE_DEBUG_WATCH_H
#define L0_MACHINE_DEBUG_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "l0/machine/machine.h"

enum watch_event {
#define WATCH(id, name) WATCH_##id,
#include "l0/machine/debug/watch_events.def"
	WATCH_COUNT,
};

struct symbols;

struct watch {
	unsigned mask; /* of 1 << enum watch_event */
	const struct symbols *symbols;
	FILE *out;
};

/* "exits,io" into a mask. False: `word` holds the word that is none. */
bool watch_parse(const char *text, unsigned *mask, char *word, unsigned size);
/* The names, separated by commas. */
const char *watch_names(void);

/* Whether anybody wants to know: to be asked before anything is worked out. */
static inline bool watches(const struct machine *machine, enum watch_event event)
{
	return __builtin_expect(machine->watch != NULL, 0) && (machine->watch->mask >> event & 1);
}
/* Tells the event. The text begins with what happened. */
void watch_tell(struct machine *machine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct context;
/* " name+0x12 (image)" of the code at context's RIP, or nothing. Returns `text`. */
const char *watch_symbol(const struct machine *machine, const struct symbols *symbols,
			 const struct context *context, char *text, unsigned size);

#endif
