/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From a decoded op to its handler: the form of its family that fits operand size, addressing, mode
 * and flag liveness; and the edges of direct branches.
 */
#include "l0/machine/interp/simd/direct.h"
#include "l0/machine/interp/block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t byte_offset(const struct op *op, unsigned reg)
{
	if (reg >= 4 && reg < 8 && !(op->flags & OP_REX))
		return (uint8_t)((reg - 4) * 8 + 1);
	return (uint8_t)(reg * 8);
}

static bool code64(uint32_t mode)
{
	return (mode & MODE_CODE) == MODE_CODE64;
}

static enum op_variant memory_variant64(const struct op *op)
{
	if (op->seg >= SEG_FS)
		return op->addrsize == 8 ? VARIANT_SEGMENT : VARIANT_GENERAL;
	if (op->addrsize == 4)
		return VARIANT_FLAT32;
	return op->index == REG_ZERO ? VARIANT_BASE : VARIANT_INDEX;
}

static enum op_variant memory_variant(const struct op *op, uint32_t mode)
{
	if (!(mode & MODE_FLAT) || (mode & MODE_CAREFUL) || (op->flags & OP_WIDE))
		return VARIANT_GENERAL;
	if (code64(mode))
		return memory_variant64(op);
	/* CS is not writable, FS and GS are not flat */
	return op->addrsize == 4 && op->seg < SEG_FS && op->seg != SEG_CS ? VARIANT_FLAT32
									  : VARIANT_GENERAL;
}

/* Stack operations and near branches of the natural size, which the flat forms assume. */
static enum op_variant flow_variant(const struct op *op, const struct insn_info *info,
				    uint32_t mode)
{
	bool natural = op->opsize == (code64(mode) ? 8 : 4);
	bool branch = info->row.attributes & INSN_END;

	if (branch && (mode & MODE_BOUNDS) && !(op->flags & OP_REPNE))
		return VARIANT_GENERAL;
	/* Branches that CET has to see: calls, returns, indirect ones. */
	if (branch && (mode & (MODE_SHADOW_STACK | MODE_TRACKED)) &&
	    ((info->row.attributes & INSN_STACK) || info->modrm))
		return VARIANT_GENERAL;
	if (!(mode & MODE_FLAT) || !natural || ((mode & MODE_SINGLE) && branch) ||
	    ((info->row.attributes & INSN_STACK) && (mode & MODE_CAREFUL)))
		return VARIANT_GENERAL;
	return code64(mode) ? VARIANT_BASE : VARIANT_FLAT32;
}

static bool is_direct(const struct insn_info *info)
{
	return info->operands[0].method == 'J';
}

static int32_t edge_kind(int64_t target)
{
	return target >= 0 && target < (int64_t)PAGE_SIZE ? LINK_NONE : LINK_FAR;
}

/* Fast direct branches count from the start of the page. False: the sum does not fit. */
static bool set_edges(struct op *op)
{
	int64_t on = op->off + op->len, taken = on + op->imm;

	if (taken != (int32_t)taken)
		return false;
	op->imm = (int32_t)taken;
	op->link = edge_kind(taken);
	op->disp = edge_kind(on);
	return true;
}

static enum op_variant choose_variant(struct op *op, const struct insn_info *info, uint32_t mode)
{
	enum op_variant variant = VARIANT_REG;

	if (info->row.attributes & (INSN_STACK | INSN_END)) {
		variant = flow_variant(op, info, mode);
		if (variant != VARIANT_GENERAL && is_direct(info) && !set_edges(op))
			variant = VARIANT_GENERAL;
		/* indirect branches: only register forms and plain 64-bit memory are fast */
		if (variant != VARIANT_GENERAL && info->modrm)
			variant = op->flags & OP_MEMORY ? memory_variant(op, mode)
				  : code64(mode)	? VARIANT_REG
							: VARIANT_GENERAL;
		return variant;
	}
	return op->flags & OP_MEMORY ? memory_variant(op, mode) : VARIANT_REG;
}

/* Of a row without a family. */
static op_fn complex_form(const struct op *op, const struct insn_info *info, uint32_t mode)
{
	const struct simd_direct *direct = info->simd.direct;
	op_fn fn = NULL;

	if (direct && (mode & MODE_SSE))
		fn = direct->fn[op->flags & OP_MEMORY ? memory_variant(op, mode) : VARIANT_REG];
	if (fn)
		return fn;
	return info->row.attributes & INSN_END ? op_complex_end : op_complex;
}

/* While indirect branches are tracked ENDBRANCH is no NOP; where one is waited for anything else
 * but INT3 is a fault. SDM 1 "Indirect Branch Tracking". */
static op_fn tracked_form(const struct insn_info *info, uint32_t mode)
{
	if (!strcmp(info->row.mnemonic, code64(mode) ? "ENDBR64" : "ENDBR32"))
		return op_endbranch;
	if ((mode & MODE_ENDBRANCH) && strcmp(info->row.mnemonic, "INT3"))
		return op_no_endbranch;
	return NULL;
}

void op_specialize(struct op *op, uint32_t mode, bool live)
{
	const struct insn_info *info = insn_info(op->row);
	const struct op_family *family = info->family;
	unsigned size = (unsigned)__builtin_ctz(op->opsize);
	op_fn fn;

	if ((mode & MODE_RTM) && info->rtm_aborts) {
		op->fn = op_rtm_abort;
		return;
	}
	if (mode & MODE_TRACKED) {
		op->fn = tracked_form(info, mode);
		if (op->fn)
			return;
	}
	if (!family) {
		op->fn = complex_form(op, info, mode);
		return;
	}
	if (info->byte_reg)
		op->reg = byte_offset(op, op->reg);
	if (info->byte_rm && !(op->flags & OP_MEMORY))
		op->rm = byte_offset(op, op->rm);
	if (info->count == 16)
		family += op->vvvv;
	fn = family->fn[live][size][choose_variant(op, info, mode)];
	op->fn = fn ? fn : family->fn[live][size][VARIANT_GENERAL];
	if (!op->fn) {
		fprintf(stderr, "insns.def: %s: no form for size %u\n", info->row.mnemonic,
			op->opsize);
		abort();
	}
}
