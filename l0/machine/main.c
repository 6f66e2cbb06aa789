/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The `abyme` command: picks the subcommand.
 */
#include <stdio.h>
#include <string.h>

#include "l0/machine/command.h"
#include "traces/cmd_trace.h"

static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);

static const struct {
	const char *verb;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", cmd_run, "boot an image, bare or under hypervisors" },
	{ "trace", cmd_trace, "report, dump, compare trap logs" },
	{ "version", cmd_version, "print the version" },
	{ "help", cmd_help, "this text" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int cmd_version(int argc, char **argv)
{
	puts("abyme " ABYME_VERSION);
	return 0;
}

static int cmd_help(int argc, char **argv)
{
	puts("usage: abyme COMMAND [OPTION]...\n\n"
	     "Runs hypervisors inside hypervisors and records every trap.\n");
	for (unsigned i = 0; i < COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].verb, commands[i].help);
	puts("\n`abyme COMMAND --help` says more.");
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	for (unsigned i = 0; i < COMMANDS; i++)
		if (!strcmp(verb, commands[i].verb))
			return commands[i].run(argc - 1, argv + 1);
	if (!strcmp(verb, "--help") || !strcmp(verb, "-h"))
		return cmd_help(argc, argv);
	if (!strcmp(verb, "--version"))
		return cmd_version(argc, argv);
	if (*verb)
		fprintf(stderr, "abyme: no command `%s`; see abyme --help\n", verb);
	else
		fprintf(stderr, "abyme: which command? See abyme --help\n");
	return STATUS_USAGE;
}
