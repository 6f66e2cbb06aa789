/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The I/O APIC: 24 pins at 0xfec00000.
 */
#ifndef L0_MACHINE_DEVICES_IOAPIC_H
#define L0_MACHINE_DEVICES_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define IOAPIC_BASE UINT64_C(0xfec00000)
#define IOAPIC_PINS 24

struct ioapic;
struct machine;

struct ioapic *ioapic_create(struct machine *machine);
void ioapic_set_pin(struct ioapic *ioapic, unsigned pin, bool level);
/* EOI message for `vector` from the local APIC: clears Remote IRR; a line still high sends
 * again. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

#endif
