/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMREAD and VMWRITE on a given VMCS of L1, operands taken from the guest of the current VMCS.
 */
#ifndef SHADOW_INSN_VMRW_H
#define SHADOW_INSN_VMRW_H

#include "shadow/operand.h"
#include "shadow/slot.h"

struct vmx_result vmrw_vmread(struct shadow_vcpu *v, struct shadow_regs *regs,
			      struct shadow_slot *slot);
struct vmx_result vmrw_vmwrite(struct shadow_vcpu *v, struct shadow_regs *regs,
			       struct shadow_slot *slot);

#endif
