/* SPDX-License-Identifier: BSD-2-Clause
 *
 * "Loading Host State" for L1: VMCS12's HOST fields become VMCS01's guest state.
 */
#ifndef SHADOW_HOST_STATE_H
#define SHADOW_HOST_STATE_H

#include "shadow/slot.h"

/* What L1 takes over from L2 where VMCS12's exit controls load nothing. */
struct l2_leftover {
	uint64_t efer, pat, bndcfgs;
	bool nmi_blocked; /* L1 is to find NMIs blocked */
};

/* VMCS01 is current. false: VMX abort (v->dead is set). */
bool host_state_load(struct shadow_vcpu *v, struct shadow_slot *slot, const struct l2_leftover *l2);

#endif
