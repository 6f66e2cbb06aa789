/* SPDX-License-Identifier: BSD-2-Clause
 *
 * `abyme run`: builds the machine, loads the stack of images, runs it, says how it ended.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "l0/machine/backends.h"
#include "l0/machine/command.h"
#include "l0/machine/firmware.h"
#include "l0/machine/machine.h"
#include "l0/machine/options.h"
#include "l0/machine/stop.h"

static struct machine machine;

static void on_signal(int number)
{
	machine_stop(&machine, STOP_USER, number);
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static bool boot(const struct run_options *options, struct load_error *error)
{
	struct cpu_boot_state state;
	struct stack stack;
	bool loaded = stack_build(options, &stack, error) &&
		      load_boot(&machine, &stack.request, &state, error);

	stack_free(&stack);
	if (!loaded)
		return false;
	machine.cpu = machine.cpu_ops->create(&machine, options->cpu);
	if (!machine.cpu)
		return load_fail(error, STATUS_REFUSED, "the CPU could not be made");
	machine.cpu_ops->boot(machine.cpu, &state);
	return true;
}

static int run(const struct run_options *options)
{
	struct load_error error;

	if (!machine_init(&machine, options->mem, options->serial))
		return STATUS_REFUSED;
	machine.cpu_ops = backend_find(options->machine);
	machine.max_insns = options->max_insns;
	firmware_build(&machine);
	if (!boot(options, &error)) {
		machine_free(&machine);
		fprintf(stderr, "abyme run: %s\n", error.text);
		return error.status;
	}
	catch_signals();
	machine.cpu_ops->run(machine.cpu);
	int status = stop_status(machine.stop, machine.stop_value);
	stop_report(&machine, options);
	machine_free(&machine);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct run_options options;
	int status = run_options_parse(argc, argv, &options);

	if (status >= 0)
		return status;
	const struct cpu_ops *backend = backend_find(options.machine);
	if (!backend) {
		fprintf(stderr, "abyme run: this build has no machine `%s`; try --machine interp\n",
			options.machine);
		return STATUS_REFUSED;
	}
	if (options.cpu && !strcmp(options.cpu, "help") && backend->list_profiles) {
		backend->list_profiles();
		return 0;
	}
	return run(&options);
}
