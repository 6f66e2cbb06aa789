/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Families that fit no common template: LEA, CMOVcc, SETcc, MOV r,imm64, XCHG rAX, BSWAP, CBW/CWD
 * and their wider forms, three-operand IMUL, NOP.
 */
#include "l0/machine/interp/families.h"
#include "l0/machine/interp/alu.h"

/* For families with register forms of sizes 2, 4, 8 only. */
#define REG_FORMS(name)                                                                            \
	{                                                                                          \
		{0}, {[VARIANT_REG] = name##_2}, {[VARIANT_REG] = name##_4},                       \
		    {[VARIANT_REG] = name##_8},                                                    \
	}
#define REG_FAMILY(name)                                                                           \
	const struct op_family family_##name[] = {{{REG_FORMS(name), REG_FORMS(name)}}};
#define SIZED(name, body)                                                                          \
	HANDLER(name##_2)                                                                          \
	{                                                                                          \
		return body(cpu, op, clock, 2);                                                    \
	}                                                                                          \
	HANDLER(name##_4)                                                                          \
	{                                                                                          \
		return body(cpu, op, clock, 4);                                                    \
	}                                                                                          \
	HANDLER(name##_8)                                                                          \
	{                                                                                          \
		return body(cpu, op, clock, 8);                                                    \
	}

/* ---- LEA: no access, so only the address size matters ---- */

HANDLER(lea_general)
{
	uint64_t ea =
	    cpu->gpr[op->base] + (cpu->gpr[op->index] << op->scale) + (uint64_t)(int64_t)op->disp;

	if (op->flags & OP_WIDE)
		ea += UINT64_C(1) << 32;
	if (op->addrsize < 8)
		ea &= UINT64_MAX >> (64 - 8 * op->addrsize);
	if (op->opsize == 2)
		fast_put(cpu, op->reg, 2, ea);
	else
		cpu->gpr[op->reg] = op->opsize == 4 ? (uint32_t)ea : ea;
	OP_NEXT(cpu, op);
}

#define LEA(VARIANT, size)                                                                         \
	HANDLER(lea_##VARIANT##_##size)                                                            \
	{                                                                                          \
		cpu->gpr[op->reg] = fast_ea(cpu, op, VARIANT_##VARIANT) & size_mask(size);         \
		OP_NEXT(cpu, op);                                                                  \
	}
LEA(BASE, 4)
LEA(BASE, 8)
LEA(INDEX, 4)
LEA(INDEX, 8)
LEA(FLAT32, 4)
LEA(FLAT32, 8)

#define LEA_SIZE(size)                                                                             \
	{                                                                                          \
		[VARIANT_GENERAL] = lea_general, [VARIANT_BASE] = lea_BASE_##size,                 \
		[VARIANT_INDEX] = lea_INDEX_##size, [VARIANT_FLAT32] = lea_FLAT32_##size,          \
	}
#define LEA_FORMS                                                                                  \
	{                                                                                          \
		{0}, {[VARIANT_GENERAL] = lea_general}, LEA_SIZE(4), LEA_SIZE(8),                  \
	}
/* The segment plays no part: the SEGMENT variant is the general one. */
const struct op_family family_lea[] = {{{LEA_FORMS, LEA_FORMS}}};

/* ---- CMOVcc: memory is read and a 32-bit destination zero-extended whatever the condition ---- */

ALWAYS_INLINE OP_RESULT cmov_finish(OP_ARGS, unsigned code, uint64_t value, unsigned size)
{
	if (!cc_condition(cpu, code))
		value = fast_get(cpu, op->reg, size);
	fast_put(cpu, op->reg, size, value);
	OP_NEXT(cpu, op);
}

ALWAYS_INLINE OP_RESULT cmov_memory(OP_ARGS, unsigned size, enum op_variant variant, op_fn slow)
{
	uint8_t *host;

	if (!fast_access(cpu, fast_ea(cpu, op, variant), size, false, &host))
		OP_TAIL(slow, cpu, op);
	return cmov_finish(cpu, op, clock, op->vvvv, host_load(host, size), size);
}

#define CMOV_MEMORY(size)                                                                          \
	HANDLER(cmov_general_##size)                                                               \
	{                                                                                          \
		uint64_t value, old;                                                               \
                                                                                                   \
		slow_begin(cpu, op, clock);                                                        \
		value = mem_read(cpu, op->seg, op_ea(cpu, op), size);                              \
		old = fast_get(cpu, op->reg, size);                                                \
		fast_put(cpu, op->reg, size, cc_condition(cpu, op->vvvv) ? value : old);           \
		SLOW_NEXT(cpu, op);                                                                \
	}                                                                                          \
	HANDLER(cmov_base_##size)                                                                  \
	{                                                                                          \
		return cmov_memory(cpu, op, clock, size, VARIANT_BASE, cmov_general_##size);       \
	}                                                                                          \
	HANDLER(cmov_index_##size)                                                                 \
	{                                                                                          \
		return cmov_memory(cpu, op, clock, size, VARIANT_INDEX, cmov_general_##size);      \
	}                                                                                          \
	HANDLER(cmov_flat32_##size)                                                                \
	{                                                                                          \
		return cmov_memory(cpu, op, clock, size, VARIANT_FLAT32, cmov_general_##size);     \
	}
CMOV_MEMORY(2)
CMOV_MEMORY(4)
CMOV_MEMORY(8)

#define CMOV_REG(code, size)                                                                       \
	HANDLER(cmov_##code##_##size)                                                              \
	{                                                                                          \
		return cmov_finish(cpu, op, clock, code, fast_get(cpu, op->rm, size), size);       \
	}
#define CMOV_REGS(code) CMOV_REG(code, 2) CMOV_REG(code, 4) CMOV_REG(code, 8)
#define CONDITIONS(X)                                                                              \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
CONDITIONS(CMOV_REGS)

#define CMOV_SIZE(code, size)                                                                      \
	{                                                                                          \
		[VARIANT_REG] = cmov_##code##_##size, [VARIANT_GENERAL] = cmov_general_##size,     \
		[VARIANT_BASE] = cmov_base_##size, [VARIANT_INDEX] = cmov_index_##size,            \
		[VARIANT_FLAT32] = cmov_flat32_##size,                                             \
	}
#define CMOV_FORMS(code)                                                                           \
	{                                                                                          \
		{0}, CMOV_SIZE(code, 2), CMOV_SIZE(code, 4), CMOV_SIZE(code, 8),                   \
	}
#define CMOV_FAMILY(code) {{CMOV_FORMS(code), CMOV_FORMS(code)}},
const struct op_family family_cmovcc[] = {CONDITIONS(CMOV_FAMILY)};

/* ---- SETcc ---- */

HANDLER(setcc_general)
{
	slow_begin(cpu, op, clock);
	mem_write(cpu, op->seg, op_ea(cpu, op), 1, cc_condition(cpu, op->vvvv));
	SLOW_NEXT(cpu, op);
}

#define SETCC(code)                                                                                \
	HANDLER(setcc_##code)                                                                      \
	{                                                                                          \
		fast_put(cpu, op->rm, 1, cc_condition(cpu, code));                                 \
		OP_NEXT(cpu, op);                                                                  \
	}
CONDITIONS(SETCC)

#define SETCC_FORMS(code)                                                                          \
	{                                                                                          \
		{                                                                                  \
			[VARIANT_REG] = setcc_##code, [VARIANT_GENERAL] = setcc_general            \
		}                                                                                  \
	}
#define SETCC_FAMILY(code) {{SETCC_FORMS(code), SETCC_FORMS(code)}},
const struct op_family family_setcc[] = {CONDITIONS(SETCC_FAMILY)};

/* ---- register forms ---- */

ALWAYS_INLINE OP_RESULT mov_zi(OP_ARGS, unsigned size)
{
	fast_put(cpu, op->rm, size,
		 size == 8 ? (uint64_t)op->imm64 : (uint64_t)(int64_t)op->imm & size_mask(size));
	OP_NEXT(cpu, op);
}
SIZED(mov_zi, mov_zi)
REG_FAMILY(mov_zi)

/* 90 is NOP: XCHG EAX, EAX would clear the upper half. */
ALWAYS_INLINE OP_RESULT xchg_za(OP_ARGS, unsigned size)
{
	uint64_t a = fast_get(cpu, REG_RAX, size), b = fast_get(cpu, op->rm, size);

	if (op->rm != REG_RAX) {
		fast_put(cpu, op->rm, size, a);
		fast_put(cpu, REG_RAX, size, b);
	}
	OP_NEXT(cpu, op);
}
SIZED(xchg_za, xchg_za)
REG_FAMILY(xchg_za)

/* A 16-bit BSWAP is undefined; it clears the register on Intel parts. */
ALWAYS_INLINE OP_RESULT bswap(OP_ARGS, unsigned size)
{
	uint64_t value = cpu->gpr[op->rm];

	fast_put(cpu, op->rm, size,
		 size == 8   ? __builtin_bswap64(value)
		 : size == 4 ? __builtin_bswap32((uint32_t)value)
			     : 0);
	OP_NEXT(cpu, op);
}
SIZED(bswap, bswap)
REG_FAMILY(bswap)

/* CBW CWDE CDQE */
ALWAYS_INLINE OP_RESULT cbw(OP_ARGS, unsigned size)
{
	fast_put(cpu, REG_RAX, size, cc_extend(cpu->gpr[REG_RAX], size / 2) & size_mask(size));
	OP_NEXT(cpu, op);
}
SIZED(cbw, cbw)
REG_FAMILY(cbw)

/* CWD CDQ CQO */
ALWAYS_INLINE OP_RESULT cwd(OP_ARGS, unsigned size)
{
	bool negative = cpu->gpr[REG_RAX] >> (8 * size - 1) & 1;

	fast_put(cpu, REG_RDX, size, negative ? size_mask(size) : 0);
	OP_NEXT(cpu, op);
}
SIZED(cwd, cwd)
REG_FAMILY(cwd)

/* ---- IMUL r, rm, imm ---- */

ALWAYS_INLINE OP_RESULT imul3(OP_ARGS, unsigned size)
{
	uint64_t imm = (uint64_t)(int64_t)op->imm & size_mask(size);

	fast_put(cpu, op->reg, size, alu_imul(cpu, fast_get(cpu, op->rm, size), imm, size, true));
	OP_NEXT(cpu, op);
}
SIZED(imul_gei, imul3)

HANDLER(imul_gei_general)
{
	uint64_t a, imm;

	slow_begin(cpu, op, clock);
	a = mem_read(cpu, op->seg, op_ea(cpu, op), op->opsize);
	imm = (uint64_t)(int64_t)op->imm & size_mask(op->opsize);
	fast_put(cpu, op->reg, op->opsize, alu_imul(cpu, a, imm, op->opsize, true));
	SLOW_NEXT(cpu, op);
}

#define IMUL_SIZE(size)                                                                            \
	{                                                                                          \
		[VARIANT_REG] = imul_gei_##size, [VARIANT_GENERAL] = imul_gei_general              \
	}
#define IMUL_FORMS                                                                                 \
	{                                                                                          \
		{0}, IMUL_SIZE(2), IMUL_SIZE(4), IMUL_SIZE(8)                                      \
	}
const struct op_family family_imul_gei[] = {{{IMUL_FORMS, IMUL_FORMS}}};

/* ---- NOP: the operand is decoded, never accessed ---- */

HANDLER(nop)
{
	OP_NEXT(cpu, op);
}

#define NOP_SIZE                                                                                   \
	{                                                                                          \
		[VARIANT_REG] = nop, [VARIANT_GENERAL] = nop                                       \
	}
#define NOP_FORMS                                                                                  \
	{                                                                                          \
		{0}, NOP_SIZE, NOP_SIZE, NOP_SIZE                                                  \
	}
const struct op_family family_nop[] = {{{NOP_FORMS, NOP_FORMS}}};
