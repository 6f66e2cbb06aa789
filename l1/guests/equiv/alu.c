/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every two-operand integer operation of alu.def at every operand size, result and defined flags.
 */
#include "l1/guests/equiv/equiv.h"

#include "l1/lib/console.h"

#define DRAWS 6

typedef uint64_t alu_function(uint64_t a, uint64_t b, uint64_t *flags);

#define BODY(text)                                                                                 \
	uint64_t in = *flags, out;                                                                 \
	__asm__ volatile("push %3; popfq; " text "; pushfq; pop %1"                                \
			 : "+&a"(a), "=&r"(out), "+&c"(b)                                          \
			 : "r"(in)                                                                 \
			 : "rdx", "cc");                                                           \
	*flags = out;                                                                              \
	return a + 2 * b; /* XADD and XCHG change both */

#define FUNCTION(name, text)                                                                       \
	static uint64_t name(uint64_t a, uint64_t b, uint64_t *flags)                              \
	{                                                                                          \
		BODY(text)                                                                         \
	}

#define TWO_b(insn) FUNCTION(insn##_two_b, #insn " %%cl, %%al")
#define TWO_w(insn) FUNCTION(insn##_two_w, #insn " %%cx, %%ax")
#define TWO_l(insn) FUNCTION(insn##_two_l, #insn " %%ecx, %%eax")
#define TWO_q(insn) FUNCTION(insn##_two_q, #insn " %%rcx, %%rax")
#define SHIFT_b(insn) FUNCTION(insn##_shift_b, #insn " %%cl, %%al")
#define SHIFT_w(insn) FUNCTION(insn##_shift_w, #insn " %%cl, %%ax")
#define SHIFT_l(insn) FUNCTION(insn##_shift_l, #insn " %%cl, %%eax")
#define SHIFT_q(insn) FUNCTION(insn##_shift_q, #insn " %%cl, %%rax")
#define BY1_b(insn) FUNCTION(insn##_by1_b, #insn " $1, %%al")
#define BY1_w(insn) FUNCTION(insn##_by1_w, #insn " $1, %%ax")
#define BY1_l(insn) FUNCTION(insn##_by1_l, #insn " $1, %%eax")
#define BY1_q(insn) FUNCTION(insn##_by1_q, #insn " $1, %%rax")
#define ONE_b(insn) FUNCTION(insn##_one_b, #insn " %%al")
#define ONE_w(insn) FUNCTION(insn##_one_w, #insn " %%ax")
#define ONE_l(insn) FUNCTION(insn##_one_l, #insn " %%eax")
#define ONE_q(insn) FUNCTION(insn##_one_q, #insn " %%rax")
/* The double-width results fold into RAX. */
#define WIDE_b(insn) FUNCTION(insn##_wide_b, #insn " %%cl")
#define WIDE_w(insn)                                                                               \
	FUNCTION(insn##_wide_w, "mov $0, %%edx; " #insn " %%cx; lea (%%rax, %%rdx, 2), %%rax")
#define WIDE_l(insn) FUNCTION(insn##_wide_l, #insn " %%ecx; lea (%%rax, %%rdx, 2), %%rax")
#define WIDE_q(insn) FUNCTION(insn##_wide_q, #insn " %%rcx; lea (%%rax, %%rdx, 2), %%rax")
/* RDX:RAX is less than the divisor times 2^size: no #DE. */
#define DIVIDE_w(insn) FUNCTION(insn##_divide_w, "mov $1, %%edx; " #insn " %%cx; add %%rdx, %%rax")
#define DIVIDE_l(insn) FUNCTION(insn##_divide_l, "mov $1, %%edx; " #insn " %%ecx; add %%rdx, %%rax")
#define DIVIDE_q(insn) FUNCTION(insn##_divide_q, "mov $1, %%edx; " #insn " %%rcx; add %%rdx, %%rax")
#define DOUBLE_w(insn) FUNCTION(insn##_double_w, #insn " $3, %%cx, %%ax")
#define DOUBLE_l(insn) FUNCTION(insn##_double_l, #insn " $5, %%ecx, %%eax")
#define DOUBLE_q(insn) FUNCTION(insn##_double_q, #insn " $7, %%rcx, %%rax")

#define ALU(insn, form, size, defined) form##_##size(insn)
#include "l1/guests/equiv/alu.def"
#undef ALU

#define NAME_TWO(insn, size) insn##_two_##size
#define NAME_SHIFT(insn, size) insn##_shift_##size
#define NAME_BY1(insn, size) insn##_by1_##size
#define NAME_ONE(insn, size) insn##_one_##size
#define NAME_WIDE(insn, size) insn##_wide_##size
#define NAME_DIVIDE(insn, size) insn##_divide_##size
#define NAME_DOUBLE(insn, size) insn##_double_##size

enum alu_operand { OPERAND_TWO, OPERAND_SHIFT, OPERAND_BY1, OPERAND_ONE, OPERAND_WIDE,
		   OPERAND_DIVIDE, OPERAND_DOUBLE };

static const struct alu_row {
	const char *name;
	alu_function *function;
	uint16_t defined;
	uint8_t operand;
} rows[] = {
#define ALL RFLAGS_STATUS
#define NO_AF (RFLAGS_STATUS & ~RFLAGS_AF)
#define SHIFTED (RFLAGS_CF | RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF)
#define CARRY RFLAGS_CF
#define CARRY_OVERFLOW (RFLAGS_CF | RFLAGS_OF)
#define ZERO RFLAGS_ZF
#define NOTHING 0
#define ALU(insn, form, size, defined)                                                             \
	{#insn #size, NAME_##form(insn, size), defined, OPERAND_##form},
#include "l1/guests/equiv/alu.def"
#undef ALU
};

static uint64_t second_operand(struct equiv *equiv, unsigned operand)
{
	uint64_t b = equiv_random(equiv);

	if (operand == OPERAND_SHIFT)
		return b % 7 + 1; /* less than the smallest operand: CF is defined */
	if (operand == OPERAND_DIVIDE) /* positive in every size: nothing overflows */
		b &= ~UINT64_C(0x8000000080008080);
	return b | UINT64_C(0x4000000040004040); /* not zero: bit scans are defined */
}

void equiv_alu(struct equiv *equiv)
{
	for (unsigned draw = 0; draw < DRAWS; draw++) {
		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			uint64_t a = equiv_random(equiv);
			uint64_t flags = (a >> 7 & RFLAGS_STATUS) | RFLAGS_FIXED1;
			uint64_t b = second_operand(equiv, rows[i].operand);

			uint64_t result = rows[i].function(a, b, &flags);

			flags &= rows[i].defined;
			equiv_add(equiv, result);
			equiv_add(equiv, flags);
			if (equiv->trace)
				printf("%s %lx %lx = %lx flags=%lx\n", rows[i].name, a, b, result,
				       flags);
		}
	}
}
