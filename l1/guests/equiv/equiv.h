/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the sections of the equivalence guest share: the digest, the generator, the address space
 * and the way to run a snippet (snippets*.S) from a given state to its trap.
 */
#ifndef L1_GUESTS_EQUIV_EQUIV_H
#define L1_GUESTS_EQUIV_EQUIV_H

#include "l1/lib/layout.h"

/* One GiB that only this guest's space maps, reachable by 16-, 32- and 64-bit code. */
#define USER_TEXT 0x80000000
#define USER_STACK 0x80100000
#define USER_DATA 0x80110000
#define USER_PLAY 0x80400000 /* 2 MiB aligned, for the paging section */

/* Which kinds of code segment a snippet runs in. */
#define RUN_RING0 1
#define RUN_RING3 2
#define RUN_CODE32 4
#define RUN_CODE16 8
/* Only with the option "strict": QEMU's TCG (7.2) does it otherwise than the SDM. */
#define RUN_STRICT 16

#ifndef __ASSEMBLY__

#include <stdbool.h>
#include <stdint.h>

#include "l1/lib/trap.h"

struct equiv {
	uint64_t digest;
	uint64_t random;
	unsigned round;
	bool strict; /* also what QEMU's TCG is known to get wrong */
	bool trace;  /* print each snippet's end: to find where two machines part */
};

struct snippet {
	uint64_t start; /* link address; it runs at equiv_user_address(start) */
	uint64_t kinds; /* RUN_* */
};
/* The table, as the linker gathers it from the snippet files. */
extern const struct snippet __start_snippet_table[], __stop_snippet_table[];

/* RFLAGS bits that are compared; with "strict" also RF, which a fault pushes set (SDM 3B
 * "Instruction-Breakpoint Exception Condition"). */
#define EQUIV_RFLAGS                                                                               \
	(RFLAGS_STATUS | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC)

void equiv_init(void);
void equiv_add(struct equiv *equiv, uint64_t value);
uint64_t equiv_random(struct equiv *equiv);
uint64_t equiv_user_address(uint64_t link_address);
uint64_t *equiv_space(void);

/* A state to run code at link address `start` in: registers from the generator, stack and data at
 * USER_STACK and USER_DATA (RSI, RDI). kind: one RUN_* bit. */
struct trap_frame equiv_state(struct equiv *equiv, uint64_t start, unsigned kind);
/* Runs it to its trap and digests the state there. */
void equiv_run(struct equiv *equiv, const struct trap_frame *state, struct trap_info *info);

/* The sections. */
void equiv_alu(struct equiv *equiv);
void equiv_algorithms(struct equiv *equiv);
void equiv_snippets(struct equiv *equiv);
void equiv_paging(struct equiv *equiv);
void equiv_rings(struct equiv *equiv);
void equiv_debug(struct equiv *equiv);
void equiv_interrupts(struct equiv *equiv);
void equiv_system(struct equiv *equiv);
void equiv_refused(struct equiv *equiv);

#endif
#endif
