/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM: SDM 1 "Comparison and Aggregation", SDM 2 "Imm8
 * Control Byte Operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM".
 */
#include "l0/machine/interp/simd/simd.h"

#include "l0/machine/interp/flags.h"

/* imm: 0 words, 1 signed, 3:2 aggregation, 5:4 polarity, 6 output selection */
enum aggregation { EQUAL_ANY, RANGES, EQUAL_EACH, EQUAL_ORDERED };

struct strings {
	const struct simd *s;
	int count;     /* elements in a register */
	int length[2]; /* valid ones of d and of s */
};

static int element(const struct strings *x, const union vec *v, int i)
{
	if (x->s->imm & 1)
		return x->s->imm & 2 ? v->sw[i] : v->w[i];
	return x->s->imm & 2 ? v->sb[i] : v->b[i];
}

static int implicit_length(const struct strings *x, const union vec *v)
{
	int i = 0;

	while (i < x->count && element(x, v, i))
		i++;
	return i;
}

/* Absolute value, no more than there is room for. REX.W makes them 64 bits wide. */
static int explicit_length(const struct strings *x, uint64_t value)
{
	int64_t length = x->s->op->opsize == 8 ? (int64_t)value : (int32_t)value;

	if (length > x->count || length < -x->count)
		return x->count;
	return (int)(length < 0 ? -length : length);
}

/* Element j of s against d as a set of elements or of ranges. */
static bool among(const struct strings *x, int j, bool ranges)
{
	int value = element(x, &x->s->s, j);

	if (j >= x->length[1])
		return false;
	for (int i = 0; i < x->length[0]; i++) {
		int low = element(x, &x->s->d, i);

		if (!ranges && value == low)
			return true;
		if (!ranges)
			continue;
		if (++i < x->length[0] && value >= low && value <= element(x, &x->s->d, i))
			return true;
	}
	return false;
}

static bool equal_each(const struct strings *x, int j)
{
	bool valid0 = j < x->length[0], valid1 = j < x->length[1];

	if (!valid0 || !valid1)
		return valid0 == valid1;
	return element(x, &x->s->d, j) == element(x, &x->s->s, j);
}

/* Does d begin at element j of s? What lies beyond the register counts as equal. */
static bool begins_at(const struct strings *x, int j)
{
	for (int i = 0; i < x->length[0] && j + i < x->count; i++)
		if (j + i >= x->length[1] || element(x, &x->s->d, i) != element(x, &x->s->s, j + i))
			return false;
	return true;
}

static uint32_t aggregate(const struct strings *x)
{
	uint32_t result = 0;

	for (int j = 0; j < x->count; j++) {
		bool bit = false;

		switch ((enum aggregation)(x->s->imm >> 2 & 3)) {
		case EQUAL_ANY:
		case RANGES:
			bit = among(x, j, x->s->imm & 4);
			break;
		case EQUAL_EACH:
			bit = equal_each(x, j);
			break;
		case EQUAL_ORDERED:
			bit = begins_at(x, j);
			break;
		}
		result |= (uint32_t)bit << j;
	}
	return result;
}

/* Polarity: as it is, negated, (again) as it is, negated where s is valid. */
static uint32_t polarize(const struct strings *x, uint32_t result)
{
	uint32_t all = (UINT32_C(1) << x->count) - 1;

	if (!(x->s->imm & 16))
		return result;
	return result ^ (x->s->imm & 32 ? (UINT32_C(1) << x->length[1]) - 1 : all);
}

static uint32_t compare(struct simd *s, bool is_explicit)
{
	struct strings x = {.s = s, .count = s->imm & 1 ? 8 : 16};
	uint32_t result;

	x.length[0] =
	    is_explicit ? explicit_length(&x, s->cpu->gpr[REG_RAX]) : implicit_length(&x, &s->d);
	x.length[1] =
	    is_explicit ? explicit_length(&x, s->cpu->gpr[REG_RDX]) : implicit_length(&x, &s->s);
	result = polarize(&x, aggregate(&x));
	s->store = false;
	cc_set_explicit(s->cpu, (result ? RFLAGS_CF : 0) | (x.length[1] < x.count ? RFLAGS_ZF : 0) |
				    (x.length[0] < x.count ? RFLAGS_SF : 0) |
				    (result & 1 ? RFLAGS_OF : 0));
	return result;
}

static void put_index(struct simd *s, uint32_t result)
{
	unsigned none = s->imm & 1 ? 8 : 16;

	if (!result)
		s->cpu->gpr[REG_RCX] = none;
	else
		s->cpu->gpr[REG_RCX] =
		    (unsigned)(s->imm & 64 ? 31 - __builtin_clz(result) : __builtin_ctz(result));
}

static void put_mask(struct simd *s, uint32_t result)
{
	union vec *mask = simd_xmm(s->cpu, 0);

	if (s->vex)
		*simd_ymm_upper(s->cpu, 0) = (union vec){.q = {0}};
	if (!(s->imm & 64)) {
		mask->q[0] = result;
		mask->q[1] = 0;
		return;
	}
	for (unsigned i = 0; i < 16; i++)
		mask->b[i] = result >> (s->imm & 1 ? i / 2 : i) & 1 ? 0xff : 0;
}

void simd_pcmpestri(struct simd *s)
{
	put_index(s, compare(s, true));
}

void simd_pcmpestrm(struct simd *s)
{
	put_mask(s, compare(s, true));
}

void simd_pcmpistri(struct simd *s)
{
	put_index(s, compare(s, false));
}

void simd_pcmpistrm(struct simd *s)
{
	put_mask(s, compare(s, false));
}
