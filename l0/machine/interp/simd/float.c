/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels of floating-point arithmetic and comparison. Each operation is written for one lane;
 * SIZES makes the packed and scalar, single and double instructions of it.
 */
#include "l0/machine/interp/simd/lanes.h"

#include "l0/machine/interp/flags.h"

typedef void lane_op(struct simd *s, enum width width, unsigned lane);

#define SIZES(name)                                                                                \
	void simd_##name##ps(struct simd *s)                                                       \
	{                                                                                          \
		for (unsigned lane = 0; lane < 4; lane++)                                          \
			lane_##name(s, SINGLE, lane);                                              \
	}                                                                                          \
	void simd_##name##pd(struct simd *s)                                                       \
	{                                                                                          \
		for (unsigned lane = 0; lane < 2; lane++)                                          \
			lane_##name(s, DOUBLE, lane);                                              \
	}                                                                                          \
	void simd_##name##ss(struct simd *s)                                                       \
	{                                                                                          \
		lane_##name(s, SINGLE, 0);                                                         \
	}                                                                                          \
	void simd_##name##sd(struct simd *s)                                                       \
	{                                                                                          \
		lane_##name(s, DOUBLE, 0);                                                         \
	}

#define ARITHMETIC(name)                                                                           \
	static void lane_##name(struct simd *s, enum width width, unsigned lane)                   \
	{                                                                                          \
		put_lane(s, width, lane,                                                           \
			 soft_##name(&s->fp, format_of(width), get_lane(s, &s->d, width, lane),    \
				     get_lane(s, &s->s, width, lane)));                            \
	}                                                                                          \
	SIZES(name)
ARITHMETIC(add)
ARITHMETIC(sub)
ARITHMETIC(mul)
ARITHMETIC(div)

static void lane_sqrt(struct simd *s, enum width width, unsigned lane)
{
	put_lane(s, width, lane,
		 soft_sqrt(&s->fp, format_of(width), get_lane(s, &s->s, width, lane)));
}
SIZES(sqrt)

/* The second operand unless the first is truly beyond it; NaNs and equal zeros are "not". */
static void choose(struct simd *s, enum width width, unsigned lane, enum soft_order wanted)
{
	struct soft a = get_lane(s, &s->d, width, lane), b = get_lane(s, &s->s, width, lane);
	bool first = soft_compare(&s->fp, a, b, false) == wanted;
	const struct soft *chosen = first ? &a : &b;
	uint64_t bits = get_bits(first ? &s->d : &s->s, width, lane);

	if (chosen->class == SOFT_ZERO) /* a denormal under DAZ */
		bits = soft_pack(format_of(width), chosen);
	put_bits(&s->d, width, lane, bits);
}

static void lane_min(struct simd *s, enum width width, unsigned lane)
{
	choose(s, width, lane, SOFT_LESS);
}
SIZES(min)

static void lane_max(struct simd *s, enum width width, unsigned lane)
{
	choose(s, width, lane, SOFT_GREATER);
}
SIZES(max)

/* SDM 2 "CMPPD", predicates 0-31 (0-7 without VEX): bit n of a mask is the result for enum
 * soft_order n. From 16 on the same ones come again, quiet if they were signaling and the other way
 * round. */
static void lane_cmp(struct simd *s, enum width width, unsigned lane)
{
	enum {
		LT = 1 << SOFT_LESS,
		EQ = 1 << SOFT_EQUAL,
		GT = 1 << SOFT_GREATER,
		UN = 1 << SOFT_UNORDERED
	};
	static const struct {
		uint8_t holds;
		bool quiet;
	} predicates[16] = {
	    {EQ, true},
	    {LT, false},
	    {LT | EQ, false},
	    {UN, true},
	    {LT | GT | UN, true},
	    {EQ | GT | UN, false},
	    {GT | UN, false},
	    {LT | EQ | GT, true},
	    {EQ | UN, true},
	    {LT | UN, false},
	    {LT | EQ | UN, false},
	    {0, true},
	    {LT | GT, true},
	    {EQ | GT, false},
	    {GT, false},
	    {LT | EQ | GT | UN, true},
	};
	unsigned predicate = s->imm & (s->vex ? 31 : 7);
	bool quiet = predicates[predicate & 15].quiet != (predicate >= 16);
	struct soft a = get_lane(s, &s->d, width, lane), b = get_lane(s, &s->s, width, lane);
	enum soft_order order = soft_compare(&s->fp, a, b, quiet);

	put_bits(&s->d, width, lane,
		 predicates[predicate & 15].holds >> order & 1 ? UINT64_MAX : 0);
}
SIZES(cmp)

/* A handler that is a function of what follows. */
#define HANDLER(name, function, ...)                                                               \
	void simd_##name(struct simd *s)                                                           \
	{                                                                                          \
		function(s, __VA_ARGS__);                                                          \
	}

/* ---- COMISx, UCOMISx: flags change only if nothing is unmasked ---- */

static void compare_flags(struct simd *s, enum width width, bool quiet)
{
	static const uint32_t flags[] = {[SOFT_LESS] = RFLAGS_CF,
					 [SOFT_EQUAL] = RFLAGS_ZF,
					 [SOFT_GREATER] = 0,
					 [SOFT_UNORDERED] = RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF};
	enum soft_order order =
	    soft_compare(&s->fp, get_lane(s, &s->d, width, 0), get_lane(s, &s->s, width, 0), quiet);

	s->store = false;
	if (!(s->fp.flags & ~s->fp.masked))
		cc_set_explicit(s->cpu, flags[order]);
}

HANDLER(comiss, compare_flags, SINGLE, false)
HANDLER(comisd, compare_flags, DOUBLE, false)
HANDLER(ucomiss, compare_flags, SINGLE, true)
HANDLER(ucomisd, compare_flags, DOUBLE, true)

/* ---- SSE3 ---- */

typedef struct soft arithmetic(struct soft_env *env, const struct soft_format *format,
			       struct soft a, struct soft b);

static void horizontal(struct simd *s, enum width width, arithmetic *operation)
{
	unsigned count = width == DOUBLE ? 2 : 4;
	union vec from[2] = {s->d, s->s};

	for (unsigned i = 0; i < count; i++) {
		const union vec *pair = &from[2 * i >= count];
		unsigned first = 2 * i & (count - 1);

		put_lane(s, width, i,
			 operation(&s->fp, format_of(width), get_lane(s, pair, width, first),
				   get_lane(s, pair, width, first + 1)));
	}
}

static void alternate(struct simd *s, enum width width)
{
	for (unsigned i = 0; i < (width == DOUBLE ? 2 : 4); i++)
		(i & 1 ? lane_add : lane_sub)(s, width, i);
}

HANDLER(haddps, horizontal, SINGLE, soft_add)
HANDLER(haddpd, horizontal, DOUBLE, soft_add)
HANDLER(hsubps, horizontal, SINGLE, soft_sub)
HANDLER(hsubpd, horizontal, DOUBLE, soft_sub)
HANDLER(addsubps, alternate, SINGLE)
HANDLER(addsubpd, alternate, DOUBLE)

/* ---- dot product: products, then sums of pairs, each rounded ---- */

/* An intermediate result as the next step reads it. */
static struct soft reread(struct simd *s, enum width width, struct soft value)
{
	return soft_unpack(&s->fp, format_of(width), soft_pack(format_of(width), &value));
}

/* SDM 2 "DPPS": exceptions are determined separately for each multiplication and addition. False:
 * one of this step's is unmasked. */
static bool settle(struct simd *s)
{
	uint8_t unmasked = s->fp.flags & ~s->fp.masked;

	if (unmasked & SOFT_BEFORE)
		s->fp.flags &= SOFT_BEFORE | s->settled;
	s->settled = s->fp.flags;
	return !unmasked;
}

/* Products of one half, chosen by imm 7:4. */
static void multiply(struct simd *s, enum width width, const union vec *a, const union vec *b,
		     struct soft *term)
{
	for (unsigned i = 0; i < (width == DOUBLE ? 2 : 4); i++)
		if (s->imm >> (4 + i) & 1)
			term[i] =
			    reread(s, width,
				   soft_mul(&s->fp, format_of(width), get_lane(s, a, width, i),
					    get_lane(s, b, width, i)));
}

/* Step by step: terms of both halves, then sums of neighbours until one is left of each half. */
static void dot_product(struct simd *s, enum width width, unsigned count)
{
	const struct soft_format *format = format_of(width);
	unsigned all = s->wide ? 2 * count : count;
	struct soft term[8] = {{0}};
	bool going;

	multiply(s, width, &s->d, &s->s, term);
	if (s->wide)
		multiply(s, width, &s->upper.d, &s->upper.s, term + count);
	going = settle(s);
	for (unsigned step = 1; step < count && going; step *= 2) {
		for (unsigned i = 0; i < all; i += 2 * step)
			term[i] =
			    reread(s, width, soft_add(&s->fp, format, term[i], term[i + step]));
		going = settle(s);
	}
	for (unsigned i = 0; i < count; i++) {
		bool wanted = s->imm >> i & 1;

		put_bits(&s->d, width, i, wanted ? soft_pack(format, &term[0]) : 0);
		put_bits(&s->upper.d, width, i, wanted ? soft_pack(format, &term[count]) : 0);
	}
}

HANDLER(dpps, dot_product, SINGLE, 4)
HANDLER(dppd, dot_product, DOUBLE, 2)

/* ---- approximations: denormals are zeros, no exceptions, MXCSR is not looked at ---- */

/* Truncated to 13 bits of significand, which is within 1.5 * 2^-12 and flushes all tiny results. */
static const struct soft_format thirteen_bits = {13, 23, -126, 127};

static void approximate(struct simd *s, unsigned lane, bool root)
{
	struct soft_env env = {
	    .rounding = SOFT_TO_ZERO, .masked = SOFT_ALL, .daz = true, .ftz = true};
	struct soft one = {.class = SOFT_FINITE, .sig = UINT64_C(1) << 63};
	struct soft value = soft_unpack(&env, &soft_f32, s->s.d[lane]);

	if (root)
		value = soft_sqrt(&env, &soft_f64, value);
	put_lane(s, SINGLE, lane, soft_div(&env, &thirteen_bits, one, value));
}

static void approximate_all(struct simd *s, bool root)
{
	for (unsigned lane = 0; lane < 4; lane++)
		approximate(s, lane, root);
}

HANDLER(rcpss, approximate, 0, false)
HANDLER(rsqrtss, approximate, 0, true)
HANDLER(rcpps, approximate_all, false)
HANDLER(rsqrtps, approximate_all, true)
