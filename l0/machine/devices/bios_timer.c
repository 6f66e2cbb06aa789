/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a PC's BIOS leaves running and this machine's firmware does not: the tick of 18.2 Hz on IRQ
 * 0 through the 8259As at vectors 08 and 70, with its handler, which counts at 0040:006c.
 * `--device biostimer`, for real-mode code that waits for it with HLT.
 */
#include "l0/machine/devices/platform.h"
#include "l0/machine/firmware.h"
#include "l0/machine/machine.h"

#define TIMER_VECTOR 8
#define HANDLER UINT64_C(0xffe00) /* in the BIOS segment, f000 */

static const uint8_t handler[] = {
	0x50,                         /* push ax */
	0x1e,                         /* push ds */
	0xb8, 0x40, 0x00,             /* mov ax, 0x40 */
	0x8e, 0xd8,                   /* mov ds, ax */
	0x66, 0xff, 0x06, 0x6c, 0x00, /* inc dword [0x6c] */
	0xb0, 0x20,                   /* mov al, 0x20: EOI */
	0xe6, 0x20,                   /* out 0x20, al */
	0x1f,                         /* pop ds */
	0x58,                         /* pop ax */
	0xcf,                         /* iret */
};

static const struct {
	uint8_t port, value;
} setup[] = {
	/* ICW1 to ICW4 of both 8259As, then all masked but IRQ 0 */
	{ 0x20, 0x11 }, { 0x21, 0x08 }, { 0x21, 0x04 }, { 0x21, 0x01 },
	{ 0xa0, 0x11 }, { 0xa1, 0x70 }, { 0xa1, 0x02 }, { 0xa1, 0x01 },
	{ 0x21, 0xfe }, { 0xa1, 0xff },
	/* counter 0: mode 2, 65536 clocks */
	{ 0x43, 0x34 }, { 0x40, 0x00 }, { 0x40, 0x00 },
};

void bios_timer_create(struct machine *machine)
{
	const uint16_t vector[] = { HANDLER & 0xffff, 0xf000 };

	(void)!memory_write(&machine->memory, HANDLER, handler, sizeof(handler));
	(void)!memory_write(&machine->memory, 4 * TIMER_VECTOR, vector, sizeof(vector));
	for (unsigned i = 0; i < sizeof(setup) / sizeof(setup[0]); i++)
		machine_port_write(machine, setup[i].port, 1, setup[i].value);
}
