/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Local APIC timer: one-shot, periodic, TSC-deadline. SDM 3A "APIC Timer". The count is not kept
 * but computed from the time at which it reaches zero.
 */
#include "l0/machine/devices/lapic_state.h"

#define CYCLES_PER_INPUT_CLOCK (MACHINE_HZ / LAPIC_TIMER_HZ)

static uint32_t timer_mode(const struct lapic *lapic)
{
	return lapic->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

/* Divide configuration: bits 3, 1, 0 = 000 divides by 2, 001 by 4 ... 110 by 128, 111 by 1. */
static uint64_t cycles_per_count(uint32_t config)
{
	unsigned code = (config & 3) | (config >> 1 & 4);

	return CYCLES_PER_INPUT_CLOCK << ((code + 1) & 7);
}

static void timer_stop(struct lapic *lapic)
{
	lapic->expiry = EVENT_NEVER;
	lapic->deadline = 0;
	machine_cancel(lapic->machine, &lapic->timer);
}

static void timer_expire_at(struct lapic *lapic, uint64_t when)
{
	lapic->expiry = when;
	machine_schedule(lapic->machine, &lapic->timer, when);
}

static void timer_fire(void *opaque)
{
	struct lapic *lapic = opaque;
	uint64_t period = lapic->initial_count * cycles_per_count(lapic->divide_config);

	if (timer_mode(lapic) == LVT_TIMER_PERIODIC && period)
		timer_expire_at(lapic, lapic->expiry + period);
	else
		timer_stop(lapic);
	lapic_local_interrupt(lapic, LVT_TIMER);
}

void lapic_timer_init(struct lapic *lapic)
{
	lapic->timer = (struct event){ .fire = timer_fire, .opaque = lapic };
	lapic->expiry = EVENT_NEVER;
}

void lapic_timer_reset(struct lapic *lapic)
{
	timer_stop(lapic);
	lapic->initial_count = lapic->divide_config = 0;
}

void lapic_timer_set_count(struct lapic *lapic, uint32_t count)
{
	/* "When operating in TSC-deadline mode ... writes to the initial-count register are
	 * ignored". */
	if (timer_mode(lapic) == LVT_TIMER_TSC_DEADLINE)
		return;
	lapic->initial_count = count;
	if (count)
		timer_expire_at(lapic, machine_now(lapic->machine) +
					       count * cycles_per_count(lapic->divide_config));
	else
		timer_stop(lapic);
}

uint32_t lapic_timer_count(const struct lapic *lapic)
{
	uint64_t step = cycles_per_count(lapic->divide_config);

	if (lapic->expiry == EVENT_NEVER || timer_mode(lapic) == LVT_TIMER_TSC_DEADLINE)
		return 0;
	uint64_t now = machine_now(lapic->machine);
	if (now < lapic->expiry)
		return (lapic->expiry - now + step - 1) / step;
	if (timer_mode(lapic) != LVT_TIMER_PERIODIC)
		return 0;
	/* Past the expiry within the instruction that reads: the next period has begun. */
	return lapic->initial_count - (now - lapic->expiry) / step % lapic->initial_count;
}

void lapic_timer_set_divider(struct lapic *lapic, uint32_t config)
{
	uint32_t count = lapic_timer_count(lapic);

	lapic->divide_config = config;
	if (count)
		timer_expire_at(lapic,
				machine_now(lapic->machine) + count * cycles_per_count(config));
}

void lapic_timer_mode_change(struct lapic *lapic, uint32_t lvt)
{
	bool was_deadline = timer_mode(lapic) == LVT_TIMER_TSC_DEADLINE;
	bool is_deadline = (lvt & LVT_TIMER_MODE) == LVT_TIMER_TSC_DEADLINE;

	if (was_deadline == is_deadline)
		return;
	timer_stop(lapic);
	lapic->initial_count = 0;
}

uint64_t lapic_deadline(const struct lapic *lapic)
{
	return lapic->deadline;
}

void lapic_set_deadline(struct lapic *lapic, uint64_t deadline, uint64_t tsc_now)
{
	/* SDM 3A "TSC-Deadline Mode": in the other modes a WRMSR is ignored and RDMSR returns 0. */
	if (timer_mode(lapic) != LVT_TIMER_TSC_DEADLINE)
		return;
	timer_stop(lapic);
	if (!deadline)
		return;
	uint64_t now = machine_now(lapic->machine);
	uint64_t wait = deadline > tsc_now ? deadline - tsc_now : 0;
	lapic->deadline = deadline;
	if (wait < EVENT_NEVER - now)
		timer_expire_at(lapic, now + wait);
}
