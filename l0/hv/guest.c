/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an emulated instruction does to the guest besides its effect.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"

void guest_inject(uint8_t vector)
{
	shadow_inject_fault(hv_vcpu.shadow.env, vector, false, 0);
}

void guest_inject_code(uint8_t vector, uint32_t code)
{
	shadow_inject_fault(hv_vcpu.shadow.env, vector, true, code);
}

/* SDM 3C "Checks on Guest Non-Register State": not under blocking by MOV SS; one event a time. */
void guest_deliver_nmi(struct vcpu *vcpu)
{
	uint64_t blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	if (vcpu->shadow.in_l2 || blocking & (INTERRUPTIBILITY_MOV_SS | INTERRUPTIBILITY_NMI) ||
	    hw_vmread(VMCS_ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID)
		return;
	vcpu->attention &= ~(uint32_t)HV_ATTENTION_NMI;
	hw_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO,
		   VECTOR_NMI | INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT | INTR_INFO_VALID);
}
