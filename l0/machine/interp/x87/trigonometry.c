/* SPDX-License-Identifier: BSD-2-Clause
 *
 * FSIN, FCOS, FSINCOS, FPTAN, FPATAN. Arguments are reduced exactly, by the 66-bit pi of SDM 1
 * "Approximation of Pi"; what is left is computed to about 120 bits and rounded once.
 */
#include "l0/machine/interp/x87/wide.h"

#define PI_SIG WIDE_BITS(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1)
/* pi * 2^64, the 66 bits that the reduction uses; so pi/2 in units of 2^-65 */
#define PI_66 WIDE_BITS(3, 0x243f6a8885a308d3)

static const struct wide atan_half = {false, -2, WIDE_BITS(0xed63382b0dda7b45, 0x6fe445ecbc3a8d03)};

static struct wide pi_over(unsigned log2, bool sign)
{
	return (struct wide){sign, 1 - (int32_t)log2, PI_SIG};
}

/* ---- argument reduction ---- */

/* |a| = quadrant * pi/2 + r, |r| <= pi/4. */
struct reduced {
	struct wide r;
	unsigned quadrant;
};

static struct reduced reduce(struct soft a)
{
	struct reduced result = {.r = wide_of(a)};
	unsigned shift = (unsigned)(a.exp + 2), step;
	uint64_t quotient = 0;
	u128 rest = a.sig;

	result.r.sign = false;
	if (a.exp < -1)
		return result;
	for (; shift; shift -= step) {
		step = shift < 60 ? shift : 60;
		rest <<= step;
		quotient = (quotient << step) + (uint64_t)(rest / PI_66);
		rest %= PI_66;
	}
	if (2 * rest > PI_66) {
		rest = PI_66 - rest;
		quotient++;
		result.r.sign = true;
	}
	result.r = wide_normal(result.r.sign, 127 - 65, rest);
	result.quadrant = quotient & 3;
	return result;
}

/* ---- series ---- */

/* What is just below 1 stays below it, so that rounding sees on which side the result lies. */
static u128 below_one(u128 p)
{
	return p == Q127_ONE ? p - 1 : p;
}

/* 1 - z/(first * (first + 1)) (1 - z/((first + 2)(first + 3)) (...)) */
static u128 alternating_series(u128 z, unsigned first)
{
	u128 p = Q127_ONE;

	for (unsigned k = first + 30; k + 2 > first; k -= 2)
		p = Q127_ONE - q127_mul(z, p) / (k * (k + 1));
	return below_one(p);
}

static struct wide sine(struct wide r)
{
	struct wide p = wide_of_q127(alternating_series(q127_of(wide_mul(r, r)), 2));

	return wide_mul(r, p);
}

static struct wide cosine(struct wide r)
{
	return wide_of_q127(alternating_series(q127_of(wide_mul(r, r)), 1));
}

static struct wide tangent(struct wide r)
{
	return r.exp < -62 ? r : wide_div(sine(r), cosine(r));
}

/* |t| <= 1/4: t (1 - t^2/3 + t^4/5 ...) */
static struct wide arctangent_series(struct wide t)
{
	u128 z = q127_of(wide_mul(t, t)), p = Q127_ONE / 65;

	for (int k = 63; k > 0; k -= 2)
		p = Q127_ONE / (unsigned)k - q127_mul(z, p);
	return wide_mul(t, wide_of_q127(below_one(p)));
}

/* 0 < t <= 1, by atan t = atan c + atan((t - c) / (1 + t c)) with c = 0, 1/2 or 1. */
static struct wide arctangent(struct wide t)
{
	struct wide one = wide_integer(1), half = one, product = t, c, rest;

	half.exp = -1;
	if (t.exp < -2) /* below 1/4 */
		return arctangent_series(t);
	if (t.exp == -2 || (t.exp == -1 && t.sig < WIDE_BITS(0xc800000000000000, 0))) {
		c = half;
		product.exp--;
	} else {
		c = one;
	}
	rest = wide_div(wide_add(t, wide_negate(c)), wide_add(one, product));
	if (!rest.sig)
		return c.exp ? atan_half : pi_over(2, false);
	return wide_add(c.exp ? atan_half : pi_over(2, false), arctangent_series(rest));
}

/* ---- FSIN, FCOS, FSINCOS, FPTAN ---- */

static struct wide sine_of(const struct reduced *a, unsigned quadrant)
{
	struct wide value = quadrant & 1 ? cosine(a->r) : sine(a->r);

	value.sign ^= quadrant >> 1 & 1;
	return value;
}

static struct soft sine_result(struct x87 *x, struct soft a)
{
	struct reduced reduced;
	struct wide value;

	if (a.class == SOFT_ZERO)
		return a;
	reduced = reduce(a);
	value = sine_of(&reduced, reduced.quadrant);
	value.sign ^= a.sign;
	return wide_round(x, value);
}

static struct soft cosine_result(struct x87 *x, struct soft a)
{
	struct reduced reduced;

	if (a.class == SOFT_ZERO)
		return (struct soft){.class = SOFT_FINITE, .sig = F80_INTEGER};
	reduced = reduce(a);
	return wide_round(x, sine_of(&reduced, (reduced.quadrant + 1) & 3));
}

static struct soft tangent_result(struct x87 *x, struct soft a)
{
	struct reduced reduced;
	struct wide value;

	if (a.class == SOFT_ZERO)
		return a;
	reduced = reduce(a);
	value = reduced.quadrant & 1 ? wide_negate(wide_div(cosine(reduced.r), sine(reduced.r)))
				     : tangent(reduced.r);
	value.sign ^= a.sign;
	return wide_round(x, value);
}

enum trig_operand { TRIG_GOOD, TRIG_OUT_OF_RANGE, TRIG_SPECIAL };

/* Sets C2, notes denormals; TRIG_SPECIAL: *a is the result. */
static enum trig_operand trig_operand(struct x87 *x, struct soft *a)
{
	x->cc_written = FSW_C1 | FSW_C2;
	*a = x87_unpack(x, x87_get(x->cpu, 0));
	if (soft_is_nan(a)) {
		*a = soft_nan(&x->env, *a, *a);
		return TRIG_SPECIAL;
	}
	if (a->class == SOFT_INFINITY) {
		*a = soft_invalid(&x->env);
		return TRIG_SPECIAL;
	}
	x->env.flags |= a->denormal ? SOFT_DE : 0;
	if (a->class == SOFT_ZERO || a->exp < 63)
		return TRIG_GOOD;
	x->cc |= FSW_C2;
	return TRIG_OUT_OF_RANGE;
}

static void one_result(struct x87 *x, struct soft (*result)(struct x87 *x, struct soft a))
{
	struct soft a;

	if (x87_missing(x, 0)) {
		x->cc_written = FSW_C1 | FSW_C2;
		x87_put_raw(x, 0, F80_INDEFINITE);
		return;
	}
	switch (trig_operand(x, &a)) {
	case TRIG_GOOD:
		x87_put(x, 0, result(x, a));
		break;
	case TRIG_SPECIAL:
		x87_put(x, 0, a);
		break;
	case TRIG_OUT_OF_RANGE:
		break;
	}
}

void x87_fsin(struct x87 *x)
{
	one_result(x, sine_result);
}

void x87_fcos(struct x87 *x)
{
	one_result(x, cosine_result);
}

/* The first result replaces ST(0), the second is pushed. */
static void two_results(struct x87 *x, struct soft (*first)(struct x87 *x, struct soft a),
			struct soft (*second)(struct x87 *x, struct soft a))
{
	struct soft a;

	if (x87_missing(x, 0) || !x87_empty(x, 7)) {
		x->cc_written = FSW_C1 | FSW_C2;
		x87_put_raw(x, 0, F80_INDEFINITE);
		x87_push(x, F80_INDEFINITE);
		return;
	}
	switch (trig_operand(x, &a)) {
	case TRIG_GOOD:
		x87_put(x, 0, first(x, a));
		x87_push(x, x87_pack(second(x, a)));
		break;
	case TRIG_SPECIAL:
		x87_put(x, 0, a);
		x87_push(x, x->value);
		break;
	case TRIG_OUT_OF_RANGE:
		break;
	}
}

void x87_fsincos(struct x87 *x)
{
	two_results(x, sine_result, cosine_result);
}

static struct soft one(struct x87 *x, struct soft a)
{
	return (struct soft){.class = SOFT_FINITE, .sig = F80_INTEGER};
}

void x87_fptan(struct x87 *x)
{
	two_results(x, tangent_result, one);
}

/* ---- FPATAN ---- */

static struct soft rounded(struct x87 *x, struct wide a, bool sign)
{
	a.sign = sign;
	return wide_round(x, a);
}

/* Zeros and infinities, SDM 2 "FPATAN". */
static struct soft arctangent_special(struct x87 *x, const struct soft *over, const struct soft *y)
{
	if (y->class == SOFT_ZERO || (over->class == SOFT_INFINITY && y->class != SOFT_INFINITY))
		return over->sign ? rounded(x, pi_over(0, false), y->sign)
				  : (struct soft){.class = SOFT_ZERO, .sign = y->sign};
	if (y->class == SOFT_INFINITY && over->class == SOFT_INFINITY)
		return rounded(x,
			       over->sign ? wide_add(pi_over(1, false), pi_over(2, false))
					  : pi_over(2, false),
			       y->sign);
	return rounded(x, pi_over(1, false), y->sign);
}

static struct soft arctangent_finite(struct x87 *x, struct soft over, struct soft y)
{
	struct wide a = wide_of(over), b = wide_of(y), angle;

	a.sign = b.sign = false;
	if (b.exp < a.exp || (b.exp == a.exp && b.sig <= a.sig)) {
		angle = arctangent(wide_div(b, a));
		if (over.sign)
			angle = wide_add(pi_over(0, false), wide_negate(angle));
	} else {
		angle = arctangent(wide_div(a, b));
		angle.sign = !over.sign;
		angle = wide_add(pi_over(1, false), angle);
	}
	return rounded(x, angle, y.sign);
}

void x87_fpatan(struct x87 *x)
{
	struct soft over, y;

	if (x87_missing(x, 0) || x87_missing(x, 1)) {
		x87_put_raw(x, 1, F80_INDEFINITE);
		return;
	}
	over = x87_unpack(x, x87_get(x->cpu, 0));
	y = x87_unpack(x, x87_get(x->cpu, 1));
	if (soft_is_nan(&over) || soft_is_nan(&y)) {
		x87_put(x, 1, soft_nan(&x->env, over, y));
		return;
	}
	x->env.flags |= over.denormal || y.denormal ? SOFT_DE : 0;
	x87_put(x, 1,
		over.class == SOFT_FINITE && y.class == SOFT_FINITE
			? arctangent_finite(x, over, y)
			: arctangent_special(x, &over, &y));
}
