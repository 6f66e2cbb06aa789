/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Time of day and alarm of the MC146818: register formats (BCD or binary, 12 or 24 hours) to
 * seconds and back.
 */
#include "l0/machine/devices/calendar.h"
#include "l0/machine/devices/rtc_state.h"

#define DAY 86400
#define HOUR_PM 0x80
#define ALARM_ANY 0xc0 /* both bits set: matches every value */

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

uint64_t rtc_seconds_run(const struct rtc *rtc, uint64_t now)
{
	return rtc->running ? ((int64_t)now - rtc->base_cycles) / (int64_t)MACHINE_HZ : 0;
}

void rtc_registers_fill(struct rtc *rtc, uint64_t now)
{
	struct calendar c = calendar_from_seconds(rtc->base_seconds + rtc_seconds_run(rtc, now));

	rtc->cmos[REG_SECOND] = to_register(rtc, c.second);
	rtc->cmos[REG_MINUTE] = to_register(rtc, c.minute);
	rtc->cmos[REG_HOUR] = hour_to_register(rtc, c.hour);
	rtc->cmos[REG_WEEKDAY] = to_register(rtc, c.weekday);
	rtc->cmos[REG_DAY] = to_register(rtc, c.day);
	rtc->cmos[REG_MONTH] = to_register(rtc, c.month);
	rtc->cmos[REG_YEAR] = to_register(rtc, c.year % 100);
	rtc->cmos[REG_CENTURY] = to_register(rtc, c.year / 100);
}

void rtc_registers_take(struct rtc *rtc, uint64_t now)
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

	rtc->base_cycles += rtc_seconds_run(rtc, now) * MACHINE_HZ;
	rtc->base_seconds = calendar_to_seconds(&c);
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

uint64_t rtc_next_alarm(const struct rtc *rtc, uint64_t from)
{
	for (uint64_t n = from + 1; n <= from + DAY; n++)
		if (alarm_matches(rtc, rtc->base_seconds + n))
			return n;
	return 0;
}
