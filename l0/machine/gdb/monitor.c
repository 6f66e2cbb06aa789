/* SPDX-License-Identifier: BSD-2-Clause
 *
 * `monitor ...`: levels, and what to stop at that GDB has no word for.
 */
#include "l0/machine/gdb/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "l0/machine/levels.h"

static const char help[] =
	"level              lists the levels\n"
	"level N            registers and memory are those of LN until the guest goes on\n"
	"break-level N|any  breakpoints count at LN only, or at any level\n"
	"catch entry [N]    stop after a VM entry to LN\n"
	"catch exit [REASON|any] [N]   stop after a VM exit of LN, by name or number\n"
	"catch insn [NAME|any] [N]     stop before a VMX instruction of LN\n"
	"catch              lists what is caught; `uncatch` forgets it all\n";

static void print_level(struct gdb *gdb, unsigned level)
{
	struct context context;
	bool runs = level == context_current_level(gdb->machine);

	if (!context_of_level(gdb->machine, level, &context))
		return;
	gdb_say(gdb, "%cL%u rip=%016" PRIx64 " rsp=%016" PRIx64 " cr3=%" PRIx64 " eptp=%" PRIx64
		"%s\n", level == gdb_level(gdb) ? '*' : ' ', level, context.rip,
		context.gpr[REG_RSP], context.cr3, context.eptp, runs ? ", running" : "");
}

static void do_level(struct gdb *gdb, char **words)
{
	struct context context;

	if (!words[0]) {
		for (unsigned level = 0; level < LEVELS_ROWS; level++)
			print_level(gdb, level);
		return;
	}
	unsigned level = (unsigned)strtoul(words[0], NULL, 0);

	if (!context_of_level(gdb->machine, level, &context)) {
		gdb_say(gdb, "there is no L%u whose state a VMCS holds\n", level);
		return;
	}
	gdb->selected = level;
	print_level(gdb, level);
	gdb_say(gdb, "GDB keeps registers of its own: `thread find L%u` and `thread` show these\n",
		level);
}

static uint32_t parse_level(const char *word)
{
	return !word || !strcmp(word, "any") ? GDB_ANY : (uint32_t)strtoul(word, NULL, 0);
}

static void do_break_level(struct gdb *gdb, char **words)
{
	gdb->break_level = parse_level(words[0]);
}

static bool parse_reason(const char *word, uint32_t *reason)
{
	char *end;

	if (!word || !strcmp(word, "any")) {
		*reason = GDB_ANY;
		return true;
	}
	*reason = (uint32_t)strtoul(word, &end, 0);
	if (!*end)
		return vmx_exit_reason_name(*reason);
	for (*reason = 0; *reason < EXIT_REASON_COUNT; ++*reason) {
		const char *name = vmx_exit_reason_name(*reason);

		if (name && !strcasecmp(name, word))
			return true;
	}
	return false;
}

static bool parse_insn(const char *word, uint32_t *row)
{
	*row = GDB_ANY;
	if (!word || !strcmp(word, "any"))
		return true;
	for (*row = 0; gdb_vmx_insn_name(*row); ++*row)
		if (!strcasecmp(gdb_vmx_insn_name(*row), word))
			return true;
	return false;
}

static void print_catch(struct gdb *gdb, const struct gdb_catch *catch)
{
	static const char *const kinds[] = {"VM entry", "VM exit", "before a VMX instruction"};
	const char *what = catch->what == GDB_ANY ? NULL :
			   catch->kind == GDB_CATCH_EXIT ? vmx_exit_reason_name(catch->what) :
							   gdb_vmx_insn_name(catch->what);
	char level[16] = "any level";

	if (catch->level != GDB_ANY)
		snprintf(level, sizeof(level), "L%u", catch->level);
	gdb_say(gdb, "%s%s%s, %s\n", kinds[catch->kind], what ? " " : "", what ? what : "", level);
}

static void do_catch(struct gdb *gdb, char **words)
{
	struct gdb_catch catch = {.what = GDB_ANY};
	bool good = false;

	if (!words[0]) {
		for (unsigned i = 0; i < gdb->catch_count; i++)
			print_catch(gdb, &gdb->catches[i]);
		return;
	}
	if (!strcmp(words[0], "entry")) {
		catch.kind = GDB_CATCH_ENTRY;
		catch.level = parse_level(words[1]);
		good = true;
	} else if (!strcmp(words[0], "exit")) {
		catch.kind = GDB_CATCH_EXIT;
		catch.level = parse_level(words[1] ? words[2] : NULL);
		good = parse_reason(words[1], &catch.what);
	} else if (!strcmp(words[0], "insn")) {
		catch.kind = GDB_CATCH_INSN;
		catch.level = parse_level(words[1] ? words[2] : NULL);
		good = parse_insn(words[1], &catch.what);
	}
	if (!good || gdb->catch_count == GDB_CATCHES) {
		gdb_say(gdb, "%s", good ? "no room for more\n" : "not something to catch:\n");
		gdb_say(gdb, "%s", help);
		return;
	}
	gdb->catches[gdb->catch_count++] = catch;
	print_catch(gdb, &catch);
}

static void do_uncatch(struct gdb *gdb, char **words)
{
	gdb->catch_count = 0;
}

static void do_help(struct gdb *gdb, char **words)
{
	gdb_say(gdb, "%s", help);
}

static const struct {
	const char *name;
	void (*run)(struct gdb *gdb, char **words);
} commands[] = {
	{"level", do_level},	 {"break-level", do_break_level}, {"catch", do_catch},
	{"uncatch", do_uncatch}, {"help", do_help},
};

void gdb_monitor(struct gdb *gdb, char *command)
{
	char *words[5] = {NULL}, *rest = NULL, *word = strtok_r(command, " \t", &rest);

	for (unsigned i = 0; word && i < 4; i++) {
		words[i] = word;
		word = strtok_r(NULL, " \t", &rest);
	}
	for (size_t i = 0; words[0] && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, words[0])) {
			commands[i].run(gdb, words + 1);
			return;
		}
	do_help(gdb, words);
}
