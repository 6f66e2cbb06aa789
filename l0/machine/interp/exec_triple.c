/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Three in one handler: a register operation or a load that ends nothing, compare, and Jcc, as
 * loops end in compiled code. The handler stands at the first op; the compare keeps its own, fused
 * with the branch (exec_fuse.c), for whenever the short way is not open. The first one's flags are
 * dead.
 */
#include "l0/machine/interp/families.h"
#include "l0/machine/interp/fuse.h"

/* What the first op computes. */
enum first {
	FIRST_ALU_REG,
	FIRST_ALU_IMM,
	FIRST_LEA_BASE,
	FIRST_LEA_INDEX,
};

/* name, family, operation, what it is, size, variant */
#define FIRSTS(X)                                                                                  \
	X(mov_r, mov_eg, ALU_MOV, FIRST_ALU_REG, 8, VARIANT_REG)                                   \
	X(add_r, add_eg, ALU_ADD, FIRST_ALU_REG, 8, VARIANT_REG)                                   \
	X(sub_r, sub_eg, ALU_SUB, FIRST_ALU_REG, 8, VARIANT_REG)                                   \
	X(xor_r, xor_eg, ALU_XOR, FIRST_ALU_REG, 8, VARIANT_REG)                                   \
	X(add_i, add_ei, ALU_ADD, FIRST_ALU_IMM, 8, VARIANT_REG)                                   \
	X(add_i4, add_ei, ALU_ADD, FIRST_ALU_IMM, 4, VARIANT_REG)                                  \
	X(shr_i, shr_ei, ALU_SHR, FIRST_ALU_IMM, 8, VARIANT_REG)                                   \
	X(lea_b, lea, ALU_MOV, FIRST_LEA_BASE, 8, VARIANT_BASE)                                    \
	X(lea_x, lea, ALU_MOV, FIRST_LEA_INDEX, 8, VARIANT_INDEX)
/* first..., name, family, operation, source, size */
#define SECONDS(X, ...)                                                                            \
	X(__VA_ARGS__, cmp_rr4, cmp_eg, ALU_CMP, SOURCE_REG, 4)                                    \
	X(__VA_ARGS__, cmp_rr8, cmp_eg, ALU_CMP, SOURCE_REG, 8)                                    \
	X(__VA_ARGS__, cmp_ri1, cmp_ei, ALU_CMP, SOURCE_IMM, 1)                                    \
	X(__VA_ARGS__, cmp_ri4, cmp_ei, ALU_CMP, SOURCE_IMM, 4)                                    \
	X(__VA_ARGS__, cmp_ri8, cmp_ei, ALU_CMP, SOURCE_IMM, 8)                                    \
	X(__VA_ARGS__, test_rr1, test_eg, ALU_TEST, SOURCE_REG, 1)                                 \
	X(__VA_ARGS__, test_rr4, test_eg, ALU_TEST, SOURCE_REG, 4)                                 \
	X(__VA_ARGS__, test_rr8, test_eg, ALU_TEST, SOURCE_REG, 8)                                 \
	X(__VA_ARGS__, test_ri1, test_ei, ALU_TEST, SOURCE_IMM, 1)                                 \
	X(__VA_ARGS__, sub_ri4, sub_ei, ALU_SUB, SOURCE_IMM, 4)                                    \
	X(__VA_ARGS__, sub_ri8, sub_ei, ALU_SUB, SOURCE_IMM, 8)
/* Conditions 2 to 7: JB JAE JE JNE JBE JA. */
#define CODE_FIRST 2
#define CODES(X, ...)                                                                              \
	X(__VA_ARGS__, 2)                                                                          \
	X(__VA_ARGS__, 3) X(__VA_ARGS__, 4) X(__VA_ARGS__, 5) X(__VA_ARGS__, 6) X(__VA_ARGS__, 7)

ALWAYS_INLINE void do_first(struct cpu *cpu, const struct op *op, enum first first, enum alu alu,
			    unsigned size)
{
	enum source source = first == FIRST_ALU_IMM ? SOURCE_IMM : SOURCE_REG;
	uint64_t a;

	if (first == FIRST_LEA_BASE || first == FIRST_LEA_INDEX) {
		cpu->gpr[op->reg] =
		    fast_ea(cpu, op, first == FIRST_LEA_BASE ? VARIANT_BASE : VARIANT_INDEX);
		return;
	}
	a = alu_reads(alu) ? fast_get(cpu, op->rm, size) : 0;
	fast_put(cpu, op->rm, size,
		 alu_do(cpu, alu, a, source_value(cpu, op, source, size), size, false));
}

#define TRIPLE(one, family1, alu1, first, size1, variant, two, family2, alu2, source2, size2,      \
	       code)                                                                               \
	HANDLER(one##_##two##_##code)                                                              \
	{                                                                                          \
		do_first(cpu, op, first, alu1, size1);                                             \
		return fused(cpu, op + 1, clock, alu2, source2, size2, code);                      \
	}                                                                                          \
	HANDLER(one##_##two##_##code##_light)                                                      \
	{                                                                                          \
		do_first(cpu, op, first, alu1, size1);                                             \
		return fused_light(cpu, op + 1, clock, alu2, source2, size2, code, NULL);          \
	}
#define TRIPLES_OF_TWO(...) CODES(TRIPLE, __VA_ARGS__)
#define TRIPLES_OF_ONE(...) SECONDS(TRIPLES_OF_TWO, __VA_ARGS__)
FIRSTS(TRIPLES_OF_ONE)

/* fn: [condition][light?] */
static const struct triple {
	const struct op_family *one, *two;
	uint8_t size1, variant, size2;
	op_fn fn[6][2];
} triples[] = {
#define BOTH(name)                                                                                 \
	{                                                                                          \
		name, name##_light                                                                 \
	}
#define ROW(one, family1, alu1, first, size1, variant, two, family2, alu2, source2, size2)         \
	{family_##family1,                                                                         \
	 family_##family2,                                                                         \
	 size1,                                                                                    \
	 variant,                                                                                  \
	 size2,                                                                                    \
	 {BOTH(one##_##two##_2), BOTH(one##_##two##_3), BOTH(one##_##two##_4),                     \
	  BOTH(one##_##two##_5), BOTH(one##_##two##_6), BOTH(one##_##two##_7)}},
#define ROWS(...) SECONDS(ROW, __VA_ARGS__)
    FIRSTS(ROWS)};

/* Whether the handler is the form that the row is made of, or one of the row's: not one for other
 * ops. */
static bool has_form(const struct op *first, const struct triple *row, unsigned code)
{
	return first->fn ==
		   (const void *)row->one->fn[0][__builtin_ctz(row->size1)][row->variant] ||
	       first->fn == (const void *)row->fn[code][0] ||
	       first->fn == (const void *)row->fn[code][1];
}

op_fn op_triple(const struct op *first, const struct op *jcc, bool light)
{
	const struct op_family *one = insn_info(first->row)->family;
	const struct op_family *two = insn_info(first[1].row)->family;
	unsigned code = jcc->vvvv - CODE_FIRST;

	if (code >= sizeof(triples->fn) / sizeof(triples->fn[0]))
		return NULL;
	for (unsigned i = 0; i < sizeof(triples) / sizeof(triples[0]); i++)
		if (triples[i].one == one && triples[i].two == two &&
		    triples[i].size1 == first->opsize && triples[i].size2 == first[1].opsize &&
		    has_form(first, &triples[i], code))
			return triples[i].fn[code][light];
	return NULL;
}
