/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an operation costs: retired instructions by the architectural fixed counter 0, cycles by the
 * TSC. SDM 3B "Architectural Performance Monitoring".
 */
#ifndef L1_LIB_COUNTER_H
#define L1_LIB_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "l1/lib/cpu.h"

#define RDPMC_FIXED0 0x40000000

struct counter {
	uint64_t insns;
	uint64_t cycles;
};

/* Starts fixed counter 0 for every ring. False: there is none, and counter.insns is nothing. */
bool counter_start(void);
/* Prints "insns=N cycles=N", or "insns=na cycles=N" if counter_start() said false. */
void counter_print(uint64_t insns, uint64_t cycles);
bool counter_has_insns(void);

/* Inline and the same everywhere, so that two reads cost the same and cancel out. */
static inline struct counter counter_read(bool has_insns)
{
	struct counter now = {0};

	if (has_insns)
		now.insns = rdpmc(RDPMC_FIXED0);
	now.cycles = rdtsc();
	return now;
}

#endif
