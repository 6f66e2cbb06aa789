/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Values and states for vector instructions and the XSAVE family.
 */
#include "tests/oracle/vector_gen.h"

#include <string.h>

#include "shadow/sdm/x86.h"

static void put(uint8_t *at, uint64_t value, unsigned size)
{
	memcpy(at, &value, size);
}

uint64_t vector_gen_quadword(uint64_t *seed)
{
	uint64_t low;

	switch (insn_gen_random(seed) >> 32 & 3) {
	case 0:
		return insn_gen_integer(seed);
	case 1:
		return insn_gen_float(seed, 52, 1023);
	default:
		low = insn_gen_float(seed, 23, 127); /* first, whatever the compiler */
		return low | insn_gen_float(seed, 23, 127) << 32;
	}
}

void vector_gen_state(uint8_t *fx, uint64_t *seed)
{
	uint64_t random = insn_gen_random(seed);
	uint32_t mxcsr = (random & 0x6000) | (random >> 16 & 7 ? 0x1f80 : random >> 24 & 0x1f80);

	mxcsr |= (random >> 40 & 3 ? 0 : 0x40) | (random >> 42 & 3 ? 0 : 0x8000);
	mxcsr |= random >> 44 & 1 ? random >> 48 & 63 : 0;
	memset(fx, 0, NATIVE_FX_SIZE);
	put(fx, 0x37f, 2);
	put(fx + 2, random & 0x3800, 2);
	fx[4] = random >> 56;
	put(fx + 24, mxcsr, 4);
	for (unsigned i = 0; i < 8; i++) {
		put(fx + 32 + 16 * i, vector_gen_quadword(seed), 8);
		put(fx + 40 + 16 * i, insn_gen_random(seed), 2);
	}
	for (unsigned i = 0; i < 32; i++)
		put(fx + 160 + 8 * i, vector_gen_quadword(seed), 8);
	for (unsigned i = 0; i < 32; i++)
		put(fx + NATIVE_YMM + 8 * i, vector_gen_quadword(seed), 8);
}

void vector_gen_xsave_area(struct insn_instance *instance, uint64_t *seed)
{
	static const uint64_t strange[] = {8, UINT64_C(1) << 62, 0x400};
	uint64_t random = insn_gen_random(seed), mask = insn_gen_random(seed);
	uint64_t xstate_bv = random & 7, xcomp_bv = 0;
	uint8_t *area = instance->data + (instance->target - NATIVE_DATA);

	if (random & 8)
		xcomp_bv = UINT64_C(1) << 63 | xstate_bv | (random >> 4 & 7);
	if (!(random >> 8 & 31))
		xcomp_bv ^= random >> 13 & 7;
	if (!(random >> 16 & 31))
		*(random >> 21 & 1 ? &xstate_bv : &xcomp_bv) |= strange[(random >> 22) % 3];
	instance->state.gpr[REG_RAX] = mask & 7;
	instance->state.gpr[REG_RDX] = 0;
	vector_gen_state(area, seed);
	memset(area + 416, 0x5a, 96);
	if (!(random >> 32 & 31))
		area[26] = 1; /* reserved in MXCSR */
	put(area + 512, xstate_bv, 8);
	put(area + 520, xcomp_bv, 8);
	memset(area + 528, 0, 48);
	if (!(random >> 40 & 31))
		area[528 + (random >> 48) % 48] = 1;
	/* what is in its initial configuration */
	if (mask >> 8 & 1)
		memset(instance->state.fx + NATIVE_YMM, 0, 256);
	if (!(mask >> 16 & 7))
		memset(instance->state.fx + 160, 0, 256);
	if (!(mask >> 24 & 7))
		put(instance->state.fx + 24, 0x1f80, 4);
}
