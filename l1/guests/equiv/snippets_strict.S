/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Snippets for "strict" alone: segment limits and types, null segments, alignment checks, canonical
 * instruction pointers and stacks, the limit of 15 bytes. SPARE0 is a data segment of 256 bytes at
 * USER_DATA, SPARE1 an expand-down one that begins where that ends (harness.c).
 */
#include "l1/guests/equiv/snippet.inc"

	.section user_code, "ax"
	.balign 4096

/* ---- 64-bit ---- */
	SNIPPET RUN_RING3 + RUN_STRICT
	pushq $0x40002				/* AC; CR0.AM is 1 */
	popfq
	mov 4(%rsi), %eax			/* aligned */
	mov 1(%rsi), %al			/* bytes always are */
	mov 3(%rsi), %ax			/* #AC(0) */
	SNIPPET RUN_RING0 + RUN_STRICT
	pushq $0x40002				/* ring 0 is not checked */
	popfq
	mov 3(%rsi), %rax
	pushq $2
	popfq
	DONE
	SNIPPET BOTH + RUN_STRICT
	movabs $0x800000000000, %rax
	jmp *%rax				/* #GP at the jump */
	SNIPPET BOTH + RUN_STRICT
	movabs $0x800000000000, %rax
	call *%rax
	SNIPPET BOTH + RUN_STRICT
	movabs $0x800000000000, %rax
	push %rax
	ret
	SNIPPET RUN_RING3 + RUN_STRICT
	movabs $0x800000000000, %rsp
	push %rax				/* #SS(0) */
	SNIPPET RUN_RING3 + RUN_STRICT
	movabs $0x800000000008, %rsp
	pop %rax
	SNIPPET RUN_RING0 + RUN_STRICT
	pushq $KERNEL_DS
	pushq %rsp
	pushq $0x2
	pushq $KERNEL_CS
	movabs $0x800000000000, %rax
	pushq %rax
	iretq
	SNIPPET RUN_RING0 + RUN_STRICT
	pushq $0x4002				/* NT: no task return in IA-32e mode */
	popfq
	iretq
	SNIPPET BOTH + RUN_STRICT
	.byte 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e
	.byte 0x89, 0xc0			/* 15 bytes */
	.byte 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e
	.byte 0x89, 0xc0			/* 16: #GP(0) */
	SNIPPET BOTH + RUN_STRICT
	movabs $0x7fffffffffff, %rax
	mov (%rax), %al				/* canonical, not mapped */
	SNIPPET BOTH + RUN_STRICT
	movabs $0x7ffffffffff9, %rax
	mov (%rax), %rax			/* ends beyond the canonical half */
	SNIPPET BOTH + RUN_STRICT
	cmpxchg16b 8(%rsi)			/* #GP(0): not on 16 bytes */

/* ---- 32-bit ---- */
	.code32
	SNIPPET RUN_CODE32 + RUN_STRICT
	mov $SPARE0 + 3, %eax
	mov %eax, %fs
	mov %fs:0, %ebx
	mov %fs:0xfc, %ecx
	mov %fs:0xfd, %edx			/* the last byte is beyond the limit */
	SNIPPET RUN_CODE32 + RUN_STRICT
	mov $SPARE0 + 3, %eax
	mov %eax, %fs
	mov %al, %fs:0xff
	mov %al, %fs:0x100
	SNIPPET RUN_CODE32 + RUN_STRICT
	mov $SPARE1 + 3, %eax
	mov %eax, %fs
	mov %fs:0x100, %ebx			/* expand-down: above the limit is good */
	mov %fs:0xff, %bl
	SNIPPET RUN_CODE32 + RUN_STRICT
	mov $SPARE0 + 3, %eax
	mov %eax, %ss
	mov $0x10, %esp
	push %eax
	pop %ebx
	mov $0x104, %esp
	push %ebx				/* beyond the limit: #SS(0) */
	SNIPPET RUN_CODE32 + RUN_STRICT
	xor %eax, %eax
	mov %eax, %fs
	mov %fs:(%esi), %ebx			/* null: #GP(0) */
	SNIPPET RUN_CODE32 + RUN_STRICT
	mov %cs:(%esi), %ebx			/* readable code */
	mov %ebx, %cs:(%esi)			/* never writable */
	SNIPPET RUN_CODE32 + RUN_STRICT
	mov $SPARE0 + 3, %eax
	lsl %eax, %ebx
	mov $SPARE1 + 3, %eax
	lsl %eax, %ecx
	lar %eax, %edx
	and $0xff00, %edx
	DONE
	SNIPPET RUN_CODE32 + RUN_STRICT
	mov $0xffffffff, %eax
	jmp *%eax				/* not mapped */
	SNIPPET RUN_CODE32 + RUN_STRICT
	pushf
	orl $0x40000, (%esp)
	popf
	mov 2(%esi), %eax			/* #AC(0) */

/* ---- 16-bit ---- */
	.code16
	SNIPPET RUN_CODE16 + RUN_STRICT
	mov $(KERNEL_DS16 + 3), %ax
	mov %ax, %ds
	mov $0xffff, %bx
	mov (%bx), %al				/* the last byte */
	SNIPPET RUN_CODE16 + RUN_STRICT
	mov $(KERNEL_DS16 + 3), %ax
	mov %ax, %ds
	mov $0xffff, %bx
	mov (%bx), %ax				/* does not wrap: #GP(0) */
	SNIPPET RUN_CODE16 + RUN_STRICT
	mov $(KERNEL_DS16 + 3), %ax
	mov %ax, %ss
	mov $0, %sp
	mov $0x1234, %bx
	xor %bp, %bp
	mov %bp, %sp
	enter $0, $0				/* SP wraps to 0xfffe: not mapped */

	.code64
	.balign 4096
	.section .note.GNU-stack, "", @progbits
