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
#include "shadow/sdm/x86.h"

/* Guests told apart at a time; the one that was entered longest ago is forgotten first. */
#define LEVELS_ROWS 256
#define LEVELS_LAST 16 /* exits remembered */

struct levels_exit {
	uint64_t insns; /* retired before it */
	uint64_t rip, qualification;
	uint32_t reason; /* basic */
	unsigned level;
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
};

/* A VM entry with this VMCS and EPT pointer has succeeded. Returns the level of the guest. */
unsigned levels_enter(struct levels *levels, uint64_t vmcs, uint64_t eptp);
/* The guest that was entered last exits with these registers; exit->level is filled in. */
void levels_exit(struct levels *levels, const struct levels_exit *exit,
		 const uint64_t gpr[REG_COUNT]);
/* Level of the guest that was entered last; 0: none ever was. */
unsigned levels_current(const struct levels *levels);
/* VMCLEAR: the VMCS may stand for another guest from now on. */
void levels_clear(struct levels *levels, uint64_t vmcs);
/* The row of the guest of this level that was entered last and whose state its VMCS still holds;
 * NULL: there is none. */
const struct levels_row *levels_find(const struct levels *levels, unsigned level);

#endif
