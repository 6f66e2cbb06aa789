/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels of SSE2: scalar doubles and packed vectors. The loops are assembly, in loops.S: compiled
 * guest code leaves the vector registers alone.
 */
#include "l1/guests/compute/compute.h"

#include "l1/lib/cpu.h"

#define TURNS 40000

/* Each returns the bits of its accumulators, folded. */
uint64_t numbers_double(uint64_t turns, const double *constants);
uint64_t numbers_vector(uint64_t turns, uint64_t *to, const uint64_t *from);

static void enable_sse(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
}

/* The constants' bits: 0.999, 0.001, 1.5, 0.25 */
uint64_t double_round(uint64_t x)
{
	static const uint64_t constants[] = {0x3feff7ced916872b, 0x3f50624dd2f1a9fc,
					     0x3ff8000000000000, 0x3fd0000000000000};

	enable_sse();
	return x + numbers_double(TURNS, (const double *)constants);
}

uint64_t vector_round(uint64_t x)
{
	enable_sse();
	for (unsigned i = 0; i < 512; i++)
		words[i] = UINT64_C(0x3f8000003f800000) + i * UINT64_C(0x0000020000000100);
	return x + numbers_vector(TURNS, copies, words);
}
