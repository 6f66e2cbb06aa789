/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMX for images that are hypervisors: the instructions, and the way into VMX operation.
 */
#ifndef L1_LIB_VMX_H
#define L1_LIB_VMX_H

#include <stdbool.h>
#include <stdint.h>

#include "shadow/sdm/msr.h"
#include "shadow/sdm/vmx.h"

/* Of the RFLAGS outcomes (SDM 3C "Conventions") only success is told apart: why an instruction
 * failed is in VMCS_INSTRUCTION_ERROR. */
static inline bool vmx_vmclear(const void *vmcs)
{
	uint64_t address = (uint64_t)vmcs;
	bool failed;

	__asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(address) : "memory");
	return !failed;
}

static inline bool vmx_vmptrld(const void *vmcs)
{
	uint64_t address = (uint64_t)vmcs;
	bool failed;

	__asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(address) : "memory");
	return !failed;
}

/* 0 if there is no such field. */
static inline uint64_t vmx_vmread(enum vmcs_field field)
{
	uint64_t value = 0;

	__asm__ volatile("vmread %1, %0" : "+r"(value) : "r"((uint64_t)field) : "cc");
	return value;
}

static inline bool vmx_vmwrite(enum vmcs_field field, uint64_t value)
{
	bool failed;

	__asm__ volatile("vmwrite %2, %1"
			 : "=@ccbe"(failed)
			 : "r"((uint64_t)field), "r"(value)
			 : "memory");
	return !failed;
}

/* Enters VMX root operation with a VMXON region of its own. NULL, or one line that says why not. */
const char *vmx_start(void);

/* A zeroed VMCS region with the revision identifier, cleared and made current; NULL if the CPU
 * refuses it. */
void *vmx_new_vmcs(void);

/* Writes the host-state fields: this runtime as it is now. HOST_RSP and HOST_RIP are the
 * caller's. Ends the run if a VMWRITE fails. */
void vmx_write_host_state(void);

/* `wanted` as far as the CPU allows, with the bits that it demands; msr: IA32_VMX_PINBASED_CTLS and
 * so on, replaced by its TRUE form where there is one. */
uint32_t vmx_controls(uint32_t msr, uint32_t wanted);

/* One row of a VMCS table; vmx_write_rows() ends the run if a VMWRITE fails. */
struct vmx_row {
	enum vmcs_field field;
	uint64_t value;
};
void vmx_write_rows(const struct vmx_row *rows, unsigned count);

#endif
