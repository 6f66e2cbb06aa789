/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Exits due to exceptions and to EPT: the exception bitmap, triple fault, EPT violations and their
 * conversion to #VE, misconfigurations, page-modification logging. SDM 3C "Other Causes of VM
 * Exits", "Virtualization Exceptions", "Page-Modification Logging".
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/vmx/private.h"

/* ---- exception bitmap ---- */

/* SDM 3C "Exception Bitmap": #PF exits as bit 14 says if the error code matches, else not so. */
static bool exception_exits(const struct cpu *cpu, const struct cpu_event *event)
{
	const struct vmcs *vmcs = cpu->vmx->vmcs;
	bool exits = event->vector < 32 && (cpu->vmx->exception_bitmap >> event->vector & 1);

	if (event->vector == VECTOR_PF &&
	    (event->error & vmcs_get(vmcs, PAGE_FAULT_ERROR_CODE_MASK)) !=
		    vmcs_get(vmcs, PAGE_FAULT_ERROR_CODE_MATCH))
		return !exits;
	return exits;
}

/* SDM 3C "Exit Qualification for Debug Exceptions": B3-B0, BD, BS, RTM reported as in DR6. */
static uint64_t exception_qualification(const struct cpu_event *event)
{
	if (event->type != INTR_TYPE_HARDWARE_EXCEPTION)
		return 0;
	if (event->vector == VECTOR_PF)
		return event->cr2;
	if (event->vector == VECTOR_DB)
		return event->dr6 & (PENDING_DEBUG_B | DR6_BD | DR6_BS | DR6_RTM);
	return 0;
}

void vmx_intercept_exception(struct cpu *cpu, const struct cpu_event *event)
{
	struct vmx_exit_info info = {.reason = EXIT_REASON_EXCEPTION_OR_NMI};

	if (!cpu->vmx->nonroot || event->injected)
		return;
	if (event->type != INTR_TYPE_HARDWARE_EXCEPTION &&
	    event->type != INTR_TYPE_SOFTWARE_EXCEPTION &&
	    event->type != INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION)
		return;
	if (!exception_exits(cpu, event))
		return;
	info.interruption = vmx_event_info(event);
	info.error_code = event->error;
	info.qualification = exception_qualification(event);
	info.event = event;
	vmx_exit_with(cpu, &info);
}

_Noreturn void vmx_exit_triple_fault(struct cpu *cpu)
{
	vmx_exit(cpu, EXIT_REASON_TRIPLE_FAULT, 0);
}

/* ---- EPT ---- */

/* The virtualization-exception information area: 0 reason | 4 all ones | 8 qualification | 16
 * linear address | 24 guest-physical address | 32 EPTP index. SDM 3C "Virtualization-Exception
 * Information". */
static void raise_ve(struct cpu *cpu, uint64_t area, const struct vmx_exit_info *info)
{
	phys_write(cpu, area, 4, EXIT_REASON_EPT_VIOLATION);
	phys_write(cpu, area + 4, 4, UINT32_MAX);
	phys_write(cpu, area + 8, 8, info->qualification);
	phys_write(cpu, area + 16, 8, info->linear);
	phys_write(cpu, area + 24, 8, info->gpa);
	phys_write(cpu, area + 32, 2, vmcs_get(cpu->vmx->vmcs, EPTP_INDEX));
	cpu_fault(cpu, VECTOR_VE);
}

/* SDM 3C "Convertible EPT Violations" */
static void convert_to_ve(struct cpu *cpu, const struct vmx_exit_info *info)
{
	uint64_t area = vmcs_get(cpu->vmx->vmcs, VIRTUALIZATION_EXCEPTION_INFO);

	if (vmx_secondary(cpu, SECONDARY_EPT_VIOLATION_VE) && (cpu->cr0 & CR0_PE) &&
	    !cpu->delivering.valid && !phys_read(cpu, area + 4, 4))
		raise_ve(cpu, area, info);
}

_Noreturn void vmx_exit_ept_violation(struct cpu *cpu, uint64_t gpa, uint64_t linear,
				      bool linear_valid, uint64_t qualification)
{
	struct vmx_exit_info info = {
		.reason = EXIT_REASON_EPT_VIOLATION,
		.qualification = qualification & ~VMX_EPT_CONVERTIBLE,
		.gpa = gpa,
		.has_gpa = true,
		.linear = linear_valid ? linear : 0,
		.has_linear = true,
	};

	if (qualification & VMX_EPT_CONVERTIBLE)
		convert_to_ve(cpu, &info);
	vmx_exit_with(cpu, &info);
}

_Noreturn void vmx_exit_ept_misconfiguration(struct cpu *cpu, uint64_t gpa)
{
	struct vmx_exit_info info = {
		.reason = EXIT_REASON_EPT_MISCONFIGURATION, .gpa = gpa, .has_gpa = true};

	vmx_exit_with(cpu, &info);
}

/* ---- page-modification log ---- */

/* The index counts down from 511; below 0 it wraps to FFFFH, and the log is full. */
void vmx_log_dirty(struct cpu *cpu, uint64_t gpa)
{
	struct vmcs *vmcs = cpu->vmx->vmcs;
	uint64_t index;

	if (!cpu->vmx->nonroot || !vmx_secondary(cpu, SECONDARY_ENABLE_PML))
		return;
	index = vmcs_get(vmcs, PML_INDEX);
	if (index > 511)
		vmx_exit(cpu, EXIT_REASON_PML_FULL, 0);
	phys_write(cpu, vmcs_get(vmcs, PML_ADDRESS) + index * 8, 8, PAGE_BASE(gpa));
	vmcs_set(vmcs, PML_INDEX, (index - 1) & 0xffff);
}
