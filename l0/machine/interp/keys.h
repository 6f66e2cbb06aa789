/* SPDX-License-Identifier: BSD-2-Clause
 *
 * IA32_PKRS, a row of msrs.def; the rest of protection keys is in mmu.h and insns.h.
 */
#ifndef L0_MACHINE_INTERP_KEYS_H
#define L0_MACHINE_INTERP_KEYS_H

#include "l0/machine/interp/cpu.h"

bool read_pkrs(struct cpu *cpu, uint64_t *value);
bool write_pkrs(struct cpu *cpu, uint64_t value);

#endif
