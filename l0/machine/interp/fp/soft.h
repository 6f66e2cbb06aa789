/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Binary floating point in integers: the same bits and the same exception flags on every host.
 * Numbers are unpacked into struct soft, which is wide enough for the x87 double extended format; a
 * format is where results are rounded to. Rules: SDM 1 "Floating-Point Formats", "Overview of
 * Floating-Point Exceptions".
 */
#ifndef L0_MACHINE_INTERP_FP_SOFT_H
#define L0_MACHINE_INTERP_FP_SOFT_H

#include <stdbool.h>
#include <stdint.h>

/* Exceptions, in the order of MXCSR and of the x87 status word. */
enum soft_exception {
	SOFT_IE = 1,
	SOFT_DE = 2,
	SOFT_ZE = 4,
	SOFT_OE = 8,
	SOFT_UE = 16,
	SOFT_PE = 32,
	SOFT_BEFORE = SOFT_IE | SOFT_DE | SOFT_ZE, /* detected before the computation */
	SOFT_ALL = 63,
};

/* Encoded as in MXCSR.RC and in the x87 control word. */
enum soft_rounding { SOFT_NEAREST, SOFT_DOWN, SOFT_UP, SOFT_TO_ZERO };

struct soft_env {
	uint8_t rounding; /* enum soft_rounding */
	uint8_t masked;	  /* enum soft_exception */
	uint8_t flags;	  /* raised; never cleared here */
	bool daz, ftz;	  /* denormals are zeros; flush to zero */
	bool x87;	  /* of two NaNs the one that the x87 prefers, not the first */
	bool rounded_up;  /* the last rounding went away from zero */
};

enum soft_class { SOFT_ZERO, SOFT_FINITE, SOFT_INFINITY, SOFT_QNAN, SOFT_SNAN };

/* Finite: sig * 2^(exp - 63), bit 63 of sig set. NaN: sig is the payload, with bit 63 set and bit
 * 62 "quiet". */
struct soft {
	uint8_t class; /* enum soft_class */
	bool sign;
	bool denormal; /* the operand was: the operation that uses it raises DE */
	int32_t exp;
	uint64_t sig;
};

struct soft_format {
	uint8_t precision;  /* bits of the significand, the integer bit included */
	uint8_t fraction;   /* bits stored for it */
	int32_t emin, emax; /* exponents of normal numbers */
};
extern const struct soft_format soft_f16, soft_f32, soft_f64, soft_f80;

enum soft_order { SOFT_LESS, SOFT_EQUAL, SOFT_GREATER, SOFT_UNORDERED };

/* Formats of up to 64 bits. Unpacking applies DAZ and raises nothing. */
struct soft soft_unpack(const struct soft_env *env, const struct soft_format *format,
			uint64_t bits);
/* value: a result of an operation with the same format. */
uint64_t soft_pack(const struct soft_format *format, const struct soft *value);

/* Arithmetic, rounded to the format. */
struct soft soft_add(struct soft_env *env, const struct soft_format *format, struct soft a,
		     struct soft b);
struct soft soft_sub(struct soft_env *env, const struct soft_format *format, struct soft a,
		     struct soft b);
struct soft soft_mul(struct soft_env *env, const struct soft_format *format, struct soft a,
		     struct soft b);
struct soft soft_div(struct soft_env *env, const struct soft_format *format, struct soft a,
		     struct soft b);
struct soft soft_sqrt(struct soft_env *env, const struct soft_format *format, struct soft a);
/* a * b + c, rounded once; formats of up to 53 bits. */
struct soft soft_fma(struct soft_env *env, const struct soft_format *format, struct soft a,
		     struct soft b, struct soft c);
/* Rounds (-1)^sign * v * 2^(exp - 127), bit 127 of v set, its lowest bit sticky, to the format: OE
 * UE PE. */
struct soft soft_round(struct soft_env *env, const struct soft_format *format, bool sign,
		       int32_t exp, unsigned __int128 v);

/* quiet: only a signaling NaN is invalid. Raises IE, DE. */
enum soft_order soft_compare(struct soft_env *env, struct soft a, struct soft b, bool quiet);

/* Conversions. To another format (raises IE for a signaling NaN, DE, OE, UE, PE); */
struct soft soft_convert(struct soft_env *env, const struct soft_format *format, struct soft a);
/* to an integral value of the same format (IE, PE); */
struct soft soft_integral(struct soft_env *env, struct soft a, enum soft_rounding rounding);
/* to a signed integer of 16, 32 or 64 bits (IE, PE), its minimum (the "integer indefinite") if it
 * does not fit; */
int64_t soft_to_integer(struct soft_env *env, struct soft a, unsigned bits,
			enum soft_rounding rounding);
/* from a signed integer (PE). */
struct soft soft_from_integer(struct soft_env *env, const struct soft_format *format,
			      int64_t value);

/* The operand that a NaN operation results in, quieted; raises IE for signaling ones. */
struct soft soft_nan(struct soft_env *env, struct soft a, struct soft b);
/* Raises IE; the default NaN. */
struct soft soft_invalid(struct soft_env *env);

static inline bool soft_is_nan(const struct soft *value)
{
	return value->class >= SOFT_QNAN;
}

#endif
