/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Compare and branch in one handler: CMP, TEST, SUB, AND or DEC on registers and immediates, with
 * the Jcc that follows. The handler stands at the first op and uses the edges of the second, which
 * stays in place. Which form that is changes as edges are linked.
 */
#include "l0/machine/interp/families.h"
#include "l0/machine/interp/fuse.h"

#define FUSED(name, ALU, source, size, code)                                                       \
	HANDLER(name##_##size##_##code)                                                            \
	{                                                                                          \
		return fused(cpu, op, clock, ALU, source, size, code);                             \
	}                                                                                          \
	HANDLER(name##_##size##_##code##_light)                                                    \
	{                                                                                          \
		if (!fuse_plain(ALU, code))                                                        \
			OP_TAIL(name##_##size##_##code, cpu, op);                                  \
		return fused_light(cpu, op, clock, ALU, source, size, code,                        \
				   name##_##size##_##code);                                        \
	}
#define FUSED_SIZES(name, ALU, source, code)                                                       \
	FUSED(name, ALU, source, 1, code)                                                          \
	FUSED(name, ALU, source, 4, code)                                                          \
	FUSED(name, ALU, source, 8, code)
#define CONDITIONS(X)                                                                              \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

#define CMP_RR(code) FUSED_SIZES(cmp_rr, ALU_CMP, SOURCE_REG, code)
#define CMP_RI(code) FUSED_SIZES(cmp_ri, ALU_CMP, SOURCE_IMM, code)
#define TEST_RR(code) FUSED_SIZES(test_rr, ALU_TEST, SOURCE_REG, code)
#define TEST_RI(code) FUSED_SIZES(test_ri, ALU_TEST, SOURCE_IMM, code)
#define DEC_R(code) FUSED_SIZES(dec_r, ALU_DEC, SOURCE_NONE, code)
#define SUB_RI(code) FUSED_SIZES(sub_ri, ALU_SUB, SOURCE_IMM, code)
#define AND_RI(code) FUSED_SIZES(and_ri, ALU_AND, SOURCE_IMM, code)
CONDITIONS(CMP_RR)
CONDITIONS(CMP_RI)
CONDITIONS(TEST_RR)
CONDITIONS(TEST_RI)
CONDITIONS(DEC_R)
CONDITIONS(SUB_RI)
CONDITIONS(AND_RI)

/* [log2 of size][condition][light?] */
struct fusion {
	const struct op_family *family;
	op_fn fn[4][16][2];
};
#define PAIR(name, size, code)                                                                     \
	{                                                                                          \
		name##_##size##_##code, name##_##size##_##code##_light                             \
	}
#define PAIRS(name, size, a, b, c, d)                                                              \
	PAIR(name, size, a), PAIR(name, size, b), PAIR(name, size, c), PAIR(name, size, d)
#define SIZE_FORMS(name, size)                                                                     \
	{                                                                                          \
		PAIRS(name, size, 0, 1, 2, 3), PAIRS(name, size, 4, 5, 6, 7),                      \
		    PAIRS(name, size, 8, 9, 10, 11), PAIRS(name, size, 12, 13, 14, 15)             \
	}
#define FUSION(of, name)                                                                           \
	{                                                                                          \
		of,                                                                                \
		{                                                                                  \
			[0] = SIZE_FORMS(name, 1), [2] = SIZE_FORMS(name, 4),                      \
			[3] = SIZE_FORMS(name, 8)                                                  \
		}                                                                                  \
	}
static const struct fusion fusions[] = {
    FUSION(family_cmp_eg, cmp_rr),   FUSION(family_cmp_ei, cmp_ri), FUSION(family_test_eg, test_rr),
    FUSION(family_test_ei, test_ri), FUSION(family_dec_e, dec_r),   FUSION(family_sub_ei, sub_ri),
    FUSION(family_and_ei, and_ri),
};

static op_fn fusion_find(const struct op *first, const struct op *jcc, bool light)
{
	const struct insn_info *a = insn_info(first->row), *b = insn_info(jcc->row);

	if (b->family != family_jcc || (first->flags & OP_MEMORY) ||
	    jcc->fn == (const void *)family_jcc[0].fn[0][3][VARIANT_GENERAL])
		return NULL;
	for (unsigned i = 0; i < sizeof(fusions) / sizeof(fusions[0]); i++)
		if (a->family == fusions[i].family)
			return fusions[i].fn[__builtin_ctz(first->opsize)][jcc->vvvv][light];
	return NULL;
}

void op_fuse(struct op *jcc, bool light)
{
	op_fn full, triple;

	if (jcc->nth < 1)
		return;
	full = fusion_find(jcc - 1, jcc, false);
	if (!full)
		return;
	triple = jcc->nth > 1 ? op_triple(jcc - 2, jcc, light) : NULL;
	jcc[-1].fn = triple ? full : fusion_find(jcc - 1, jcc, light);
	if (triple)
		jcc[-2].fn = triple;
}
