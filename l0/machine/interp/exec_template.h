/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Templates that turn an operation of alu.h into the handlers of a family: one for each size,
 * variant and flag liveness. FAMILY_E: destination (or only operand) is ModRM.rm; FAMILY_GE:
 * destination is ModRM.reg.
 */
#ifndef L0_MACHINE_INTERP_EXEC_TEMPLATE_H
#define L0_MACHINE_INTERP_EXEC_TEMPLATE_H

#include "l0/machine/interp/alu.h"

enum source {
	SOURCE_REG,
	SOURCE_IMM,
	SOURCE_CL,
	SOURCE_NONE,
};

ALWAYS_INLINE uint64_t source_value(const struct cpu *cpu, const struct op *op, enum source source,
				    unsigned size)
{
	switch (source) {
	case SOURCE_REG:
		return fast_get(cpu, op->reg, size);
	case SOURCE_IMM:
		return (uint64_t)(int64_t)op->imm & size_mask(size);
	case SOURCE_CL:
		return (uint8_t)cpu->gpr[REG_RCX];
	default:
		return 0;
	}
}

/* ---- destination rm ---- */

ALWAYS_INLINE OP_RESULT e_reg(OP_ARGS, enum alu alu, enum source source, unsigned size, bool live)
{
	uint64_t a = alu_reads(alu) ? fast_get(cpu, op->rm, size) : 0;
	uint64_t result = alu_do(cpu, alu, a, source_value(cpu, op, source, size), size, live);

	if (alu == ALU_XCHG)
		fast_put(cpu, op->reg, size, a);
	if (alu_writes(alu))
		fast_put(cpu, op->rm, size, result);
	OP_NEXT(cpu, op);
}

ALWAYS_INLINE OP_RESULT e_memory(OP_ARGS, enum alu alu, enum source source, unsigned size,
				 bool live, enum op_variant variant, op_fn slow)
{
	uint64_t linear = fast_ea(cpu, op, variant), a, result;
	uint8_t *host;

	if (!fast_access(cpu, linear, size, alu_writes(alu), &host))
		OP_TAIL(slow, cpu, op);
	a = alu_reads(alu) ? host_load(host, size) : 0;
	result = alu_do(cpu, alu, a, source_value(cpu, op, source, size), size, live);
	if (alu_writes(alu))
		host_store(host, size, result);
	if (alu == ALU_XCHG)
		fast_put(cpu, op->reg, size, a);
	OP_NEXT(cpu, op);
}

/* The flags change after the store, which may leave (a device, the APIC-access page). Behind a slow
 * access the block may end (time is up, an interrupt waits, code was written), so flags are never
 * dead here, whatever the rest of the block would make of them. */
ALWAYS_INLINE OP_RESULT e_general(OP_ARGS, enum alu alu, enum source source, unsigned size)
{
	struct cc_state before, after;
	uint64_t linear, a = 0, result;

	slow_begin(cpu, op, clock);
	linear =
	    seg_linear(cpu, op->seg, op_ea(cpu, op), size, alu_writes(alu) ? MEM_WRITE : MEM_READ);
	if (alu_reads(alu) && alu_writes(alu))
		lin_probe(cpu, linear, size, MEM_WRITE);
	if (alu_reads(alu))
		a = lin_read(cpu, linear, size, MEM_READ);
	before = cc_save(cpu);
	result = alu_do(cpu, alu, a, source_value(cpu, op, source, size), size, true);
	if (alu_writes(alu)) {
		after = cc_save(cpu);
		cc_restore(cpu, before);
		lin_write(cpu, linear, size, result, MEM_WRITE);
		cc_restore(cpu, after);
	}
	if (alu == ALU_XCHG)
		fast_put(cpu, op->reg, size, a);
	SLOW_NEXT(cpu, op);
}

#define E_HANDLERS(op_, ALU, form, source, size, live)                                             \
	HANDLER(op_##_##form##_##size##_##live##_reg)                                              \
	{                                                                                          \
		return e_reg(cpu, op, clock, ALU, source, size, live);                             \
	}                                                                                          \
	HANDLER(op_##_##form##_##size##_##live##_general)                                          \
	{                                                                                          \
		return e_general(cpu, op, clock, ALU, source, size);                               \
	}                                                                                          \
	E_MEMORY(op_, ALU, form, source, size, live, BASE)                                         \
	E_MEMORY(op_, ALU, form, source, size, live, INDEX)                                        \
	E_MEMORY(op_, ALU, form, source, size, live, SEGMENT)                                      \
	E_MEMORY(op_, ALU, form, source, size, live, FLAT32)

#define E_MEMORY(op_, ALU, form, source, size, live, VARIANT)                                      \
	HANDLER(op_##_##form##_##size##_##live##_##VARIANT)                                        \
	{                                                                                          \
		return e_memory(cpu, op, clock, ALU, source, size, live, VARIANT_##VARIANT,        \
				op_##_##form##_##size##_##live##_general);                         \
	}

#define FORMS(name)                                                                                \
	{                                                                                          \
		[VARIANT_REG] = name##_reg, [VARIANT_GENERAL] = name##_general,                    \
		[VARIANT_BASE] = name##_BASE, [VARIANT_INDEX] = name##_INDEX,                      \
		[VARIANT_SEGMENT] = name##_SEGMENT, [VARIANT_FLAT32] = name##_FLAT32,              \
	}

#define E_ALL_SIZES(op_, ALU, form, source, live)                                                  \
	E_HANDLERS(op_, ALU, form, source, 1, live)                                                \
	E_HANDLERS(op_, ALU, form, source, 2, live)                                                \
	E_HANDLERS(op_, ALU, form, source, 4, live)                                                \
	E_HANDLERS(op_, ALU, form, source, 8, live)

#define FORMS_ALL_SIZES(op_, form, live)                                                           \
	{                                                                                          \
		FORMS(op_##_##form##_1_##live), FORMS(op_##_##form##_2_##live),                    \
		    FORMS(op_##_##form##_4_##live), FORMS(op_##_##form##_8_##live),                \
	}

/* An operation that writes flags. */
#define FAMILY_E(op_, ALU, form, source)                                                           \
	E_ALL_SIZES(op_, ALU, form, source, 0)                                                     \
	E_ALL_SIZES(op_, ALU, form, source, 1)                                                     \
	const struct op_family family_##op_##_##form[] = {                                         \
	    {{FORMS_ALL_SIZES(op_, form, 0), FORMS_ALL_SIZES(op_, form, 1)}}};

/* An operation that does not. */
#define FAMILY_E_PLAIN(op_, ALU, form, source)                                                     \
	E_ALL_SIZES(op_, ALU, form, source, 0)                                                     \
	const struct op_family family_##op_##_##form[] = {                                         \
	    {{FORMS_ALL_SIZES(op_, form, 0), FORMS_ALL_SIZES(op_, form, 0)}}};

/* ---- destination reg; the source may be narrower (from) and sign-extended ---- */

ALWAYS_INLINE uint64_t ge_extend(uint64_t value, unsigned from, unsigned size, bool sign)
{
	return sign ? cc_extend(value, from) & size_mask(size) : value;
}

ALWAYS_INLINE void ge_finish(struct cpu *cpu, const struct op *op, enum alu alu, uint64_t b,
			     unsigned size, bool live)
{
	uint64_t a = alu_reads(alu) ? fast_get(cpu, op->reg, size) : 0;
	uint64_t result = alu_do(cpu, alu, a, b, size, live);

	if (alu_writes(alu))
		fast_put(cpu, op->reg, size, result);
}

ALWAYS_INLINE OP_RESULT ge_reg(OP_ARGS, enum alu alu, unsigned from, bool sign, unsigned size,
			       bool live)
{
	uint64_t b = fast_get(cpu, op->rm, from);

	ge_finish(cpu, op, alu, ge_extend(b, from, size, sign), size, live);
	OP_NEXT(cpu, op);
}

ALWAYS_INLINE OP_RESULT ge_memory(OP_ARGS, enum alu alu, unsigned from, bool sign, unsigned size,
				  bool live, enum op_variant variant, op_fn slow)
{
	uint64_t linear = fast_ea(cpu, op, variant);
	uint8_t *host;

	if (!fast_access(cpu, linear, from, false, &host))
		OP_TAIL(slow, cpu, op);
	ge_finish(cpu, op, alu, ge_extend(host_load(host, from), from, size, sign), size, live);
	OP_NEXT(cpu, op);
}

ALWAYS_INLINE OP_RESULT ge_general(OP_ARGS, enum alu alu, unsigned from, bool sign, unsigned size)
{
	uint64_t b;

	slow_begin(cpu, op, clock);
	b = mem_read(cpu, op->seg, op_ea(cpu, op), from);
	ge_finish(cpu, op, alu, ge_extend(b, from, size, sign), size, true);
	SLOW_NEXT(cpu, op);
}

#define GE_HANDLERS(op_, ALU, from, sign, size, live)                                              \
	HANDLER(op_##_ge_##size##_##live##_reg)                                                    \
	{                                                                                          \
		return ge_reg(cpu, op, clock, ALU, from, sign, size, live);                        \
	}                                                                                          \
	HANDLER(op_##_ge_##size##_##live##_general)                                                \
	{                                                                                          \
		return ge_general(cpu, op, clock, ALU, from, sign, size);                          \
	}                                                                                          \
	GE_MEMORY(op_, ALU, from, sign, size, live, BASE)                                          \
	GE_MEMORY(op_, ALU, from, sign, size, live, INDEX)                                         \
	GE_MEMORY(op_, ALU, from, sign, size, live, SEGMENT)                                       \
	GE_MEMORY(op_, ALU, from, sign, size, live, FLAT32)

#define GE_MEMORY(op_, ALU, from, sign, size, live, VARIANT)                                       \
	HANDLER(op_##_ge_##size##_##live##_##VARIANT)                                              \
	{                                                                                          \
		return ge_memory(cpu, op, clock, ALU, from, sign, size, live, VARIANT_##VARIANT,   \
				 op_##_ge_##size##_##live##_general);                              \
	}

#define FAMILY_GE(op_, ALU)                                                                        \
	GE_HANDLERS(op_, ALU, 1, false, 1, 0)                                                      \
	GE_HANDLERS(op_, ALU, 2, false, 2, 0)                                                      \
	GE_HANDLERS(op_, ALU, 4, false, 4, 0)                                                      \
	GE_HANDLERS(op_, ALU, 8, false, 8, 0)                                                      \
	GE_HANDLERS(op_, ALU, 1, false, 1, 1)                                                      \
	GE_HANDLERS(op_, ALU, 2, false, 2, 1)                                                      \
	GE_HANDLERS(op_, ALU, 4, false, 4, 1)                                                      \
	GE_HANDLERS(op_, ALU, 8, false, 8, 1)                                                      \
	const struct op_family family_##op_##_ge[] = {                                             \
	    {{FORMS_ALL_SIZES(op_, ge, 0), FORMS_ALL_SIZES(op_, ge, 1)}}};

#define FAMILY_GE_PLAIN(op_, ALU)                                                                  \
	GE_HANDLERS(op_, ALU, 1, false, 1, 0)                                                      \
	GE_HANDLERS(op_, ALU, 2, false, 2, 0)                                                      \
	GE_HANDLERS(op_, ALU, 4, false, 4, 0)                                                      \
	GE_HANDLERS(op_, ALU, 8, false, 8, 0)                                                      \
	const struct op_family family_##op_##_ge[] = {                                             \
	    {{FORMS_ALL_SIZES(op_, ge, 0), FORMS_ALL_SIZES(op_, ge, 0)}}};

/* MOVZX, MOVSX, MOVSXD: sizes 2, 4, 8 from a source of `from` bytes. */
#define FORMS_WIDE(op_)                                                                            \
	{                                                                                          \
		{0}, FORMS(op_##_ge_2_0), FORMS(op_##_ge_4_0), FORMS(op_##_ge_8_0)                 \
	}
#define FAMILY_EXTEND(op_, from, sign)                                                             \
	GE_HANDLERS(op_, ALU_MOV, from, sign, 2, 0)                                                \
	GE_HANDLERS(op_, ALU_MOV, from, sign, 4, 0)                                                \
	GE_HANDLERS(op_, ALU_MOV, from, sign, 8, 0)                                                \
	const struct op_family family_##op_##_ge[] = {{{FORMS_WIDE(op_), FORMS_WIDE(op_)}}};

#endif
