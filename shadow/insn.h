/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Handlers of L1's VMX instructions (rows in insns.def). A handler decides the outcome; insn.c
 * turns it into L1's RFLAGS, RIP, fault, or entry to L2.
 */
#ifndef SHADOW_INSN_H
#define SHADOW_INSN_H

#include "shadow/shadow.h"

#define INSN(reason, handler, vmx)                                                                 \
	struct vmx_result handler(struct shadow_vcpu *v, struct shadow_regs *regs);
#include "shadow/insns.def"
#undef INSN

/* Gives L1 the outcome of its instruction (not VMX_DO_ENTRY, VMX_DO_EXIT). VMCS01 is current. */
enum shadow_next insn_finish(struct shadow_vcpu *v, const struct vmx_result *r);

#endif
