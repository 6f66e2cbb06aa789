/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the debugger asks for while the machine is stopped. GDB manual "Packets", "General Query
 * Packets"; an empty answer says that a packet is not known here.
 */
#include "l0/machine/gdb/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "l0/machine/levels.h"

#define MEMORY_MAX_READ 4096

unsigned gdb_level(const struct gdb *gdb)
{
	return gdb->selected == GDB_ANY ? context_current_level(gdb->machine) : gdb->selected;
}

static bool selected_context(const struct gdb *gdb, struct context *context)
{
	return context_of_level(gdb->machine, gdb_level(gdb), context);
}

static bool selected_runs(const struct gdb *gdb)
{
	return gdb_level(gdb) == context_current_level(gdb->machine);
}

static void ok(struct gdb *gdb, bool good)
{
	gdb_put(gdb, good ? "OK" : "E01");
}

/* ---- registers ---- */

static void on_read_registers(struct gdb *gdb, char *text)
{
	struct context context;

	if (selected_context(gdb, &context))
		gdb_put_registers(gdb, &context);
	else
		gdb_put(gdb, "E01");
}

static void on_read_register(struct gdb *gdb, char *text)
{
	struct context context;

	if (!selected_context(gdb, &context) ||
	    !gdb_put_register(gdb, &context, (unsigned)strtoul(text, NULL, 16)))
		gdb_put(gdb, "E01");
}

/* Only of who runs: the others' are their hypervisors' to keep. */
static bool write_context(struct gdb *gdb, const struct context *context)
{
	const struct cpu_ops *ops = gdb->machine->cpu_ops;

	gdb->changed = true;
	return ops->set_context && ops->set_context(gdb->machine->cpu, context);
}

static void on_write_register(struct gdb *gdb, char *text)
{
	struct context context;
	uint64_t value = 0;
	char *at;
	unsigned number = (unsigned)strtoul(text, &at, 16);

	ok(gdb, *at == '=' && selected_runs(gdb) && selected_context(gdb, &context) &&
			gdb_parse_hex(at + 1, &value, sizeof(value)) &&
			gdb_set_register(&context, number, value) && write_context(gdb, &context));
}

static void on_write_registers(struct gdb *gdb, char *text)
{
	struct context context;

	if (!selected_runs(gdb) || !selected_context(gdb, &context)) {
		gdb_put(gdb, "E01");
		return;
	}
	for (unsigned i = 0; gdb_register_size(i); i++) {
		uint64_t value = 0;
		unsigned size = gdb_register_size(i);

		if (strlen(text) < 2 * size)
			break;
		if (gdb_parse_hex(text, &value, size < 8 ? size : 8))
			gdb_set_register(&context, i, value);
		text += 2 * size;
	}
	ok(gdb, write_context(gdb, &context));
}

/* ---- memory ---- */

static void on_read_memory(struct gdb *gdb, char *text)
{
	uint8_t bytes[MEMORY_MAX_READ];
	struct context context;
	char *at;
	uint64_t linear = strtoull(text, &at, 16);
	size_t length = *at == ',' ? strtoul(at + 1, NULL, 16) : 0;

	if (length > sizeof(bytes))
		length = sizeof(bytes);
	if (selected_context(gdb, &context))
		length = context_read(&context, &gdb->machine->memory, linear, bytes, length);
	else
		length = 0;
	if (length)
		gdb_put_hex(gdb, bytes, length);
	else
		gdb_put(gdb, "E01");
}

static bool write_memory(struct gdb *gdb, uint64_t linear, const uint8_t *bytes, size_t length)
{
	struct machine *machine = gdb->machine;
	struct context context;
	uint64_t hpa;

	if (!selected_context(gdb, &context))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!context_translate(&context, &machine->memory, linear + i, &hpa) ||
		    !memory_write(&machine->memory, hpa, &bytes[i], 1))
			return false;
		if (machine->cpu_ops->memory_written)
			machine->cpu_ops->memory_written(machine->cpu, hpa, 1);
	}
	gdb->changed = true;
	return true;
}

static void on_write_memory(struct gdb *gdb, char *text)
{
	uint8_t bytes[GDB_PACKET / 2];
	char *at;
	uint64_t linear = strtoull(text, &at, 16);
	size_t length = *at == ',' ? strtoul(at + 1, &at, 16) : 0;

	ok(gdb, *at == ':' && gdb_parse_hex(at + 1, bytes, sizeof(bytes)) == length &&
			write_memory(gdb, linear, bytes, length));
}

/* ---- breakpoints: Zt,address,kind ---- */

static void on_break(struct gdb *gdb, char *text, bool insert)
{
	char *at;
	uint64_t linear = strtoull(text + 2, &at, 16);
	unsigned kind = *at == ',' ? (unsigned)strtoul(at + 1, NULL, 16) : 0;

	if (text[1] != ',')
		return;
	if (text[0] == '0' || text[0] == '1') {
		if (insert) {
			ok(gdb, gdb_break_insert(gdb, linear));
			return;
		}
		gdb_break_remove(gdb, linear);
		ok(gdb, true);
	} else if (text[0] == '2') {
		if (insert) {
			ok(gdb, gdb_watch_insert(gdb, linear, kind));
			return;
		}
		gdb_watch_remove(gdb, linear);
		ok(gdb, true);
	}
}

static void on_insert(struct gdb *gdb, char *text)
{
	on_break(gdb, text, true);
}

static void on_remove(struct gdb *gdb, char *text)
{
	on_break(gdb, text, false);
}

/* ---- threads are levels ---- */

static void on_thread(struct gdb *gdb, char *text)
{
	long thread = strtol(text + 1, NULL, 16);
	struct context context;

	if (text[0] != 'g' || thread <= 0) {
		if (text[0] == 'g')
			gdb->selected = GDB_ANY;
		ok(gdb, true);
		return;
	}
	bool there = context_of_level(gdb->machine, (unsigned)thread - 1, &context);

	if (there)
		gdb->selected = (uint32_t)thread - 1;
	ok(gdb, there);
}

static void on_thread_alive(struct gdb *gdb, char *text)
{
	struct context context;

	ok(gdb, context_of_level(gdb->machine, (unsigned)strtoul(text, NULL, 16) - 1, &context));
}

static void put_threads(struct gdb *gdb)
{
	struct context context;

	gdb_put(gdb, "m");
	for (unsigned level = 0, first = 1; level < LEVELS_ROWS; level++)
		if (context_of_level(gdb->machine, level, &context)) {
			gdb_put(gdb, "%s%x", first ? "" : ",", level + 1);
			first = 0;
		}
}

static void put_thread_info(struct gdb *gdb, const char *text)
{
	char words[60];
	unsigned level = (unsigned)strtoul(text, NULL, 16) - 1;

	snprintf(words, sizeof(words), "L%u%s", level,
		 level == context_current_level(gdb->machine) ? ", running"
							      : ", as its VMCS has it");
	gdb_put_hex(gdb, words, strlen(words));
}

/* ---- queries ---- */

static bool starts(const char *text, const char *word, const char **rest)
{
	size_t length = strlen(word);

	*rest = text + length;
	return !strncmp(text, word, length);
}

static void put_target(struct gdb *gdb, const char *range)
{
	const char *xml = gdb_target_xml();
	char *at;
	size_t offset = strtoul(range, &at, 16), length = strtoul(at + 1, NULL, 16);
	size_t total = strlen(xml);

	if (offset > total)
		offset = total;
	if (length > total - offset)
		length = total - offset;
	gdb_put(gdb, "%c%.*s", offset + length < total ? 'm' : 'l', (int)length, xml + offset);
}

static void run_monitor(struct gdb *gdb, const char *hex)
{
	char command[512];
	size_t length = gdb_parse_hex(hex, command, sizeof(command) - 1);

	command[length] = '\0';
	gdb_monitor(gdb, command);
	gdb->out_length = 0;
	ok(gdb, true);
}

static void on_query(struct gdb *gdb, char *text)
{
	const char *rest;

	if (starts(text, "Supported", &rest))
		gdb_put(gdb, "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;vContSupported+",
			GDB_PACKET);
	else if (starts(text, "Xfer:features:read:target.xml:", &rest))
		put_target(gdb, rest);
	else if (starts(text, "Rcmd,", &rest))
		run_monitor(gdb, rest);
	else if (starts(text, "fThreadInfo", &rest))
		put_threads(gdb);
	else if (starts(text, "sThreadInfo", &rest))
		gdb_put(gdb, "l");
	else if (starts(text, "ThreadExtraInfo,", &rest))
		put_thread_info(gdb, rest);
	else if (!strcmp(text, "C"))
		gdb_put(gdb, "QC%x", gdb_level(gdb) + 1);
	else if (starts(text, "Attached", &rest))
		gdb_put(gdb, "1");
}

static void on_set(struct gdb *gdb, char *text)
{
	if (!strcmp(text, "StartNoAckMode")) {
		ok(gdb, true);
		gdb_send(gdb);
		gdb->acknowledge = false;
		gdb->answered = true;
	}
}

/* ---- going on ---- */

static void resume(struct gdb *gdb, bool step, unsigned level)
{
	struct cpu_stats stats;

	gdb->machine->cpu_ops->stats(gdb->machine->cpu, &stats);
	gdb->resumed_at = stats.instructions;
	gdb->stepping = step;
	gdb->step_level = level;
	gdb->selected = GDB_ANY;
	gdb->stopped = false;
	gdb->resumed = true;
}

static void on_continue(struct gdb *gdb, char *text)
{
	resume(gdb, false, 0);
}

static void on_step(struct gdb *gdb, char *text)
{
	resume(gdb, true, gdb_level(gdb));
}

/* vCont;s:2;c and the like: a step of any thread is a step. */
static void on_v(struct gdb *gdb, char *text)
{
	char *step = strstr(text, ";s");

	if (!strcmp(text, "Cont?"))
		gdb_put(gdb, "vCont;c;C;s;S");
	else if (!strncmp(text, "Cont;", 5) && step)
		resume(gdb, true, step[2] == ':' ? (unsigned)strtoul(step + 3, NULL, 16) - 1 :
						   context_current_level(gdb->machine));
	else if (!strncmp(text, "Cont;", 5))
		resume(gdb, false, 0);
	else if (!strncmp(text, "Kill", 4)) {
		ok(gdb, true);
		machine_stop(gdb->machine, STOP_USER, 0);
	}
}

static void on_detach(struct gdb *gdb, char *text)
{
	gdb->break_count = gdb->catch_count = 0;
	memset(gdb->watchpoints, 0, sizeof(gdb->watchpoints));
	ok(gdb, true);
	gdb_send(gdb);
	resume(gdb, false, 0);
}

static void on_kill(struct gdb *gdb, char *text)
{
	machine_stop(gdb->machine, STOP_USER, 0);
	resume(gdb, false, 0);
}

static void on_why(struct gdb *gdb, char *text)
{
	gdb_put(gdb, "%s", gdb->stop);
}

static const struct {
	char letter;
	void (*handle)(struct gdb *gdb, char *text);
} commands[] = {
	{'?', on_why},		{'c', on_continue},	{'C', on_continue},
	{'D', on_detach},	{'g', on_read_registers}, {'G', on_write_registers},
	{'H', on_thread},	{'k', on_kill},		{'m', on_read_memory},
	{'M', on_write_memory}, {'p', on_read_register},  {'P', on_write_register},
	{'q', on_query},	{'Q', on_set},		{'s', on_step},
	{'S', on_step},		{'T', on_thread_alive}, {'v', on_v},
	{'z', on_remove},	{'Z', on_insert},
};

static void handle(struct gdb *gdb)
{
	gdb->out_length = 0;
	gdb->answered = false;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].letter == gdb->in[0]) {
			commands[i].handle(gdb, gdb->in + 1);
			break;
		}
}

void gdb_serve(struct gdb *gdb)
{
	bool asked = gdb->resumed; /* and so waits for the stop reply */

	gdb->stopped = true;
	gdb->stepping = gdb->resumed = false;
	if (*gdb->why)
		gdb_say(gdb, "%s", gdb->why);
	*gdb->why = '\0';
	if (asked) {
		gdb_put(gdb, "%s", gdb->stop);
		gdb_send(gdb);
	}
	while (gdb->stopped && gdb->machine->stop == STOP_NONE) {
		if (!gdb_receive(gdb))
			return;
		handle(gdb);
		if (gdb->stopped && !gdb->answered)
			gdb_send(gdb);
	}
}
