/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMX as data: fields, exit reasons, controls, features and the formats of the information fields.
 * Enumerations are generated from the .def tables beside this file; the only things written out
 * here are bit layouts. No code beyond constant-time inline helpers.
 */
#ifndef SHADOW_SDM_VMX_H
#define SHADOW_SDM_VMX_H

#include <stdbool.h>
#include <stdint.h>

#include "shadow/sdm/x86.h"

enum vmx_feature {
#define VMX_FEATURE(name, text, needs) VMX_FEATURE_##name,
#include "shadow/sdm/features.def"
#undef VMX_FEATURE
	VMX_FEATURE_COUNT,
	VMX_FEATURE_ALWAYS, /* not a feature: present on every part */
	VMX_FEATURE_NEVER,  /* not a feature: never offered */
	VMX_FEATURE_NONE = VMX_FEATURE_ALWAYS,
};

/* A set of features. */
typedef uint64_t vmx_features;
#define VMX_FEATURE_BIT(f) (UINT64_C(1) << (f))
_Static_assert(VMX_FEATURE_COUNT <= 64, "vmx_features is one word");

static inline bool vmx_features_have(vmx_features set, enum vmx_feature f)
{
	return f == VMX_FEATURE_ALWAYS || (f < VMX_FEATURE_COUNT && (set >> f & 1));
}

/* VMCS field encodings: VMCS_<name>. SDM 3C "VMREAD, VMWRITE, and Encodings of VMCS Fields":
 *   31:15 0 | 14:13 width | 12 0 | 11:10 type | 9:1 index | 0 access type (1 = high) */
enum vmcs_field {
#define FIELD(name, encoding, exists, shadowed, rule) VMCS_##name = (encoding),
#include "shadow/sdm/vmcs_fields.def"
#undef FIELD
};

/* Dense index of a field, in table order: VMCS_INDEX_<name>. */
enum vmcs_index {
#define FIELD(name, encoding, exists, shadowed, rule) VMCS_INDEX_##name,
#include "shadow/sdm/vmcs_fields.def"
#undef FIELD
	VMCS_FIELD_COUNT,
};

enum vmcs_width { VMCS_WIDTH_16, VMCS_WIDTH_64, VMCS_WIDTH_32, VMCS_WIDTH_NATURAL };
enum vmcs_type { VMCS_TYPE_CONTROL, VMCS_TYPE_READ_ONLY, VMCS_TYPE_GUEST, VMCS_TYPE_HOST };

static inline enum vmcs_width vmcs_field_width(uint32_t encoding)
{
	return (enum vmcs_width)(encoding >> 13 & 3);
}

static inline enum vmcs_type vmcs_field_type(uint32_t encoding)
{
	return (enum vmcs_type)(encoding >> 10 & 3);
}

static inline bool vmcs_field_is_high(uint32_t encoding)
{
	return encoding & 1;
}

enum vmcs_shadowed { VMCS_TRAPPED, VMCS_SHADOWED };
enum vmcs_rule {
	VMCS_RULE_GUEST,
	VMCS_RULE_GUEST_RARE,
	VMCS_RULE_COPY,
	VMCS_RULE_MERGE,
	VMCS_RULE_ENTRY,
	VMCS_RULE_EXIT,
	VMCS_RULE_HOST,
	VMCS_RULE_NONE,
};

struct vmcs_field_info {
	uint32_t encoding;
	uint8_t exists;   /* enum vmx_feature */
	uint8_t shadowed; /* enum vmcs_shadowed */
	uint8_t rule;     /* enum vmcs_rule */
	const char *name; /* without the VMCS_ prefix */
};

/* The table, VMCS_FIELD_COUNT rows in enum vmcs_index order. */
extern const struct vmcs_field_info vmcs_fields[VMCS_FIELD_COUNT];

/* Dense index of an encoding (access type ignored), or -1 if there is no such field. O(1). */
int vmcs_field_index(uint32_t encoding);

enum vmx_exit_reason {
#define EXIT(name, number, insn) EXIT_REASON_##name = (number),
#include "shadow/sdm/exit_reasons.def"
#undef EXIT
	EXIT_REASON_COUNT = 69,
};
#define EXIT_REASON_BASIC UINT32_C(0xffff)
#define EXIT_REASON_ENTRY_FAILURE BIT32(31)

/* SDM name of a basic exit reason, or NULL. */
const char *vmx_exit_reason_name(uint32_t basic);

/* Controls: <WORD>_<NAME> masks. */
enum vmx_pin_control {
#define CONTROL_WORD_PIN(name, bit) PIN_##name = 1u << (bit),
#define CONTROL_WORD_PRIMARY(name, bit)
#define CONTROL_WORD_SECONDARY(name, bit)
#define CONTROL_WORD_EXIT(name, bit)
#define CONTROL_WORD_ENTRY(name, bit)
#define CONTROL(word, name, bit, feature, text) CONTROL_WORD_##word(name, bit)
#include "shadow/sdm/controls.def"
#undef CONTROL_WORD_PIN
};
#define CONTROL_WORD_PIN(name, bit)
#undef CONTROL_WORD_PRIMARY
#define CONTROL_WORD_PRIMARY(name, bit) PRIMARY_##name = (int)(1u << (bit)),
enum vmx_primary_control {
#include "shadow/sdm/controls.def"
};
#undef CONTROL_WORD_PRIMARY
#define CONTROL_WORD_PRIMARY(name, bit)
#undef CONTROL_WORD_SECONDARY
#define CONTROL_WORD_SECONDARY(name, bit) SECONDARY_##name = 1u << (bit),
enum vmx_secondary_control {
#include "shadow/sdm/controls.def"
};
#undef CONTROL_WORD_SECONDARY
#define CONTROL_WORD_SECONDARY(name, bit)
#undef CONTROL_WORD_EXIT
#define CONTROL_WORD_EXIT(name, bit) EXIT_##name = 1u << (bit),
enum vmx_exit_control {
#include "shadow/sdm/controls.def"
};
#undef CONTROL_WORD_EXIT
#define CONTROL_WORD_EXIT(name, bit)
#undef CONTROL_WORD_ENTRY
#define CONTROL_WORD_ENTRY(name, bit) ENTRY_##name = 1u << (bit),
enum vmx_entry_control {
#include "shadow/sdm/controls.def"
};
#undef CONTROL
#undef CONTROL_WORD_PIN
#undef CONTROL_WORD_PRIMARY
#undef CONTROL_WORD_SECONDARY
#undef CONTROL_WORD_EXIT
#undef CONTROL_WORD_ENTRY

/* Reserved bits that read as 1 (default1 class), SDM 3D "VMX Capability Reporting Facility". */
#define PIN_DEFAULT1 UINT32_C(0x00000016)
#define PRIMARY_DEFAULT1 UINT32_C(0x0401e172)
#define PRIMARY_DEFAULT1_TRUE UINT32_C(0x04006172) /* CR3-load/store exiting may be 0 */
#define EXIT_DEFAULT1 UINT32_C(0x00036dff)
#define EXIT_DEFAULT1_TRUE UINT32_C(0x00036dfb)
#define ENTRY_DEFAULT1 UINT32_C(0x000011ff)
#define ENTRY_DEFAULT1_TRUE UINT32_C(0x000011fb)

/* IA32_VMX_BASIC */
#define VMX_BASIC_REVISION UINT64_C(0x7fffffff)
#define VMX_BASIC_SIZE_SHIFT 32
#define VMX_BASIC_DUAL_MONITOR BIT64(49)
#define VMX_BASIC_MEMORY_TYPE_WB (UINT64_C(6) << 50)
#define VMX_BASIC_INS_OUTS_INFO BIT64(54)
#define VMX_BASIC_TRUE_CONTROLS BIT64(55)
#define VMX_BASIC_ANY_ERROR_CODE BIT64(56)

/* IA32_VMX_MISC */
#define VMX_MISC_PREEMPTION_SHIFT UINT64_C(0x1f)
#define VMX_MISC_STORE_LMA BIT64(5)
#define VMX_MISC_ACTIVITY_HLT BIT64(6)
#define VMX_MISC_ACTIVITY_SHUTDOWN BIT64(7)
#define VMX_MISC_ACTIVITY_WAIT_SIPI BIT64(8)
#define VMX_MISC_PT BIT64(14)
#define VMX_MISC_CR3_TARGETS_SHIFT 16
#define VMX_MISC_CR3_TARGETS (UINT64_C(0x1ff) << VMX_MISC_CR3_TARGETS_SHIFT)
#define VMX_MISC_MSR_LIST_SHIFT 25
#define VMX_MISC_VMWRITE_ANY_FIELD BIT64(29)
#define VMX_MISC_INJECT_LENGTH_ZERO BIT64(30)

/* IA32_VMX_EPT_VPID_CAP */
#define EPT_CAP_EXECUTE_ONLY BIT64(0)
#define EPT_CAP_WALK_4 BIT64(6)
#define EPT_CAP_WALK_5 BIT64(7)
#define EPT_CAP_UC BIT64(8)
#define EPT_CAP_WB BIT64(14)
#define EPT_CAP_2M BIT64(16)
#define EPT_CAP_1G BIT64(17)
#define EPT_CAP_INVEPT BIT64(20)
#define EPT_CAP_AD BIT64(21)
#define EPT_CAP_ADVANCED_INFO BIT64(22)
#define EPT_CAP_SHADOW_STACK BIT64(23)
#define EPT_CAP_INVEPT_SINGLE BIT64(25)
#define EPT_CAP_INVEPT_GLOBAL BIT64(26)
#define VPID_CAP_INVVPID BIT64(32)
#define VPID_CAP_INVVPID_ADDRESS BIT64(40)
#define VPID_CAP_INVVPID_SINGLE BIT64(41)
#define VPID_CAP_INVVPID_ALL BIT64(42)
#define VPID_CAP_INVVPID_SINGLE_NONGLOBAL BIT64(43)

/* VMX-instruction error numbers, SDM 3C "VM Instruction Error Numbers" */
enum vmx_error {
	VMX_ERROR_VMCALL_IN_ROOT = 1,
	VMX_ERROR_VMCLEAR_ADDRESS = 2,
	VMX_ERROR_VMCLEAR_VMXON_POINTER = 3,
	VMX_ERROR_VMLAUNCH_NOT_CLEAR = 4,
	VMX_ERROR_VMRESUME_NOT_LAUNCHED = 5,
	VMX_ERROR_VMRESUME_AFTER_VMXOFF = 6,
	VMX_ERROR_ENTRY_CONTROLS = 7,
	VMX_ERROR_ENTRY_HOST_STATE = 8,
	VMX_ERROR_VMPTRLD_ADDRESS = 9,
	VMX_ERROR_VMPTRLD_VMXON_POINTER = 10,
	VMX_ERROR_VMPTRLD_REVISION = 11,
	VMX_ERROR_UNSUPPORTED_FIELD = 12,
	VMX_ERROR_READ_ONLY_FIELD = 13,
	VMX_ERROR_VMXON_IN_ROOT = 15,
	VMX_ERROR_EXECUTIVE_VMCS = 16,
	VMX_ERROR_EXECUTIVE_NOT_LAUNCHED = 17,
	VMX_ERROR_EXECUTIVE_NOT_VMXON = 18,
	VMX_ERROR_VMCALL_NOT_CLEAR = 19,
	VMX_ERROR_VMCALL_EXIT_CONTROLS = 20,
	VMX_ERROR_MSEG_REVISION = 22,
	VMX_ERROR_VMXOFF_DUAL_MONITOR = 23,
	VMX_ERROR_SMM_INVALID = 24,
	VMX_ERROR_EXECUTION_CONTROLS_SMM = 25,
	VMX_ERROR_ENTRY_BLOCKED_BY_MOV_SS = 26,
	VMX_ERROR_INVALID_OPERAND = 28,
};

/* Interruption information (VM-entry, VM-exit, IDT-vectoring):
 *   7:0 vector | 10:8 type | 11 error code | 12 NMI unblocking (exit only) | 31 valid */
#define INTR_INFO_VECTOR UINT32_C(0xff)
#define INTR_INFO_TYPE_SHIFT 8
#define INTR_INFO_TYPE (UINT32_C(7) << 8)
#define INTR_INFO_ERROR_CODE BIT32(11)
#define INTR_INFO_NMI_UNBLOCKING BIT32(12)
#define INTR_INFO_VALID BIT32(31)
enum vmx_intr_type {
	INTR_TYPE_EXTERNAL = 0,
	INTR_TYPE_NMI = 2,
	INTR_TYPE_HARDWARE_EXCEPTION = 3,
	INTR_TYPE_SOFTWARE_INTERRUPT = 4,
	INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION = 5,
	INTR_TYPE_SOFTWARE_EXCEPTION = 6,
	INTR_TYPE_OTHER_EVENT = 7,
};

/* Guest interruptibility state */
#define INTERRUPTIBILITY_STI BIT32(0)
#define INTERRUPTIBILITY_MOV_SS BIT32(1)
#define INTERRUPTIBILITY_SMI BIT32(2)
#define INTERRUPTIBILITY_NMI BIT32(3)
#define INTERRUPTIBILITY_ENCLAVE BIT32(4)

enum vmx_activity { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_SIPI };

/* Pending debug exceptions */
#define PENDING_DEBUG_B UINT64_C(0xf)
#define PENDING_DEBUG_ENABLED_BREAKPOINT BIT64(12)
#define PENDING_DEBUG_BS BIT64(14)
#define PENDING_DEBUG_RTM BIT64(16)

/* EPT entries, SDM 3C "The Extended Page Table Mechanism (EPT)":
 *   0 R | 1 W | 2 X (supervisor X with MBEC) | 5:3 memory type (leaf) | 6 ignore PAT (leaf)
 *   7 large page | 8 A | 9 D (leaf) | 10 user X (MBEC) | 51:12 address
 *   60 supervisor shadow stack (leaf) | 63 suppress #VE */
#define EPT_R BIT64(0)
#define EPT_W BIT64(1)
#define EPT_X BIT64(2)
#define EPT_RWX (EPT_R | EPT_W | EPT_X)
#define EPT_MT_SHIFT 3
#define EPT_MT (UINT64_C(7) << 3)
#define EPT_MT_UC (UINT64_C(0) << 3)
#define EPT_MT_WB (UINT64_C(6) << 3)
#define EPT_IPAT BIT64(6)
#define EPT_PS BIT64(7)
#define EPT_A BIT64(8)
#define EPT_D BIT64(9)
#define EPT_XU BIT64(10)
#define EPT_SSS BIT64(60) /* supervisor shadow stack (leaf) */
#define EPT_SUPPRESS_VE BIT64(63)
#define EPT_ADDRESS UINT64_C(0x000ffffffffff000)
/* EPTP: 2:0 memory type | 5:3 walk length - 1 | 6 A/D enable | 7 supervisor shadow stacks */
#define EPTP_MT UINT64_C(7)
#define EPTP_MT_WB UINT64_C(6)
#define EPTP_WALK_SHIFT 3
#define EPTP_WALK (UINT64_C(7) << EPTP_WALK_SHIFT)
#define EPTP_WALK_4 (UINT64_C(3) << EPTP_WALK_SHIFT)
#define EPTP_WALK_5 (UINT64_C(4) << EPTP_WALK_SHIFT)
#define EPTP_AD BIT64(6)
#define EPTP_SSS BIT64(7)
#define EPTP_RESERVED UINT64_C(0xf00) /* and what is beyond the physical width */

/* Exit qualification for EPT violations */
#define EPT_QUAL_READ BIT64(0)
#define EPT_QUAL_WRITE BIT64(1)
#define EPT_QUAL_FETCH BIT64(2)
#define EPT_QUAL_ENTRY_R BIT64(3)
#define EPT_QUAL_ENTRY_W BIT64(4)
#define EPT_QUAL_ENTRY_X BIT64(5)
#define EPT_QUAL_ENTRY_XU BIT64(6)
#define EPT_QUAL_LINEAR_VALID BIT64(7)
#define EPT_QUAL_TRANSLATED BIT64(8) /* 1: the access; 0: a paging-structure access */
#define EPT_QUAL_USER BIT64(9)       /* advanced information from here */
#define EPT_QUAL_RW_PAGE BIT64(10)
#define EPT_QUAL_NX_PAGE BIT64(11)
#define EPT_QUAL_NMI_UNBLOCKING BIT64(12)
#define EPT_QUAL_SHADOW_STACK BIT64(13)
#define EPT_QUAL_SSS BIT64(14) /* the page may be a supervisor shadow stack */
#define EPT_QUAL_ASYNCHRONOUS BIT64(16) /* to the instruction: PEBS, Intel PT */

/* Exit qualification for control-register accesses:
 *   3:0 CR number | 5:4 type | 6 LMSW memory operand | 11:8 GPR | 31:16 LMSW source */
enum cr_access_type { CR_ACCESS_MOV_TO, CR_ACCESS_MOV_FROM, CR_ACCESS_CLTS, CR_ACCESS_LMSW };

/* VMX-abort indicators, SDM 3C "VMX Aborts" */
enum vmx_abort {
	VMX_ABORT_SAVE_GUEST_MSR = 1,
	VMX_ABORT_HOST_PDPTE = 2,
	VMX_ABORT_VMCS_CORRUPT = 3,
	VMX_ABORT_LOAD_HOST_MSR = 4,
	VMX_ABORT_MACHINE_CHECK = 5,
	VMX_ABORT_HOST_NOT_IA32E = 6,
};

/* Entries of the MSR-load and MSR-store areas (16 bytes, SDM 3C "VM-Exit Controls for MSRs"). */
struct vmx_msr_entry {
	uint32_t index;
	uint32_t reserved;
	uint64_t value;
};

/* INVEPT and INVVPID types */
enum { INVEPT_SINGLE = 1, INVEPT_GLOBAL = 2 };
enum {
	INVVPID_ADDRESS = 0,
	INVVPID_SINGLE = 1,
	INVVPID_ALL = 2,
	INVVPID_SINGLE_NONGLOBAL = 3,
};

/* Outcome of a VMX instruction, SDM 3C "Conventions". */
enum vmx_outcome {
	VMX_SUCCEED,
	VMX_FAIL_INVALID,
	VMX_FAIL_VALID,   /* error = number for VMCS_INSTRUCTION_ERROR */
	VMX_FAULT,        /* vector, error_code */
	VMX_DO_EXIT,      /* a VM exit takes the place of the instruction */
	VMX_DO_ENTRY,     /* VMLAUNCH/VMRESUME: go on with VM entry */
};
struct vmx_result {
	enum vmx_outcome outcome;
	uint32_t error;      /* VMX_FAIL_VALID: error number; VMX_FAULT: error code */
	uint8_t vector;      /* VMX_FAULT */
};

#endif
