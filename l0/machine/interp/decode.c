/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The decoder: prefixes, opcode, ModRM, displacement and immediates of one instruction into struct
 * op, as SDM 2 "Instruction Format" has them. It knows no instruction: rows of insns.def say
 * everything. Choosing handlers is specialize.c's.
 */
#include "l0/machine/interp/decode_insn.h"

#include <string.h>

#define INSN_MAX 15 /* SDM 2 "Instruction Format": longer ones are #GP(0) */

struct cursor {
	const uint8_t *bytes;
	unsigned available, at;
	enum decode_status status;
};

struct prefixes {
	bool opsize, addrsize, lock;
	uint8_t rep; /* 0, 0xf2, 0xf3: the last one */
	uint8_t rex; /* 0 or 0x40-0x4f */
	uint8_t vex_pp, vex_vvvv;
	int8_t seg; /* -1: none */
	bool vex, vex_l, vex_w, w, notrack;
	enum insn_space space;
	uint8_t opcode, modrm;
};

static uint8_t peek(struct cursor *c, unsigned ahead)
{
	if (c->at + ahead >= INSN_MAX) {
		c->status = c->status ? c->status : DECODE_TOO_LONG;
		return 0;
	}
	if (c->at + ahead >= c->available) {
		c->status = c->status ? c->status : DECODE_TRUNCATED;
		return 0;
	}
	return c->bytes[c->at + ahead];
}

static uint8_t next_byte(struct cursor *c)
{
	uint8_t byte = peek(c, 0);

	c->at++;
	return byte;
}

/* Little-endian, sign-extended. */
static int64_t next_signed(struct cursor *c, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)next_byte(c) << 8 * i;
	return size == 8 ? (int64_t)value : (int64_t)(value << (64 - 8 * size)) >> (64 - 8 * size);
}

static bool code64(uint32_t mode)
{
	return (mode & MODE_CODE) == MODE_CODE64;
}

/* Segment overrides other than FS and GS mean nothing in 64-bit mode and leave an earlier one
 * alone. */
static bool segment_prefix(struct prefixes *p, uint8_t byte, uint32_t mode)
{
	static const struct {
		uint8_t byte, seg;
	} overrides[] = {{0x26, SEG_ES}, {0x2e, SEG_CS}, {0x36, SEG_SS},
			 {0x3e, SEG_DS}, {0x64, SEG_FS}, {0x65, SEG_GS}};

	for (unsigned i = 0; i < sizeof(overrides) / sizeof(overrides[0]); i++) {
		if (overrides[i].byte != byte)
			continue;
		/* SDM 1 "No-track Prefix for Near Indirect CALL/JMP" */
		p->notrack = byte == 0x3e || (p->notrack && code64(mode));
		if (!code64(mode) || overrides[i].seg >= SEG_FS)
			p->seg = (int8_t)overrides[i].seg;
		return true;
	}
	return false;
}

static bool legacy_prefix(struct prefixes *p, uint8_t byte, uint32_t mode)
{
	switch (byte) {
	case 0x66:
		p->opsize = true;
		return true;
	case 0x67:
		p->addrsize = true;
		return true;
	case 0xf0:
		p->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		p->rep = byte;
		return true;
	default:
		return segment_prefix(p, byte, mode);
	}
}

/* REX counts only right before the opcode. */
static void decode_prefixes(struct cursor *c, struct prefixes *p, uint32_t mode)
{
	for (;; c->at++) {
		uint8_t byte = peek(c, 0);

		if (c->status)
			return;
		if (code64(mode) && (byte & 0xf0) == 0x40)
			p->rex = byte;
		else if (legacy_prefix(p, byte, mode))
			p->rex = 0;
		else
			break;
	}
	p->w = p->rex & 8;
}

/* C4 and C5 are VEX in 64-bit mode, and elsewhere if what follows could not be a memory ModRM, SDM
 * 2 "The VEX Prefix". REX, LOCK, 66, F2, F3 before VEX are #UD. */
static bool is_vex(struct cursor *c, uint8_t byte, uint32_t mode)
{
	if (byte != 0xc4 && byte != 0xc5)
		return false;
	return code64(mode) || (!(mode & MODE_REAL) && (peek(c, 1) & 0xc0) == 0xc0);
}

static void decode_vex(struct cursor *c, struct prefixes *p, uint32_t mode)
{
	bool three = next_byte(c) == 0xc4;
	uint8_t first = next_byte(c), last = three ? next_byte(c) : first;
	unsigned map = three ? first & 31 : 1;

	if (p->rex || p->lock || p->opsize || p->rep || map < 1 || map > 3)
		c->status = c->status ? c->status : DECODE_UNDEFINED;
	p->rex = 0x40 | (~first >> 5 & (three ? 7 : 4));
	if (!code64(mode))
		p->rex = 0;
	p->vex = true;
	p->vex_w = three && (last & 0x80);
	p->w = p->vex_w && code64(mode);
	p->vex_pp = last & 3;
	p->vex_l = last >> 2 & 1;
	p->vex_vvvv = ~last >> 3 & 15;
	p->space = (enum insn_space)(SPACE_VEX_0F + (map - 1) % 3);
	p->opcode = next_byte(c);
}

static void decode_opcode(struct cursor *c, struct prefixes *p, uint32_t mode)
{
	uint8_t byte = peek(c, 0);

	if (is_vex(c, byte, mode)) {
		decode_vex(c, p, mode);
		return;
	}
	p->opcode = next_byte(c);
	p->space = SPACE_PRIMARY;
	if (p->opcode != 0x0f)
		return;
	p->opcode = next_byte(c);
	p->space = SPACE_0F;
	if (p->opcode == 0x38 || p->opcode == 0x3a) {
		p->space = p->opcode == 0x38 ? SPACE_0F38 : SPACE_0F3A;
		p->opcode = next_byte(c);
	}
}

/* ---- matching ---- */

static bool prefix_matches(const struct insn_info *info, const struct prefixes *p)
{
	static const uint8_t vex_pp[] = {
	    [PREFIX_NP] = 0, [PREFIX_66] = 1, [PREFIX_F3] = 2, [PREFIX_F2] = 3};

	if (p->vex)
		return vex_pp[info->prefix] == p->vex_pp &&
		       (info->vex_l < 0 || info->vex_l == p->vex_l) &&
		       (info->vex_w < 0 || info->vex_w == p->vex_w);
	switch (info->prefix) {
	case PREFIX_NP:
		return !p->opsize && !p->rep;
	case PREFIX_NF:
		return !p->rep;
	case PREFIX_66:
		return p->opsize && !p->rep;
	case PREFIX_F2:
		return p->rep == 0xf2;
	case PREFIX_F3:
		return p->rep == 0xf3;
	default:
		return true;
	}
}

static bool modrm_matches(const struct insn_info *info, uint8_t modrm)
{
	bool reg = modrm >= 0xc0;

	if (!info->modrm)
		return true;
	if (info->exact >= 0)
		return modrm == info->exact;
	if (info->digit >= 0 && (modrm >> 3 & 7) != info->digit)
		return false;
	return info->mod == MOD_ANY || (info->mod == MOD_REGISTER) == reg;
}

static bool mode_matches(const struct insn_info *info, uint32_t mode)
{
	uint32_t attributes = info->row.attributes;

	return !(attributes & (code64(mode) ? INSN_I64 : INSN_O64)) &&
	       !((attributes & INSN_PROT) && (mode & MODE_REAL));
}

/* Vectors with VEX are part of AVX, whatever else the row asks for. */
static bool row_announced(const struct insn_info *info, const struct decode_env *env)
{
	return env->announced[info->row.feature] &&
	       (!info->simd.vex || env->announced[CPU_FEATURE_AVX]);
}

static const struct insn_info *find_row(struct cursor *c, struct prefixes *p,
					const struct decode_env *env, uint16_t *row)
{
	const uint16_t *at = insn_candidates(p->space, p->opcode);

	for (; *at != UINT16_MAX; at++) {
		const struct insn_info *info = insn_info(*at);

		if (!row_announced(info, env) || !prefix_matches(info, p) ||
		    !mode_matches(info, env->mode))
			continue;
		if (info->modrm && !modrm_matches(info, peek(c, 0)))
			continue;
		*row = *at;
		return info;
	}
	c->status = c->status ? c->status : DECODE_UNDEFINED;
	return NULL;
}

/* ---- ModRM ---- */

static void decode_memory16(struct cursor *c, struct op *op, uint8_t modrm)
{
	static const uint8_t base[8] = {REG_RBX, REG_RBX, REG_RBP, REG_RBP,
					REG_RSI, REG_RDI, REG_RBP, REG_RBX};
	static const uint8_t index[8] = {REG_RSI,  REG_RDI,  REG_RSI,  REG_RDI,
					 REG_ZERO, REG_ZERO, REG_ZERO, REG_ZERO};
	unsigned mod = modrm >> 6, rm = modrm & 7;

	op->base = mod == 0 && rm == 6 ? REG_ZERO : base[rm];
	op->index = mod == 0 && rm == 6 ? REG_ZERO : index[rm];
	if (mod == 1)
		op->disp = (int32_t)next_signed(c, 1);
	else if (mod == 2 || op->base == REG_ZERO)
		op->disp = (int32_t)next_signed(c, 2);
}

static void decode_sib(struct cursor *c, struct op *op, const struct prefixes *p, unsigned mod)
{
	uint8_t sib = next_byte(c);
	uint8_t index = (sib >> 3 & 7) | (p->rex & 2) << 2;
	bool vsib = insn_info(op->row)->row.attributes & INSN_VSIB;

	op->scale = sib >> 6;
	op->index = index == REG_RSP && !vsib ? REG_ZERO : index;
	op->base = (sib & 7) | (p->rex & 1) << 3;
	if ((sib & 7) == REG_RBP && mod == 0)
		op->base = REG_ZERO;
	if (op->index == REG_ZERO)
		op->scale = 0;
}

static void decode_memory(struct cursor *c, struct op *op, const struct prefixes *p, uint32_t mode)
{
	unsigned mod = p->modrm >> 6, rm = p->modrm & 7;

	op->index = REG_ZERO;
	op->base = rm | (p->rex & 1) << 3;
	if (rm == 4)
		decode_sib(c, op, p, mod);
	else if (rm == 5 && mod == 0)
		op->base = code64(mode) ? REG_RIP : REG_ZERO;
	if (mod == 1)
		op->disp = (int32_t)next_signed(c, 1);
	else if (mod == 2 || op->base == REG_ZERO || op->base == REG_RIP)
		op->disp = (int32_t)next_signed(c, 4);
}

static void decode_modrm(struct cursor *c, struct op *op, struct prefixes *p, uint32_t mode,
			 bool mod_ignored)
{
	p->modrm = next_byte(c);
	op->reg = (p->modrm >> 3 & 7) | (p->rex & 4) << 1;
	op->rm = (p->modrm & 7) | (p->rex & 1) << 3;
	if (p->modrm >= 0xc0 || mod_ignored)
		return;
	op->flags |= OP_MEMORY;
	if (op->addrsize == 2)
		decode_memory16(c, op, p->modrm);
	else
		decode_memory(c, op, p, mode);
	if (p->seg < 0 && (op->base == REG_RSP || op->base == REG_RBP))
		op->seg = SEG_SS;
}

/* ---- operands ---- */

static unsigned type_size(char type, unsigned v, const struct prefixes *p, uint32_t mode)
{
	switch (type) {
	case 'b':
		return 1;
	case 'w':
		return 2;
	case 'd':
		return 4;
	case 'q':
		return 8;
	case 'y':
		return p->w ? 8 : 4;
	case 'z':
		return v == 8 ? 4 : v;
	case 'n':
		return code64(mode) ? 8 : 4;
	case 'x':
	case 'u':
		return 16;
	default: /* v, p, s */
		return v;
	}
}

/* Size of "v", SDM 1 "Operand-Size and Address-Size Attributes". */
static unsigned operand_size(const struct insn_info *info, const struct prefixes *p, uint32_t mode)
{
	bool narrow = p->opsize && !(info->prefix == PREFIX_66);

	if (code64(mode)) {
		if ((info->row.attributes & INSN_F64) || p->w)
			return 8;
		if (info->row.attributes & INSN_D64)
			return narrow ? 2 : 8;
		return narrow ? 2 : 4;
	}
	return narrow != ((mode & MODE_CODE) == MODE_CODE16) ? 2 : 4;
}

static void decode_immediate(struct cursor *c, struct op *op, unsigned size, bool second)
{
	int64_t value = next_signed(c, size);

	if (size == 8)
		op->imm64 = value;
	else if (second)
		op->disp = (int32_t)value;
	else
		op->imm = (int32_t)value;
}

static void decode_operand(struct cursor *c, struct op *op, const struct insn_operand *operand,
			   unsigned size, const struct prefixes *p, uint32_t mode, bool *immediate)
{
	switch (operand->method) {
	case 'I':
		decode_immediate(c, op, size, *immediate);
		*immediate = true;
		break;
	case 'J':
		op->imm = (int32_t)next_signed(c, size);
		break;
	case 'O':
		op->imm64 = next_signed(c, op->addrsize);
		if (op->addrsize < 8)
			op->imm64 &= (INT64_C(1) << 8 * op->addrsize) - 1;
		break;
	case 'A':
		op->imm = (int32_t)next_signed(c, size);
		op->disp = (uint16_t)next_signed(c, 2);
		break;
	case 'Z':
		op->rm = (p->opcode & 7) | (p->rex & 1) << 3;
		break;
	case 'a':
		if (operand == insn_info(op->row)->operands)
			op->rm = REG_RAX;
		break;
	case 's':
		op->reg = operand->value;
		break;
	case 'S': /* REX.R does not reach segment registers */
		op->reg &= 7;
		break;
	case '1':
		op->imm = 1;
		break;
	case 'c':
		op->vvvv = 1; /* count in CL */
		break;
	case 'B':
	case 'H': /* the highest bit means nothing where there are 8 registers */
		op->vvvv = p->vex_vvvv & (code64(mode) ? 15 : 7);
		break;
	case 'L': /* SDM 2 "Opcode Map": the register is in bits 7:4 of an immediate byte */
		op->imm = next_byte(c) >> 4 & (code64(mode) ? 15 : 7);
		break;
	case 'P': /* REX does not reach MMX registers */
		op->reg &= 7;
		break;
	case 'Q':
	case 'N':
		op->rm &= 7;
		break;
	default:
		break;
	}
}

/* Their size is the row's; op->opsize is that of general registers. */
static bool vector_operand(const struct insn_operand *operand)
{
	switch (operand->method) {
	case 'V':
	case 'U':
	case 'W':
	case 'H':
	case 'L':
	case 'P':
	case 'N':
	case 'Q':
		return true;
	default:
		return false;
	}
}

static void decode_operands(struct cursor *c, struct op *op, const struct insn_info *info,
			    const struct prefixes *p, uint32_t mode)
{
	unsigned v = operand_size(info, p, mode);
	bool immediate = false, sized = false;

	op->opsize = (uint8_t)v;
	if (info->count == 16)
		op->vvvv = p->opcode & 15;
	if (info->x87.kernel)
		op->vvvv = p->modrm;
	for (const struct insn_operand *o = info->operands; o->method; o++) {
		unsigned size = type_size(o->type, v, p, mode);

		/* the 32-bit displacement of a near branch does not shrink in 64-bit mode */
		if (!sized && o->type && o->method != 'J' && o->method != 'I' && !vector_operand(o))
			op->opsize = (uint8_t)size;
		sized = sized || (o->type && !vector_operand(o));
		decode_operand(c, op, o, size, p, mode, &immediate);
	}
}

/* LOCK needs a row that allows it and a memory destination; SDM 2 "LOCK". VEX.vvvv must be 1111b
 * where no operand uses it, SDM 2 "VEX.vvvv". */
static bool encoding_valid(const struct insn_info *info, const struct op *op,
			   const struct prefixes *p)
{
	bool uses_vvvv = false;

	if (p->lock && (!(info->row.attributes & INSN_LOCK) || !(op->flags & OP_MEMORY)))
		return false;
	for (unsigned i = 0; i < INSN_OPERANDS; i++)
		uses_vvvv |= info->operands[i].method == 'B' || info->operands[i].method == 'H';
	/* SDM 2 "Vector SIB (VSIB) Memory Addressing": a SIB byte, 32 or 64-bit addresses */
	if ((info->row.attributes & INSN_VSIB) && ((p->modrm & 7) != 4 || op->addrsize == 2))
		return false;
	return !p->vex || uses_vvvv || p->vex_vvvv == 0;
}

static void begin_op(struct op *op, const struct prefixes *p, uint32_t mode)
{
	bool wide = (mode & MODE_CODE) == MODE_CODE32;

	op->seg = p->seg < 0 ? SEG_DS : (uint8_t)p->seg;
	op->addrsize = code64(mode) ? (p->addrsize ? 4 : 8) : (wide != p->addrsize ? 4 : 2);
	op->base = op->index = REG_ZERO;
	op->flags = (p->rep == 0xf3 ? OP_REP : 0) | (p->rep == 0xf2 ? OP_REPNE : 0) |
		    (p->lock ? OP_LOCK : 0) | (p->rex && !p->vex ? OP_REX : 0) |
		    (p->notrack ? OP_NOTRACK : 0);
}

/* RIP-relative displacements become relative to where op->off counts from. */
static void adjust_rip_relative(struct op *op)
{
	int64_t disp = (int64_t)op->disp + op->off + op->len;

	if (op->base != REG_RIP)
		return;
	op->disp = (int32_t)(uint32_t)disp;
	if (disp != op->disp)
		op->flags |= OP_WIDE;
}

enum decode_status decode_insn(const struct decode_env *env, const uint8_t *bytes,
			       unsigned available, struct op *op)
{
	struct cursor c = {.bytes = bytes, .available = available};
	struct prefixes p = {.seg = -1};
	const struct insn_info *info = NULL;
	uint16_t off = op->off;

	memset(op, 0, sizeof(*op));
	op->off = off;
	decode_prefixes(&c, &p, env->mode);
	if (!c.status)
		decode_opcode(&c, &p, env->mode);
	if (!c.status)
		info = find_row(&c, &p, env, &op->row);
	if (info && !c.status) {
		begin_op(op, &p, env->mode);
		if (info->modrm)
			decode_modrm(&c, op, &p, env->mode, info->mod_ignored);
		decode_operands(&c, op, info, &p, env->mode);
		if (!c.status && !encoding_valid(info, op, &p))
			c.status = DECODE_UNDEFINED;
	}
	op->len = (uint8_t)(c.at < INSN_MAX ? c.at : INSN_MAX);
	if (!c.status)
		adjust_rip_relative(op);
	return c.status;
}
