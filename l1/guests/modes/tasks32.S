/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Both sides of the task switches that tasks.c prepares: the task of SPARE0, which runs on a trip
 * out of long mode, and the other one, SPARE1.
 */
#include "l1/guests/modes/modes.h"
#include "l1/lib/layout.h"

#define RFLAGS_NT 0x4000
#define CR0_PG 0x80000000
#define CR0_TS 0x8
#define EFLAGS_SEEN 0x27600 /* VM, NT, IOPL, DF, IF */
#define DR6_SEEN 0xe00f
#define TASK_EIP 32

	.text
	.code32
/* EFLAGS, TR, CR0.TS (then cleared), as this task has them; and the window, if there is paging. */
put_task:
	pushfl
	popl %eax
	andl $EFLAGS_SEEN, %eax
	PUT %eax
	xorl %eax, %eax
	str %ax
	PUT %eax
	movl %cr0, %eax
	andl $CR0_TS, %eax
	PUT %eax
	clts
	movl %cr0, %eax
	testl $CR0_PG, %eax
	jz 1f
	movl WINDOW, %eax
	PUT %eax
1:	ret

put_gprs:
	PUT %eax
	PUT %ecx
	PUT %edx
	PUT %ebx
	PUT %esi
	PUT %edi
	ret

/* Registers that a task switch has to bring back. */
	.macro KNOWN_GPRS
	movl $0x1a1a1a1a, %eax
	movl $0x1c1c1c1c, %ecx
	movl $0x1d1d1d1d, %edx
	movl $0x1b1b1b1b, %ebx
	movl $0x16161616, %esi
	movl $0x17171717, %edi
	.endm

/* The window is what it is in the first address space afterwards. */
	.globl tasks_call
tasks_call:
	movl $0, tasks_word
	KNOWN_GPRS
	lcall $SPARE1, $0
	call put_gprs
	call put_task
	movl tasks_word, %eax
	PUT %eax
	lcall $SPARE1, $0			/* again: it goes on after its IRET */
	call put_task
	FAULT lcall $SPARE0, $0			/* busy */
	ret

	.globl tasks_echo
tasks_echo:
	call put_gprs
	xorl %eax, %eax
	movw %es, %ax
	PUT %eax
	movw %fs, %ax
	PUT %eax
	call put_task
	iret
	jmp tasks_echo

	.globl tasks_jump
tasks_jump:
	KNOWN_GPRS
	ljmp $SPARE1, $0
	call put_gprs
	call put_task
	ret

	.globl tasks_jump_back
tasks_jump_back:
	call put_task
	ljmp $SPARE0, $0
	jmp tasks_jump_back

	.globl tasks_interrupt
tasks_interrupt:
	KNOWN_GPRS
	int $0x38
	call put_gprs
	call put_task
	ret

/* A fault that is a task: it finds the error code on its stack, and sends the other one on. */
	.globl tasks_error
tasks_error:
	movl $0x1230, %eax
	FAULT movw %ax, %ds
	call put_task
	ret

	.globl tasks_pop_error
tasks_pop_error:
	popl %eax
	PUT %eax
	movl modes_main_task + TASK_EIP, %eax
	subl modes_resume, %eax
	PUT %eax
	call put_task
	movl modes_resume, %eax
	movl %eax, modes_main_task + TASK_EIP
	iret

/* The new task faults on its own stack, before its first instruction. */
	.globl tasks_bad_segment
tasks_bad_segment:
	ljmp $SPARE1, $0
	call put_task
	ret

	.globl tasks_on_bad_segment
tasks_on_bad_segment:
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	popl %eax
	PUT %eax
	popl %eax
	subl $tasks_jump_back, %eax
	PUT %eax
	popl %eax
	PUT %eax
	call put_task
	ljmp $SPARE0, $0

/* A new task without a stack: the fault comes back to the old one, as a task. */
	.globl tasks_bad_ldt
tasks_bad_ldt:
	ljmp $SPARE1, $0
	popl %eax
	PUT %eax
	call put_task
	pushfl
	andl $~RFLAGS_NT, (%esp)
	popfl
	movl modes_main_task, %eax
	PUT %eax
	ret

	.globl tasks_trap
tasks_trap:
	ljmp $SPARE1, $0
	call put_task
	ret

	.globl tasks_on_debug
tasks_on_debug:
	movl %dr6, %eax
	andl $DR6_SEEN, %eax
	PUT %eax
	movl (%esp), %eax
	subl $tasks_jump_back, %eax
	PUT %eax
	xorl %eax, %eax
	movl %eax, %dr6
	iret

	.globl tasks_vm86
tasks_vm86:
	movl %esp, modes_monitor_esp
	movl $2f, modes_monitor
	ljmp $SPARE1, $0
2:	call put_gprs
	call put_task
	ret

	.bss
	.balign 4
	.globl tasks_word
tasks_word:
	.skip 4
	.section .note.GNU-stack, "", @progbits
