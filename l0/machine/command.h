/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the subcommands of `abyme` share. A subcommand is a file with one function cmd_VERB, which
 * gets its own argv (argv[0] = verb) and returns the exit status.
 */
#ifndef L0_MACHINE_COMMAND_H
#define L0_MACHINE_COMMAND_H

#define ABYME_VERSION "0.1"

enum exit_status {
#define EXIT_STATUS(name, value, text) STATUS_##name = value,
#include "l0/machine/exit_status.def"
};

int cmd_run(int argc, char **argv);

/* Says in one line what getopt_long() refused: `found` is what it returned, '?' or ':'. It must be
 * called with opterr 0, a leading ':' among the letters, and long options numbered above UCHAR_MAX.
 * Returns STATUS_USAGE. */
int command_bad_option(const char *verb, int found, char *const *argv);

#endif
