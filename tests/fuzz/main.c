/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The targets under libFuzzer; FUZZ_TARGET in the environment names one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("FUZZ_TARGET");

	for (unsigned i = 0; name && i < fuzz_target_count; i++)
		if (!strcmp(name, fuzz_targets[i].name))
			target = &fuzz_targets[i];
	if (!target) {
		fprintf(stderr, "fuzzer: FUZZ_TARGET in the environment names no target\n");
		exit(64);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	target->run(bytes, size);
	return 0;
}
