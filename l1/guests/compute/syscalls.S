/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Both ends of the syscalls kernel. The user's part has a page to itself as far as it is executed
 * in ring 3: it is mapped there a second time.
 */
	.text
	.balign 64
	.globl syscalls_user
syscalls_user:				/* RAX: count, RSI: how many calls */
1:	mov	%rsi, %rdx
	syscall
	add	%rdx, %rax
	dec	%rsi
	jnz	1b
	int	$0x80
	.balign 64

	.globl syscalls_entry
syscalls_entry:				/* what an entry cannot do without: GS, a stack, registers */
	swapgs
	mov	%rsp, %r8
	mov	$syscalls_stack, %esp
	push	%r11
	push	%rcx
	lea	1(%rax, %rdx, 2), %rax
	pop	%rcx
	pop	%r11
	mov	%r8, %rsp
	swapgs
	sysretq

	.bss
	.balign 16
	.skip	256
syscalls_stack:
	.section .note.GNU-stack, "", @progbits
