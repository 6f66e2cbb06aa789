/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The targets under libFuzzer; FUZZ_TARGET in the environment names one, or
 * `dictionary`, which prints a dictionary.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "l0/machine/debug/watch.h"
#include "tests/fuzz/fuzz.h"

/* FUZZ_WATCH: what --watch of `abyme run` takes, to see what an input does. */
static void watch(const char *events)
{
	static struct watch told;
	char word[64];

	if (!watch_parse(events, &told.mask, word, sizeof(word))) {
		fprintf(stderr, "fuzzer: FUZZ_WATCH knows no `%s`, but %s\n", word, watch_names());
		exit(64);
	}
	told.out = stderr;
	fuzz_watch = &told;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("FUZZ_TARGET");

	for (unsigned i = 0; name && i < fuzz_target_count; i++)
		if (!strcmp(name, fuzz_targets[i].name))
			target = &fuzz_targets[i];
	if (name && !strcmp(name, "dictionary")) {
		fuzz_dictionary(stdout);
		exit(0);
	}
	if (getenv("FUZZ_WATCH"))
		watch(getenv("FUZZ_WATCH"));
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
