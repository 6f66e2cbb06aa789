/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Event injection by VM entry. SDM 3C "Event Injection": the event is handed to the run loop, which
 * delivers it like any other, except that it never causes a VM exit itself.
 */
#include "l0/machine/interp/vmx/private.h"

static bool is_software(unsigned type)
{
	return type == INTR_TYPE_SOFTWARE_INTERRUPT || type == INTR_TYPE_SOFTWARE_EXCEPTION ||
	       type == INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION;
}

/* SDM 3C "Delivery of Pending Debug Exceptions after VM Entry": a vectoring entry drops them,
 * unless it injects a software event under blocking by MOV SS. */
static void drop_pending_debug(struct cpu *cpu, unsigned type)
{
	if (!is_software(type) || !cpu->mov_ss_shadow)
		cpu->pending_debug = 0;
}

static void block_nmis(struct cpu *cpu)
{
	if (vmx_pin(cpu, PIN_VIRTUAL_NMIS))
		cpu->vmx->virtual_nmi_blocked = true;
	else
		cpu->nmi_blocked = true;
}

void vmx_inject_event(struct cpu *cpu)
{
	const struct vmcs *vmcs = cpu->vmx->vmcs;
	uint32_t info = (uint32_t)vmcs_get(vmcs, ENTRY_INTERRUPTION_INFO);
	unsigned type = (info & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT;

	cpu->event.valid = false;
	if (!(info & INTR_INFO_VALID))
		return;
	/* SDM 3C "Monitor Trap Flag": pending before the first instruction after any injection, and
	 * the injection of a pending MTF VM exit is nothing else. */
	if (type == INTR_TYPE_OTHER_EVENT || vmx_primary(cpu, PRIMARY_MONITOR_TRAP_FLAG))
		cpu->vmx->mtf_pending = true;
	if (type == INTR_TYPE_OTHER_EVENT)
		return;
	cpu->event = (struct cpu_event){
		.valid = true,
		.injected = true,
		.vector = (uint8_t)(info & INTR_INFO_VECTOR),
		.type = (uint8_t)type,
		.has_error = info & INTR_INFO_ERROR_CODE,
		.error = (uint32_t)vmcs_get(vmcs, ENTRY_EXCEPTION_ERROR_CODE),
	};
	if (is_software(type))
		cpu->event.insn_length = (uint8_t)vmcs_get(vmcs, ENTRY_INSTRUCTION_LENGTH);
	if (type == INTR_TYPE_NMI)
		block_nmis(cpu);
	drop_pending_debug(cpu, type);
	/* A vectoring entry ends in the active state, SDM 3C "Activity State". */
	cpu->activity = ACTIVITY_ACTIVE;
}
