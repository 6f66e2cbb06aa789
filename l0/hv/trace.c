/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intel Processor Trace is the guest's, and writes to memory by itself. It is offered only where
 * the hardware takes its addresses for guest-physical ones ("Intel PT uses guest physical
 * addresses"), so that EPT keeps it out of ours; VM entries switch it on for the guest and VM exits
 * off, by a field of the VMCS. Elsewhere its registers are absent, and IA32_XSS has no bit for it.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"

#define XSS_PT BIT64(8)

bool trace_is_safe(void)
{
	return machine_has(&hv.machine, VMX_FEATURE_PT_GPA);
}

bool trace_read_msr(uint32_t msr, uint64_t *value)
{
	if (msr == MSR_IA32_XSS)
		return hw_try_rdmsr(msr, value);
	if (!trace_is_safe() || !hw_try_rdmsr(msr, value))
		return false;
	if (msr == MSR_IA32_RTIT_CTL)
		*value = hw_vmread(VMCS_GUEST_IA32_RTIT_CTL);
	return true;
}

/* SDM 3C "IA32_RTIT_CTL MSR": what the CPU refuses with TraceEn = 0 it refuses anyway. While
 * TraceEn is 1 only that may change; here, in VMX root operation, it is 0. */
static bool write_control(uint64_t old, uint64_t value)
{
	if ((old & value & RTIT_CTL_TRACE_EN) && old != value)
		return false;
	if (!hw_try_wrmsr(MSR_IA32_RTIT_CTL, value & ~RTIT_CTL_TRACE_EN))
		return false;
	hw_wrmsr(MSR_IA32_RTIT_CTL, 0);
	hw_vmwrite(VMCS_GUEST_IA32_RTIT_CTL, value);
	return true;
}

bool trace_write_msr(uint32_t msr, uint64_t value)
{
	uint64_t control;

	if (msr == MSR_IA32_XSS)
		return (trace_is_safe() || !(value & XSS_PT)) && hw_try_wrmsr(msr, value);
	if (!trace_is_safe())
		return false;
	control = hw_vmread(VMCS_GUEST_IA32_RTIT_CTL);
	if (msr == MSR_IA32_RTIT_CTL)
		return write_control(control, value);
	return !(control & RTIT_CTL_TRACE_EN) && hw_try_wrmsr(msr, value);
}
