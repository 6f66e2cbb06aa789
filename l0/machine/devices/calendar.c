/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Calendar arithmetic by counting days from 1 March of year 0, where the leap day comes last.
 */
#include "l0/machine/devices/calendar.h"

#define DAY 86400
#define DAYS_TO_1970 719468 /* from 0000-03-01 */
#define DAYS_400_YEARS 146097

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days from 0000-03-01 to the first day of month `m` (0 = March) of year `y`. */
static int64_t days_before(int64_t y, int64_t m)
{
	int64_t leap_days = floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400);

	return 365 * y + leap_days + (153 * m + 2) / 5;
}

int64_t calendar_to_seconds(const struct calendar *calendar)
{
	int64_t month = (int64_t)calendar->month - 3;
	int64_t year = calendar->year + floor_div(month, 12);
	int64_t days = days_before(year, month - 12 * floor_div(month, 12)) +
		       (int64_t)calendar->day - 1 - DAYS_TO_1970;

	return days * DAY + calendar->hour * 3600 + calendar->minute * 60 + calendar->second;
}

struct calendar calendar_from_seconds(int64_t seconds)
{
	int64_t days = floor_div(seconds, DAY) + DAYS_TO_1970;
	unsigned rest = seconds - floor_div(seconds, DAY) * DAY;
	int64_t year = floor_div(days * 400, DAYS_400_YEARS), month = 11;

	while (days_before(year, 0) > days)
		year--;
	while (days_before(year + 1, 0) <= days)
		year++;
	while (days_before(year, month) > days)
		month--;
	return (struct calendar){
		.year = year + (month >= 10),
		.month = month >= 10 ? month - 9 : month + 3,
		.day = days - days_before(year, month) + 1,
		.hour = rest / 3600,
		.minute = rest / 60 % 60,
		.second = rest % 60,
		.weekday = ((days + 3) % 7 + 7) % 7 + 1, /* 0000-03-01 was a Wednesday */
	};
}
