/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Direct handlers of moves: between XMM registers, memory and general registers.
 */
#include "l0/machine/interp/simd/direct.h"

/* ---- to XMM registers ---- */

DIRECT_BODY(body_move)
{
	*d = *s;
	return true;
}

DIRECT_BODY(body_low64_alone)
{
	d->q[0] = s->q[0];
	d->q[1] = 0;
	return true;
}

DIRECT_BODY(body_low64)
{
	d->q[0] = s->q[0];
	return true;
}

DIRECT_BODY(body_low32)
{
	d->d[0] = s->d[0];
	return true;
}

DIRECT_BODY(body_high_to_low)
{
	d->q[0] = s->q[1];
	return true;
}

DIRECT_BODY(body_low_to_high)
{
	d->q[1] = s->q[0];
	return true;
}

DIRECT_BODY(body_twice)
{
	d->q[0] = d->q[1] = s->q[0];
	return true;
}

DIRECT_HANDLERS(load_aligned, body_move, 16, true)
DIRECT_HANDLERS(load_unaligned, body_move, 16, false)
DIRECT_HANDLERS(load64, body_move, 8, false)
DIRECT_HANDLERS(load32, body_move, 4, false)
DIRECT_HANDLERS(movq, body_low64_alone, 8, false)
DIRECT_HANDLERS(low64, body_low64, 8, false)
DIRECT_HANDLERS(low32, body_low32, 4, false)
DIRECT_HANDLERS(movhlps, body_high_to_low, 16, true)
DIRECT_HANDLERS(high64, body_low_to_high, 8, false)
DIRECT_HANDLERS(movddup, body_twice, 8, false)

/* ---- from XMM registers ---- */

ALWAYS_INLINE OP_RESULT direct_store(OP_ARGS, unsigned from, unsigned size, bool aligned,
				     enum op_variant variant)
{
	uint8_t *host;

	if (!direct_access(cpu, op, size, aligned, variant, true, &host))
		OP_TAIL(op_complex, cpu, op);
	memcpy(host, simd_xmm(cpu, op->reg)->b + from, size);
	OP_NEXT(cpu, op);
}

/* The register form has the operands the other way round. */
#define STORE(name, body, from, size, aligned)                                                     \
	HANDLER(name##_reg)                                                                        \
	{                                                                                          \
		body(cpu, op, simd_xmm(cpu, op->rm), simd_xmm(cpu, op->reg));                      \
		OP_NEXT(cpu, op);                                                                  \
	}                                                                                          \
	HANDLER(name##_base)                                                                       \
	{                                                                                          \
		return direct_store(cpu, op, clock, from, size, aligned, VARIANT_BASE);            \
	}                                                                                          \
	HANDLER(name##_index)                                                                      \
	{                                                                                          \
		return direct_store(cpu, op, clock, from, size, aligned, VARIANT_INDEX);           \
	}
STORE(store_aligned, body_move, 0, 16, true)
STORE(store_unaligned, body_move, 0, 16, false)
STORE(store64, body_low64, 0, 8, false)
STORE(store32, body_low32, 0, 4, false)
STORE(store_movq, body_low64_alone, 0, 8, false)
STORE(store_high, body_move, 8, 8, false)

/* ---- general registers ---- */

HANDLER(from_general)
{
	union vec *d = simd_xmm(cpu, op->reg);
	uint64_t value = cpu->gpr[op->rm];

	d->q[0] = op->opsize == 8 ? value : (uint32_t)value;
	d->q[1] = 0;
	OP_NEXT(cpu, op);
}

HANDLER(to_general)
{
	uint64_t value = simd_xmm(cpu, op->reg)->q[0];

	cpu->gpr[op->rm] = op->opsize == 8 ? value : (uint32_t)value;
	OP_NEXT(cpu, op);
}

#define LOAD(kernel, size, aligned, name)                                                          \
	{simd_##kernel, SHAPE_XMM_RM, size, aligned, DIRECT_FORMS(name)},
#define SAVE(kernel, size, aligned, name)                                                          \
	{simd_##kernel, SHAPE_RM_XMM, size, aligned, DIRECT_FORMS(name)},
const struct simd_direct simd_direct_move[] = {
    LOAD(move, 16, true, load_aligned) LOAD(move, 16, false, load_unaligned)
	LOAD(move, 8, false, load64) LOAD(move, 4, false, load32) LOAD(movq, 8, false, movq)
	    LOAD(move_low64, 8, false, low64) LOAD(move_low32, 4, false, low32)
		LOAD(movhlps, 16, true, movhlps) LOAD(punpcklqdq, 8, false, high64) LOAD(
		    movddup, 8, false, movddup) SAVE(move, 16, true, store_aligned)
		    SAVE(move, 16, false, store_unaligned) SAVE(move, 8, false, store64) SAVE(
			move_low64, 8, false, store64) SAVE(move_low32, 4, false, store32)
			SAVE(movq, 8, false, store_movq) SAVE(move_high64, 8, false, store_high){
			    simd_move, SHAPE_XMM_GENERAL, 0, false, {[VARIANT_REG] = from_general}},
    {simd_move, SHAPE_RM_GENERAL, 0, false, {[VARIANT_REG] = to_general}},
    {.kernel = NULL},
};
