/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reflection: an exit of L2 becomes an exit of L1's guest, as VMCS12 and VMCS01 will show it.
 */
#ifndef SHADOW_REFLECT_H
#define SHADOW_REFLECT_H

#include "shadow/slot.h"
#include "shadow/vpid.h"

/* What L1 is told. Normally what the hardware said; an exit that L0 makes up for L1 differs. */
enum reflect_given {
	GIVEN_QUALIFICATION = 1,
	GIVEN_INTERRUPTION = 2,
	GIVEN_NO_VECTORING = 4, /* between instructions: VMCS02 tells of an earlier exit */
};
struct reflect_as {
	uint32_t reason;
	uint8_t given; /* enum reflect_given: what does not come from VMCS02 */
	uint64_t qualification;
	uint32_t interruption, error_code; /* the latter if interruption has INTR_INFO_ERROR_CODE */
};

/* VMCS02 is current before, VMCS01 after. v->dead is set on a VMX abort. */
void reflect_exit(struct shadow_vcpu *v, const struct reflect_as *as);

/* A VM entry of L1 that failed after the checks on controls and host state: reasons 33, 34, 41. Any
 * VMCS is current before, VMCS01 after. */
void reflect_failed_entry(struct shadow_vcpu *v, enum vmx_exit_reason reason,
			  uint64_t qualification);

#endif
