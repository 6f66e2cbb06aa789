/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bool tiny_enter(struct guest *guest, bool resume): the way into the guest and back. The CPU saves
 * and loads what the VMCS has fields for; the general registers but RSP are software's affair.
 */
#include "l1/lib/entry.h"

#define HOST_RSP 0x6c14
#define HOST_RIP 0x6c16

	.text
	.globl tiny_enter
tiny_enter:
	push_callee_saved
	pushq %rdi				/* popped first after the exit */

	movl $HOST_RSP, %eax
	vmwrite %rsp, %rax
	movl $HOST_RIP, %eax
	leaq exited(%rip), %rcx
	vmwrite %rcx, %rax

	testb %sil, %sil			/* ZF lasts until the jump: MOV changes no flag */
	movq 0x00(%rdi), %rax
	movq 0x08(%rdi), %rcx
	movq 0x10(%rdi), %rdx
	movq 0x18(%rdi), %rbx
	movq 0x28(%rdi), %rbp
	movq 0x30(%rdi), %rsi
	movq 0x40(%rdi), %r8
	movq 0x48(%rdi), %r9
	movq 0x50(%rdi), %r10
	movq 0x58(%rdi), %r11
	movq 0x60(%rdi), %r12
	movq 0x68(%rdi), %r13
	movq 0x70(%rdi), %r14
	movq 0x78(%rdi), %r15
	movq 0x38(%rdi), %rdi
	jz 1f
	vmresume
	jmp 2f
1:	vmlaunch
2:	popq %rdi				/* only if it failed */
	xorl %eax, %eax
	jmp 3f

exited:
	pushq %rdi
	movq 8(%rsp), %rdi			/* struct guest */
	movq %rax, 0x00(%rdi)
	movq %rcx, 0x08(%rdi)
	movq %rdx, 0x10(%rdi)
	movq %rbx, 0x18(%rdi)
	movq %rbp, 0x28(%rdi)
	movq %rsi, 0x30(%rdi)
	popq 0x38(%rdi)
	movq %r8, 0x40(%rdi)
	movq %r9, 0x48(%rdi)
	movq %r10, 0x50(%rdi)
	movq %r11, 0x58(%rdi)
	movq %r12, 0x60(%rdi)
	movq %r13, 0x68(%rdi)
	movq %r14, 0x70(%rdi)
	movq %r15, 0x78(%rdi)
	popq %rdi
	movl $1, %eax
3:	pop_callee_saved
	ret
	.section .note.GNU-stack, "", @progbits
