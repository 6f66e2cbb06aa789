/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the subcommands of `abyme` share: one line for what getopt_long() refuses.
 */
#include "l0/machine/command.h"

#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

int command_bad_option(const char *verb, int found, char *const *argv)
{
	bool letter = optopt > 0 && optopt <= UCHAR_MAX;
	const char short_option[] = { '-', (char)optopt, '\0' };
	const char *option = letter ? short_option : argv[optind - 1];
	const char *wrong = "unknown or ambiguous option";

	if (found == ':')
		wrong = "an argument is missing after";
	else if (optopt)
		wrong = letter ? "unknown option" : "no argument, please, for";
	fprintf(stderr, "abyme %s: %s %s; see abyme %s --help\n", verb, wrong, option, verb);
	return STATUS_USAGE;
}
