/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Lazy status flags. An arithmetic handler leaves its result and one operand; what reads a flag
 * works it out.
 *
 *   cc_dst  result, sign-extended from the operand size; ZF is cc_dst == 0 whatever the class
 *   cc_src  by class, below
 *   cc_op   class | (64 - operand bits) << CC_SHIFT
 *
 * The first operand of CC_ADD and CC_SUB suffices: in sign-extended form unsigned order is kept, so
 * CF of a + b is result < a, CF of a - b is result > a, and b is the difference again.
 */
#ifndef L0_MACHINE_INTERP_FLAGS_H
#define L0_MACHINE_INTERP_FLAGS_H

#include "l0/machine/interp/cpu.h"

enum cc_class {
	CC_EXPLICIT, /* cc_src: all six flags in RFLAGS positions; cc_dst = !ZF */
	CC_ARITH,    /* cc_src: CF, AF, OF in RFLAGS positions; the rest from cc_dst */
	CC_LOGIC,    /* CF = AF = OF = 0 */
	CC_ADD,	     /* cc_src: first operand, sign-extended */
	CC_SUB,	     /* cc_src: first operand (minuend), sign-extended */
};
#define CC_SHIFT 8
#define CC_CLASS(cc_op) ((cc_op)&0xff)

static inline uint64_t cc_extend(uint64_t value, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

static inline void cc_set(struct cpu *cpu, enum cc_class class, unsigned size, uint64_t result,
			  uint64_t first)
{
	cpu->cc_dst = cc_extend(result, size);
	cpu->cc_src = class == CC_ARITH ? first : cc_extend(first, size);
	cpu->cc_op = (uint32_t) class | (64 - 8 * size) << CC_SHIFT;
}

static inline void cc_set_logic(struct cpu *cpu, unsigned size, uint64_t result)
{
	cpu->cc_dst = cc_extend(result, size);
	cpu->cc_op = CC_LOGIC;
}

static inline void cc_set_explicit(struct cpu *cpu, uint64_t flags)
{
	cpu->cc_src = flags & RFLAGS_STATUS;
	cpu->cc_dst = !(flags & RFLAGS_ZF);
	cpu->cc_op = CC_EXPLICIT;
}

static inline bool cc_cf(const struct cpu *cpu)
{
	switch (CC_CLASS(cpu->cc_op)) {
	case CC_ADD:
		return cpu->cc_dst < cpu->cc_src;
	case CC_SUB:
		return cpu->cc_dst > cpu->cc_src;
	case CC_LOGIC:
		return false;
	default:
		return cpu->cc_src & RFLAGS_CF;
	}
}

static inline bool cc_zf(const struct cpu *cpu)
{
	return cpu->cc_dst == 0;
}

static inline bool cc_sf(const struct cpu *cpu)
{
	if (CC_CLASS(cpu->cc_op) == CC_EXPLICIT)
		return cpu->cc_src & RFLAGS_SF;
	return cpu->cc_dst >> 63;
}

static inline bool cc_pf(const struct cpu *cpu)
{
	if (CC_CLASS(cpu->cc_op) == CC_EXPLICIT)
		return cpu->cc_src & RFLAGS_PF;
	return !__builtin_parity((unsigned)cpu->cc_dst & 0xff);
}

static inline bool cc_af(const struct cpu *cpu)
{
	uint64_t a = cpu->cc_src, r = cpu->cc_dst;

	switch (CC_CLASS(cpu->cc_op)) {
	case CC_ADD:
		return (a ^ (r - a) ^ r) & 0x10;
	case CC_SUB:
		return (a ^ (a - r) ^ r) & 0x10;
	case CC_LOGIC:
		return false;
	default:
		return cpu->cc_src & RFLAGS_AF;
	}
}

static inline bool cc_of(const struct cpu *cpu)
{
	uint64_t a = cpu->cc_src, r = cpu->cc_dst;
	unsigned shift = cpu->cc_op >> CC_SHIFT;

	switch (CC_CLASS(cpu->cc_op)) {
	case CC_ADD:
		return ((a ^ r) & ((r - a) ^ r)) << shift >> 63;
	case CC_SUB:
		return ((a ^ (a - r)) & (a ^ r)) << shift >> 63;
	case CC_LOGIC:
		return false;
	default:
		return cpu->cc_src & RFLAGS_OF;
	}
}

/* The six status flags in RFLAGS positions. */
static inline uint64_t cc_flags(const struct cpu *cpu)
{
	if (CC_CLASS(cpu->cc_op) == CC_EXPLICIT)
		return cpu->cc_src;
	return (cc_cf(cpu) ? RFLAGS_CF : 0) | (cc_pf(cpu) ? RFLAGS_PF : 0) |
	       (cc_af(cpu) ? RFLAGS_AF : 0) | (cc_zf(cpu) ? RFLAGS_ZF : 0) |
	       (cc_sf(cpu) ? RFLAGS_SF : 0) | (cc_of(cpu) ? RFLAGS_OF : 0);
}

/* Replaces the flags in `mask` by those of `flags`. */
static inline void cc_change(struct cpu *cpu, uint64_t mask, uint64_t flags)
{
	cc_set_explicit(cpu, (cc_flags(cpu) & ~mask) | (flags & mask));
}

/* Condition codes as Jcc encodes them, SDM 1 "Condition Codes" (EFLAGS appendix). */
static inline __attribute__((always_inline)) bool cc_condition(const struct cpu *cpu, unsigned code)
{
	bool value;

	switch (code >> 1) {
	case 0:
		value = cc_of(cpu);
		break;
	case 1:
		value = cc_cf(cpu);
		break;
	case 2:
		value = cc_zf(cpu);
		break;
	case 3:
		value = cc_zf(cpu) || cc_cf(cpu);
		break;
	case 4:
		value = cc_sf(cpu);
		break;
	case 5:
		value = cc_pf(cpu);
		break;
	case 6:
		value = cc_sf(cpu) != cc_of(cpu);
		break;
	default:
		value = cc_zf(cpu) || cc_sf(cpu) != cc_of(cpu);
		break;
	}
	return value != (code & 1);
}

#endif
