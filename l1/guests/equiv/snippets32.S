/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Snippets of 32-bit and 16-bit code in compatibility mode: what 64-bit mode does not have.
 */
#include "l1/guests/equiv/snippet.inc"

	.section user_code, "ax"
	.balign 4096

/* ---- 32-bit code, ring 3 ---- */
	.code32
	SNIPPET RUN_CODE32
	pusha
	popa
	push %es
	pop %es
	pushw $3
	pop %ax
	inc %eax
	dec %cx
	.byte 0x66
	pusha
	.byte 0x66
	popa
	DONE
	SNIPPET RUN_CODE32
	mov $0x1a9, %eax
	sahf
	daa
	FLAGS32 0xd5
	mov %ebx, (%esi)
	mov %eax, 4(%esi)
	aaa
	FLAGS32 0x11
	mov %ebx, 8(%esi)
	mov %eax, 12(%esi)
	aas
	FLAGS32 0x11
	mov %ebx, 16(%esi)
	das
	FLAGS32 0xd5
	mov %ebx, 20(%esi)
	aam $7
	FLAGS32 0xc4
	mov %ebx, 24(%esi)
	aad $13
	FLAGS32 0xc4
	mov %ebx, 28(%esi)
	DONE
	SNIPPET RUN_CODE32
	aam $0					/* #DE */
	SNIPPET RUN_CODE32
	movl $5, (%esi)
	movl $9, 4(%esi)
	mov $7, %eax
	bound %eax, (%esi)
	mov $10, %eax
	bound %eax, (%esi)			/* #BR */
	SNIPPET RUN_CODE32
	mov $0x7fffffff, %eax
	inc %eax
	into					/* #OF, as a trap */
	SNIPPET RUN_CODE32
	mov $0x10, %eax
	mov $0x23, %ecx
	arpl %cx, %ax
	setz %bl
	arpl %cx, %ax
	setz %bh
	DONE
	SNIPPET RUN_CODE32
	movl $0x12345678, (%esi)
	movw $USER_DS, 4(%esi)
	lds (%esi), %eax
	les (%esi), %ecx
	mov %ds, %edx
	DONE
	SNIPPET RUN_CODE32
	movw $0x1230, 4(%esi)
	les (%esi), %ecx			/* #GP */
	SNIPPET RUN_CODE32
	mov $0xffffffff, %esi
	mov $2, %ecx
	jcxz 2f
	mov (%esp), %eax
	leal 5(%eax, %ecx, 8), %edx
	leal 5(%bx, %si), %ebx
2:	DONE
	SNIPPET RUN_CODE32
	push %cs
	call 2f
2:	mov $(3f - 2b), %eax
	add %eax, (%esp)
	lret
3:	DONE
	SNIPPET RUN_CODE32
	.byte 0x48				/* DEC EAX, not REX.W */
	add %ecx, %eax
	.byte 0x40
	cmp %eax, %eax
	ud2
	SNIPPET RUN_CODE32
	xor %ecx, %ecx
	cmp %eax, %eax
	div %ecx
	SNIPPET RUN_CODE32
	cmp %eax, %eax
	cli
	SNIPPET RUN_CODE32
	cmp %eax, %eax
	mov 0x90000000, %eax			/* #PF */

/* ---- 16-bit code, ring 3 ---- */
	.code16
	SNIPPET RUN_CODE16
	mov $(KERNEL_DS16 + 3), %ax
	mov %ax, %ds
	mov %ax, %es
	mov $0x10, %bx
	mov $0x20, %si
	mov $0x30, %di
	mov %bx, %bp
	mov (%bx, %si), %ax
	add 4(%bx, %di), %ax
	ds mov 6(%bp, %si), %cx
	ds mov (%bp, %di), %dx
	mov %ax, (%si)
	mov %dx, (%di)
	mov $11, %cx
	rep movsw
	mov %ax, 0x40
	mov $USER_DS, %eax
	mov %ax, %ds
	mov %ax, %es
	DONE
	SNIPPET RUN_CODE16
	mov $3, %ax
	mov $5, %cx
	mul %cx
	imul $7, %ax, %dx
	mov $9, %bx
	leal 4(%ebx, %ebx, 2), %edx
	mov $4, %cx
2:	add %cx, %ax
	loop 2b
	call 3f
	DONE
3:	ret
	SNIPPET RUN_CODE16
	ud2
	SNIPPET RUN_CODE16
	xor %cx, %cx
	cmp %ax, %ax
	div %cl
	.section .note.GNU-stack, "", @progbits
