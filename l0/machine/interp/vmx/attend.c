/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What VMX does between instructions: monitor trap flag, preemption timer, windows, interrupts,
 * NMIs, INIT and SIPI. The order of the calls is cpu_attend's; SDM 3C "Other Causes of VM Exits",
 * SDM 3A "Priority Among Concurrent Events".
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/vmx/private.h"

static _Noreturn void exit_at_boundary(struct cpu *cpu, enum vmx_exit_reason reason)
{
	struct vmx_exit_info info = {.reason = reason, .trap = true};

	vmx_exit_with(cpu, &info);
}

/* ---- monitor trap flag ---- */

/* SDM 3C "Monitor Trap Flag": pending on the boundary after the first instruction, or after the
 * delivery of an event that took its place. An iteration of a REP instruction counts. */
static bool mtf_due(struct cpu *cpu)
{
	struct vmx_private *private = vmx_private(cpu);

	if (cpu->vmx->mtf_pending)
		return true;
	if (!vmx_primary(cpu, PRIMARY_MONITOR_TRAP_FLAG))
		return false;
	if (!private->mtf_armed)
		return cpu_retired(cpu) != private->mtf_insns ||
		       cpu_rip(cpu) != private->mtf_rip ||
		       cpu->gpr[REG_RCX] != private->mtf_rcx;
	private->mtf_armed = false;
	private->mtf_insns = cpu_retired(cpu);
	private->mtf_rip = cpu_rip(cpu);
	private->mtf_rcx = cpu->gpr[REG_RCX];
	return false;
}

void vmx_attend_before_traps(struct cpu *cpu)
{
	if (!cpu->vmx->nonroot)
		return;
	vmx_apic_pending(cpu);
	if (mtf_due(cpu))
		exit_at_boundary(cpu, EXIT_REASON_MONITOR_TRAP_FLAG);
}

bool vmx_wants_attention(const struct cpu *cpu)
{
	const struct vmx_state *vmx = cpu->vmx;

	return vmx->nonroot && (vmx->mtf_pending || vmx->private->apic_pending != APIC_NOTHING ||
				(vmx->primary & PRIMARY_MONITOR_TRAP_FLAG));
}

bool vmx_waits_for_interrupt_flag(const struct cpu *cpu)
{
	return (cpu->vmx->primary & PRIMARY_INTERRUPT_WINDOW_EXITING) ||
	       cpu->vmx->private->virtual_interrupt;
}

/* ---- preemption timer and windows ---- */

static bool interrupts_open(const struct cpu *cpu)
{
	return (cpu->eflags_rest & RFLAGS_IF) && !cpu_sti_blocking(cpu) && !cpu->mov_ss_shadow;
}

static bool active_or_halted(const struct cpu *cpu)
{
	return cpu->activity == ACTIVITY_ACTIVE || cpu->activity == ACTIVITY_HLT;
}

/* An NMI comes after NMI-window exits and before interrupt-window exits; cpu_attend takes it and
 * asks again. */
static bool nmi_comes_first(const struct cpu *cpu)
{
	return cpu->nmi_pending && !cpu->nmi_blocked && !cpu->mov_ss_shadow;
}

/* NMI-window exits wake from HLT and from shutdown, interrupt-window exits only from HLT. */
void vmx_attend_timer_and_windows(struct cpu *cpu)
{
	const struct vmx_state *vmx = cpu->vmx;

	if (!vmx->nonroot || cpu->activity == ACTIVITY_WAIT_SIPI)
		return;
	if (vmx->private->timer_due != EVENT_NEVER && cpu_now(cpu) >= vmx->private->timer_due)
		exit_at_boundary(cpu, EXIT_REASON_PREEMPTION_TIMER);
	if (vmx_primary(cpu, PRIMARY_NMI_WINDOW_EXITING) && !vmx->virtual_nmi_blocked &&
	    !cpu->mov_ss_shadow)
		exit_at_boundary(cpu, EXIT_REASON_NMI_WINDOW);
	if (vmx_primary(cpu, PRIMARY_INTERRUPT_WINDOW_EXITING) && interrupts_open(cpu) &&
	    active_or_halted(cpu) && !nmi_comes_first(cpu))
		exit_at_boundary(cpu, EXIT_REASON_INTERRUPT_WINDOW);
}

bool vmx_attend_virtual_interrupt(struct cpu *cpu)
{
	if (!cpu->vmx->nonroot || !vmx_private(cpu)->virtual_interrupt)
		return false;
	if (!interrupts_open(cpu) || !active_or_halted(cpu)) {
		cpu_end_masked_wait(cpu);
		return false;
	}
	rtm_interrupted(cpu);
	vmx_deliver_virtual_interrupt(cpu);
	return true;
}

/* ---- NMIs and external interrupts ---- */

bool vmx_attend_nmi(struct cpu *cpu)
{
	struct vmx_exit_info info = {.reason = EXIT_REASON_EXCEPTION_OR_NMI, .trap = true};

	if (!cpu->vmx->nonroot || !vmx_pin(cpu, PIN_NMI_EXITING))
		return true;
	cpu->nmi_pending = false;
	info.interruption = INTR_INFO_VALID | INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT | VECTOR_NMI;
	vmx_exit_with(cpu, &info);
}

/* SDM 3C "External Interrupts", "Posted-Interrupt Processing". RFLAGS.IF does not matter here. */
bool vmx_attend_interrupt(struct cpu *cpu)
{
	struct vmx_exit_info info = {.reason = EXIT_REASON_EXTERNAL_INTERRUPT, .trap = true};
	uint8_t vector;

	if (!cpu->vmx->nonroot || !vmx_pin(cpu, PIN_EXTERNAL_INTERRUPT_EXITING))
		return true;
	if (!active_or_halted(cpu))
		return false;
	rtm_interrupted(cpu);
	if (cpu->vmx->exit_controls & EXIT_ACK_INTERRUPT) {
		vector = machine_interrupt_ack(cpu->machine);
		if (vmx_pin(cpu, PIN_POSTED_INTERRUPTS) && vmx_posted_interrupt(cpu, vector))
			return false;
		info.interruption =
			INTR_INFO_VALID | INTR_TYPE_EXTERNAL << INTR_INFO_TYPE_SHIFT | vector;
	}
	vmx_exit_with(cpu, &info);
}

/* ---- INIT and SIPI ---- */

/* SDM 3C "Restrictions on VMX Operation": INIT is blocked in root operation and exits in non-root,
 * except in the wait-for-SIPI state, which blocks it. */
bool vmx_attend_init(struct cpu *cpu)
{
	if (!cpu->vmx->on)
		return false;
	if (!cpu->vmx->nonroot || cpu->activity == ACTIVITY_WAIT_SIPI)
		return true;
	cpu->init_pending = false;
	exit_at_boundary(cpu, EXIT_REASON_INIT_SIGNAL);
}

/* A SIPI that finds the CPU in another state is lost. */
bool vmx_attend_sipi(struct cpu *cpu, uint8_t vector)
{
	struct vmx_exit_info info = {
		.reason = EXIT_REASON_SIPI, .qualification = vector, .trap = true};

	if (!cpu->vmx->on)
		return false;
	cpu->sipi_pending = false;
	if (cpu->vmx->nonroot && cpu->activity == ACTIVITY_WAIT_SIPI)
		vmx_exit_with(cpu, &info);
	return true;
}

/* ---- IRET ---- */

/* SDM 3C "Changes to Instruction Behavior in VMX Non-Root Operation", IRET: with virtual NMIs it
 * removes virtual-NMI blocking; with NMI exiting alone it removes none; else blocking by NMI.
 * Called before anything in IRET can fault. */
void vmx_iret(struct cpu *cpu)
{
	struct vmx_private *private = vmx_private(cpu);
	bool *blocked = &cpu->nmi_blocked;

	if (!cpu->vmx->nonroot) {
		cpu->nmi_blocked = false;
		return;
	}
	private->iret_unblocked_nmi = false;
	if (vmx_pin(cpu, PIN_VIRTUAL_NMIS))
		blocked = &cpu->vmx->virtual_nmi_blocked;
	else if (vmx_pin(cpu, PIN_NMI_EXITING))
		return;
	private->iret_unblocked_nmi = *blocked;
	private->iret_retired = cpu_retired(cpu);
	if (*blocked)
		cpu->attention = true; /* an NMI or an NMI window may be next */
	*blocked = false;
}
