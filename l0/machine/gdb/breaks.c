/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reasons to stop: breakpoints by linear address, watchpoints by a changed value, single steps that
 * take the levels below for hardware, VMX instructions. Entries and exits are told by gdb_saw_*().
 */
#include "l0/machine/gdb/private.h"

#include <stdio.h>
#include <string.h>

bool gdb_break_insert(struct gdb *gdb, uint64_t linear)
{
	for (unsigned i = 0; i < gdb->break_count; i++)
		if (gdb->breaks[i] == linear)
			return true;
	if (gdb->break_count == GDB_BREAKS)
		return false;
	gdb->breaks[gdb->break_count++] = linear;
	return true;
}

void gdb_break_remove(struct gdb *gdb, uint64_t linear)
{
	for (unsigned i = 0; i < gdb->break_count; i++)
		if (gdb->breaks[i] == linear)
			gdb->breaks[i] = gdb->breaks[--gdb->break_count];
}

/* The place is fixed in the machine's memory now, as the level's paging has it. */
bool gdb_watch_insert(struct gdb *gdb, uint64_t linear, unsigned length)
{
	struct context context;
	struct gdb_watchpoint point = {.linear = linear, .length = length};
	unsigned count = sizeof(gdb->watchpoints) / sizeof(gdb->watchpoints[0]);

	if (!length || length > GDB_WATCH_BYTES || PAGE_OFFSET(linear) + length > PAGE_SIZE ||
	    !context_of_level(gdb->machine, gdb_level(gdb), &context) ||
	    !context_translate(&context, &gdb->machine->memory, linear, &point.hpa) ||
	    !memory_read(&gdb->machine->memory, point.hpa, point.value, length))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!gdb->watchpoints[i].length) {
			gdb->watchpoints[i] = point;
			return true;
		}
	return false;
}

void gdb_watch_remove(struct gdb *gdb, uint64_t linear)
{
	unsigned count = sizeof(gdb->watchpoints) / sizeof(gdb->watchpoints[0]);

	for (unsigned i = 0; i < count; i++)
		if (gdb->watchpoints[i].length && gdb->watchpoints[i].linear == linear)
			gdb->watchpoints[i].length = 0;
}

static bool watchpoint_hit(struct gdb *gdb, unsigned level)
{
	unsigned count = sizeof(gdb->watchpoints) / sizeof(gdb->watchpoints[0]);

	for (unsigned i = 0; i < count; i++) {
		struct gdb_watchpoint *point = &gdb->watchpoints[i];
		uint8_t value[GDB_WATCH_BYTES];

		if (!point->length ||
		    !memory_read(&gdb->machine->memory, point->hpa, value, point->length) ||
		    !memcmp(value, point->value, point->length))
			continue;
		memcpy(point->value, value, point->length);
		snprintf(gdb->stop, sizeof(gdb->stop), "T05watch:%llx;thread:%x;",
			 (unsigned long long)point->linear, level + 1);
		return true;
	}
	return false;
}

static bool breakpoint_hit(const struct gdb *gdb, const struct context *context, unsigned level)
{
	uint64_t linear = context_code_linear(context);

	if (gdb->break_level != GDB_ANY && gdb->break_level != level)
		return false;
	for (unsigned i = 0; i < gdb->break_count; i++)
		if (gdb->breaks[i] == linear)
			return true;
	return false;
}

static bool wants_insns(const struct gdb *gdb)
{
	for (unsigned i = 0; i < gdb->catch_count; i++)
		if (gdb->catches[i].kind == GDB_CATCH_INSN)
			return true;
	return false;
}

static bool insn_caught(struct gdb *gdb, const struct context *context, unsigned level)
{
	int insn = wants_insns(gdb) ? gdb_vmx_insn(gdb, context) : -1;

	for (unsigned i = 0; insn >= 0 && i < gdb->catch_count; i++) {
		const struct gdb_catch *catch = &gdb->catches[i];

		if (catch->kind == GDB_CATCH_INSN &&
		    (catch->what == GDB_ANY || catch->what == (uint32_t)insn) &&
		    (catch->level == GDB_ANY || catch->level == level)) {
			snprintf(gdb->why, sizeof(gdb->why), "L%u is about to execute %s\n", level,
				 gdb_vmx_insn_name((unsigned)insn));
			return true;
		}
	}
	return false;
}

bool gdb_should_stop(struct gdb *gdb)
{
	unsigned level = context_current_level(gdb->machine);
	struct context context;
	struct cpu_stats stats;

	if (watchpoint_hit(gdb, level))
		return true;
	snprintf(gdb->stop, sizeof(gdb->stop), "T05thread:%x;", level + 1);
	if (gdb->caught)
		return true;
	gdb->machine->cpu_ops->stats(gdb->machine->cpu, &stats);
	if (stats.instructions == gdb->resumed_at)
		return false;
	if (gdb->stepping && level >= gdb->step_level)
		return true;
	gdb->machine->cpu_ops->context(gdb->machine->cpu, &context);
	return breakpoint_hit(gdb, &context, level) || insn_caught(gdb, &context, level);
}
