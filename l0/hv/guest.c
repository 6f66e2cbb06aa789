/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an emulated instruction does to the guest besides its effect.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"

void guest_skip_insn(void)
{
	uint64_t rip = hw_vmread(VMCS_GUEST_RIP) + hw_vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
	uint64_t blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	hw_vmwrite(VMCS_GUEST_RIP, rip);
	if (blocking & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS))
		hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
			   blocking & ~(uint64_t)(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
	/* SDM 3B "Single-Step Exception Condition": a trap after the instruction, by the entry. */
	if (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF)
		hw_vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
			   hw_vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
}

void guest_inject(uint8_t vector)
{
	hw_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO,
		   vector | INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT | INTR_INFO_VALID);
}

void guest_inject_code(uint8_t vector, uint32_t code)
{
	hw_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO,
		   vector | INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT |
			   INTR_INFO_ERROR_CODE | INTR_INFO_VALID);
	hw_vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, code);
}

/* SDM 3C "Checks on Guest Non-Register State": not under blocking by MOV SS, and one event a time. */
void guest_deliver_nmi(struct vcpu *vcpu)
{
	uint64_t blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	if (vcpu->shadow.in_l2 || blocking & (INTERRUPTIBILITY_MOV_SS | INTERRUPTIBILITY_NMI) ||
	    hw_vmread(VMCS_ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID)
		return;
	vcpu->nmi_pending = false;
	hw_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO,
		   VECTOR_NMI | INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT | INTR_INFO_VALID);
}
