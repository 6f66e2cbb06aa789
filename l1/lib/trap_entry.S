/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entry of every vector (16 bytes apart), the common path to C, and the two halves of trap_catch().
 */
#include "l1/lib/entry.h"
#include "l1/lib/layout.h"

	.text
	.balign 16
	.globl trap_stubs
trap_stubs:
	vector_stubs 256, trap_common

	.balign 16
trap_common:
	pushq %rax
	pushq %rbx
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %rbp
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %rdi
	cld
	call trap_dispatch
trap_return:
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rbx
	popq %rax
	addq $16, %rsp
	iretq

/* void trap_load(const struct trap_frame *): becomes what the frame says. A copy on this stack is
 * loaded, so that a fault of the IRETQ overwrites nothing. */
	.globl trap_load
trap_load:
	movq %rdi, %rsi
	subq $(22 * 8), %rsp
	movq %rsp, %rdi
	movl $22, %ecx
	rep movsq
	jmp trap_return

/* int trap_call(uint64_t *saved_rsp, void (*function)(void *), void *argument)
 * 0: the function returned. A trap resumes at trap_resume with RSP = *saved_rsp: 1. */
	.globl trap_call
trap_call:
	push_callee_saved
	pushq %rdi
	movq %rsp, (%rdi)
	movq %rdx, %rdi
	call *%rsi
	xorl %eax, %eax
	jmp 1f
	.globl trap_resume
trap_resume:
	movl $1, %eax
1:	popq %rdi
	pop_callee_saved
	ret
	.section .note.GNU-stack, "", @progbits
