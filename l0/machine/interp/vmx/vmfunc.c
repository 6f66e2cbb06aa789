/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMFUNC: EPTP switching, the one VM function there is. SDM 3C "VM Functions", "EPTP Switching".
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/vmx/private.h"

#define EPTP_LIST_ENTRIES 512

static void switch_eptp(struct cpu *cpu)
{
	struct vmcs *vmcs = cpu->vmx->vmcs;
	uint32_t index = (uint32_t)cpu->gpr[REG_RCX];
	uint64_t eptp;

	if (index >= EPTP_LIST_ENTRIES)
		vmx_exit(cpu, EXIT_REASON_VMFUNC, 0);
	eptp = phys_read(cpu, vmcs_get(vmcs, EPTP_LIST_ADDRESS) + index * 8, 8);
	if (!vmx_caps_eptp_valid(cpu->vmx->caps, eptp))
		vmx_exit(cpu, EXIT_REASON_VMFUNC, 0);
	vmcs_set(vmcs, EPT_POINTER, eptp);
	if (vmx_secondary(cpu, SECONDARY_EPT_VIOLATION_VE))
		vmcs_set(vmcs, EPTP_INDEX, index);
	cpu->vmx->eptp = eptp;
	/* No translation is flushed: those of the other EPTP stay in their own address space. */
	cpu_mode_changed(cpu);
}

void insn_vmfunc(struct cpu *cpu, const struct op *op)
{
	uint32_t function = (uint32_t)cpu->gpr[REG_RAX];

	(void)op;
	if (!cpu->vmx->nonroot || !vmx_secondary(cpu, SECONDARY_ENABLE_VM_FUNCTIONS))
		cpu_fault(cpu, VECTOR_UD);
	if (function > 63 || !(vmcs_get(cpu->vmx->vmcs, VM_FUNCTION_CONTROLS) >> function & 1))
		vmx_exit(cpu, EXIT_REASON_VMFUNC, 0);
	switch_eptp(cpu);
}
