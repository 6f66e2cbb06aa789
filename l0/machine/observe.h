/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What looks on at a run and what it leaves: trap log, profile, watched events.
 */
#ifndef L0_MACHINE_OBSERVE_H
#define L0_MACHINE_OBSERVE_H

#include <stdbool.h>

#include "l0/machine/options.h"

struct symbols;

struct observers {
	const struct run_options *options;
	struct symbols *symbols; /* of the stack's images and of --symbols; NULL: nobody asks */
};

/* Attaches to `machine` what the options ask for, before its CPU is made. False: `error` says why;
 * observe_close is to be called all the same. */
bool observe_open(struct observers *observers, struct machine *machine, const struct stack *stack,
		  struct load_error *error) __attribute__((warn_unused_result));
/* Writes what there is to write. False: one line printed for each file that could not be written.
 */
bool observe_close(struct observers *observers, struct machine *machine)
	__attribute__((warn_unused_result));

#endif
