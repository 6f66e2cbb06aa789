/* SPDX-License-Identifier: BSD-2-Clause
 *
 * tiny: the smallest hypervisor that one can read in half an hour. It runs one guest, its first
 * multiboot module, on one CPU, and passes the PC through: the guest has all ports, interrupts and
 * memory but tiny's own. Read in this order: tiny.c (the loop), exits.c (what it does for the
 * guest), vmcs.c with vmcs.def (what the CPU is told), ept.c, guest.c, entry.S.
 */
#ifndef L1_TINY_TINY_H
#define L1_TINY_TINY_H

#include <stdbool.h>
#include <stdint.h>

#include "shadow/sdm/vmx.h"
#include "shadow/sdm/x86.h"

/* tiny lies here, out of the way of a guest that wants to be at 1 MiB. */
#define TINY_BASE 0x1000000

/* The one port that tiny takes for itself, so that the cost of an intercepted OUT can be
 * measured next to that of one passed through (0x80). Both are used as delay ports, if at all. */
#define TINY_PORT 0xed

/* The guest's general registers, in the order of enum x86_gpr; RSP is in the VMCS. */
struct guest {
	uint64_t gpr[REG_COUNT];
};

/* Exit statuses. */
enum tiny_status { TINY_NO_GUEST = 1, TINY_NO_VMX, TINY_ENTRY_FAILED, TINY_GUEST_DIED };

/* What the loader hands over to the guest: multiboot machine state. */
struct guest_start {
	uint32_t entry;
	uint32_t information;
};

/* guest.c: loads the first module; ends the run with a message if it cannot. */
struct guest_start guest_load(void);

/* ept.c: identity map of the low 4 GiB without [hole, hole_end); returns the EPTP. Lazy: RAM beyond the
 * first 2 MiB is left out for ept_map. */
uint64_t ept_build(uint64_t hole, uint64_t hole_end, bool lazy);
/* Maps the page with this address. False: there is nothing for the guest. */
bool ept_map(uint64_t gpa);

/* vmcs.c: VMX on, VMCS made and filled. Ends the run with a message if the CPU lacks something. */
void vmcs_setup(const struct guest_start *start, uint64_t eptp);

/* entry.S: runs the guest to its next VM exit. False: VMLAUNCH or VMRESUME failed. */
bool tiny_enter(struct guest *guest, bool resume);

/* exits.c: deals with the exit. False: tiny cannot, and the run is over. */
bool exits_handle(struct guest *guest, uint32_t reason);

/* Where the linker put tiny, rounded to EPT's 2 MiB pages: what the guest must not have. */
uint64_t tiny_start(void);
uint64_t tiny_end(void);

#endif
