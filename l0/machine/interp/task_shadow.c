/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hardware task switches with CET. Tasks are those of 32-bit mode, so an SSP has 32 bits: in the
 * TSS behind the I/O map base, and in the frames.
 */
#include "l0/machine/interp/task_shadow.h"

#include "l0/machine/interp/cet.h"

#define BUSY UINT64_C(1)
#define FRAME 24u

static bool nested(const struct task_shadow *shadow)
{
	return shadow->source == TASK_SWITCH_CALL || shadow->source == TASK_SWITCH_GATE;
}

static void pop_frame(struct cpu *cpu, struct task_shadow *shadow)
{
	unsigned access = cet_access(cpu->cpl);
	uint64_t at = cpu->cet.ssp;

	shadow->ssp = lin_read(cpu, at, 8, access);
	shadow->lip = lin_read(cpu, at + 8, 8, access);
	shadow->cs = lin_read(cpu, at + 16, 8, access);
	shadow->verify = true;
	cpu->cet.ssp = at + FRAME;
}

void task_shadow_leave(struct cpu *cpu, struct task_shadow *shadow, uint64_t next_rip)
{
	if (!cet_shadow_stack(cpu))
		return;
	if (shadow->source == TASK_SWITCH_IRET) {
		if (shadow->cpl == cpu->cpl || shadow->cpl < 3)
			pop_frame(cpu, shadow);
		else
			shadow->ssp = cpu->cet.pl3_ssp;
		(void)cet_exchange_token(cpu, cpu->cet.ssp, cpu->cet.ssp | BUSY, cpu->cet.ssp,
					 cet_access(cpu->cpl));
		cpu->cet.ssp = 0;
	} else if (nested(shadow) && cpu->cpl == 3 && shadow->cpl < 3) {
		cet_leave_user(cpu);
	} else if (nested(shadow)) {
		shadow->push = true;
		shadow->old = cpu->cet.ssp;
		shadow->cs = cpu->seg[SEG_CS].selector;
		shadow->lip = (uint32_t)(cpu->seg[SEG_CS].base + next_rip);
	}
}

static void push_frame(struct cpu *cpu, const struct task_shadow *shadow)
{
	unsigned access = cet_access(cpu->cpl);

	lin_write(cpu, shadow->ssp - 8, 8, shadow->cs, access);
	lin_write(cpu, shadow->ssp - 16, 8, shadow->lip, access);
	lin_write(cpu, shadow->ssp - 24, 8, shadow->old, access);
	cpu->cet.ssp -= FRAME;
}

static void enter_new(struct cpu *cpu, const struct task_shadow *shadow)
{
	uint64_t ssp = shadow->ssp;

	if (ssp & 7)
		cpu_fault_code(cpu, VECTOR_TS, SELECTOR_ERROR(shadow->tss));
	if (!cet_exchange_token(cpu, ssp, ssp, ssp | BUSY, cet_access(cpu->cpl)))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	cpu->cet.ssp = ssp;
	if (shadow->push)
		push_frame(cpu, shadow);
}

static void enter_old(struct cpu *cpu, const struct task_shadow *shadow, uint64_t ip)
{
	const struct segment *cs = &cpu->seg[SEG_CS];

	if (shadow->verify &&
	    (shadow->cs != cs->selector || shadow->lip != (uint32_t)(cs->base + ip)))
		cpu_fault_code(cpu, VECTOR_CP, CP_FAR_RET_IRET);
	if (!cet_shadow_stack(cpu))
		return;
	if ((shadow->ssp & 3) || shadow->ssp >> 32)
		cpu_fault_code(cpu, VECTOR_CP, CP_FAR_RET_IRET);
	cpu->cet.ssp = shadow->ssp;
}

void task_shadow_enter(struct cpu *cpu, const struct task_shadow *shadow, uint64_t ip)
{
	if (!(cpu->cr4 & CR4_CET))
		return;
	if (cpu_vm86(cpu) && (cet_set(cpu, 3, CET_SH_STK_EN) || cet_set(cpu, 3, CET_ENDBR_EN)))
		cpu_fault_code(cpu, VECTOR_TS, SELECTOR_ERROR(shadow->tss));
	if (shadow->source == TASK_SWITCH_IRET) {
		enter_old(cpu, shadow, ip);
		return;
	}
	if (cet_shadow_stack(cpu))
		enter_new(cpu, shadow);
	cet_track_far(cpu);
}
