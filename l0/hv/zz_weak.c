/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Until nested VMX is linked in: L1 has none.
 */
#include "l0/hv/hv.h"

static bool launched_dummy;
__attribute__((weak)) bool shadow_init(struct shadow_vcpu *v, const struct shadow_l0 *l0) { v->launched = l0->vmcs01_launched; (void)launched_dummy; return true; }
__attribute__((weak)) bool shadow_rdmsr(const struct shadow_vcpu *v, uint32_t msr, uint64_t *value) { return false; }
__attribute__((weak)) bool shadow_wrmsr(struct shadow_vcpu *v, uint32_t msr, uint64_t value) { return false; }
__attribute__((weak)) bool shadow_cr0_allowed(const struct shadow_vcpu *v, uint64_t cr0) { return true; }
__attribute__((weak)) bool shadow_cr4_allowed(const struct shadow_vcpu *v, uint64_t cr4) { return true; }
__attribute__((weak)) enum shadow_next shadow_l1_vmx_insn(struct shadow_vcpu *v, struct shadow_regs *regs, uint32_t reason) { v->dead = "no VMX"; return SHADOW_DEAD; }
__attribute__((weak)) enum shadow_next shadow_l2_exit(struct shadow_vcpu *v, struct shadow_regs *regs, uint32_t reason) { return SHADOW_DEAD; }
__attribute__((weak)) void shadow_l2_absorbed(struct shadow_vcpu *v) { }
__attribute__((weak)) enum shadow_next shadow_entry_failed(struct shadow_vcpu *v, const struct vmx_result *result) { return SHADOW_DEAD; }
