/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The round trip. L1 and L2 share the general registers: CPUID changes RAX to RDX, so the handlers
 * live in the others. RDI counts down, R8 is L2's RIP, R9 and R13 to R15 hold field encodings, R10 and R11 what trip_map
 * writes where.
 */
#include "l1/guests/roundtrip/roundtrip.h"
#include "l1/lib/entry.h"

#define GUEST_RIP 0x681e
#define EXIT_REASON 0x4402
#define EXIT_INSTRUCTION_LENGTH 0x440c
#define HOST_RSP 0x6c14
#define HOST_RIP 0x6c16

/* Offsets in struct trip. */
#define TRIP_COUNT 0
#define TRIP_L2_RIP 8
#define TRIP_L2_RSI 16
#define TRIP_LAUNCHED 24
#define TRIP_SLOT 32
#define TRIP_ENTRY 40

	.text
	.globl trip_bare, trip_usual, trip_map
trip_bare:
	leaq handle_bare(%rip), %rcx
	jmp start
trip_usual:
	leaq handle_usual(%rip), %rcx
	jmp start
trip_map:
	leaq handle_map(%rip), %rcx
	movq TRIP_SLOT(%rdi), %r10
	movq TRIP_ENTRY(%rdi), %r11
start:
	push_callee_saved
	pushq %rdi
	movl $HOST_RIP, %eax
	vmwrite %rcx, %rax
	movl $HOST_RSP, %eax
	vmwrite %rsp, %rax
	movl $GUEST_RIP, %r9d
	movl $EXIT_INSTRUCTION_LENGTH, %r13d
	movl $EXIT_REASON, %r14d
	movq TRIP_L2_RIP(%rdi), %r8
	movq TRIP_L2_RSI(%rdi), %rsi
	vmwrite %r8, %r9
	cmpb $0, TRIP_LAUNCHED(%rdi)
	movb $1, TRIP_LAUNCHED(%rdi)
	movq TRIP_COUNT(%rdi), %rdi
	jne 1f
	vmlaunch
	jmp failed
1:	vmresume
	jmp failed

/* OWN_BARE: the four instructions up to VMRESUME. */
	.balign 16
handle_bare:
	decq %rdi
	jz done
	vmwrite %r8, %r9
	vmresume
	jmp failed

/* OWN_USUAL: eight here and the JMP in L2. */
	.balign 16
handle_usual:
	vmread %r14, %r10
	vmread %r13, %r11
	vmread %r9, %r12
	addq %r11, %r12
	vmwrite %r12, %r9
	decq %rdi
	jz done
	vmresume
	jmp failed

/* OWN_MAP: five here and three in L2. */
	.balign 16
handle_map:
	decq %rdi
	jz done
	movq %r11, (%r10)
	addq $8, %r10
	vmresume

failed:
	xorl %eax, %eax
	jmp 2f
done:
	movl $1, %eax
2:	popq %rdi
	pop_callee_saved
	ret

	.globl l2_cpuid, l2_again, l2_vmcall, l2_out, l2_rdmsr, l2_touch, l2_walk
	.balign 16
l2_cpuid:
	cpuid
	jmp l2_cpuid
	.balign 16
l2_again:
	cpuid
	jmp l2_again
	.balign 16
l2_vmcall:
	vmcall
	jmp l2_vmcall
	.balign 16
l2_out:
	outb %al, $0x80
	jmp l2_out
	.balign 16
l2_rdmsr:
	rdmsr
	jmp l2_rdmsr
	.balign 16
l2_touch:
	movq (%rsi), %rax
	jmp l2_touch
	.balign 16
l2_walk:
	movq (%rsi), %rax
	addq $4096, %rsi
	jmp l2_walk

	.globl l1_nothing, l1_cpuid, l1_vmread, l1_vmwrite
l1_nothing:
	ret
	.balign 16
l1_cpuid:
	movq %rbx, %r8
	xorl %eax, %eax
	cpuid
	movq %r8, %rbx
	ret
	.balign 16
l1_vmread:
	movl $GUEST_RIP, %eax
	vmread %rax, %rcx
	ret
	.balign 16
l1_vmwrite:
	movl $GUEST_RIP, %eax
	xorl %ecx, %ecx
	vmwrite %rcx, %rax
	ret
	.section .note.GNU-stack, "", @progbits
