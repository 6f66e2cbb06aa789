/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels of conversions and of rounding to integral values.
 */
#include "l0/machine/interp/simd/lanes.h"

/* ---- between formats: all sources are read before the first result is written ---- */

static struct soft widen(struct simd *s, unsigned lane)
{
	return soft_convert(&s->fp, &soft_f64, get_lane(s, &s->s, SINGLE, lane));
}

static uint32_t narrow(struct simd *s, const union vec *from, unsigned lane)
{
	struct soft value = soft_convert(&s->fp, &soft_f32, get_lane(s, from, DOUBLE, lane));

	return (uint32_t)soft_pack(&soft_f32, &value);
}

void simd_cvtps2pd(struct simd *s)
{
	struct soft lane[4] = {widen(s, 0), widen(s, 1)};

	if (s->wide)
		lane[2] = widen(s, 2), lane[3] = widen(s, 3);
	for (unsigned i = 0; i < 2; i++) {
		s->d.q[i] = soft_pack(&soft_f64, &lane[i]);
		s->upper.d.q[i] = soft_pack(&soft_f64, &lane[2 + i]);
	}
}

void simd_cvtss2sd(struct simd *s)
{
	put_lane(s, DOUBLE, 0, widen(s, 0));
}

void simd_cvtpd2ps(struct simd *s)
{
	union vec result = {.d = {narrow(s, &s->s, 0), narrow(s, &s->s, 1)}};

	if (s->wide)
		result.d[2] = narrow(s, &s->upper.s, 0), result.d[3] = narrow(s, &s->upper.s, 1);
	s->d = result;
}

void simd_cvtsd2ss(struct simd *s)
{
	s->d.d[0] = narrow(s, &s->s, 0);
}

/* ---- half precision ---- */

/* Denormals of half precision are not flushed and raise nothing. */
static uint32_t widen_half(struct simd *s, unsigned lane)
{
	struct soft_env env = s->fp;
	struct soft value;

	env.daz = false;
	value = soft_unpack(&env, &soft_f16, s->s.w[lane]);
	value.denormal = false;
	value = soft_convert(&s->fp, &soft_f32, value);
	return (uint32_t)soft_pack(&soft_f32, &value);
}

void simd_vcvtph2ps(struct simd *s)
{
	for (unsigned i = 0; i < 4; i++) {
		s->d.d[i] = widen_half(s, i);
		s->upper.d.d[i] = s->wide ? widen_half(s, 4 + i) : 0;
	}
}

/* SDM 2 "VCVTPS2PH": imm 1:0 rounding, 2 takes MXCSR.RC instead; MXCSR.FTZ is not looked at. */
static uint16_t narrow_half(struct simd *s, const union vec *from, unsigned lane)
{
	struct soft_env env = s->fp;
	struct soft value;

	env.ftz = false;
	if (!(s->imm & 4))
		env.rounding = s->imm & 3;
	value = soft_convert(&env, &soft_f16, get_lane(s, from, SINGLE, lane));
	s->fp.flags |= env.flags;
	return (uint16_t)soft_pack(&soft_f16, &value);
}

void simd_vcvtps2ph(struct simd *s)
{
	union vec result = {.q = {0}};

	for (unsigned i = 0; i < 4; i++) {
		result.w[i] = narrow_half(s, &s->s, i);
		result.w[4 + i] = s->wide ? narrow_half(s, &s->upper.s, i) : 0;
	}
	s->d = result;
}

/* ---- from integers ---- */

static void from_integer(struct simd *s, enum width width, unsigned lane, int64_t value)
{
	put_lane(s, width, lane, soft_from_integer(&s->fp, format_of(width), value));
}

/* The general-register forms take 32 or 64 bits. */
static int64_t general_source(const struct simd *s)
{
	return s->op->opsize == 8 ? s->s.sq[0] : s->s.sd[0];
}

void simd_cvtsi2ss(struct simd *s)
{
	from_integer(s, SINGLE, 0, general_source(s));
}

void simd_cvtsi2sd(struct simd *s)
{
	from_integer(s, DOUBLE, 0, general_source(s));
}

void simd_cvtdq2ps(struct simd *s)
{
	for (unsigned i = 0; i < 4; i++)
		from_integer(s, SINGLE, i, s->s.sd[i]);
}

void simd_cvtpi2ps(struct simd *s)
{
	for (unsigned i = 0; i < 2; i++)
		from_integer(s, SINGLE, i, s->s.sd[i]);
}

/* Always exact. */
void simd_cvtdq2pd(struct simd *s)
{
	for (unsigned i = 0; i < 2; i++) {
		struct soft high = soft_from_integer(&s->fp, &soft_f64, s->s.sd[2 + i]);

		from_integer(s, DOUBLE, i, s->s.sd[i]);
		s->upper.d.q[i] = soft_pack(&soft_f64, &high);
	}
}

/* ---- to integers: cvt by MXCSR.RC, cvtt truncates ---- */

static void to_general(struct simd *s, enum width width, unsigned rounding)
{
	s->d.sq[0] =
	    soft_to_integer(&s->fp, get_lane(s, &s->s, width, 0), 8u * s->op->opsize, rounding);
}

static int32_t to_integer(struct simd *s, const union vec *from, enum width width, unsigned lane,
			  unsigned rounding)
{
	return (int32_t)soft_to_integer(&s->fp, get_lane(s, from, width, lane), 32, rounding);
}

static void to_lanes(struct simd *s, enum width width, unsigned count, unsigned rounding)
{
	union vec result = {.q = {0}};

	for (unsigned i = 0; i < count; i++)
		result.sd[i] = to_integer(s, &s->s, width, i, rounding);
	for (unsigned i = 0; s->wide && width == DOUBLE && i < count; i++)
		result.sd[count + i] = to_integer(s, &s->upper.s, width, i, rounding);
	s->d = result;
}

#define TO_INTEGER(name, call, width, ...)                                                         \
	void simd_cvt##name(struct simd *s)                                                        \
	{                                                                                          \
		call(s, width, ##__VA_ARGS__, s->fp.rounding);                                     \
	}                                                                                          \
	void simd_cvtt##name(struct simd *s)                                                       \
	{                                                                                          \
		call(s, width, ##__VA_ARGS__, SOFT_TO_ZERO);                                       \
	}
TO_INTEGER(ss2si, to_general, SINGLE)
TO_INTEGER(sd2si, to_general, DOUBLE)
TO_INTEGER(ps2dq, to_lanes, SINGLE, 4)
TO_INTEGER(ps2pi, to_lanes, SINGLE, 2)
TO_INTEGER(pd2dq, to_lanes, DOUBLE, 2)

/* ---- ROUNDxx: SDM 2 "ROUNDPD": imm 1:0 rounding, 2 take MXCSR.RC instead, 3 no precision
 * exception ---- */

static void lane_round(struct simd *s, enum width width, unsigned lane)
{
	struct soft_env env = s->fp;
	unsigned rounding = s->imm & 4 ? s->fp.rounding : s->imm & 3;

	env.flags = 0;
	put_lane(s, width, lane, soft_integral(&env, get_lane(s, &s->s, width, lane), rounding));
	s->fp.flags |= s->imm & 8 ? env.flags & ~SOFT_PE : env.flags;
}

void simd_roundss(struct simd *s)
{
	lane_round(s, SINGLE, 0);
}

void simd_roundsd(struct simd *s)
{
	lane_round(s, DOUBLE, 0);
}

void simd_roundps(struct simd *s)
{
	for (unsigned i = 0; i < 4; i++)
		lane_round(s, SINGLE, i);
}

void simd_roundpd(struct simd *s)
{
	for (unsigned i = 0; i < 2; i++)
		lane_round(s, DOUBLE, i);
}
