/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Canonical addresses, SDM 1 "Canonical Addressing": of 48 bits, or of 57 with 5-level paging. What
 * an instruction accesses or branches to is measured by the paging mode; what a register takes
 * (MSRs, segment and table bases, INVPCID and INVVPID descriptors) by what the part supports.
 */
#ifndef L0_MACHINE_INTERP_CANONICAL_H
#define L0_MACHINE_INTERP_CANONICAL_H

#include "l0/machine/interp/cpu.h"
#include "l0/machine/interp/profile.h"

static inline bool canonical_in(uint64_t address, bool la57)
{
	unsigned shift = la57 ? 64 - 57 : 64 - 48;

	return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

static inline bool cpu_canonical(const struct cpu *cpu, uint64_t address)
{
	return canonical_in(address, cpu->cr4 & CR4_LA57);
}

static inline bool cpu_canonical_register(const struct cpu *cpu, uint64_t address)
{
	return canonical_in(address, cpu->profile->caps.cr4_valid & CR4_LA57);
}

#endif
