/* SPDX-License-Identifier: BSD-2-Clause
 *
 * As much ACPI as switching off takes.
 */
#ifndef L1_LIB_ACPI_H
#define L1_LIB_ACPI_H

/* Enters S5. Returns if the tables do not say how, or if nothing happens. */
void acpi_power_off(void);

#endif
