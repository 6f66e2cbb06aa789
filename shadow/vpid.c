/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VPIDs of L2. Rules: SDM 3C "Operations that Invalidate Cached Mappings".
 */
#include "shadow/vpid.h"

#include "shadow/sdm/msr.h"

static bool hw_has_vpid(const struct shadow_vcpu *v)
{
	return vmx_features_have(v->l0.hw->features, VMX_FEATURE_VPID) &&
	       vmx_features_have(v->l0.hw->features, VMX_FEATURE_INVVPID);
}

static uint16_t shifted(uint16_t vpid12)
{
	return vpid12 == UINT16_MAX ? 0 : (uint16_t)(vpid12 + 1);
}

uint16_t vpid02_of(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	if (!hw_has_vpid(v) || !(slot_secondary(slot) & SECONDARY_ENABLE_VPID))
		return 0;
	return shifted((uint16_t)vmcs_get(&slot->v12, VPID));
}

void vpid02_invalidate(struct shadow_vcpu *v, unsigned type, uint16_t vpid12, uint64_t linear)
{
	uint16_t vpid02 = shifted(vpid12);

	if (!hw_has_vpid(v))
		return;
	if (type == INVVPID_ALL)
		v->env->invvpid(v->env, INVVPID_ALL, 0, 0);
	else if (vpid02)
		v->env->invvpid(v->env, type, vpid02, linear);
}

bool vpid02_must_flush(const struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	return hw_has_vpid(v) && !(slot_secondary(slot) & SECONDARY_ENABLE_VPID);
}

void vpid02_flush_l1(struct shadow_vcpu *v)
{
	v->env->invvpid(v->env, INVVPID_SINGLE, VPID01, 0);
}
