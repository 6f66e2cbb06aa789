/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The control registers of CET, and what XRSTORS may load. The shadow-stack pointers are plain rows
 * of msrs.def.
 */
#include "l0/machine/interp/cet.h"

#include "l0/machine/interp/canonical.h"

#define SS_BITS (CET_SH_STK_EN | CET_WR_SHSTK_EN)
#define TRACKER_BITS (CET_SUPPRESS | CET_TRACKER)
#define SSP_RESERVED UINT64_C(3)

static bool has_cet(const struct cpu *cpu)
{
	return cpu_has(cpu->profile, CET_SS) || cpu_has(cpu->profile, CET_IBT);
}

static bool control_valid(const struct cpu *cpu, uint64_t value)
{
	uint64_t reserved = CET_RESERVED;

	if (!cpu_has(cpu->profile, CET_SS))
		reserved |= SS_BITS;
	if (!cpu_has(cpu->profile, CET_IBT))
		reserved = ~SS_BITS;
	return !(value & reserved) && (value & TRACKER_BITS) != TRACKER_BITS &&
	       cpu_canonical_register(cpu, value);
}

static bool read_control(const struct cpu *cpu, uint64_t control, uint64_t *value)
{
	*value = control;
	return has_cet(cpu);
}

static bool write_control(struct cpu *cpu, uint64_t *control, uint64_t value)
{
	if (!has_cet(cpu) || !control_valid(cpu, value))
		return false;
	*control = value;
	cpu_mode_changed(cpu);
	return true;
}

bool read_u_cet(struct cpu *cpu, uint64_t *value)
{
	return read_control(cpu, cpu->cet.u_cet, value);
}

bool write_u_cet(struct cpu *cpu, uint64_t value)
{
	return write_control(cpu, &cpu->cet.u_cet, value);
}

bool read_s_cet(struct cpu *cpu, uint64_t *value)
{
	return read_control(cpu, cpu->cet.s_cet, value);
}

bool write_s_cet(struct cpu *cpu, uint64_t value)
{
	return write_control(cpu, &cpu->cet.s_cet, value);
}

static bool ssp_valid(const struct cpu *cpu, uint64_t ssp)
{
	return !(ssp & SSP_RESERVED) && cpu_canonical_register(cpu, ssp);
}

bool cet_user_state_valid(const struct cpu *cpu, const uint64_t state[2])
{
	return control_valid(cpu, state[0]) && ssp_valid(cpu, state[1]);
}

bool cet_supervisor_state_valid(const struct cpu *cpu, const uint64_t state[3])
{
	return ssp_valid(cpu, state[0]) && ssp_valid(cpu, state[1]) && ssp_valid(cpu, state[2]);
}
