/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Variation among parts; variation.h.
 */
#include "tests/oracle/variation.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "l0/machine/interp/x87/x87.h"
#include "tests/oracle/among.h"

static uint8_t *vector_byte(uint8_t *fx, unsigned reg, unsigned at)
{
	return fx + (at < 16 ? 160 : NATIVE_YMM) + 16 * reg + at % 16;
}

/* SDM 2 "VPGATHERDD" extends the mask before the first lane is read, and a fault shows it so; AMD's
 * parts extend nothing. */
static void extend_mask(const struct insn_row *row, const struct insn_instance *instance,
			struct native_state *native)
{
	unsigned size = strstr(row->operands, "Mq") ? 8 : 4, index = instance->bytes[3] & 1 ? 8 : 4;
	unsigned vector = instance->bytes[2] & 4 ? 32 : 16, reg = ~instance->bytes[2] >> 3 & 15;
	unsigned end = vector / (size > index ? size : index) * size;

	if (native->vector < 0)
		return;
	for (unsigned at = 0; at < 32; at += size) {
		bool chosen = *vector_byte(native->fx, reg, at + size - 1) >> 7 && at < end;

		memset(vector_byte(native->fx, reg, at), chosen ? 0xff : 0, size);
	}
}

/* AMD's FCOMI leaves C1 alone, where the SDM clears it; its comparisons report what is unordered
 * even if that is an unmasked exception, where the SDM leaves flags and condition codes. */
static void correct_comparison(const struct insn_instance *instance, struct native_state *native,
			       bool flags)
{
	const uint64_t order = RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF;
	uint16_t before, fsw;

	if (native->vector >= 0)
		return;
	memcpy(&before, instance->state.fx + 2, 2);
	memcpy(&fsw, native->fx + 2, 2);
	if (flags)
		fsw &= (uint16_t)~FSW_C1;
	if (fsw & SOFT_IE & ~instance->state.fx[0]) {
		fsw = (uint16_t)((fsw & ~(FSW_CC & ~FSW_C1)) | (before & FSW_CC & ~FSW_C1));
		native->rflags = (native->rflags & ~order) | (instance->state.rflags & order);
	}
	memcpy(native->fx + 2, &fsw, 2);
}

static bool is_comparison(const struct insn_row *row)
{
	return !strncmp(row->handler, "x87_f", 5) &&
	       (strstr(row->handler, "com") || strstr(row->handler, "tst"));
}

void variation_correct(const struct insn_row *row, const struct insn_instance *instance,
		       struct outcome *native)
{
	if (!strcmp(row->handler, "insn_vgather"))
		extend_mask(row, instance, &native->state);
	if (is_comparison(row))
		correct_comparison(instance, &native->state, strstr(row->handler, "comi"));
}

/* MXCSR_MASK as XSAVE stores it: AMD's parts have bit 17. SDM 2 "CVTPI2PS" enters MMX operation
 * with a source in memory too; AMD's parts do not. */
void variation_leave_out(const struct insn_row *row, const struct insn_instance *instance,
			 struct outcome *outcome)
{
	if (!strncmp(row->mnemonic, "XSAVE", 5))
		memset(outcome->data + (instance->target - NATIVE_DATA) + 28, 0, 4);
	if (!strcmp(row->mnemonic, "CVTPI2PS") && instance->memory) {
		memset(outcome->state.fx, 0, 24);
		memset(outcome->state.fx + 32, 0, 128);
	}
}

/* Registers as integers that are adjacent where the numbers are. */
static __int128 as_ordered(const uint8_t *at)
{
	uint64_t sig;
	uint16_t se;
	__int128 value;

	memcpy(&sig, at, 8);
	memcpy(&se, at + 8, 2);
	value = (__int128)(se & F80_EXP) << 63 | (sig & (UINT64_MAX >> 1));
	return se & F80_SIGN ? -value : value;
}

static unsigned worst_ulps;

/* Transcendental instructions may be off by less than an ulp, on either part, in any direction: SDM
 * 1 "Transcendental Instruction Accuracy". */
static void accept_transcendental(const struct insn_instance *instance, struct native_state *native,
				  const struct native_state *ours)
{
	uint64_t sig, rest;
	uint16_t fcw, fsw;

	/* AMD's parts call a result inexact that is an exact power or logarithm */
	memcpy(&sig, instance->state.fx + 32, 8);
	rest = ~(sig ? sig << __builtin_clzll(sig) : sig);
	if (!(rest & (rest + 1)) && native->vector < 0) {
		memcpy(&fcw, native->fx, 2);
		memcpy(&fsw, native->fx + 2, 2);
		fsw = x87_summary(fsw & (ours->fx[2] | ~(SOFT_PE | SOFT_UE)), fcw);
		memcpy(native->fx + 2, &fsw, 2);
	}
	native->fx[3] = (uint8_t)((native->fx[3] & ~2) | (ours->fx[3] & 2));
	for (unsigned at = 32; at < 160; at += 16) {
		__int128 distance = as_ordered(native->fx + at) - as_ordered(ours->fx + at);
		unsigned ulps = distance < 0 ? (unsigned)-distance : (unsigned)distance;

		if (distance < -1 || distance > 1)
			continue;
		worst_ulps = ulps > worst_ulps ? ulps : worst_ulps;
		memcpy(native->fx + at, ours->fx + at, 10);
	}
}

static bool is_transcendental(const struct insn_row *row)
{
	static const char *const names[] = {"F2XM1",  "FYL2X", "FYL2XP1", "FPTAN",
					    "FPATAN", "FSIN",  "FCOS",	  "FSINCOS"};

	return AMONG(names, row->mnemonic);
}

/* Within 1.5 * 2^-12 of the result, SDM 2 "RCPPS", "RSQRTPS", or on a result at the edge of being
 * tiny. */
static void accept_reciprocal(struct native_state *native, const struct native_state *ours)
{
	for (unsigned at = 160; at < NATIVE_FX_SIZE; at += at == 412 ? NATIVE_YMM - 412 : 4) {
		float host, mine;

		memcpy(&host, native->fx + at, 4);
		memcpy(&mine, ours->fx + at, 4);
		if (fabsf(host - mine) <= 3.0f / 4096 * fabsf(host) ||
		    (fabsf(host) <= FLT_MIN && fabsf(mine) <= FLT_MIN &&
		     signbit(host) == signbit(mine)))
			memcpy(native->fx + at, ours->fx + at, 4);
	}
}

static bool is_reciprocal(const struct insn_row *row)
{
	return strstr(row->mnemonic, "RCP") || strstr(row->mnemonic, "RSQRT");
}

bool variation_is_approximate(const struct insn_row *row)
{
	return is_transcendental(row) || is_reciprocal(row);
}

void variation_accept(const struct insn_row *row, const struct insn_instance *instance,
		      struct outcome *native, const struct outcome *ours)
{
	if (is_reciprocal(row))
		accept_reciprocal(&native->state, &ours->state);
	if (is_transcendental(row))
		accept_transcendental(instance, &native->state, &ours->state);
}

unsigned variation_worst_ulps(void)
{
	return worst_ulps;
}
