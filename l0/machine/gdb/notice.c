/* SPDX-License-Identifier: BSD-2-Clause
 *
 * SIGIO for one socket.
 */
#include "l0/machine/gdb/notice.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "l0/machine/machine.h"

static volatile bool *noticed;
static struct machine *poked;

static void on_input(int number)
{
	if (!noticed)
		return;
	*noticed = true;
	machine_poke(poked);
}

void notice_input(int socket, volatile bool *flag, struct machine *machine)
{
	struct sigaction action = {.sa_handler = on_input, .sa_flags = SA_RESTART};

	noticed = flag;
	poked = machine;
	sigaction(SIGIO, &action, NULL);
	fcntl(socket, F_SETOWN, getpid());
	fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_ASYNC);
}

void notice_end(void)
{
	noticed = NULL;
	signal(SIGIO, SIG_IGN);
}
