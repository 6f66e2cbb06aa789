/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Out of IA-32e mode and back: SDM 3A "Initializing IA-32e Mode" and the reverse. Everything here
 * lies below 4 GiB, identity mapped in every mode.
 */
#include "l1/guests/modes/modes.h"
#include "l1/lib/entry.h"
#include "l1/lib/layout.h"

#define TRIP_CR3 0
#define TRIP_CR4 4
#define TRIP_EFER 8
#define TRIP_CODE 12

#define EFER 0xc0000080
#define EFER_LMA 0x400
#define TSS_BUSY 0x200 /* in the descriptor's high half */
#define CR0_PG 0x80000000
#define RFLAGS_FIXED 0x2

	.text
	.globl modes_switch
modes_switch:
	push_callee_saved
	movq %rsp, saved_rsp
	movq %cr3, %rax
	movl %eax, saved_cr3
	movq %cr4, %rax
	movl %eax, saved_cr4
	movl $EFER, %ecx
	rdmsr
	movl %eax, saved_efer
	pushq $KERNEL_CS32
	pushq $compatibility
	lretq

	.code32
compatibility:
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movl $stack32_top, %esp
	movl %edi, %esi
	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0				/* leaves IA-32e mode: LMA becomes 0 */
	movl $EFER, %ecx
	xorl %edx, %edx
	movl TRIP_EFER(%esi), %eax
	wrmsr
	movl TRIP_CR4(%esi), %eax
	movl %eax, %cr4
	lidt idt32_pointer
	andl $~TSS_BUSY, boot_gdt + SPARE0 + 4
	movl $SPARE0, %eax
	ltr %ax
	movl TRIP_CR3(%esi), %eax
	testl %eax, %eax
	jz 1f
	movl %eax, %cr3
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
1:	pushl $RFLAGS_FIXED
	popfl
	call *TRIP_CODE(%esi)

	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	movl saved_cr4, %eax
	movl %eax, %cr4
	movl saved_cr3, %eax
	movl %eax, %cr3
	movl $EFER, %ecx
	xorl %edx, %edx
	movl saved_efer, %eax
	andl $~EFER_LMA, %eax			/* LMA is the CPU's */
	wrmsr
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	ljmp $KERNEL_CS, $back
	.code64
back:
	movl $KERNEL_DS, %eax
	movl %eax, %ss
	movl $USER_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movq saved_rsp, %rsp
	call trap_reload
	pop_callee_saved
	ret

	.data
	.globl idt32_pointer
idt32_pointer:
	.word 256 * 8 - 1
	.long modes_idt32
	.long 0

	.bss
	.balign 16
saved_rsp:
	.skip 8
saved_cr3:
	.skip 4
saved_cr4:
	.skip 4
saved_efer:
	.skip 4
	.globl modes_results, modes_result_count
modes_result_count:
	.skip 4
	.balign 16
modes_results:
	.skip RESULTS * 4
	.skip 4096
	.globl stack32_top
stack32_top:
	.section .note.GNU-stack, "", @progbits
