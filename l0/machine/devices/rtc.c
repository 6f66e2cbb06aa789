/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MC146818 real-time clock and CMOS memory; register facts from the Motorola data sheet. The clock
 * starts at 2020-01-01 00:00:00 in every run, so that a run can be repeated. Nothing ticks: time and
 * flags are computed when read; an event is queued only for an enabled interrupt.
 *
 *   A  7 UIP  6:4 divider (010 runs, 11x holds)  3:0 rate
 *   B  7 SET  6 PIE  5 AIE  4 UIE  3 SQWE  2 DM (binary)  1 24 h  0 DSE
 *   C  7 IRQF 6 PF   5 AF   4 UF           cleared by reading
 *   D  7 VRT
 */
#include "l0/machine/clock.h"
#include "l0/machine/devices/calendar.h"
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define START_SECONDS INT64_C(1577836800) /* 2020-01-01 00:00:00 */
#define RTC_HZ UINT64_C(32768)
#define RTC_IRQ 8
/* UIP is set from 244 us before an update cycle of 1984 us to its end. */
#define UIP_CYCLES (MACHINE_HZ / 1000000 * (244 + 1984))
#define DAY 86400

enum { REG_SECOND, REG_SECOND_ALARM, REG_MINUTE, REG_MINUTE_ALARM, REG_HOUR, REG_HOUR_ALARM,
       REG_WEEKDAY, REG_DAY, REG_MONTH, REG_YEAR, REG_A, REG_B, REG_C, REG_D, REG_CENTURY = 0x32 };
#define A_UIP 0x80
#define A_DIVIDER 0x70
#define A_DIVIDER_RUNS 0x20
#define A_DIVIDER_HOLDS 0x60
#define B_SET 0x80
#define B_BINARY 0x04
#define B_24H 0x02
#define C_IRQF 0x80
#define C_PF 0x40
#define C_AF 0x20
#define C_UF 0x10
#define D_VRT 0x80
#define HOUR_PM 0x80
#define ALARM_ANY 0xc0

struct rtc {
	struct machine *machine;
	struct region ports;
	struct event interrupt;
	uint8_t index;
	uint8_t cmos[128];
	int64_t base_seconds; /* time of day at base_cycles, or always while stopped */
	int64_t base_cycles; /* may lie before time 0; the fraction of a second while stopped */
	bool running;
	uint8_t flags;             /* of register C, settled up to `settled` */
	uint64_t settled;          /* cycles */
};

static uint8_t to_register(const struct rtc *rtc, unsigned value)
{
	return rtc->cmos[REG_B] & B_BINARY ? value : value / 10 % 10 << 4 | value % 10;
}

static unsigned from_register(const struct rtc *rtc, uint8_t value)
{
	return rtc->cmos[REG_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static uint8_t hour_to_register(const struct rtc *rtc, unsigned hour)
{
	if (rtc->cmos[REG_B] & B_24H)
		return to_register(rtc, hour);
	return to_register(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned hour_from_register(const struct rtc *rtc, uint8_t value)
{
	if (rtc->cmos[REG_B] & B_24H)
		return from_register(rtc, value);
	return from_register(rtc, value & ~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

/* Whole seconds that the clock has counted since base_cycles. */
static uint64_t seconds_run(const struct rtc *rtc, uint64_t now)
{
	return rtc->running ? ((int64_t)now - rtc->base_cycles) / (int64_t)MACHINE_HZ : 0;
}

/* The time of day into the registers, where a program reads and changes it. */
static void registers_fill(struct rtc *rtc, uint64_t now)
{
	struct calendar c = calendar_from_seconds(rtc->base_seconds + seconds_run(rtc, now));

	rtc->cmos[REG_SECOND] = to_register(rtc, c.second);
	rtc->cmos[REG_MINUTE] = to_register(rtc, c.minute);
	rtc->cmos[REG_HOUR] = hour_to_register(rtc, c.hour);
	rtc->cmos[REG_WEEKDAY] = to_register(rtc, c.weekday);
	rtc->cmos[REG_DAY] = to_register(rtc, c.day);
	rtc->cmos[REG_MONTH] = to_register(rtc, c.month);
	rtc->cmos[REG_YEAR] = to_register(rtc, c.year % 100);
	rtc->cmos[REG_CENTURY] = to_register(rtc, c.year / 100);
}

/* The registers are the time of day from `now` on; the fraction of the second goes on. */
static void registers_take(struct rtc *rtc, uint64_t now)
{
	struct calendar c = {
		.year = from_register(rtc, rtc->cmos[REG_CENTURY]) * 100 +
			from_register(rtc, rtc->cmos[REG_YEAR]),
		.month = from_register(rtc, rtc->cmos[REG_MONTH]),
		.day = from_register(rtc, rtc->cmos[REG_DAY]),
		.hour = hour_from_register(rtc, rtc->cmos[REG_HOUR]),
		.minute = from_register(rtc, rtc->cmos[REG_MINUTE]),
		.second = from_register(rtc, rtc->cmos[REG_SECOND]),
	};

	rtc->base_cycles += seconds_run(rtc, now) * MACHINE_HZ;
	rtc->base_seconds = calendar_to_seconds(&c);
}

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

static bool alarm_field_matches(uint8_t alarm, unsigned wanted, unsigned value)
{
	return (alarm & ALARM_ANY) == ALARM_ANY || wanted == value;
}

static bool alarm_matches(const struct rtc *rtc, int64_t seconds)
{
	const uint8_t *cmos = rtc->cmos;
	unsigned s = (seconds % DAY + DAY) % DAY;

	return alarm_field_matches(cmos[REG_SECOND_ALARM],
				   from_register(rtc, cmos[REG_SECOND_ALARM]), s % 60) &&
	       alarm_field_matches(cmos[REG_MINUTE_ALARM],
				   from_register(rtc, cmos[REG_MINUTE_ALARM]), s / 60 % 60) &&
	       alarm_field_matches(cmos[REG_HOUR_ALARM],
				   hour_from_register(rtc, cmos[REG_HOUR_ALARM]), s / 3600);
}

/* Number of the second, counted from base_cycles, of the first alarm after second `from`; 0: never. */
static uint64_t next_alarm(const struct rtc *rtc, uint64_t from)
{
	for (uint64_t n = from + 1; n <= from + DAY; n++)
		if (alarm_matches(rtc, rtc->base_seconds + n))
			return n;
	return 0;
}

/* Brings register C up to date. */
static void flags_settle(struct rtc *rtc, uint64_t now)
{
	uint64_t clocks = periodic_clocks(rtc);
	uint64_t before = seconds_run(rtc, rtc->settled), after = seconds_run(rtc, now);

	if (clocks && clock_ticks(now, RTC_HZ) / clocks != clock_ticks(rtc->settled, RTC_HZ) / clocks)
		rtc->flags |= C_PF;
	if (after != before) {
		uint64_t alarm = next_alarm(rtc, before);

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
	uint64_t clocks = periodic_clocks(rtc), second = seconds_run(rtc, now), alarm;
	uint64_t when = EVENT_NEVER;

	if (wanted & C_PF && clocks)
		when = clock_cycles((clock_ticks(now, RTC_HZ) / clocks + 1) * clocks, RTC_HZ);
	if (wanted & C_UF && rtc->running)
		when = earlier(when, rtc->base_cycles + (second + 1) * MACHINE_HZ);
	if (wanted & C_AF && rtc->running && (alarm = next_alarm(rtc, second)))
		when = earlier(when, rtc->base_cycles + alarm * MACHINE_HZ);
	return when;
}

/* IRQ 8 and the event that will change it. PIE, AIE, UIE sit at the bits of PF, AF, UF. */
static void rtc_update(struct rtc *rtc, uint64_t now)
{
	uint64_t when = next_interrupt(rtc, now);

	irq_set(rtc->machine, RTC_IRQ, rtc->flags & rtc->cmos[REG_B] & (C_PF | C_AF | C_UF));
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
		registers_fill(rtc, now);
		rtc->base_seconds += seconds_run(rtc, now);
		rtc->base_cycles = (now - rtc->base_cycles) % MACHINE_HZ;
		rtc->running = false;
		return;
	}
	int64_t fraction = divider_released ? (int64_t)MACHINE_HZ / 2 : rtc->base_cycles;
	registers_take(rtc, now);
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
			registers_fill(rtc, now);
		rtc->cmos[REG_B] = value & B_SET ? value & ~C_UF : value; /* SET clears UIE */
	}
	clock_gate(rtc, now, held);
}

static uint8_t rtc_read(struct rtc *rtc, uint64_t now)
{
	uint64_t left;
	uint8_t value;

	if (is_time_register(rtc->index) && rtc->running)
		registers_fill(rtc, now);
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
			registers_fill(rtc, now);
		rtc->cmos[index] = value;
		if (rtc->running)
			registers_take(rtc, now);
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
