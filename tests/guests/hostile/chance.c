/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Chance from a fixed seed, and the kinds of values that have broken hypervisors before.
 */
#include "tests/guests/hostile/hostile.h"

#include "shadow/sdm/x86.h"

static uint64_t state;

void chance_seed(uint64_t seed)
{
	state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

/* xorshift64* */
uint64_t chance(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545f4914f6cdd1d);
}

bool chance_one_in(uint64_t n)
{
	return (chance() >> 8) % n == 0;
}

uint64_t chance_address(uint64_t top)
{
	uint64_t page = chance() >> 8 << PAGE_SHIFT, low = chance_one_in(4) ? chance() >> 52 : 0;

	switch (chance() >> 8 & 7) {
	case 0:
	case 1: /* the hypervisor hides above what it shows of RAM */
		return top + page % (UINT64_C(16) << 20) + low;
	case 2:
	case 3:
	case 4:
		return HOSTILE_SCRATCH + page % (HOSTILE_SCRATCH_END - HOSTILE_SCRATCH) + low;
	case 5: /* no device lives there */
		return UINT64_C(0xd0000000) + page % UINT64_C(0x10000000) + low;
	case 6:
		return (BIT64(32) << (chance() >> 8) % 20) + page % (UINT64_C(1) << 32) + low;
	default:
		return chance() | BIT64(40);
	}
}

uint64_t chance_value(uint64_t top)
{
	switch (chance() >> 8 & 7) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return BIT64(chance() >> 58);
	case 3:
		return chance() >> 56;
	case 4:
		return chance() >> 32;
	case 5:
		return chance();
	default:
		return chance_address(top);
	}
}
