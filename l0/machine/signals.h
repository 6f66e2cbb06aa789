/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Signals that end a run.
 */
#ifndef L0_MACHINE_SIGNALS_H
#define L0_MACHINE_SIGNALS_H

struct machine;

/* From now on SIGINT, SIGTERM and SIGHUP end the machine's run in good order, a second one at once;
 * a reader of our output that goes away ends nothing. */
void signals_catch(struct machine *machine);

#endif
