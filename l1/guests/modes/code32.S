/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What is run in 32-bit protected mode, unpaged and under the two kinds of 32-bit paging.
 */
#include "l1/guests/modes/modes.h"
#include "l1/lib/layout.h"

#define CR0_WP 0x10000

	.text
	.code32
/* Computation, calls, faults and CPUID (an exit, where there is a hypervisor). */
	.globl modes_unpaged
modes_unpaged:
	movl %cr0, %eax
	andl $0x80000001, %eax			/* PG, PE */
	PUT %eax
	smsw %ax
	andl $1, %eax
	PUT %eax
	movl $1000, %ecx
	movl $12345, %eax
1:	imull $1103515245, %eax, %eax
	addl $12345, %eax
	rorl $3, %eax
	loop 1b
	PUT %eax
	pusha
	popa
	FAULT ud2
	xorl %ecx, %ecx
	cmpl %eax, %eax
	FAULT divl %ecx
	FAULT int3
	movl $0x1234, %eax
	FAULT movw %ax, %ds			/* beyond the GDT */
	movl $ABSENT_DS, %eax
	FAULT movw %ax, %es
	xorl %eax, %eax
	cpuid
	movl $0x7fffffff, %eax
	addl $1, %eax
	FAULT into
	call 2f
2:	popl %eax
	subl $2b, %eax
	PUT %eax
	ret

/* Accesses through the window that modes.c has built: the first page there is writable, the
 * second is read-only, the third is absent, the fourth a large page's alias. ESI: the window. */
access_window:
	movl $WINDOW, %esi
	movl (%esi), %eax
	PUT %eax
	addl $0x01010101, (%esi)
	movl (%esi), %eax
	PUT %eax
	movl 0x1000(%esi), %eax
	PUT %eax
	FAULT movl %eax, 0x1000(%esi)		/* CR0.WP is 1 */
	FAULT movl 0x2000(%esi), %eax
	FAULT movl %eax, 0x2ffc(%esi)
	movl 0x400000 + LOW_CODE(%esi), %eax
	PUT %eax
	movl %cr0, %eax
	andl $~CR0_WP, %eax
	movl %eax, %cr0
	movl $0x5a5a5a5a, 0x1004(%esi)
	orl $CR0_WP, %eax
	movl %eax, %cr0
	movl 0x1004(%esi), %eax
	PUT %eax
	xorl %eax, %eax
	cpuid
	invlpg (%esi)
	movl %cr3, %eax
	movl %eax, %cr3
	movl (%esi), %eax
	PUT %eax
	ret

	.globl modes_paged
modes_paged:
	call modes_unpaged
	jmp access_window

	.globl modes_pae
modes_pae:
	call modes_unpaged
	jmp access_window

/* The four PDPTEs are registers, loaded by MOV to CR3 (SDM 3A "PDPTE Registers"): what happens
 * to them in memory does not count before that, and exits in between keep them. */
	.globl modes_pdptes
modes_pdptes:
	movl %cr3, %esi
	movl $0, (WINDOW >> 30) * 8(%esi)
	invlpg WINDOW
	xorl %eax, %eax
	cpuid
	movl WINDOW, %eax
	PUT %eax
	movl %cr3, %eax
	movl %eax, %cr3
	FAULT movl WINDOW, %eax
	ret

/* To ring 3 and back, by IRET and INT; there, what is not allowed. */
	.globl modes_rings
modes_rings:
	movl %esp, modes_monitor_esp
	movl $3f, modes_monitor
	pushl $USER_DS
	pushl $user_stack_top
	pushl $2
	pushl $USER_CS32
	pushl $2f
	iret
2:	movl $USER_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	FAULT cli
	FAULT hlt
	FAULT inb $0x21, %al
	FAULT movl %cr0, %eax
	FAULT lidt idt32_pointer
	FAULT int $0x20
	movl $KERNEL_DS, %eax
	FAULT movl %eax, %ds
	movl $0xabcd1234, %eax
	int $VECTOR_MONITOR
3:	PUT %eax
	ret

	.bss
	.skip 1024
user_stack_top:
	.section .note.GNU-stack, "", @progbits
