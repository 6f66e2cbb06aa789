/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Snippets of 64-bit code: faults, privileged instructions, and what both rings may do.
 */
#include "l1/guests/equiv/snippet.inc"

	.section user_code, "ax"
	.balign 4096

/* ---- faults of unprivileged instructions ---- */
	SNIPPET BOTH
	xor %edx, %edx
	xor %ecx, %ecx
	cmp %eax, %eax
	div %ecx
	SNIPPET BOTH
	mov $1, %edx
	mov $1, %ecx
	cmp %eax, %ecx
	stc
	div %rcx
	SNIPPET BOTH
	movabs $0x8000000000000000, %rax
	cqo
	mov $-1, %rcx
	cmp %ecx, %ecx
	idiv %rcx
	SNIPPET BOTH
	ud2
	SNIPPET BOTH
	.byte 0xf0, 0x01, 0xc1			/* LOCK with a register destination */
	SNIPPET BOTH
	.byte 0x06				/* PUSH ES: not in 64-bit mode */
	SNIPPET BOTH
	.byte 0xce				/* INTO: not in 64-bit mode */
	SNIPPET BOTH
	.byte 0xd4, 0x0a			/* AAM: not in 64-bit mode */
	SNIPPET BOTH
	int3
	SNIPPET RUN_RING3 + RUN_STRICT
	int $0x21				/* gate of DPL 0: #GP with an IDT error code */
	SNIPPET RUN_RING3 + RUN_STRICT
	int $14
	SNIPPET BOTH
	movabs $0x8000000000000000, %rax
	mov (%rax), %rbx
	SNIPPET BOTH + RUN_STRICT
	movabs $0x7ffffffffffff000, %rbp
	mov %rcx, 8(%rbp)
	SNIPPET BOTH
	mov $0x90000000, %eax			/* not mapped */
	mov (%rax), %rbx
	SNIPPET BOTH + RUN_STRICT
	mov $0x90000ffc, %eax			/* read and write in one: W in the code */
	add %ecx, (%rax)
	SNIPPET BOTH
	mov $0x90000123, %eax
	jmp *%rax
	SNIPPET RUN_RING3
	mov $0x90000000, %esp
	push %rax
	SNIPPET RUN_RING3
	mov $0x90000000, %esp
	call 2f
2:	ud2
	SNIPPET BOTH
	mov $0x1234, %eax			/* beyond the GDT */
	mov %eax, %ds
	SNIPPET BOTH
	mov $ABSENT_DS, %eax
	mov %eax, %es
	SNIPPET BOTH
	mov $ABSENT_DS + 3, %eax
	mov %eax, %es
	SNIPPET BOTH
	mov $TASK_STATE, %eax			/* a system segment is no data segment */
	mov %eax, %es
	SNIPPET BOTH
	mov $KERNEL_DS, %eax			/* good in ring 0, #GP in ring 3 */
	mov %eax, %es
	mov %es, %ebx
	DONE
	SNIPPET BOTH
	mov $USER_CS, %eax			/* readable code in a data register */
	mov %eax, %es
	mov %es, %ebx
	mov $USER_DS, %eax
	mov %eax, %es
	DONE
	SNIPPET BOTH
	xor %eax, %eax
	mov %eax, %es
	mov %es, %ebx
	mov $USER_DS, %eax
	mov %eax, %es
	DONE
	SNIPPET BOTH
	xor %eax, %eax
	mov %eax, %ss				/* null: #GP in ring 3, allowed in ring 0 */
	mov %ss, %ebx
	DONE
	SNIPPET BOTH
	mov $USER_CS, %eax			/* not writable */
	mov %eax, %ss
	SNIPPET BOTH
	push $KERNEL_CS
	lea 2f(%rip), %rax
	push %rax
	lretq					/* from ring 3: #GP */
2:	DONE
	SNIPPET BOTH
	push $0
	push %rsi
	lretq
	SNIPPET BOTH
	pushq $USER_DS
	pushq %rsp
	pushq $0x202
	pushq $0
	pushq %rsi
	iretq					/* null CS */
	SNIPPET RUN_RING3
	mov %rsp, %rax
	pushq $USER_DS
	pushq %rax
	pushq $0x4cd7				/* status flags, NT; IF stays off */
	pushq $USER_CS
	lea 2f(%rip), %rax
	pushq %rax
	iretq
2:	pushfq
	pop %rbx
	and $0x4ed5, %ebx
	pushq $2
	popfq
	DONE

/* ---- privileged instructions: only from ring 3, where they fault and change nothing ---- */
	.irp insn, "hlt", "cli", "sti", "clts", "invd", "wbinvd", "rdmsr", "wrmsr", "swapgs", \
		"lgdt (%rsi)", "lidt (%rsi)", "lmsw %ax", "ltr %ax", "lldt %ax", "invlpg (%rsi)", \
		"mov %cr0, %rax", "mov %rax, %cr0", "mov %cr2, %rax", "mov %cr3, %rax", \
		"mov %rax, %cr3", "mov %rax, %cr4", "mov %cr8, %rax", "mov %dr0, %rax", \
		"mov %rax, %dr7", "in $0x21, %al", "out %al, $0x80", "insb", "rep outsb", "sysretq"
	SNIPPET RUN_RING3
	cmp %eax, %eax
	\insn
	.endr

/* ---- 64-bit mode, both rings ---- */
	SNIPPET BOTH
	movsbq (%rsi), %rax
	movzwl 2(%rsi), %ecx
	movslq 4(%rsi), %rdx
	movsbw 8(%rsi), %r8w
	add %rax, 16(%rsi)
	adc %ecx, 24(%rsi)
	sbb %dx, 28(%rsi)
	lock xadd %r8, 32(%rsi)
	lock cmpxchg %r9, 40(%rsi)
	FLAGS ALL_FLAGS
	mov %rbx, 48(%rsi)
	xchg %r10b, 56(%rsi)
	bswap %r11
	DONE
	SNIPPET BOTH
	mov (%rsi), %rax
	mov 8(%rsi), %rdx
	lock cmpxchg16b (%rsi)			/* equal: stores RCX:RBX */
	setz %r8b
	inc %rax
	lock cmpxchg16b (%rsi)			/* differs: loads RDX:RAX */
	setz %r9b
	DONE
	SNIPPET BOTH
	mov (%rsi), %eax
	mov 4(%rsi), %edx
	not %edx
	lock cmpxchg8b (%rsi)
	setz %r8b
	DONE
	SNIPPET BOTH
	mov %rdi, %rbp
	enter $32, $3
	mov %rax, -8(%rbp)
	leave
	push $-5
	pushw $7
	popw %ax
	pop %rcx
	push 8(%rsi)
	pop 64(%rsi)
	pushfq
	popfq
	DONE
	SNIPPET BOTH
	mov $10, %ecx
	xor %eax, %eax
2:	lea 3(%rax, %rcx, 4), %eax
	loop 2b
	mov $3, %ecx
3:	dec %ecx
	jrcxz 4f
	cmp $1, %ecx
	loopne 3b
4:	call 5f
	jmp 6f
5:	ret $0
6:	DONE
	SNIPPET BOTH
	mov $25, %ecx
	cld
	rep movsb
	mov $9, %ecx
	rep movsw
	mov $5, %ecx
	std
	rep movsq
	mov $3, %ecx
	rep stosl
	cld
	xor %ecx, %ecx
	rep stosb
	DONE
	SNIPPET BOTH
	mov $40, %ecx
	movb $0x5a, 23(%rsi)
	mov %rsi, %rdi
	mov $0x5a, %al
	repne scasb
	FLAGS ALL_FLAGS
	mov %rsi, %rdi
	add $8, %rdi
	mov (%rsi), %rax
	mov %rax, (%rdi)
	mov $16, %ecx
	repe cmpsb
	FLAGS ALL_FLAGS
	lodsw
	lodsq
	DONE
	SNIPPET BOTH
	lea 64(%rsi), %rbx
	mov $7, %al
	xlat
	lahf
	mov %eax, %r8d
	mov $0x45, %ah
	sahf
	FLAGS 0xd5
	cmc
	setc %cl
	stc
	adc $0, %r9
	DONE
	SNIPPET BOTH
	bt %rax, %rcx
	setc %r8b
	mov $77, %eax
	btc %rax, (%rsi)			/* bit string: beyond the first quadword */
	setc %r9b
	mov $-3, %rax
	lea 32(%rsi), %rcx
	bts %rax, (%rcx)
	setc %r10b
	DONE
	SNIPPET BOTH
	fs mov (%rsi), %rax			/* FS and GS bases are 0 here */
	gs mov 8(%rsi), %rbx
	mov %rax, %rcx
	mov (%esi), %edx
	DONE
	SNIPPET BOTH
	mov $KERNEL_CS, %ecx
	lar %cx, %eax
	setz %r8b
	and $0xf0ff00, %eax			/* the rest is undefined */
	lsl %cx, %edx
	setz %r9b
	mov $TASK_STATE, %ecx
	lsl %cx, %r11d
	setz %r10b
	mov $USER_DS, %ecx
	verr %cx
	setz %cl
	mov $USER_CS, %ebx
	verw %bx
	setz %bl
	str %r12d
	sldt %r13d
	DONE
	SNIPPET BOTH
	lea 2f(%rip), %rax
	movb $0x11, 1(%rax)			/* the immediate of the next MOV */
2:	mov $0x77, %bl
	lea 3f(%rip), %rax
	movb $0x12, 1(%rax)
3:	mov $0x77, %bh
	DONE
	SNIPPET RUN_RING3
	pushq $0x3202				/* IF and IOPL stay as they are in ring 3 */
	popfq
	pushfq
	pop %rbx
	and $0x3202, %ebx
	DONE
	SNIPPET RUN_RING0
	pushq $0x3002
	popfq
	pushfq
	pop %rbx
	and $0x3202, %ebx
	pushq $2
	popfq
	DONE
	.section .note.GNU-stack, "", @progbits
