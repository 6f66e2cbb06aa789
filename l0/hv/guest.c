/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What happens to the guest besides an instruction's effect: faults, and NMIs that found the
 * hypervisor at work.
 */
#include "l0/hv/exit.h"
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
static bool can_take_nmi(void)
{
	uint64_t blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	return !(blocking & (INTERRUPTIBILITY_MOV_SS | INTERRUPTIBILITY_NMI)) &&
	       !(hw_vmread(VMCS_ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID);
}

#define WINDOW_PIN ((uint64_t)(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS))
#define WINDOW_PRIMARY ((uint64_t)PRIMARY_NMI_WINDOW_EXITING)

/* An exit as soon as the guest can take an NMI. Until then its NMIs exit too: they are one with
 * the one that waits, as in the CPU. Without the feature the next exit has to do. */
static void open_nmi_window(void)
{
	if (!machine_has(&hv.machine, VMX_FEATURE_VIRTUAL_NMIS))
		return;
	hw_vmwrite(VMCS_PIN_BASED_CONTROLS, hw_vmread(VMCS_PIN_BASED_CONTROLS) | WINDOW_PIN);
	hw_vmwrite(VMCS_PRIMARY_CONTROLS, hw_vmread(VMCS_PRIMARY_CONTROLS) | WINDOW_PRIMARY);
}

/* Only a guest that does not exit on NMIs by L1's wish gets a window, so the bits were clear. */
static void close_nmi_window(void)
{
	uint64_t primary = hw_vmread(VMCS_PRIMARY_CONTROLS);

	if (!(primary & WINDOW_PRIMARY))
		return;
	hw_vmwrite(VMCS_PRIMARY_CONTROLS, primary & ~WINDOW_PRIMARY);
	hw_vmwrite(VMCS_PIN_BASED_CONTROLS, hw_vmread(VMCS_PIN_BASED_CONTROLS) & ~WINDOW_PIN);
}

static void inject_nmi(struct vcpu *vcpu)
{
	close_nmi_window();
	vcpu->attention &= ~(uint32_t)HV_ATTENTION_NMI;
	hw_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO,
		   VECTOR_NMI | INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT | INTR_INFO_VALID);
}

void guest_deliver_nmi(struct vcpu *vcpu)
{
	enum shadow_nmi l2 = vcpu->shadow.in_l2 ? shadow_l2_nmi(&vcpu->shadow) : SHADOW_NMI_GUEST;

	if (vcpu->shadow.dead)
		hv_end_guest(vcpu, vcpu->shadow.dead);
	if (l2 == SHADOW_NMI_EXITED)
		vcpu->attention &= ~(uint32_t)HV_ATTENTION_NMI;
	else if (l2 == SHADOW_NMI_GUEST && can_take_nmi())
		inject_nmi(vcpu);
	else if (l2 == SHADOW_NMI_GUEST)
		open_nmi_window();
}

/* The guest has no exceptions that exit; an NMI does while a window is open. */
enum exit_next handle_nmi(struct vcpu *vcpu)
{
	vcpu->attention |= HV_ATTENTION_NMI;
	return EXIT_NEXT_RESUME;
}

enum exit_next handle_nmi_window(struct vcpu *vcpu)
{
	close_nmi_window();
	return EXIT_NEXT_RESUME;
}
