/* SPDX-License-Identifier: BSD-2-Clause
 *
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT: transfers to fixed flat segments without descriptors. SDM 2B,
 * the instructions' pages.
 */
#include "l0/machine/interp/cet.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/sys.h"

#define SYSRET_FLAGS UINT64_C(0x3c7fd7)

/* The single-step trap after SYSCALL and SYSRET depends on TF as they leave it. */
static void step_by_new_flags(struct cpu *cpu)
{
	cpu->seen.step = UINT64_MAX;
	if (!(cpu->eflags_rest & RFLAGS_TF))
		return;
	cpu->pending_debug |= DR6_BS;
	cpu->attention = true;
}

/* The handler has no shadow stack until it sets one: SETSSBSY. */
static void leave_shadow_stack(struct cpu *cpu)
{
	if (cet_shadow_stack(cpu))
		cet_leave_user(cpu);
	if (cet_set(cpu, 0, CET_SH_STK_EN))
		cpu->cet.ssp = 0;
}

static void enter_shadow_stack(struct cpu *cpu)
{
	if (cet_shadow_stack(cpu))
		cpu->cet.ssp = cpu->cet.pl3_ssp;
}

void insn_syscall(struct cpu *cpu, const struct op *op)
{
	uint16_t selector = (uint16_t)(cpu->msrs.star >> 32) & ~SELECTOR_RPL;
	uint64_t rflags = cpu_rflags(cpu) & ~RFLAGS_RF;

	if (!cpu_code64(cpu) || !(cpu->efer & EFER_SCE))
		cpu_fault(cpu, VECTOR_UD);
	leave_shadow_stack(cpu);
	cpu->gpr[REG_RCX] = cpu->next_rip;
	cpu->gpr[REG_R11] = rflags;
	cpu->next_rip = cpu->msrs.lstar;
	flags_load(cpu, rflags & ~cpu->msrs.fmask, UINT64_MAX);
	seg_set_flat_code(cpu, selector, 0, true);
	seg_set_flat_stack(cpu, selector + 8, 0);
	if ((rflags & RFLAGS_TF))
		step_by_new_flags(cpu);
	cet_track_far(cpu);
	cpu_mode_recheck(cpu);
}

void insn_sysret(struct cpu *cpu, const struct op *op)
{
	uint16_t selector = (uint16_t)(cpu->msrs.star >> 48);
	bool code64 = op->opsize == 8;

	if (!cpu_code64(cpu) || !(cpu->efer & EFER_SCE))
		cpu_fault(cpu, VECTOR_UD);
	require_cpl0(cpu);
	if (code64 && !cpu_canonical(cpu, cpu->gpr[REG_RCX]))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	cpu->next_rip = code64 ? cpu->gpr[REG_RCX] : (uint32_t)cpu->gpr[REG_RCX];
	flags_load(cpu, cpu->gpr[REG_R11] & SYSRET_FLAGS, ~UINT64_C(0));
	seg_set_flat_code(cpu, (selector + (code64 ? 16 : 0)) | 3, 3, code64);
	seg_set_flat_stack(cpu, (selector + 8) | 3, 3);
	enter_shadow_stack(cpu);
	step_by_new_flags(cpu);
	cpu_mode_recheck(cpu);
}

void insn_sysenter(struct cpu *cpu, const struct op *op)
{
	uint16_t selector = (uint16_t)cpu->msrs.sysenter_cs & ~SELECTOR_RPL;
	bool code64 = cpu_long_mode(cpu);

	if (!cpu_protected(cpu) || !selector)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	leave_shadow_stack(cpu);
	cpu->eflags_rest &= ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
	cpu->gpr[REG_RSP] = code64 ? cpu->msrs.sysenter_esp : (uint32_t)cpu->msrs.sysenter_esp;
	cpu->next_rip = code64 ? cpu->msrs.sysenter_eip : (uint32_t)cpu->msrs.sysenter_eip;
	seg_set_flat_code(cpu, selector, 0, code64);
	seg_set_flat_stack(cpu, selector + 8, 0);
	cet_track_far(cpu);
	cpu_mode_recheck(cpu);
}

void insn_sysexit(struct cpu *cpu, const struct op *op)
{
	uint16_t selector = (uint16_t)cpu->msrs.sysenter_cs & ~SELECTOR_RPL;
	uint64_t rip = cpu->gpr[REG_RDX], rsp = cpu->gpr[REG_RCX];
	bool code64 = op->opsize == 8;

	if (!cpu_protected(cpu) || !selector || cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (code64 && (!cpu_canonical(cpu, rip) || !cpu_canonical(cpu, rsp)))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	cpu->gpr[REG_RSP] = code64 ? rsp : (uint32_t)rsp;
	cpu->next_rip = code64 ? rip : (uint32_t)rip;
	seg_set_flat_code(cpu, (selector + (code64 ? 32 : 16)) | 3, 3, code64);
	seg_set_flat_stack(cpu, (selector + (code64 ? 40 : 24)) | 3, 3);
	enter_shadow_stack(cpu);
	cpu_mode_recheck(cpu);
}
