/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Signals that end a run.
 */
#include "l0/machine/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "l0/machine/command.h"
#include "l0/machine/console.h"
#include "l0/machine/machine.h"

/* A handler gets no argument; a process runs one machine. */
static struct machine *running;

static void on_signal(int number)
{
	if (running->stop == STOP_USER) {
		console_restore_terminal();
		_exit(STATUS_INTERRUPTED);
	}
	machine_stop(running, STOP_USER, number);
}

void signals_catch(struct machine *machine)
{
	struct sigaction action = { .sa_handler = on_signal };

	running = machine;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}
