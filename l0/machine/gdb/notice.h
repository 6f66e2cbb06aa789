/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Input noticed while the guest runs, without asking for it all the time.
 */
#ifndef L0_MACHINE_GDB_NOTICE_H
#define L0_MACHINE_GDB_NOTICE_H

#include <stdbool.h>

struct machine;

/* When something arrives at the socket, *flag becomes true and the machine is poked. One at a time.
 */
void notice_input(int socket, volatile bool *flag, struct machine *machine);
void notice_end(void);

#endif
