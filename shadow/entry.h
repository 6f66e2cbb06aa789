/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VM entry as L1 executes it: VMLAUNCH and VMRESUME on a VMCS12.
 */
#ifndef SHADOW_ENTRY_H
#define SHADOW_ENTRY_H

#include "shadow/merge.h"

/* L1's VMLAUNCH or VMRESUME, checks for #UD and #GP included. VMCS01 is current before. */
enum shadow_next entry_emulate(struct shadow_vcpu *v, bool launch);

/* Writes L2's guest state to VMCS02, which is current. v->l1 is up to date. */
void guest02_push(struct shadow_vcpu *v, struct shadow_slot *slot);
/* After an exit that L1 does not hear of, where VMCS02 holds what an entry would load and no exit
 * has saved: L2's VMX-preemption timer has counted meanwhile, too, and L2 may have written
 * IA32_PERF_GLOBAL_CTRL. For a slot with EXTRA_TIMER or EXTRA_PERF; VMCS02 is current. */
void guest02_go_on(struct shadow_vcpu *v, struct shadow_slot *slot);
/* L2 uses PAE paging, so that the PDPTE fields mean something. */
bool guest02_uses_pdptes(const struct shadow_slot *slot);
/* Without EPT12: loads L2's PDPTEs from L1's memory as MOV to CR3 would. false: one is invalid. */
bool guest02_load_pdptes(struct shadow_vcpu *v, struct shadow_slot *slot);

/* Makes VMCS02 for a slot that has none: HOST fields are L0's. Leaves it current. false: out of
 * pages. */
bool vmcs02_create(struct shadow_vcpu *v, struct shadow_slot *slot);

/* The checks on VMCS12 that the hardware cannot make on VMCS02. Returns VMX_DO_ENTRY if they hold.
 * VMCS01 is current if there is anything to check. */
struct vmx_result checks12_controls_and_host(struct shadow_vcpu *v, struct shadow_slot *slot);
/* Guest-state checks. 0: they hold, else the exit qualification + 1 of the failed entry. Sets
 * v->linked. */
unsigned checks12_guest(struct shadow_vcpu *v, struct shadow_slot *slot);
/* The same with those that the hardware will make on VMCS02, for an entry that fails before it gets
 * there. */
unsigned checks12_guest_registers(struct shadow_vcpu *v, struct shadow_slot *slot);

#endif
