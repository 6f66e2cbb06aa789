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

/* SDM 3A "Linear-Address Masking": what a data access of 64-bit code makes of a pointer. Bit 63 says
 * whose rules apply; the highest bit that is part of the address must equal it. What comes back for
 * a pointer that breaks the rules is not canonical. */
static inline uint64_t cpu_lam(const struct cpu *cpu, uint64_t pointer)
{
	bool supervisor = pointer >> 63;
	unsigned width = 0;
	uint64_t tag;

	if (supervisor && (cpu->cr4 & CR4_LAM_SUP))
		width = cpu->cr4 & CR4_LA57 ? 57 : 48;
	else if (!supervisor && (cpu->cr3 & CR3_LAM_U57))
		width = 57;
	else if (!supervisor && (cpu->cr3 & CR3_LAM_U48))
		width = 48;
	if (!width)
		return pointer;
	tag = (BIT64(63) - 1) & ~(BIT64(width) - 1);
	pointer = supervisor ? pointer | tag : pointer & ~tag;
	return (pointer >> (width - 1) & 1) == supervisor ? pointer : pointer ^ BIT64(62);
}

#endif
