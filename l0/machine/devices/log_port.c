/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The log port of traces/format/trap_log.h: hypervisors write whole blocks, and a lower level may
 * write one in the middle of a higher level's, so open blocks form a stack. Present only while a
 * trap log is being written.
 */
#include <stdlib.h>
#include <string.h>

#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"
#include "traces/format/trap_log.h"
#include "traces/machine_log.h"

#define DATA_OFFSET 4
#define OPEN_MAX 4096 /* against a guest that only begins; DEPTH_MAX levels need fewer */
#define BLOCK_MAX (sizeof(struct trap_log_block_header) + 0x10000 * sizeof(struct trap_record))

/* Blocks are kept for reuse once closed: the stack is as deep as the hypervisors are nested. */
struct open_block {
	struct open_block *below, *above;
	size_t used, size;
	bool overflow;
	uint8_t *data;
};

struct log_port {
	struct machine *machine;
	struct region ports;
	struct open_block bottom; /* never written */
	struct open_block *top;
	unsigned open;    /* blocks above the bottom */
	unsigned ignored; /* begun beyond OPEN_MAX: what belongs to them is dropped */
};

static void block_begin(struct log_port *port)
{
	struct open_block *block = port->top->above;

	if (port->ignored || port->open == OPEN_MAX) {
		port->ignored++;
		return;
	}
	port->open++;
	if (!block) {
		block = machine_alloc(port->machine, sizeof(*block));
		block->below = port->top;
		port->top->above = block;
	}
	block->used = 0;
	block->overflow = false;
	port->top = block;
}

/* Growing leaves the old buffer to machine_free: sizes double, so that is less than was needed. */
static void block_grow(struct log_port *port, struct open_block *block)
{
	size_t size = block->size ? 2 * block->size : 8192;
	uint8_t *data = machine_alloc(port->machine, size);

	if (block->used)
		memcpy(data, block->data, block->used);
	block->data = data;
	block->size = size;
}

static void block_add(struct log_port *port, const void *bytes, uint64_t size)
{
	struct open_block *block = port->top;

	if (block == &port->bottom || port->ignored)
		return;
	if (size > BLOCK_MAX - block->used) {
		block->overflow = true;
		return;
	}
	while (block->used + size > block->size)
		block_grow(port, block);
	memcpy(block->data + block->used, bytes, size);
	block->used += size;
}

/* A malformed block is counted as refused by the writer; an oversized one is sent on empty for
 * that. */
static void block_end(struct log_port *port)
{
	struct open_block *block = port->top;

	if (port->ignored) {
		port->ignored--;
		return;
	}
	if (block == &port->bottom)
		return;
	port->open--;
	port->top = block->below;
	(void)!trap_log_block(port->machine->log, block->data, block->overflow ? 0 : block->used);
}

static void mark(struct machine *machine, uint32_t number)
{
	struct cpu_stats stats;

	machine->cpu_ops->stats(machine->cpu, &stats);
	trap_log_mark(machine->log, number, machine_now(machine), stats.instructions);
}

static uint64_t log_read(void *opaque, uint64_t offset, unsigned size)
{
	const struct log_port *port = opaque;

	return port->machine->log && offset == 0 && size == 4 ? LOG_MAGIC : UINT64_MAX;
}

static void log_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct log_port *port = opaque;
	uint8_t bytes[] = { value, value >> 8, value >> 16, value >> 24 };

	if (!port->machine->log)
		return;
	if (offset == DATA_OFFSET)
		block_add(port, bytes, size);
	else if (offset != 0 || size != 4)
		return;
	else if (value & LOG_MARK)
		mark(port->machine, value & ~LOG_MARK);
	else if (value == LOG_BEGIN)
		block_begin(port);
	else if (value == LOG_END)
		block_end(port);
}

static void log_write_run(void *opaque, uint64_t offset, unsigned size, const uint8_t *elements,
			  uint64_t count)
{
	struct log_port *port = opaque;

	if (port->machine->log && offset == DATA_OFFSET)
		block_add(port, elements, size * count);
}

void log_port_create(struct machine *machine)
{
	struct log_port *port = machine_alloc(machine, sizeof(*port));

	port->machine = machine;
	port->top = &port->bottom;
	port->ports = (struct region){ .base = LOG_PORT, .length = 8, .max_size = 4,
				       .read = log_read, .write = log_write,
				       .write_run = log_write_run, .fast = true, .opaque = port };
	machine_add_ports(machine, &port->ports);
}
