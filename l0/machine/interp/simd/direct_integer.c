/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Direct handlers of integer vectors: the rows of integer.def, shifts by an immediate, interleaving
 * and shuffling.
 */
#include "l0/machine/interp/simd/direct.h"
#include "l0/machine/interp/simd/lanes.h"

/* ---- lane by lane ---- */

#define LANES(name, lane, type, expression)                                                        \
	DIRECT_BODY(body_##name)                                                                   \
	{                                                                                          \
		union vec first = *d, second = *s, result;                                         \
                                                                                                   \
		for (unsigned i = 0; i < 16 / sizeof(type); i++) {                                 \
			type a = first.lane[i], b = second.lane[i];                                \
                                                                                                   \
			(void)a;                                                                   \
			result.lane[i] = (type)(expression);                                       \
		}                                                                                  \
		*d = result;                                                                       \
		return true;                                                                       \
	}                                                                                          \
	DIRECT_HANDLERS(direct_##name, body_##name, 16, true)
#define SHIFT(name, lane, type, bits, operation, beyond)                                           \
	ALWAYS_INLINE void shift_##name(union vec *d, uint64_t count)                              \
	{                                                                                          \
		union vec from = *d, result;                                                       \
                                                                                                   \
		for (unsigned i = 0; i < 16 / sizeof(type); i++) {                                 \
			type a = from.lane[i];                                                     \
                                                                                                   \
			result.lane[i] = (type)(count < (bits) ? a operation count : (beyond));    \
		}                                                                                  \
		*d = result;                                                                       \
	}                                                                                          \
	DIRECT_BODY(body_##name)                                                                   \
	{                                                                                          \
		shift_##name(d, s->q[0]);                                                          \
		return true;                                                                       \
	}                                                                                          \
	DIRECT_HANDLERS(direct_##name, body_##name, 16, true)                                      \
	HANDLER(direct_##name##_immediate)                                                         \
	{                                                                                          \
		shift_##name(simd_xmm(cpu, op->rm), (uint8_t)op->imm);                             \
		OP_NEXT(cpu, op);                                                                  \
	}
#include "l0/machine/interp/simd/integer.def"
#undef LANES
#undef SHIFT

/* ---- across lanes ---- */

#define UNPACK(name, lane, width, from)                                                            \
	DIRECT_BODY(body_##name)                                                                   \
	{                                                                                          \
		union vec first = *d, second = *s, result;                                         \
                                                                                                   \
		for (unsigned i = 0; i < 8 / (width); i++) {                                       \
			result.lane[2 * i] = first.lane[(from) / (width) + i];                     \
			result.lane[2 * i + 1] = second.lane[(from) / (width) + i];                \
		}                                                                                  \
		*d = result;                                                                       \
		return true;                                                                       \
	}                                                                                          \
	DIRECT_HANDLERS(direct_##name, body_##name, 16, true)
UNPACK(punpcklbw, b, 1, 0)
UNPACK(punpcklwd, w, 2, 0)
UNPACK(punpckldq, d, 4, 0)
UNPACK(punpcklqdq, q, 8, 0)
UNPACK(punpckhbw, b, 1, 8)
UNPACK(punpckhwd, w, 2, 8)
UNPACK(punpckhdq, d, 4, 8)
UNPACK(punpckhqdq, q, 8, 8)

DIRECT_BODY(body_pshufd)
{
	union vec from = *s, result;
	unsigned imm = (uint8_t)op->imm;

	for (unsigned i = 0; i < 4; i++)
		result.d[i] = from.d[imm >> 2 * i & 3];
	*d = result;
	return true;
}
DIRECT_HANDLERS(direct_pshufd, body_pshufd, 16, true)

DIRECT_BODY(body_shufps)
{
	union vec first = *d, second = *s, result;
	unsigned imm = (uint8_t)op->imm;

	for (unsigned i = 0; i < 4; i++)
		result.d[i] = (i < 2 ? &first : &second)->d[imm >> 2 * i & 3];
	*d = result;
	return true;
}
DIRECT_HANDLERS(direct_shufps, body_shufps, 16, true)

/* ---- whole registers by bytes ---- */

ALWAYS_INLINE unsigned __int128 get_whole(const union vec *v)
{
	return (unsigned __int128)v->q[1] << 64 | v->q[0];
}

ALWAYS_INLINE void put_whole(union vec *v, unsigned __int128 value)
{
	v->q[0] = (uint64_t)value;
	v->q[1] = (uint64_t)(value >> 64);
}

HANDLER(direct_psrldq)
{
	union vec *v = simd_xmm(cpu, op->rm);
	unsigned count = (uint8_t)op->imm;

	put_whole(v, count < 16 ? get_whole(v) >> 8 * count : 0);
	OP_NEXT(cpu, op);
}

HANDLER(direct_pslldq)
{
	union vec *v = simd_xmm(cpu, op->rm);
	unsigned count = (uint8_t)op->imm;

	put_whole(v, count < 16 ? get_whole(v) << 8 * count : 0);
	OP_NEXT(cpu, op);
}

/* A bit of each byte, gathered by a multiplication: the products do not meet. */
ALWAYS_INLINE uint64_t byte_signs(uint64_t v)
{
	return (v >> 7 & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080) >> 56;
}

HANDLER(direct_pmovmskb)
{
	const union vec *v = simd_xmm(cpu, op->rm);

	cpu->gpr[op->reg] = byte_signs(v->q[0]) | byte_signs(v->q[1]) << 8;
	OP_NEXT(cpu, op);
}

#define ROW(name) {simd_##name, SHAPE_XMM_RM, 16, true, DIRECT_FORMS(direct_##name)},
#define LANES(name, lane, type, expression) ROW(name)
#define SHIFT(name, lane, type, bits, operation, beyond)                                           \
	ROW(name)                                                                                  \
	{simd_##name, SHAPE_IMMEDIATE, 16, true, {[VARIANT_REG] = direct_##name##_immediate}},
const struct simd_direct simd_direct_integer[] = {
#include "l0/machine/interp/simd/integer.def"
	ROW(punpcklbw) ROW(punpcklwd) ROW(punpckldq) ROW(punpcklqdq)
	ROW(punpckhbw) ROW(punpckhwd) ROW(punpckhdq) ROW(punpckhqdq)
	ROW(pshufd) ROW(shufps)
	{simd_psrldq, SHAPE_IMMEDIATE, 16, true, {[VARIANT_REG] = direct_psrldq}},
	{simd_pslldq, SHAPE_IMMEDIATE, 16, true, {[VARIANT_REG] = direct_pslldq}},
	{simd_pmovmskb, SHAPE_GENERAL_RM, 16, true, {[VARIANT_REG] = direct_pmovmskb}},
	{.kernel = NULL},
};
