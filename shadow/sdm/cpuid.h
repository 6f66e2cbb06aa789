/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Facts that VM-entry checks need and that no VMX capability MSR tells: which bits of an MSR exist,
 * from CPUID as the CPU answers it. Source: SDM 2A "CPUID-CPU Identification".
 */
#ifndef SHADOW_SDM_CPUID_H
#define SHADOW_SDM_CPUID_H

#include <stdint.h>

#include "shadow/sdm/msr.h"
#include "shadow/sdm/x86.h"

#define CPUID_FEATURES UINT32_C(1)
#define CPUID_FEATURES_ECX_PDCM BIT32(15)
#define CPUID_STRUCTURED UINT32_C(7)
#define CPUID_STRUCTURED_EBX_RTM BIT32(11)
#define CPUID_STRUCTURED_EBX_MPX BIT32(14)
#define CPUID_STRUCTURED_EBX_INTEL_PT BIT32(25)
#define CPUID_PERFMON UINT32_C(0xa)
#define CPUID_XSTATE UINT32_C(0xd)
#define CPUID_INTEL_PT UINT32_C(0x14)
#define CPUID_EXTENDED_FEATURES UINT32_C(0x80000001)
#define CPUID_EXTENDED_EDX_SYSCALL BIT32(11)
#define CPUID_EXTENDED_EDX_NX BIT32(20)
#define CPUID_EXTENDED_EDX_LM BIT32(29)

/* IA32_EFER, from EDX of leaf 80000001H. */
static inline uint64_t cpuid_efer_valid(uint32_t edx)
{
	return (edx & CPUID_EXTENDED_EDX_SYSCALL ? EFER_SCE : 0) |
	       (edx & CPUID_EXTENDED_EDX_LM ? EFER_LME | EFER_LMA : 0) |
	       (edx & CPUID_EXTENDED_EDX_NX ? EFER_NXE : 0);
}

/* IA32_PERF_GLOBAL_CTRL, from leaf 0AH:
 *   EAX 7:0 version | 15:8 general-purpose counters; EDX 4:0 fixed counters, from version 2 on
 * A counter's bit is its number; the fixed ones start at bit 32. */
static inline uint64_t cpuid_perf_global_ctrl_valid(uint32_t eax, uint32_t edx)
{
	uint32_t version = eax & 0xff, general = eax >> 8 & 0xff;
	uint32_t fixed = version > 1 ? edx & 31 : 0;
	uint64_t low = general < 32 ? BIT64(general) - 1 : UINT32_MAX;

	return version ? low | (BIT64(fixed) - 1) << 32 : 0;
}

/* IA32_DEBUGCTL: freezing on a performance-monitoring interrupt comes with IA32_PERF_CAPABILITIES
 * (PDCM) and version 2, debugging of transactions with RTM. */
static inline uint64_t cpuid_debugctl_valid(uint32_t pdcm, uint32_t perfmon_eax, uint32_t rtm)
{
	uint64_t freeze = DEBUGCTL_FREEZE_LBRS_ON_PMI | DEBUGCTL_FREEZE_PERFMON_ON_PMI;

	return DEBUGCTL_LBR | DEBUGCTL_BTF | (pdcm && (perfmon_eax & 0xff) > 1 ? freeze : 0) |
	       (rtm ? DEBUGCTL_RTM : 0);
}

/* IA32_RTIT_CTL, from subleaf 0 of leaf 14H and the number of address ranges in subleaf 1
 * (EAX[2:0]): each field with the flag that announces it. SDM 3C "IA32_RTIT_CTL MSR". */
static inline uint64_t cpuid_rtit_ctl_valid(uint32_t ebx, uint32_t ecx, uint32_t ranges)
{
	uint64_t valid = RTIT_CTL_TRACE_EN | RTIT_CTL_OS | RTIT_CTL_USER | RTIT_CTL_TSC_EN |
			 RTIT_CTL_DIS_RETC;

	valid |= ebx & BIT32(0) ? RTIT_CTL_CR3_FILTER : 0;
	if (ebx & BIT32(1))
		valid |= RTIT_CTL_CYC_EN | RTIT_CTL_FIELD << RTIT_CTL_CYC_THRESH_SHIFT |
			 RTIT_CTL_FIELD << RTIT_CTL_PSB_FREQ_SHIFT;
	if (ebx & BIT32(3))
		valid |= RTIT_CTL_MTC_EN | RTIT_CTL_BRANCH_EN |
			 RTIT_CTL_FIELD << RTIT_CTL_MTC_FREQ_SHIFT;
	valid |= ebx & BIT32(4) ? RTIT_CTL_PTW_EN | RTIT_CTL_FUP_ON_PTW : 0;
	valid |= ebx & BIT32(5) ? RTIT_CTL_PWR_EVT_EN : 0;
	valid |= ecx & BIT32(0) ? RTIT_CTL_TOPA : 0;
	valid |= ecx & BIT32(3) ? RTIT_CTL_FABRIC_EN : 0;
	return valid | (BIT64(4 * (ranges & 7)) - 1) << RTIT_CTL_ADDR_CFG_SHIFT;
}

#endif
