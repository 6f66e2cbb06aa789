/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What fuzzed code finds around it: page tables for every kind of paging, descriptor tables, TSSs,
 * an IDT whose handlers let the code go on, shadow stacks; and the CPU in one of its modes with
 * what the part has of its features on. Handlers go on one byte further, so that each fault is
 * followed by another instruction; code that has left its pages goes on in them a little further
 * than the last time, and at their end writes to port 0xf4.
 *
 *   0     real-mode vectors            8    code (GUEST_CODE)      10  data, a kind of page each
 *   1-5   PML5 PML4 PDPT PD PT         c    shadow stacks: ring 0  18  IDT
 *   6     GDT, TSSs, variables         d    of ring 3              19  gates' code, 32 and 64 bits
 *   7     stacks of ring 0             e-f  32-bit PD, PT          1b  what they share
 */
#ifndef TESTS_FUZZ_GUEST_H
#define TESTS_FUZZ_GUEST_H

#include "l0/machine/interp/cpu.h"

#define GUEST_RAM (UINT64_C(2) << 20)
#define GUEST_TABLES UINT64_C(0x1000)
#define GUEST_CODE UINT64_C(0x8000)
#define GUEST_CODE_SIZE UINT64_C(0x4000)
#define GUEST_DATA UINT64_C(0x10000)
#define GUEST_END UINT64_C(0x1c000) /* beyond: nothing but zeros */
#define GUEST_RING0_END UINT64_C(0x60000) /* beyond: ring 3's pages */
#define GUEST_BOUNDS UINT64_C(0x80000) /* bound directory */

/* The byte `mode`: 2:0 which | 3 ring 3 | 4 no IDT | 5 IST for all | 6 TF | 7 registers point far
 * apart */
enum guest_mode {
	GUEST_REAL,
	GUEST_FLAT32,
	GUEST_PAGED32,
	GUEST_PAE,
	GUEST_LONG4,
	GUEST_LONG5,
	GUEST_COMPAT,
	GUEST_VM86,
	GUEST_USER = 8,
	GUEST_NO_IDT = 16,
	GUEST_IST = 32,
	GUEST_TF = 64,
	GUEST_FAR = 128,
};

/* What is switched on if the part has it. */
enum guest_features {
	GUEST_SHADOW_STACKS = 1,
	GUEST_TRACKING = 2,
	GUEST_LAM = 4,
	GUEST_PKU = 8,
	GUEST_PKS = 16,
	GUEST_SMAP = 32, /* with SMEP and UMIP */
	GUEST_PCID = 64, /* with global pages */
	GUEST_ALIGNMENT = 128,
	GUEST_PEBS = 256,
	GUEST_LBR = 512,
	GUEST_BREAKPOINTS = 1024,
	GUEST_TIMER = 2048,
	GUEST_NO_FPU = 4096, /* CR0.TS */
	GUEST_NO_WP = 8192,
	GUEST_FSGSBASE = 16384,
	GUEST_COUNTERS = 32768, /* that interrupt */
};

/* Fills guest-physical memory below GUEST_END; RAM is zeroed. */
void guest_build(struct machine *machine, unsigned mode);
/* The code, and what ends the run behind it. */
void guest_code(struct machine *machine, const uint8_t *bytes, size_t size);
/* The CPU at GUEST_CODE. Leaves VMX operation. */
void guest_enter(struct cpu *cpu, unsigned mode, unsigned features);
/* The value of a register by a byte: addresses, and what decides at edges. */
uint64_t guest_value(unsigned mode, unsigned byte);

#endif
