/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels of what came with AVX: broadcasts, permutations, and the moves between halves.
 */
#include "l0/machine/interp/simd/simd.h"

#include <string.h>

/* ---- broadcasts: both halves see the source ---- */

#define BROADCAST(name, lane, count)                                                               \
	void simd_##name(struct simd *s)                                                           \
	{                                                                                          \
		for (unsigned i = 0; i < (count); i++)                                             \
			s->d.lane[i] = s->s.lane[0];                                               \
	}
BROADCAST(vpbroadcastb, b, 16)
BROADCAST(vpbroadcastw, w, 8)
BROADCAST(vpbroadcastd, d, 4)
BROADCAST(vpbroadcastq, q, 2)

/* ---- within a half ---- */

void simd_vpermilps(struct simd *s)
{
	union vec from = s->d;

	for (unsigned i = 0; i < 4; i++)
		s->d.d[i] = from.d[s->s.d[i] & 3];
}

void simd_vpermilpd(struct simd *s)
{
	union vec from = s->d;

	for (unsigned i = 0; i < 2; i++)
		s->d.q[i] = from.q[s->s.q[i] >> 1 & 1];
}

void simd_vpermilpd_imm(struct simd *s)
{
	for (unsigned i = 0; i < 2; i++)
		s->d.q[i] = s->s.q[s->imm >> (2 * s->half + i) & 1];
}

/* ---- across halves ---- */

/* Lanes of s, indexed by those of d. */
void simd_vpermd(struct simd *s)
{
	union vec from[2] = {s->s, s->upper.s};

	for (unsigned i = 0; i < 4; i++) {
		unsigned low = s->d.d[i], high = s->upper.d.d[i];

		s->d.d[i] = from[low >> 2 & 1].d[low & 3];
		s->upper.d.d[i] = from[high >> 2 & 1].d[high & 3];
	}
}

void simd_vpermq(struct simd *s)
{
	union vec from[2] = {s->s, s->upper.s};

	for (unsigned i = 0; i < 2; i++) {
		unsigned low = s->imm >> 2 * i, high = s->imm >> (4 + 2 * i);

		s->d.q[i] = from[low >> 1 & 1].q[low & 1];
		s->upper.d.q[i] = from[high >> 1 & 1].q[high & 1];
	}
}

/* Each half of the result is one of four halves, or 0. */
void simd_vperm2f128(struct simd *s)
{
	const union vec from[4] = {s->d, s->upper.d, s->s, s->upper.s}, zero = {.q = {0}};

	s->d = s->imm & 8 ? zero : from[s->imm & 3];
	s->upper.d = s->imm & 0x80 ? zero : from[s->imm >> 4 & 3];
}

void simd_vinsertf128(struct simd *s)
{
	*(s->imm & 1 ? &s->upper.d : &s->d) = s->s;
}

void simd_vextractf128(struct simd *s)
{
	s->d = s->imm & 1 ? s->upper.s : s->s;
}

/* ---- VZEROUPPER, VZEROALL: of the registers that the mode has ---- */

static void zero_registers(struct simd *s, bool all)
{
	unsigned count = cpu_code64(s->cpu) ? 16 : 8;

	memset(simd_ymm_upper(s->cpu, 0), 0, 16 * count);
	if (all)
		memset(simd_xmm(s->cpu, 0), 0, 16 * count);
	s->store = false;
}

void simd_vzeroupper(struct simd *s)
{
	zero_registers(s, false);
}

void simd_vzeroall(struct simd *s)
{
	zero_registers(s, true);
}
