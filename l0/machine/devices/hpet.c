/* SPDX-License-Identifier: BSD-2-Clause
 *
 * IA-PC HPET, facts from the specification 1.0a. Nothing counts here: the counter is a function of
 * time, and what the comparators have done is settled when somebody looks; an event is queued only
 * for a timer that may interrupt.
 *
 *   000 capabilities   63:32 period in fs  31:16 vendor  15 legacy  13 64-bit  12:8 last timer
 *   010 configuration  1 legacy replacement  0 counter runs
 *   020 status         2:0 level-triggered timers that have fired, write 1 to clear
 *   0f0 main counter
 *   100 + 20n timer    63:32 routes there are  13:9 route  8 32-bit mode  6 next comparator write
 *                      is no period  5 64-bit  4 can be periodic  3 periodic  2 interrupt  1 level
 *   108 + 20n comparator
 */
#include "l0/machine/devices/hpet.h"

#include "l0/machine/clock.h"
#include "l0/machine/machine.h"

#define CONFIG_RUNS 1u
#define CONFIG_LEGACY 2u
#define TIMER_LEVEL 0x0002u
#define TIMER_INTERRUPT 0x0004u
#define TIMER_PERIODIC 0x0008u
#define TIMER_SET_VALUE 0x0040u
#define TIMER_32BIT 0x0100u
#define TIMER_ROUTE_SHIFT 9
#define TIMER_WRITABLE 0x3f4eu
#define TIMER_READ_ONLY ((uint64_t)ROUTES << 32 | 0x30)
#define ROUTES UINT32_C(0x00f00000) /* I/O APIC pins 20 to 23, where nothing else is */
#define FEMTOSECONDS UINT64_C(1000000000000000)

struct hpet_timer {
	uint64_t config, comparator, period;
};

struct hpet {
	struct machine *machine;
	struct region mmio;
	struct event match;
	uint64_t config;
	uint64_t stopped_at; /* the counter while it does not run */
	uint64_t offset;     /* the counter minus the ticks of time while it runs */
	uint64_t settled;    /* counter value up to which the timers have been looked at */
	uint32_t status;
	struct hpet_timer timer[HPET_TIMERS];
};

static uint64_t counter_now(struct hpet *hpet)
{
	if (!(hpet->config & CONFIG_RUNS))
		return hpet->stopped_at;
	return clock_ticks(machine_now(hpet->machine), HPET_HZ) + hpet->offset;
}

static uint64_t timer_mask(const struct hpet_timer *timer)
{
	return timer->config & TIMER_32BIT ? UINT32_MAX : UINT64_MAX;
}

/* Ticks from `counter` to the next match, at least 1; 0: not in this age. */
static uint64_t timer_distance(const struct hpet_timer *timer, uint64_t counter)
{
	return ((timer->comparator - counter - 1) & timer_mask(timer)) + 1;
}

/* "Legacy Replacement Route": timer 0 in place of the 8254, timer 1 in place of the RTC. */
static unsigned timer_line(const struct hpet *hpet, unsigned n)
{
	if (hpet->config & CONFIG_LEGACY && n < 2)
		return n == 0 ? 0 : 8;
	return hpet->timer[n].config >> TIMER_ROUTE_SHIFT & 31;
}

/* A line may be driven if the route exists: there is none to pin 0. */
static bool timer_has_line(const struct hpet *hpet, unsigned n)
{
	return (hpet->config & CONFIG_LEGACY && n < 2) || ROUTES >> timer_line(hpet, n) & 1;
}

static void timer_fire(struct hpet *hpet, unsigned n)
{
	const struct hpet_timer *timer = &hpet->timer[n];

	if (timer->config & TIMER_LEVEL)
		hpet->status |= 1u << n;
	if (!(timer->config & TIMER_INTERRUPT) || !timer_has_line(hpet, n))
		return;
	irq_set(hpet->machine, timer_line(hpet, n), true);
	if (!(timer->config & TIMER_LEVEL))
		irq_set(hpet->machine, timer_line(hpet, n), false);
}

/* What timer n has done while the counter went on by `ticks`: several periods are one interrupt. */
static void timer_settle(struct hpet *hpet, unsigned n, uint64_t ticks)
{
	struct hpet_timer *timer = &hpet->timer[n];
	uint64_t distance = timer_distance(timer, hpet->settled);

	if (!distance || distance > ticks)
		return;
	if (timer->config & TIMER_PERIODIC && timer->period) {
		uint64_t periods = 1 + (ticks - distance) / timer->period;

		timer->comparator += periods * timer->period;
		timer->comparator &= timer_mask(timer);
	}
	timer_fire(hpet, n);
}

static void hpet_settle(struct hpet *hpet)
{
	uint64_t now = counter_now(hpet), ticks = now - hpet->settled;

	for (unsigned n = 0; ticks && n < HPET_TIMERS; n++)
		timer_settle(hpet, n, ticks);
	hpet->settled = now;
}

static void hpet_schedule(struct hpet *hpet)
{
	uint64_t nearest = 0;

	for (unsigned n = 0; n < HPET_TIMERS; n++) {
		uint64_t distance = timer_distance(&hpet->timer[n], hpet->settled);

		if (hpet->timer[n].config & TIMER_INTERRUPT && distance &&
		    (!nearest || distance < nearest))
			nearest = distance;
	}
	uint64_t ticks = clock_ticks(machine_now(hpet->machine), HPET_HZ);
	if (hpet->config & CONFIG_RUNS && nearest && nearest < UINT64_MAX / 1000 - ticks)
		machine_schedule(hpet->machine, &hpet->match,
				 clock_cycles(ticks + nearest, HPET_HZ));
	else
		machine_cancel(hpet->machine, &hpet->match);
}

static void match_fire(void *opaque)
{
	hpet_settle(opaque);
	hpet_schedule(opaque);
}

/* Lines of level-triggered timers whose status is clear are low. */
static void lines_release(struct hpet *hpet)
{
	for (unsigned n = 0; n < HPET_TIMERS; n++)
		if (hpet->timer[n].config & TIMER_LEVEL && !(hpet->status >> n & 1) &&
		    timer_has_line(hpet, n))
			irq_set(hpet->machine, timer_line(hpet, n), false);
}

static void config_write(struct hpet *hpet, uint64_t value)
{
	uint64_t counter = counter_now(hpet);
	bool legacy = value & CONFIG_LEGACY;

	if (legacy != hpet->machine->legacy_replaced) {
		irq_set(hpet->machine, 0, false);
		irq_set(hpet->machine, 8, false);
		hpet->machine->legacy_replaced = legacy;
	}
	hpet->config = value & (CONFIG_RUNS | CONFIG_LEGACY);
	hpet->stopped_at = counter;
	hpet->offset = counter - clock_ticks(machine_now(hpet->machine), HPET_HZ);
}

/* "Software must first halt the main counter": a write while it runs does the same. */
static void counter_write(struct hpet *hpet, uint64_t value)
{
	hpet->stopped_at = hpet->settled = value;
	hpet->offset = value - clock_ticks(machine_now(hpet->machine), HPET_HZ);
}

static void timer_config_write(struct hpet *hpet, unsigned n, uint64_t value)
{
	struct hpet_timer *timer = &hpet->timer[n];
	bool was_high = hpet->status >> n & 1 && timer_has_line(hpet, n);

	if (was_high) /* by the old route */
		irq_set(hpet->machine, timer_line(hpet, n), false);
	timer->config = value & TIMER_WRITABLE;
	if (!(timer->config & TIMER_LEVEL))
		hpet->status &= ~(1u << n);
	if (timer->config & TIMER_32BIT) {
		timer->comparator &= UINT32_MAX;
		timer->period &= UINT32_MAX;
	}
	if (hpet->status >> n & 1 && timer->config & TIMER_INTERRUPT && timer_has_line(hpet, n))
		irq_set(hpet->machine, timer_line(hpet, n), true);
}

/* In periodic mode a write is of the period; bit 6, "Timer n Value Set", makes one write set the
 * next match as well. */
static void comparator_write(struct hpet *hpet, unsigned n, uint64_t value)
{
	struct hpet_timer *timer = &hpet->timer[n];

	value &= timer_mask(timer);
	if (!(timer->config & TIMER_PERIODIC) || timer->config & TIMER_SET_VALUE)
		timer->comparator = value;
	if (timer->config & TIMER_PERIODIC)
		timer->period = value;
	timer->config &= ~(uint64_t)TIMER_SET_VALUE;
}

static uint64_t register_read(struct hpet *hpet, uint64_t offset)
{
	unsigned n = (offset - 0x100) / 0x20;

	if (offset == 0x000)
		return FEMTOSECONDS / HPET_HZ << 32 | HPET_CAPABILITIES;
	if (offset == 0x010)
		return hpet->config;
	if (offset == 0x020)
		return hpet->status;
	if (offset == 0x0f0)
		return counter_now(hpet);
	if (offset < 0x100 || n >= HPET_TIMERS)
		return 0;
	if (offset % 0x20 == 0x00)
		return hpet->timer[n].config | TIMER_READ_ONLY;
	return offset % 0x20 == 0x08 ? hpet->timer[n].comparator : 0;
}

static void register_write(struct hpet *hpet, uint64_t offset, uint64_t value, uint64_t written)
{
	unsigned n = (offset - 0x100) / 0x20;

	if (offset == 0x010) {
		config_write(hpet, value);
	} else if (offset == 0x020) {
		hpet->status &= ~(uint32_t)(value & written);
		lines_release(hpet);
	} else if (offset == 0x0f0) {
		counter_write(hpet, value);
	} else if (offset >= 0x100 && n < HPET_TIMERS) {
		if (offset % 0x20 == 0x00)
			timer_config_write(hpet, n, value);
		else if (offset % 0x20 == 0x08)
			comparator_write(hpet, n, value);
	}
}

static uint64_t hpet_read(void *opaque, uint64_t offset, unsigned size)
{
	struct hpet *hpet = opaque;

	hpet_settle(hpet);
	return register_read(hpet, offset & ~UINT64_C(7)) >> 8 * (offset & 7);
}

/* Registers are written in halves or whole; narrower accesses are undefined and ignored. */
static void hpet_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct hpet *hpet = opaque;
	unsigned shift = 8 * (offset & 7);
	uint64_t written = (size == 8 ? UINT64_MAX : UINT32_MAX) << shift;

	if (size < 4 || offset % size)
		return;
	hpet_settle(hpet);
	offset &= ~UINT64_C(7);
	value = (register_read(hpet, offset) & ~written) | (value << shift & written);
	register_write(hpet, offset, value, written);
	hpet_schedule(hpet);
}

void hpet_create(struct machine *machine)
{
	struct hpet *hpet = machine_alloc(machine, sizeof(*hpet));

	hpet->machine = machine;
	hpet->match = (struct event){ .fire = match_fire, .opaque = hpet };
	for (unsigned n = 0; n < HPET_TIMERS; n++)
		hpet->timer[n].comparator = UINT64_MAX;
	hpet->mmio = (struct region){ .base = HPET_BASE, .length = HPET_LENGTH, .max_size = 8,
				      .read = hpet_read, .write = hpet_write, .opaque = hpet };
	machine_add_mmio(machine, &hpet->mmio);
}
