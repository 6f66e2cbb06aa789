/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Code that other sections run on the user pages: single accesses through RAX, targets of jumps,
 * system-call entry, code to be stepped.
 */
#include "l1/guests/equiv/equiv.h"

	.section user_code, "ax"
	.balign 4096
	.globl access_read, access_write, access_execute, access_update
access_read:
	mov (%rax), %rcx
	int $VECTOR_DONE
access_write:
	mov %rcx, (%rax)
	int $VECTOR_DONE
access_update:
	lock add %rcx, (%rax)
	int $VECTOR_DONE
access_execute:
	jmp *%rax

/* Ring 3: RCX system calls, each of which the kernel answers in RAX. */
	.globl user_syscalls
user_syscalls:
	mov %rcx, %r12
	xor %r13d, %r13d
1:	mov %r13, %rdi
	cmp %r13, %r12
	syscall
	add %rax, %r13
	rol $7, %r13
	mov %rcx, %r14
	mov %r11, %r15
	dec %r12
	jnz 1b
	xor %ecx, %ecx
	xor %r11d, %r11d
	cmp %eax, %eax
	int $VECTOR_DONE

/* Ring 3: counts RCX down with a software interrupt in each turn, handled in ring 0. */
	.globl user_interrupts
user_interrupts:
1:	int $0x81
	add %rax, %rdx
	dec %ecx
	jnz 1b
	cmp %eax, %eax
	int $VECTOR_DONE

/* Ring 3: a busy computation of RCX turns, for interrupts to fall into. */
	.globl user_compute
user_compute:
1:	imul $0x19660d, %rax, %rax
	add $0x3c6ef35f, %rax
	xor %rax, %rdx
	rol $9, %rdx
	push %rdx
	pop %rbx
	mov %rbx, (%rsi)
	dec %rcx
	jnz 1b
	cmp %eax, %eax
	int $VECTOR_DONE

/* To be single-stepped: every kind of transfer, a repeated string instruction, MOV SS. */
	.globl step_code
step_code:
	mov $3, %ecx
	cld
	rep movsb
	mov $2, %ecx
1:	inc %eax
	loop 1b
	call 2f
	jmp 3f
2:	ret
3:	mov %ss, %edx
	mov %edx, %ss				/* holds off the next trap */
	nop
	pushfq
	pop %rbx
	and $0x100, %ebx
	cmp %eax, %eax
	int $VECTOR_DONE

/* For breakpoints: two places to fetch, one to store. */
	.globl break_code, break_here
break_code:
	xor %ebx, %ebx
	inc %ebx
break_here:
	add $5, %ebx
	mov %rbx, (%rsi)
	mov 8(%rsi), %rdx
	inc %ebx
	cmp %eax, %eax
	int $VECTOR_DONE
	.balign 4096

/* SYSCALL entry, at its link address: RCX and R11 hold the way back; the kernel's stack is the
 * user's, which is all that this system call needs. */
	.text
	.globl syscall_entry
syscall_entry:
	lea 17(%rdi, %rdi, 4), %rax
	sysretq
	.section .note.GNU-stack, "", @progbits
