/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The instruction table: insns.def parsed once into rows that the decoder can match, indexed by
 * opcode. A row that breaks the grammar stops the program at start: it is a mistake of ours.
 */
#include "l0/machine/interp/insn_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/families.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/simd/direct.h"

enum flag_set {
	none = 0,
	C = RFLAGS_CF,
	A = RFLAGS_AF,
	Z = RFLAGS_ZF,
	O = RFLAGS_OF,
	AC = A | C,
	OC = O | C,
	OA = O | A,
	AP = A | RFLAGS_PF,
	SAP = AP | RFLAGS_SF,
	OAC = O | A | C,
	OSAP = O | SAP,
	OSAPC = OSAP | C,
	OSZP = O | Z | RFLAGS_SF | RFLAGS_PF,
	SZAP = SAP | Z,
	SZAPC = SZAP | C,
	OSZAP = O | SZAP,
	OSZAPC = RFLAGS_STATUS,
};

enum attribute_names {
	LOCK = INSN_LOCK,
	END = INSN_END,
	I64 = INSN_I64,
	O64 = INSN_O64,
	D64 = INSN_D64,
	F64 = INSN_F64,
	STACK = INSN_STACK,
	PROT = INSN_PROT,
	NOFAULT = INSN_NOFAULT,
	COUNT = INSN_COUNT,
	VSIB = INSN_VSIB,
};

#define ROW(enc, mnem, ops, name, feat, wr, un, rd, attr, cost)                                    \
	.row = {.encoding = enc,                                                                   \
		.mnemonic = #mnem,                                                                 \
		.operands = ops,                                                                   \
		.handler = name,                                                                   \
		.written = (wr),                                                                   \
		.undefined = (un),                                                                 \
		.read = (rd),                                                                      \
		.attributes = (attr),                                                              \
		.cycles = COST_##cost,                                                             \
		.feature = CPU_FEATURE_##feat}
#define CALL(enc, mnem, ops, handler, feat, wr, un, rd, attr, cost)                                \
	{ROW(enc, mnem, ops, #handler, feat, wr, un, rd, attr, cost), .complex = handler},
#define FAST(enc, mnem, ops, name, feat, wr, un, rd, attr, cost)                                   \
	{ROW(enc, mnem, ops, #name, feat, wr, un, rd, attr, cost), .family = family_##name},
static struct insn_info table[] = {
#include "l0/machine/interp/insns.def"
#undef CALL
#undef FAST
#define INT SIMD_INT
#define FP SIMD_FP
#define OUT SIMD_OUT
#define CROSS SIMD_CROSS
#define FUSED SIMD_FUSED
#define SIMD(enc, mnem, ops, name, feat, wr, kind_, cost)                                          \
	{ ROW(enc, mnem, ops, "simd_" #name, feat, wr, none, none, 0, cost),                       \
	  .complex = simd_execute, .simd = { .kernel = simd_##name, .kind = kind_ } },
#include "l0/machine/interp/simd/rows.def"
#undef SIMD
#undef INT
#undef FP
#undef OUT
#undef CROSS
#undef FUSED
#define X87(enc, mnem, ops, name, operand_, attributes_, feat, wr, rd, cost)                       \
	{ ROW(enc, mnem, ops, "x87_" #name, feat, wr, none, rd, 0, cost),                          \
	  .complex = x87_execute,                                                                  \
	  .x87 = { .kernel = x87_##name, .operand = X87_##operand_, .attributes = attributes_ } },
#define POP X87_POP
#define POP2 X87_POP2
#define TO_STI X87_TO_STI
#define STORE X87_STORE
#define NOWAIT X87_NOWAIT
#define CONTROL X87_CONTROL
#include "l0/machine/interp/x87/rows.def"
#undef X87
#undef POP
#undef POP2
#undef TO_STI
#undef STORE
#undef NOWAIT
#undef CONTROL
};
#define ROW_COUNT (sizeof(table) / sizeof(table[0]))

static uint16_t *candidates[SPACE_COUNT][256];
static const uint16_t no_candidates[1] = {UINT16_MAX};

static _Noreturn void bad_row(const struct insn_info *info, const char *token)
{
	fprintf(stderr, "insns.def: %s \"%s\": cannot parse '%s'\n", info->row.mnemonic,
		info->row.encoding, token);
	abort();
}

static bool parse_prefix(const char *token, enum insn_prefix *prefix)
{
	static const char *const names[] = {[PREFIX_NP] = "NP",
					    [PREFIX_NF] = "NF",
					    [PREFIX_66] = "66",
					    [PREFIX_F2] = "F2",
					    [PREFIX_F3] = "F3"};

	for (unsigned i = PREFIX_NP; i <= PREFIX_F3; i++)
		if (!strcmp(token, names[i]))
			return *prefix = (enum insn_prefix)i, true;
	return false;
}

static bool parse_vex(struct insn_info *info, char *token)
{
	char *save = NULL;

	if (strncmp(token, "VEX.", 4) != 0)
		return false;
	info->vex = true;
	for (char *part = strtok_r(token + 4, ".", &save); part;
	     part = strtok_r(NULL, ".", &save)) {
		if (parse_prefix(part, &info->prefix))
			continue;
		if (!strcmp(part, "L0") || !strcmp(part, "L1"))
			info->vex_l = part[1] == '1';
		else if (!strcmp(part, "W0") || !strcmp(part, "W1"))
			info->vex_w = part[1] == '1';
		else
			bad_row(info, part);
	}
	return true;
}

static bool parse_map(struct insn_info *info, const char *token)
{
	if (info->space == SPACE_PRIMARY && !strcmp(token, "0F"))
		info->space = SPACE_0F;
	else if (info->space == SPACE_0F && !strcmp(token, "38"))
		info->space = SPACE_0F38;
	else if (info->space == SPACE_0F && !strcmp(token, "3A"))
		info->space = SPACE_0F3A;
	else
		return false;
	return true;
}

static bool parse_modrm(struct insn_info *info, const char *token)
{
	if (!strcmp(token, "mem"))
		info->mod = MOD_MEMORY;
	else if (!strcmp(token, "reg"))
		info->mod = MOD_REGISTER;
	else if (token[0] == '=')
		info->exact = (int16_t)strtol(token + 1, NULL, 16);
	else if (token[0] == '/' && token[1] != 'r')
		info->digit = (int16_t)(token[1] - '0');
	else if (strcmp(token, "/r") != 0)
		return false;
	info->modrm = true;
	return true;
}

/* Prefixes and maps stand before the opcode, ModRM tokens after it. */
static void parse_encoding(struct insn_info *info)
{
	char text[64], *save = NULL, *end;
	bool opcode = false;

	snprintf(text, sizeof(text), "%s", info->row.encoding);
	info->digit = info->exact = -1;
	info->vex_l = info->vex_w = -1;
	for (char *token = strtok_r(text, " ", &save); token; token = strtok_r(NULL, " ", &save)) {
		bool last = !save || !*save || strchr("/=mr", *save);

		if (opcode ? parse_modrm(info, token)
			   : (!last && (parse_prefix(token, &info->prefix) ||
					parse_vex(info, token) || parse_map(info, token))))
			continue;
		info->opcode = (uint8_t)strtol(token, &end, 16);
		info->count = !strcmp(end, "+r") ? 8 : !strcmp(end, "+cc") ? 16 : 1;
		if (opcode || (info->count == 1 && *end))
			bad_row(info, token);
		opcode = true;
	}
	if (!opcode || (info->vex && info->space < SPACE_0F))
		bad_row(info, "");
	if (info->vex)
		info->space += SPACE_VEX_0F - SPACE_0F;
}

static bool parse_implicit(const char *token, struct insn_operand *operand)
{
	static const struct {
		const char *name;
		struct insn_operand operand;
	} names[] = {
	    {"AL", {'a', 'b', 0}},    {"rAX", {'a', 'v', 0}},	{"eAX", {'a', 'z', 0}},
	    {"CL", {'c', 0, 0}},      {"DX", {'d', 0, 0}},	{"1", {'1', 0, 0}},
	    {"ES", {'s', 0, SEG_ES}}, {"CS", {'s', 0, SEG_CS}}, {"SS", {'s', 0, SEG_SS}},
	    {"DS", {'s', 0, SEG_DS}}, {"FS", {'s', 0, SEG_FS}}, {"GS", {'s', 0, SEG_GS}},
	    {"XMM0", {'0', 0, 0}},
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(token, names[i].name))
			return *operand = names[i].operand, true;
	return false;
}

static uint8_t simd_size(const struct insn_info *info, char type)
{
	static const char types[] = "bwdqu";
	static const uint8_t sizes[] = {1, 2, 4, 8, 16, 0};
	const char *at = strchr(types, type);

	if (type == 'x' || type == 'a')
		return info->vex_l == 1 ? 32 : 16;
	return sizes[at && type ? at - types : 5];
}

static enum simd_file file_of(char method)
{
	if (strchr("VWUHL0", method))
		return FILE_XMM;
	if (strchr("PQN", method))
		return FILE_MMX;
	return method == 'I' ? FILE_IMMEDIATE : FILE_GENERAL;
}

static enum simd_place place_of(char method)
{
	switch (method) {
	case 'H':
		return IN_VVVV;
	case 'L':
		return IN_IMMEDIATE;
	case '0':
		return IN_XMM0;
	default:
		return strchr("EMRWUQN", method) ? IN_RM : IN_REG;
	}
}

static struct simd_operand simd_operand(const struct insn_info *info, unsigned n)
{
	const struct insn_operand *operand = &info->operands[n];
	char method = operand->method, type = operand->type;

	if (!method)
		return (struct simd_operand){0};
	return (struct simd_operand){.file = file_of(method),
				     .place = place_of(method),
				     .size = simd_size(info, method == '0' ? 'x' : type),
				     .aligned = type == (info->vex ? 'a' : 'x')};
}

/* The destination comes first. It is the first source, too, unless VEX.vvvv is one of the two. */
static void parse_simd(struct insn_info *info)
{
	struct simd_info *simd = &info->simd;
	struct simd_operand all[INSN_OPERANDS];
	bool apart = info->operands[0].method == 'H' || info->operands[1].method == 'H';

	for (unsigned i = 0; i < INSN_OPERANDS; i++) {
		all[i] = simd_operand(info, i);
		simd->sse |= all[i].file == FILE_XMM;
		simd->mmx |= all[i].file == FILE_MMX;
		simd->wide |= all[i].size == 32;
		if (all[i].place == IN_IMMEDIATE || all[i].place == IN_XMM0)
			simd->third = all[i];
	}
	simd->dest = all[0];
	simd->first = all[apart ? 1 : 0];
	simd->second = all[apart ? 2 : 1];
	if (simd->kind & SIMD_FUSED)
		simd->third = all[0];
	simd->vex = info->vex;
	simd->mmx |= !info->vex && !info->operands[0].method;
	simd->mmx_register = simd->kind == SIMD_OUT && info->operands[0].method == 'V';
	simd->direct = simd_direct_find(simd);
}

static void parse_operands(struct insn_info *info)
{
	char text[32], *save = NULL;
	unsigned n = 0;

	snprintf(text, sizeof(text), "%s", info->row.operands);
	for (char *token = strtok_r(text, ",", &save); token; token = strtok_r(NULL, ",", &save)) {
		struct insn_operand *operand = &info->operands[n++];

		if (n > INSN_OPERANDS)
			bad_row(info, token);
		if (parse_implicit(token, operand))
			continue;
		if (!strchr("EGMRCDSBZIJOAXYVWUPQNHL", token[0]) ||
		    !strchr("bwdqvzypsnxua", token[1]) || token[2])
			bad_row(info, token);
		operand->method = token[0];
		operand->type = token[1];
		info->mod_ignored |= operand->method == 'C' || operand->method == 'D';
		if (operand->type == 'b' && operand->method == 'G')
			info->byte_reg = true;
	}
	for (n = 0; n < INSN_OPERANDS; n++)
		if (info->operands[n].type == 'b' && info->operands[n].method &&
		    strchr("EZa", info->operands[n].method))
			info->byte_rm = true;
}

static void index_row(unsigned row)
{
	struct insn_info *info = &table[row];

	for (unsigned i = 0; i < info->count; i++) {
		uint16_t **list = &candidates[info->space][(uint8_t)(info->opcode + i)];
		unsigned n = 0;

		while (*list && (*list)[n] != UINT16_MAX)
			n++;
		*list = realloc(*list, (n + 2) * sizeof(**list));
		if (!*list)
			abort();
		(*list)[n] = (uint16_t)row;
		(*list)[n + 1] = UINT16_MAX;
	}
}

void insn_table_init(void)
{
	if (candidates[SPACE_PRIMARY][0])
		return;
	for (unsigned row = 0; row < ROW_COUNT; row++) {
		parse_encoding(&table[row]);
		parse_operands(&table[row]);
		if (table[row].simd.kernel)
			parse_simd(&table[row]);
		table[row].row.fast = table[row].family != NULL;
		table[row].rtm_aborts = rtm_insn_aborts(&table[row]);
		index_row(row);
	}
}

const struct insn_info *insn_info(unsigned row)
{
	return &table[row];
}

const uint16_t *insn_candidates(enum insn_space space, uint8_t opcode)
{
	return candidates[space][opcode] ? candidates[space][opcode] : no_candidates;
}

unsigned insn_row_count(void)
{
	return ROW_COUNT;
}

const struct insn_row *insn_row(unsigned row)
{
	insn_table_init();
	return row < ROW_COUNT ? &table[row].row : NULL;
}

void insn_features_announced(const struct cpu *cpu, bool announced[INSN_FEATURE_COUNT])
{
	announced[CPU_FEATURE_BASE] = true;
	for (unsigned i = 0; i < CPU_FEATURE_COUNT; i++)
		announced[i] = cpu_profile_has(cpu->profile, i);
}
