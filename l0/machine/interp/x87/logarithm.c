/* SPDX-License-Identifier: BSD-2-Clause
 *
 * F2XM1, FYL2X, FYL2XP1, computed to about 120 bits and rounded once.
 */
#include "l0/machine/interp/x87/wide.h"

static const struct wide ln2 = {false, -1, WIDE_BITS(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af)};
/* 2 / ln 2 */
static const struct wide twice_log2e = {false, 1,
					WIDE_BITS(0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88)};
/* the square root of 2 */
#define SQRT2_SIG WIDE_BITS(0xb504f333f9de6484, 0x597d89b3754abe9f)

/* ---- F2XM1 ---- */

/* e^y - 1 = y (1 + y/2 (1 + y/3 (...))), |y| <= ln 2 */
static struct wide exponential_minus_one(struct wide y)
{
	u128 magnitude = q127_of(y), p = Q127_ONE;

	for (unsigned k = 34; k > 1; k--) {
		u128 term = q127_mul(magnitude, p) / k;

		p = y.sign ? Q127_ONE - term : Q127_ONE + term;
	}
	return wide_mul(y, wide_of_q127(p));
}

/* Out of [-1, 1] the result is undefined: the operand stays, as on silicon. */
static struct soft power_minus_one(struct x87 *x, struct soft a)
{
	if (a.class == SOFT_INFINITY && a.sign)
		return (struct soft){.class = SOFT_FINITE, .sign = true, .sig = F80_INTEGER};
	x->env.flags |= a.denormal ? SOFT_DE : 0;
	if (a.class != SOFT_FINITE)
		return a;
	if (a.exp == 0 && a.sig == F80_INTEGER) { /* exact: 1, -1/2 */
		a.exp -= a.sign;
		return a;
	}
	if (a.exp >= 0) {
		x->env.flags |= SOFT_PE;
		return a;
	}
	return wide_round(x, exponential_minus_one(wide_mul(wide_of(a), ln2)));
}

void x87_f2xm1(struct x87 *x)
{
	struct soft a;

	if (x87_missing(x, 0)) {
		x87_put_raw(x, 0, F80_INDEFINITE);
		return;
	}
	a = x87_unpack(x, x87_get(x->cpu, 0));
	x87_put(x, 0, soft_is_nan(&a) ? soft_nan(&x->env, a, a) : power_minus_one(x, a));
}

/* ---- logarithms ---- */

/* log2((1 + z) / (1 - z)) = 2/ln 2 (z + z^3/3 + z^5/5 ...), |z| < 0.172 */
static struct wide logarithm_series(struct wide z)
{
	u128 square = q127_of(wide_mul(z, z)), p = Q127_ONE / 57;

	for (int k = 55; k > 0; k -= 2)
		p = Q127_ONE / (unsigned)k + q127_mul(square, p);
	return wide_mul(wide_mul(z, wide_of_q127(p)), twice_log2e);
}

/* v = m * 2^n with m in [1/sqrt 2, sqrt 2]. */
static int32_t normalize(struct wide *v)
{
	int32_t n = v->exp + (v->sig > SQRT2_SIG);

	v->exp -= n;
	return n;
}

/* log2(v) of v > 0; *exact: it is an integer, *n. `excess`: v - 1 if that is known better than v,
 * else NULL. */
static struct wide logarithm(struct wide v, const struct wide *excess, int32_t *n, bool *exact)
{
	struct wide one = wide_integer(1), above;

	*n = normalize(&v);
	above = *n == 0 && excess ? *excess : wide_add(v, wide_negate(one));
	*exact = !above.sig;
	if (*exact)
		return wide_integer(*n);
	return wide_add(wide_integer(*n), logarithm_series(wide_div(above, wide_add(v, one))));
}

/* y * log2(v), both finite and not zero. */
static struct soft product(struct x87 *x, struct soft y, struct wide v, const struct wide *excess)
{
	bool exact;
	int32_t n;
	struct wide log = logarithm(v, excess, &n, &exact);

	if (exact)
		return soft_mul(&x->env, &x87_extended, y,
				soft_from_integer(&x->env, &x87_extended, n));
	return wide_round(x, wide_mul(wide_of(y), log));
}

/* log2 is an infinity. */
static struct soft infinite(struct x87 *x, struct soft y, bool sign)
{
	if (y.class == SOFT_ZERO)
		return soft_invalid(&x->env);
	return (struct soft){.class = SOFT_INFINITY, .sign = y.sign != sign};
}

/* y is zero or infinite, log2 finite: 0 (zero), above or below it. */
static struct soft times_special(struct x87 *x, struct soft y, bool zero, bool sign)
{
	if (y.class == SOFT_INFINITY && zero)
		return soft_invalid(&x->env);
	y.sign ^= sign;
	return y;
}

/* SDM 2 "FYL2X". */
static struct soft y_log2(struct x87 *x, struct soft a, struct soft y)
{
	bool one = a.class == SOFT_FINITE && a.exp == 0 && a.sig == F80_INTEGER;

	if (a.class == SOFT_ZERO) {
		if (y.class == SOFT_FINITE)
			x->env.flags |= SOFT_ZE;
		return infinite(x, y, true);
	}
	if (a.sign)
		return soft_invalid(&x->env);
	x->env.flags |= a.denormal || y.denormal ? SOFT_DE : 0;
	if (a.class == SOFT_INFINITY)
		return infinite(x, y, false);
	if (y.class != SOFT_FINITE)
		return times_special(x, y, one, a.exp < 0);
	return product(x, y, wide_of(a), NULL);
}

/* SDM 2 "FYL2XP1"; beyond its range as far as the logarithm goes, the operand elsewhere. */
static struct soft y_log2_plus_one(struct x87 *x, struct soft a, struct soft y)
{
	struct wide excess = wide_of(a);

	if (a.class == SOFT_INFINITY && a.sign)
		return soft_invalid(&x->env);
	x->env.flags |= a.denormal || y.denormal ? SOFT_DE : 0;
	if (a.class == SOFT_INFINITY)
		return infinite(x, y, false);
	if (y.class != SOFT_FINITE)
		return times_special(x, y, a.class == SOFT_ZERO, a.sign);
	if (a.class == SOFT_FINITE && a.sign && a.exp >= 0) {
		x->env.flags |= SOFT_PE;
		return a;
	}
	if (a.class == SOFT_ZERO)
		return (struct soft){.class = SOFT_ZERO, .sign = a.sign != y.sign};
	return product(x, y, wide_add(wide_integer(1), excess), &excess);
}

static void two_operands(struct x87 *x,
			 struct soft (*result)(struct x87 *x, struct soft a, struct soft y))
{
	struct soft a, y;

	if (x87_missing(x, 0) || x87_missing(x, 1)) {
		x87_put_raw(x, 1, F80_INDEFINITE);
		return;
	}
	a = x87_unpack(x, x87_get(x->cpu, 0));
	y = x87_unpack(x, x87_get(x->cpu, 1));
	x87_put(x, 1,
		soft_is_nan(&a) || soft_is_nan(&y) ? soft_nan(&x->env, a, y) : result(x, a, y));
}

void x87_fyl2x(struct x87 *x)
{
	two_operands(x, y_log2);
}

void x87_fyl2xp1(struct x87 *x)
{
	two_operands(x, y_log2_plus_one);
}
