/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Round trips, from the machine's records alone: an exit of Ln, all that L0 and the levels between do
 * about it, until Ln or a guest of its own goes on. An exit that follows at once, nothing retired by
 * Ln since, and that L0 alone answers (it fills its EPT for what L1 has just mapped) belongs to the
 * same trip.
 */
#ifndef TRACES_TRIPS_H
#define TRACES_TRIPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/reader.h"

/* Of one trip, or of many. Levels between: L1 to L(n-1), their own instructions. */
struct trap_trip_cost {
	uint64_t exits; /* of the CPU, the first one included */
	uint64_t l0_insns, between_insns;
};

struct trap_trips_row {
	uint8_t level; /* n */
	uint16_t reason;
	uint64_t rip;
	bool reflected; /* a level between ran; else L0 alone answered */
	uint64_t count;
	uint64_t typical; /* sequence, in the machine's stream, of a trip with the median l0_insns */
	struct trap_trip_cost median; /* each by itself */
	struct trap_trip_cost total;
};

struct trap_trips {
	struct trap_trips_row *rows; /* by level, then descending count */
	size_t count;
};

void trap_trips_make(struct trap_trips *trips, const struct trap_log *log);
void trap_trips_free(struct trap_trips *trips);

#endif
