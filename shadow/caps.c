/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What L1 is offered: what the machine has, less what shadow/ does not carry, plus what it does by
 * software alone. The MSRs follow from the features by shadow/sdm/caps.c, but for facts that are
 * the machine's.
 */
#include "shadow/shadow.h"

#include "shadow/sdm/msr.h"

#define F(name) VMX_FEATURE_BIT(VMX_FEATURE_##name)

/* Not carried: L0 has no SGX state to switch. */
#define NOT_CARRIED F(ENCLS_EXITING)
/* Carried only where traces go to guest-physical addresses: EPT keeps them out of L0's memory. */
#define INTEL_PT (F(CONCEAL_PT) | F(PT_GPA) | F(RTIT_CTL) | F(PT_IN_VMX))
#define EPT02_WIDTH 48 /* EPT02 has four levels, whatever EPT12 has */

/* Without help from the machine: VMREAD and VMWRITE always have an emulation. */
#define BY_SOFTWARE (F(VMCS_SHADOWING) | F(VMWRITE_ANY_FIELD))

/* Done by software on top of EPT, if EPT12 is composed at all. */
#define BY_SOFTWARE_WITH_EPT (F(INVEPT) | F(EPT_VE))

/* Each needs the other feature of the machine to be carried through exits that L0 absorbs. */
static vmx_features without_helpless(vmx_features f)
{
	if (!(f & F(SAVE_PREEMPTION_TIMER)))
		f &= ~F(PREEMPTION_TIMER);
	if (f & F(EPT_AD))
		f |= F(PML);
	else
		f &= ~F(PML);
	if (!(f & F(EPT)))
		f &= ~(F(INVEPT) | F(EPT_VE) | F(PML));
	if (!(f & F(PT_GPA)))
		f &= ~INTEL_PT;
	if (!(f & F(INVVPID)))
		f &= ~F(VPID);
	if (!(f & F(SECONDARY)))
		f &= ~F(VMCS_SHADOWING);
	return f;
}

void shadow_caps_offer(const struct vmx_caps *hw, struct vmx_caps *l1)
{
	vmx_features features = (hw->features & ~NOT_CARRIED) | BY_SOFTWARE;
	const uint64_t facts = VMX_MISC_PREEMPTION_SHIFT;

	if (hw->features & F(EPT))
		features |= BY_SOFTWARE_WITH_EPT;
	if (hw->maxphyaddr > EPT02_WIDTH)
		features &= ~F(EPT_WALK_5);
	*l1 = *hw;
	l1->features = without_helpless(features);
	vmx_caps_from_features(l1);
	vmx_cap(l1, MISC) = (vmx_cap(l1, MISC) & ~facts) | (vmx_cap(hw, MISC) & facts);
	vmx_cap(l1, CR0_FIXED0) = vmx_cap(hw, CR0_FIXED0);
	vmx_cap(l1, CR0_FIXED1) = vmx_cap(hw, CR0_FIXED1);
	vmx_cap(l1, CR4_FIXED0) = vmx_cap(hw, CR4_FIXED0);
	vmx_cap(l1, CR4_FIXED1) = vmx_cap(hw, CR4_FIXED1);
}
