/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Direct handlers of floating point, on the host's where that gives the same bits and flags for
 * certain: operands are normal numbers or zeros, the result is zero for that reason alone or well
 * within the normal range, rounding is to nearest, and inexactness has nothing to change any more -
 * PE is set and masked - or is proved absent. Everything else is fp/soft.c's. IEEE 754 leaves no
 * choice in what remains, so every host computes the same; contraction is off for the whole build.
 */
#include <float.h>
#include <math.h>

#include "l0/machine/interp/simd/direct.h"

_Static_assert(FLT_EVAL_METHOD == 0, "doubles are evaluated as doubles, floats as floats");

#define MXCSR_PE BIT32(5)
#define MXCSR_PM BIT32(12)
#define MXCSR_RC (3u << 13)

ALWAYS_INLINE uint32_t mxcsr(const struct cpu *cpu)
{
	uint32_t value;

	memcpy(&value, cpu->xsave_area + AREA_MXCSR, 4);
	return value;
}

/* Results are rounded to nearest, and being inexact leaves no trace. */
ALWAYS_INLINE bool silent(const struct cpu *cpu)
{
	return (mxcsr(cpu) & (MXCSR_RC | MXCSR_PM | MXCSR_PE)) == (MXCSR_PM | MXCSR_PE);
}

ALWAYS_INLINE bool nearest(const struct cpu *cpu)
{
	return !(mxcsr(cpu) & MXCSR_RC);
}

enum arithmetic { ADD, SUB, MUL, DIV };

/* One format: its type, its bits, the width of its fraction and of its exponent, its lanes. */
#define FORMAT(type, bits_t, fraction, width, lane)                                                \
	ALWAYS_INLINE type type##_of(bits_t bits)                                                  \
	{                                                                                          \
		type value;                                                                        \
                                                                                                   \
		memcpy(&value, &bits, sizeof(value));                                              \
		return value;                                                                      \
	}                                                                                          \
	ALWAYS_INLINE bits_t type##_bits(type value)                                               \
	{                                                                                          \
		bits_t bits;                                                                       \
                                                                                                   \
		memcpy(&bits, &value, sizeof(bits));                                               \
		return bits;                                                                       \
	}                                                                                          \
	ALWAYS_INLINE bits_t type##_exponent(bits_t bits)                                          \
	{                                                                                          \
		return bits >> (fraction) & (((bits_t)1 << (width)) - 1);                          \
	}                                                                                          \
	ALWAYS_INLINE bool type##_zero(bits_t bits)                                                \
	{                                                                                          \
		return !(bits_t)(bits << 1);                                                       \
	}                                                                                          \
	/* A normal number or zero. */                                                             \
	ALWAYS_INLINE bool type##_plain(bits_t bits)                                               \
	{                                                                                          \
		return type##_exponent(bits) - 1 < ((bits_t)1 << (width)) - 2 || type##_zero(bits); \
	}                                                                                          \
	/* Normal, and more than one exponent above the smallest: not tiny before rounding. */     \
	ALWAYS_INLINE bool type##_settled(bits_t bits)                                             \
	{                                                                                          \
		return type##_exponent(bits) - 2 < ((bits_t)1 << (width)) - 3;                     \
	}                                                                                          \
	/* Enough trailing zeros for the product of two plain numbers to be exact. */              \
	ALWAYS_INLINE bool type##_product_fits(bits_t a, bits_t b)                                 \
	{                                                                                          \
		const bits_t one = (bits_t)1 << (fraction);                                        \
                                                                                                   \
		if (type##_zero(a) || type##_zero(b))                                              \
			return true;                                                               \
		return __builtin_ctzll((a & (one - 1)) | one) +                                    \
			       __builtin_ctzll((b & (one - 1)) | one) >                            \
		       (fraction);                                                                 \
	}                                                                                          \
	/* The error of a sum is a number: Knuth's TwoSum finds it. */                             \
	ALWAYS_INLINE bool type##_sum_exact(type a, type b, type sum)                              \
	{                                                                                          \
		type second = sum - a, first = sum - second;                                       \
                                                                                                   \
		return (a - first) + (b - second) == 0;                                            \
	}                                                                                          \
	ALWAYS_INLINE type type##_compute(enum arithmetic what, type a, type b)                    \
	{                                                                                          \
		return what == ADD ? a + b : what == SUB ? a - b : what == MUL ? a * b : a / b;    \
	}                                                                                          \
	ALWAYS_INLINE bool type##_exact(enum arithmetic what, type a, type b, type result)         \
	{                                                                                          \
		if (what == ADD || what == SUB)                                                    \
			return type##_sum_exact(a, what == SUB ? -b : b, result);                  \
		if (what == MUL)                                                                   \
			return type##_product_fits(type##_bits(a), type##_bits(b));                \
		return type##_product_fits(type##_bits(result), type##_bits(b)) &&                 \
		       result * b == a;                                                            \
	}                                                                                          \
	/* Zero without underflow: of equal numbers' difference, or of zeros. */                   \
	ALWAYS_INLINE bool type##_honest(enum arithmetic what, bits_t a, bits_t b, bits_t result)  \
	{                                                                                          \
		if (type##_settled(result))                                                        \
			return true;                                                               \
		return type##_zero(result) && (what == ADD || what == SUB || type##_zero(a) ||     \
					       (what == MUL && type##_zero(b)));                   \
	}                                                                                          \
	ALWAYS_INLINE bool type##_lane(const struct cpu *cpu, enum arithmetic what, bits_t a,      \
				       bits_t b, bits_t *result)                                   \
	{                                                                                          \
		type value;                                                                        \
                                                                                                   \
		if (!type##_plain(a) || !type##_plain(b) || (what == DIV && type##_zero(b)))       \
			return false;                                                              \
		value = type##_compute(what, type##_of(a), type##_of(b));                          \
		*result = type##_bits(value);                                                      \
		return type##_honest(what, a, b, *result) &&                                       \
		       (likely(silent(cpu)) ||                                                     \
			(nearest(cpu) && type##_exact(what, type##_of(a), type##_of(b), value)));  \
	}                                                                                          \
	ALWAYS_INLINE bool type##_packed(const struct cpu *cpu, enum arithmetic what,              \
					 union vec *d, const union vec *s)                         \
	{                                                                                          \
		union vec result;                                                                  \
                                                                                                   \
		for (unsigned i = 0; i < 16 / sizeof(type); i++)                                   \
			if (!type##_lane(cpu, what, d->lane[i], s->lane[i], &result.lane[i]))      \
				return false;                                                      \
		*d = result;                                                                       \
		return true;                                                                       \
	}                                                                                          \
	ALWAYS_INLINE bool type##_root(const struct cpu *cpu, bits_t a, bits_t *result)            \
	{                                                                                          \
		type value;                                                                        \
                                                                                                   \
		if (!type##_plain(a) || (type##_of(a) < 0))                                        \
			return false;                                                              \
		value = (type)(sizeof(type) == 8 ? sqrt(type##_of(a)) : sqrtf((float)type##_of(a))); \
		*result = type##_bits(value);                                                      \
		return silent(cpu) || (nearest(cpu) && type##_product_fits(*result, *result) &&    \
				       value * value == type##_of(a));                             \
	}                                                                                          \
	/* The second unless the first is beyond it; with zeros the second, too. */                \
	ALWAYS_INLINE bool type##_choose(bool most, bits_t a, bits_t b, bits_t *result)            \
	{                                                                                          \
		bool first = most ? type##_of(a) > type##_of(b) : type##_of(a) < type##_of(b);     \
                                                                                                   \
		*result = first ? a : b;                                                           \
		return type##_plain(a) && type##_plain(b);                                         \
	}                                                                                          \
	/* Predicates 0-7 of CMPxx; no operand is a NaN. */                                        \
	ALWAYS_INLINE bool type##_compare(unsigned predicate, bits_t a, bits_t b, bits_t *result)  \
	{                                                                                          \
		bool less = type##_of(a) < type##_of(b), equal = type##_of(a) == type##_of(b);     \
		bool holds[4] = {equal, less, less | equal, false};                                \
                                                                                                   \
		*result = holds[predicate & 3] != (predicate >> 2 & 1) ? (bits_t)-1 : 0;           \
		return type##_plain(a) && type##_plain(b);                                         \
	}                                                                                          \
	ALWAYS_INLINE bool type##_order(struct cpu *cpu, bits_t a, bits_t b)                       \
	{                                                                                          \
		if (!type##_plain(a) || !type##_plain(b))                                          \
			return false;                                                              \
		cc_set_explicit(cpu, type##_of(a) < type##_of(b)    ? RFLAGS_CF                    \
				     : type##_of(a) == type##_of(b) ? RFLAGS_ZF                    \
								    : 0);                          \
		return true;                                                                       \
	}

FORMAT(double, uint64_t, 52, 11, q)
FORMAT(float, uint32_t, 23, 8, d)

/* ---- arithmetic ---- */

#define ARITHMETIC(name, what)                                                                     \
	DIRECT_BODY(body_##name##pd)                                                               \
	{                                                                                          \
		return double_packed(cpu, what, d, s);                                             \
	}                                                                                          \
	DIRECT_BODY(body_##name##ps)                                                               \
	{                                                                                          \
		return float_packed(cpu, what, d, s);                                              \
	}                                                                                          \
	DIRECT_BODY(body_##name##sd)                                                               \
	{                                                                                          \
		uint64_t result;                                                                   \
                                                                                                   \
		if (!double_lane(cpu, what, d->q[0], s->q[0], &result))                            \
			return false;                                                              \
		d->q[0] = result;                                                                  \
		return true;                                                                       \
	}                                                                                          \
	DIRECT_BODY(body_##name##ss)                                                               \
	{                                                                                          \
		uint32_t result;                                                                   \
                                                                                                   \
		if (!float_lane(cpu, what, d->d[0], s->d[0], &result))                             \
			return false;                                                              \
		d->d[0] = result;                                                                  \
		return true;                                                                       \
	}                                                                                          \
	FOUR_HANDLERS(name)
#define FOUR_HANDLERS(name)                                                                        \
	DIRECT_HANDLERS(direct_##name##ps, body_##name##ps, 16, true)                              \
	DIRECT_HANDLERS(direct_##name##pd, body_##name##pd, 16, true)                              \
	DIRECT_HANDLERS(direct_##name##ss, body_##name##ss, 4, false)                              \
	DIRECT_HANDLERS(direct_##name##sd, body_##name##sd, 8, false)
ARITHMETIC(add, ADD)
ARITHMETIC(sub, SUB)
ARITHMETIC(mul, MUL)
ARITHMETIC(div, DIV)

/* Operations of which a lane needs no more than an expression: of a, b and where the result goes.
 */
#define LANE_BODY(name, bits_t, lane, count, expression)                                           \
	DIRECT_BODY(body_##name)                                                                   \
	{                                                                                          \
		union vec result = *d;                                                             \
                                                                                                   \
		for (unsigned i = 0; i < (count); i++) {                                           \
			bits_t a = d->lane[i], b = s->lane[i], *to = &result.lane[i];              \
                                                                                                   \
			(void)a;                                                                   \
			if (!(expression))                                                         \
				return false;                                                      \
		}                                                                                  \
		*d = result;                                                                       \
		return true;                                                                       \
	}
#define FOUR_BODIES(name, of_double, of_float)                                                     \
	LANE_BODY(name##pd, uint64_t, q, 2, of_double)                                             \
	LANE_BODY(name##sd, uint64_t, q, 1, of_double)                                             \
	LANE_BODY(name##ps, uint32_t, d, 4, of_float)                                              \
	LANE_BODY(name##ss, uint32_t, d, 1, of_float)                                              \
	FOUR_HANDLERS(name)
FOUR_BODIES(sqrt, double_root(cpu, b, to), float_root(cpu, b, to))
FOUR_BODIES(min, double_choose(false, a, b, to), float_choose(false, a, b, to))
FOUR_BODIES(max, double_choose(true, a, b, to), float_choose(true, a, b, to))
FOUR_BODIES(cmp, double_compare((unsigned)op->imm, a, b, to),
	    float_compare((unsigned)op->imm, a, b, to))

/* ---- comparisons that set flags ---- */

DIRECT_BODY(body_comisd)
{
	return double_order(cpu, d->q[0], s->q[0]);
}
DIRECT_BODY(body_comiss)
{
	return float_order(cpu, d->d[0], s->d[0]);
}
DIRECT_HANDLERS(direct_comisd, body_comisd, 8, false)
DIRECT_HANDLERS(direct_comiss, body_comiss, 4, false)

/* ---- conversions ---- */

DIRECT_BODY(body_cvtss2sd)
{
	if (!float_plain(s->d[0]))
		return false;
	d->q[0] = double_bits((double)float_of(s->d[0]));
	return true;
}

DIRECT_BODY(body_cvtsd2ss)
{
	double from = double_of(s->q[0]);
	uint32_t result = float_bits((float)from);

	if (!double_plain(s->q[0]) || !(float_settled(result) || double_zero(s->q[0])) ||
	    !(silent(cpu) || (nearest(cpu) && (double)float_of(result) == from)))
		return false;
	d->d[0] = result;
	return true;
}
DIRECT_HANDLERS(direct_cvtss2sd, body_cvtss2sd, 4, false)
DIRECT_HANDLERS(direct_cvtsd2ss, body_cvtsd2ss, 8, false)

ALWAYS_INLINE int64_t general_source(const struct cpu *cpu, const struct op *op)
{
	uint64_t value = cpu->gpr[op->rm];

	return op->opsize == 8 ? (int64_t)value : (int32_t)value;
}

/* The conversion is exact where the format has a bit for each of the integer's. */
#define FROM_GENERAL(name, type, fraction, store)                                                  \
	HANDLER(direct_##name)                                                                     \
	{                                                                                          \
		const int64_t most = INT64_C(2) << (fraction);                                     \
		int64_t value = general_source(cpu, op);                                           \
                                                                                                   \
		if (!(value >= -most && value <= most) && !silent(cpu))                            \
			OP_TAIL(op_complex, cpu, op);                                              \
		simd_xmm(cpu, op->reg)->store = type##_bits((type)value);                          \
		OP_NEXT(cpu, op);                                                                  \
	}
FROM_GENERAL(cvtsi2sd, double, 52, q[0])
FROM_GENERAL(cvtsi2ss, float, 23, d[0])

/* Truncation; what does not fit is the indefinite integer, and soft's. */
#define TO_GENERAL(name, type, load)                                                               \
	HANDLER(direct_##name)                                                                     \
	{                                                                                          \
		const union vec *s = simd_xmm(cpu, op->rm);                                        \
		type value = type##_of(s->load), most = op->opsize == 8 ? 0x1p63 : 0x1p31;         \
		int64_t result;                                                                    \
                                                                                                   \
		if (!type##_plain(s->load) || !(value > -most && value < most))                    \
			OP_TAIL(op_complex, cpu, op);                                              \
		result = (int64_t)value;                                                           \
		if ((type)result != value && !silent(cpu))                                         \
			OP_TAIL(op_complex, cpu, op);                                              \
		cpu->gpr[op->reg] = op->opsize == 8 ? (uint64_t)result : (uint32_t)result;         \
		OP_NEXT(cpu, op);                                                                  \
	}
TO_GENERAL(cvttsd2si, double, q[0])
TO_GENERAL(cvttss2si, float, d[0])

#define ROW(name, size, aligned)                                                                   \
	{simd_##name, SHAPE_XMM_RM, size, aligned, DIRECT_FORMS(direct_##name)},
#define FOUR(name)                                                                                 \
	ROW(name##ps, 16, true)                                                                    \
	ROW(name##pd, 16, true) ROW(name##ss, 4, false) ROW(name##sd, 8, false)
const struct simd_direct simd_direct_float[] = {
	FOUR(add) FOUR(sub) FOUR(mul) FOUR(div) FOUR(sqrt) FOUR(min) FOUR(max) FOUR(cmp)
	ROW(comisd, 8, false)
	ROW(comiss, 4, false)
	{simd_ucomisd, SHAPE_XMM_RM, 8, false, DIRECT_FORMS(direct_comisd)},
	{simd_ucomiss, SHAPE_XMM_RM, 4, false, DIRECT_FORMS(direct_comiss)},
	ROW(cvtss2sd, 4, false)
	ROW(cvtsd2ss, 8, false)
	{simd_cvtsi2sd, SHAPE_XMM_GENERAL, 0, false, {[VARIANT_REG] = direct_cvtsi2sd}},
	{simd_cvtsi2ss, SHAPE_XMM_GENERAL, 0, false, {[VARIANT_REG] = direct_cvtsi2ss}},
	{simd_cvttsd2si, SHAPE_GENERAL_RM, 8, false, {[VARIANT_REG] = direct_cvttsd2si}},
	{simd_cvttss2si, SHAPE_GENERAL_RM, 4, false, {[VARIANT_REG] = direct_cvttss2si}},
	{.kernel = NULL},
};
