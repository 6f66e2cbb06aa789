/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a debugger sees of one level: the registers of whoever runs now, of a guest as it was when
 * it exited, or of L0 while a guest runs; and memory through that level's paging and EPT, without
 * any trace in accessed or dirty flags.
 */
#ifndef L0_MACHINE_DEBUG_CONTEXT_H
#define L0_MACHINE_DEBUG_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shadow/sdm/vmcs.h"

struct machine;
struct memory;

struct context_segment {
	uint64_t base;
	uint32_t limit, ar; /* as the VMCS has them */
	uint16_t selector;
};

struct context {
	unsigned level;
	bool gpr_known;          /* else of gpr only RSP is */
	uint64_t gpr[REG_COUNT]; /* enum x86_reg */
	uint64_t rip, rflags;
	struct context_segment seg[SEG_COUNT];
	uint64_t gdtr_base, idtr_base;
	uint32_t gdtr_limit, idtr_limit;
	uint64_t cr0, cr2, cr3, cr4, efer;
	uint64_t pdpte[4]; /* PAE paging */
	uint64_t eptp;     /* 0: guest-physical addresses are the machine's */
};

/* Level `level` as it is now. False: nobody of that level is known. Needs machine->levels for
 * levels from 1 on that do not run now. */
bool context_of_level(const struct machine *machine, unsigned level, struct context *context);
/* The level that runs now: 0 in VMX root operation or outside VMX. */
unsigned context_current_level(const struct machine *machine);

/* The guest-state area; the host-state area. gpr: NULL if not known. */
void context_of_guest(struct context *context, const struct vmcs *vmcs, const uint64_t *gpr);
void context_of_host(struct context *context, const struct vmcs *vmcs);

/* The address of an instruction: CS.base + RIP, cut to 32 bits outside 64-bit mode. */
uint64_t context_code_linear(const struct context *context);
bool context_is_64bit(const struct context *context);

/* False: not mapped, or not by RAM. Access rights are not looked at. */
bool context_translate(const struct context *context, const struct memory *memory, uint64_t linear,
		       uint64_t *hpa);
/* Copies up to `length` bytes; returns how many could be. */
size_t context_read(const struct context *context, const struct memory *memory, uint64_t linear,
		    void *to, size_t length);

#endif
