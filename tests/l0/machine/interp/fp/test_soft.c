/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Soft floating point on values worked out by hand, on every host: rounding modes, the ends of the
 * range, NaN rules, conversions, and the double extended format, which the comparison with a CPU's
 * SSE does not reach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "l0/machine/interp/fp/soft.h"

#define ONE UINT64_C(0x3ff0000000000000)
#define MIN_NORMAL UINT64_C(0x0010000000000000)
#define MAX UINT64_C(0x7fefffffffffffff)
#define INF UINT64_C(0x7ff0000000000000)
#define SNAN UINT64_C(0x7ff0000000000001)
#define QNAN UINT64_C(0x7ff8000000000002)
#define DEFAULT UINT64_C(0xfff8000000000000)
#define SIGN UINT64_C(0x8000000000000000)

enum operation { ADD, SUB, MUL, DIV };

struct vector {
	enum operation operation;
	enum soft_rounding rounding;
	uint64_t a, b, result;
	unsigned flags;
};

static const struct vector vectors[] = {
    /* 1 + 2^-53: half a unit goes to even, anything above it up */
    {ADD, SOFT_NEAREST, ONE, 0x3ca0000000000000, ONE, SOFT_PE},
    {ADD, SOFT_NEAREST, ONE, 0x3ca0000000000001, ONE + 1, SOFT_PE},
    {ADD, SOFT_UP, ONE, 1, ONE + 1, SOFT_PE | SOFT_DE},
    {ADD, SOFT_DOWN, ONE, SIGN | 1, ONE - 1, SOFT_PE | SOFT_DE},
    {ADD, SOFT_TO_ZERO, ONE, 0x3ca0000000000001, ONE, SOFT_PE},
    /* an exact zero has the sign of the rounding mode; equal zeros keep theirs */
    {SUB, SOFT_NEAREST, ONE, ONE, 0, 0},
    {SUB, SOFT_DOWN, ONE, ONE, SIGN, 0},
    {ADD, SOFT_NEAREST, SIGN, SIGN, SIGN, 0},
    {SUB, SOFT_NEAREST, SIGN, 0, SIGN, 0},
    /* overflow */
    {ADD, SOFT_NEAREST, MAX, MAX, INF, SOFT_OE | SOFT_PE},
    {ADD, SOFT_TO_ZERO, MAX, MAX, MAX, SOFT_OE | SOFT_PE},
    {MUL, SOFT_UP, MAX, SIGN | MAX, SIGN | MAX, SOFT_OE | SOFT_PE},
    {MUL, SOFT_DOWN, MAX, SIGN | MAX, SIGN | INF, SOFT_OE | SOFT_PE},
    /* underflow: exact, inexact, half of the least denormal (to even), above half, up to the least
       normal */
    {DIV, SOFT_NEAREST, MIN_NORMAL, 0x4000000000000000, MIN_NORMAL >> 1, 0},
    {DIV, SOFT_NEAREST, 1, 0x4000000000000000, 0, SOFT_DE | SOFT_UE | SOFT_PE},
    {DIV, SOFT_UP, 1, 0x4000000000000000, 1, SOFT_DE | SOFT_UE | SOFT_PE},
    {DIV, SOFT_NEAREST, 3, 0x4010000000000000, 1, SOFT_DE | SOFT_UE | SOFT_PE},
    {MUL, SOFT_NEAREST, MIN_NORMAL, ONE - 1, MIN_NORMAL, SOFT_UE | SOFT_PE},
    /* tiny before rounding to 53 bits, not after: no underflow */
    {MUL, SOFT_NEAREST, MIN_NORMAL + 1, ONE - 1, MIN_NORMAL, SOFT_PE},
    /* invalid, division by zero */
    {SUB, SOFT_NEAREST, INF, INF, DEFAULT, SOFT_IE},
    {MUL, SOFT_NEAREST, 0, INF, DEFAULT, SOFT_IE},
    {DIV, SOFT_NEAREST, 0, SIGN, DEFAULT, SOFT_IE},
    {DIV, SOFT_NEAREST, INF, INF, DEFAULT, SOFT_IE},
    {DIV, SOFT_NEAREST, ONE, SIGN, SIGN | INF, SOFT_ZE},
    {DIV, SOFT_NEAREST, INF, 0, INF, 0},
    /* NaNs: the first operand, quieted */
    {ADD, SOFT_NEAREST, SNAN, QNAN, SNAN | UINT64_C(1) << 51, SOFT_IE},
    {ADD, SOFT_NEAREST, QNAN, SNAN, QNAN, SOFT_IE},
    {MUL, SOFT_NEAREST, 1, QNAN, QNAN, 0},
    {SUB, SOFT_NEAREST, ONE, SIGN | QNAN, SIGN | QNAN, 0},
};

static struct soft compute(struct soft_env *env, const struct soft_format *format,
			   enum operation operation, struct soft a, struct soft b)
{
	switch (operation) {
	case ADD:
		return soft_add(env, format, a, b);
	case SUB:
		return soft_sub(env, format, a, b);
	case MUL:
		return soft_mul(env, format, a, b);
	default:
		return soft_div(env, format, a, b);
	}
}

static void arithmetic_of_doubles(void **state)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct soft_env env = {.rounding = v->rounding, .masked = SOFT_ALL};
		struct soft result =
		    compute(&env, &soft_f64, v->operation, soft_unpack(&env, &soft_f64, v->a),
			    soft_unpack(&env, &soft_f64, v->b));

		if (soft_pack(&soft_f64, &result) != v->result || env.flags != v->flags)
			fail_msg("vector %zu: %#lx, flags %#x", i, soft_pack(&soft_f64, &result),
				 env.flags);
	}
}

static void daz_and_ftz(void **state)
{
	struct soft_env env = {.masked = SOFT_ALL, .daz = true, .ftz = true};
	struct soft one = soft_unpack(&env, &soft_f64, ONE), tiny = soft_unpack(&env, &soft_f64, 5),
		    result;

	assert_int_equal(tiny.class, SOFT_ZERO);
	result = soft_add(&env, &soft_f64, one, tiny);
	assert_int_equal(env.flags, 0);
	assert_int_equal(soft_pack(&soft_f64, &result), ONE);
	result = soft_div(&env, &soft_f64, soft_unpack(&env, &soft_f64, MIN_NORMAL | SIGN),
			  soft_unpack(&env, &soft_f64, 0x4000000000000000));
	assert_int_equal(soft_pack(&soft_f64, &result), SIGN);
	assert_int_equal(env.flags, SOFT_UE | SOFT_PE);
}

/* An exact tiny result underflows only if the exception is unmasked. */
static void unmasked_underflow(void **state)
{
	struct soft_env env = {.masked = SOFT_ALL & ~SOFT_UE};

	soft_div(&env, &soft_f64, soft_unpack(&env, &soft_f64, MIN_NORMAL),
		 soft_unpack(&env, &soft_f64, 0x4000000000000000));
	assert_int_equal(env.flags, SOFT_UE);
}

static struct soft extended(bool sign, int32_t exp, uint64_t sig)
{
	return (struct soft){.class = SOFT_FINITE, .sign = sign, .exp = exp, .sig = sig};
}

#define TOP UINT64_C(0x8000000000000000)

static void double_extended(void **state)
{
	struct soft_env env = {.masked = SOFT_ALL};
	struct soft third =
	    soft_div(&env, &soft_f80, extended(false, 0, TOP), extended(false, 1, 3 * (TOP >> 1)));
	struct soft root, sum;

	/* 1/3 = 2^-2 * 1.0101..., 2^0.5 = 1.6a09e667f3bcc908b2fb...: the last bits are rounded */
	assert_int_equal(third.exp, -2);
	assert_true(third.sig == UINT64_C(0xaaaaaaaaaaaaaaab));
	assert_true(env.rounded_up);
	root = soft_sqrt(&env, &soft_f80, extended(false, 1, TOP));
	assert_int_equal(root.exp, 0);
	assert_true(root.sig == UINT64_C(0xb504f333f9de6484));
	assert_int_equal(env.flags, SOFT_PE);
	/* all ones and half a unit carry into the next power of two */
	sum = soft_add(&env, &soft_f80, extended(false, 0, UINT64_MAX), extended(false, -64, TOP));
	assert_int_equal(sum.exp, 1);
	assert_true(sum.sig == TOP);
	/* an exact root */
	env.flags = 0;
	root = soft_sqrt(&env, &soft_f80, extended(false, 4, 9 * (TOP >> 3)));
	assert_int_equal(env.flags, SOFT_PE); /* 18 is no square */
	env.flags = 0;
	root = soft_sqrt(&env, &soft_f80, extended(false, 3, 9 * (TOP >> 3)));
	assert_int_equal(env.flags, 0);
	assert_true(root.sig == 3 * (TOP >> 1) && root.exp == 1);
}

static void nans_of_the_x87(void **state)
{
	struct soft_env env = {.masked = SOFT_ALL, .x87 = true};
	struct soft small = {.class = SOFT_QNAN, .sig = UINT64_C(0xc000000000000001)};
	struct soft large = {.class = SOFT_QNAN, .sig = UINT64_C(0xc000000000000002)};
	struct soft signaling = {.class = SOFT_SNAN, .sig = UINT64_C(0xbfffffffffffffff)};

	assert_true(soft_add(&env, &soft_f80, small, large).sig == large.sig);
	assert_true(soft_add(&env, &soft_f80, large, small).sig == large.sig);
	assert_int_equal(env.flags, 0);
	assert_true(soft_add(&env, &soft_f80, signaling, small).sig == small.sig);
	assert_int_equal(env.flags, SOFT_IE);
}

static void comparisons(void **state)
{
	static const struct {
		uint64_t a, b;
		bool quiet;
		enum soft_order order;
		unsigned flags;
	} cases[] = {
	    {0, SIGN, true, SOFT_EQUAL, 0},
	    {ONE, SIGN | ONE, true, SOFT_GREATER, 0},
	    {SIGN | INF, 1, true, SOFT_LESS, SOFT_DE},
	    {INF, MAX, true, SOFT_GREATER, 0},
	    {SIGN | ONE, 0, true, SOFT_LESS, 0},
	    {SIGN | MAX, SIGN | ONE, true, SOFT_LESS, 0},
	    {QNAN, 1, true, SOFT_UNORDERED, 0},
	    {QNAN, 1, false, SOFT_UNORDERED, SOFT_IE},
	    {1, SNAN, true, SOFT_UNORDERED, SOFT_IE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct soft_env env = {.masked = SOFT_ALL};

		assert_int_equal(soft_compare(&env, soft_unpack(&env, &soft_f64, cases[i].a),
					      soft_unpack(&env, &soft_f64, cases[i].b),
					      cases[i].quiet),
				 cases[i].order);
		assert_int_equal(env.flags, cases[i].flags);
	}
}

static void integers(void **state)
{
	static const struct {
		uint64_t value;
		unsigned bits;
		enum soft_rounding rounding;
		int64_t result;
		unsigned flags;
	} cases[] = {
	    {0x3fe0000000000000, 32, SOFT_NEAREST, 0, SOFT_PE}, /* 0.5 */
	    {0x3ff8000000000000, 32, SOFT_NEAREST, 2, SOFT_PE}, /* 1.5 */
	    {0xbff8000000000000, 32, SOFT_UP, -1, SOFT_PE},	/* -1.5 */
	    {0x41dfffffffc00000, 32, SOFT_NEAREST, INT32_MAX, 0},
	    {0x41dfffffffe00000, 32, SOFT_NEAREST, INT32_MIN, SOFT_IE}, /* rounds to 2^31 */
	    {0x41dfffffffe00000, 32, SOFT_TO_ZERO, INT32_MAX, SOFT_PE},
	    {0xc1e0000000000000, 32, SOFT_NEAREST, INT32_MIN, 0},
	    {0xc1e0000000100000, 32, SOFT_TO_ZERO, INT32_MIN, SOFT_PE},
	    {0xc1e0000000100000, 32, SOFT_DOWN, INT32_MIN, SOFT_IE},
	    {0xc3e0000000000000, 64, SOFT_NEAREST, INT64_MIN, 0},
	    {0x43e0000000000000, 64, SOFT_NEAREST, INT64_MIN, SOFT_IE},
	    {QNAN, 64, SOFT_NEAREST, INT64_MIN, SOFT_IE},
	    {INF, 32, SOFT_NEAREST, INT32_MIN, SOFT_IE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct soft_env env = {.masked = SOFT_ALL};
		struct soft value = soft_unpack(&env, &soft_f64, cases[i].value);

		assert_true(soft_to_integer(&env, value, cases[i].bits, cases[i].rounding) ==
			    cases[i].result);
		assert_int_equal(env.flags, cases[i].flags);
	}
}

static void formats(void **state)
{
	struct soft_env env = {.masked = SOFT_ALL};
	struct soft value = soft_from_integer(&env, &soft_f32, 16777217);

	assert_int_equal(soft_pack(&soft_f32, &value), 0x4b800000); /* 2^24 */
	assert_int_equal(env.flags, SOFT_PE);
	env.flags = 0;
	value = soft_from_integer(&env, &soft_f64, INT64_MIN);
	assert_int_equal(soft_pack(&soft_f64, &value), UINT64_C(0xc3e0000000000000));
	assert_int_equal(env.flags, 0);
	/* the payload's high bits survive, and it becomes quiet */
	value = soft_convert(&env, &soft_f32,
			     soft_unpack(&env, &soft_f64, UINT64_C(0x7ff4000020000000)));
	assert_int_equal(soft_pack(&soft_f32, &value), 0x7fe00001);
	assert_int_equal(env.flags, SOFT_IE);
	/* a denormal single is a normal double */
	env.flags = 0;
	value = soft_convert(&env, &soft_f64, soft_unpack(&env, &soft_f32, 1));
	assert_int_equal(soft_pack(&soft_f64, &value), UINT64_C(0x36a0000000000000));
	assert_int_equal(env.flags, SOFT_DE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(arithmetic_of_doubles),
	    cmocka_unit_test(daz_and_ftz),
	    cmocka_unit_test(unmasked_underflow),
	    cmocka_unit_test(double_extended),
	    cmocka_unit_test(nans_of_the_x87),
	    cmocka_unit_test(comparisons),
	    cmocka_unit_test(integers),
	    cmocka_unit_test(formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
