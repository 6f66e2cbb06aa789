/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The five control words of VMCS02 as pure functions of VMCS12 and VMCS01: what makes L2 exit is
 * what either wants; what enables a facility for L2 is L1's choice; what L0 does not use for L2 is
 * off. Bit meanings: SDM 3C "VM-Execution Control Fields", "VM-Exit Control Fields", "VM-Entry
 * Control Fields".
 */
#include "shadow/merge.h"

/* Exits that L0 may want for itself. */
#define L0_PIN ((uint32_t)(PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING))
#define L0_PRIMARY                                                                                 \
	((uint32_t)PRIMARY_HLT_EXITING | (uint32_t)PRIMARY_MWAIT_EXITING |                         \
	 (uint32_t)PRIMARY_RDPMC_EXITING | (uint32_t)PRIMARY_RDTSC_EXITING |                       \
	 (uint32_t)PRIMARY_CR8_LOAD_EXITING | (uint32_t)PRIMARY_CR8_STORE_EXITING |                \
	 (uint32_t)PRIMARY_MOV_DR_EXITING | (uint32_t)PRIMARY_UNCONDITIONAL_IO_EXITING |           \
	 (uint32_t)PRIMARY_MONITOR_EXITING | (uint32_t)PRIMARY_PAUSE_EXITING)
#define L0_SECONDARY                                                                               \
	((uint32_t)(SECONDARY_WBINVD_EXITING | SECONDARY_RDRAND_EXITING | SECONDARY_RDSEED_EXITING))

/* Intel PT of a guest is under the same controls whatever L1's are: it writes to memory of the
 * guest's, and says nothing of us. What L1 asks for is a matter of which trace goes on: guest02.c.
 */
#define L0_TRACE ((uint32_t)(SECONDARY_PT_USES_GPA | SECONDARY_CONCEAL_VMX_FROM_PT))

/* Facilities of L2 that are exactly as L1 sets them. */
#define L1_SECONDARY                                                                               \
	((uint32_t)(SECONDARY_VIRTUALIZE_APIC_ACCESSES | SECONDARY_DESCRIPTOR_TABLE_EXITING |      \
		    SECONDARY_ENABLE_RDTSCP | SECONDARY_VIRTUALIZE_X2APIC |                        \
		    SECONDARY_WBINVD_EXITING | SECONDARY_UNRESTRICTED_GUEST |                      \
		    SECONDARY_APIC_REGISTER_VIRTUALIZATION |                                       \
		    SECONDARY_VIRTUAL_INTERRUPT_DELIVERY | SECONDARY_PAUSE_LOOP_EXITING |          \
		    SECONDARY_RDRAND_EXITING | SECONDARY_ENABLE_INVPCID |                          \
		    SECONDARY_ENABLE_VM_FUNCTIONS | SECONDARY_RDSEED_EXITING |                     \
		    SECONDARY_ENABLE_XSAVES | SECONDARY_MODE_BASED_EXECUTE |                       \
		    SECONDARY_USE_TSC_SCALING | SECONDARY_ENABLE_VPID |                            \
		    SECONDARY_ENABLE_USER_WAIT))

/* Within what the hardware allows: reserved bits as it wants them. */
static uint32_t allowed(const struct shadow_vcpu *v, enum vmx_control_word word, uint32_t value)
{
	uint64_t allowed = vmx_caps_allowed(v->l0.hw, word);

	return (value | (uint32_t)allowed) & (uint32_t)(allowed >> 32);
}

uint32_t merge_pin(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	uint32_t pin01 = (uint32_t)vmcs_get(v->l0.vmcs01, PIN_BASED_CONTROLS);

	return allowed(v, VMX_PIN, slot_pin(slot) | (pin01 & L0_PIN));
}

/* L1's unconditional exiting, else whichever bitmaps are in use (merged in bitmap.c). */
static uint32_t io_controls(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	if (slot_primary(slot) & (uint32_t)PRIMARY_USE_IO_BITMAPS)
		return (uint32_t)PRIMARY_USE_IO_BITMAPS;
	if (slot_primary(slot) & (uint32_t)PRIMARY_UNCONDITIONAL_IO_EXITING)
		return (uint32_t)PRIMARY_UNCONDITIONAL_IO_EXITING;
	return (uint32_t)vmcs_get(v->l0.vmcs01, PRIMARY_CONTROLS) & PRIMARY_IO_CONTROLS;
}

uint32_t merge_primary(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	uint32_t primary01 = (uint32_t)vmcs_get(v->l0.vmcs01, PRIMARY_CONTROLS);
	uint32_t primary = (slot_primary(slot) | (primary01 & L0_PRIMARY)) & ~PRIMARY_IO_CONTROLS;

	primary |= io_controls(v, slot);
	primary |= primary01 & (uint32_t)PRIMARY_USE_TSC_OFFSETTING;
	primary |= primary01 & (uint32_t)PRIMARY_ACTIVATE_SECONDARY;
	return allowed(v, VMX_PRIMARY, primary);
}

uint32_t merge_secondary(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	uint32_t secondary01 = (uint32_t)vmcs_get(v->l0.vmcs01, SECONDARY_CONTROLS);
	uint32_t secondary = slot_secondary(slot) & L1_SECONDARY;

	secondary |= secondary01 & (L0_SECONDARY | L0_TRACE | SECONDARY_ENABLE_EPT |
				    SECONDARY_USE_TSC_SCALING);
	if (!vpid02_of(v, slot))
		secondary &= ~(uint32_t)SECONDARY_ENABLE_VPID;
	if (v->hw_shadowing && v->linked)
		secondary |= SECONDARY_VMCS_SHADOWING;
	return allowed(v, VMX_SECONDARY, secondary);
}

/* Into L0's own mode; everything is saved that hardware can save, for VMCS12 or for the next entry.
 */
uint32_t merge_exit_controls(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	uint32_t exit01 = (uint32_t)vmcs_get(v->l0.vmcs01, EXIT_CONTROLS);
	uint32_t exit = exit01 | EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_PAT | EXIT_SAVE_EFER;

	exit |= EXIT_CLEAR_BNDCFGS;
	exit |= slot_exit_controls(slot) & EXIT_ACK_INTERRUPT;
	if (slot_pin(slot) & PIN_PREEMPTION_TIMER)
		exit |= EXIT_SAVE_PREEMPTION_TIMER;
	return allowed(v, VMX_EXIT_CONTROLS, exit);
}

/* Every loadable MSR comes from a field: from VMCS12's if L1 asks for the load, else from what L1
 * has. MSRs that L0 leaves alone need no field for that. */
uint32_t merge_entry_controls(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	uint32_t entry = ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER |
			 ENTRY_LOAD_BNDCFGS;

	entry |= slot_entry_controls(slot) &
		 (ENTRY_IA32E_MODE_GUEST | ENTRY_LOAD_PERF_GLOBAL_CTRL | ENTRY_LOAD_PKRS |
		  ENTRY_LOAD_CET);
	entry |= (uint32_t)vmcs_get(v->l0.vmcs01, ENTRY_CONTROLS) &
		 (ENTRY_LOAD_RTIT_CTL | ENTRY_CONCEAL_VMX_FROM_PT);
	/* L0's list is loaded last, and may name this one: then L0 is told, msr_list.c. */
	if (vmcs_get(v->l0.vmcs01, ENTRY_MSR_LOAD_COUNT))
		entry &= ~(uint32_t)ENTRY_LOAD_PERF_GLOBAL_CTRL;
	return allowed(v, VMX_ENTRY_CONTROLS, entry);
}
