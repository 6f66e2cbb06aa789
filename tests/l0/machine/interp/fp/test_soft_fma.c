/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fused multiplication and addition on values worked out by hand, on every host: one rounding, no
 * overflow in between, the sign of zeros, invalid operations and NaNs as SDM 1 "FMA Numeric
 * Behavior" has them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "l0/machine/interp/fp/soft.h"

#define ONE UINT64_C(0x3ff0000000000000)
#define TWO UINT64_C(0x4000000000000000)
#define HALF UINT64_C(0x3fe0000000000000)
#define MIN_NORMAL UINT64_C(0x0010000000000000)
#define MAX UINT64_C(0x7fefffffffffffff)
#define INF UINT64_C(0x7ff0000000000000)
#define SNAN UINT64_C(0x7ff0000000000001)
#define QNAN UINT64_C(0x7ff8000000000002)
#define QUIETED (SNAN | UINT64_C(1) << 51)
#define DEFAULT UINT64_C(0xfff8000000000000)
#define SIGN UINT64_C(0x8000000000000000)

static const struct {
	enum soft_rounding rounding;
	uint64_t a, b, c, result;
	unsigned flags;
} vectors[] = {
    /* (1 + 2^-52)^2 = 1 + 2^-51 + 2^-104: rounded once, after the addition */
    {SOFT_NEAREST, ONE + 1, ONE + 1, SIGN | (ONE + 2), UINT64_C(0x3970000000000000), 0},
    {SOFT_NEAREST, ONE + 1, ONE + 1, 0, ONE + 2, SOFT_PE},
    {SOFT_UP, ONE + 1, ONE + 1, 0, ONE + 3, SOFT_PE},
    /* far apart, either way */
    {SOFT_NEAREST, MIN_NORMAL, MIN_NORMAL, ONE, ONE, SOFT_PE},
    {SOFT_DOWN, SIGN | MIN_NORMAL, MIN_NORMAL, ONE, ONE - 1, SOFT_PE},
    {SOFT_UP, ONE, ONE, 1, ONE + 1, SOFT_DE | SOFT_PE},
    /* what would overflow or underflow on its own */
    {SOFT_NEAREST, MAX, TWO, SIGN | MAX, MAX, 0},
    {SOFT_NEAREST, MAX, TWO, 0, INF, SOFT_OE | SOFT_PE},
    {SOFT_TO_ZERO, MAX, TWO, ONE, MAX, SOFT_OE | SOFT_PE},
    {SOFT_NEAREST, MIN_NORMAL, HALF, 1, (MIN_NORMAL >> 1) + 1, SOFT_DE},
    {SOFT_NEAREST, MIN_NORMAL, MIN_NORMAL, 0, 0, SOFT_UE | SOFT_PE},
    /* an exact zero has the sign of the rounding mode, a sum of zeros that of both */
    {SOFT_NEAREST, ONE, ONE, SIGN | ONE, 0, 0},
    {SOFT_DOWN, ONE, ONE, SIGN | ONE, SIGN, 0},
    {SOFT_NEAREST, 0, ONE, SIGN, 0, 0},
    {SOFT_DOWN, 0, ONE, SIGN, SIGN, 0},
    {SOFT_NEAREST, SIGN, ONE, SIGN, SIGN, 0},
    {SOFT_NEAREST, 0, ONE, ONE + 1, ONE + 1, 0},
    /* infinities */
    {SOFT_NEAREST, INF, SIGN | ONE, ONE, SIGN | INF, 0},
    {SOFT_NEAREST, MAX, MAX, SIGN | INF, SIGN | INF, 0},
    {SOFT_NEAREST, INF, ONE, SIGN | INF, DEFAULT, SOFT_IE},
    {SOFT_NEAREST, 0, INF, ONE, DEFAULT, SOFT_IE},
    /* the first NaN, of multiplicand, multiplier, addend; it hides zero by infinity */
    {SOFT_NEAREST, 0, INF, QNAN, QNAN, 0},
    {SOFT_NEAREST, QNAN, SNAN, ONE, QNAN, SOFT_IE},
    {SOFT_NEAREST, ONE, SNAN, QNAN, QUIETED, SOFT_IE},
    {SOFT_NEAREST, 1, ONE, SNAN, QUIETED, SOFT_IE},
};

static void fused(void **state)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct soft_env env = {.rounding = vectors[i].rounding, .masked = SOFT_ALL};
		struct soft value =
		    soft_fma(&env, &soft_f64, soft_unpack(&env, &soft_f64, vectors[i].a),
			     soft_unpack(&env, &soft_f64, vectors[i].b),
			     soft_unpack(&env, &soft_f64, vectors[i].c));

		if (soft_pack(&soft_f64, &value) != vectors[i].result ||
		    env.flags != vectors[i].flags)
			fail_msg("vector %zu: %#lx, flags %#x", i,
				 (unsigned long)soft_pack(&soft_f64, &value), env.flags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
