/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A progress line on stderr for runs of more than two seconds; none unless stderr is a terminal,
 * and none when the console prints on that same terminal.
 */
#ifndef L0_MACHINE_PROGRESS_H
#define L0_MACHINE_PROGRESS_H

struct machine;

void progress_create(struct machine *machine);
void progress_clear(struct machine *machine);

#endif
