/* SPDX-License-Identifier: BSD-2-Clause
 *
 * --stats. Digests are FNV-1a, 64 bits, in hexadecimal; counts are decimal numbers. Everything but
 * wall_s, cpu_s, mips and peak_rss_kib is the same in every run of the same image, options and
 * input.
 */
#include "l0/machine/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "l0/machine/console.h"
#include "l0/machine/levels.h"
#include "l0/machine/machine.h"
#include "l0/machine/options.h"
#include "l0/machine/stop.h"
#include "traces/describe.h"
#include "traces/json.h"
#include "traces/machine_log.h"

static void add_digest(struct json *json, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%016" PRIx64, value);
	json_text(json, name, text);
}

static void add_exit(void *opaque, const char *reason, uint64_t count)
{
	json_count(opaque, reason, count);
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* What the host gave: to this process, loading included. Linux counts ru_maxrss in KiB. */
static void add_host(struct json *json)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		return;
	json_number(json, "cpu_s", seconds(usage.ru_utime) + seconds(usage.ru_stime));
	json_count(json, "peak_rss_kib", (uint64_t)usage.ru_maxrss);
}

static void add_run(struct json *json, struct machine *machine, const struct run_facts *facts)
{
	struct cpu_stats stats = { 0 };
	const struct run_options *options = facts->options;

	machine->cpu_ops->stats(machine->cpu, &stats);
	json_text(json, "machine", machine->cpu_ops->name);
	json_text(json, "cpu", options->cpu);
	json_count(json, "depth", facts->depth);
	json_count(json, "memory", options->mem);
	if (stats.instructions)
		json_count(json, "instructions", stats.instructions);
	else
		json_text(json, "instructions", NULL);
	json_count(json, "cycles", stats.cycles);
	json_number(json, "wall_s", facts->wall_s);
	if (stats.instructions && facts->wall_s > 0)
		json_number(json, "mips", (double)stats.instructions / facts->wall_s / 1e6);
	else
		json_text(json, "mips", NULL);
	add_host(json);
	json_text(json, "stop", stop_name(machine->stop));
	json_count(json, "exit_status", (unsigned)facts->status);
	json_count(json, "console_bytes", console_bytes(machine->console));
	add_digest(json, "console_digest", console_digest(machine->console));
}

/* What the CPU counted, log or not. */
static void add_exits(struct json *json, struct machine *machine)
{
	const char *failure = stop_entry_failure(machine);

	if (failure)
		json_text(json, "last_failed_entry", failure);
	if (!machine->cpu_ops->report_exits)
		return;
	json_open_object(json, "vm_exits");
	machine->cpu_ops->report_exits(machine->cpu, add_exit, json);
	json_close(json);
}

static void add_guest(struct json *json, unsigned level, const struct levels_sum *sum)
{
	char name[8];

	snprintf(name, sizeof(name), "L%u", level);
	json_open_object(json, name);
	json_count(json, "retired", sum->insns);
	if (level)
		json_count(json, "retired_by_l0", sum->l0_insns);
	json_open_object(json, "exits");
	for (uint32_t reason = 0; reason < EXIT_REASON_COUNT; reason++)
		if (sum->exits[reason])
			json_count(json, trap_reason_name(reason), sum->exits[reason]);
	json_close(json);
	json_close(json);
}

/* What the machine tells apart by itself, log or not: docs/machine.md. */
static void add_guests(struct json *json, struct machine *machine)
{
	struct cpu_stats stats = { 0 };

	machine->cpu_ops->stats(machine->cpu, &stats);
	if (!stats.instructions || !machine->levels)
		return;
	levels_settle(machine->levels, stats.instructions);
	json_open_object(json, "by_level");
	for (unsigned level = 0; level < LEVELS_SUMMED; level++)
		if (!level || machine->levels->sums[level].insns ||
		    machine->levels->sums[level].l0_insns)
			add_guest(json, level, &machine->levels->sums[level]);
	json_close(json);
}

/* The rows of the stream that totals[first] is the first of. */
static void add_level(struct json *json, const struct trap_log_total *totals, size_t first,
		      size_t count)
{
	uint16_t stream = totals[first].stream;
	char name[16] = "machine";

	if (stream != TRAP_LOG_MACHINE)
		snprintf(name, sizeof(name), "%u", stream);
	json_open_array(json, name);
	for (size_t i = first; i < count; i++) {
		if (totals[i].stream != stream)
			continue;
		json_open_object(json, NULL);
		json_text(json, "path", trap_who_name(totals[i].path, totals[i].level));
		json_text(json, "reason", trap_reason_name(totals[i].reason));
		json_count(json, "count", totals[i].count);
		json_close(json);
	}
	json_close(json);
}

static void add_log(struct json *json, struct machine *machine)
{
	size_t count;
	const struct trap_log_total *totals = trap_log_totals(machine->log, &count);

	json_open_object(json, "levels");
	for (size_t i = 0; i < count; i++) {
		size_t first = 0;

		while (totals[first].stream != totals[i].stream)
			first++;
		if (first == i)
			add_level(json, totals, first, count);
	}
	json_close(json);
	add_digest(json, "trace_digest", trap_log_digest(machine->log));
	json_count(json, "trace_refused_blocks", trap_log_refused(machine->log));
}

bool stats_write(struct machine *machine, const struct run_facts *facts)
{
	const char *path = facts->options->stats;
	FILE *file = strcmp(path, "-") ? fopen(path, "w") : stdout;
	struct json json;
	bool ok = file;

	if (file) {
		json_start(&json, file, false);
		add_run(&json, machine, facts);
		add_exits(&json, machine);
		add_guests(&json, machine);
		if (machine->log)
			add_log(&json, machine);
		ok = json_end(&json);
		ok = (file == stdout ? fflush(file) : fclose(file)) == 0 && ok;
	}
	if (!ok)
		fprintf(stderr, "abyme run: cannot write statistics to %s: %s\n", path,
			strerror(errno));
	return ok;
}
