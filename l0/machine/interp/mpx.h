/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory protection extensions, SDM 1 "Intel Memory Protection Extensions". While they are on and a
 * bound register holds anything, near branches without the BND prefix are general forms, which
 * clear the bound registers (MODE_BOUNDS); otherwise all of it costs nothing.
 *
 *   BNDCFGU, IA32_BNDCFGS   63:12 bound directory | 1 BNDPRESERVE | 0 EN
 *   BNDSTATUS               63:2 address of a bound-directory entry | 1:0 error code
 */
#ifndef L0_MACHINE_INTERP_MPX_H
#define L0_MACHINE_INTERP_MPX_H

#include "l0/machine/interp/op.h"
#include "l0/machine/interp/xstate.h"

enum bndstatus { BNDSTATUS_VIOLATION = 1, BNDSTATUS_INVALID_ENTRY };

static inline uint64_t mpx_config(const struct cpu *cpu)
{
	return cpu->cpl == 3 ? cpu->mpx.cfgu : cpu->msrs.bndcfgs;
}

/* At the current privilege; in every mode. */
static inline bool mpx_enabled(const struct cpu *cpu)
{
	return (mpx_config(cpu) & BNDCFG_EN) && (cpu->cr4 & CR4_OSXSAVE) &&
	       !(~cpu->xcr0 & XSTATE_MPX);
}

/* Would a near branch without BND change a bound register? */
bool mpx_branches_clear(const struct cpu *cpu);
/* Such a branch, all that may fault behind it, clears them; SDM 1 "CALL, RET, JMP and All Jcc". */
void mpx_clear_bounds(struct cpu *cpu);
/* BOUND is about to raise #BR. */
void mpx_bound_fails(struct cpu *cpu);
/* BNDCFGU has been restored: reserved bits are ignored, the address is sign-extended. */
void mpx_restored(struct cpu *cpu);

/* IA32_BNDCFGS, for msrs.def. */
bool read_bndcfgs(struct cpu *cpu, uint64_t *value);
bool write_bndcfgs(struct cpu *cpu, uint64_t value);

#endif
