/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The registers of last-branch recording, SDM 3B "LBR Stack", "Filtering of Last Branch Records".
 * As many as the profile has records; those with INFO registers have them for every record.
 *
 *   MSR_LBR_INFO_x  62 from within a transaction | 61 an abort | 15:0 cycles since the previous
 *                   record, saturating; nothing here mispredicts
 */
#include "l0/machine/interp/branch.h"

#include "l0/machine/interp/canonical.h"

#define LBR_SELECT_WRITABLE UINT64_C(0x1ff)

static uint64_t *slot(struct cpu *cpu, uint32_t msr)
{
	unsigned depth = cpu->profile->lbr_depth;

	if (msr - MSR_LBR_FROM_0 < depth)
		return &cpu->lbr.from[msr - MSR_LBR_FROM_0];
	if (msr - MSR_LBR_TO_0 < depth)
		return &cpu->lbr.to[msr - MSR_LBR_TO_0];
	if (msr - MSR_LBR_INFO_0 < depth && cpu->profile->lbr_depth == LBR_MAX)
		return &cpu->lbr.info[msr - MSR_LBR_INFO_0];
	if (msr == MSR_LBR_SELECT && depth)
		return &cpu->lbr.select;
	return msr == MSR_LBR_TOS && depth ? &cpu->lbr.tos : NULL;
}

bool branch_msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	const uint64_t *at = slot(cpu, msr);

	if (at)
		*value = *at;
	return at;
}

static bool valid(const struct cpu *cpu, uint32_t msr, uint64_t value)
{
	if (msr == MSR_LBR_SELECT)
		return !(value & ~LBR_SELECT_WRITABLE);
	if (msr == MSR_LBR_TOS)
		return value < cpu->profile->lbr_depth;
	return msr - MSR_LBR_INFO_0 < LBR_MAX || cpu_canonical_register(cpu, value);
}

bool branch_msr_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	uint64_t *at = slot(cpu, msr);

	if (!at || !valid(cpu, msr, value))
		return false;
	*at = value;
	return true;
}
