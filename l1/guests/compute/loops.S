/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The loops of numbers.c. They look like what a compiler makes of such code: some arithmetic, some
 * loads and stores, a division and a conversion here and there, counters in general registers.
 */
	.text
	.balign 16
/* numbers_double(turns, constants): a damped oscillation, a sum of quotients, a polynomial */
	.globl numbers_double
numbers_double:
	movsd	(%rsi), %xmm8
	movsd	8(%rsi), %xmm9
	movsd	16(%rsi), %xmm10
	movsd	24(%rsi), %xmm11
	movapd	%xmm10, %xmm0		/* position */
	xorpd	%xmm1, %xmm1		/* velocity */
	xorpd	%xmm2, %xmm2		/* sum */
	xorl	%eax, %eax
	xorl	%ecx, %ecx
	.balign 16
1:	movapd	%xmm0, %xmm3		/* velocity = velocity * 0.999 - position * 0.001 */
	mulsd	%xmm9, %xmm3
	mulsd	%xmm8, %xmm1
	subsd	%xmm3, %xmm1
	movapd	%xmm1, %xmm4		/* position += velocity * 0.25 */
	mulsd	%xmm11, %xmm4
	addsd	%xmm4, %xmm0
	cvtsi2sd %eax, %xmm5		/* sum += 1.5 / (1.5 + turn) */
	addsd	%xmm10, %xmm5
	movapd	%xmm10, %xmm6
	divsd	%xmm5, %xmm6
	addsd	%xmm6, %xmm2
	movsd	%xmm2, -8(%rsp)
	movapd	%xmm0, %xmm7		/* polynomial in position by Horner's rule */
	mulsd	%xmm8, %xmm7
	addsd	%xmm10, %xmm7
	mulsd	%xmm0, %xmm7
	addsd	%xmm11, %xmm7
	ucomisd	%xmm9, %xmm7
	jp	2f
	cvttsd2si %xmm7, %rdx
	add	%rdx, %rcx
2:	addsd	-8(%rsp), %xmm7
	inc	%eax
	cmp	%rdi, %rax
	jne	1b
	addsd	%xmm7, %xmm2
	addsd	%xmm0, %xmm2
	sqrtsd	%xmm2, %xmm2
	movq	%xmm2, %rax
	add	%rcx, %rax
	ret

	.balign 16
/* numbers_vector(turns, to, from): packed singles, integers, shuffles over 4 KiB of data */
	.globl numbers_vector
numbers_vector:
	xorl	%eax, %eax
	pxor	%xmm0, %xmm0		/* sums of integers */
	xorps	%xmm1, %xmm1		/* sums of singles */
	movaps	(%rdx), %xmm9
	.balign 16
1:	mov	%eax, %ecx
	shl	$4, %ecx
	and	$0xff0, %ecx
	movaps	(%rdx, %rcx), %xmm2
	movaps	%xmm2, %xmm3
	mulps	%xmm9, %xmm2
	addps	%xmm2, %xmm1
	pshufd	$0x4e, %xmm3, %xmm4
	paddd	%xmm3, %xmm4
	pxor	%xmm4, %xmm0
	pslld	$3, %xmm4
	paddq	%xmm4, %xmm0
	punpckldq %xmm3, %xmm4
	pcmpgtd	%xmm0, %xmm4
	pand	%xmm3, %xmm4
	movups	%xmm4, (%rsi, %rcx)
	subps	%xmm9, %xmm2
	maxps	%xmm2, %xmm1
	psrldq	$4, %xmm3
	por	%xmm3, %xmm0
	inc	%eax
	cmp	%rdi, %rax
	jne	1b
	pxor	%xmm1, %xmm0
	movq	%xmm0, %rax
	psrldq	$8, %xmm0
	movq	%xmm0, %rcx
	add	%rcx, %rax
	ret
	.section .note.GNU-stack, "", @progbits
