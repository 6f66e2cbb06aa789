/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Registers as GDB numbers them, and the description that tells it so.
 */
#include "l0/machine/gdb/private.h"

#include <stdio.h>
#include <string.h>

#define BYTES(bits) ((bits) / 8)
#define FIRST_SYSTEM_REGISTER "fs_base" /* of another feature than i386.core */

static const struct row {
	const char *name, *type;
	uint16_t bits;
	uint16_t offset, size; /* in struct context; size 0: not to be had */
} rows[] = {
#define GDB_REG(name, bits, type, field)                                                           \
	{#name, type, bits, offsetof(struct context, field),                                       \
	 sizeof(((struct context *)0)->field)},
#define GDB_NONE(name, bits, type) {#name, type, bits, 0, 0},
#include "l0/machine/gdb/registers.def"
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool known(const struct row *row, const struct context *context)
{
	size_t first = offsetof(struct context, gpr), end = first + sizeof(context->gpr);
	bool general = row->offset >= first && row->offset < end;

	return row->size && (context->gpr_known || !general ||
			     row->offset == offsetof(struct context, gpr[REG_RSP]));
}

bool gdb_put_register(struct gdb *gdb, const struct context *context, unsigned number)
{
	uint8_t value[16] = {0};

	if (number >= ROWS)
		return false;
	if (!known(&rows[number], context)) {
		for (unsigned i = 0; i < BYTES(rows[number].bits); i++)
			gdb_put(gdb, "xx");
		return true;
	}
	memcpy(value, (const uint8_t *)context + rows[number].offset, rows[number].size);
	gdb_put_hex(gdb, value, BYTES(rows[number].bits));
	return true;
}

void gdb_put_registers(struct gdb *gdb, const struct context *context)
{
	for (unsigned i = 0; i < ROWS; i++)
		gdb_put_register(gdb, context, i);
}

unsigned gdb_register_size(unsigned number)
{
	return number < ROWS ? BYTES(rows[number].bits) : 0;
}

bool gdb_set_register(struct context *context, unsigned number, uint64_t value)
{
	if (number >= ROWS || !rows[number].size)
		return false;
	memcpy((uint8_t *)context + rows[number].offset, &value, rows[number].size);
	return true;
}

static const char flags_xml[] =
	"<flags id=\"i386_eflags\" size=\"4\"><field name=\"CF\" start=\"0\" end=\"0\"/>"
	"<field name=\"\" start=\"1\" end=\"1\"/><field name=\"PF\" start=\"2\" end=\"2\"/>"
	"<field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/>"
	"<field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"TF\" start=\"8\" end=\"8\"/>"
	"<field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" start=\"10\" end=\"10\"/>"
	"<field name=\"OF\" start=\"11\" end=\"11\"/></flags>";

const char *gdb_target_xml(void)
{
	static char xml[8192];
	char *at = xml, *end = xml + sizeof(xml);

	if (*xml)
		return xml;
	at += snprintf(at, (size_t)(end - at),
		       "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
		       "<architecture>i386:x86-64</architecture>"
		       "<feature name=\"org.gnu.gdb.i386.core\">%s", flags_xml);
	for (unsigned i = 0; i < ROWS; i++) {
		if (!strcmp(rows[i].name, FIRST_SYSTEM_REGISTER))
			at += snprintf(at, (size_t)(end - at), "</feature><feature "
				       "name=\"org.gnu.gdb.i386.segments\">");
		at += snprintf(at, (size_t)(end - at),
			       "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>", rows[i].name,
			       rows[i].bits, rows[i].type);
	}
	snprintf(at, (size_t)(end - at), "</feature></target>");
	return xml;
}
