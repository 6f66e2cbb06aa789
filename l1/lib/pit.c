/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 8254. Source: Intel 8254 data sheet, "Mode Definitions".
 */
#include "l1/lib/pit.h"

#include "l1/lib/cpu.h"

#define COUNTER0 0x40
#define CONTROL 0x43
#define LOW_THEN_HIGH 0x30
#define MODE(n) ((n) << 1)

static void start(uint8_t mode, uint16_t count)
{
	outb(CONTROL, LOW_THEN_HIGH | mode);
	outb(COUNTER0, (uint8_t)count);
	outb(COUNTER0, (uint8_t)(count >> 8));
}

void pit_start_periodic(uint16_t count)
{
	start(MODE(2), count);
}

void pit_start_once(uint16_t count)
{
	start(MODE(0), count);
}

void pit_stop(void)
{
	outb(CONTROL, LOW_THEN_HIGH | MODE(0));
}
