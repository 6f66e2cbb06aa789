/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A host, a VMCS and all that its controls may name, for the fuzzed guest. The structures are
 * right; controls that need each other come together, unless VMX_AS_IT_IS.
 *
 *   20 VMXON region      28 MSR bitmap       30 EPT: root, PDPT, PD, PT, PD of devices
 *   21 VMCS              29 virtual APIC     35 a second EPT's root and PDPT: read-only
 *   22 shadow VMCS       2a, 2b MSR areas    37 EPTP list           3b VMREAD, VMWRITE bitmaps
 *   23 host's stack      2c, 2d I/O bitmaps  38 #VE information     3d posted interrupts
 *   24 host's variables  2e host's operand   39 page-modification log
 *                                            40-41 host's code
 */
#ifndef TESTS_FUZZ_VMX_SETUP_H
#define TESTS_FUZZ_VMX_SETUP_H

#include "l0/machine/interp/cpu.h"

/* Bits of the settings: what the controls start from. */
enum vmx_settings {
	VMX_EPT = 1,
	VMX_VPID = 2,
	VMX_APICV = 4,
	VMX_POSTED = 8,
	VMX_MSR_AREAS = 16,
	VMX_SHADOW_VMCS = 32,
	VMX_FUNCTIONS = 64,
	VMX_VE = 128,
	VMX_PML = 256,
	VMX_BITMAPS = 512,
	VMX_TIMER = 1024,
	VMX_MBEC = 2048,
	VMX_EXCEPTIONS = 4096, /* all exit */
	VMX_OBSERVED = 8192,
	VMX_HOST_FEATURES = 16384, /* the host has the guest's features on */
	VMX_AS_IT_IS = 32768,
};

#define VMX_WORDS 5 /* enum vmx_control_word */
struct vmx_setup {
	unsigned mode, features, settings;
	uint32_t control[VMX_WORDS]; /* bits to be changed */
};

/* The VMCS, in memory, and what it points to. */
struct vmcs *vmx_vmcs_build(struct machine *machine, const struct vmx_setup *setup);

/* ---- vmx_host.c ---- */

/* What the host does after an exit. */
enum vmx_step_kind {
	VMX_STEP_NOTHING,
	VMX_STEP_VMWRITE,
	VMX_STEP_VMREAD,
	VMX_STEP_INVEPT,   /* type: the field number */
	VMX_STEP_INVVPID,
	VMX_STEP_VMCLEAR,  /* of an address in RAM */
	VMX_STEP_VMPTRLD,
	VMX_STEP_POKE, /* of memory: page in the top byte of the value, word by field number */
	VMX_STEP_IPI,      /* writes the value to the ICR */
	VMX_STEP_RELOAD,   /* VMCLEAR, VMPTRLD of the VMCS */
	VMX_STEP_COUNT,
};
struct vmx_step {
	uint8_t what, field;
	uint64_t value;
};
#define VMX_STEPS 40

void vmx_host_build(struct machine *machine);
void vmx_host_step(struct machine *machine, unsigned number, const struct vmx_step *step);
/* Ready to execute VMXON, VMPTRLD, VMLAUNCH. */
void vmx_host_enter(struct cpu *cpu, const struct vmx_setup *setup);

/* Where things are. */
enum {
	VMXON_REGION = 0x20000,
	VMCS_REGION = 0x21000,
	SHADOW_REGION = 0x22000,
	HOST_STACK = 0x24000,
	HOST_NEXT = 0x24800, /* address of the next step */
	MSR_BITMAP_PAGE = 0x28000,
	VIRTUAL_APIC_PAGE = 0x29000,
	LOAD_AREA = 0x2a000,
	STORE_AREA = 0x2b000,
	IO_BITMAP_PAGES = 0x2c000,
	HOST_OPERAND = 0x2e000,
	EPT_ROOT = 0x30000,
	EPT_ROOT2 = 0x35000,
	EPTP_LIST_PAGE = 0x37000,
	VE_PAGE = 0x38000,
	PML_PAGE = 0x39000,
	VMREAD_PAGE = 0x3b000,
	VMWRITE_PAGE = 0x3c000,
	POSTED_DESCRIPTOR = 0x3d000,
	HOST_STEPS = 0x40000,
	HOST_EXIT = 0x41000, /* HOST_RIP */
	HOST_START = 0x41800,
};

#endif
