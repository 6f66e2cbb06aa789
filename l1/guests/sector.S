/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A boot sector that prices, in real mode, what a machine may have to step in for: `item cycles=N`,
 * the TSC's cycles for one, each. The one image that any KVM runs. It leaves by port 0xf4 with 0.
 */
#define COM1 0x3f8
#define COM1_STATUS (COM1 + 5)
#define STATUS_EMPTY 0x20
#define EXIT_PORT 0xf4
#define POST_PORT 0x80
#define COUNT 1024
#define COUNT_SHIFT 10

	.code16
	.text
	.globl _start
_start:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp
	movw $rows, %bx
next:
	movw (%bx), %si				/* the text, then the code */
	testw %si, %si
	jz leave
	call print
	movw 2(%bx), %si
	call price
	call decimal
	movw $newline, %si
	call print
	addw $4, %bx
	jmp next
leave:
	movb $0, %al
	outb %al, $EXIT_PORT
1:	hlt
	jmp 1b

/* EAX = cycles of a call to SI, an average over COUNT. */
price:
	rdtsc
	movl %eax, %ebp
	movw $COUNT, %cx
1:	pushw %cx
	pushw %bx
	call *%si
	popw %bx
	popw %cx
	loop 1b
	rdtsc
	subl %ebp, %eax
	shrl $COUNT_SHIFT, %eax
	ret

/* EAX in decimal. */
decimal:
	xorw %cx, %cx
	movl $10, %edi
1:	xorl %edx, %edx
	divl %edi
	addb $'0', %dl
	pushw %dx
	incw %cx
	testl %eax, %eax
	jnz 1b
2:	popw %ax
	call put
	loop 2b
	ret

/* The text at SI, up to a zero. */
print:
	lodsb
	testb %al, %al
	jz 1f
	call put
	jmp print
1:	ret

/* AL to the console. */
put:
	movb %al, %ah
	movw $COM1_STATUS, %dx
1:	inb %dx, %al
	testb $STATUS_EMPTY, %al
	jz 1b
	movw $COM1, %dx
	movb %ah, %al
	outb %al, %dx
	ret

do_nothing:
	ret
do_cpuid:
	xorl %eax, %eax
	cpuid
	ret
do_out:
	outb %al, $POST_PORT
	ret
do_in:
	movw $COM1_STATUS, %dx
	inb %dx, %al
	ret
do_int:
	int $0x40
	ret

rows:
	.word text_nothing, do_nothing
	.word text_cpuid, do_cpuid
	.word text_out, do_out
	.word text_in, do_in
	.word text_int, do_int
	.word 0

text_nothing:
	.asciz "nothing cycles="
text_cpuid:
	.asciz "cpuid cycles="
text_out:
	.asciz "out80 cycles="
text_in:
	.asciz "in3fd cycles="
text_int:
	.asciz "int40 cycles="
newline:
	.asciz "\n"

	.org 510
	.word 0xaa55
	.section .note.GNU-stack, "", @progbits
