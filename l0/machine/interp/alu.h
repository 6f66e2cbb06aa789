/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the hot integer operations compute, for templates that know operation, size and flag
 * liveness at compile time. `a` is the destination's old value, `b` the source; both are zero
 * beyond the size, and so is the result. With `live` false no flag is touched.
 */
#ifndef L0_MACHINE_INTERP_ALU_H
#define L0_MACHINE_INTERP_ALU_H

#include "l0/machine/interp/exec.h"

enum alu {
	ALU_ADD,
	ALU_OR,
	ALU_ADC,
	ALU_SBB,
	ALU_AND,
	ALU_SUB,
	ALU_XOR,
	ALU_CMP,
	ALU_TEST,
	ALU_MOV,
	ALU_XCHG,
	ALU_INC,
	ALU_DEC,
	ALU_NOT,
	ALU_NEG,
	ALU_SHL,
	ALU_SHR,
	ALU_SAR,
	ALU_ROL,
	ALU_ROR,
	ALU_IMUL,
};

ALWAYS_INLINE bool alu_reads(enum alu alu)
{
	return alu != ALU_MOV;
}

ALWAYS_INLINE bool alu_writes(enum alu alu)
{
	return alu != ALU_CMP && alu != ALU_TEST;
}

ALWAYS_INLINE uint64_t alu_sign(uint64_t value, unsigned size)
{
	return value >> (8 * size - 1) & 1;
}

ALWAYS_INLINE uint64_t alu_carried(struct cpu *cpu, enum alu alu, uint64_t a, uint64_t b,
				   unsigned size, bool live)
{
	uint64_t carry = cc_cf(cpu), result, over;
	bool out;

	if (alu == ALU_ADC) {
		result = (a + b + carry) & size_mask(size);
		out = result < a || (carry && result == a);
		over = (a ^ result) & (b ^ result);
	} else {
		result = (a - b - carry) & size_mask(size);
		out = a < b || (carry && a == b);
		over = (a ^ b) & (a ^ result);
	}
	if (live)
		cc_set(cpu, CC_ARITH, size, result,
		       (out ? RFLAGS_CF : 0) | ((a ^ b ^ result) & RFLAGS_AF) |
			   (alu_sign(over, size) ? RFLAGS_OF : 0));
	return result;
}

/* INC and DEC keep CF. */
ALWAYS_INLINE uint64_t alu_step(struct cpu *cpu, enum alu alu, uint64_t a, unsigned size, bool live)
{
	uint64_t result = (alu == ALU_INC ? a + 1 : a - 1) & size_mask(size);
	uint64_t low = alu == ALU_INC ? 0 : 15;
	uint64_t sign = UINT64_C(1) << (8 * size - 1);

	if (live)
		cc_set(cpu, CC_ARITH, size, result,
		       (cc_cf(cpu) ? RFLAGS_CF : 0) | ((result & 15) == low ? RFLAGS_AF : 0) |
			   ((alu == ALU_INC ? result : a) == sign ? RFLAGS_OF : 0));
	return result;
}

ALWAYS_INLINE uint64_t alu_shift(struct cpu *cpu, enum alu alu, uint64_t a, uint64_t b,
				 unsigned size, bool live)
{
	unsigned bits = 8 * size, count = b & (size == 8 ? 63 : 31);
	uint64_t result, carry, over;

	if (count == 0)
		return a;
	if (alu == ALU_SHL) {
		result = (a << count) & size_mask(size);
		carry = count > bits ? 0 : a >> (bits - count) & 1;
		over = alu_sign(result, size) ^ carry;
	} else if (alu == ALU_SHR) {
		result = a >> count;
		carry = a >> (count - 1) & 1;
		over = alu_sign(a, size);
	} else {
		int64_t wide = (int64_t)cc_extend(a, size);

		result = (uint64_t)(wide >> count) & size_mask(size);
		carry = wide >> (count - 1) & 1;
		over = 0;
	}
	if (live)
		cc_set(cpu, CC_ARITH, size, result,
		       (carry ? RFLAGS_CF : 0) | (over ? RFLAGS_OF : 0));
	return result;
}

ALWAYS_INLINE uint64_t alu_rotate(struct cpu *cpu, enum alu alu, uint64_t a, uint64_t b,
				  unsigned size, bool live)
{
	unsigned bits = 8 * size, count = b & (size == 8 ? 63 : 31);
	unsigned left = (alu == ALU_ROL ? count : bits - count % bits) % bits;
	uint64_t result, carry, over;

	if (count == 0)
		return a;
	result = left ? ((a << left) | (a >> (bits - left))) & size_mask(size) : a;
	carry = alu == ALU_ROL ? result & 1 : alu_sign(result, size);
	over = alu_sign(result, size) ^ (alu == ALU_ROL ? carry : result >> (bits - 2) & 1);
	if (live)
		cc_change(cpu, RFLAGS_CF | RFLAGS_OF,
			  (carry ? RFLAGS_CF : 0) | (over ? RFLAGS_OF : 0));
	return result;
}

ALWAYS_INLINE uint64_t alu_imul(struct cpu *cpu, uint64_t a, uint64_t b, unsigned size, bool live)
{
	__int128 wide = (__int128)(int64_t)cc_extend(a, size) * (int64_t)cc_extend(b, size);
	uint64_t result = (uint64_t)wide & size_mask(size);

	if (live)
		cc_set(cpu, CC_ARITH, size, result,
		       wide != (int64_t)cc_extend(result, size) ? RFLAGS_CF | RFLAGS_OF : 0);
	return result;
}

ALWAYS_INLINE uint64_t alu_logic(struct cpu *cpu, uint64_t result, unsigned size, bool live)
{
	if (live)
		cc_set_logic(cpu, size, result);
	return result;
}

ALWAYS_INLINE uint64_t alu_add_sub(struct cpu *cpu, bool sub, uint64_t a, uint64_t b, unsigned size,
				   bool live)
{
	uint64_t result = (sub ? a - b : a + b) & size_mask(size);

	if (live)
		cc_set(cpu, sub ? CC_SUB : CC_ADD, size, result, a);
	return result;
}

ALWAYS_INLINE uint64_t alu_do(struct cpu *cpu, enum alu alu, uint64_t a, uint64_t b, unsigned size,
			      bool live)
{
	switch (alu) {
	case ALU_ADD:
		return alu_add_sub(cpu, false, a, b, size, live);
	case ALU_SUB:
	case ALU_CMP:
		return alu_add_sub(cpu, true, a, b, size, live);
	case ALU_NEG:
		return alu_add_sub(cpu, true, 0, a, size, live);
	case ALU_OR:
		return alu_logic(cpu, a | b, size, live);
	case ALU_AND:
	case ALU_TEST:
		return alu_logic(cpu, a & b, size, live);
	case ALU_XOR:
		return alu_logic(cpu, a ^ b, size, live);
	case ALU_ADC:
	case ALU_SBB:
		return alu_carried(cpu, alu, a, b, size, live);
	case ALU_INC:
	case ALU_DEC:
		return alu_step(cpu, alu, a, size, live);
	case ALU_NOT:
		return ~a & size_mask(size);
	case ALU_SHL:
	case ALU_SHR:
	case ALU_SAR:
		return alu_shift(cpu, alu, a, b, size, live);
	case ALU_ROL:
	case ALU_ROR:
		return alu_rotate(cpu, alu, a, b, size, live);
	case ALU_IMUL:
		return alu_imul(cpu, a, b, size, live);
	default: /* MOV, XCHG */
		return b;
	}
}

#endif
