/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a run that ended badly looked like at its end, level by level: where everyone is and how
 * they got there, the VMCSs with their fields named, the last VM exits.
 */
#ifndef L0_MACHINE_DEBUG_REPORT_H
#define L0_MACHINE_DEBUG_REPORT_H

#include <stdbool.h>

struct machine;
struct symbols;

/* On stderr, if the run ended badly and `wanted` or stderr is a terminal. */
void report_end(const struct machine *machine, const struct symbols *symbols, bool wanted);

#endif
