/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The small devices of the board, one creator each; the larger ones have headers of their own.
 */
#ifndef L0_MACHINE_DEVICES_PLATFORM_H
#define L0_MACHINE_DEVICES_PLATFORM_H

#include <stdint.h>

struct machine;

/* Ports of the ACPI power-management block and the interrupt it uses; the FADT repeats them. */
#define PM1A_EVENT_PORT 0x600
#define PM1A_CONTROL_PORT 0x604
#define PM_TIMER_PORT 0x608
#define PM_TIMER_HZ UINT64_C(3579545)
#define SCI_IRQ 9
#define SLP_TYP_S5 0
#define RESET_PORT 0xcf9
#define RESET_VALUE 0x06

void debug_ports_create(struct machine *machine); /* 0xf4 exit, 0xe9 console, 0x80 delay */
void reset_ports_create(struct machine *machine); /* 0xcf9, 0x92 */
void i8042_create(struct machine *machine);
void fpu_port_create(struct machine *machine); /* 0xf0: IRQ 13 */
void acpi_pm_create(struct machine *machine);
void pci_create(struct machine *machine);
void log_port_create(struct machine *machine);
void guard_port_create(struct machine *machine); /* l0/machine/guard.h */
void pit_create(struct machine *machine);
void rtc_create(struct machine *machine);
void fw_cfg_create(struct machine *machine); /* after RAM */

/* What a machine has only if asked for, with --device. */
void test_device_create(struct machine *machine);
void bios_timer_create(struct machine *machine); /* after firmware and CPU */
/* The creator of an optional device, NULL: there is none of that name. */
typedef void (*device_creator)(struct machine *machine);
device_creator device_find(const char *name);

#endif
