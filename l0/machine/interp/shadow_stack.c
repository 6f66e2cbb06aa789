/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What control transfers do to shadow stacks, SDM 1 "Shadow Stacks", SDM 2 the pages of CALL, RET,
 * INT n and IRET. Token and frame of a switch lie in one aligned region of 32 bytes, so that
 * nothing faults between the two: here no shadow stack becomes prematurely busy.
 */
#include "l0/machine/interp/canonical.h"
#include "l0/machine/interp/cet.h"

#define BUSY UINT64_C(1)
#define FRAME 24u /* CS, linear return address, SSP */
#define REGION (~UINT64_C(31))

/* ---- near ---- */

static unsigned entry_size(unsigned opsize)
{
	return opsize == 8 ? 8 : 4;
}

void cet_near_call(struct cpu *cpu, unsigned opsize, uint64_t value)
{
	unsigned size = entry_size(opsize);

	lin_write(cpu, cpu->cet.ssp - size, size, value, cet_access(cpu->cpl));
	cpu->cet.ssp -= size;
}

void cet_near_return(struct cpu *cpu, unsigned opsize, uint64_t target)
{
	unsigned size = entry_size(opsize);

	if (lin_read(cpu, cpu->cet.ssp, size, cet_access(cpu->cpl)) != target)
		cpu_fault_code(cpu, VECTOR_CP, CP_NEAR_RET);
	cpu->cet.ssp += size;
}

/* ---- tokens ---- */

bool cet_exchange_token(struct cpu *cpu, uint64_t at, uint64_t expected, uint64_t token,
			unsigned access)
{
	lin_probe(cpu, at, 8, access | MEM_WRITE);
	if (lin_read(cpu, at, 8, access) != expected)
		return false;
	lin_write(cpu, at, 8, token, access);
	return true;
}

static void set_busy(struct cpu *cpu, const struct cet_call *call, unsigned access)
{
	uint64_t ssp = call->ssp;

	if ((ssp & 7) || ((ssp ^ (ssp - FRAME)) & REGION) || (!call->code64 && ssp >> 32) ||
	    !cet_exchange_token(cpu, ssp, ssp, ssp | BUSY, access))
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

/* ---- calls and events ---- */

static uint64_t push_frame(struct cpu *cpu, uint64_t ssp, uint64_t lip, unsigned access)
{
	uint64_t top = ssp & ~UINT64_C(7);

	lin_probe(cpu, top - FRAME, FRAME, access | MEM_WRITE);
	lin_write(cpu, ssp - 4, 4, 0, access);
	lin_write(cpu, top - 8, 8, cpu->seg[SEG_CS].selector, access);
	lin_write(cpu, top - 16, 8, lip, access);
	lin_write(cpu, top - 24, 8, cpu->cet.ssp, access);
	return top - FRAME;
}

/* A switch from privilege 3 leaves nothing on the new shadow stack, nor does one from virtual-8086
 * mode. */
uint64_t cet_call(struct cpu *cpu, const struct cet_call *call)
{
	unsigned access = cet_access(call->cpl), old_dpl;

	if (!cet_set(cpu, call->cpl, CET_SH_STK_EN))
		return cpu->cet.ssp;
	if (!call->switches) {
		cet_check_legacy(cpu, call->code64);
		return push_frame(cpu, cpu->cet.ssp, call->lip, access);
	}
	set_busy(cpu, call, access);
	old_dpl = (cpu->seg[SEG_SS].ar & AR_DPL) >> AR_DPL_SHIFT;
	if (call->cpl != cpu->cpl && (old_dpl == 3 || cpu_vm86(cpu)))
		return call->ssp;
	return push_frame(cpu, call->ssp, call->lip, access);
}

/* In IA-32e mode bits that a linear address has not get the value of the highest it has. */
void cet_leave_user(struct cpu *cpu)
{
	unsigned unused = cpu->profile->caps.cr4_valid & CR4_LA57 ? 64 - 57 : 64 - 48;
	uint64_t ssp = cpu->cet.ssp;

	if (cpu_long_mode(cpu))
		ssp = (uint64_t)((int64_t)(ssp << unused) >> unused);
	cpu->cet.pl3_ssp = ssp;
}

void cet_check_legacy(struct cpu *cpu, bool code64)
{
	if (!code64 && cpu->cet.ssp >> 32)
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

/* ---- returns ---- */

static void check_aligned(struct cpu *cpu)
{
	if (cpu->cet.ssp & 7)
		cpu_fault_code(cpu, VECTOR_CP, CP_FAR_RET_IRET);
}

/* The SSP of the frame, once its CS and address are those that are returned to. */
static uint64_t pop_frame(struct cpu *cpu, const struct cet_return *ret)
{
	unsigned access = cet_access(cpu->cpl);
	uint64_t at = cpu->cet.ssp, ssp = lin_read(cpu, at, 8, access);

	if (lin_read(cpu, at + 16, 8, access) != ret->selector ||
	    lin_read(cpu, at + 8, 8, access) != ret->lip || (ssp & 3))
		cpu_fault_code(cpu, VECTOR_CP, CP_FAR_RET_IRET);
	return ssp;
}

static void check_ssp(struct cpu *cpu, uint64_t ssp, bool code64)
{
	if (code64 ? !cpu_canonical(cpu, ssp) : ssp >> 32)
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

static void free_token(struct cpu *cpu, uint64_t at)
{
	(void)cet_exchange_token(cpu, at, at | BUSY, at, cet_access(cpu->cpl));
}

/* IRET in IA-32e mode has changed stacks if it does not go on where the frame was: an IST. */
static uint64_t return_same(struct cpu *cpu, const struct cet_return *ret)
{
	uint64_t ssp, above = cpu->cet.ssp + FRAME;

	check_aligned(cpu);
	ssp = pop_frame(cpu, ret);
	check_ssp(cpu, ssp, ret->code64);
	if (ret->iret && cpu_long_mode(cpu) && ssp != above)
		free_token(cpu, above);
	return ssp;
}

static uint64_t return_outer(struct cpu *cpu, const struct cet_return *ret)
{
	bool from = cet_shadow_stack(cpu), to = cet_set(cpu, ret->cpl, CET_SH_STK_EN);
	uint64_t old = cpu->cet.ssp, ssp = ret->cpl == 3 ? cpu->cet.pl3_ssp : old;

	if (from)
		check_aligned(cpu);
	if (from && ret->cpl != 3) {
		ssp = pop_frame(cpu, ret);
		old += FRAME;
	}
	if (to)
		check_ssp(cpu, ssp, ret->code64);
	if (from)
		free_token(cpu, old);
	return to ? ssp : cpu->cet.ssp;
}

uint64_t cet_return(struct cpu *cpu, const struct cet_return *ret)
{
	if (ret->cpl != cpu->cpl)
		return return_outer(cpu, ret);
	return cet_shadow_stack(cpu) ? return_same(cpu, ret) : cpu->cet.ssp;
}

void cet_return_vm86(struct cpu *cpu)
{
	if ((cpu->cr4 & CR4_CET) && (cpu->cet.u_cet & (CET_SH_STK_EN | CET_ENDBR_EN)))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (!cet_shadow_stack(cpu))
		return;
	check_aligned(cpu);
	free_token(cpu, cpu->cet.ssp);
}
