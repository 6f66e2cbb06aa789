/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The seam between roundtrip.c and its assembly: L2's code, and L1's handlers in their fewest
 * instructions.
 */
#ifndef L1_GUESTS_ROUNDTRIP_ROUNDTRIP_H
#define L1_GUESTS_ROUNDTRIP_ROUNDTRIP_H

/* Instructions that L1 and L2 themselves retire in one round trip, counted off the source beside
 * them (trip.S). The instruction that exits does not retire; VMRESUME does. */
#define OWN_BARE 4
#define OWN_USUAL 9
#define OWN_MAP 8
/* The same for what surrounds the operation in the l1_ functions. */
#define OWN_L1_CPUID 3
#define OWN_L1_VMREAD 1
#define OWN_L1_VMWRITE 2

#ifndef __ASSEMBLY__
#include <stdbool.h>
#include <stdint.h>

struct trip {
	uint64_t count;  /* round trips to make */
	uint64_t l2_rip; /* the code in L2 */
	uint64_t l2_rsi; /* what the code accesses, if it does */
	bool launched;   /* VMRESUME rather than VMLAUNCH; set once it has run */
	uint64_t *slot;  /* trip_map: the EPT entry of the page that l2_rsi is in */
	uint64_t entry;  /* trip_map: what becomes of it and the next ones */
};

/* Makes the round trips. False: VM entry failed. Bare: L1 writes GUEST_RIP and resumes. Usual:
 * L1 reads the exit reason, the instruction length and GUEST_RIP before that. Map: L1 maps the page, the
 * one behind the one before, and resumes. */
bool trip_bare(struct trip *trip);
bool trip_usual(struct trip *trip);
bool trip_map(struct trip *trip);

/* L2's code: one exit each time round. */
extern char l2_cpuid[], l2_again[], l2_vmcall[], l2_out[], l2_rdmsr[], l2_touch[], l2_walk[];
/* Single operations for L1 to call. */
void l1_nothing(void);
void l1_cpuid(void);
void l1_vmread(void);
void l1_vmwrite(void);
#endif
#endif
