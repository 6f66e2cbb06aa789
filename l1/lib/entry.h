/* SPDX-License-Identifier: BSD-2-Clause
 *
 * For assembly, in 32-bit and 64-bit code: the ways in from C and from a vector that entry code
 * shares.
 */
#ifndef L1_LIB_ENTRY_H
#define L1_LIB_ENTRY_H
#ifdef __ASSEMBLER__

/* What a C caller expects to find again. System V ABI "Registers and the Stack Frame" */
	.macro push_callee_saved
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro pop_callee_saved
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	.endm

/* Exceptions that push an error code: 8, 10-14, 17, 21.
 * SDM 3A "Exception and Interrupt Reference" */
#define HAS_ERROR_CODE 0x00227d00

/* `count` stubs, 16 bytes apart: each leaves its vector above an error code (0 where the CPU pushes
 * none) and goes to `common`. */
	.macro vector_stubs count, common
	.set vector, 0
	.rept \count
	.balign 16
	.set has_error, 0
	.if vector < 32
	.set has_error, (HAS_ERROR_CODE >> vector) & 1
	.endif
	.if !has_error
	push $0
	.endif
	push $vector
	jmp \common
	.set vector, vector + 1
	.endr
	.endm

#endif
#endif
