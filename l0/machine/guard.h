/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guard: the hypervisor at the bottom tells the machine which memory is its own, and the
 * machine ends the run, saying so, if VMX non-root operation ever gets a translation to it. An
 * outside witness of the hypervisor's isolation; elsewhere the ports do nothing. Constants only: hv
 * includes this header too.
 *
 * OUT 32-bit of the first page's number to GUARD_PORT, then of the number of pages to GUARD_PORT
 * + 4. Only the first pair counts.
 */
#ifndef L0_MACHINE_GUARD_H
#define L0_MACHINE_GUARD_H

#define GUARD_PORT 0x0a90

#endif
