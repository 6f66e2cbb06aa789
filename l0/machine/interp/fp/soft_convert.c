/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Conversions of soft.h: between formats, to integral values, to and from integers.
 */
#include "l0/machine/interp/fp/soft.h"

#define TOP UINT64_C(0x8000000000000000)

struct soft soft_convert(struct soft_env *env, const struct soft_format *format, struct soft a)
{
	if (soft_is_nan(&a))
		return soft_nan(env, a, a);
	if (a.denormal)
		env->flags |= SOFT_DE;
	if (a.class != SOFT_FINITE)
		return a;
	return soft_round(env, format, a.sign, a.exp, (unsigned __int128)a.sig << 64);
}

/* The magnitude of a, |a| < 2^64, as an integer; whether it was none, and whether rounding carried
 * out of 64 bits. */
static uint64_t magnitude(struct soft_env *env, const struct soft *a, enum soft_rounding rounding,
			  bool *inexact, bool *carry)
{
	uint64_t kept = 0, dropped = 0; /* dropped: in units of 2^-64, sticky */
	bool up = false;

	*carry = false;
	if (a->exp >= 0) {
		kept = a->sig >> (63 - a->exp);
		dropped = a->exp == 63 ? 0 : a->sig << (a->exp + 1);
	} else {
		dropped = a->exp == -1 ? a->sig : 1;
	}
	*inexact = dropped != 0;
	if (rounding == SOFT_NEAREST)
		up = dropped > TOP || (dropped == TOP && (kept & 1));
	else if (rounding != SOFT_TO_ZERO)
		up = dropped && a->sign == (rounding == SOFT_DOWN);
	env->rounded_up = up;
	*carry = up && kept == UINT64_MAX;
	return kept + up;
}

struct soft soft_integral(struct soft_env *env, struct soft a, enum soft_rounding rounding)
{
	bool inexact, carry;
	uint64_t kept;
	unsigned zeros;

	if (soft_is_nan(&a))
		return soft_nan(env, a, a);
	if (a.class != SOFT_FINITE || a.exp >= 63)
		return a;
	kept = magnitude(env, &a, rounding, &inexact, &carry);
	if (inexact)
		env->flags |= SOFT_PE;
	if (!kept)
		return (struct soft){.class = SOFT_ZERO, .sign = a.sign};
	zeros = (unsigned)__builtin_clzll(kept);
	return (struct soft){
	    .class = SOFT_FINITE, .sign = a.sign, .sig = kept << zeros, .exp = 63 - (int32_t)zeros};
}

int64_t soft_to_integer(struct soft_env *env, struct soft a, unsigned bits,
			enum soft_rounding rounding)
{
	uint64_t limit = UINT64_C(1) << (bits - 1), kept = 0;
	bool inexact = false, carry = false;

	if (a.class == SOFT_ZERO)
		return 0;
	if (a.class == SOFT_FINITE && a.exp <= 63)
		kept = magnitude(env, &a, rounding, &inexact, &carry);
	if (a.class != SOFT_FINITE || a.exp > 63 || carry || kept > limit - !a.sign) {
		env->flags |= SOFT_IE;
		return -(int64_t)(limit - 1) - 1;
	}
	if (inexact)
		env->flags |= SOFT_PE;
	return (int64_t)(a.sign ? -kept : kept);
}

struct soft soft_from_integer(struct soft_env *env, const struct soft_format *format, int64_t value)
{
	uint64_t absolute = value < 0 ? -(uint64_t)value : (uint64_t)value;
	unsigned zeros;

	if (!value)
		return (struct soft){.class = SOFT_ZERO};
	zeros = (unsigned)__builtin_clzll(absolute);
	return soft_round(env, format, value < 0, 63 - (int32_t)zeros,
			  (unsigned __int128)(absolute << zeros) << 64);
}
