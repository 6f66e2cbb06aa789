/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels of FMA, SDM 1 "FMA Instruction Operand Order and Arithmetic Behavior": the digits of a
 * mnemonic say which operand is multiplicand, multiplier and addend. Operand 1 is the destination.
 */
#include "l0/machine/interp/simd/lanes.h"

/* What is negated: nothing that is a NaN. */
enum { NEGATE_PRODUCT = 1, NEGATE_ADDEND = 2 };

static void negate(struct soft *value)
{
	if (!soft_is_nan(value))
		value->sign = !value->sign;
}

static struct soft source(const struct simd *s, unsigned number, enum width width, unsigned lane)
{
	const union vec *const operands[] = {&s->t, &s->d, &s->s};

	return get_lane(s, operands[number - 1], width, lane);
}

/* The result replaces a lane of operand 1: the others stay as they are in the scalar forms. */
static void fuse(struct simd *s, enum width width, unsigned lane, unsigned order, unsigned signs)
{
	struct soft x = source(s, order / 100, width, lane),
		    y = source(s, order / 10 % 10, width, lane),
		    z = source(s, order % 10, width, lane), result;

	if (signs & NEGATE_PRODUCT)
		negate(&x);
	if (signs & NEGATE_ADDEND)
		negate(&z);
	result = soft_fma(&s->fp, format_of(width), x, y, z);
	put_bits(&s->t, width, lane, soft_pack(format_of(width), &result));
}

/* signs: of the even lanes, of the odd ones */
static void fuse_lanes(struct simd *s, enum width width, unsigned count, unsigned order,
		       const uint8_t signs[2])
{
	for (unsigned lane = 0; lane < count; lane++)
		fuse(s, width, lane, order, signs[lane & 1]);
	s->d = s->t;
}

#define PACKED(name, order, even, odd)                                                             \
	void simd_##name##order##ps(struct simd *s)                                                \
	{                                                                                          \
		fuse_lanes(s, SINGLE, 4, order, (const uint8_t[]){even, odd});                     \
	}                                                                                          \
	void simd_##name##order##pd(struct simd *s)                                                \
	{                                                                                          \
		fuse_lanes(s, DOUBLE, 2, order, (const uint8_t[]){even, odd});                     \
	}
#define BOTH(name, order, signs)                                                                   \
	PACKED(name, order, signs, signs)                                                          \
	void simd_##name##order##ss(struct simd *s)                                                \
	{                                                                                          \
		fuse_lanes(s, SINGLE, 1, order, (const uint8_t[]){signs, signs});                  \
	}                                                                                          \
	void simd_##name##order##sd(struct simd *s)                                                \
	{                                                                                          \
		fuse_lanes(s, DOUBLE, 1, order, (const uint8_t[]){signs, signs});                  \
	}
#define ORDER(order)                                                                               \
	PACKED(fmaddsub, order, NEGATE_ADDEND, 0)                                                  \
	PACKED(fmsubadd, order, 0, NEGATE_ADDEND)                                                  \
	BOTH(fmadd, order, 0)                                                                      \
	BOTH(fmsub, order, NEGATE_ADDEND)                                                          \
	BOTH(fnmadd, order, NEGATE_PRODUCT)                                                        \
	BOTH(fnmsub, order, NEGATE_PRODUCT | NEGATE_ADDEND)
ORDER(132)
ORDER(213)
ORDER(231)
