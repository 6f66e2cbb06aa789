/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A dictionary for libFuzzer: an encoding or two of each instruction of the tables, loads of ECX
 * with the number of each MSR, MOVs to and from control and debug registers.
 */
#include <stdio.h>

#include "l0/machine/interp/insn_table.h"
#include "tests/fuzz/fuzz.h"

struct encoding {
	uint8_t bytes[16];
	unsigned count;
};

static void put(struct encoding *e, unsigned byte)
{
	e->bytes[e->count++] = (uint8_t)byte;
}

static void print(FILE *out, const struct encoding *e)
{
	fputc('"', out);
	for (unsigned i = 0; i < e->count; i++)
		fprintf(out, "\\x%02x", e->bytes[i]);
	fputs("\"\n", out);
}

static void put_prefix(struct encoding *e, enum insn_prefix prefix)
{
	static const uint8_t bytes[] = {[PREFIX_66] = 0x66, [PREFIX_F2] = 0xf2, [PREFIX_F3] = 0xf3};

	if (prefix >= PREFIX_66)
		put(e, bytes[prefix]);
}

static void put_map(struct encoding *e, const struct insn_info *info)
{
	static const uint8_t pp[] = { [PREFIX_66] = 1, [PREFIX_F3] = 2, [PREFIX_F2] = 3 };

	if (info->space >= SPACE_VEX_0F) {
		put(e, 0xc4);
		put(e, 0xe1 + (info->space - SPACE_VEX_0F));
		put(e, (info->vex_w == 1 ? 0x80 : 0) | 0x70 | (info->vex_l == 1 ? 4 : 0) |
			       (info->prefix >= PREFIX_66 ? pp[info->prefix] : 0));
		return;
	}
	put_prefix(e, info->prefix);
	if (info->space != SPACE_PRIMARY)
		put(e, 0x0f);
	if (info->space == SPACE_0F38)
		put(e, 0x38);
	else if (info->space == SPACE_0F3A)
		put(e, 0x3a);
}

/* modrm: of the form [rbx] or with register 1. */
static void print_form(FILE *out, const struct insn_info *info, unsigned modrm)
{
	struct encoding e = { .count = 0 };

	put_map(&e, info);
	put(&e, info->opcode);
	if (info->exact >= 0)
		put(&e, (unsigned)info->exact);
	else if (info->modrm)
		put(&e, modrm | (info->digit >= 0 ? (unsigned)info->digit << 3 : 0));
	print(out, &e);
}

static void print_row(FILE *out, const struct insn_info *info)
{
	bool both = info->modrm && info->exact < 0;

	if (!both || info->mod != MOD_MEMORY)
		print_form(out, info, 0xc1);
	if (both && info->mod != MOD_REGISTER)
		print_form(out, info, 0x03);
}

static void print_msrs(FILE *out)
{
	static const uint32_t msrs[] = {
#define MSR_FIELD(name, number, ...) number,
#define MSR_CONST(name, number, ...) number,
#define MSR_CALL(name, number, ...) number,
#include "l0/machine/interp/msrs.def"
#undef MSR_FIELD
#undef MSR_CONST
#undef MSR_CALL
	};

	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		print(out, &(struct encoding){{0xb9, (uint8_t)msrs[i], (uint8_t)(msrs[i] >> 8),
					       (uint8_t)(msrs[i] >> 16), (uint8_t)(msrs[i] >> 24)},
					      5});
}

void fuzz_dictionary(FILE *out)
{
	insn_table_init();
	for (unsigned space = 0; space < SPACE_COUNT; space++)
		for (unsigned opcode = 0; opcode < 256; opcode++) {
			const uint16_t *row =
			    insn_candidates((enum insn_space)space, (uint8_t)opcode);

			for (; *row != UINT16_MAX; row++)
				if (insn_info(*row)->opcode == opcode)
					print_row(out, insn_info(*row));
		}
	print_msrs(out);
}
