/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's own paging, walked in software to reach the memory operand of a VMX instruction:
 * L1's, or while in_l2 L2's and below it EPT12.
 */
#ifndef SHADOW_WALK_H
#define SHADOW_WALK_H

#include "shadow/shadow.h"

/* Copies `length` bytes between the guest's linear memory and `buffer`, as a supervisor-mode access
 * of the instruction that exited. The guest's VMCS is current. Succeeds; or #PF, with
 * v->fault_linear and, for L1, CR2 set; or VMX_DO_EXIT: EPT12 does not allow it. Where L1 has no
 * RAM, reads give all ones and writes are lost. Nothing is transferred unless it succeeds. */
struct vmx_result l1_linear_read(struct shadow_vcpu *v, uint64_t linear, void *buffer,
				 unsigned length);
struct vmx_result l1_linear_write(struct shadow_vcpu *v, uint64_t linear, const void *buffer,
				  unsigned length);

#endif
