/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MC146818 real-time clock and CMOS memory; register facts from the Motorola data sheet. The clock
 * starts at 2020-01-01 00:00:00 in every run, so that a run can be repeated. Nothing ticks: time
 * and flags are computed when read; an event is queued only for an enabled interrupt.
 */
#include "l0/machine/clock.h"
#include "l0/machine/devices/platform.h"
#include "l0/machine/devices/rtc_state.h"

#define START_SECONDS INT64_C(1577836800) /* 2020-01-01 00:00:00 */
#define RTC_HZ UINT64_C(32768)
#define RTC_IRQ 8
/* UIP is set from 244 us before an update cycle of 1984 us to its end. */
#define UIP_CYCLES (MACHINE_HZ / 1000000 * (244 + 1984))

static bool is_time_register(unsigned index)
{
	return index == REG_CENTURY || (index <= REG_YEAR && index != REG_SECOND_ALARM &&
					index != REG_MINUTE_ALARM && index != REG_HOUR_ALARM);
}

/* RTC clocks per periodic interrupt, 0: none. "Periodic Interrupt Rate", 32.768 kHz time base. */
static uint64_t periodic_clocks(const struct rtc *rtc)
{
	unsigned rate = rtc->cmos[REG_A] & 15;

	if (!rate)
		return 0;
	return rate < 3 ? UINT64_C(1) << (rate + 6) : UINT64_C(1) << (rate - 1);
}

/* Brings register C up to date. */
static void flags_settle(struct rtc *rtc, uint64_t now)
{
	uint64_t clocks = periodic_clocks(rtc), was = clock_ticks(rtc->settled, RTC_HZ);
	uint64_t before = rtc_seconds_run(rtc, rtc->settled), after = rtc_seconds_run(rtc, now);

	if (clocks && clock_ticks(now, RTC_HZ) / clocks != was / clocks)
		rtc->flags |= C_PF;
	if (after != before) {
		uint64_t alarm = rtc_next_alarm(rtc, before);

		rtc->flags |= C_UF;
		if (alarm && alarm <= after)
			rtc->flags |= C_AF;
	}
	rtc->settled = now;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When the next flag that may interrupt, and is not set yet, gets set. */
static uint64_t next_interrupt(const struct rtc *rtc, uint64_t now)
{
	uint8_t wanted = rtc->cmos[REG_B] & ~rtc->flags;
	uint64_t clocks = periodic_clocks(rtc), second = rtc_seconds_run(rtc, now), alarm;
	uint64_t when = EVENT_NEVER;

	if (wanted & C_PF && clocks)
		when = clock_cycles((clock_ticks(now, RTC_HZ) / clocks + 1) * clocks, RTC_HZ);
	if (wanted & C_UF && rtc->running)
		when = earlier(when, rtc->base_cycles + (second + 1) * MACHINE_HZ);
	if (wanted & C_AF && rtc->running && (alarm = rtc_next_alarm(rtc, second)))
		when = earlier(when, rtc->base_cycles + alarm * MACHINE_HZ);
	return when;
}

/* IRQ 8 and the event that will change it. PIE, AIE, UIE sit at the bits of PF, AF, UF. */
static void rtc_update(struct rtc *rtc, uint64_t now)
{
	uint64_t when = next_interrupt(rtc, now);

	irq_set_timer(rtc->machine, RTC_IRQ,
		      rtc->flags & rtc->cmos[REG_B] & (C_PF | C_AF | C_UF));
	if (when != EVENT_NEVER)
		machine_schedule(rtc->machine, &rtc->interrupt, when);
	else
		machine_cancel(rtc->machine, &rtc->interrupt);
}

static void interrupt_fire(void *opaque)
{
	struct rtc *rtc = opaque;
	uint64_t now = machine_now(rtc->machine);

	flags_settle(rtc, now);
	rtc_update(rtc, now);
}

/* SET and the divider stop and start the clock. "The first update occurs one-half second" after the
 * divider is released; after SET the second goes on where it was. */
static void clock_gate(struct rtc *rtc, uint64_t now, bool divider_released)
{
	bool run = !(rtc->cmos[REG_B] & B_SET) &&
		   (rtc->cmos[REG_A] & A_DIVIDER) == A_DIVIDER_RUNS;

	if (run == rtc->running)
		return;
	if (!run) {
		rtc_registers_fill(rtc, now);
		rtc->base_seconds += rtc_seconds_run(rtc, now);
		rtc->base_cycles = (now - rtc->base_cycles) % MACHINE_HZ;
		rtc->running = false;
		return;
	}
	int64_t fraction = divider_released ? (int64_t)MACHINE_HZ / 2 : rtc->base_cycles;
	rtc_registers_take(rtc, now);
	rtc->base_cycles = now - fraction;
	rtc->running = true;
}

static void control_write(struct rtc *rtc, uint64_t now, unsigned index, uint8_t value)
{
	bool held = (rtc->cmos[REG_A] & A_DIVIDER_HOLDS) == A_DIVIDER_HOLDS;

	if (index == REG_A) {
		rtc->cmos[REG_A] = value & ~A_UIP;
	} else {
		/* A change of format must not change the time. */
		if (rtc->running)
			rtc_registers_fill(rtc, now);
		rtc->cmos[REG_B] = value & B_SET ? value & ~C_UF : value; /* SET clears UIE */
	}
	clock_gate(rtc, now, held);
}

static uint8_t rtc_read(struct rtc *rtc, uint64_t now)
{
	uint64_t left;
	uint8_t value;

	if (is_time_register(rtc->index) && rtc->running)
		rtc_registers_fill(rtc, now);
	switch (rtc->index) {
	case REG_A:
		left = MACHINE_HZ - (now - rtc->base_cycles) % MACHINE_HZ;
		return rtc->cmos[REG_A] | (rtc->running && left <= UIP_CYCLES ? A_UIP : 0);
	case REG_C:
		value = rtc->flags & rtc->cmos[REG_B] & 0x70 ? rtc->flags | C_IRQF : rtc->flags;
		rtc->flags = 0;
		rtc_update(rtc, now);
		return value;
	case REG_D:
		return D_VRT;
	default:
		return rtc->cmos[rtc->index];
	}
}

static void rtc_write(struct rtc *rtc, uint64_t now, uint8_t value)
{
	unsigned index = rtc->index;

	if (index == REG_C || index == REG_D)
		return;
	if (index == REG_A || index == REG_B) {
		control_write(rtc, now, index, value);
	} else if (is_time_register(index)) {
		if (rtc->running)
			rtc_registers_fill(rtc, now);
		rtc->cmos[index] = value;
		if (rtc->running)
			rtc_registers_take(rtc, now);
	} else {
		rtc->cmos[index] = value;
	}
	rtc_update(rtc, now);
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
	struct rtc *rtc = opaque;
	uint64_t now = machine_now(rtc->machine);

	if (offset == 0) /* write only */
		return 0xff;
	flags_settle(rtc, now);
	return rtc_read(rtc, now);
}

/* Bit 7 of the index port masks NMIs; no device here raises one. */
static void port_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct rtc *rtc = opaque;
	uint64_t now = machine_now(rtc->machine);

	if (offset == 0) {
		rtc->index = value & 0x7f;
		return;
	}
	flags_settle(rtc, now);
	rtc_write(rtc, now, value);
}

static void cmos_word(struct rtc *rtc, unsigned at, uint64_t value, uint64_t limit)
{
	value = value < limit ? value : limit;
	rtc->cmos[at] = value;
	rtc->cmos[at + 1] = value >> 8;
}

/* What PC firmware keeps here: memory sizes, equipment, the checksum of 0x10-0x2d. */
static void cmos_fill(struct rtc *rtc)
{
	const struct memory *memory = &rtc->machine->memory;
	const uint64_t mib = UINT64_C(1) << 20;
	uint64_t above_1m = memory->low_size > mib ? memory->low_size - mib : 0;
	uint64_t above_16m = memory->low_size > 16 * mib ? memory->low_size - 16 * mib : 0;
	unsigned sum = 0;

	cmos_word(rtc, 0x15, 640, 640);
	cmos_word(rtc, 0x17, above_1m >> 10, 63 << 10);
	cmos_word(rtc, 0x30, above_1m >> 10, 63 << 10);
	cmos_word(rtc, 0x34, above_16m >> 16, 0xffff);
	cmos_word(rtc, 0x5b, memory->high_size >> 16, UINT64_MAX);
	rtc->cmos[0x5d] = memory->high_size >> 32;
	for (unsigned i = 0x10; i <= 0x2d; i++)
		sum += rtc->cmos[i];
	rtc->cmos[0x2e] = sum >> 8;
	rtc->cmos[0x2f] = sum;
}

void rtc_create(struct machine *machine)
{
	struct rtc *rtc = machine_alloc(machine, sizeof(*rtc));

	rtc->machine = machine;
	rtc->base_seconds = START_SECONDS;
	rtc->running = true;
	rtc->cmos[REG_A] = A_DIVIDER_RUNS | 6; /* 1024 Hz, as firmware leaves it */
	rtc->cmos[REG_B] = B_24H;
	rtc->interrupt = (struct event){ .fire = interrupt_fire, .opaque = rtc };
	cmos_fill(rtc);
	rtc->ports = (struct region){ .base = 0x70, .length = 2, .max_size = 1, .read = port_read,
				      .write = port_write, .opaque = rtc };
	machine_add_ports(machine, &rtc->ports);
}
