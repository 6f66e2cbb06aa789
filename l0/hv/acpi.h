/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The two things that the hypervisor wants of ACPI: which port powers the machine off, and to do
 * so.
 */
#ifndef L0_HV_ACPI_H
#define L0_HV_ACPI_H

#include <stdint.h>

/* PM1a control port from the FADT, 0: no ACPI. Looked up at the first call. */
uint16_t acpi_pm1a_control(void);
/* Returns if it did not work. */
void acpi_power_off(void);

#endif
