/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 16-bit protected mode, real-address mode and VM86 mode. The 16-bit code is copied to LOW_CODE and
 * addressed by LOW(); segments are based at 0, so that offset = linear address there.
 */
#include "l1/guests/modes/modes.h"
#include "l1/lib/layout.h"

#define LOW(symbol) (symbol - modes_low_start + LOW_CODE)
#define CR0_PE 1

/* Results go to LOW_DATA by DI in 16-bit code, and from there to the others. */
	.macro PUT16 reg
	movw \reg, (%di)
	leaw 2(%di), %di
	.endm

	.text
	.code32
/* Appends the words at LOW_DATA up to EDI. */
collect:
	movzwl %di, %ecx
	movl $LOW_DATA, %esi
1:	cmpl %ecx, %esi
	jae 2f
	movzwl (%esi), %eax
	PUT %eax
	addl $2, %esi
	jmp 1b
2:	ret

	.globl modes_16bit
modes_16bit:
	pushal
	movl %esp, esp32
	movl $LOW_DATA, %edi
	movl $KERNEL_DS16, %eax
	ljmp $KERNEL_CS16, $LOW(protected16)
	.globl from_16bit
from_16bit:
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl esp32, %esp
	call collect
	popal
	ret

	.globl modes_real
modes_real:
	pushal
	movl %esp, esp32
	movl $LOW_DATA, %edi
	movl $KERNEL_DS16, %eax
	ljmp $KERNEL_CS16, $LOW(leave_protected)

/* VM86 mode at IOPL 3: INT n goes through the 32-bit IDT; HLT and the like fault. */
	.globl modes_vm86
modes_vm86:
	pushal
	movl $from_vm86, modes_monitor
	movl $LOW(after_halt), modes_resume
	movl %esp, modes_monitor_esp
	movl $LOW_DATA, %edi
	pushl $0				/* GS, FS, DS, ES */
	pushl $0
	pushl $0
	pushl $0
	pushl $0				/* SS:ESP */
	pushl $LOW_STACK
	pushl $0x23002				/* VM, IOPL 3 */
	pushl $0				/* CS:EIP */
	pushl $LOW(vm86)
	iret
from_vm86:
	movl $KERNEL_DS, %eax
	movl %eax, %fs
	movl %eax, %gs
	call collect
	popal
	ret

	.code16
	.globl modes_low_start, modes_low_end
modes_low_start:
protected16:
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $LOW_STACK, %sp
	call compute16
	pushw $0x1234
	pushl $0x56789abc
	popw %ax
	PUT16 %ax
	popl %eax
	PUT16 %ax
	movw %sp, %ax
	PUT16 %ax
	ljmpl $KERNEL_CS32, $from_16bit

compute16:
	movw $100, %cx
	movw $777, %ax
1:	imulw $31, %ax, %ax
	addw %cx, %ax
	rolw $5, %ax
	loop 1b
	PUT16 %ax
	movw $0x10, %bx
	movw $LOW_VECTORS, %si
	movw (%bx, %si), %ax
	PUT16 %ax
	aam $10
	PUT16 %ax
	movl $0x10001, %eax
	shll $4, %eax
	shrl $8, %eax
	PUT16 %ax
	ret

leave_protected:
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl %cr0, %eax
	andb $~CR0_PE, %al
	movl %eax, %cr0
	ljmp $0, $LOW(real)
real:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $LOW_STACK, %sp
	lidtw LOW(real_idt)
	call compute16
	smsw %ax
	andw $1, %ax
	PUT16 %ax
	int $0x40
	PUT16 %ax
	xorw %cx, %cx
	divw %cx				/* vector 0: the handler skips it */
	PUT16 %ax
	ud2					/* vector 6 */
	PUT16 %ax
	movw $0x0240, %ax			/* segment arithmetic: 0x2400 once more */
	movw %ax, %es
	movw %es:0, %ax
	PUT16 %ax
	lcall $0x0240, $(far_routine - modes_low_start)
	PUT16 %ax
	pushw $0x0ed5				/* IF stays on only until CLI */
	popfw
	cli
	pushfw
	popw %ax
	andw $0x0ed5, %ax
	PUT16 %ax
	cld
	xorl %eax, %eax
	cpuid					/* an exit in real mode */
	movl %cr0, %eax
	orb $CR0_PE, %al
	movl %eax, %cr0
	ljmpl $KERNEL_CS32, $LOW(to_protected)
real_idt:
	.word 0x3ff
	.long LOW_VECTORS
far_routine:
	movw %cs, %ax
	lret

/* Handlers: 0 and 6 skip the two bytes of their instruction, 0x40 answers in AX. */
	.globl modes_real_skip, modes_real_answer
modes_real_skip:
	movw %sp, %bp
	addw $2, (%bp)
	movw $0x5151, %ax
	iretw
modes_real_answer:
	movw %cs, %ax
	addw $0x4040, %ax
	iretw

vm86:
	call compute16
	pushfw
	popw %ax
	andw $0x3200, %ax
	PUT16 %ax
	movw $0x0240, %ax
	movw %ax, %es
	movw %es:0, %ax
	PUT16 %ax
	movw %cs, %ax
	PUT16 %ax
	hlt					/* #GP(0): the handler skips it */
after_halt:
	int $VECTOR_MONITOR

	.code32
to_protected:
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movl esp32, %esp
	lidt idt32_pointer
	movl $1f, %eax
	jmp *%eax

/* Tasks that have to lie low: one in a 16-bit TSS, one in VM86 mode (tasks.c). */
	.globl tasks_low_store, tasks_low_monitor
tasks_low_store:
	movl %eax, tasks_word
	iret
	jmp tasks_low_store
	.balign 16
	.code16
tasks_low_monitor:
	int $VECTOR_MONITOR
	.code32
modes_low_end:
1:	call collect
	popal
	ret

	.bss
	.balign 4
esp32:
	.skip 4
	.section .note.GNU-stack, "", @progbits
