/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Direct handlers: the hot SSE instructions as ops of their own, without the generality of
 * execute.c. What is not the common case - a TLB miss, a misaligned operand, an operand or result
 * that floating point has rules for - goes to op_complex, before anything has changed. Only for
 * modes with MODE_SSE.
 *
 * A body computes: bool body(cpu, op, d, s). d is the destination and first source, s the second
 * source, which may be the same register. false: nothing changed, op_complex is to do it.
 */
#ifndef L0_MACHINE_INTERP_SIMD_DIRECT_H
#define L0_MACHINE_INTERP_SIMD_DIRECT_H

#include "l0/machine/interp/exec.h"
#include "l0/machine/interp/insn_table.h"

/* Where the operands are; the second one may be in memory where it is RM. */
enum direct_shape {
	SHAPE_XMM_RM,	   /* XMM register in reg, XMM register or memory in rm */
	SHAPE_RM_XMM,	   /* the other way round: stores */
	SHAPE_XMM_GENERAL, /* XMM register in reg, general register or memory in rm */
	SHAPE_RM_GENERAL,  /* general register or memory in rm, XMM register in reg */
	SHAPE_GENERAL_RM,  /* general register in reg, XMM register or memory in rm */
	SHAPE_IMMEDIATE,   /* XMM register in rm, immediate */
};

struct simd_direct {
	simd_kernel *kernel;
	enum direct_shape shape;
	uint8_t size;		 /* bytes of the operand in rm; 0: by operand size */
	bool aligned;		 /* if it is in memory */
	op_fn fn[VARIANT_COUNT]; /* NULL: op_complex */
};

extern const struct simd_direct simd_direct_integer[], simd_direct_move[], simd_direct_float[];

/* The direct form of a row; NULL if it has none. */
const struct simd_direct *simd_direct_find(const struct simd_info *simd);

/* ---- templates ---- */

typedef bool direct_body(struct cpu *cpu, const struct op *op, union vec *d, const union vec *s);
#define DIRECT_BODY(name)                                                                          \
	ALWAYS_INLINE bool name(struct cpu *cpu, const struct op *op, union vec *d,                \
				const union vec *s)

ALWAYS_INLINE OP_RESULT direct_register(OP_ARGS, direct_body *body)
{
	if (!body(cpu, op, simd_xmm(cpu, op->reg), simd_xmm(cpu, op->rm)))
		OP_TAIL(op_complex, cpu, op);
	OP_NEXT(cpu, op);
}

/* The host address of the memory operand; false: not this way. */
ALWAYS_INLINE bool direct_access(struct cpu *cpu, const struct op *op, unsigned size, bool aligned,
				 enum op_variant variant, bool write, uint8_t **host)
{
	uint64_t linear = fast_ea(cpu, op, variant);

	return fast_access(cpu, linear, size, write, host) &&
	       !(aligned && unlikely(linear & (size - 1)));
}

ALWAYS_INLINE OP_RESULT direct_load(OP_ARGS, direct_body *body, unsigned size, bool aligned,
				    enum op_variant variant)
{
	union vec s = {.q = {0, 0}};
	uint8_t *host;

	if (!direct_access(cpu, op, size, aligned, variant, false, &host))
		OP_TAIL(op_complex, cpu, op);
	memcpy(&s, host, size);
	if (!body(cpu, op, simd_xmm(cpu, op->reg), &s))
		OP_TAIL(op_complex, cpu, op);
	OP_NEXT(cpu, op);
}

#define DIRECT_FORMS(name)                                                                         \
	{                                                                                          \
		[VARIANT_REG] = name##_reg, [VARIANT_BASE] = name##_base,                          \
		[VARIANT_INDEX] = name##_index                                                     \
	}
/* Handlers name_reg, name_base, name_index of SHAPE_XMM_RM. */
#define DIRECT_HANDLERS(name, body, size, aligned)                                                 \
	HANDLER(name##_reg)                                                                        \
	{                                                                                          \
		return direct_register(cpu, op, clock, body);                                      \
	}                                                                                          \
	HANDLER(name##_base)                                                                       \
	{                                                                                          \
		return direct_load(cpu, op, clock, body, size, aligned, VARIANT_BASE);             \
	}                                                                                          \
	HANDLER(name##_index)                                                                      \
	{                                                                                          \
		return direct_load(cpu, op, clock, body, size, aligned, VARIANT_INDEX);            \
	}

#endif
