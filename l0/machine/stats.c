/* SPDX-License-Identifier: BSD-2-Clause
 *
 * --stats. Digests are FNV-1a, 64 bits, in hexadecimal; counts are decimal numbers. Everything but
 * wall_s, cpu_s, mips and peak_rss_kib is the same in every run of the same image, options and
 * input.
 */
#include "l0/machine/stats.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "l0/machine/console.h"
#include "l0/machine/machine.h"
#include "l0/machine/options.h"
#include "l0/machine/stop.h"
#include "traces/describe.h"
#include "traces/machine_log.h"

/* cJSON's numbers are doubles; counts are written as the integers they are. */
static void add_count(cJSON *object, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	cJSON_AddRawToObject(object, name, text);
}

static void add_digest(cJSON *object, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%016" PRIx64, value);
	cJSON_AddStringToObject(object, name, text);
}

static void add_exit(void *opaque, const char *reason, uint64_t count)
{
	add_count(opaque, reason, count);
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* What the host gave: to this process, loading included. Linux counts ru_maxrss in KiB. */
static void add_host(cJSON *root)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		return;
	cJSON_AddNumberToObject(root, "cpu_s", seconds(usage.ru_utime) + seconds(usage.ru_stime));
	add_count(root, "peak_rss_kib", (uint64_t)usage.ru_maxrss);
}

static void add_run(cJSON *root, struct machine *machine, const struct run_facts *facts)
{
	struct cpu_stats stats = { 0 };
	const struct run_options *options = facts->options;

	machine->cpu_ops->stats(machine->cpu, &stats);
	cJSON_AddStringToObject(root, "machine", machine->cpu_ops->name);
	if (options->cpu)
		cJSON_AddStringToObject(root, "cpu", options->cpu);
	else
		cJSON_AddNullToObject(root, "cpu");
	cJSON_AddNumberToObject(root, "depth", facts->depth);
	add_count(root, "memory", options->mem);
	if (stats.instructions)
		add_count(root, "instructions", stats.instructions);
	else
		cJSON_AddNullToObject(root, "instructions");
	add_count(root, "cycles", stats.cycles);
	cJSON_AddNumberToObject(root, "wall_s", facts->wall_s);
	if (stats.instructions && facts->wall_s > 0)
		cJSON_AddNumberToObject(root, "mips",
					(double)stats.instructions / facts->wall_s / 1e6);
	else
		cJSON_AddNullToObject(root, "mips");
	add_host(root);
	cJSON_AddStringToObject(root, "stop", stop_name(machine->stop));
	cJSON_AddNumberToObject(root, "exit_status", facts->status);
	add_count(root, "console_bytes", console_bytes(machine->console));
	add_digest(root, "console_digest", console_digest(machine->console));
}

/* What the CPU counted, log or not. */
static void add_exits(cJSON *root, struct machine *machine)
{
	const char *failure = stop_entry_failure(machine);

	if (failure)
		cJSON_AddStringToObject(root, "last_failed_entry", failure);
	if (machine->cpu_ops->report_exits)
		machine->cpu_ops->report_exits(machine->cpu, add_exit,
					       cJSON_AddObjectToObject(root, "vm_exits"));
}

/* The array that `stream` has in `levels`, made when first asked for. */
static cJSON *level_rows(cJSON *levels, uint16_t stream)
{
	char name[16];

	if (stream == TRAP_LOG_MACHINE)
		strcpy(name, "machine");
	else
		snprintf(name, sizeof(name), "%u", stream);
	cJSON *rows = cJSON_GetObjectItem(levels, name);
	return rows ? rows : cJSON_AddArrayToObject(levels, name);
}

static void add_log(cJSON *root, struct machine *machine)
{
	size_t count;
	cJSON *levels = cJSON_AddObjectToObject(root, "levels");
	const struct trap_log_total *totals = trap_log_totals(machine->log, &count);

	for (size_t i = 0; i < count; i++) {
		cJSON *row = cJSON_CreateObject();

		cJSON_AddStringToObject(row, "path", trap_who_name(totals[i].path, totals[i].level));
		cJSON_AddStringToObject(row, "reason", trap_reason_name(totals[i].reason));
		add_count(row, "count", totals[i].count);
		cJSON_AddItemToArray(level_rows(levels, totals[i].stream), row);
	}
	add_digest(root, "trace_digest", trap_log_digest(machine->log));
	add_count(root, "trace_refused_blocks", trap_log_refused(machine->log));
}

static bool write_text(const char *path, const char *text)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "w") : stdout;
	bool ok = file && fputs(text, file) >= 0 && putc('\n', file) != EOF;

	if (file)
		ok = (file == stdout ? fflush(file) : fclose(file)) == 0 && ok;
	if (!ok)
		fprintf(stderr, "abyme run: cannot write statistics to %s: %s\n", path,
			strerror(errno));
	return ok;
}

bool stats_write(struct machine *machine, const struct run_facts *facts)
{
	cJSON *root = cJSON_CreateObject();

	add_run(root, machine, facts);
	add_exits(root, machine);
	if (machine->log)
		add_log(root, machine);
	char *text = cJSON_Print(root);
	cJSON_Delete(root);
	bool ok = text && write_text(facts->options->stats, text);
	free(text);
	return ok;
}
