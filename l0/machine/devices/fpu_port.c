/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The board's handling of x87 errors while CR0.NE = 0: FERR# latches IRQ 13; a write to port 0xf0
 * takes the request back and asserts IGNNE#, under which the CPU goes on. SDM 1 "MS-DOS*
 * Compatibility Sub-mode".
 */
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define FPU_IRQ 13

void machine_fpu_error(struct machine *machine)
{
	irq_set(machine, FPU_IRQ, true);
}

static void clear_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct machine *machine = opaque;

	irq_set(machine, FPU_IRQ, false);
	machine->ignne = true;
}

void fpu_port_create(struct machine *machine)
{
	struct region *region = machine_alloc(machine, sizeof(*region));

	*region = (struct region){
	    .base = 0xf0, .length = 2, .max_size = 1, .write = clear_write, .opaque = machine};
	machine_add_ports(machine, region);
}
