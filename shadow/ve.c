/* SPDX-License-Identifier: BSD-2-Clause
 *
 * #VE. SDM 3C "Virtualization Exceptions": which EPT violations are convertible, and what the
 * virtualization-exception information area holds.
 */
#include "shadow/ve.h"

/* The area, in L1's memory. `busy` not 0 means that software still handles the last one. */
struct ve_info {
	uint32_t reason;
	uint32_t busy;
	uint64_t qualification;
	uint64_t linear;
	uint64_t gpa;
	uint16_t eptp_index;
};

static struct ve_info *area_of(struct l2_exit *x)
{
	struct l1_gpa gpa = {vmcs_get(&x->slot->v12, VIRTUALIZATION_EXCEPTION_INFO)};

	return x->v->env->pointer(x->v->env, gpa, sizeof(struct ve_info));
}

static bool is_convertible(struct l2_exit *x, const struct ept12_walk *w)
{
	struct shadow_env *env = x->v->env;

	return (slot_secondary(x->slot) & SECONDARY_EPT_VIOLATION_VE) && !w->suppress_ve &&
	       (env->vmcs_read(env, VMCS_GUEST_CR0) & CR0_PE) &&
	       !(env->vmcs_read(env, VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID);
}

static void fill_area(struct l2_exit *x, struct ve_info *area, struct l2_gpa gpa)
{
	struct shadow_env *env = x->v->env;

	area->reason = EXIT_REASON_EPT_VIOLATION;
	area->busy = UINT32_MAX;
	area->qualification = x->as.qualification;
	area->linear = env->vmcs_read(env, VMCS_GUEST_LINEAR_ADDRESS);
	area->gpa = gpa.value;
	area->eptp_index = (uint16_t)vmcs_get(&x->slot->v12, EPTP_INDEX);
}

enum route ve_convert(struct l2_exit *x, const struct ept12_walk *w, struct l2_gpa gpa)
{
	const struct vmx_result ve = {.outcome = VMX_FAULT, .vector = VECTOR_VE};
	struct ve_info *area = is_convertible(x, w) ? area_of(x) : NULL;

	if (!area || area->busy)
		return ROUTE_L1;
	fill_area(x, area, gpa);
	return route_fault(x, &ve);
}
