/* SPDX-License-Identifier: BSD-2-Clause
 *
 * State of the MC146818, shared by rtc.c (registers, flags, IRQ 8) and rtc_time.c; nobody else
 * includes it.
 *
 *   A  7 UIP  6:4 divider (010 runs, 11x holds)  3:0 rate
 *   B  7 SET  6 PIE  5 AIE  4 UIE  3 SQWE  2 DM (binary)  1 24 h  0 DSE
 *   C  7 IRQF 6 PF   5 AF   4 UF           cleared by reading
 *   D  7 VRT
 */
#ifndef L0_MACHINE_DEVICES_RTC_STATE_H
#define L0_MACHINE_DEVICES_RTC_STATE_H

#include "l0/machine/machine.h"

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

/* Whole seconds that the clock has counted since base_cycles. */
uint64_t rtc_seconds_run(const struct rtc *rtc, uint64_t now);
/* The time of day into the registers, where a program reads and changes it. */
void rtc_registers_fill(struct rtc *rtc, uint64_t now);
/* The registers are the time of day from `now` on; the fraction of the second goes on. */
void rtc_registers_take(struct rtc *rtc, uint64_t now);
/* Number of the second, counted from base_cycles, of the first alarm after second `from`; 0:
 * never. */
uint64_t rtc_next_alarm(const struct rtc *rtc, uint64_t from);

#endif
