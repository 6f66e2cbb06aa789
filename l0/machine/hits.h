/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where instructions retire: an exact count for every address at which code ran, by linear and
 * physical address, so that the same code at several levels is told apart. The CPU calls
 * hits_at() before each instruction while machine->hits is set; at the end a table is written.
 */
#ifndef L0_MACHINE_HITS_H
#define L0_MACHINE_HITS_H

#include <stdbool.h>
#include <stdint.h>

struct hits;
struct memory;
struct symbols;

/* `symbols` gives names, `memory` the code to find them by; both must outlive the hits. NULL: no
 * memory. */
struct hits *hits_create(struct symbols *symbols, const struct memory *memory);
void hits_free(struct hits *hits);
/* The instruction at `rip`, physical address `hpa`, `length` bytes long, is about to be executed;
 * `retired` have retired before it. */
void hits_at(struct hits *hits, uint64_t rip, uint64_t hpa, unsigned length, uint64_t retired);
/* The run is over: the instruction begun last has retired or not. */
void hits_end(struct hits *hits, uint64_t retired);
/* Instructions that could not be counted for want of memory; 0 in a good run. */
uint64_t hits_lost(const struct hits *hits);
/* Writes the table: by symbol, then by instruction, most first. False: errno says why. */
bool hits_write(struct hits *hits, const char *path) __attribute__((warn_unused_result));

#endif
