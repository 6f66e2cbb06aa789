/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Values of the x87: registers to struct soft and back, memory operands of every format. Encodings:
 * SDM 1 "Double Extended-Precision Floating-Point Values", "Unsupported Double Extended-Precision
 * Floating-Point Encodings and Pseudo-Denormals", "Packed BCD Integers".
 */
#include "l0/machine/interp/x87/x87.h"

#define QUIET UINT64_C(0x4000000000000000)
#define BIAS 16383

const struct soft_format x87_extended = {64, 64, -16382, 16383};

/* Pseudo-infinities, pseudo-NaNs, unnormals. */
bool x87_is_unsupported(struct f80 value)
{
	return (value.se & F80_EXP) && !(value.sig & F80_INTEGER);
}

static struct soft unpack_special(struct f80 value)
{
	struct soft result = {.sign = value.se & F80_SIGN, .sig = value.sig | F80_INTEGER};

	result.class = value.sig == F80_INTEGER ? SOFT_INFINITY
		       : value.sig & QUIET	? SOFT_QNAN
						: SOFT_SNAN;
	return result;
}

struct soft x87_unpack(struct x87 *x, struct f80 value)
{
	int32_t exp = value.se & F80_EXP;
	struct soft result = {.class = SOFT_FINITE, .sign = value.se & F80_SIGN};
	unsigned shift;

	if (x87_is_unsupported(value)) {
		x->unsupported = true;
		result.class = SOFT_SNAN;
		result.sig = F80_INTEGER;
		return result;
	}
	if (exp == F80_EXP)
		return unpack_special(value);
	if (!value.sig) {
		result.class = SOFT_ZERO;
		return result;
	}
	shift = (unsigned)__builtin_clzll(value.sig);
	result.denormal = exp == 0;
	result.sig = value.sig << shift;
	result.exp = (exp ? exp - BIAS : x87_extended.emin) - (int32_t)shift;
	return result;
}

struct f80 x87_pack(struct soft value)
{
	uint16_t sign = value.sign ? F80_SIGN : 0;

	switch (value.class) {
	case SOFT_ZERO:
		return (struct f80){0, sign};
	case SOFT_INFINITY:
		return (struct f80){F80_INTEGER, sign | F80_EXP};
	case SOFT_QNAN:
	case SOFT_SNAN:
		return (struct f80){value.sig | F80_INTEGER, sign | F80_EXP};
	default:
		break;
	}
	if (value.exp < x87_extended.emin)
		return (struct f80){value.sig >> (x87_extended.emin - value.exp), sign};
	return (struct f80){value.sig, (uint16_t)(sign | (value.exp + BIAS))};
}

/* Two digits in each of the low nine bytes; the sign in the topmost bit. */
static struct soft from_bcd(struct x87 *x)
{
	int64_t value = 0;
	struct soft result;

	for (int shift = 4; shift >= 0; shift -= 4)
		value = value * 10 + (x->memory.se >> shift & 15);
	for (int shift = 60; shift >= 0; shift -= 4)
		value = value * 10 + (int64_t)(x->memory.sig >> shift & 15);
	result = soft_from_integer(&x->env, &x87_extended, value);
	result.sign = x->memory.se & F80_SIGN;
	return result;
}

struct soft x87_operand(struct x87 *x)
{
	uint64_t bits = x->memory.sig;

	switch (x->info->operand) {
	case X87_STI:
		return x87_unpack(x, x87_get(x->cpu, x87_sti(x)));
	case X87_F32:
		return soft_unpack(&x->env, &soft_f32, bits);
	case X87_F64:
		return soft_unpack(&x->env, &soft_f64, bits);
	case X87_I16:
		return soft_from_integer(&x->env, &x87_extended, (int16_t)bits);
	case X87_I32:
		return soft_from_integer(&x->env, &x87_extended, (int32_t)bits);
	case X87_I64:
		return soft_from_integer(&x->env, &x87_extended, (int64_t)bits);
	case X87_BCD:
		return from_bcd(x);
	case X87_F80:
		return x87_unpack(x, x->memory);
	default:
		return x87_unpack(x, x87_get(x->cpu, 0));
	}
}
