/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Lanes of a vector: floating-point ones for float.c and convert.c, what the expressions of
 * integer.def are made of.
 */
#ifndef L0_MACHINE_INTERP_SIMD_LANES_H
#define L0_MACHINE_INTERP_SIMD_LANES_H

#include "l0/machine/interp/simd/simd.h"

static inline int32_t clamp(int32_t value, int32_t low, int32_t high)
{
	return value < low ? low : value > high ? high : value;
}

static inline int32_t max(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

static inline int32_t min(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

enum width { SINGLE, DOUBLE };

static inline const struct soft_format *format_of(enum width width)
{
	return width == DOUBLE ? &soft_f64 : &soft_f32;
}

static inline uint64_t get_bits(const union vec *v, enum width width, unsigned lane)
{
	return width == DOUBLE ? v->q[lane] : v->d[lane];
}

static inline void put_bits(union vec *v, enum width width, unsigned lane, uint64_t bits)
{
	if (width == DOUBLE)
		v->q[lane] = bits;
	else
		v->d[lane] = (uint32_t)bits;
}

static inline struct soft get_lane(const struct simd *s, const union vec *v, enum width width,
				   unsigned lane)
{
	return soft_unpack(&s->fp, format_of(width), get_bits(v, width, lane));
}

static inline void put_lane(struct simd *s, enum width width, unsigned lane, struct soft value)
{
	put_bits(&s->d, width, lane, soft_pack(format_of(width), &value));
}

#endif
