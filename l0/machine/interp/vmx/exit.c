/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VM exit: information fields, guest state, host state, and away. SDM 3C "VM Exits". Which exits
 * there are is decided elsewhere; here is what every exit does.
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/sys.h"
#include "l0/machine/interp/vmx/private.h"

/* Exit reasons of instructions, for which the instruction length is defined. */
enum { INSN = 1, EVENT = 0 };
static const uint8_t is_instruction[EXIT_REASON_COUNT] = {
#define EXIT(name, number, insn) [number] = (insn),
#include "shadow/sdm/exit_reasons.def"
#undef EXIT
};

uint32_t vmx_event_info(const struct cpu_event *event)
{
	return INTR_INFO_VALID | event->vector | (uint32_t)event->type << INTR_INFO_TYPE_SHIFT |
	       (event->has_error ? INTR_INFO_ERROR_CODE : 0);
}

/* SDM 3C "Information for VM Exits That Occur During Event Delivery": not if the exit is due to a
 * double fault or a triple fault. */
static bool during_delivery(const struct cpu *cpu, const struct vmx_exit_info *info)
{
	uint32_t double_fault = INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT | VECTOR_DF;

	if (!cpu->delivering.valid || info->reason == EXIT_REASON_TRIPLE_FAULT)
		return false;
	return !(info->interruption & INTR_INFO_VALID) ||
	       (info->interruption & (INTR_INFO_TYPE | INTR_INFO_VECTOR)) != double_fault;
}

static bool may_be_access(enum vmx_exit_reason reason)
{
	return reason == EXIT_REASON_APIC_ACCESS || reason == EXIT_REASON_EPT_VIOLATION ||
	       reason == EXIT_REASON_EPT_MISCONFIGURATION || reason == EXIT_REASON_PML_FULL;
}

/* SDM 3C "Information for VM Exits Due to Instruction Execution". Where the field is undefined it
 * is 0, but for accesses by an instruction, where parts that exist give its length too. */
static unsigned instruction_length(const struct cpu *cpu, const struct vmx_exit_info *info,
				   bool delivery)
{
	if (info->event && info->event->insn_length)
		return info->event->insn_length;
	if (delivery)
		return cpu->delivering.insn_length;
	if (!cpu->op || info->trap)
		return 0;
	return is_instruction[info->reason] || may_be_access(info->reason) ? cpu->op->len : 0;
}

/* SDM 3C "NMI unblocking due to IRET": a fault, or an EPT violation and the like, of an IRET that
 * had already removed the blocking. */
static bool nmi_unblocking(const struct cpu *cpu, bool delivery)
{
	const struct vmx_private *private = cpu->vmx->private;

	return private->iret_unblocked_nmi && !delivery &&
	       private->iret_retired == cpu_retired(cpu);
}

static void save_event_fields(struct cpu *cpu, const struct vmx_exit_info *info, bool delivery)
{
	struct vmcs *vmcs = cpu->vmx->vmcs;

	vmcs_set(vmcs, EXIT_INTERRUPTION_INFO, info->interruption);
	if (info->interruption & INTR_INFO_ERROR_CODE)
		vmcs_set(vmcs, EXIT_INTERRUPTION_ERROR_CODE, info->error_code);
	vmcs_set(vmcs, IDT_VECTORING_INFO, delivery ? vmx_event_info(&cpu->delivering) : 0);
	if (delivery && cpu->delivering.has_error)
		vmcs_set(vmcs, IDT_VECTORING_ERROR_CODE, cpu->delivering.error);
	/* SDM 3C "VM Exits": the valid bit of the entry's field is cleared on every exit. */
	vmcs_set(vmcs, ENTRY_INTERRUPTION_INFO,
		 vmcs_get(vmcs, ENTRY_INTERRUPTION_INFO) & ~(uint64_t)INTR_INFO_VALID);
}

static void save_exit_information(struct cpu *cpu, const struct vmx_exit_info *info, bool delivery)
{
	struct vmcs *vmcs = cpu->vmx->vmcs;

	vmcs_set(vmcs, EXIT_REASON, info->reason);
	vmcs_set(vmcs, EXIT_QUALIFICATION, info->qualification);
	vmcs_set(vmcs, EXIT_INSTRUCTION_LENGTH, instruction_length(cpu, info, delivery));
	vmcs_set(vmcs, EXIT_INSTRUCTION_INFO,
		 info->trap ? 0 : vmx_instruction_info(cpu, info->reason));
	if (info->has_gpa)
		vmcs_set(vmcs, GUEST_PHYSICAL_ADDRESS, info->gpa);
	if (info->has_linear)
		vmcs_set(vmcs, GUEST_LINEAR_ADDRESS, info->linear);
	save_event_fields(cpu, info, delivery);
}

static bool is_asynchronous(const struct vmx_exit_info *info)
{
	return info->reason == EXIT_REASON_EPT_VIOLATION &&
	       (info->qualification & EPT_QUAL_ASYNCHRONOUS);
}

/* SDM 3C "Saving RIP, RSP, RFLAGS, and SSP": RF as the event would have pushed it, 0 for
 * instructions, 1 for faulting accesses. */
static uint64_t saved_rflags(const struct cpu *cpu, const struct vmx_exit_info *info, bool delivery)
{
	if (info->event)
		return event_pushed_rflags(cpu, info->event);
	if (delivery)
		return event_pushed_rflags(cpu, &cpu->delivering);
	if (is_instruction[info->reason])
		return cpu_rflags(cpu) & ~RFLAGS_RF;
	if (may_be_access(info->reason) && !is_asynchronous(info))
		return cpu_rflags(cpu) | RFLAGS_RF;
	return cpu_rflags(cpu);
}

/* SDM 3C "Saving Non-Register State": kept only by exits that leave debug exceptions pending. */
static uint64_t saved_pending_debug(const struct cpu *cpu, const struct vmx_exit_info *info)
{
	bool debug_exception = (info->interruption & INTR_INFO_VALID) &&
			       (info->interruption & INTR_INFO_VECTOR) == VECTOR_DB;
	switch (info->reason) {
	case EXIT_REASON_INIT_SIGNAL:
	case EXIT_REASON_TPR_BELOW_THRESHOLD:
	case EXIT_REASON_VIRTUALIZED_EOI:
	case EXIT_REASON_APIC_WRITE:
	case EXIT_REASON_MONITOR_TRAP_FLAG:
		break;
	default:
		if (!cpu->mov_ss_shadow || debug_exception)
			return 0;
	}
	return cpu->pending_debug & PENDING_DEBUG_SAVED;
}

static bool is_nmi(const struct vmx_exit_info *info)
{
	uint32_t type = (info->interruption & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT;

	return (info->interruption & INTR_INFO_VALID) && type == INTR_TYPE_NMI;
}

/* Marks "NMI unblocking due to IRET" where the reason has a place for it. */
static void mark_nmi_unblocking(struct vmx_exit_info *info)
{
	switch (info->reason) {
	case EXIT_REASON_EXCEPTION_OR_NMI:
		if (!is_nmi(info) && (info->interruption & INTR_INFO_VECTOR) != VECTOR_DF)
			info->interruption |= INTR_INFO_NMI_UNBLOCKING;
		break;
	case EXIT_REASON_EPT_VIOLATION:
	case EXIT_REASON_PML_FULL:
		info->qualification |= EPT_QUAL_NMI_UNBLOCKING;
		break;
	default:
		break;
	}
}

/* Non-root operation ends here: the MSR-store area sees the MSRs as RDMSR in root would, and the
 * TSC at the exit, not at the host's first instruction. */
static bool store_guest_msrs(struct cpu *cpu)
{
	struct vmx_state *vmx = cpu->vmx;
	uint32_t bad;

	vmx->nonroot = false;
	vmx->tsc_offset = 0;
	vmx->tsc_multiplier = BIT64(48);
	bad = vmx_store_msrs(cpu, vmcs_get(vmx->vmcs, EXIT_MSR_STORE_ADDRESS),
			     (uint32_t)vmcs_get(vmx->vmcs, EXIT_MSR_STORE_COUNT));
	cpu_charge(cpu, COST_VM_EXIT);
	return !bad;
}

/* SDM 1 "Runtime Considerations": what an instruction of a transaction would exit for aborts the
 * transaction instead; what exits between instructions finds it aborted. */
static void leave_transaction(struct cpu *cpu, const struct vmx_exit_info *info)
{
	if (rtm_active(cpu) && !info->trap)
		rtm_abort_insn(cpu, 0);
	rtm_interrupted(cpu);
}

_Noreturn void vmx_exit_with(struct cpu *cpu, const struct vmx_exit_info *given)
{
	struct vmx_state *vmx = cpu->vmx;
	struct vmx_exit_info info = *given;
	bool delivery, nmi = is_nmi(&info);
	uint32_t controls = vmx->exit_controls;

	leave_transaction(cpu, given);
	delivery = during_delivery(cpu, &info);
	cpu_unwind(cpu);
	if (nmi_unblocking(cpu, delivery))
		mark_nmi_unblocking(&info);
	vmx->exits++;
	vmx->exit_counts[info.reason]++;
	save_exit_information(cpu, &info, delivery);
	vmcs_set(vmx->vmcs, GUEST_RFLAGS, saved_rflags(cpu, &info, delivery));
	vmcs_set(vmx->vmcs, GUEST_PENDING_DEBUG_EXCEPTIONS, saved_pending_debug(cpu, &info));
	vmx_save_guest_state(cpu);
	vmx_log_exit(cpu, &info, false);
	pt_exiting(cpu, controls & EXIT_CLEAR_RTIT_CTL);
	if (store_guest_msrs(cpu))
		vmx_load_host_state(cpu);
	else
		vmx_abort(cpu, VMX_ABORT_SAVE_GUEST_MSR);
	if (nmi)
		cpu->nmi_blocked = true;
	cpu_rip(cpu) = cpu->next_rip;
	pt_exited(cpu, controls & EXIT_CONCEAL_VMX_FROM_PT);
	cpu_escape(cpu);
}

_Noreturn void vmx_exit(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification)
{
	struct vmx_exit_info info = {.reason = reason, .qualification = qualification};

	vmx_exit_with(cpu, &info);
}
