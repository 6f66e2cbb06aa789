/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VM-entry checks on VMCS12. Controls and host state differ in VMCS02, so they are checked here,
 * but only if something changed since they last held. Guest state goes to VMCS02 as it is, where
 * the hardware checks it; left over are the VMCS link pointer, and everything if an MSR-load area
 * would take effect before the hardware gets to check.
 */
#include "shadow/entry.h"

#include <string.h>

#include "shadow/checks/checks.h"
#include "shadow/sdm/msr.h"

static bool read_phys32(void *opaque, uint64_t address, uint32_t *value)
{
	struct shadow_vcpu *v = opaque;
	const void *p = v->env->pointer(v->env, (struct l1_gpa){address}, sizeof(*value));

	if (p)
		memcpy(value, p, sizeof(*value));
	return p;
}

static struct vmx_check_env check_env(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	struct shadow_env *env = v->env;
	struct vmx_check_env c = {
	    .vmcs = &slot->v12,
	    .caps = &v->caps,
	    .cr0 = env->vmcs_read(env, VMCS_GUEST_CR0),
	    .cr4 = env->vmcs_read(env, VMCS_GUEST_CR4),
	    .current_vmcs = slot->address.value,
	    .read_phys32 = read_phys32,
	    .opaque = v,
	};

	if (vmx_features_have(v->l0.hw->features, VMX_FEATURE_EFER))
		c.efer = env->vmcs_read(env, VMCS_GUEST_IA32_EFER);
	else if (env->vmcs_read(env, VMCS_GUEST_CS_ACCESS_RIGHTS) & AR_L)
		c.efer = EFER_LMA | EFER_LME;
	if (vmx_features_have(v->l0.hw->features, VMX_FEATURE_RTIT_CTL))
		c.tracing = env->vmcs_read(env, VMCS_GUEST_IA32_RTIT_CTL) & RTIT_CTL_TRACE_EN;
	return c;
}

/* Interrupt windows come and go; no check depends on them. */
#define HARMLESS_PRIMARY ((uint32_t)PRIMARY_INTERRUPT_WINDOW_EXITING)

static bool must_check_controls(const struct shadow_slot *slot)
{
	return (slot->dirty & DIRTY_CHECKS) ||
	       ((slot->seen_primary ^ slot_primary(slot)) & ~HARMLESS_PRIMARY);
}

static struct vmx_result refuse(struct shadow_vcpu *v, const struct vmx_check *check,
				enum vmx_error error)
{
	v->failed_check = check;
	if (v->env->note)
		v->env->note(v->env, check->name, error, 0);
	return result_fail_valid(error);
}

struct vmx_result checks12_controls_and_host(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const struct vmx_check *check = NULL;
	bool controls = must_check_controls(slot), host = slot->dirty & DIRTY_CHECKS_HOST;
	struct vmx_check_env env;

	if (!controls && !host)
		return (struct vmx_result){.outcome = VMX_DO_ENTRY};
	env = check_env(v, slot);
	if (controls)
		check = vmx_checks_run(VMX_CHECK_CONTROLS, &env);
	if (check)
		return refuse(v, check, VMX_ERROR_ENTRY_CONTROLS);
	if (host)
		check = vmx_checks_run(VMX_CHECK_HOST, &env);
	if (check)
		return refuse(v, check, VMX_ERROR_ENTRY_HOST_STATE);
	slot->dirty &= ~(uint32_t)(DIRTY_CHECKS | DIRTY_CHECKS_HOST);
	return (struct vmx_result){.outcome = VMX_DO_ENTRY};
}

/* SDM 3C "Checks on Guest Non-Register State", VMCS link pointer. Finds the VMCS behind it, too. */
static bool link_pointer_holds(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint64_t link = vmcs_get(&slot->v12, VMCS_LINK_POINTER);
	bool shadowing = slot_secondary(slot) & SECONDARY_VMCS_SHADOWING;
	uint32_t revision = UINT32_MAX;

	v->linked = NULL;
	if (link == UINT64_MAX)
		return true;
	if (PAGE_OFFSET(link) || link >> v->caps.maxphyaddr || link == slot->address.value)
		return false;
	read_phys32(v, link, &revision);
	if (revision != (VMCS_REVISION | (shadowing ? VMCS_SHADOW_INDICATOR : 0)))
		return false;
	if (shadowing)
		v->linked = slot_get(v, (struct l1_gpa){link});
	return !shadowing || v->linked;
}

unsigned checks12_guest_registers(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const struct vmx_check *check;
	struct vmx_check_env env;

	v->env->vmptrld(v->env, &v->l0.vmcs01_hpa);
	env = check_env(v, slot);
	check = vmx_checks_run(VMX_CHECK_GUEST, &env);
	if (!check)
		return 0;
	v->failed_check = check;
	if (v->env->note)
		v->env->note(v->env, check->name, VMX_CHECK_GUEST, check->qualification);
	return check->qualification + 1u;
}

unsigned checks12_guest(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const unsigned invalid_link = 4;

	if (vmcs_get(&slot->v12, ENTRY_MSR_LOAD_COUNT)) {
		unsigned failed;

		(void)slot_fetch_rare(v, slot);
		failed = checks12_guest_registers(v, slot);
		if (failed)
			return failed;
	}
	return link_pointer_holds(v, slot) ? 0 : invalid_link + 1;
}
