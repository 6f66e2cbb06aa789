/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What KVM says about the guest of our guest: as it lets a virtual machine migrate, it tells where it
 * is in it. Linux "Documentation/virt/kvm/x86/nested-vmx.rst": the VMCS of the nested guest is kept in
 * KVM's own layout, fixed since revision 11e57ed0; the pin-based controls are at byte 744.
 */
#include "l0/machine/kvm/kvm.h"

#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "shadow/sdm/vmx.h"

#define VMCS12_REVISION 0x11e57ed0
#define VMCS12_PIN_CONTROLS 744
/* The header, VMCS12 and its shadow. */
#define STATE_SIZE (sizeof(struct kvm_nested_state) + 2 * 4096)

bool kvm_nested_wakes(struct kvm_cpu *cpu)
{
	static _Alignas(struct kvm_nested_state) uint8_t buffer[STATE_SIZE];
	struct kvm_nested_state *state = (void *)buffer;
	const uint8_t *vmcs12 = buffer + sizeof(*state);
	uint32_t revision, pin;

	*state = (struct kvm_nested_state){.size = sizeof(buffer)};
	if (ioctl(cpu->vcpu, KVM_GET_NESTED_STATE, state) ||
	    !(state->flags & KVM_STATE_NESTED_GUEST_MODE))
		return false;
	memcpy(&revision, vmcs12, sizeof(revision));
	memcpy(&pin, vmcs12 + VMCS12_PIN_CONTROLS, sizeof(pin));
	if (state->format != KVM_STATE_NESTED_FORMAT_VMX || revision != VMCS12_REVISION)
		return true;
	return pin & (PIN_EXTERNAL_INTERRUPT_EXITING | PIN_PREEMPTION_TIMER);
}
