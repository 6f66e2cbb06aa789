/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MONITOR and MWAIT, UMONITOR, UMWAIT and TPAUSE, SDM 2B. With one processor nothing but an
 * interrupt handler stores to the monitored line while the processor waits, so the wait of MWAIT is
 * that of HLT; an event between the two instructions may have stored there and disarms the monitor.
 */
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/sys.h"

#define MWAIT_INTERRUPTS_BREAK BIT64(0) /* ECX: interrupts end the wait even if IF is 0 */

/* IA32_MISC_ENABLE takes them away with their CPUID flag. */
static void require_monitor(struct cpu *cpu)
{
	if (cpu->cpl || !(cpu->msrs.misc_enable & MISC_ENABLE_MONITOR))
		cpu_fault(cpu, VECTOR_UD);
}

void insn_monitor(struct cpu *cpu, const struct op *op)
{
	require_monitor(cpu);
	if (cpu->vmx->nonroot)
		vmx_intercept_insn(cpu, EXIT_REASON_MONITOR, 0);
	if (cpu->gpr[REG_RCX])
		cpu_fault_code(cpu, VECTOR_GP, 0);
	mem_read(cpu, op->seg, op_ea_add(op, cpu->gpr[REG_RAX], 0), 1);
	cpu->monitor_armed = true;
}

void cpu_wait_for_event(struct cpu *cpu, enum cpu_wait wait)
{
	cpu->activity = ACTIVITY_HLT;
	cpu->wait = wait;
	cpu->attention = true;
}

bool cpu_waits_for_interrupt(const struct cpu *cpu)
{
	return cpu->activity == ACTIVITY_HLT &&
	       ((cpu->eflags_rest & RFLAGS_IF) || cpu->wait == WAIT_MWAIT_MASKED);
}

void cpu_end_masked_wait(struct cpu *cpu)
{
	if (cpu->activity == ACTIVITY_HLT && cpu->wait == WAIT_MWAIT_MASKED)
		cpu->activity = ACTIVITY_ACTIVE;
}

/* An early end of the wait is always allowed: taken where no interrupt could wake. */
void insn_mwait(struct cpu *cpu, const struct op *op)
{
	bool masked = cpu->gpr[REG_RCX] & MWAIT_INTERRUPTS_BREAK;
	bool armed = cpu->monitor_armed;

	require_monitor(cpu);
	if (cpu->vmx->nonroot)
		vmx_intercept_insn(cpu, EXIT_REASON_MWAIT, armed);
	if (cpu->gpr[REG_RCX] & ~MWAIT_INTERRUPTS_BREAK)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	cpu->monitor_armed = false;
	if (armed && (masked || (cpu->eflags_rest & RFLAGS_IF)))
		cpu_wait_for_event(cpu, masked ? WAIT_MWAIT_MASKED : WAIT_MWAIT);
}

/* ---- at any privilege, for a time ---- */

void insn_umonitor(struct cpu *cpu, const struct op *op)
{
	uint64_t address = mask_to_size(cpu->gpr[op->rm], op->addrsize);

	if (cpu->vmx->nonroot && !(cpu->vmx->secondary & SECONDARY_ENABLE_USER_WAIT))
		cpu_fault(cpu, VECTOR_UD);
	mem_read(cpu, op->seg, address, 1);
	cpu->monitor_armed = true;
}

static uint64_t guest_tsc(const struct cpu *cpu)
{
	return vmx_guest_tsc(cpu, cpu_tsc(cpu));
}

/* Waits until the TSC reaches EDX:EAX, for no longer than IA32_UMWAIT_CONTROL allows (CF tells that
 * this was the end of it), and not beyond the next time at which anything may happen. */
static void wait_for_tsc(struct cpu *cpu)
{
	uint64_t until = (uint32_t)cpu->gpr[REG_RAX] | cpu->gpr[REG_RDX] << 32;
	uint64_t now = guest_tsc(cpu);
	uint64_t wanted = until > now ? until - now : 0;
	uint64_t bound = cpu->msrs.umwait_control & UINT64_C(0xfffffffc);
	uint64_t left = cpu->budget > 0 ? (uint64_t)cpu->budget : 0;
	bool bounded = bound && bound < wanted;

	if (bounded)
		wanted = bound;
	if (cpu->vmx->tsc_multiplier != BIT64(48))
		wanted = (uint64_t)(((unsigned __int128)wanted << 48) / cpu->vmx->tsc_multiplier);
	cpu_charge(cpu, wanted < left ? wanted : left);
	cpu_set_rflags(cpu, (cpu_rflags(cpu) & ~RFLAGS_STATUS) |
				    (bounded && wanted <= left ? RFLAGS_CF : 0));
}

/* The register asks for the state to wait in, bit 0; the others are reserved. */
static void begin_wait(struct cpu *cpu, const struct op *op, enum vmx_exit_reason reason)
{
	if (cpu->vmx->nonroot && !(cpu->vmx->secondary & SECONDARY_ENABLE_USER_WAIT))
		cpu_fault(cpu, VECTOR_UD);
	if ((cpu->cr4 & CR4_TSD) && cpu->cpl && cpu_protected(cpu))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	vmx_intercept_insn(cpu, reason, 0);
	if ((uint32_t)cpu->gpr[op->rm] & ~1u)
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

void insn_umwait(struct cpu *cpu, const struct op *op)
{
	bool armed = cpu->monitor_armed;

	begin_wait(cpu, op, EXIT_REASON_UMWAIT);
	cpu->monitor_armed = false;
	if (armed)
		wait_for_tsc(cpu);
	else
		cpu_set_rflags(cpu, cpu_rflags(cpu) & ~RFLAGS_STATUS);
}

void insn_tpause(struct cpu *cpu, const struct op *op)
{
	begin_wait(cpu, op, EXIT_REASON_TPAUSE);
	wait_for_tsc(cpu);
}
