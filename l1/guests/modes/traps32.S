/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Traps of 32-bit protected mode: the vectors' stubs, and one handler for all. A fault is written
 * down (vector, error code, EIP, CR2 of a page fault) and skipped to modes_resume; INT
 * VECTOR_MONITOR is the way out of ring 3 and VM86 mode, to modes_monitor.
 */
#include "l1/guests/modes/modes.h"
#include "l1/lib/entry.h"
#include "l1/lib/layout.h"

#define VECTOR_PF 14

/* The stack after the stub: EAX, vector, error code, EIP, CS, EFLAGS, then ESP and SS if another
 * ring. */
#define FRAME_VECTOR 4
#define FRAME_ERROR 8
#define FRAME_EIP 12
#define FRAME_EFLAGS 20

	.text
	.code32
	.balign 16
	.globl modes_stubs32
modes_stubs32:
	vector_stubs 64, common32

common32:
	pushl %eax
	movl $USER_DS, %eax			/* IRET to ring 3 clears others */
	movl %eax, %ds
	movl %eax, %es
	movl FRAME_VECTOR(%esp), %eax
	PUT %eax
	cmpl $VECTOR_MONITOR, %eax
	je monitor
	cmpl $VECTOR_PF, %eax
	jne 1f
	movl %cr2, %eax
	PUT %eax
1:	movl FRAME_ERROR(%esp), %eax
	PUT %eax
	movl FRAME_EIP(%esp), %eax
	subl modes_resume, %eax			/* seen from where it goes on */
	PUT %eax
	movl FRAME_EFLAGS(%esp), %eax
	andl $0x20600, %eax			/* VM, DF, IF: others may be undefined */
	PUT %eax
	movl modes_resume, %eax
	movl %eax, FRAME_EIP(%esp)
	popl %eax
	addl $8, %esp
	iret

/* To whoever entered ring 3 or VM86 mode: the stack as it was there, the registers as they are. */
monitor:
	popl %eax
	movl modes_monitor_esp, %esp
	jmp *modes_monitor

	.bss
	.balign 4
	.globl modes_resume, modes_monitor, modes_monitor_esp
modes_resume:
	.skip 4
modes_monitor:
	.skip 4
modes_monitor_esp:
	.skip 4
	.section .note.GNU-stack, "", @progbits
