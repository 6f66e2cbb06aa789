/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Clocks that run at another rate than the TSC, exactly: tick k of a clock happens at the first
 * cycle that is not before k / hz seconds, and the two conversions are inverse to each other at
 * ticks.
 */
#ifndef L0_MACHINE_CLOCK_H
#define L0_MACHINE_CLOCK_H

#include <stdint.h>

#include "l0/machine/machine.h"

/* Ticks of the clock that have happened by time `cycles`. */
static inline uint64_t clock_ticks(uint64_t cycles, uint64_t hz)
{
	return (unsigned __int128)cycles * hz / MACHINE_HZ;
}

/* Time of tick `ticks`. */
static inline uint64_t clock_cycles(uint64_t ticks, uint64_t hz)
{
	return ((unsigned __int128)ticks * MACHINE_HZ + hz - 1) / hz;
}

#endif
