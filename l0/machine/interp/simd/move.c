/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels that move, duplicate, interleave, shuffle, insert and extract. Rows of rows.def name
 * them.
 */
#include "l0/machine/interp/simd/simd.h"

#include <string.h>

#include "l0/machine/interp/cpu.h"

void simd_move(struct simd *s)
{
	s->d = s->s;
}

void simd_movq(struct simd *s)
{
	s->d.q[0] = s->s.q[0];
	s->d.q[1] = 0;
}

void simd_move_low32(struct simd *s)
{
	s->d.d[0] = s->s.d[0];
}

void simd_move_low64(struct simd *s)
{
	s->d.q[0] = s->s.q[0];
}

void simd_move_high64(struct simd *s)
{
	s->d.q[0] = s->s.q[1];
}

void simd_movhlps(struct simd *s)
{
	s->d.q[0] = s->s.q[1];
}

void simd_movddup(struct simd *s)
{
	s->d.q[0] = s->d.q[1] = s->s.q[0];
}

void simd_movsldup(struct simd *s)
{
	for (unsigned i = 0; i < 4; i++)
		s->d.d[i] = s->s.d[i & 2];
}

void simd_movshdup(struct simd *s)
{
	for (unsigned i = 0; i < 4; i++)
		s->d.d[i] = s->s.d[i | 1];
}

/* ---- masks: bit by bit the signs of the lanes, of both halves ---- */

#define SIGNS(name, lane, count, sign)                                                             \
	void simd_##name(struct simd *s)                                                           \
	{                                                                                          \
		s->d.q[0] = 0;                                                                     \
		for (unsigned i = 0; i < (count); i++) {                                           \
			s->d.q[0] |= (uint64_t)(s->s.lane[i] >> (sign)) << i;                      \
			s->d.q[0] |= (uint64_t)(s->upper.s.lane[i] >> (sign)) << (i + (count));    \
		}                                                                                  \
	}
SIGNS(pmovmskb, b, s->bytes, 7)
SIGNS(movmskps, d, 4, 31)
SIGNS(movmskpd, q, 2, 63)

/* The whole destination must be writable, as if all of it were written. */
void simd_maskmov(struct simd *s)
{
	struct cpu *cpu = s->cpu;
	uint64_t offset = cpu->gpr[REG_RDI] & (UINT64_MAX >> (64 - 8 * s->op->addrsize));
	uint64_t linear = seg_linear(cpu, s->op->seg, offset, s->bytes, MEM_WRITE), mask = 0;

	s->store = false;
	for (unsigned i = 0; i < s->bytes; i++)
		mask |= (uint64_t)(s->s.b[i] >> 7) << i;
	if (!mask)
		return;
	lin_probe(cpu, linear, s->bytes, MEM_WRITE);
	for (unsigned i = 0; i < s->bytes; i++)
		if (mask >> i & 1)
			lin_write(cpu, linear + i, 1, s->d.b[i], MEM_WRITE);
}

/* ---- interleave ---- */

#define UNPACK(name, lane, width, first)                                                           \
	void simd_##name(struct simd *s)                                                           \
	{                                                                                          \
		unsigned half = s->bytes / (width) / 2, from = (first) ? half : 0;                 \
		union vec result = {.q = {0}};                                                     \
                                                                                                   \
		for (unsigned i = 0; i < half; i++) {                                              \
			result.lane[2 * i] = s->d.lane[from + i];                                  \
			result.lane[2 * i + 1] = s->s.lane[from + i];                              \
		}                                                                                  \
		s->d = result;                                                                     \
	}
UNPACK(punpcklbw, b, 1, 0)
UNPACK(punpcklwd, w, 2, 0)
UNPACK(punpckldq, d, 4, 0)
UNPACK(punpcklqdq, q, 8, 0)
UNPACK(punpckhbw, b, 1, 1)
UNPACK(punpckhwd, w, 2, 1)
UNPACK(punpckhdq, d, 4, 1)
UNPACK(punpckhqdq, q, 8, 1)

/* ---- shuffles ---- */

void simd_pshufd(struct simd *s)
{
	for (unsigned i = 0; i < 4; i++)
		s->d.d[i] = s->s.d[s->imm >> 2 * i & 3];
}

void simd_pshuflw(struct simd *s)
{
	for (unsigned i = 0; i < 4; i++)
		s->d.w[i] = s->s.w[s->imm >> 2 * i & 3];
	s->d.q[1] = s->s.q[1];
}

void simd_pshufhw(struct simd *s)
{
	for (unsigned i = 0; i < 4; i++)
		s->d.w[4 + i] = s->s.w[4 + (s->imm >> 2 * i & 3)];
	s->d.q[0] = s->s.q[0];
}

void simd_shufps(struct simd *s)
{
	union vec a = s->d;

	for (unsigned i = 0; i < 4; i++)
		s->d.d[i] = (i < 2 ? &a : &s->s)->d[s->imm >> 2 * i & 3];
}

void simd_shufpd(struct simd *s)
{
	unsigned imm = s->imm >> 2 * s->half;

	s->d.q[0] = s->d.q[imm & 1];
	s->d.q[1] = s->s.q[imm >> 1 & 1];
}

void simd_pshufb(struct simd *s)
{
	union vec a = s->d;

	for (unsigned i = 0; i < s->bytes; i++)
		s->d.b[i] = s->s.b[i] & 0x80 ? 0 : a.b[s->s.b[i] & (s->bytes - 1)];
}

void simd_palignr(struct simd *s)
{
	union vec a = s->d;

	for (unsigned i = 0; i < s->bytes; i++) {
		unsigned from = i + s->imm;

		s->d.b[i] = from < s->bytes	  ? s->s.b[from]
			    : from < 2 * s->bytes ? a.b[from - s->bytes]
						  : 0;
	}
}

/* ---- blends: by immediate, by the sign bits of the third source ---- */

#define BLEND(name, lane, count, chosen)                                                           \
	void simd_##name(struct simd *s)                                                           \
	{                                                                                          \
		for (unsigned i = 0; i < (count); i++)                                             \
			if (chosen)                                                                \
				s->d.lane[i] = s->s.lane[i];                                       \
	}
BLEND(blendps, d, 4, s->imm >> (4 * s->half + i) & 1)
BLEND(blendpd, q, 2, s->imm >> (2 * s->half + i) & 1)
BLEND(pblendw, w, 8, s->imm >> i & 1)
BLEND(pblendvb, b, 16, s->t.b[i] >> 7)
BLEND(blendvps, d, 4, s->t.d[i] >> 31)
BLEND(blendvpd, q, 2, s->t.q[i] >> 63)

/* ---- insert, extract ---- */

void simd_pinsrb(struct simd *s)
{
	s->d.b[s->imm & 15] = s->s.b[0];
}

void simd_pinsrw(struct simd *s)
{
	s->d.w[s->imm & (s->bytes / 2 - 1)] = s->s.w[0];
}

void simd_pinsrd(struct simd *s)
{
	if (s->op->opsize == 8)
		s->d.q[s->imm & 1] = s->s.q[0];
	else
		s->d.d[s->imm & 3] = s->s.d[0];
}

void simd_pextrb(struct simd *s)
{
	s->d.q[0] = s->s.b[s->imm & 15];
}

void simd_pextrw(struct simd *s)
{
	s->d.q[0] = s->s.w[s->imm & (s->bytes / 2 - 1)];
}

void simd_pextrd(struct simd *s)
{
	s->d.q[0] = s->op->opsize == 8 ? s->s.q[s->imm & 1] : s->s.d[s->imm & 3];
}

void simd_extractps(struct simd *s)
{
	s->d.q[0] = s->s.d[s->imm & 3];
}

static void insert_single(struct simd *s, uint32_t value)
{
	s->d.d[s->imm >> 4 & 3] = value;
	for (unsigned i = 0; i < 4; i++)
		if (s->imm >> i & 1)
			s->d.d[i] = 0;
}

void simd_insertps(struct simd *s)
{
	insert_single(s, s->s.d[s->imm >> 6]);
}

void simd_insertps_mem(struct simd *s)
{
	insert_single(s, s->s.d[0]);
}

/* ---- widening ---- */

#define WIDEN(name, to, count, from)                                                               \
	void simd_##name(struct simd *s)                                                           \
	{                                                                                          \
		for (unsigned i = 0; i < (count); i++) {                                           \
			s->d.to[i] = s->s.from[i];                                                 \
			s->upper.d.to[i] = s->s.from[i + (count)];                                 \
		}                                                                                  \
	}
WIDEN(pmovsxbw, sw, 8, sb)
WIDEN(pmovsxbd, sd, 4, sb)
WIDEN(pmovsxbq, sq, 2, sb)
WIDEN(pmovsxwd, sd, 4, sw)
WIDEN(pmovsxwq, sq, 2, sw)
WIDEN(pmovsxdq, sq, 2, sd)
WIDEN(pmovzxbw, w, 8, b)
WIDEN(pmovzxbd, d, 4, b)
WIDEN(pmovzxbq, q, 2, b)
WIDEN(pmovzxwd, d, 4, w)
WIDEN(pmovzxwq, q, 2, w)
WIDEN(pmovzxdq, q, 2, d)
