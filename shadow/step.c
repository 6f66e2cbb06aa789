/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One step of L2 for L0's sake. It executes an I/O instruction that L0 intercepts and L1 does not,
 * or takes the event that an NMI has to wait for, and exits behind it. VMCS02's control word is
 * L0's own for that long; should an exit of L1's come first, L1's next entry merges it anew.
 */
#include "shadow/step.h"

#include "shadow/merge.h"
#include "shadow/route.h"

bool step_l2(struct shadow_vcpu *v, uint32_t without)
{
	struct shadow_slot *slot = v->current;
	uint32_t primary = merge_primary(v, slot) & ~without;

	if (!vmx_features_have(v->l0.hw->features, VMX_FEATURE_MONITOR_TRAP_FLAG))
		return false;
	push02_by_name(v, slot, PRIMARY_CONTROLS, primary | (uint32_t)PRIMARY_MONITOR_TRAP_FLAG);
	slot->dirty |= DIRTY_CONTROLS;
	slot->stepping = true;
	return true;
}

bool shadow_l2_step(struct shadow_vcpu *v)
{
	return step_l2(v, PRIMARY_IO_CONTROLS);
}

enum route first_monitor_trap_flag(struct l2_exit *x)
{
	if (!x->slot->stepping)
		return ROUTE_ASK;
	x->slot->stepping = false;
	push02_by_name(x->v, x->slot, PRIMARY_CONTROLS, merge_primary(x->v, x->slot));
	return slot_primary(x->slot) & (uint32_t)PRIMARY_MONITOR_TRAP_FLAG ? ROUTE_ASK : ROUTE_DONE;
}
