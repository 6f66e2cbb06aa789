/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The MSR-load and MSR-store areas of a VMCS12, processed by software so that no MSR is touched
 * that L1 itself may not touch. MSRs that a VMCS carries go to that VMCS's field.
 */
#ifndef SHADOW_MSR_LIST_H
#define SHADOW_MSR_LIST_H

#include "shadow/slot.h"

/* VM-entry load area, VMCS02 current. 0, or the number (from 1) of the entry that failed. */
unsigned msr_list_load_entry(struct shadow_vcpu *v, struct shadow_slot *slot);
/* At an entry, VMCS02 current: has the hardware store the TSC where L1's VM-exit store area asks
 * for it, since a later reading would count L0's own time. */
void msr_list_store_tsc(struct shadow_vcpu *v, struct shadow_slot *slot);
/* VM-exit store area, VMCS02 current. false: VMX abort. */
bool msr_list_store_exit(struct shadow_vcpu *v, struct shadow_slot *slot);
/* VM-exit load area, VMCS01 current. false: VMX abort. */
bool msr_list_load_exit(struct shadow_vcpu *v, struct shadow_slot *slot);

#endif
