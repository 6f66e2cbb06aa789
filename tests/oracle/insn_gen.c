/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Makes instances from the encoding and operand columns of insns.def.
 */
#include "tests/oracle/insn_gen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shadow/sdm/x86.h"
#include "tests/oracle/among.h"
#include "tests/oracle/vector_gen.h"
#include "tests/oracle/x87_gen.h"

/* ---- the pieces of an instance ---- */

struct parts {
	uint8_t prefix[4], prefixes;
	uint8_t rex; /* 0: none */
	uint8_t opcode[4], opcodes;
	bool modrm, is_vex, want_reg, want_mem;
	int vex_l, vex_w; /* -1: any */
	int digit; /* /n or -1 */
	int exact; /* =XX or -1 */
	uint8_t vex_pp;
	uint8_t mod, reg, rm;
	bool sib;
	uint8_t base, index, scale;
	bool no_base;
	int32_t disp;
	unsigned disp_size;
};

static void put_legacy_prefix(struct parts *parts, uint8_t byte)
{
	parts->prefix[parts->prefixes++] = byte;
}

static void parse_vex(struct parts *parts, const char *token)
{
	parts->is_vex = true;
	parts->vex_l = strstr(token, ".L1") ? 1 : strstr(token, ".L0") ? 0 : -1;
	parts->vex_w = strstr(token, ".W1") ? 1 : strstr(token, ".W0") ? 0 : -1;
	parts->vex_pp = strstr(token, ".66")   ? 1
			: strstr(token, ".F3") ? 2
			: strstr(token, ".F2") ? 3
					       : 0;
}

/* Returns whether the row fixes its mandatory prefix. */
static bool parse_encoding(const struct insn_row *row, struct parts *parts, uint64_t *seed)
{
	char text[64], *save, *token;
	bool mandatory = false;

	snprintf(text, sizeof(text), "%s", row->encoding);
	for (token = strtok_r(text, " ", &save); token; token = strtok_r(NULL, " ", &save)) {
		unsigned long byte = strtoul(token, NULL, 16);

		if (!strncmp(token, "VEX", 3))
			parse_vex(parts, token);
		else if (!strcmp(token, "NF"))
			continue;
		else if (!strcmp(token, "NP"))
			mandatory = true;
		else if (!parts->opcodes && !parts->is_vex &&
			 (!strcmp(token, "66") || !strcmp(token, "F2") || !strcmp(token, "F3"))) {
			mandatory = true;
			put_legacy_prefix(parts, byte);
		} else if (!strcmp(token, "mem"))
			parts->want_mem = true;
		else if (!strcmp(token, "reg"))
			parts->want_reg = true;
		else if (token[0] == '/') {
			parts->modrm = true;
			parts->digit = token[1] == 'r' ? -1 : token[1] - '0';
		} else if (token[0] == '=') {
			parts->exact = strtoul(token + 1, NULL, 16);
		} else {
			if (strstr(token, "+r"))
				byte += insn_gen_random(seed) & 7;
			if (strstr(token, "+cc"))
				byte += insn_gen_random(seed) & 15;
			parts->opcode[parts->opcodes++] = byte;
		}
	}
	return mandatory;
}

/* XSAVE, XSAVEOPT, XSAVEC, XRSTOR */
static bool is_xsave(const struct insn_row *row)
{
	return !strncmp(row->mnemonic, "XSAVE", 5) || !strcmp(row->mnemonic, "XRSTOR");
}

static bool is_simd(const struct insn_row *row)
{
	return !strncmp(row->handler, "simd_", 5) || is_xsave(row) ||
	       !strncmp(row->handler, "insn_vmask", 10) ||
	       !strncmp(row->handler, "insn_vgather", 12);
}

static bool is_x87(const struct insn_row *row)
{
	return !strncmp(row->handler, "x87_", 4);
}

static bool is_string(const struct insn_row *row)
{
	return strstr(row->operands, "Xb") || strstr(row->operands, "Xv") ||
	       strstr(row->operands, "Yb") || strstr(row->operands, "Yv");
}

static void put(uint8_t *at, uint64_t value, unsigned size)
{
	memcpy(at, &value, size);
}

static bool is_branch(const struct insn_row *row)
{
	static const char *const names[] = {"Jcc",  "JMP",   "CALL",   "RET",
					    "LOOP", "LOOPE", "LOOPNE", "JCXZ"};

	return AMONG(names, row->mnemonic);
}

/* The memory operand: a form of addressing, with registers set so that it lands at `target`; those
 * in the bitmap `fixed` have a value that counts. */
static void place_memory(struct parts *parts, struct insn_instance *instance, uint64_t target,
			 uint32_t fixed, uint64_t *seed)
{
	uint64_t random = insn_gen_random(seed);
	uint64_t index_value = random >> 40 & 15;

	parts->base = random & 15;
	parts->index = random >> 4 & 15;
	parts->scale = random >> 8 & 3;
	parts->mod = (random >> 10) % 3;
	if (parts->index == 4 || parts->index == parts->base)
		parts->index = 4; /* none */
	if (fixed >> parts->base & 1)
		parts->base = REG_RSI;
	if (fixed >> parts->index & 1)
		parts->index = REG_RSP;
	if (parts->mod == 0 && (parts->base & 7) == 5)
		parts->mod = 1;
	parts->sib = (parts->base & 7) == 4 || (random >> 13 & 1);
	parts->no_base = parts->sib && (random >> 14 & 7) == 0;
	parts->disp = parts->mod == 1	? (int8_t)(random >> 16)
		      : parts->mod == 2 ? (int32_t)(random >> 16)
					: 0;
	parts->disp_size = parts->mod == 1 ? 1 : parts->mod == 2 ? 4 : 0;
	if (!parts->sib)
		parts->index = 4;
	if (parts->no_base) {
		parts->mod = 0;
		parts->base = 5;
		parts->disp_size = 4;
		parts->disp =
		    (int32_t)(target - (parts->index == 4 ? 0 : index_value << parts->scale));
	} else {
		instance->state.gpr[parts->base] =
		    target - (int64_t)parts->disp -
		    (parts->index == 4 ? 0 : index_value << parts->scale);
	}
	if (parts->index != 4)
		instance->state.gpr[parts->index] = index_value;
}

static bool is_gather(const struct insn_row *row)
{
	return !strcmp(row->handler, "insn_vgather");
}

/* A vector of indices, most of which stay in the data page and all of which differ from the
 * destination. */
static void place_gather(const struct insn_row *row, struct parts *parts,
			 struct insn_instance *instance, uint64_t *seed)
{
	unsigned size = strtoul(strrchr(row->encoding, '/') - 3, NULL, 16) & 1 ? 8 : 4;
	uint64_t random = insn_gen_random(seed);

	parts->sib = true;
	parts->base = random & 15;
	if (parts->base == REG_RSP || (parts->base & 7) == REG_RBP)
		parts->base = REG_RSI;
	parts->index = parts->reg ^ (1 + (random >> 8) % 7);
	parts->scale = random >> 16 & 3;
	parts->mod = 2;
	parts->disp = (int32_t)(random >> 20);
	parts->disp_size = 4;
	instance->state.gpr[parts->base] = NATIVE_DATA + 2048 - (int64_t)parts->disp;
	for (unsigned at = 0; at < 32; at += size) {
		uint8_t *lane =
		    instance->state.fx + (at < 16 ? 160 : NATIVE_YMM) + 16 * parts->index + at % 16;
		int64_t index = (int64_t)(insn_gen_random(seed) % 480) - 240;

		if (!(insn_gen_random(seed) >> 40 & 31))
			index = 4096;
		put(lane, (uint64_t)index, size);
	}
}

static uint8_t *append(uint8_t *at, const void *bytes, unsigned count)
{
	memcpy(at, bytes, count);
	return at + count;
}

static uint8_t *append_modrm(uint8_t *at, const struct parts *parts)
{
	if (parts->exact >= 0) {
		*at++ = parts->exact;
		return at;
	}
	if (parts->mod == 3) {
		*at++ = 0xc0 | (parts->reg & 7) << 3 | (parts->rm & 7);
		return at;
	}
	*at++ = parts->mod << 6 | (parts->reg & 7) << 3 | (parts->sib ? 4 : parts->base & 7);
	if (parts->sib)
		*at++ = parts->scale << 6 | (parts->index & 7) << 3 | (parts->base & 7);
	return append(at, &parts->disp, parts->disp_size);
}

static unsigned immediate_size(const struct insn_row *row, unsigned opsize)
{
	const char *at = row->operands;
	unsigned size = 0;

	if (strstr(at, "Ib") || strstr(at, "Lx"))
		size += 1;
	if (strstr(at, "Iw"))
		size += 2;
	if (strstr(at, "Iz"))
		size += opsize == 2 ? 2 : 4;
	if (strstr(at, "Iv"))
		size += opsize;
	return size;
}

/* Where the operand lies in the page: room for 16 bytes and bit strings on either side. */
static uint64_t pick_target(const struct insn_row *row, uint64_t *seed)
{
	uint64_t offset = 1024 + insn_gen_random(seed) % 2048;

	if (is_xsave(row))
		return NATIVE_DATA + 64 * (1 + (offset & 31)) + (offset % 37 ? 0 : 32);
	/* lanes beyond the page, which fault if they are chosen */
	if (strstr(row->handler, "vmaskmov") && !(insn_gen_random(seed) >> 40 & 3))
		return NATIVE_DATA +
		       (offset & 1 ? NATIVE_DATA_SIZE - offset % 40 : (offset % 40) - 40);
	/* Not aligned is mostly a fault; AMD's parts let SHA pass, SDM 2 "Exceptions Type 4" does
	 * not. */
	if (strchr(row->operands, strncmp(row->encoding, "VEX", 3) ? 'x' : 'a') &&
	    (insn_gen_random(seed) >> 40 & 15 || !strncmp(row->mnemonic, "SHA", 3)))
		offset &= ~UINT64_C(31);
	if (!strcmp(row->mnemonic, "CMPXCHG8B"))
		offset &= ~UINT64_C(15);
	return NATIVE_DATA + offset;
}

/* Registers that an instruction uses without naming them in ModRM. */
static void fix_implicit(const struct insn_row *row, struct insn_instance *instance, uint64_t *seed)
{
	uint64_t *gpr = instance->state.gpr;
	uint64_t middle = NATIVE_DATA + NATIVE_DATA_SIZE / 2;

	if (is_string(row)) {
		gpr[REG_RSI] = middle + insn_gen_random(seed) % 64 - 32;
		gpr[REG_RDI] = middle + insn_gen_random(seed) % 64 - 32;
		gpr[REG_RCX] = insn_gen_random(seed) % 20;
	}
	if (strstr(row->mnemonic, "MASKMOV") && row->handler[0] == 's')
		gpr[REG_RDI] = middle + (insn_gen_random(seed) & 63);
	if (strstr(row->mnemonic, "PCMPESTR")) {
		gpr[REG_RAX] = insn_gen_random(seed) % 40 - 20;
		gpr[REG_RDX] = insn_gen_random(seed) % 40 - 20;
	}
	if (!strcmp(row->mnemonic, "XLAT"))
		gpr[REG_RBX] = middle - 128;
	if (strstr(row->handler, "push") || strstr(row->handler, "pop") ||
	    !strcmp(row->mnemonic, "CALL") || !strcmp(row->mnemonic, "RET") ||
	    !strcmp(row->mnemonic, "ENTER"))
		gpr[REG_RSP] = middle + (insn_gen_random(seed) & 63);
	if (!strcmp(row->mnemonic, "ENTER") || !strcmp(row->mnemonic, "LEAVE"))
		gpr[REG_RBP] = middle + 512 + (insn_gen_random(seed) & 63);
	if (!strncmp(row->mnemonic, "LOOP", 4) && insn_gen_random(seed) & 1)
		gpr[REG_RCX] = 1;
	if (!strcmp(row->mnemonic, "JCXZ") && insn_gen_random(seed) & 1)
		gpr[REG_RCX] = 0;
	if (strstr(row->mnemonic, "DIV") &&
	    insn_gen_random(seed) % 4) { /* most quotients should fit */
		gpr[REG_RDX] = insn_gen_random(seed) & 1 ? 0 : gpr[REG_RDX] >> 40;
	}
}

/* Some values all over the page; as many as the page holds would take most of a test's time. */
static void fill_data(const struct insn_row *row, uint8_t *data, uint64_t *seed)
{
	bool simd = is_simd(row);
	uint64_t value[64];

	for (unsigned i = 0; i < 64; i++)
		value[i] = simd ? vector_gen_quadword(seed) : insn_gen_integer(seed);
	for (unsigned i = 0; i < NATIVE_DATA_SIZE / 8; i++)
		memcpy(data + 8 * i, &value[(i + 5 * (i / 64)) % 64], 8);
}

static void poke(struct insn_instance *instance, uint64_t address, uint64_t value)
{
	memcpy(instance->data + (address - NATIVE_DATA), &value, 8);
}

/* Flags undefined for this instance, where the row's column covers all instances. SDM 2, "Flags
 * Affected" of the shifts and rotates: count 0 changes nothing; OF is defined for 1 only; CF of SHL
 * and SHR is defined up to the operand size. */
static uint32_t undefined_flags(const struct insn_row *row, const struct insn_instance *instance,
				uint8_t imm)
{
	static const char *const shifts[] = {"SHL", "SHR", "SAR"},
				 *const doubles[] = {"SHLD", "SHRD"},
				 *const rotates[] = {"ROL", "ROR", "RCL", "RCR"};
	bool by_cl = strstr(row->operands, "CL"), by_one = strstr(row->operands, ",1");
	unsigned count = by_one ? 1 : by_cl ? instance->state.gpr[REG_RCX] & 0xff : imm;

	count &= instance->opsize == 8 ? 63 : 31;
	if (AMONG(rotates, row->mnemonic))
		return count <= 1 ? 0 : RFLAGS_OF;
	if (!AMONG(shifts, row->mnemonic) && !AMONG(doubles, row->mnemonic))
		return row->undefined;
	if (!count)
		return 0;
	if (count > 8 * instance->opsize && AMONG(doubles, row->mnemonic))
		return RFLAGS_STATUS;
	return RFLAGS_AF | (count > 1 && strcmp(row->mnemonic, "SAR") ? RFLAGS_OF : 0) |
	       (count >= 8 * instance->opsize && strcmp(row->mnemonic, "SAR") ? RFLAGS_CF : 0);
}

static unsigned operand_size(const struct insn_row *row, const struct parts *parts, bool prefix66)
{
	const char *type = row->operands;

	while (is_simd(row) && strchr("VWUPQNH", type[0]) && strchr(type, ','))
		type = strchr(type, ',') + 1;
	if (strchr("EGMRBZI", type[0]) && type[0])
		type++;
	else if (strchr("XY", type[0]) && type[0])
		type++;
	else if (!strncmp(type, "AL", 2))
		return 1;
	if (*type == 'b')
		return 1;
	if (strstr(row->operands, "rAX") || *type == 'v' || *type == 'z')
		return parts->rex & 8 ? 8 : prefix66 ? 2 : 4;
	return parts->rex & 8 ? 8 : 4;
}

/* The bytes 0F, 0F 38, 0F 3A before the opcode, as VEX.mmmmm. */
static unsigned vex_map(const struct parts *parts)
{
	return parts->opcodes == 2 ? 1 : parts->opcode[1] == 0x38 ? 2 : 3;
}

static uint8_t *append_opcode(uint8_t *at, const struct parts *parts, uint8_t vvvv, uint64_t random)
{
	unsigned w = parts->vex_w < 0 ? parts->rex >> 3 & 1 : (unsigned)parts->vex_w;
	unsigned l = parts->vex_l < 0 ? random & 1 : (unsigned)parts->vex_l;
	uint8_t last = (uint8_t)((~vvvv & 15) << 3 | l << 2 | parts->vex_pp);

	if (!parts->is_vex) {
		at = append(at, parts->prefix, parts->prefixes);
		if (parts->rex)
			*at++ = parts->rex;
		return append(at, parts->opcode, parts->opcodes);
	}
	if (vex_map(parts) == 1 && !w && !(parts->rex & 3) && random & 2) {
		*at++ = 0xc5;
		*at++ = (uint8_t)((~parts->rex & 4) << 5 | last);
	} else {
		*at++ = 0xc4;
		*at++ = (uint8_t)((~parts->rex & 7) << 5 | vex_map(parts));
		*at++ = (uint8_t)(w << 7 | last);
	}
	*at++ = parts->opcode[parts->opcodes - 1];
	return at;
}

static void make_branch(const struct insn_row *row, struct parts *parts,
			struct insn_instance *instance, uint64_t memory)
{
	if (!strcmp(row->mnemonic, "RET"))
		poke(instance, instance->state.gpr[REG_RSP], NATIVE_OTHER);
	else if (parts->modrm && instance->memory)
		poke(instance, memory, NATIVE_OTHER);
	else if (parts->modrm)
		instance->state.gpr[parts->rm] = NATIVE_OTHER;
}

static uint8_t *append_relative(const struct insn_row *row, struct insn_instance *instance,
				uint8_t *at)
{
	unsigned size = strstr(row->operands, "Jb") ? 1 : strstr(row->operands, "Jz") ? 4 : 0;
	int32_t relative = (int32_t)(NATIVE_OTHER - (NATIVE_AT + (at - instance->bytes) + size));

	return append(at, &relative, size);
}

/* Prefixes that the row leaves free. Returns whether 66 was chosen. */
static bool choose_prefixes(const struct insn_row *row, struct parts *parts, bool mandatory,
			    uint64_t random)
{
	static const char *const no_66[] = {"BSWAP", "ENTER", "LEAVE"};
	bool prefix66 = !mandatory && !is_simd(row) && !parts->is_vex && !is_branch(row) &&
			!(random & 3) && !AMONG(no_66, row->mnemonic);

	if (prefix66)
		put_legacy_prefix(parts, 0x66);
	if (is_string(row) && random >> 2 & 1)
		put_legacy_prefix(parts, random >> 3 & 1 ? 0xf3 : 0xf2);
	if (parts->is_vex || random >> 4 & 1)
		parts->rex = 0x40 | (random >> 5 & 15);
	if (is_branch(row))
		parts->rex &= ~8;
	return prefix66;
}

/* REX must say what the chosen base and index need, if it is there at all or they need it. */
static void extend_rex(struct parts *parts)
{
	bool base = parts->base >= 8 && !parts->no_base, index = parts->index >= 8;

	if (base || index)
		parts->rex |= 0x40;
	if (parts->rex)
		parts->rex = (parts->rex & ~3) | base | index << 1;
}

static void choose_operand(const struct insn_row *row, struct parts *parts,
			   struct insn_instance *instance, uint64_t memory, uint64_t *seed)
{
	uint64_t random = insn_gen_random(seed);
	bool stack = strstr(row->handler, "push") || strstr(row->handler, "pop") || is_branch(row);

	parts->reg =
	    parts->digit >= 0 ? (unsigned)parts->digit : (random & 7) | (parts->rex & 4) << 1;
	parts->rm = (random >> 3 & 7) | (parts->rex & 1) << 3;
	parts->mod = 3;
	instance->memory =
	    parts->want_mem || (!parts->want_reg && !strchr(row->operands, 'R') && random >> 6 & 1);
	if (!instance->memory)
		return;
	if (is_gather(row))
		place_gather(row, parts, instance, seed);
	else
		place_memory(parts, instance, memory,
			     is_xsave(row) ? 1u << REG_RAX | 1u << REG_RDX : 0, seed);
	extend_rex(parts);
	if (parts->digit < 0) /* REX.R may have come with the base */
		parts->reg = (parts->reg & 7) | (parts->rex & 4) << 1;
	/* A register bit offset reaches far from its operand: keep it within the page. */
	if (!strncmp(row->mnemonic, "BT", 2) && parts->digit < 0 && parts->reg != parts->base &&
	    parts->reg != parts->index)
		instance->state.gpr[parts->reg] = (int64_t)(insn_gen_random(seed) % 4096) - 2048;
	if (stack && parts->base != REG_RSP)
		instance->state.gpr[REG_RSP] = NATIVE_DATA + 512;
}

/* An immediate in its range; DIV-like surprises are wanted, undefined results are not. */
static uint64_t choose_immediate(const struct insn_row *row, struct insn_instance *instance,
				 uint64_t *seed)
{
	uint64_t imm = insn_gen_integer(seed);

	if (!strncmp(row->mnemonic, "SH", 2) && strlen(row->mnemonic) == 4 &&
	    instance->opsize == 2) {
		instance->state.gpr[REG_RCX] &= ~UINT64_C(16);
		return imm & 15;
	}
	if (!strcmp(row->mnemonic, "ENTER"))
		return imm & 0x0300ff;
	if (!strcmp(row->mnemonic, "RET"))
		return imm & 0xff;
	return imm;
}

static void choose_state(const struct insn_row *row, struct native_state *state, uint64_t *seed)
{
	uint64_t flags = insn_gen_random(seed);

	for (unsigned reg = 0; reg < 16; reg++)
		state->gpr[reg] = insn_gen_integer(seed);
	state->rflags = (flags & RFLAGS_STATUS) | RFLAGS_FIXED1;
	vector_gen_state(state->fx, seed);
	if (is_x87(row))
		x87_gen_state(row->mnemonic, state->fx, seed);
	if (is_string(row))
		state->rflags |= flags & RFLAGS_DF;
	state->vector = -1;
}

static bool uses_vvvv(const struct insn_row *row)
{
	return strchr(row->operands, 'B') || strchr(row->operands, 'H');
}

void insn_gen_make(const struct insn_row *row, uint64_t *seed, struct insn_instance *instance)
{
	struct parts parts = {.digit = -1, .exact = -1};
	uint64_t memory = pick_target(row, seed), imm, vvvv;
	bool mandatory = parse_encoding(row, &parts, seed);
	bool prefix66 = choose_prefixes(row, &parts, mandatory, insn_gen_random(seed));
	uint8_t *at;

	*instance = (struct insn_instance){.target = memory};
	fill_data(row, instance->data, seed);
	if (is_x87(row))
		x87_gen_memory(row, instance->data + (memory - NATIVE_DATA), seed);
	choose_state(row, &instance->state, seed);
	fix_implicit(row, instance, seed);
	if (is_xsave(row))
		vector_gen_xsave_area(instance, seed);
	instance->opsize = operand_size(row, &parts, prefix66);
	if (parts.modrm)
		choose_operand(row, &parts, instance, memory, seed);
	if (is_branch(row))
		make_branch(row, &parts, instance, memory);
	imm = choose_immediate(row, instance, seed);
	do
		vvvv = insn_gen_random(seed);
	while (is_gather(row) && ((vvvv & 15) == parts.index || (vvvv & 15) == parts.reg));
	at = append_opcode(instance->bytes, &parts, uses_vvvv(row) ? vvvv & 15 : 0, vvvv >> 32);
	if (parts.modrm || parts.exact >= 0)
		at = append_modrm(at, &parts);
	if (strchr(row->operands, 'O'))
		at = append(at, &memory, 8);
	at = append(at, &imm, immediate_size(row, instance->opsize));
	at = append_relative(row, instance, at);
	instance->length = at - instance->bytes;
	instance->undefined = undefined_flags(row, instance, imm);
}
