/* SPDX-License-Identifier: BSD-2-Clause
 *
 * x87 kernels of arithmetic: the basic operations and square root (by precision control), rounding,
 * scaling, extraction, partial remainders (always extended).
 */
#include "l0/machine/interp/x87/x87.h"

/* ---- basic operations ---- */

typedef struct soft arithmetic(struct soft_env *env, const struct soft_format *format,
			       struct soft a, struct soft b);

static void binary(struct x87 *x, arithmetic *operation, bool reversed)
{
	unsigned dest = x->info->attributes & X87_TO_STI ? x87_sti(x) : 0;
	struct soft a, b;

	if (x87_missing(x, 0) || (x->info->operand == X87_STI && x87_missing(x, x87_sti(x)))) {
		x87_put_raw(x, dest, F80_INDEFINITE);
		return;
	}
	a = x87_unpack(x, x87_get(x->cpu, 0));
	b = x87_operand(x);
	x87_put(x, dest,
		reversed ? operation(&x->env, x->format, b, a)
			 : operation(&x->env, x->format, a, b));
}

#define BINARY(name, operation, reversed)                                                          \
	void x87_##name(struct x87 *x)                                                             \
	{                                                                                          \
		binary(x, operation, reversed);                                                    \
	}
BINARY(add, soft_add, false)
BINARY(mul, soft_mul, false)
BINARY(sub, soft_sub, false)
BINARY(subr, soft_sub, true)
BINARY(div, soft_div, false)
BINARY(divr, soft_div, true)

/* ST(0) alone; false: it was empty. */
static bool unary(struct x87 *x, struct soft *a)
{
	if (x87_missing(x, 0)) {
		x87_put_raw(x, 0, F80_INDEFINITE);
		return false;
	}
	*a = x87_unpack(x, x87_get(x->cpu, 0));
	return true;
}

void x87_fsqrt(struct x87 *x)
{
	struct soft a;

	if (unary(x, &a))
		x87_put(x, 0, soft_sqrt(&x->env, x->format, a));
}

void x87_frndint(struct x87 *x)
{
	struct soft a;

	if (!unary(x, &a))
		return;
	if (a.denormal)
		x->env.flags |= SOFT_DE;
	x87_put(x, 0, soft_integral(&x->env, a, x->env.rounding));
}

/* ---- FSCALE, FXTRACT ---- */

static void note_denormals(struct x87 *x, const struct soft *a, const struct soft *b)
{
	if (a->denormal || b->denormal)
		x->env.flags |= SOFT_DE;
}

/* 2^17 is beyond every exponent, adjusted ones too. */
static int32_t scale_count(const struct soft *b)
{
	int32_t count;

	if (b->class == SOFT_ZERO || b->exp < 0)
		return 0;
	count = b->exp > 16 ? 1 << 17 : (int32_t)(b->sig >> (63 - b->exp));
	return b->sign ? -count : count;
}

/* A result that an adjusted exponent cannot express either: SDM 1 "Numeric Overflow Exception
 * (#O)". */
static struct soft scale(struct x87 *x, struct soft a, int32_t count)
{
	struct soft value = soft_round(&x->env, &x87_extended, a.sign, a.exp + count,
				       (unsigned __int128)a.sig << 64);

	bool beyond = value.class == SOFT_FINITE && value.exp > x87_extended.emax;
	bool below = value.class == SOFT_FINITE && value.exp < x87_extended.emin &&
		     !(x->env.masked & SOFT_UE);

	if (!beyond && !below)
		return value;
	x->env.flags |= SOFT_PE;
	x->env.rounded_up = beyond;
	return (struct soft){.class = beyond ? SOFT_INFINITY : SOFT_ZERO, .sign = a.sign};
}

static struct soft scaled(struct x87 *x, struct soft a, struct soft b)
{
	if (soft_is_nan(&a) || soft_is_nan(&b))
		return soft_nan(&x->env, a, b);
	if (b.class == SOFT_INFINITY && a.class == (b.sign ? SOFT_INFINITY : SOFT_ZERO))
		return soft_invalid(&x->env);
	note_denormals(x, &a, &b);
	if (a.class != SOFT_FINITE)
		return a;
	if (b.class == SOFT_INFINITY)
		return (struct soft){.class = b.sign ? SOFT_ZERO : SOFT_INFINITY, .sign = a.sign};
	return scale(x, a, scale_count(&b));
}

/* ST(0) and ST(1); false: one was empty. */
static bool both(struct x87 *x, struct soft *a, struct soft *b)
{
	if (x87_missing(x, 0) || x87_missing(x, 1)) {
		x87_put_raw(x, 0, F80_INDEFINITE);
		return false;
	}
	*a = x87_unpack(x, x87_get(x->cpu, 0));
	*b = x87_unpack(x, x87_get(x->cpu, 1));
	return true;
}

void x87_fscale(struct x87 *x)
{
	struct soft a, b;

	if (both(x, &a, &b))
		x87_put(x, 0, scaled(x, a, b));
}

static void extract(struct x87 *x, struct soft a)
{
	struct soft exponent = a, significand = a;

	if (soft_is_nan(&a)) {
		exponent = significand = soft_nan(&x->env, a, a);
	} else if (a.class == SOFT_ZERO) {
		x->env.flags |= SOFT_ZE;
		exponent = (struct soft){.class = SOFT_INFINITY, .sign = true};
	} else if (a.class == SOFT_INFINITY) {
		exponent.sign = false;
	} else {
		x->env.flags |= a.denormal ? SOFT_DE : 0;
		exponent = soft_from_integer(&x->env, &x87_extended, a.exp);
		significand.exp = 0;
	}
	x87_put(x, 0, exponent);
	x87_push(x, x->unsupported ? F80_INDEFINITE : x87_pack(significand));
}

void x87_fxtract(struct x87 *x)
{
	if (x87_missing(x, 0) || !x87_empty(x, 7)) {
		x87_put_raw(x, 0, F80_INDEFINITE);
		x87_push(x, F80_INDEFINITE);
		return;
	}
	extract(x, x87_unpack(x, x87_get(x->cpu, 0)));
}

/* ---- partial remainder ---- */

/* The quotient's low bits: C0 Q2, C3 Q1, C1 Q0. */
static void set_quotient(struct x87 *x, uint64_t quotient)
{
	x->cc |= (quotient & 4 ? FSW_C0 : 0) | (quotient & 2 ? FSW_C3 : 0) |
		 (quotient & 1 ? FSW_C1 : 0);
}

/* r, below 2^64, times 2^(exp - 63), rounded by nothing. */
static struct soft remainder_value(struct x87 *x, bool sign, int32_t exp, uint64_t r)
{
	unsigned zeros;

	if (!r)
		return (struct soft){.class = SOFT_ZERO, .sign = sign};
	zeros = (unsigned)__builtin_clzll(r);
	return soft_round(&x->env, &x87_extended, sign, exp - (int32_t)zeros,
			  (unsigned __int128)(r << zeros) << 64);
}

/* So many steps of the long division of a by b: the remainder in units of b's last bit. */
static uint64_t divide_steps(uint64_t a, uint64_t b, unsigned steps, uint64_t *quotient)
{
	uint64_t r = a >= b ? a - b : a;

	*quotient = a >= b;
	while (steps--) {
		bool carry = r >> 63;

		r <<= 1;
		*quotient <<= 1;
		if (carry || r >= b) {
			r -= b;
			*quotient |= 1;
		}
	}
	return r;
}

/* The magnitude is below half the divisor, or there are more steps to come. SDM 2 "FPREM1". */
static struct soft remainder_finite(struct x87 *x, struct soft a, struct soft b, bool nearest)
{
	int32_t distance = a.exp - b.exp;
	uint64_t quotient = 0, r;
	bool up;

	if (distance < -1 || (distance < 0 && (!nearest || a.sig <= b.sig)))
		return remainder_value(x, a.sign, a.exp, a.sig);
	if (distance < 0) { /* between a half and one: b - a, in units of a's last bit */
		set_quotient(x, 1);
		return remainder_value(x, !a.sign, a.exp, 2 * b.sig - a.sig);
	}
	if (distance >= 64) { /* partial: 32 to 63 steps, as an 80387 */
		int32_t steps = (distance & 31) | 32;

		x->cc |= FSW_C2;
		r = divide_steps(a.sig, b.sig, (unsigned)steps, &quotient);
		return remainder_value(x, a.sign, a.exp - steps, r);
	}
	r = divide_steps(a.sig, b.sig, (unsigned)distance, &quotient);
	up = nearest && (r > b.sig - r || (r == b.sig - r && (quotient & 1)));
	set_quotient(x, quotient + up);
	return remainder_value(x, a.sign != up, b.exp, up ? b.sig - r : r);
}

static void partial_remainder(struct x87 *x, bool nearest)
{
	struct soft a, b;

	x->cc_written = FSW_C1 | FSW_C2;
	if (!both(x, &a, &b))
		return;
	if (soft_is_nan(&a) || soft_is_nan(&b)) {
		x87_put(x, 0, soft_nan(&x->env, a, b));
	} else if (a.class == SOFT_INFINITY || b.class == SOFT_ZERO) {
		x87_put(x, 0, soft_invalid(&x->env));
	} else {
		note_denormals(x, &a, &b);
		if (x->env.flags & ~x->env.masked)
			return;
		x->cc_written = FSW_CC;
		if (a.class == SOFT_FINITE)
			a = b.class == SOFT_FINITE ? remainder_finite(x, a, b, nearest)
						   : remainder_value(x, a.sign, a.exp, a.sig);
		x87_put(x, 0, a);
	}
}

void x87_fprem(struct x87 *x)
{
	partial_remainder(x, false);
}

void x87_fprem1(struct x87 *x)
{
	partial_remainder(x, true);
}
