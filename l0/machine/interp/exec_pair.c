/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Two register operations in one handler, for the pairs that compiled code is full of. The handler
 * stands at the first op; the second stays in place. The first one's flags are dead; nothing in a
 * pair faults.
 */
#include "l0/machine/interp/families.h"
#include "l0/machine/interp/exec_template.h"
#include "l0/machine/interp/insn_table.h"

/* name, operation, source */
#define FIRSTS(X)                                                                                  \
	X(mov_eg, ALU_MOV, SOURCE_REG)                                                             \
	X(add_eg, ALU_ADD, SOURCE_REG)                                                             \
	X(sub_eg, ALU_SUB, SOURCE_REG)                                                             \
	X(and_eg, ALU_AND, SOURCE_REG)                                                             \
	X(or_eg, ALU_OR, SOURCE_REG)                                                               \
	X(xor_eg, ALU_XOR, SOURCE_REG)                                                             \
	X(add_ei, ALU_ADD, SOURCE_IMM)                                                             \
	X(sub_ei, ALU_SUB, SOURCE_IMM)                                                             \
	X(and_ei, ALU_AND, SOURCE_IMM)                                                             \
	X(shl_ei, ALU_SHL, SOURCE_IMM)                                                             \
	X(shr_ei, ALU_SHR, SOURCE_IMM)                                                             \
	X(rol_ei, ALU_ROL, SOURCE_IMM)                                                             \
	X(ror_ei, ALU_ROR, SOURCE_IMM)
/* first..., name, operation, source */
#define SECONDS(X, ...)                                                                            \
	X(__VA_ARGS__, mov_eg, ALU_MOV, SOURCE_REG)                                                \
	X(__VA_ARGS__, add_eg, ALU_ADD, SOURCE_REG)                                                \
	X(__VA_ARGS__, sub_eg, ALU_SUB, SOURCE_REG)                                                \
	X(__VA_ARGS__, and_eg, ALU_AND, SOURCE_REG)                                                \
	X(__VA_ARGS__, or_eg, ALU_OR, SOURCE_REG)                                                  \
	X(__VA_ARGS__, xor_eg, ALU_XOR, SOURCE_REG)                                                \
	X(__VA_ARGS__, add_ei, ALU_ADD, SOURCE_IMM)                                                \
	X(__VA_ARGS__, sub_ei, ALU_SUB, SOURCE_IMM)                                                \
	X(__VA_ARGS__, and_ei, ALU_AND, SOURCE_IMM)                                                \
	X(__VA_ARGS__, shl_ei, ALU_SHL, SOURCE_IMM)                                                \
	X(__VA_ARGS__, shr_ei, ALU_SHR, SOURCE_IMM)                                                \
	X(__VA_ARGS__, rol_ei, ALU_ROL, SOURCE_IMM)                                                \
	X(__VA_ARGS__, ror_ei, ALU_ROR, SOURCE_IMM)

/* What the second has to do with the first: its destination is the same, its source is what the
 * first has computed, or neither. The result of the first then need not go through memory. */
enum relation { APART, SAME, FEEDS, RELATIONS };

/* A pair's operands are all in the first op: registers in four bytes, of which one load gets all.
 */
struct operands {
	uint8_t reg1, rm1, rm2, reg2;
};
_Static_assert(
    offsetof(struct op, rm) == offsetof(struct op, reg) + offsetof(struct operands, rm1) &&
	offsetof(struct op, base) == offsetof(struct op, reg) + offsetof(struct operands, rm2) &&
	offsetof(struct op, index) == offsetof(struct op, reg) + offsetof(struct operands, reg2),
    "struct operands lies over reg, rm, base and index");

ALWAYS_INLINE struct operands operands_of(const struct op *op)
{
	uint32_t all;

	memcpy(&all, &op->reg, sizeof(all));
	return (struct operands){(uint8_t)all, (uint8_t)(all >> 8), (uint8_t)(all >> 16),
				 (uint8_t)(all >> 24)};
}

ALWAYS_INLINE uint64_t pair_source(const struct cpu *cpu, enum source source, unsigned reg,
				   int32_t imm, unsigned size)
{
	return source == SOURCE_REG ? fast_get(cpu, reg, size)
				    : (uint64_t)(int64_t)imm & size_mask(size);
}

ALWAYS_INLINE OP_RESULT both(OP_ARGS, enum alu alu1, enum source source1, enum alu alu2,
			     enum source source2, unsigned size, bool live, enum relation relation)
{
	struct operands at = operands_of(op);
	uint64_t a, b = pair_source(cpu, source1, at.reg1, op->imm, size), first;

	a = alu_reads(alu1) ? fast_get(cpu, at.rm1, size) : 0;
	first = alu_do(cpu, alu1, a, b, size, false);
	if (relation != SAME)
		fast_put(cpu, at.rm1, size, first);
	b = relation == FEEDS ? first : pair_source(cpu, source2, at.reg2, op->disp, size);
	a = relation == SAME ? first : alu_reads(alu2) ? fast_get(cpu, at.rm2, size) : 0;
	fast_put(cpu, at.rm2, size, alu_do(cpu, alu2, a, b, size, live));
	OP_NEXT(cpu, op + 1);
}

#define PAIR(one, alu1, source1, two, alu2, source2, size, live, relation)                         \
	HANDLER(one##_##two##_##size##_##live##_##relation)                                        \
	{                                                                                          \
		return both(cpu, op, clock, alu1, source1, alu2, source2, size, live, relation);   \
	}
#define PAIRS(one, alu1, source1, two, alu2, source2, size, live)                                  \
	PAIR(one, alu1, source1, two, alu2, source2, size, live, APART)                            \
	PAIR(one, alu1, source1, two, alu2, source2, size, live, SAME)                             \
	PAIR(one, alu1, source1, two, alu2, source2, size, live, FEEDS)
#define ALL_PAIRS(...)                                                                             \
	PAIRS(__VA_ARGS__, 4, 0)                                                                   \
	PAIRS(__VA_ARGS__, 4, 1)                                                                   \
	PAIRS(__VA_ARGS__, 8, 0)                                                                   \
	PAIRS(__VA_ARGS__, 8, 1)
#define PAIRS_OF(name, alu, source) SECONDS(ALL_PAIRS, name, alu, source)
FIRSTS(PAIRS_OF)

/* fn: [8 bytes?][flags of the second live?][relation] */
static const struct pair {
	const struct op_family *one, *two;
	enum source source; /* of the second */
	op_fn fn[2][2][RELATIONS];
} pairs[] = {
#define RELATED(name)                                                                              \
	{                                                                                          \
		name##_APART, name##_SAME, name##_FEEDS                                            \
	}
#define PAIR_ROW(one, alu1, source1, two, alu2, source2)                                           \
	{family_##one,                                                                             \
	 family_##two,                                                                             \
	 source2,                                                                                  \
	 {{RELATED(one##_##two##_4_0), RELATED(one##_##two##_4_1)},                                \
	  {RELATED(one##_##two##_8_0), RELATED(one##_##two##_8_1)}}},
#define PAIR_ROWS(name, alu, source) SECONDS(PAIR_ROW, name, alu, source)
    FIRSTS(PAIR_ROWS)};

/* Whether the op is the family's register form. */
static bool is_form(const struct op *op, const struct op_family *family, bool live)
{
	return op->fn == (const void *)family->fn[live][__builtin_ctz(op->opsize)][VARIANT_REG];
}

static enum relation relation_of(const struct pair *pair, const struct op *first,
				 const struct op *second)
{
	bool fed = pair->source == SOURCE_REG && second->reg == first->rm;

	if (second->rm == first->rm)
		return fed ? APART : SAME;
	return fed ? FEEDS : APART;
}

static op_fn pair_find(const struct op *first, const struct op *second)
{
	const struct op_family *one = insn_info(first->row)->family;
	const struct op_family *two = insn_info(second->row)->family;
	bool live;

	if (!one || !two || first->opsize != second->opsize || first->opsize < 4 ||
	    !is_form(first, one, false))
		return NULL;
	live = !is_form(second, two, false);
	if (live && !is_form(second, two, true))
		return NULL;
	for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].one == one && pairs[i].two == two)
			return pairs[i]
			    .fn[first->opsize == 8][live][relation_of(&pairs[i], first, second)];
	return NULL;
}

bool op_pair(struct op *first, const struct op *second)
{
	op_fn fn = pair_find(first, second);

	if (!fn)
		return false;
	first->fn = fn;
	first->base = second->rm;
	first->index = second->reg;
	first->disp = second->imm;
	return true;
}
