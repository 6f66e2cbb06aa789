/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VM-entry checks, one named row each, in the SDM's order. The interpreter runs all of them; L0
 * runs on a VMCS12 those that the hardware cannot make for it on VMCS02. A check reads the VMCS,
 * the capabilities and, through the env, guest-physical memory; it changes nothing.
 */
#ifndef SHADOW_CHECKS_CHECKS_H
#define SHADOW_CHECKS_CHECKS_H

#include "shadow/sdm/vmcs.h"

/* Where a failing check sends the entry. */
enum vmx_check_group {
	VMX_CHECK_CONTROLS, /* VMfailValid(7) */
	VMX_CHECK_HOST,     /* VMfailValid(8) */
	VMX_CHECK_GUEST,    /* VM exit, reason 33, qualification in the row */
	VMX_CHECK_GROUPS,
};

struct vmx_check_env {
	const struct vmcs *vmcs;
	const struct vmx_caps *caps;
	uint64_t cr0, cr4, efer; /* of the CPU at the time of the entry (host side) */
	bool in_smm;
	bool tracing; /* IA32_RTIT_CTL.TraceEn at the time of the entry */
	uint64_t current_vmcs; /* physical address of the current VMCS */
	/* Reads 32 bits of physical memory; false: the address is outside memory. */
	bool (*read_phys32)(void *opaque, uint64_t address, uint32_t *value);
	/* Reads 64 bits of guest-physical memory through EPT for PDPTEs; NULL: not available. */
	bool (*read_guest64)(void *opaque, uint64_t address, uint64_t *value);
	void *opaque;
};

struct vmx_check {
	const char *name; /* stable identifier, printed when it fails */
	const char *sdm;  /* title of the SDM section */
	const char *rule; /* what must hold, in one line */
	enum vmx_check_group group;
	uint8_t qualification; /* VMX_CHECK_GUEST: exit qualification of the failure */
	bool (*holds)(const struct vmx_check_env *env);
	uint8_t fields[4]; /* indices + 1 of the fields that explain a failure, 0-terminated */
};

/* All rows, vmx_check_count of them, in the order in which they are made. */
extern const struct vmx_check vmx_checks[];
extern const unsigned vmx_check_count;

/* First row of the group that does not hold, or NULL if all hold. */
const struct vmx_check *vmx_checks_run(enum vmx_check_group group, const struct vmx_check_env *env);

#endif
