/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Floating-point formats, rounding, NaNs and arithmetic of soft.h. Intermediate results are exact
 * in 128 bits, or have a sticky lowest bit.
 */
#include "l0/machine/interp/fp/soft.h"

typedef unsigned __int128 wide;

#define TOP UINT64_C(0x8000000000000000)
#define QUIET UINT64_C(0x4000000000000000)

const struct soft_format soft_f16 = {11, 10, -14, 15};
const struct soft_format soft_f32 = {24, 23, -126, 127};
const struct soft_format soft_f64 = {53, 52, -1022, 1023};
const struct soft_format soft_f80 = {64, 64, -16382, 16383};

/* ---- formats ---- */

struct soft soft_unpack(const struct soft_env *env, const struct soft_format *format, uint64_t bits)
{
	unsigned fraction = format->fraction;
	uint64_t sig = bits << (63 - fraction) & ~TOP;
	int32_t exp = (int32_t)(bits >> fraction) & (2 * format->emax + 1);
	struct soft value = {.sign = bits >> fraction & (uint64_t)(2 * format->emax + 2)};

	if (exp == 2 * format->emax + 1) {
		value.class = !sig ? SOFT_INFINITY : sig & QUIET ? SOFT_QNAN : SOFT_SNAN;
		value.sig = sig | TOP;
	} else if (exp) {
		value.class = SOFT_FINITE;
		value.sig = sig | TOP;
		value.exp = exp - format->emax;
	} else if (sig && !env->daz) {
		unsigned shift = (unsigned)__builtin_clzll(sig);

		value.class = SOFT_FINITE;
		value.denormal = true;
		value.sig = sig << shift;
		value.exp = format->emin - (int32_t)shift;
	}
	return value;
}

uint64_t soft_pack(const struct soft_format *format, const struct soft *value)
{
	unsigned fraction = format->fraction;
	uint64_t mask = (UINT64_C(1) << fraction) - 1, exp = 0, sig = 0;

	if (value->class >= SOFT_INFINITY) {
		exp = (uint64_t)format->emax * 2 + 1;
		sig = value->class == SOFT_INFINITY ? 0 : value->sig >> (63 - fraction);
	} else if (value->class == SOFT_FINITE && value->exp < format->emin) {
		sig = value->sig >> (63 - fraction) >> (format->emin - value->exp);
	} else if (value->class == SOFT_FINITE) {
		exp = (uint64_t)(value->exp + format->emax);
		sig = value->sig >> (63 - fraction);
	}
	return (uint64_t)value->sign * ((uint64_t)format->emax * 2 + 2) << fraction |
	       exp << fraction | (sig & mask);
}

/* ---- rounding ---- */

/* v >> shift by the rounding mode. */
static wide round_bits(struct soft_env *env, bool sign, wide v, unsigned shift, bool *inexact)
{
	wide kept, dropped, half;
	bool up = false;

	if (shift < 128) {
		kept = v >> shift;
		dropped = v - (kept << shift);
		half = (wide)1 << (shift - 1);
	} else { /* nothing is kept; beyond 128 it is less than half a unit */
		kept = 0;
		dropped = shift == 128 ? v : v != 0;
		half = (wide)1 << 127;
	}
	*inexact = dropped != 0;
	if (env->rounding == SOFT_NEAREST)
		up = dropped > half || (dropped == half && (kept & 1));
	else if (env->rounding != SOFT_TO_ZERO)
		up = dropped && sign == (env->rounding == SOFT_DOWN);
	env->rounded_up = up;
	return kept + up;
}

/* What the x87 leaves in a register when overflow or underflow is not masked: the exponent moved
 * towards the middle, SDM 1 "Numeric Overflow Exception (#O)". */
#define X87_ADJUSTMENT 24576

static struct soft adjusted(struct soft_env *env, struct soft value, uint8_t flag, bool inexact)
{
	env->flags |= flag | (inexact ? SOFT_PE : 0);
	value.exp += flag == SOFT_OE ? -X87_ADJUSTMENT : X87_ADJUSTMENT;
	return value;
}

/* Too large: SDM 1 "Numeric Overflow Exception (#O)", masked response. */
static struct soft overflow(struct soft_env *env, const struct soft_format *format, bool sign,
			    bool inexact)
{
	bool to_max =
	    env->rounding == SOFT_TO_ZERO || env->rounding == (sign ? SOFT_UP : SOFT_DOWN);
	struct soft max = {.class = SOFT_FINITE, .sign = sign, .exp = format->emax};

	env->flags |= SOFT_OE | (inexact || (env->masked & SOFT_OE) ? SOFT_PE : 0);
	env->rounded_up = !to_max;
	if (!to_max)
		return (struct soft){.class = SOFT_INFINITY, .sign = sign, .sig = TOP};
	max.sig = UINT64_MAX << (64 - format->precision);
	return max;
}

/* Too small after rounding: SDM 1 "Numeric Underflow Exception (#U)". v counts from `exp`. */
static struct soft underflow(struct soft_env *env, const struct soft_format *format, bool sign,
			     int32_t exp, wide v)
{
	unsigned shift = 128u - format->precision, zeros;
	bool inexact;
	uint64_t kept;

	if (env->ftz && (env->masked & SOFT_UE)) {
		env->flags |= SOFT_UE | SOFT_PE;
		return (struct soft){.class = SOFT_ZERO, .sign = sign};
	}
	if (!(env->masked & SOFT_UE)) { /* as if the exponent had no bounds */
		round_bits(env, sign, v, shift, &inexact);
		env->flags |= SOFT_UE | (inexact ? SOFT_PE : 0);
	}
	kept = (uint64_t)round_bits(env, sign, v, shift + (unsigned)(format->emin - exp), &inexact);
	if (inexact && (env->masked & SOFT_UE))
		env->flags |= SOFT_UE | SOFT_PE;
	if (!kept)
		return (struct soft){.class = SOFT_ZERO, .sign = sign};
	zeros = (unsigned)__builtin_clzll(kept);
	return (struct soft){.class = SOFT_FINITE,
			     .sign = sign,
			     .sig = kept << zeros,
			     .exp = format->emin - format->precision + 64 - (int32_t)zeros};
}

struct soft soft_round(struct soft_env *env, const struct soft_format *format, bool sign,
		       int32_t exp, wide v)
{
	struct soft value = {.class = SOFT_FINITE, .sign = sign, .exp = exp};
	bool inexact;
	wide kept = round_bits(env, sign, v, 128u - format->precision, &inexact);

	if (kept >> format->precision) {
		kept >>= 1;
		value.exp++;
	}
	value.sig = (uint64_t)kept << (64 - format->precision);
	if (env->x87 && value.exp < format->emin && !(env->masked & SOFT_UE))
		return adjusted(env, value, SOFT_UE, inexact);
	if (env->x87 && value.exp > format->emax && !(env->masked & SOFT_OE))
		return adjusted(env, value, SOFT_OE, inexact);
	if (value.exp < format->emin)
		return underflow(env, format, sign, exp, v);
	if (value.exp > format->emax)
		return overflow(env, format, sign, inexact);
	if (inexact)
		env->flags |= SOFT_PE;
	return value;
}

static struct soft normalize(struct soft_env *env, const struct soft_format *format, bool sign,
			     int32_t exp, wide v)
{
	unsigned zeros = (uint64_t)(v >> 64) ? (unsigned)__builtin_clzll((uint64_t)(v >> 64))
					     : 64 + (unsigned)__builtin_clzll((uint64_t)v);

	return soft_round(env, format, sign, exp - (int32_t)zeros, v << zeros);
}

/* ---- NaNs ---- */

struct soft soft_invalid(struct soft_env *env)
{
	env->flags |= SOFT_IE;
	return (struct soft){.class = SOFT_QNAN, .sign = true, .sig = TOP | QUIET};
}

/* SDM 1 "Rules for Handling NaNs": the x87 takes the larger significand, and a quiet NaN before a
 * signaling one; SSE takes the first operand. */
static bool first_nan(const struct soft_env *env, const struct soft *a, const struct soft *b)
{
	if (!soft_is_nan(a) || !soft_is_nan(b))
		return soft_is_nan(a);
	if (!env->x87)
		return true;
	if (a->class != b->class)
		return a->class == SOFT_QNAN;
	return a->sig != b->sig ? a->sig > b->sig : !a->sign;
}

struct soft soft_nan(struct soft_env *env, struct soft a, struct soft b)
{
	struct soft value = first_nan(env, &a, &b) ? a : b;

	if (a.class == SOFT_SNAN || b.class == SOFT_SNAN)
		env->flags |= SOFT_IE;
	value.class = SOFT_QNAN;
	value.sig |= QUIET;
	return value;
}

/* ---- arithmetic ---- */

static bool either_nan(const struct soft *a, const struct soft *b)
{
	return soft_is_nan(a) || soft_is_nan(b);
}

static void note_denormals(struct soft_env *env, const struct soft *a, const struct soft *b)
{
	if (a->denormal || b->denormal)
		env->flags |= SOFT_DE;
}

static bool larger(const struct soft *a, const struct soft *b)
{
	return a->exp != b->exp ? a->exp > b->exp : a->sig > b->sig;
}

static wide shift_sticky(wide v, unsigned count)
{
	if (count > 127)
		return v != 0;
	return v >> count | ((v & (((wide)1 << count) - 1)) != 0);
}

static struct soft add_finite(struct soft_env *env, const struct soft_format *format, struct soft a,
			      struct soft b)
{
	struct soft high = larger(&a, &b) ? a : b, low = larger(&a, &b) ? b : a;
	wide sum = (wide)high.sig << 63,
	     addend = shift_sticky((wide)low.sig << 63, (unsigned)(high.exp - low.exp));

	sum = high.sign == low.sign ? sum + addend : sum - addend;
	if (!sum)
		return (struct soft){.class = SOFT_ZERO, .sign = env->rounding == SOFT_DOWN};
	return normalize(env, format, high.sign, high.exp + 1, sum);
}

/* The value itself, as an operation with a zero gives it: rounded, for the other may have been
 * wider. */
static struct soft same(struct soft_env *env, const struct soft_format *format, struct soft a)
{
	return soft_round(env, format, a.sign, a.exp, (wide)a.sig << 64);
}

struct soft soft_add(struct soft_env *env, const struct soft_format *format, struct soft a,
		     struct soft b)
{
	if (either_nan(&a, &b))
		return soft_nan(env, a, b);
	if (a.class == SOFT_INFINITY && b.class == SOFT_INFINITY && a.sign != b.sign)
		return soft_invalid(env);
	note_denormals(env, &a, &b);
	if (a.class == SOFT_INFINITY || b.class == SOFT_INFINITY)
		return a.class == SOFT_INFINITY ? a : b;
	if (a.class == SOFT_ZERO && b.class == SOFT_ZERO) {
		if (a.sign != b.sign)
			a.sign = env->rounding == SOFT_DOWN;
		return a;
	}
	if (a.class == SOFT_ZERO || b.class == SOFT_ZERO)
		return same(env, format, a.class == SOFT_ZERO ? b : a);
	return add_finite(env, format, a, b);
}

struct soft soft_sub(struct soft_env *env, const struct soft_format *format, struct soft a,
		     struct soft b)
{
	if (!soft_is_nan(&b))
		b.sign = !b.sign;
	return soft_add(env, format, a, b);
}

struct soft soft_mul(struct soft_env *env, const struct soft_format *format, struct soft a,
		     struct soft b)
{
	bool sign = a.sign != b.sign;

	if (either_nan(&a, &b))
		return soft_nan(env, a, b);
	if (a.class + b.class == SOFT_INFINITY && a.class != b.class)
		return soft_invalid(env); /* zero by infinity */
	note_denormals(env, &a, &b);
	if (a.class == SOFT_INFINITY || b.class == SOFT_INFINITY)
		return (struct soft){.class = SOFT_INFINITY, .sign = sign, .sig = TOP};
	if (a.class == SOFT_ZERO || b.class == SOFT_ZERO)
		return (struct soft){.class = SOFT_ZERO, .sign = sign};
	return normalize(env, format, sign, a.exp + b.exp + 1, (wide)a.sig * b.sig);
}

static struct soft div_finite(struct soft_env *env, const struct soft_format *format, bool sign,
			      struct soft a, struct soft b)
{
	wide dividend = (wide)a.sig << 63, high = dividend / b.sig, rest = (dividend % b.sig) << 64,
	     low = rest != 0;

	if (rest && format->precision > 60)
		low = rest / b.sig | (rest % b.sig != 0);
	return normalize(env, format, sign, a.exp - b.exp, high << 64 | low);
}

struct soft soft_div(struct soft_env *env, const struct soft_format *format, struct soft a,
		     struct soft b)
{
	bool sign = a.sign != b.sign;

	if (either_nan(&a, &b))
		return soft_nan(env, a, b);
	if (a.class == b.class && a.class != SOFT_FINITE)
		return soft_invalid(env); /* zero by zero, infinity by infinity */
	if (a.class == SOFT_FINITE && b.class == SOFT_ZERO) {
		env->flags |= SOFT_ZE;
		return (struct soft){.class = SOFT_INFINITY, .sign = sign, .sig = TOP};
	}
	note_denormals(env, &a, &b);
	if (a.class == SOFT_INFINITY || b.class == SOFT_ZERO)
		return (struct soft){.class = SOFT_INFINITY, .sign = sign, .sig = TOP};
	if (a.class == SOFT_ZERO || b.class == SOFT_INFINITY)
		return (struct soft){.class = SOFT_ZERO, .sign = sign};
	return div_finite(env, format, sign, a, b);
}

/* Digit by digit: the root of v, and what remains of v. */
static uint64_t root_of(wide v, wide *rest)
{
	wide root = 0, bit = (wide)1 << 126;

	for (; bit; bit >>= 2) {
		if (v >= root + bit) {
			v -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	*rest = v;
	return (uint64_t)root;
}

struct soft soft_sqrt(struct soft_env *env, const struct soft_format *format, struct soft a)
{
	wide rest, v;
	uint64_t root;

	if (soft_is_nan(&a))
		return soft_nan(env, a, a);
	if (a.class == SOFT_ZERO)
		return a;
	if (a.sign)
		return soft_invalid(env);
	note_denormals(env, &a, &a);
	if (a.class == SOFT_INFINITY)
		return a;
	/* an even exponent and a square of 128 bits; half a unit cannot be exact */
	v = (wide)a.sig << (a.exp & 1 ? 64 : 63);
	root = root_of(v, &rest);
	v = (wide)root << 64 | (rest > root ? TOP | 1 : rest != 0);
	return soft_round(env, format, false, a.exp >> 1, v);
}

/* ---- comparison ---- */

enum soft_order soft_compare(struct soft_env *env, struct soft a, struct soft b, bool quiet)
{
	enum soft_order above = a.sign ? SOFT_LESS : SOFT_GREATER;

	if (either_nan(&a, &b)) {
		if (!quiet || a.class == SOFT_SNAN || b.class == SOFT_SNAN)
			env->flags |= SOFT_IE;
		return SOFT_UNORDERED;
	}
	note_denormals(env, &a, &b);
	if (a.class == SOFT_ZERO && b.class == SOFT_ZERO)
		return SOFT_EQUAL;
	if (a.class == SOFT_ZERO)
		return b.sign ? SOFT_GREATER : SOFT_LESS;
	if (b.class == SOFT_ZERO || a.sign != b.sign)
		return above;
	if (a.class != b.class)
		return a.class > b.class ? above : a.sign ? SOFT_GREATER : SOFT_LESS;
	if (a.class == SOFT_INFINITY || (a.exp == b.exp && a.sig == b.sig))
		return SOFT_EQUAL;
	return larger(&a, &b) ? above : a.sign ? SOFT_GREATER : SOFT_LESS;
}
