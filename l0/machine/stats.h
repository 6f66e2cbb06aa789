/* SPDX-License-Identifier: BSD-2-Clause
 *
 * --stats: what a run was and did, as one JSON object.
 */
#ifndef L0_MACHINE_STATS_H
#define L0_MACHINE_STATS_H

#include <stdbool.h>

struct machine;
struct run_options;

struct run_facts {
	const struct run_options *options;
	unsigned depth;
	int status;    /* exit status */
	double wall_s; /* of the run itself, without loading */
};

/* Writes to options->stats ("-": standard output). False: one line has been printed. */
bool stats_write(struct machine *machine, const struct run_facts *facts)
	__attribute__((warn_unused_result));

#endif
