/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A run that goes on and gets nowhere. Whoever is interrupted (by an exception, an interrupt or a
 * VM exit), gets control back where it was, and is interrupted again with the same registers and
 * without one instruction retired, has made no progress; as many times in a row as the limit says
 * is a hang. So is a CPU that sleeps with interrupts off while as many events pass and none wakes
 * it, and a VM entry that fails so often by the same check and values. Only instructions and events
 * count, never time.
 */
#ifndef L0_MACHINE_HANG_H
#define L0_MACHINE_HANG_H

#include <stdbool.h>
#include <stdint.h>

#include "shadow/sdm/x86.h"

#define HANG_LIMIT 1000000 /* --hang without being asked */

struct machine;

/* Where a level, L0 or the guest of a VMCS, was interrupted. */
struct hang_place {
	uint64_t rip, gpr[REG_COUNT];
	uint64_t slept; /* what hang.slept was */
	uint64_t count; /* interruptions there in a row without progress between */
};

struct hang {
	uint64_t limit;
	uint64_t given; /* instructions retired when control went over last */
	bool in_handler; /* to a handler, by the delivery of an event */
	uint64_t slept; /* times that the CPU went to sleep */
	uint64_t deaf;	/* events that have not woken it, since `deaf_at` instructions */
	uint64_t deaf_at;
	struct hang_place root; /* L0; a guest's is in its row of levels.h */
	uint64_t failures, failed_vmcs; /* VM entries in a row, with this VMCS ... */
	char failure[512];		/* ... and for this reason */
	char text[160];
};

enum hang_cause { HANG_EXCEPTION, HANG_INTERRUPT, HANG_EXIT };

struct hang_interruption {
	bool guest; /* of the guest that was entered last; else of L0 */
	enum hang_cause cause;
	uint32_t number; /* vector, or basic exit reason */
	uint64_t rip, retired;
	const uint64_t *gpr;
	bool reads; /* an instruction that writes registers: they need not be the same */
};

/* None of these does anything without machine->hang; with it, machine->levels is wanted.
 *
 * Before whoever is interrupted loses control. May stop the machine. */
void hang_saw_interruption(struct machine *machine, const struct hang_interruption *what);
/* Control goes back, by IRET or VM entry, when `retired` instructions have retired. */
void hang_saw_return(struct machine *machine, bool guest, uint64_t rip, uint64_t rsp,
		     uint64_t retired);
/* Control goes to a handler, of an event that has been delivered. */
void hang_saw_delivery(struct machine *machine, uint64_t retired);
/* The CPU sleeps until the next event. deaf: maskable interrupts cannot wake it. May stop the
 * machine. */
void hang_saw_sleep(struct machine *machine, bool deaf, uint64_t retired);
/* A VM entry with the VMCS there has failed; NULL: has succeeded. May stop the machine. */
void hang_saw_entry(struct machine *machine, uint64_t vmcs, const char *failure);

#endif
