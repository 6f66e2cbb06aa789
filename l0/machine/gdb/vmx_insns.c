/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which VMX instruction lies at RIP, told from its bytes: any backend has those.
 */
#include "l0/machine/gdb/private.h"

#define ANY 0x100

static const struct row {
	const char *name;
	uint16_t prefix, second, third, reg;
} rows[] = {
#define VMX_INSN(name, prefix, second, third, reg) {#name, prefix, second, third, reg},
#include "l0/machine/gdb/vmx_insns.def"
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Legacy prefixes and REX; the last 66, F2 or F3 is the mandatory one. */
static unsigned skip_prefixes(const uint8_t *code, size_t length, bool rex, uint16_t *mandatory)
{
	unsigned at = 0;

	for (*mandatory = 0; at < length; at++) {
		uint8_t byte = code[at];

		if (byte == 0x66 || byte == 0xf2 || byte == 0xf3)
			*mandatory = byte;
		else if (byte != 0x2e && byte != 0x36 && byte != 0x3e && byte != 0x26 &&
			 byte != 0x64 && byte != 0x65 && byte != 0x67 &&
			 !(rex && (byte & 0xf0) == 0x40))
			break;
	}
	return at;
}

static bool matches(const struct row *row, uint16_t prefix, const uint8_t *code)
{
	if (row->prefix != prefix || row->second != code[1] ||
	    (row->third != ANY && row->third != code[2]))
		return false;
	return row->reg == ANY || (row->reg == (code[2] >> 3 & 7) && code[2] < 0xc0);
}

int gdb_vmx_insn(const struct gdb *gdb, const struct context *context)
{
	uint8_t code[15];
	uint16_t prefix;
	size_t length = context_read(context, &gdb->machine->memory, context_code_linear(context),
				     code, sizeof(code));
	unsigned at = skip_prefixes(code, length, context_is_64bit(context), &prefix);

	if (at + 3 > length || code[at] != 0x0f)
		return -1;
	for (unsigned i = 0; i < ROWS; i++)
		if (matches(&rows[i], prefix, code + at))
			return (int)i;
	return -1;
}

const char *gdb_vmx_insn_name(unsigned row)
{
	return row < ROWS ? rows[row].name : NULL;
}
