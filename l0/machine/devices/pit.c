/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 8254 timer and system control port B. Facts from the Intel 8254 data sheet. Nothing counts here:
 * count and OUT are functions of the tick at which the counting element was loaded.
 *
 *   control word  7:6 counter (3: read-back)  5:4 access (0: latch)  3:1 mode  0 BCD
 *   read-back     7:6 11  5 no count  4 no status  3:1 counters  0 0
 *   status        7 OUT   6 null count  5:4 access  3:1 mode  0 BCD
 *   port 0x61     5 OUT2  4 refresh toggle  1 speaker  0 GATE2
 */
#include "l0/machine/devices/pit_counter.h"
#include "l0/machine/devices/platform.h"

#define READ_BACK 3
#define NO_COUNT 0x20
#define NO_STATUS 0x10
#define REFRESH_TICKS 18 /* the toggle changes at every refresh request, about 15 us */

struct pit {
	struct machine *machine;
	struct region ports, port61;
	struct event edge; /* of counter 0's OUT */
	struct pit_counter counter[3];
	uint64_t updated; /* tick up to which IRQ 0 has followed OUT */
	uint8_t speaker;
};

static uint64_t pit_tick(struct pit *pit)
{
	return clock_ticks(machine_now(pit->machine), PIT_HZ);
}

/* IRQ 0 is counter 0's OUT. An instruction that takes long may skip ticks; OUT's changes on the
 * way are played back, as in mode 2 it is low for one tick only. The last period's will do. */
static void pit_update(struct pit *pit)
{
	struct pit_counter *counter = &pit->counter[0];
	uint64_t tick = pit_tick(pit), at = pit->updated, next;

	if (tick - at > 2 * PIT_PERIOD_MAX)
		at = tick - 2 * PIT_PERIOD_MAX;
	while ((next = pit_counter_next_edge(counter, at)) <= tick) {
		irq_set_timer(pit->machine, 0, pit_counter_out(counter, next));
		at = next;
	}
	irq_set_timer(pit->machine, 0, pit_counter_out(counter, tick));
	pit->updated = tick;
	if (next != EVENT_NEVER)
		machine_schedule(pit->machine, &pit->edge, clock_cycles(next, PIT_HZ));
	else
		machine_cancel(pit->machine, &pit->edge);
}

static void edge_fire(void *opaque)
{
	pit_update(opaque);
}

static void control_write(struct pit *pit, uint8_t value)
{
	uint64_t tick = pit_tick(pit);
	unsigned which = value >> 6;

	if (which != READ_BACK) {
		pit_counter_control(&pit->counter[which], tick, value);
		return;
	}
	for (unsigned i = 0; i < 3; i++) {
		if (!(value & 2 << i))
			continue;
		if (!(value & NO_COUNT))
			pit_counter_latch(&pit->counter[i], tick);
		if (!(value & NO_STATUS))
			pit_counter_latch_status(&pit->counter[i], tick);
	}
}

static void pit_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct pit *pit = opaque;

	pit_update(pit); /* what OUT has done before the change */
	if (offset == 3)
		control_write(pit, value);
	else
		pit_counter_write(&pit->counter[offset], pit_tick(pit), value);
	if (offset == 0 || offset == 3)
		pit_update(pit);
}

static uint64_t pit_read(void *opaque, uint64_t offset, unsigned size)
{
	struct pit *pit = opaque;

	/* The control word register cannot be read: the bus floats. */
	return offset == 3 ? 0xff : pit_counter_read(&pit->counter[offset], pit_tick(pit));
}

static uint64_t port61_read(void *opaque, uint64_t offset, unsigned size)
{
	struct pit *pit = opaque;
	uint64_t tick = pit_tick(pit);

	return pit->counter[2].gate | pit->speaker | (tick / REFRESH_TICKS & 1) << 4 |
	       pit_counter_out(&pit->counter[2], tick) << 5;
}

static void port61_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct pit *pit = opaque;

	pit->speaker = value & 2;
	pit_counter_gate(&pit->counter[2], pit_tick(pit), value & 1);
}

void pit_create(struct machine *machine)
{
	struct pit *pit = machine_alloc(machine, sizeof(*pit));

	pit->machine = machine;
	pit->edge = (struct event){ .fire = edge_fire, .opaque = pit };
	/* Stopped, all outputs low: unlike firmware that keeps a clock, this leaves an idle
	 * machine idle. */
	for (unsigned i = 0; i < 3; i++)
		pit->counter[i] = (struct pit_counter){ .access = 3, .gate = i != 2 };
	pit->ports = (struct region){ .base = 0x40, .length = 4, .max_size = 1, .read = pit_read,
				      .write = pit_write, .opaque = pit };
	pit->port61 = (struct region){ .base = 0x61, .length = 1, .max_size = 1,
				       .read = port61_read, .write = port61_write,
				       .opaque = pit };
	machine_add_ports(machine, &pit->ports);
	machine_add_ports(machine, &pit->port61);
}
