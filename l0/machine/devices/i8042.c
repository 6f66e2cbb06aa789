/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 8042 keyboard controller with nothing plugged in: the commands that system software sends before
 * it gives up on a keyboard, the reset pulse, A20. A byte sent to a device times out, as on the
 * real part: status bit 6 and 0xfe (resend) in the output buffer.
 *
 *   status   7 parity  6 timeout  5 from AUX  4 not locked  3 last write was a command
 *            2 system flag (self-test passed)  1 input buffer full  0 output buffer full
 *   command byte  6 translate  5 AUX off  4 keyboard off  2 system flag  1 IRQ 12  0 IRQ 1
 */
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define STATUS_OUTPUT_FULL 0x01
#define STATUS_SYSTEM 0x04
#define STATUS_COMMAND 0x08
#define STATUS_UNLOCKED 0x10
#define STATUS_AUX 0x20
#define STATUS_TIMEOUT 0x40
#define OUTPUT_RESET_OFF 0x01
#define OUTPUT_A20 0x02
#define RESEND 0xfe

struct i8042 {
	struct machine *machine;
	struct region data, command;
	uint8_t status, command_byte, output_port;
	uint8_t output;  /* output buffer */
	uint8_t pending; /* command that waits for its data byte, 0: none */
};

static void i8042_update(struct i8042 *kbc)
{
	bool full = kbc->status & STATUS_OUTPUT_FULL, aux = kbc->status & STATUS_AUX;

	irq_set(kbc->machine, 1, full && !aux && kbc->command_byte & 1);
	irq_set(kbc->machine, 12, full && aux && kbc->command_byte & 2);
}

/* flags: STATUS_AUX, STATUS_TIMEOUT. */
static void i8042_answer(struct i8042 *kbc, uint8_t byte, uint8_t flags)
{
	kbc->output = byte;
	kbc->status &= ~(STATUS_AUX | STATUS_TIMEOUT);
	kbc->status |= STATUS_OUTPUT_FULL | flags;
}

static void output_port_write(struct i8042 *kbc, uint8_t value)
{
	kbc->output_port = value;
	machine_set_a20(kbc->machine, A20_KEYBOARD, value & OUTPUT_A20);
	if (!(value & OUTPUT_RESET_OFF))
		machine_stop(kbc->machine, STOP_RESET, 0);
}

static void i8042_command(struct i8042 *kbc, uint8_t command)
{
	kbc->pending = 0;
	switch (command) {
	case 0x20: /* read command byte */
		i8042_answer(kbc, kbc->command_byte, 0);
		break;
	case 0xa7: /* AUX off, on */
	case 0xa8:
		kbc->command_byte = (kbc->command_byte & ~0x20) | (command == 0xa7 ? 0x20 : 0);
		break;
	case 0xaa: /* self-test */
		kbc->status |= STATUS_SYSTEM;
		i8042_answer(kbc, 0x55, 0);
		break;
	case 0xa9: /* tests of the two interfaces: no error */
	case 0xab:
		i8042_answer(kbc, 0x00, 0);
		break;
	case 0xad: /* keyboard off, on */
	case 0xae:
		kbc->command_byte = (kbc->command_byte & ~0x10) | (command == 0xad ? 0x10 : 0);
		break;
	case 0xd0: /* read output port */
		i8042_answer(kbc, kbc->output_port, 0);
		break;
	case 0x60: /* commands with a data byte */
	case 0xd1 ... 0xd4:
		kbc->pending = command;
		break;
	case 0xf0 ... 0xff: /* pulse the output lines that are 0 in 3:0; line 0 is reset */
		if (!(command & 1))
			machine_stop(kbc->machine, STOP_RESET, 0);
		break;
	}
}

static void i8042_data(struct i8042 *kbc, uint8_t value)
{
	uint8_t pending = kbc->pending;

	kbc->pending = 0;
	switch (pending) {
	case 0x60:
		kbc->command_byte = value;
		break;
	case 0xd1:
		output_port_write(kbc, value);
		break;
	case 0xd2: /* as if the keyboard, the mouse had sent it */
	case 0xd3:
		i8042_answer(kbc, value, pending == 0xd3 ? STATUS_AUX : 0);
		break;
	case 0xd4:
		i8042_answer(kbc, RESEND, STATUS_AUX | STATUS_TIMEOUT);
		break;
	default:
		i8042_answer(kbc, RESEND, STATUS_TIMEOUT);
		break;
	}
}

static uint64_t data_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i8042 *kbc = opaque;

	kbc->status &= ~(STATUS_OUTPUT_FULL | STATUS_AUX | STATUS_TIMEOUT);
	i8042_update(kbc);
	return kbc->output;
}

static void data_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct i8042 *kbc = opaque;

	kbc->status &= ~STATUS_COMMAND;
	i8042_data(kbc, value);
	i8042_update(kbc);
}

static uint64_t status_read(void *opaque, uint64_t offset, unsigned size)
{
	return ((struct i8042 *)opaque)->status;
}

static void command_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct i8042 *kbc = opaque;

	kbc->status |= STATUS_COMMAND;
	i8042_command(kbc, value);
	i8042_update(kbc);
}

void i8042_create(struct machine *machine)
{
	struct i8042 *kbc = machine_alloc(machine, sizeof(*kbc));

	kbc->machine = machine;
	kbc->status = STATUS_UNLOCKED | STATUS_SYSTEM;
	kbc->command_byte = 0x34; /* both interfaces off, no interrupts */
	kbc->output_port = OUTPUT_RESET_OFF | OUTPUT_A20;
	kbc->data = (struct region){ .base = 0x60, .length = 1, .max_size = 1, .read = data_read,
				     .write = data_write, .opaque = kbc };
	kbc->command = (struct region){ .base = 0x64, .length = 1, .max_size = 1,
					.read = status_read, .write = command_write,
					.opaque = kbc };
	machine_add_ports(machine, &kbc->data);
	machine_add_ports(machine, &kbc->command);
}
