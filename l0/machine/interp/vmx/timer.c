/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The VMX-preemption timer. SDM 3C "VMX-Preemption Timer": it counts down by 1 every time bit X of
 * the TSC changes, X from IA32_VMX_MISC, so a deadline in cycles can be computed at VM entry.
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/vmx/private.h"

static unsigned rate(const struct cpu *cpu)
{
	return (unsigned)(vmx_cap(cpu->vmx->caps, MISC) & VMX_MISC_PREEMPTION_SHIFT);
}

void vmx_timer_start(struct cpu *cpu)
{
	struct vmx_private *private = cpu->vmx->private;
	uint64_t now = cpu_now(cpu), tsc, due;

	private->timer_due = EVENT_NEVER;
	cpu->vmx->preemption_start = now;
	if (!vmx_pin(cpu, PIN_PREEMPTION_TIMER))
		return;
	private->timer_phase = cpu_tsc(cpu) - now;
	tsc = now + private->timer_phase;
	due = ((tsc >> rate(cpu)) + (uint32_t)vmcs_get(cpu->vmx->vmcs, PREEMPTION_TIMER_VALUE))
	      << rate(cpu);
	private->timer_due = due > tsc ? now + (due - tsc) : now;
}

uint32_t vmx_timer_value(struct cpu *cpu)
{
	const struct vmx_private *private = cpu->vmx->private;
	uint64_t phase = private->timer_phase, now = cpu_now(cpu);

	if (private->timer_due == EVENT_NEVER)
		return (uint32_t)vmcs_get(cpu->vmx->vmcs, PREEMPTION_TIMER_VALUE);
	if (now >= private->timer_due)
		return 0;
	return (uint32_t)(((private->timer_due + phase) >> rate(cpu)) -
			  ((now + phase) >> rate(cpu)));
}

uint64_t vmx_next_event(const struct cpu *cpu)
{
	/* In the wait-for-SIPI state the timer counts but does not exit. */
	if (!cpu->vmx->nonroot || cpu->activity == ACTIVITY_WAIT_SIPI)
		return EVENT_NEVER;
	return cpu->vmx->private->timer_due;
}
