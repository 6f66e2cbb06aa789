/* SPDX-License-Identifier: BSD-2-Clause
 *
 * shadows_run(code, IA32_S_CET) enables CET, SSP from IA32_PL0_SSP's token, and jumps to the code,
 * which an exception ends: the stubs collect what it left in shadows_end. RBX is the first shadow
 * stack's top, R12 the second's, R13 is in a plain page, R14 in a user's shadow stack.
 */
#include "l1/lib/entry.h"

#define MSR_S_CET 0x6a2
#define S_CET_SHADOW_STACK 1
#define FIRST_TOP 0x400000000800

	.text
	.globl shadows_run, shadows_stubs, shadows_iret
shadows_run:
	push_callee_saved
	movq %rsp, shadows_stack(%rip)
	movabsq $FIRST_TOP, %rbx
	leaq 0x1000(%rbx), %r12
	leaq 0x1800(%rbx), %r13
	leaq 0x2800(%rbx), %r14
	movq %rsi, %rax
	xorl %edx, %edx
	movl $MSR_S_CET, %ecx
	wrmsr
	testb $S_CET_SHADOW_STACK, %al
	jz 1f
	setssbsy
1:	xorl %eax, %eax
	notrack jmp *%rdi

shadows_ended:
	rdsspq %r8
	movq %r8, 16 + shadows_end(%rip)
	movl $MSR_S_CET, %ecx
	rdmsr
	movl %eax, 24 + shadows_end(%rip)
	xorl %eax, %eax
	xorl %edx, %edx
	wrmsr
	popq 0 + shadows_end(%rip)	/* vector */
	popq 8 + shadows_end(%rip)	/* error code */
	popq 32 + shadows_end(%rip)	/* RIP */
	movq %cr2, %rax
	movq %rax, 40 + shadows_end(%rip)
	movq shadows_stack(%rip), %rsp
	cld
	pop_callee_saved
	ret

	.balign 16
shadows_stubs:
	.set vector, 0
	.rept 32
	.balign 16
	endbr64
	.if (HAS_ERROR_CODE >> vector) & 1 == 0
	pushq $0
	.endif
	pushq $vector
	jmp shadows_ended
	.set vector, vector + 1
	.endr

	.balign 16
shadows_iret:
	endbr64
	addq %rax, (%rsp)
	iretq

	.section .note.GNU-stack, "", @progbits
