/* SPDX-License-Identifier: BSD-2-Clause
 *
 * All that can be seen of a machine after an input, to compare runs.
 */
#ifndef TESTS_FUZZ_OUTCOME_H
#define TESTS_FUZZ_OUTCOME_H

#include <stddef.h>
#include <stdint.h>

struct machine;

/* One word for each thing seen; two outcomes of a part have the same words in the same places. */
#define OUTCOME_MAX 4096
struct outcome_words {
	size_t count;
	struct {
		const char *what;
		uint64_t number, value; /* number: which MSR, port, register ... */
	} word[OUTCOME_MAX];
};

/* Reads devices, so the machine is of no use afterwards. */
void outcome_read(struct outcome_words *outcome, struct machine *machine);

#endif
