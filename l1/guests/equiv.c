/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The equivalence guest: a long deterministic run through what a CPU and a PC do, ending in one
 * digest line. The digest covers what the architecture defines and nothing else, so it is the same
 * on every machine and at every depth (Popek and Goldberg's equivalence). Options: rounds=N,
 * verbose (the digest after every section), section=N (only that one), trace (every snippet's final
 * state), strict (also what QEMU's TCG does otherwise than the SDM; another digest).
 */
#include "l1/guests/equiv/equiv.h"
#include "l1/lib/console.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/runtime.h"

#define DEFAULT_ROUNDS 12
#define ALL_SECTIONS UINT64_MAX

static const struct section {
	const char *name;
	void (*run)(struct equiv *equiv);
} sections[] = {
	{"alu", equiv_alu},
	{"algorithms", equiv_algorithms},
	{"snippets", equiv_snippets},
	{"paging", equiv_paging},
	{"rings", equiv_rings},
	{"debug", equiv_debug},
	{"interrupts", equiv_interrupts},
	{"system", equiv_system},
	{"refused", equiv_refused},
};
#define SECTION_COUNT (sizeof(sections) / sizeof(sections[0]))

static void run_round(struct equiv *equiv, uint64_t only, bool verbose)
{
	for (unsigned i = 0; i < SECTION_COUNT; i++) {
		if (only != ALL_SECTIONS && only != i)
			continue;
		sections[i].run(equiv);
		if (verbose)
			printf("round %u %-12s %016lx\n", equiv->round, sections[i].name,
			       equiv->digest);
	}
}

int main(void)
{
	uint64_t rounds = multiboot_option("rounds", DEFAULT_ROUNDS);
	uint64_t only = multiboot_option("section", ALL_SECTIONS);
	bool verbose = multiboot_has_word("verbose");
	struct equiv equiv = {.digest = UINT64_C(0xcbf29ce484222325), .random = 1,
			      .strict = multiboot_has_word("strict"),
			      .trace = multiboot_has_word("trace")};

	equiv_init();
	for (uint64_t round = 0; round < rounds; round++) {
		equiv.round = (unsigned)round;
		run_round(&equiv, only, verbose);
	}
	printf("digest=%016lx\n", equiv.digest);
	return STATUS_OK;
}
