/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The contents of a VMCS as abyme lays them out: a header and one 64-bit slot per field, in table
 * order. The interpreter keeps exactly this in the VMCS region in guest memory; shadow/ keeps a
 * VMCS12 so. Software must not rely on it (it has VMREAD), and the revision identifier changes with
 * the table. Little-endian hosts only.
 */
#ifndef SHADOW_SDM_VMCS_H
#define SHADOW_SDM_VMCS_H

#include "shadow/sdm/vmx.h"

#define VMCS_REVISION UINT32_C(0x0061627a) /* "zba" */
#define VMCS_REGION_SIZE 4096
#define VMCS_SHADOW_INDICATOR BIT32(31)

enum vmcs_launch_state { VMCS_STATE_CLEAR, VMCS_STATE_LAUNCHED = 0x6c61756e };

struct vmcs {
	uint32_t revision; /* bit 31: shadow-VMCS indicator */
	uint32_t abort;    /* enum vmx_abort */
	uint32_t launch_state;
	uint32_t reserved;
	uint64_t field[VMCS_FIELD_COUNT];
};
_Static_assert(sizeof(struct vmcs) <= VMCS_REGION_SIZE, "a VMCS fits its region");

/* vmcs_get(v, GUEST_RIP), vmcs_set(v, GUEST_RIP, x): by name, resolved at compile time. */
#define vmcs_get(v, name) ((v)->field[VMCS_INDEX_##name])
#define vmcs_set(v, name, value) ((void)((v)->field[VMCS_INDEX_##name] = (value)))

/* The segment fields are rows in enum x86_seg order, so a segment is an offset from ES. */
#define vmcs_get_seg(v, part, seg) ((v)->field[VMCS_INDEX_GUEST_ES_##part + (seg)])
#define vmcs_set_seg(v, part, seg, value)                                                          \
	((void)((v)->field[VMCS_INDEX_GUEST_ES_##part + (seg)] = (value)))
_Static_assert(VMCS_INDEX_GUEST_TR_SELECTOR - VMCS_INDEX_GUEST_ES_SELECTOR == SEG_TR, "row order");
_Static_assert(VMCS_INDEX_GUEST_TR_LIMIT - VMCS_INDEX_GUEST_ES_LIMIT == SEG_TR, "row order");
_Static_assert(VMCS_INDEX_GUEST_TR_BASE - VMCS_INDEX_GUEST_ES_BASE == SEG_TR, "row order");
_Static_assert(VMCS_INDEX_GUEST_TR_ACCESS_RIGHTS - VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS == SEG_TR,
	       "row order");

/* What a CPU offers: its VMX capability MSRs and the facts VM-entry checks need from CPUID. */
#define VMX_CAP_COUNT 18 /* IA32_VMX_BASIC 0x480 ... IA32_VMX_VMFUNC 0x491 */
struct vmx_caps {
	uint64_t msr[VMX_CAP_COUNT]; /* msr[i] = MSR 0x480 + i */
	vmx_features features;
	uint64_t cr4_valid;     /* CR4 bits that the CPU implements */
	uint64_t efer_valid;    /* EFER bits that the CPU implements */
	uint64_t debugctl_valid; /* IA32_DEBUGCTL bits that the CPU implements */
	uint64_t perf_global_ctrl_valid; /* IA32_PERF_GLOBAL_CTRL bits that the CPU implements */
	uint64_t rtit_ctl_valid; /* IA32_RTIT_CTL bits that the CPU implements */
	uint8_t maxphyaddr;     /* bits */
};
#define vmx_cap(caps, name) ((caps)->msr[MSR_IA32_VMX_##name - MSR_IA32_VMX_BASIC])

/* Fills caps->msr from caps->features (and the constant parts of the SDM's Appendix A). */
void vmx_caps_from_features(struct vmx_caps *caps);

/* RDMSR of a capability MSR. False: no such MSR on a part with these features. */
bool vmx_caps_read(const struct vmx_caps *caps, uint32_t msr, uint64_t *value);

/* Canonical, as a register takes an address (SDM 1 "Canonical Addressing"): by the part, not by the
 * paging mode. And how many bits that leaves. */
unsigned vmx_caps_linear_width(const struct vmx_caps *caps);
bool vmx_caps_canonical(const struct vmx_caps *caps, uint64_t address);

/* An EPTP with which VM entry would not fail, as INVEPT and EPTP switching ask. SDM 3C
 * "VM-Execution Control Fields" (checks); the rows eptp_* of controls.def say the same one by one.
 */
bool vmx_caps_eptp_valid(const struct vmx_caps *caps, uint64_t eptp);

/* Allowed settings of a control word: low half must-be-1, high half may-be-1 bits, taken from the
 * TRUE MSR where the part has it. */
enum vmx_control_word {
	VMX_PIN,
	VMX_PRIMARY,
	VMX_SECONDARY,
	VMX_EXIT_CONTROLS,
	VMX_ENTRY_CONTROLS
};
uint64_t vmx_caps_allowed(const struct vmx_caps *caps, enum vmx_control_word word);

#endif
