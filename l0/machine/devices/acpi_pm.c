/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ACPI power-management block: PM1a event and control registers, PM timer (24 bits, 3.579545 MHz),
 * power-off. ACPI Specification "PM1 Event Grouping", "PM1 Control Grouping", "Power Management
 * Timer".
 *
 *   PM1_STS  15 WAK  10 RTC  9 SLPBTN  8 PWRBTN  5 GBL  4 BM  0 TMR     write 1 to clear
 *   PM1_EN           10 RTC  9 SLPBTN  8 PWRBTN  5 GBL        0 TMR
 *   PM1_CNT  13 SLP_EN (WO)  12:10 SLP_TYP  2 GBL_RLS (WO)  1 BM_RLD  0 SCI_EN
 */
#include "l0/machine/clock.h"
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define PM1_TMR 0x0001
#define PM1_EN_WRITABLE 0x0721
#define CNT_SCI_EN 0x0001
#define CNT_SLP_TYP 0x1c00
#define CNT_SLP_TYP_SHIFT 10
#define CNT_SLP_EN 0x2000
#define CNT_WRITABLE (CNT_SLP_TYP | 2)
/* "TMR_STS ... set any time the most significant bit of the timer changes". */
#define TIMER_HALF (UINT64_C(1) << 23)
#define TIMER_MASK (2 * TIMER_HALF - 1)

struct acpi_pm {
	struct machine *machine;
	struct region ports, timer_port;
	struct event overflow;
	uint16_t enable, control;
	uint64_t halves_seen; /* changes of the top bit before TMR_STS was last cleared */
};

static uint64_t timer_ticks(struct acpi_pm *pm)
{
	return clock_ticks(machine_now(pm->machine), PM_TIMER_HZ);
}

static uint16_t pm_status(struct acpi_pm *pm)
{
	return timer_ticks(pm) / TIMER_HALF != pm->halves_seen ? PM1_TMR : 0;
}

static void pm_update(struct acpi_pm *pm)
{
	bool sci = pm_status(pm) & pm->enable;

	irq_set(pm->machine, SCI_IRQ, sci);
	if (pm->enable & PM1_TMR && !sci)
		machine_schedule(pm->machine, &pm->overflow,
				 clock_cycles((pm->halves_seen + 1) * TIMER_HALF, PM_TIMER_HZ));
	else
		machine_cancel(pm->machine, &pm->overflow);
}

static void overflow_fire(void *opaque)
{
	pm_update(opaque);
}

static void control_write(struct acpi_pm *pm, uint16_t value)
{
	pm->control = value & CNT_WRITABLE;
	if (!(value & CNT_SLP_EN))
		return;
	/* Of the sleep states only S5 exists; a guest that asks for another goes on at once. */
	if ((value & CNT_SLP_TYP) >> CNT_SLP_TYP_SHIFT == SLP_TYP_S5)
		machine_stop(pm->machine, STOP_POWER_OFF, 0);
}

/* The three 16-bit registers, byte by byte: any access width works. */
static uint64_t pm_read(void *opaque, uint64_t offset, unsigned size)
{
	struct acpi_pm *pm = opaque;
	/* No SMI command port: the machine is in ACPI mode always. */
	uint16_t registers[] = { pm_status(pm), pm->enable, pm->control | CNT_SCI_EN };

	return (uint8_t)(registers[offset / 2] >> 8 * (offset % 2));
}

static void pm_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = opaque;
	unsigned shift = 8 * (offset % 2);
	uint16_t mask = 0xff << shift, word = value << shift & mask;

	switch (offset / 2) {
	case 0:
		if (word & PM1_TMR)
			pm->halves_seen = timer_ticks(pm) / TIMER_HALF;
		break;
	case 1:
		pm->enable = ((pm->enable & ~mask) | word) & PM1_EN_WRITABLE;
		break;
	case 2:
		control_write(pm, (pm->control & ~mask) | word);
		break;
	}
	pm_update(pm);
}

static uint64_t timer_read(void *opaque, uint64_t offset, unsigned size)
{
	return (timer_ticks(opaque) & TIMER_MASK) >> 8 * offset;
}

void acpi_pm_create(struct machine *machine)
{
	struct acpi_pm *pm = machine_alloc(machine, sizeof(*pm));

	pm->machine = machine;
	pm->overflow = (struct event){ .fire = overflow_fire, .opaque = pm };
	pm->ports = (struct region){ .base = PM1A_EVENT_PORT, .length = 6, .max_size = 1,
				     .read = pm_read, .write = pm_write, .opaque = pm };
	pm->timer_port = (struct region){ .base = PM_TIMER_PORT, .length = 4, .max_size = 4,
					  .read = timer_read, .opaque = pm };
	machine_add_ports(machine, &pm->ports);
	machine_add_ports(machine, &pm->timer_port);
}
