/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L1's own paging, walked in software to reach the memory operand of a VMX instruction.
 */
#ifndef SHADOW_WALK_H
#define SHADOW_WALK_H

#include "shadow/shadow.h"

/* Copies `length` bytes between L1's linear memory and `buffer`, as a supervisor-mode access of the
 * instruction that exited. VMCS01 is current. Succeeds, or #PF (CR2 is set). Where L1 has no RAM,
 * reads give all ones and writes are lost. Nothing is transferred on a fault. */
struct vmx_result l1_linear_read(struct shadow_vcpu *v, uint64_t linear, void *buffer,
				 unsigned length);
struct vmx_result l1_linear_write(struct shadow_vcpu *v, uint64_t linear, const void *buffer,
				  unsigned length);

#endif
