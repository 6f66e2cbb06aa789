/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L2's exits: route each, then reflect it, absorb it, or hand it to L0.
 */
#include "shadow/route.h"
#include "shadow/step.h"
#include "shadow/vcpu.h"

#include "shadow/insn.h"

static enum shadow_next to_l1(struct shadow_vcpu *v)
{
	return v->dead ? SHADOW_DEAD : SHADOW_RESUME_L1;
}

enum shadow_next shadow_l2_exit(struct shadow_vcpu *v, struct shadow_regs *regs, uint32_t reason)
{
	struct l2_exit x = {.v = v, .slot = v->current, .regs = regs, .as = {.reason = reason}};

	if (reason & EXIT_REASON_ENTRY_FAILURE) {
		reflect_failed_entry(v, (enum vmx_exit_reason)(reason & EXIT_REASON_BASIC),
				     v->env->vmcs_read(v->env, VMCS_EXIT_QUALIFICATION));
		return to_l1(v);
	}
	v->launching = false;
	switch (route_l2_exit(&x)) {
	case ROUTE_L1:
		reflect_exit(v, &x.as);
		return to_l1(v);
	case ROUTE_DONE:
		shadow_l2_absorbed(v);
		return v->dead ? SHADOW_DEAD : SHADOW_RESUME_L2;
	default:
		return SHADOW_L0;
	}
}

/* Something waits for what is injected now, or for MOV SS: L2 exits right behind that. Without the
 * monitor trap flag its next exit has to do. */
static void ask_again(struct shadow_vcpu *v)
{
	uint32_t info = (uint32_t)v->env->vmcs_read(v->env, VMCS_ENTRY_INTERRUPTION_INFO);

	/* An MTF VM exit that L1 injects comes by itself, and is L1's. */
	if ((info & INTR_INFO_VALID) &&
	    (info & INTR_INFO_TYPE) == INTR_TYPE_OTHER_EVENT << INTR_INFO_TYPE_SHIFT)
		return;
	(void)step_l2(v, 0);
}

static bool waits_for_sipi(struct shadow_env *env)
{
	return env->vmcs_read(env, VMCS_GUEST_ACTIVITY_STATE) == ACTIVITY_WAIT_SIPI;
}

/* For as long as L2 runs: SDM 3C "Interruptibility State" (VM entry; with "NMI exiting" alone no
 * IRET of L2 ends it), "Other Causes of VM Exits". */
static bool nmis_are_blocked(struct shadow_vcpu *v)
{
	struct shadow_env *env = v->env;

	return waits_for_sipi(env) ||
	       (!(slot_pin(v->current) & PIN_VIRTUAL_NMIS) &&
		(env->vmcs_read(env, VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI));
}

enum shadow_nmi shadow_l2_nmi(struct shadow_vcpu *v)
{
	struct shadow_env *env = v->env;
	const struct reflect_as nmi = {
	    .reason = EXIT_REASON_EXCEPTION_OR_NMI,
	    .given = GIVEN_QUALIFICATION | GIVEN_INTERRUPTION | GIVEN_NO_VECTORING,
	    .interruption =
		INTR_INFO_VALID | INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT | VECTOR_NMI,
	};

	if (!(slot_pin(v->current) & PIN_NMI_EXITING))
		return SHADOW_NMI_GUEST;
	if (nmis_are_blocked(v))
		return SHADOW_NMI_LATER;
	if (env->vmcs_read(env, VMCS_ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID ||
	    env->vmcs_read(env, VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_MOV_SS) {
		ask_again(v);
		return SHADOW_NMI_LATER;
	}
	v->launching = false;
	reflect_exit(v, &nmi);
	return SHADOW_NMI_EXITED;
}

bool shadow_l2_init(struct shadow_vcpu *v)
{
	struct shadow_env *env = v->env;
	const struct reflect_as init = {
	    .reason = EXIT_REASON_INIT_SIGNAL,
	    .given = GIVEN_QUALIFICATION | GIVEN_INTERRUPTION | GIVEN_NO_VECTORING,
	};

	if (env->vmcs_read(env, VMCS_ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID) {
		ask_again(v);
		return false;
	}
	if (waits_for_sipi(env))
		return false;
	v->launching = false;
	reflect_exit(v, &init);
	return true;
}

/* The hardware refused VMCS02. Its host state is L0's and its controls are merged from checked
 * ones, but the event that L1 injects is as L1 wrote it: that is what error 7 means here. */
enum shadow_next shadow_entry_failed(struct shadow_vcpu *v, const struct vmx_result *result)
{
	struct shadow_slot *slot = v->current;
	struct vmx_result r = result_fail_valid(VMX_ERROR_ENTRY_CONTROLS);

	if (result->outcome != VMX_FAIL_VALID || result->error != VMX_ERROR_ENTRY_CONTROLS) {
		v->dead = "the hardware refused VMCS02";
		return SHADOW_DEAD;
	}
	v->env->vmcs_write(v->env, VMCS_ENTRY_INTERRUPTION_INFO, 0);
	if (v->launching)
		slot->v12.launch_state = VMCS_STATE_CLEAR;
	v->env->vmptrld(v->env, &v->l0.vmcs01_hpa);
	v->in_l2 = false;
	v->linked = NULL;
	v->launched = v->l0.vmcs01_launched;
	return insn_finish(v, &r);
}
