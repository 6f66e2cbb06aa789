/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MPX is the guest's. VM entries load IA32_BNDCFGS and exits clear it, else our own branches would
 * clear the guest's bound registers (SDM 1 "CALL, RET, JMP and All Jcc"); on a CPU that cannot do
 * that the guest sees no MPX. Bound registers, BNDCFGU and BNDSTATUS are extended state, which we
 * never touch, but for INIT. As long as the guest has had nothing but 0 in IA32_BNDCFGS, which its
 * first other WRMSR tells, nested transitions need not carry it.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "shadow/sdm/cpuid.h"

#define XCR0_MPX UINT64_C(0x18)
#define XSAVE_LEGACY UINT32_C(576) /* the legacy region and the header */

static bool hidden;

void mpx_init(void)
{
	bool there = hw_cpuid(0, 0).eax >= CPUID_XSTATE && (hw_cpuid(CPUID_STRUCTURED, 0).ebx & CPUID_STRUCTURED_EBX_MPX);

	hidden = there && !machine_has(&hv.machine, VMX_FEATURE_BNDCFGS);
}

/* Bytes of an XSAVE area, in the standard format, with all components of `valid`. */
static uint32_t area_size(uint32_t valid)
{
	uint32_t size = XSAVE_LEGACY;

	for (uint32_t i = 2; i < 32; i++) {
		struct cpuid_regs r = {0};

		if (valid >> i & 1)
			r = hw_cpuid(CPUID_XSTATE, i);
		if (r.eax + r.ebx > size)
			size = r.eax + r.ebx;
	}
	return size;
}

void mpx_hide(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	if (!hidden)
		return;
	if (leaf == CPUID_STRUCTURED && !subleaf) {
		out->ebx &= ~CPUID_STRUCTURED_EBX_MPX;
	} else if (leaf == CPUID_XSTATE && !subleaf) {
		out->eax &= ~(uint32_t)XCR0_MPX;
		out->ecx = area_size(out->eax);
	} else if (leaf == CPUID_XSTATE && subleaf < 32 && XCR0_MPX >> subleaf & 1) {
		*out = (struct cpuid_regs){0};
	}
}

bool mpx_is_hidden(void)
{
	return hidden;
}

bool mpx_allows_xcr0(uint64_t value)
{
	return !hidden || !(value & XCR0_MPX);
}

bool mpx_read_msr(uint64_t *value)
{
	return !hidden && (hw_try_vmread(VMCS_GUEST_IA32_BNDCFGS, value) ||
			   hw_try_rdmsr(MSR_IA32_BNDCFGS, value));
}

/* SDM 1 "Read and Write of IA32_BNDCFGS": by what the CPU supports, whatever the mode. */
static bool is_valid(uint64_t value)
{
	return !(value & BNDCFG_RESERVED) && vmx_caps_canonical(&hv.machine.caps, value);
}

bool mpx_write_msr(struct vcpu *vcpu, uint64_t value)
{
	if (hidden)
		return false;
	if (!machine_has(&hv.machine, VMX_FEATURE_BNDCFGS))
		return hw_try_wrmsr(MSR_IA32_BNDCFGS, value);
	if (!is_valid(value))
		return false;
	hw_vmwrite(VMCS_GUEST_IA32_BNDCFGS, value);
	if (value) {
		shadow_bndcfgs_used(&vcpu->shadow);
		msr_intercept_write(vcpu, MSR_IA32_BNDCFGS, false);
		shadow_l0_changed(&vcpu->shadow);
	}
	return true;
}

/* SDM 1 "Bounds Registers", "Configuration and Status Registers": INIT clears them all. XRSTOR of
 * components that the header does not have. */
void mpx_reset(void)
{
	static const uint8_t area[XSAVE_LEGACY] __attribute__((aligned(64)));
	uint64_t xcr0;

	if (!machine_has(&hv.machine, VMX_FEATURE_BNDCFGS))
		return;
	hw_vmwrite(VMCS_GUEST_IA32_BNDCFGS, 0);
	xcr0 = hw_xgetbv(0);
	if (!hw_try_xsetbv(0, xcr0 | XCR0_MPX))
		return;
	hw_xrstor(area, XCR0_MPX);
	if (!hw_try_xsetbv(0, xcr0))
		hv_panic("XCR0 does not take back %lx", xcr0);
}
