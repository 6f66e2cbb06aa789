/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fused multiplication and addition of soft.h: one rounding. Significands of up to 53 bits, so that
 * a product and its alignment fit 128 bits with room for a sticky bit.
 */
#include "l0/machine/interp/fp/soft.h"

typedef unsigned __int128 wide;

#define TOP UINT64_C(0x8000000000000000)
#define QUIET UINT64_C(0x4000000000000000)

/* A finite value: v * 2^(exp - 126), bit 126 of v set. */
struct term {
	bool sign;
	int32_t exp;
	wide v;
};

static struct term shifted_up(struct term term)
{
	unsigned zeros = (uint64_t)(term.v >> 64)
			     ? (unsigned)__builtin_clzll((uint64_t)(term.v >> 64))
			     : 64 + (unsigned)__builtin_clzll((uint64_t)term.v);

	term.v <<= zeros;
	term.exp -= (int32_t)zeros;
	return term;
}

/* The lowest bits are 0: 106 bits come of two significands. */
static struct term product(const struct soft *a, const struct soft *b)
{
	struct term term = shifted_up((struct term){
	    .sign = a->sign != b->sign, .exp = a->exp + b->exp + 1, .v = (wide)a->sig * b->sig});

	term.v >>= 1;
	return term;
}

static struct term single(const struct soft *a)
{
	return (struct term){.sign = a->sign, .exp = a->exp, .v = (wide)a->sig << 63};
}

static wide shift_sticky(wide v, unsigned count)
{
	if (count > 127)
		return v != 0;
	return v >> count | ((v & (((wide)1 << count) - 1)) != 0);
}

static struct soft add(struct soft_env *env, const struct soft_format *format, struct term a,
		       struct term b)
{
	bool swap = a.exp != b.exp ? a.exp < b.exp : a.v < b.v;
	struct term high = swap ? b : a, low = swap ? a : b;

	low.v = shift_sticky(low.v, (unsigned)(high.exp - low.exp));
	high.v = high.sign == low.sign ? high.v + low.v : high.v - low.v;
	if (!high.v)
		return (struct soft){.class = SOFT_ZERO, .sign = env->rounding == SOFT_DOWN};
	high.exp++;
	high = shifted_up(high);
	return soft_round(env, format, high.sign, high.exp, high.v);
}

/* SDM 1 "FMA Numeric Behavior": the first NaN of the multiplicand, the multiplier, the addend. */
static struct soft nan_of(struct soft_env *env, const struct soft operand[3])
{
	struct soft value = operand[soft_is_nan(&operand[0])   ? 0
				    : soft_is_nan(&operand[1]) ? 1
							       : 2];

	for (unsigned i = 0; i < 3; i++)
		if (operand[i].class == SOFT_SNAN)
			env->flags |= SOFT_IE;
	value.class = SOFT_QNAN;
	value.sig |= QUIET;
	return value;
}

static struct soft with_zero_product(struct soft_env *env, const struct soft_format *format,
				     bool sign, struct soft c)
{
	if (c.class == SOFT_FINITE)
		return soft_round(env, format, c.sign, c.exp, (wide)c.sig << 64);
	if (c.sign != sign)
		c.sign = env->rounding == SOFT_DOWN;
	return c;
}

struct soft soft_fma(struct soft_env *env, const struct soft_format *format, struct soft a,
		     struct soft b, struct soft c)
{
	const struct soft all[3] = {a, b, c};
	bool sign = a.sign != b.sign, infinite;

	if (soft_is_nan(&a) || soft_is_nan(&b) || soft_is_nan(&c))
		return nan_of(env, all);
	infinite = a.class == SOFT_INFINITY || b.class == SOFT_INFINITY;
	if (infinite && (a.class == SOFT_ZERO || b.class == SOFT_ZERO))
		return soft_invalid(env);
	if (infinite && c.class == SOFT_INFINITY && c.sign != sign)
		return soft_invalid(env);
	if (a.denormal || b.denormal || c.denormal)
		env->flags |= SOFT_DE;
	if (infinite)
		return (struct soft){.class = SOFT_INFINITY, .sign = sign, .sig = TOP};
	if (c.class == SOFT_INFINITY)
		return c;
	if (a.class == SOFT_ZERO || b.class == SOFT_ZERO)
		return with_zero_product(env, format, sign, c);
	if (c.class == SOFT_ZERO) {
		struct term exact = product(&a, &b);

		return soft_round(env, format, exact.sign, exact.exp, exact.v << 1);
	}
	return add(env, format, product(&a, &b), single(&c));
}
