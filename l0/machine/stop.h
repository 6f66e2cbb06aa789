/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How a run ended, for people and for scripts.
 */
#ifndef L0_MACHINE_STOP_H
#define L0_MACHINE_STOP_H

#include "l0/machine/machine.h"

/* The exit status, as exit_status.def says. */
int stop_status(enum machine_stop why, uint32_t value);
/* "power-off", "triple fault" ...: the word in --stats. */
const char *stop_name(enum machine_stop why);
/* Which check the last failed VM entry failed; NULL: none has failed. */
const char *stop_entry_failure(const struct machine *machine);
/* One line on stderr unless the guest itself ended the run; another if a VM entry had failed. */
void stop_report(const struct machine *machine);

#endif
