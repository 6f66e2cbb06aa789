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

#endif
