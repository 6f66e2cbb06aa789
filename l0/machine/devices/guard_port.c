/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guard's ports: l0/machine/guard.h.
 */
#include "l0/machine/guard.h"

#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define PAGE 4096

struct guard_port {
	struct machine *machine;
	struct region ports;
};

static void guard_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct machine *machine = ((struct guard_port *)opaque)->machine;

	if (machine->guard_end || size != 4)
		return;
	if (offset == 0)
		machine->guard_base = value * PAGE;
	else if (offset == 4)
		machine->guard_end = machine->guard_base + value * PAGE;
}

void guard_port_create(struct machine *machine)
{
	struct guard_port *port = machine_alloc(machine, sizeof(*port));

	port->machine = machine;
	port->ports = (struct region){ .base = GUARD_PORT, .length = 8, .max_size = 4,
				       .write = guard_write, .opaque = port };
	machine_add_ports(machine, &port->ports);
}
