/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MONITOR and MWAIT, SDM 2B. With one processor nothing but an interrupt handler stores to the
 * monitored line while the processor waits, so the wait is that of HLT; an event between the two
 * instructions may have stored there and disarms the monitor.
 */
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/sys.h"

#define MWAIT_INTERRUPTS_BREAK BIT64(0) /* ECX: interrupts end the wait even if IF is 0 */

void insn_monitor(struct cpu *cpu, const struct op *op)
{
	if (cpu->cpl)
		cpu_fault(cpu, VECTOR_UD);
	if (cpu->vmx->nonroot)
		vmx_intercept_insn(cpu, EXIT_REASON_MONITOR, 0);
	if (cpu->gpr[REG_RCX])
		cpu_fault_code(cpu, VECTOR_GP, 0);
	mem_read(cpu, op->seg, op_ea_add(op, cpu->gpr[REG_RAX], 0), 1);
	cpu->monitor_armed = true;
}

/* An early end of the wait is always allowed: taken in non-root operation, whose activity states
 * know no MWAIT, and where no interrupt could wake. */
void insn_mwait(struct cpu *cpu, const struct op *op)
{
	bool armed = cpu->monitor_armed;

	if (cpu->cpl)
		cpu_fault(cpu, VECTOR_UD);
	if (cpu->vmx->nonroot)
		vmx_intercept_insn(cpu, EXIT_REASON_MWAIT, armed);
	if (cpu->gpr[REG_RCX] & ~MWAIT_INTERRUPTS_BREAK)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	cpu->monitor_armed = false;
	if (!armed || cpu->vmx->nonroot || !(cpu->eflags_rest & RFLAGS_IF))
		return;
	cpu->activity = ACTIVITY_HLT;
	cpu->attention = true;
}
