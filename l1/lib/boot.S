/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Multiboot 1 entry: 32-bit protected mode without paging -> long mode, the first 4 GiB identity
 * mapped by 2 MiB supervisor pages -> runtime_start(). Also the GDT. The order of the user
 * descriptors is what SYSRET wants (SDM 2B "SYSRET").
 */
#include "l1/lib/layout.h"

#define MULTIBOOT_HEADER_MAGIC 0x1badb002
/* modules on page boundaries, memory information, address fields present */
#define MULTIBOOT_HEADER_FLAGS 0x00010003

	.section .multiboot, "ax"
	.balign 4
header:
	.long MULTIBOOT_HEADER_MAGIC
	.long MULTIBOOT_HEADER_FLAGS
	.long -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_HEADER_FLAGS)
	.long header
	.long image_start
	.long image_load_end
	.long image_end
	.long _start

	.code32
	.globl _start
_start:
	cli
	cld
	movl $boot_stack_top, %esp
	movl %eax, boot_magic
	movl %ebx, boot_information

	/* Tables: PML4[0] -> PDPT[0..3] -> four directories of 2 MiB pages. */
	movl $(boot_pdpt + PTE_BITS_TABLE), boot_pml4
	xorl %ecx, %ecx
1:	movl %ecx, %eax
	shll $12, %eax
	addl $(boot_directories + PTE_BITS_TABLE), %eax
	movl %eax, boot_pdpt(, %ecx, 8)
	incl %ecx
	cmpl $4, %ecx
	jne 1b
	xorl %ecx, %ecx
2:	movl %ecx, %eax
	shll $21, %eax
	orl $PTE_BITS_2M, %eax
	movl %eax, boot_directories(, %ecx, 8)
	incl %ecx
	cmpl $2048, %ecx
	jne 2b

	movl %cr4, %eax
	orl $(1 << 5), %eax			/* PAE */
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx			/* IA32_EFER */
	rdmsr
	orl $(1 << 8), %eax			/* LME */
	wrmsr
	movl $0x80010033, %eax			/* PG, WP, NE, ET, MP, PE */
	movl %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $KERNEL_CS, $long_mode

	.code64
long_mode:
	movl $KERNEL_DS, %eax
	movl %eax, %ss
	movl $USER_DS, %eax			/* serves every privilege level */
	movl %eax, %ds
	movl %eax, %es
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl $boot_stack_top, %esp
	movl boot_magic(%rip), %edi
	movl boot_information(%rip), %esi
	xorl %ebp, %ebp
	call runtime_start
3:	cli
	hlt
	jmp 3b

	.data
	.balign 16
	.globl boot_gdt
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff		/* KERNEL_CS */
	.quad 0x00cf93000000ffff		/* KERNEL_DS */
	.quad 0x00cffb000000ffff		/* USER_CS32 */
	.quad 0x00cff3000000ffff		/* USER_DS */
	.quad 0x00affb000000ffff		/* USER_CS */
	.quad 0x00cf9b000000ffff		/* KERNEL_CS32 */
	.quad 0x00009b000000ffff		/* KERNEL_CS16 */
	.quad 0x000093000000ffff		/* KERNEL_DS16 */
	.quad 0x00cf13000000ffff		/* ABSENT_DS */
	.quad 0, 0				/* TASK_STATE, filled by trap.c */
	.quad 0, 0				/* SPARE0, SPARE1: for guests */
boot_gdt_end:
boot_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.quad boot_gdt

	.bss
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_directories:
	.skip 4 * 4096
	.skip 65536
boot_stack_top:
boot_magic:
	.skip 4
boot_information:
	.skip 4
	.section .note.GNU-stack, "", @progbits
