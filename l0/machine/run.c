/* SPDX-License-Identifier: BSD-2-Clause
 *
 * `abyme run`: builds the machine, loads the stack of images, runs it, says how it ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "l0/machine/backends.h"
#include "l0/machine/command.h"
#include "l0/machine/console.h"
#include "l0/machine/debug/report.h"
#include "l0/machine/firmware.h"
#include "l0/machine/gdb/gdb.h"
#include "l0/machine/hang.h"
#include "l0/machine/machine.h"
#include "l0/machine/observe.h"
#include "l0/machine/options.h"
#include "l0/machine/progress.h"
#include "l0/machine/signals.h"
#include "l0/machine/stats.h"
#include "l0/machine/stop.h"

static struct machine machine;
static struct observers observers;

static bool boot(const struct run_options *options, struct run_facts *facts,
		 struct load_error *error)
{
	struct cpu_boot_state state;
	struct stack stack;
	bool loaded = stack_build(options, &stack, error) &&
		      load_boot(&machine, &stack.request, &state, error);

	if (loaded)
		loaded = observe_open(&observers, &machine, &stack, error);
	facts->depth = stack.depth;
	stack_free(&stack);
	if (!loaded)
		return false;
	machine.cpu = machine.cpu_ops->create(&machine, options->cpu);
	if (!machine.cpu)
		return load_fail(error, options->cpu ? STATUS_USAGE : STATUS_REFUSED, "%s",
				 ""); /* the backend has said it */
	if (!machine.cpu_ops->boot(machine.cpu, &state))
		return load_fail(error, STATUS_REFUSED, "%s", "");
	for (unsigned i = 0; i < options->device_count; i++)
		options->devices[i](&machine);
	return true;
}

static double wall_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* After the run: the words, the statistics, the log. Returns the exit status. */
static int finish(struct run_facts *facts)
{
	bool ok = true;

	console_flush(machine.console);
	facts->status = stop_status(machine.stop, machine.stop_value);
	stop_report(&machine);
	report_end(&machine, observers.symbols, facts->options->report);
	if (facts->options->stats)
		ok = stats_write(&machine, facts);
	ok = observe_close(&observers, &machine) && ok;
	return ok ? facts->status : STATUS_OUTPUT;
}

/* What only the interpreter has, among the options; NULL: nothing. */
static const char *interp_only(const struct run_options *options)
{
	return options->cpu ? "--cpu" :
	       options->profile ? "--profile" :
	       options->watch ? "--watch" :
	       options->gdb >= 0 ? "--gdb" :
	       options->max_insns ? "--max-insns" :
	       options->hang != HANG_LIMIT ? "--hang" : NULL;
}

/* A choice that nobody made is told to people: on a terminal, or if they asked to be chosen for. */
static const struct cpu_ops *choose_backend(const struct run_options *options)
{
	const char *habit = getenv("ABYME_MACHINE");
	const char *name = options->machine ? options->machine : habit ? habit : "auto";
	char why[200];
	const char *only = interp_only(options);
	const struct cpu_ops *backend = backend_choose(name, only, why, sizeof(why));

	if (!backend) {
		fprintf(stderr, "abyme run: there is no machine `%s`, but auto, interp and kvm\n", name);
	} else if (backend == &kvm_cpu_ops && only) {
		fprintf(stderr, "abyme run: %s is the interpreter's: --machine interp\n", only);
		return NULL;
	} else if (*why && (options->machine || isatty(STDERR_FILENO))) {
		fprintf(stderr, "abyme run: machine %s: %s\n", backend->name, why);
	}
	return backend;
}

static int run(const struct run_options *options, const struct cpu_ops *backend)
{
	struct run_facts facts = { .options = options };
	struct load_error error;

	if (!machine_init(&machine, options->mem, options->serial))
		return STATUS_REFUSED;
	machine.cpu_ops = backend;
	machine.max_insns = options->max_insns;
	observers.options = options;
	firmware_build(&machine);
	if (!boot(options, &facts, &error)) {
		(void)!observe_close(&observers, &machine);
		machine_free(&machine);
		if (*error.text)
			fprintf(stderr, "abyme run: %s\n", error.text);
		return error.status;
	}
	signals_catch(&machine);
	if (options->gdb >= 0 && !gdb_open(&machine, (uint16_t)options->gdb))
		machine_stop(&machine, STOP_USER, 0);
	progress_create(&machine);
	facts.wall_s = -wall_seconds();
	machine.cpu_ops->run(machine.cpu);
	facts.wall_s += wall_seconds();
	progress_clear(&machine);
	int status = finish(&facts);
	gdb_close(&machine, status);
	machine_free(&machine);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct run_options options;
	int status = run_options_parse(argc, argv, &options);

	if (status >= 0)
		return status;
	if (options.cpu && !strcmp(options.cpu, "help")) {
		interp_cpu_ops.list_profiles();
		return 0;
	}
	const struct cpu_ops *backend = choose_backend(&options);
	return backend ? run(&options, backend) : STATUS_USAGE;
}
