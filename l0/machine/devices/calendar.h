/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Seconds since 1970-01-01 00:00:00 and the proleptic Gregorian calendar. No time zones, no leap
 * seconds.
 */
#ifndef L0_MACHINE_DEVICES_CALENDAR_H
#define L0_MACHINE_DEVICES_CALENDAR_H

#include <stdint.h>

struct calendar {
	int year;
	unsigned month, day; /* from 1 */
	unsigned hour, minute, second;
	unsigned weekday; /* 1 = Sunday, as the MC146818 has it */
};

struct calendar calendar_from_seconds(int64_t seconds);
/* Ignores weekday; fields out of range carry over. */
int64_t calendar_to_seconds(const struct calendar *calendar);

#endif
