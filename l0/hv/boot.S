/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From the boot loader to C: multiboot 1 header, and from 32-bit protected mode without paging to
 * 64-bit mode at the linked address. The first page tables identity-map 4 GiB and show the same
 * again 1 GiB higher (the image) and from 0xffff800000000000 (all of memory); memory.c replaces
 * them when the image has moved.
 */
#include "shadow/sdm/msr.h"

#define LINK_OFFSET 0x40000000
#define HV_STACK_SIZE 16384 /* hv.h */
#define PHYSICAL(symbol) (symbol - LINK_OFFSET)
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x00010003 /* page-aligned modules, memory map, addresses below */
#define TABLE_FLAGS 3              /* present, writable */
#define LARGE_FLAGS 0x83           /* and a 2 MiB page */
#define CR4_PAE 0x20
#define EFER_LME 0x100
#define CR0_PG_WP 0x80010000

	.section .boot, "awx"
	.code32
	.balign 4
multiboot_header:
	.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
	.long multiboot_header, LOAD_BASE, PHYSICAL(image_load_end), PHYSICAL(image_end), boot_entry

	.globl boot_entry
boot_entry:
	cli
	cld
	movl %eax, %ebp
	movl $boot_stack_end, %esp
	/* Some loaders leave the memory after the file as it was. */
	movl $PHYSICAL(image_load_end), %edi
	movl $PHYSICAL(image_end), %ecx
	subl %edi, %ecx
	xorl %eax, %eax
	rep stosb

	movl $0x80000000, %eax
	pushl %ebx
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	testl $(1 << 29), %edx
	jz no_long_mode
	popl %ebx

	/* The four directories of 2 MiB pages: 2048 entries for 4 GiB. */
	movl $PHYSICAL(boot_directories), %edi
	movl $LARGE_FLAGS, %eax
1:	movl %eax, (%edi)
	addl $8, %edi
	addl $0x200000, %eax
	jnc 1b

	movl $PHYSICAL(boot_pdpt_low), %edi
	movl $PHYSICAL(boot_pdpt_physical), %esi
	movl $PHYSICAL(boot_directories) + TABLE_FLAGS, %eax
	movl %eax, (%edi)
	movl %eax, 8(%edi)
	movl $4, %ecx
2:	movl %eax, (%esi)
	addl $8, %esi
	addl $4096, %eax
	loop 2b
	movl $PHYSICAL(boot_pml4), %edi
	movl $PHYSICAL(boot_pdpt_low) + TABLE_FLAGS, (%edi)
	movl $PHYSICAL(boot_pdpt_physical) + TABLE_FLAGS, 256 * 8(%edi)

	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl %edi, %cr3
	movl $MSR_IA32_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	orl $CR0_PG_WP, %eax
	movl %eax, %cr0
	lgdt boot_gdtr
	ljmp $8, $long_mode

no_long_mode:
	movl $no_long_mode_text, %esi
3:	movb (%esi), %bl
	testb %bl, %bl
	jz 5f
	movw $0x3fd, %dx
4:	inb %dx, %al
	testb $0x20, %al
	jz 4b
	movb %bl, %al
	movw $0x3f8, %dx
	outb %al, %dx
	incl %esi
	jmp 3b
5:	hlt
	jmp 5b
no_long_mode_text:
	.asciz "abyme: this CPU has no 64-bit mode\r\n"

	.code64
long_mode:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movq $hv_vcpu + HV_STACK_SIZE, %rsp
	movl %ebp, %edi
	movl %ebx, %esi
	xorl %ebp, %ebp
	movq $hv_start, %rax
	call *%rax
	ud2

	.balign 8
boot_gdt:
	.quad 0, 0x00af9b000000ffff
boot_gdtr:
	.word boot_gdtr - boot_gdt - 1
	.quad boot_gdt
	.balign 16
boot_stack:
	.skip 64
boot_stack_end:

	.section .bss
	.balign 4096
	.globl boot_pml4, boot_pdpt_low, boot_pdpt_physical, boot_directories
boot_pml4:
	.skip 4096
boot_pdpt_low:
	.skip 4096
boot_pdpt_physical:
	.skip 4096
boot_directories:
	.skip 4 * 4096
