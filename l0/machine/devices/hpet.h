/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The high precision event timer: three comparators on one 64-bit counter of 100 MHz.
 */
#ifndef L0_MACHINE_DEVICES_HPET_H
#define L0_MACHINE_DEVICES_HPET_H

#include <stdint.h>

#define HPET_BASE UINT64_C(0xfed00000)
#define HPET_LENGTH 0x400
#define HPET_TIMERS 3
/* Low half of the capabilities register, as the ACPI table repeats it: vendor, legacy replacement,
 * 64-bit counter, last timer, revision. */
#define HPET_CAPABILITIES (UINT32_C(0x8086a001) | (HPET_TIMERS - 1) << 8)
#define HPET_HZ UINT64_C(100000000)

struct machine;

void hpet_create(struct machine *machine);

#endif
