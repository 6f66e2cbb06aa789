/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intel Processor Trace, SDM 3C "Intel Processor Trace": what the rest of the CPU tells it. While
 * IA32_RTIT_CTL.TraceEn is 1, instructions are executed one by one, and each boundary is looked at;
 * otherwise it costs nothing. Packets are written as soon as they are due: there is no internal
 * buffer but the TNT being filled and the TIPs behind it.
 *
 *   IA32_RTIT_CTL  39:36, 35:32 ADDRn_CFG: 1 filter, 2 TraceStop | 27:24 PSBFreq | 22:19 CycThresh
 *                  | 17:14 MTCFreq | 13 BranchEn | 11 DisRETC | 10 TSCEn | 9 MTCEn | 8 ToPA
 *                  | 7 CR3Filter | 3 User | 2 OS | 1 CYCEn | 0 TraceEn
 *   IA32_RTIT_STATUS  48:32 PacketByteCnt | 5 Stopped | 4 Error | 2 TriggerEn | 1 ContextEn
 *                  | 0 FilterEn
 *   IA32_RTIT_OUTPUT_MASK_PTRS  63:32 offset of the output | 31:7 mask, or entry of the ToPA
 *                  | 6:0 ones
 */
#ifndef L0_MACHINE_INTERP_PT_PT_H
#define L0_MACHINE_INTERP_PT_PT_H

#include "l0/machine/interp/op.h"
#include "shadow/sdm/cpuid.h"

/* CPUID leaf 14H: CR3 filtering; PSB frequency and CYC; IP filtering and TraceStop; MTC */
#define PT_CPUID_EBX 0xfu
/* ToPA, of many entries; single range */
#define PT_CPUID_ECX 7u
#define PT_CTL_VALID cpuid_rtit_ctl_valid(PT_CPUID_EBX, PT_CPUID_ECX, PT_RANGES)

#define RTIT_STATUS_FILTER_EN BIT64(0)
#define RTIT_STATUS_CONTEXT_EN BIT64(1)
#define RTIT_STATUS_TRIGGER_EN BIT64(2)
#define RTIT_STATUS_ERROR BIT64(4)
#define RTIT_STATUS_STOPPED BIT64(5)
#define RTIT_STATUS_BYTES_SHIFT 32
#define RTIT_STATUS_BYTES_MASK UINT64_C(0x1ffff)

/* IA32_PERF_GLOBAL_STATUS: a region of the ToPA whose entry has INT is full. */
#define PERF_STATUS_TOPA_PMI BIT64(55)

/* Between instructions, while cpu->pt.on: the one that branch.h knows of may have retired. */
void pt_boundary(struct cpu *cpu);
/* An exception or interrupt has gone from `from` to RIP; so has INIT. */
void pt_event(struct cpu *cpu, uint64_t from);
/* A transaction was aborted at `from`, for RIP. */
void pt_aborted(struct cpu *cpu, uint64_t from);

/* The boundary before an instruction, all events done: makes a VM exit if output needs memory that
 * EPT does not give. */
void pt_ready(struct cpu *cpu);

/* ---- VMX: SDM 3C "Intel PT and VMX" ---- */
/* IA32_VMX_MISC[14]: TraceEn may be 1 in VMX operation. */
bool pt_in_vmx(const struct cpu *cpu);
/* VM entry loads IA32_RTIT_CTL. */
void pt_load_ctl(struct cpu *cpu, uint64_t value);
/* A VM entry has passed its checks; it is done but for RIP (concealed: it tells nothing of CR3). */
void pt_entering(struct cpu *cpu);
void pt_entered(struct cpu *cpu, bool concealed);
/* A VM exit, while it is still the guest that runs at RIP: what its packets say of it. Then it is
 * done, at RIP. clears: IA32_RTIT_CTL. */
void pt_exiting(struct cpu *cpu, bool clears);
void pt_exited(struct cpu *cpu, bool concealed);
/* VMPTRLD. */
void pt_vmcs_loaded(struct cpu *cpu);

/* CPUID leaf 14H; or'ed into out[]. */
void pt_cpuid(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4]);
/* Power-up. */
void pt_reset(struct cpu *cpu);

/* The instruction under way (XSAVES, VMXON) clears TraceEn; returns what IA32_RTIT_CTL was. */
uint64_t pt_disable(struct cpu *cpu);
/* May XRSTORS load these registers (in the component's order)? */
bool pt_state_valid(const struct cpu *cpu, const uint64_t state[9]);
/* It has. */
void pt_restored(struct cpu *cpu);

/* The registers. False: no such MSR here, or not this value. */
bool pt_msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value);
bool pt_msr_write(struct cpu *cpu, uint32_t msr, uint64_t value);

#endif
