/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMFUNC of L2. VMCS02 enables VM functions with an empty set of them, so that each VMFUNC exits;
 * EPTP switching is done here on VMCS12. SDM 3C "EPTP Switching".
 */
#include "shadow/ept02.h"
#include "shadow/merge.h"
#include "shadow/route.h"

#define VMFUNC_EPTP_SWITCHING 0
#define EPTP_LIST_ENTRIES 512

/* The new EPTP12, or 0 (never valid) if the function has to exit to L1. */
static uint64_t chosen_eptp(struct l2_exit *x)
{
	uint64_t list = vmcs_get(&x->slot->v12, EPTP_LIST_ADDRESS);
	uint32_t index = (uint32_t)x->regs->gpr[REG_RCX];
	const uint64_t *entry;

	if ((uint32_t)x->regs->gpr[REG_RAX] != VMFUNC_EPTP_SWITCHING || index >= EPTP_LIST_ENTRIES)
		return 0;
	if (!(vmcs_get(&x->slot->v12, VM_FUNCTION_CONTROLS) & BIT64(VMFUNC_EPTP_SWITCHING)))
		return 0;
	entry = x->v->env->pointer(x->v->env, (struct l1_gpa){list + 8 * index}, 8);
	return entry && vmx_caps_eptp_valid(&x->v->caps, *entry) ? *entry : 0;
}

enum route first_vmfunc(struct l2_exit *x)
{
	uint64_t eptp12 = chosen_eptp(x), eptp02;

	if (!eptp12 || !slot_has_ept12(x->slot))
		return ROUTE_ASK;
	vmcs_set(&x->slot->v12, EPT_POINTER, eptp12);
	if (!ept02_find(x->v, eptp12, &eptp02)) {
		x->v->dead = "L0's page pool is too small for EPTP switching";
		return ROUTE_DONE;
	}
	push02_by_name(x->v, x->slot, EPT_POINTER, eptp02);
	if (slot_secondary(x->slot) & SECONDARY_EPT_VIOLATION_VE)
		vmcs_set(&x->slot->v12, EPTP_INDEX, (uint16_t)x->regs->gpr[REG_RCX]);
	shadow_skip_insn(x->v->env);
	return ROUTE_DONE;
}
