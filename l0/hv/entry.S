/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The way into a guest and back. A VM exit finds RSP at the end of vcpu->regs, so that pushing
 * saves the registers there and leaves the stack below for C. Nothing is saved that the hypervisor
 * does not use: no FPU state, no segment state, no MSR.
 */
#define ATTENTION 128 /* of vcpu->attention from vcpu->regs: exit.c checks it */
#define ATTENTION_NEW 4 /* HV_ATTENTION_NEW */

	.section .text

	.macro push_registers
	pushq %r15
	pushq %r14
	pushq %r13
	pushq %r12
	pushq %r11
	pushq %r10
	pushq %r9
	pushq %r8
	pushq %rdi
	pushq %rsi
	pushq %rbp
	pushq %rax /* the slot of RSP, which is in the VMCS */
	pushq %rbx
	pushq %rdx
	pushq %rcx
	pushq %rax
	.endm

	.macro pop_registers
	popq %rax
	popq %rcx
	popq %rdx
	popq %rbx
	popq %rbp
	popq %rbp
	popq %rsi
	popq %rdi
	popq %r8
	popq %r9
	popq %r10
	popq %r11
	popq %r12
	popq %r13
	popq %r14
	popq %r15
	.endm

	.globl entry_exit_stub
	.balign 16
entry_exit_stub:
	push_registers
	movq %rsp, %rdi
	call exit_handle
enter:
	/* From the test to the entry an NMI must not just wait for the next exit: fault.c goes back
	 * to the test, which the registers below the stack pointer allow. */
	.globl entry_window, entry_popping, entry_vmresume, entry_vmlaunch
entry_window:
	cmpl $0, ATTENTION(%rsp)
	jne attend
ready:
	/* POP leaves the flags alone: the choice is made before the registers are the guest's. */
	testb %al, %al
entry_popping:
	pop_registers
	jz entry_vmlaunch
entry_vmresume:
	vmresume
	jmp 2f
entry_vmlaunch:
	vmlaunch
2:	/* The instruction failed; the registers are still below the stack pointer. */
	leaq -128(%rsp), %rsp
	setc %sil
	setz %dl
	movq %rsp, %rdi
	call exit_entry_failed
	jmp enter
attend:
	movzbl %al, %esi
	movq %rsp, %rdi
	call exit_attend
	.globl entry_recheck, entry_recheck_last
entry_recheck:
	testl $ATTENTION_NEW, ATTENTION(%rsp)
	jnz attend
entry_recheck_last:
	jmp ready

/* entry_first(regs): the first VMLAUNCH, with the stack as an exit would find it. */
	.globl entry_first
entry_first:
	movq %rdi, %rsp
	xorl %eax, %eax
	jmp ready

/* Our own exceptions: push the vector, and an error code where the CPU pushes none. */
	.macro fault_entry vector
	.balign 16
	.if !(\vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21 \
		|| \vector == 30)
	pushq $0
	.endif
	pushq $\vector
	jmp fault_common
	.endm

	.globl fault_entries
	.balign 16
fault_entries:
	.irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, \
		22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	fault_entry \vector
	.endr

fault_common:
	push_registers
	movq %rsp, %rdi
	cld
	call fault_handle
	pop_registers
	addq $16, %rsp
	iretq
