/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels of integer arithmetic, comparison, shifts and packing: one body, one line an instruction.
 */
#include "l0/machine/interp/simd/lanes.h"

#include <string.h>

#include "l0/machine/interp/flags.h"

/* ---- lane by lane, and shifts by the low quadword of the second operand ---- */

#define LANES(name, lane, type, expression)                                                        \
	void simd_##name(struct simd *s)                                                           \
	{                                                                                          \
		for (unsigned i = 0; i < s->bytes / sizeof(type); i++) {                           \
			type a = s->d.lane[i], b = s->s.lane[i];                                   \
                                                                                                   \
			(void)a;                                                                   \
			s->d.lane[i] = (type)(expression);                                         \
		}                                                                                  \
	}
#define SHIFT(name, lane, type, bits, operation, beyond)                                           \
	void simd_##name(struct simd *s)                                                           \
	{                                                                                          \
		uint64_t count = s->s.q[0];                                                        \
                                                                                                   \
		for (unsigned i = 0; i < s->bytes / sizeof(type); i++) {                           \
			type a = s->d.lane[i];                                                     \
                                                                                                   \
			s->d.lane[i] = (type)(count < (bits) ? a operation count : (beyond));      \
		}                                                                                  \
	}
#include "l0/machine/interp/simd/integer.def"
#undef LANES
#undef SHIFT

/* ---- neighbours ---- */

/* Pairs of lanes of d, then of s. */
#define HORIZONTAL(name, lane, type, expression)                                                   \
	void simd_##name(struct simd *s)                                                           \
	{                                                                                          \
		unsigned count = s->bytes / sizeof(type);                                          \
		union vec from[2] = {s->d, s->s};                                                  \
                                                                                                   \
		for (unsigned i = 0; i < count; i++) {                                             \
			const union vec *pair = &from[2 * i >= count];                             \
			type a = pair->lane[2 * i & (count - 1)],                                  \
			     b = pair->lane[(2 * i & (count - 1)) + 1];                            \
                                                                                                   \
			s->d.lane[i] = (type)(expression);                                         \
		}                                                                                  \
	}
HORIZONTAL(phaddw, w, uint16_t, a + b)
HORIZONTAL(phaddd, d, uint32_t, a + b)
HORIZONTAL(phaddsw, sw, int16_t, clamp(a + b, -32768, 32767))
HORIZONTAL(phsubw, w, uint16_t, a - b)
HORIZONTAL(phsubd, d, uint32_t, a - b)
HORIZONTAL(phsubsw, sw, int16_t, clamp(a - b, -32768, 32767))

void simd_pmaddwd(struct simd *s)
{
	for (unsigned i = 0; i < s->bytes / 4; i++)
		s->d.d[i] = (uint32_t)(s->d.sw[2 * i] * s->s.sw[2 * i]) +
			    (uint32_t)(s->d.sw[2 * i + 1] * s->s.sw[2 * i + 1]);
}

void simd_pmaddubsw(struct simd *s)
{
	for (unsigned i = 0; i < s->bytes / 2; i++)
		s->d.sw[i] = (int16_t)clamp(s->d.b[2 * i] * s->s.sb[2 * i] +
						s->d.b[2 * i + 1] * s->s.sb[2 * i + 1],
					    -32768, 32767);
}

static unsigned distance(unsigned a, unsigned b)
{
	return a > b ? a - b : b - a;
}

void simd_psadbw(struct simd *s)
{
	for (unsigned i = 0; i < s->bytes / 8; i++) {
		unsigned sum = 0;

		for (unsigned k = 8 * i; k < 8 * i + 8; k++)
			sum += distance(s->d.b[k], s->s.b[k]);
		s->d.q[i] = sum;
	}
}

void simd_mpsadbw(struct simd *s)
{
	unsigned imm = s->imm >> 3 * s->half, from = imm & 4, against = (imm & 3) * 4;
	union vec a = s->d;

	for (unsigned i = 0; i < 8; i++) {
		unsigned sum = 0;

		for (unsigned k = 0; k < 4; k++)
			sum += distance(a.b[from + i + k], s->s.b[against + k]);
		s->d.w[i] = (uint16_t)sum;
	}
}

void simd_phminposuw(struct simd *s)
{
	unsigned best = 0;

	for (unsigned i = 1; i < 8; i++)
		if (s->s.w[i] < s->s.w[best])
			best = i;
	s->d.q[0] = s->s.w[best] | best << 16;
	s->d.q[1] = 0;
}

/* ZF: s & d is 0, CF: s & ~d is; of each quadword the bits in `mask`. */
static void test(struct simd *s, uint64_t mask)
{
	uint64_t both = 0, rest = 0;

	for (unsigned i = 0; i < 2; i++) {
		both |= (s->s.q[i] & s->d.q[i]) | (s->upper.s.q[i] & s->upper.d.q[i]);
		rest |= (s->s.q[i] & ~s->d.q[i]) | (s->upper.s.q[i] & ~s->upper.d.q[i]);
	}
	s->store = false;
	cc_set_explicit(s->cpu, (both & mask ? 0 : RFLAGS_ZF) | (rest & mask ? 0 : RFLAGS_CF));
}

void simd_ptest(struct simd *s)
{
	test(s, UINT64_MAX);
}

void simd_vtestps(struct simd *s)
{
	test(s, UINT64_C(0x8000000080000000));
}

void simd_vtestpd(struct simd *s)
{
	test(s, UINT64_C(0x8000000000000000));
}

void simd_psrldq(struct simd *s)
{
	union vec result = {.q = {0}};

	for (unsigned i = s->imm; i < 16; i++)
		result.b[i - s->imm] = s->d.b[i];
	s->d = result;
}

void simd_pslldq(struct simd *s)
{
	union vec result = {.q = {0}};

	for (unsigned i = s->imm; i < 16; i++)
		result.b[i] = s->d.b[i - s->imm];
	s->d = result;
}

/* ---- packing: d into the low half, s into the high half ---- */

#define PACK(name, to, type, from, low, high)                                                      \
	void simd_##name(struct simd *s)                                                           \
	{                                                                                          \
		unsigned count = s->bytes / sizeof(type);                                          \
		union vec operands[2] = {s->d, s->s};                                              \
                                                                                                   \
		for (unsigned i = 0; i < count; i++)                                               \
			s->d.to[i] = (type)clamp(                                                  \
			    operands[2 * i >= count].from[i & (count / 2 - 1)], low, high);        \
	}
PACK(packsswb, sb, int8_t, sw, -128, 127)
PACK(packuswb, b, uint8_t, sw, 0, 255)
PACK(packssdw, sw, int16_t, sd, -32768, 32767)
PACK(packusdw, w, uint16_t, sd, 0, 65535)
