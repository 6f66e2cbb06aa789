/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Ports that emulators and debug cards have given a meaning: 0xf4 ends the run (isa-debug-exit),
 * 0xe9 prints a character and reads as 0xe9, 0x80 holds the last POST code and serves as a delay.
 */
#include "l0/machine/console.h"
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

struct debug_ports {
	struct machine *machine;
	struct region exit, console, post;
	uint8_t post_code;
};

static void exit_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct debug_ports *ports = opaque;

	machine_stop(ports->machine, STOP_EXIT_PORT, value);
}

static uint64_t console_read(void *opaque, uint64_t offset, unsigned size)
{
	return 0xe9;
}

static void console_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct debug_ports *ports = opaque;

	console_put(ports->machine->console, value);
}

static uint64_t post_read(void *opaque, uint64_t offset, unsigned size)
{
	return ((struct debug_ports *)opaque)->post_code;
}

static void post_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	((struct debug_ports *)opaque)->post_code = value;
}

void debug_ports_create(struct machine *machine)
{
	struct debug_ports *ports = machine_alloc(machine, sizeof(*ports));

	ports->machine = machine;
	ports->exit = (struct region){ .base = 0xf4, .length = 4, .write = exit_write,
				       .opaque = ports };
	ports->console = (struct region){ .base = 0xe9, .length = 1, .max_size = 1,
					  .read = console_read, .write = console_write,
					  .opaque = ports };
	ports->post = (struct region){ .base = 0x80, .length = 1, .max_size = 1, .read = post_read,
				       .write = post_write, .opaque = ports };
	machine_add_ports(machine, &ports->exit);
	machine_add_ports(machine, &ports->console);
	machine_add_ports(machine, &ports->post);
}
