/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The random numbers of insn_gen.h: any, those on boundaries, and floating-point ones that meet.
 */
#include "tests/oracle/insn_gen.h"

uint64_t insn_gen_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* A value that tends to lie on a boundary. */
uint64_t insn_gen_integer(uint64_t *seed)
{
	uint64_t random = insn_gen_random(seed);

	switch (random & 7) {
	case 0:
		return random >> 8 & 0xff;
	case 1:
		return -(random >> 8 & 0xff);
	case 2:
		return UINT64_C(1) << (random >> 8 & 63);
	case 3:
		return (UINT64_C(1) << (random >> 8 & 63)) - 1;
	case 4:
		return (int64_t)(int32_t)(random >> 8);
	default:
		return insn_gen_random(seed);
	}
}

/* Sign and fraction at random; an exponent of zero (or a denormal), infinity (or a NaN, signaling
 * or not), near one of the ends, or moderate, so that two of them meet. */
uint64_t insn_gen_float(uint64_t *seed, unsigned fraction, unsigned emax)
{
	uint64_t random = insn_gen_random(seed), bits = insn_gen_random(seed);
	uint64_t mask = (UINT64_C(1) << fraction) - 1, exp;

	switch (random & 15) {
	case 0:
		exp = 0;
		break;
	case 1:
		exp = 2 * emax + 1;
		break;
	case 2:
		exp = 1 + (random >> 8 & 3);
		break;
	case 3:
		exp = 2 * emax - (random >> 8 & 3);
		break;
	case 4:
		exp = bits >> 8 & (2 * emax + 1);
		break;
	case 5:
		exp = emax / 2 + (random >> 8 & 7);
		break;
	case 6:
		exp = emax + emax / 2 + (random >> 8 & 7);
		break;
	case 7:
		exp = emax + (random >> 8 & 63);
		break;
	default:
		exp = emax - 4 + (random >> 8 & 7);
		break;
	}
	switch (random >> 16 & 7) {
	case 0:
		bits &= ~mask;
		break;
	case 1:
		bits |= mask;
		break;
	case 2:
		bits &= ~(mask >> 3); /* halves and other short fractions */
		break;
	case 3:
		bits = (bits & ~mask) | (bits & 7);
		break;
	default:
		break;
	}
	return (random >> 63) << (fraction == 23 ? 31 : 63) | exp << fraction | (bits & mask);
}
