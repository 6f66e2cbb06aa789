/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Arithmetic for the transcendental instructions: floating point with 128 bits of significand, and
 * fixed point with 127 bits of fraction (Q127) for series near 1. All of it truncates; a series of
 * thirty steps is good to 120 bits, of which 64 are wanted.
 */
#ifndef L0_MACHINE_INTERP_X87_WIDE_H
#define L0_MACHINE_INTERP_X87_WIDE_H

#include "l0/machine/interp/x87/x87.h"

typedef unsigned __int128 u128;

/* (-1)^sign * sig * 2^(exp - 127), bit 127 of sig set; zero: sig is 0. */
struct wide {
	bool sign;
	int32_t exp;
	u128 sig;
};

#define WIDE_BITS(high, low) ((u128)(high) << 64 | (low))
#define Q127_ONE ((u128)1 << 127)

static inline struct wide wide_of(struct soft a)
{
	return (struct wide){a.sign, a.exp, (u128)a.sig << 64};
}

/* sig * 2^(exp - 127) for any sig. */
static inline struct wide wide_normal(bool sign, int32_t exp, u128 sig)
{
	unsigned zeros = 0;

	if (!sig)
		return (struct wide){.sign = sign};
	zeros = (uint64_t)(sig >> 64) ? (unsigned)__builtin_clzll((uint64_t)(sig >> 64))
				      : 64 + (unsigned)__builtin_clzll((uint64_t)sig);
	return (struct wide){sign, exp - (int32_t)zeros, sig << zeros};
}

static inline struct wide wide_integer(int32_t value)
{
	return wide_normal(value < 0, 127, (u128)(value < 0 ? -(int64_t)value : value));
}

/* The upper half of the product. */
static inline u128 mul_high(u128 a, u128 b)
{
	uint64_t ah = (uint64_t)(a >> 64), al = (uint64_t)a, bh = (uint64_t)(b >> 64),
		 bl = (uint64_t)b;
	u128 middle = (u128)ah * bl, low = (u128)al * bl, sum;

	sum = (low >> 64) + (uint64_t)middle;
	sum += (u128)al * bh;
	return (u128)ah * bh + (middle >> 64) + (sum >> 64);
}

static inline u128 q127_mul(u128 a, u128 b)
{
	return mul_high(a, b) << 1;
}

static inline struct wide wide_mul(struct wide a, struct wide b)
{
	return wide_normal(a.sign != b.sign, a.exp + b.exp + 1, mul_high(a.sig, b.sig));
}

/* b is not zero. */
static inline struct wide wide_div(struct wide a, struct wide b)
{
	u128 rest = a.sig, quotient = 0;

	for (unsigned i = 0; i < 128; i++) {
		bool carry = rest >> 127 && i;

		if (i)
			rest <<= 1;
		quotient <<= 1;
		if (carry || rest >= b.sig) {
			rest -= b.sig;
			quotient |= 1;
		}
	}
	return wide_normal(a.sign != b.sign, a.exp - b.exp, quotient);
}

static inline struct wide wide_add(struct wide a, struct wide b)
{
	struct wide high = a, low = b;
	u128 aligned;
	uint32_t distance;

	if (!a.sig || !b.sig)
		return a.sig ? a : b;
	if (b.exp > a.exp || (b.exp == a.exp && b.sig > a.sig))
		high = b, low = a;
	distance = (uint32_t)(high.exp - low.exp) + 1;
	aligned = distance < 128 ? low.sig >> distance : 0;
	return wide_normal(high.sign, high.exp + 1,
			   high.sign == low.sign ? (high.sig >> 1) + aligned
						 : (high.sig >> 1) - aligned);
}

static inline struct wide wide_negate(struct wide a)
{
	a.sign = !a.sign;
	return a;
}

/* |a| < 2 as Q127. */
static inline u128 q127_of(struct wide a)
{
	return a.exp < -127 ? 0 : a.sig >> -a.exp;
}

static inline struct wide wide_of_q127(u128 q)
{
	return wide_normal(false, 0, q);
}

/* Rounded as a result that is not exact. */
static inline struct soft wide_round(struct x87 *x, struct wide a)
{
	return soft_round(&x->env, &x87_extended, a.sign, a.exp, a.sig | 1);
}

#endif
