/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The stub's life, and where the machine calls it.
 */
#include "l0/machine/gdb/private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "l0/machine/gdb/notice.h"
#include "l0/machine/levels.h"

static bool complain(const char *what, uint16_t port)
{
	fprintf(stderr, "abyme run: --gdb %u: %s: %s\n", port, what, strerror(errno));
	return false;
}

static int listen_at(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int yes = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (server < 0)
		return -1;
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(server, (struct sockaddr *)&address, sizeof(address)) || listen(server, 1) ||
	    getsockname(server, (struct sockaddr *)&address, &length)) {
		close(server);
		return -1;
	}
	fprintf(stderr, "abyme run: waiting for `target remote :%u`\n", ntohs(address.sin_port));
	return server;
}

bool gdb_open(struct machine *machine, uint16_t port)
{
	struct gdb *gdb = machine_alloc(machine, sizeof(*gdb));
	int server = listen_at(port);

	if (server < 0)
		return complain("cannot listen", port);
	do
		gdb->socket = accept(server, NULL, NULL);
	while (gdb->socket < 0 && errno == EINTR && machine->stop == STOP_NONE);
	close(server);
	if (gdb->socket < 0)
		return complain("nobody came", port);
	gdb->machine = machine;
	gdb->acknowledge = true;
	gdb->selected = gdb->break_level = GDB_ANY;
	gdb->caught = true; /* stops before the first instruction */
	notice_input(gdb->socket, &gdb->interrupt, machine);
	machine->gdb = gdb;
	return true;
}

void gdb_close(struct machine *machine, int status)
{
	struct gdb *gdb = machine->gdb;

	if (!gdb)
		return;
	machine->gdb = NULL;
	if (gdb->socket < 0)
		return;
	notice_end();
	gdb->out_length = 0;
	gdb_put(gdb, "W%02x", (unsigned)status & 0xff);
	gdb_send(gdb);
	if (gdb->socket >= 0)
		close(gdb->socket);
}

static bool watches_memory(const struct gdb *gdb)
{
	for (unsigned i = 0; i < sizeof(gdb->watchpoints) / sizeof(gdb->watchpoints[0]); i++)
		if (gdb->watchpoints[i].length)
			return true;
	return false;
}

bool gdb_wants(const struct gdb *gdb)
{
	bool insns = false;

	for (unsigned i = 0; i < gdb->catch_count; i++)
		insns = insns || gdb->catches[i].kind == GDB_CATCH_INSN;
	return gdb->interrupt || gdb->caught || gdb->stepping || gdb->break_count || insns ||
	       watches_memory(gdb);
}

bool gdb_before_insn(struct machine *machine)
{
	struct gdb *gdb = machine->gdb;

	if (!gdb_should_stop(gdb) && !gdb_interrupted(gdb))
		return false;
	gdb->caught = gdb->changed = false;
	gdb_serve(gdb);
	if (gdb->socket < 0)
		machine->gdb = NULL;
	return gdb->changed || machine->stop != STOP_NONE;
}

static bool catches(struct gdb *gdb, enum gdb_catch_kind kind, uint32_t what, unsigned level)
{
	for (unsigned i = 0; i < gdb->catch_count; i++) {
		const struct gdb_catch *catch = &gdb->catches[i];

		if (catch->kind == kind && (catch->what == GDB_ANY || catch->what == what) &&
		    (catch->level == GDB_ANY || catch->level == level))
			return true;
	}
	return false;
}

void gdb_saw_entry(struct machine *machine, unsigned level)
{
	struct gdb *gdb = machine->gdb;

	if (!catches(gdb, GDB_CATCH_ENTRY, GDB_ANY, level))
		return;
	gdb->caught = true;
	snprintf(gdb->why, sizeof(gdb->why), "VM entry: L%u runs\n", level);
	machine_poke(machine);
}

void gdb_saw_exit(struct machine *machine, unsigned level, uint32_t reason)
{
	struct gdb *gdb = machine->gdb;

	if (!catches(gdb, GDB_CATCH_EXIT, reason, level))
		return;
	gdb->caught = true;
	snprintf(gdb->why, sizeof(gdb->why), "VM exit of L%u: %s\n", level,
		 vmx_exit_reason_name(reason));
	machine_poke(machine);
}
