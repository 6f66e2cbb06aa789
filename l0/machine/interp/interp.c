/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The interpreter as a CPU backend: the run loop. Between blocks it delivers events, lets virtual time
 * catch up with the event queue, and sees to it that both fall on exact instruction boundaries: a block
 * that does not fit into the time to the next event is stepped.
 */
#include "l0/machine/interp/block.h"
#include "l0/machine/interp/vmx/vmx.h"

#include <stdlib.h>
#include <string.h>

/* Longest time between looks at what a signal handler may have asked for. */
#define SLICE_CYCLES (UINT64_C(1) << 21)

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Sets the time of the next look at the world. No instruction costs less than a cycle, so that many
 * cycles as instructions are left cannot overrun the limit. */
static void set_deadline(struct cpu *cpu, uint64_t now)
{
	struct machine *machine = cpu->machine;
	uint64_t at = min64(event_next(&machine->events), vmx_next_event(cpu));

	at = min64(at, now + SLICE_CYCLES);
	if (machine->max_insns)
		at = min64(at, now + (machine->max_insns - min64(machine->max_insns, cpu->insns)));
	cpu->deadline = at;
	cpu->budget = (int64_t)(at - now);
}

/* HLT and its like: nothing executes until something wakes the CPU, so time skips to the next event. */
static void sleep_until_event(struct cpu *cpu)
{
	struct machine *machine = cpu->machine;
	uint64_t next = min64(event_next(&machine->events), vmx_next_event(cpu));
	uint64_t now = cpu_now(cpu);

	if (next == EVENT_NEVER) {
		machine_stop(machine, STOP_HALTED, 0);
		return;
	}
	cpu->deadline = next > now ? next : now;
	cpu->budget = 0;
}

/* An instruction boundary that wants a look. */
static void boundary(struct cpu *cpu)
{
	struct machine *machine = cpu->machine;
	uint64_t now = cpu_now(cpu);

	event_run(&machine->events, now);
	if (machine->max_insns && cpu->insns >= machine->max_insns)
		machine_stop(machine, STOP_INSN_LIMIT, 0);
	set_deadline(cpu, now);
	if (!machine->stop)
		cpu_attend(cpu);
	set_deadline(cpu, cpu_now(cpu));
}

static void execute(struct cpu *cpu, bool step)
{
	const struct block *block;

	blocks_refresh_key(cpu);
	block = blocks_find(cpu, step ? MODE_SINGLE : 0);
	if (!step && cpu->budget < (int64_t)block->ops[0].cycles)
		block = blocks_find(cpu, MODE_SINGLE);
	cpu->blocks->edge = NULL;
	OP_RUN(cpu, block->ops);
}

static void turn(struct cpu *cpu)
{
	cpu->in_block = false;
	cpu->code_written = false;
	cpu->op = NULL;
	if (cpu->event.valid)
		cpu_deliver_event(cpu);
	if (cpu->attention || cpu->budget <= 0)
		boundary(cpu);
	if (cpu->machine->stop || cpu->event.valid)
		return;
	if (cpu->activity != VMX_ACTIVITY_ACTIVE)
		sleep_until_event(cpu);
	else if (cpu->budget > 0)
		execute(cpu, cpu->attention);
}

static void interp_run(struct cpu *cpu)
{
	jmp_buf escape;

	cpu->escape = &escape;
	(void)setjmp(escape);
	while (!cpu->machine->stop)
		turn(cpu);
	cpu->in_block = false;
	cpu->op = NULL;
}
