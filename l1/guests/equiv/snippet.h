/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Macros of the snippet files (assembly): short pieces of code, each run from a generated state
 * until it traps, in one or more kinds of code segment. A SNIPPET states its kinds and ends by DONE
 * or by the fault it is about. On entry RSI and RDI point to data, RSP to a stack, and the other
 * registers hold generated values. Flags that the architecture leaves undefined must not live to
 * the end: DONE sets them all.
 */
#ifndef L1_GUESTS_EQUIV_SNIPPET_H
#define L1_GUESTS_EQUIV_SNIPPET_H

#include "l1/guests/equiv/equiv.h"

#define BOTH (RUN_RING0 + RUN_RING3)

	.macro SNIPPET kinds
	.section snippet_table, "a"
	.quad 1f, \kinds
	.section user_code, "ax"
	.balign 16
1:
	.endm
	.macro DONE
	cmp %esp, %esp
	int $VECTOR_DONE
	.endm
/* RBX (EBX) = the flags in `mask`; the flags stay, as AND would leave AF undefined. */
	.macro FLAGS mask
	pushfq
	pushfq
	pop %rbx
	and $\mask, %ebx
	popfq
	.endm
	.macro FLAGS32 mask
	pushf
	pushf
	pop %ebx
	and $\mask, %ebx
	popf
	.endm
#define ALL_FLAGS 0x8d5

#endif
