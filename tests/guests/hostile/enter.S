/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The way into L2 and back, and L2's code: each piece touches memory through the registers that
 * chance has set, then exits or tries to.
 */
#include "l1/lib/entry.h"

#define HOST_RSP 0x6c14
#define HOST_RIP 0x6c16

	.text
	.globl hostile_enter
hostile_enter:
	push_callee_saved
	movl $HOST_RSP, %eax
	vmwrite %rsp, %rax
	leaq left(%rip), %rcx
	movl $HOST_RIP, %eax
	vmwrite %rcx, %rax
	testb %dil, %dil
	movq 0(%rsi), %rbx
	movq 16(%rsi), %r8
	movq 24(%rsi), %r9
	movq 32(%rsi), %r10
	movq 40(%rsi), %r11
	movq 48(%rsi), %r12
	movq 56(%rsi), %r13
	movq 64(%rsi), %r14
	movq 72(%rsi), %r15
	movq 8(%rsi), %rsi
	jnz 1f
	vmlaunch
	jmp failed
1:	vmresume
failed:
	xorl %eax, %eax
	jmp out
	.balign 16
left:	movl $1, %eax
out:	pop_callee_saved
	ret

	.macro touch
	movq (%r8), %rax
	movq %rax, (%r9)
	incl (%r10)
	movb %al, (%r11)
	.endm

c0:	touch
	vmcall
	jmp c0
c1:	touch
	cpuid
	jmp c1
c2:	touch
	vmread %rbx, %rax
	vmwrite %rsi, %rbx
	jmp c2
c3:	touch
	rdmsr
	jmp c3
c4:	touch
	inb $0x80, %al
	jmp c4
c5:	touch
	movq %cr3, %rax
	movq %rax, %cr3
	jmp c5
c6:	hlt
	jmp c6
c7:	xorl %eax, %eax
	movl %esi, %ecx
	vmfunc
	touch
	jmp c7
c8:	movl $64, %ecx
	movq %r8, %rsi
	movq %r9, %rdi
	rep movsq
	touch
	jmp c8
c9:	invept (%r8), %rbx
	vmptrld (%r8)
	jmp c9

	.section .rodata
	.balign 8
	.globl hostile_l2_code
hostile_l2_code:
	.quad c0, c1, c2, c3, c4, c5, c6, c7, c8, c9
	.section .note.GNU-stack, "", @progbits
