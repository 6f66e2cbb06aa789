/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reset control register 0xcf9 (bit 2: reset, bit 1: of the whole platform) and system control port
 * A 0x92 (bit 1: A20, bit 0: fast reset). The keyboard controller is the other source of A20.
 */
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define CF9_RESET 0x04
#define PORT92_FAST_RESET 0x01
#define PORT92_A20 0x02

struct reset_ports {
	struct machine *machine;
	struct region cf9, port92;
	uint8_t control, a20;
};

static uint64_t cf9_read(void *opaque, uint64_t offset, unsigned size)
{
	return ((struct reset_ports *)opaque)->control;
}

/* "0 to 1 transition of bit 2". */
static void cf9_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct reset_ports *ports = opaque;
	bool reset = value & ~ports->control & CF9_RESET;

	ports->control = value & 0x0e;
	if (reset)
		machine_stop(ports->machine, STOP_RESET, 0);
}

static uint64_t port92_read(void *opaque, uint64_t offset, unsigned size)
{
	return ((struct reset_ports *)opaque)->a20;
}

static void port92_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct reset_ports *ports = opaque;

	ports->a20 = value & PORT92_A20;
	machine_set_a20(ports->machine, A20_PORT92, ports->a20);
	if (value & PORT92_FAST_RESET)
		machine_stop(ports->machine, STOP_RESET, 0);
}

void reset_ports_create(struct machine *machine)
{
	struct reset_ports *ports = machine_alloc(machine, sizeof(*ports));

	ports->machine = machine;
	ports->a20 = PORT92_A20;
	ports->cf9 = (struct region){ .base = RESET_PORT, .length = 1, .max_size = 1,
				      .read = cf9_read, .write = cf9_write, .opaque = ports };
	ports->port92 = (struct region){ .base = 0x92, .length = 1, .max_size = 1,
					 .read = port92_read, .write = port92_write,
					 .opaque = ports };
	machine_add_ports(machine, &ports->cf9);
	machine_add_ports(machine, &ports->port92);
}
