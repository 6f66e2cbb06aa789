/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Whose guest is running: levels told apart from below, by what the CPU sees and no hypervisor
 * says.
 *
 * L0 is whoever runs in VMX root operation. A guest that it enters on its own account is L1. Every
 * other VMCS of L0's stands for a guest of a guest: L0 enters it because some Ln executed VMLAUNCH
 * or VMRESUME, so what runs there is L(n+1). While L0 and the levels above it answer that
 * instruction, they enter guests of levels up to n, some by VMRESUMEs of their own; the first one
 * that is nobody known so far is the answer. A VMCS with another EPT pointer is another guest: some
 * hypervisors load one VMCS with whoever shall run next.
 */
#ifndef L0_MACHINE_LEVELS_H
#define L0_MACHINE_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "l0/machine/hang.h"
#include "shadow/sdm/vmx.h"
#include "shadow/sdm/x86.h"

/* Guests told apart at a time; the one that was entered longest ago is forgotten first. */
#define LEVELS_ROWS 256
#define LEVELS_LAST 16 /* exits remembered */
#define LEVELS_SUMMED 32 /* levels with sums of their own; deeper ones go with the last */

struct levels_exit {
	uint64_t insns; /* retired before it */
	uint64_t rip, qualification;
	uint32_t reason; /* basic */
	unsigned level;
};

/* What a level's guest did since power-on. L0 is [0]: its exits are entries that failed. */
struct levels_sum {
	uint64_t insns;    /* retired by the guest itself */
	uint64_t l0_insns; /* retired by L0 from the guest's exits to the next entry of any guest */
	uint64_t exits[EXIT_REASON_COUNT];
};

struct levels {
	struct levels_row {
		uint64_t vmcs, eptp;
		uint64_t used; /* the entry that used it last; 0: a free row */
		unsigned level;
		uint64_t gpr[REG_COUNT]; /* at its last exit; RSP is in the VMCS */
		struct hang_place interrupted;
	} rows[LEVELS_ROWS];
	uint64_t entries;
	unsigned launcher; /* the deepest guest whose VMLAUNCH or VMRESUME is not answered; 0: none */
	unsigned current;  /* index of the row that was entered last */
	struct levels_exit last[LEVELS_LAST]; /* a ring */
	uint64_t exits;
	uint64_t since; /* retired at the last change between L0 and a guest */
	bool in_guest;
	struct levels_sum sums[LEVELS_SUMMED];
};

/* A VM entry with this VMCS and EPT pointer has succeeded, `insns` instructions after power-on.
 * Returns the level of the guest. */
unsigned levels_enter(struct levels *levels, uint64_t vmcs, uint64_t eptp, uint64_t insns);
/* The guest that was entered last exits with these registers; exit->level is filled in. */
void levels_exit(struct levels *levels, const struct levels_exit *exit,
		 const uint64_t gpr[REG_COUNT]);
/* A VM entry has failed with this basic reason. */
void levels_fail(struct levels *levels, uint32_t reason);
/* Adds to the sums what whoever runs has retired up to now. */
void levels_settle(struct levels *levels, uint64_t insns);
/* Level of the guest that was entered last; 0: none ever was. */
unsigned levels_current(const struct levels *levels);
/* VMCLEAR: the VMCS may stand for another guest from now on. */
void levels_clear(struct levels *levels, uint64_t vmcs);
/* The row of the guest of this level that was entered last and whose state its VMCS still holds;
 * NULL: there is none. */
const struct levels_row *levels_find(const struct levels *levels, unsigned level);

#endif
