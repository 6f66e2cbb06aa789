/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Onlookers of a run, opened and closed.
 */
#include "l0/machine/observe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "l0/machine/command.h"
#include "l0/machine/debug/watch.h"
#include "l0/machine/hang.h"
#include "l0/machine/hits.h"
#include "l0/machine/levels.h"
#include "l0/machine/machine.h"
#include "l0/machine/symbols.h"
#include "traces/machine_log.h"

static bool symbols_open(struct observers *observers, const struct stack *stack,
			 struct load_error *error)
{
	const struct run_options *options = observers->options;

	observers->symbols = symbols_create();
	if (!observers->symbols)
		return load_fail(error, STATUS_ERROR, "out of memory");
	symbols_add_image(observers->symbols, stack->request.image.path);
	for (unsigned i = 0; i < stack->request.module_count; i++)
		symbols_add_image(observers->symbols, stack->request.modules[i].path);
	for (unsigned i = 0; i < options->symbols_count; i++)
		if (!symbols_add_image(observers->symbols, options->symbols[i]))
			return load_fail(error, STATUS_NO_FILE,
					 "--symbols %s: not an ELF64 file with a symbol table",
					 options->symbols[i]);
	return true;
}

static bool log_open(struct machine *machine, const char *path, struct load_error *error)
{
	char text[200];

	machine->log = trap_log_create(path, MACHINE_HZ, text, sizeof(text));
	return machine->log || load_fail(error, STATUS_OUTPUT, "%s", text);
}

static bool profile_open(struct observers *observers, struct machine *machine,
			 struct load_error *error)
{
	machine->hits = hits_create(observers->symbols, &machine->memory);
	return machine->hits || load_fail(error, STATUS_ERROR, "out of memory");
}

bool observe_open(struct observers *observers, struct machine *machine, const struct stack *stack,
		  struct load_error *error)
{
	const struct run_options *options = observers->options;

	machine->levels = machine_alloc(machine, sizeof(*machine->levels));
	if (options->hang) {
		machine->hang = machine_alloc(machine, sizeof(*machine->hang));
		machine->hang->limit = options->hang;
	}
	if (!symbols_open(observers, stack, error))
		return false;
	if (options->watch) {
		machine->watch = machine_alloc(machine, sizeof(*machine->watch));
		*machine->watch = (struct watch){options->watch, observers->symbols, stderr};
	}
	return (!options->profile || profile_open(observers, machine, error)) &&
	       (!options->trace || log_open(machine, options->trace, error));
}

static bool profile_close(struct machine *machine, const char *path)
{
	bool written = hits_write(machine->hits, path);

	if (!written)
		fprintf(stderr, "abyme run: cannot write the profile to %s: %s\n", path,
			strerror(errno));
	if (hits_lost(machine->hits))
		fprintf(stderr, "abyme run: the profile lacks %llu instructions: out of memory\n",
			(unsigned long long)hits_lost(machine->hits));
	hits_free(machine->hits);
	machine->hits = NULL;
	return written;
}

static bool log_close(struct machine *machine)
{
	char text[200];
	bool written = trap_log_close(machine->log, text, sizeof(text));

	if (!written)
		fprintf(stderr, "abyme run: %s\n", text);
	machine->log = NULL;
	return written;
}

bool observe_close(struct observers *observers, struct machine *machine)
{
	bool ok = true;

	if (machine->hits && !profile_close(machine, observers->options->profile))
		ok = false;
	if (machine->log && !log_close(machine))
		ok = false;
	machine->watch = NULL;
	symbols_free(observers->symbols);
	return ok;
}
