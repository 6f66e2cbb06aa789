/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The end of a run: reason, exit status, words.
 */
#include "l0/machine/stop.h"

#include <stdio.h>

#include "l0/machine/command.h"

static const struct {
	const char *name;
	int status;
	const char *line; /* for stderr; NULL: the guest meant it */
} stops[] = {
	[STOP_NONE] = { "none", STATUS_ERROR, "the CPU stopped without a reason" },
	[STOP_POWER_OFF] = { "power-off", STATUS_POWER_OFF, NULL },
	[STOP_EXIT_PORT] = { "exit-port", 1, NULL },
	[STOP_RESET] = { "reset", STATUS_RESET, "the guest reset the machine" },
	[STOP_TRIPLE_FAULT] = { "triple-fault", STATUS_TRIPLE_FAULT, "triple fault" },
	[STOP_INSN_LIMIT] = { "insn-limit", STATUS_INSN_LIMIT, "instruction limit reached" },
	[STOP_HALTED] = { "halted", STATUS_HALTED,
			  "halted: interrupts are off or nothing can come" },
	[STOP_VMX_ABORT] = { "vmx-abort", STATUS_VMX_ABORT, "VMX abort" },
	[STOP_GUARD] = { "guard", STATUS_GUARD, "a guest reached the hypervisor's memory" },
	[STOP_HANG] = { "hang", STATUS_HANG, "hang" },
	[STOP_USER] = { "user", STATUS_INTERRUPTED, "interrupted" },
	[STOP_ERROR] = { "error", STATUS_ERROR, "the CPU backend failed" },
};

int stop_status(enum machine_stop why, uint32_t value)
{
	/* A process has eight bits to say it with, as under QEMU. */
	return why == STOP_EXIT_PORT ? (int)((value << 1 | 1) & 0xff) : stops[why].status;
}

const char *stop_name(enum machine_stop why)
{
	return stops[why].name;
}

const char *stop_entry_failure(const struct machine *machine)
{
	const struct cpu_ops *ops = machine->cpu_ops;
	const char *text = ops->last_failure ? ops->last_failure(machine->cpu) : NULL;

	return text && *text ? text : NULL;
}

void stop_report(const struct machine *machine)
{
	if (!stops[machine->stop].line)
		return;
	fprintf(stderr, "abyme run: %s%s%s\n", stops[machine->stop].line,
		machine->stop_reason ? ": " : "", machine->stop_reason ? machine->stop_reason : "");
	const char *failure = stop_entry_failure(machine);
	if (failure)
		fprintf(stderr, "abyme run: last failed VM entry: %s\n", failure);
}
