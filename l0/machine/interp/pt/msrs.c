/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The registers of Intel Processor Trace and CPUID leaf 14H, SDM 3C "Enabling and Configuration
 * MSRs", "Detection of Intel Processor Trace". All but IA32_RTIT_CTL are read-only while TraceEn
 * is 1.
 */
#include "l0/machine/interp/pt/private.h"

#include <string.h>

#include "l0/machine/interp/canonical.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/vmx/vmx.h"

/* Encodings of fields of IA32_RTIT_CTL that exist. */
#define MTC_PERIODS 0x0249u
#define CYC_THRESHOLDS 0x3fffu
#define PSB_FREQUENCIES 0x003fu
#define RANGE_KINDS 0x7u

#define STATUS_WRITABLE                                                                            \
	(RTIT_STATUS_ERROR | RTIT_STATUS_STOPPED |                                                 \
	 RTIT_STATUS_BYTES_MASK << RTIT_STATUS_BYTES_SHIFT)
#define STATUS_READ_ONLY (RTIT_STATUS_FILTER_EN | RTIT_STATUS_CONTEXT_EN | RTIT_STATUS_TRIGGER_EN)
#define MASK_LOW UINT64_C(0x7f)

void pt_cpuid(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
	if (!cpu_has(cpu->profile, INTEL_PT))
		return;
	if (subleaf == 0) {
		out[CPUID_EAX] |= 1;
		out[CPUID_EBX] |= PT_CPUID_EBX;
		out[CPUID_ECX] |= PT_CPUID_ECX;
	} else if (subleaf == 1) {
		out[CPUID_EAX] |= MTC_PERIODS << 16 | PT_RANGES;
		out[CPUID_EBX] |= PSB_FREQUENCIES << 16 | CYC_THRESHOLDS;
	}
}

void pt_reset(struct cpu *cpu)
{
	memset(&cpu->pt, 0, sizeof(cpu->pt));
}

/* ---- IA32_RTIT_CTL ---- */

static bool exists(uint64_t ctl, unsigned shift, unsigned encodings)
{
	return encodings >> (ctl >> shift & 15) & 1;
}

bool pt_in_vmx(const struct cpu *cpu)
{
	return vmx_features_have(cpu->profile->caps.features, VMX_FEATURE_PT_IN_VMX);
}

static bool ctl_valid(const struct cpu *cpu, uint64_t value)
{
	if (value & ~PT_CTL_VALID)
		return false;
	for (unsigned i = 0; i < PT_RANGES; i++)
		if (!exists(value, RTIT_CTL_ADDR_CFG_SHIFT + 4 * i, RANGE_KINDS))
			return false;
	if ((value & RTIT_CTL_TRACE_EN) && cpu->vmx->on && !pt_in_vmx(cpu))
		return false;
	return exists(value, RTIT_CTL_MTC_FREQ_SHIFT, MTC_PERIODS) &&
	       exists(value, RTIT_CTL_CYC_THRESH_SHIFT, CYC_THRESHOLDS) &&
	       exists(value, RTIT_CTL_PSB_FREQ_SHIFT, PSB_FREQUENCIES);
}

static bool write_ctl(struct cpu *cpu, uint64_t value)
{
	uint64_t old = cpu->pt.msr.ctl;

	if (value == old)
		return true;
	if (!ctl_valid(cpu, value) || (old & value & RTIT_CTL_TRACE_EN))
		return false;
	if (old & RTIT_CTL_TRACE_EN)
		pt_stop(cpu);
	cpu->pt.msr.ctl = value;
	if (value & RTIT_CTL_TRACE_EN)
		pt_start(cpu);
	return true;
}

void pt_load_ctl(struct cpu *cpu, uint64_t value)
{
	cpu->pt.msr.ctl = value;
	if (value & RTIT_CTL_TRACE_EN)
		pt_start(cpu);
}

/* ---- the others ---- */

static uint64_t *slot(struct cpu *cpu, uint32_t msr)
{
	switch (msr) {
	case MSR_IA32_RTIT_OUTPUT_BASE:
		return &cpu->pt.msr.output_base;
	case MSR_IA32_RTIT_OUTPUT_MASK_PTRS:
		return &cpu->pt.msr.output_mask_ptrs;
	case MSR_IA32_RTIT_CTL:
		return &cpu->pt.msr.ctl;
	case MSR_IA32_RTIT_STATUS:
		return &cpu->pt.msr.status;
	case MSR_IA32_RTIT_CR3_MATCH:
		return &cpu->pt.msr.cr3_match;
	default:
		return msr - MSR_IA32_RTIT_ADDR0_A < 2 * PT_RANGES
			   ? &cpu->pt.msr.addr[msr - MSR_IA32_RTIT_ADDR0_A]
			   : NULL;
	}
}

static uint64_t enables(const struct cpu *cpu)
{
	const struct pt *pt = &cpu->pt;

	if (!pt->on)
		return 0;
	return RTIT_STATUS_TRIGGER_EN | (pt->context ? RTIT_STATUS_CONTEXT_EN : 0) |
	       (pt->filter ? RTIT_STATUS_FILTER_EN : 0);
}

bool pt_msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	const uint64_t *at = cpu_has(cpu->profile, INTEL_PT) ? slot(cpu, msr) : NULL;

	if (!at)
		return false;
	*value = *at;
	if (msr == MSR_IA32_RTIT_STATUS)
		*value |= enables(cpu);
	if (msr == MSR_IA32_RTIT_OUTPUT_MASK_PTRS)
		*value |= MASK_LOW;
	return true;
}

static bool valid(const struct cpu *cpu, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_IA32_RTIT_OUTPUT_BASE:
		return !(value & MASK_LOW) && !(value >> cpu->profile->caps.maxphyaddr);
	case MSR_IA32_RTIT_OUTPUT_MASK_PTRS:
		return true;
	case MSR_IA32_RTIT_CTL:
		return ctl_valid(cpu, value);
	case MSR_IA32_RTIT_STATUS:
		return !(value & ~(STATUS_WRITABLE | STATUS_READ_ONLY));
	case MSR_IA32_RTIT_CR3_MATCH:
		return !(value & 0x1f);
	default:
		return cpu_canonical_register(cpu, value);
	}
}

bool pt_msr_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	uint64_t *at = cpu_has(cpu->profile, INTEL_PT) ? slot(cpu, msr) : NULL;

	if (!at)
		return false;
	if (msr == MSR_IA32_RTIT_CTL)
		return write_ctl(cpu, value);
	if (pt_ctl(cpu, RTIT_CTL_TRACE_EN) || !valid(cpu, msr, value))
		return false;
	*at = msr == MSR_IA32_RTIT_STATUS ? value & STATUS_WRITABLE : value;
	return true;
}

/* ---- XSAVES, XRSTORS: SDM 1 "PT State" ---- */

uint64_t pt_disable(struct cpu *cpu)
{
	uint64_t ctl = cpu->pt.msr.ctl;

	if (ctl & RTIT_CTL_TRACE_EN)
		pt_stop(cpu);
	cpu->pt.msr.ctl &= ~RTIT_CTL_TRACE_EN;
	return ctl;
}

bool pt_state_valid(const struct cpu *cpu, const uint64_t state[9])
{
	static const uint32_t order[5 + 2 * PT_RANGES] = {
	    MSR_IA32_RTIT_CTL,	       MSR_IA32_RTIT_OUTPUT_BASE, MSR_IA32_RTIT_OUTPUT_MASK_PTRS,
	    MSR_IA32_RTIT_STATUS,      MSR_IA32_RTIT_CR3_MATCH,	  MSR_IA32_RTIT_ADDR0_A,
	    MSR_IA32_RTIT_ADDR0_A + 1, MSR_IA32_RTIT_ADDR0_A + 2, MSR_IA32_RTIT_ADDR0_A + 3,
	};

	if (pt_ctl(cpu, RTIT_CTL_TRACE_EN))
		return false;
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (!valid(cpu, order[i], state[i]))
			return false;
	return true;
}

void pt_restored(struct cpu *cpu)
{
	cpu->pt.msr.status &= STATUS_WRITABLE;
	if (pt_ctl(cpu, RTIT_CTL_TRACE_EN))
		pt_start(cpu);
}
