/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The XSAVE feature set's components and layouts, SDM 1 "XSAVE Area": xstate.def as xsave.c and
 * CPUID use it. A component's place in memory:
 *
 *   0 FCW | 2 FSW | 4 FTW | 6 FOP | 8 FIP | 16 FDP | 24 MXCSR | 28 MXCSR_MASK | 32 ST/MM | 160 XMM
 *   416 reserved | 512 XSTATE_BV | 520 XCOMP_BV | 528 reserved, 0 | 576 the components of
 * xstate.def
 */
#ifndef L0_MACHINE_INTERP_XSTATE_H
#define L0_MACHINE_INTERP_XSTATE_H

#include <stddef.h>

#include "l0/machine/interp/profile.h"

struct cpu;

#define XSTATE_X87 UINT64_C(1)
#define XSTATE_SSE UINT64_C(2)
#define XSTATE_AVX UINT64_C(4)
#define XSTATE_MPX (UINT64_C(3) << 3) /* BNDREGS and BNDCSR */
#define XSTATE_PT (UINT64_C(1) << 8)
#define XSTATE_CET_U (UINT64_C(1) << 11)
#define XSTATE_CET_S (UINT64_C(1) << 12)
#define XSTATE_COMPACT (UINT64_C(1) << 63) /* in XCOMP_BV */
#define XSTATE_HEADER 512
#define XSTATE_EXTENDED 576 /* where the legacy region and the header end */

struct xstate {
	uint8_t bit, feature;
	bool align, supervisor;
	uint16_t offset, size, narrow, stored;
	size_t at; /* in struct cpu */
};

enum xstate_index {
#define XSTATE(name, ...) XSTATE_INDEX_##name,
#include "l0/machine/interp/xstate.def"
#undef XSTATE
	XSTATE_COUNT,
};
extern const struct xstate xstates[XSTATE_COUNT];

/* Bits that may be set in XCR0 (false) or IA32_XSS (true). */
uint64_t xstate_valid(const struct cpu_profile *profile, bool supervisor);
/* Where a component of the area lies, in bytes from its start. xcomp_bv: 0 for the standard format.
 */
unsigned xstate_offset(enum xstate_index index, uint64_t xcomp_bv);
/* Bytes of an area with these components, in the compacted format or the standard one. */
unsigned xstate_size(uint64_t components, bool compacted);
/* XINUSE: components that are not in their initial configuration. MXCSR does not count. */
uint64_t xstate_in_use(const struct cpu *cpu);
/* IA32_XSS, for msrs.def. */
bool read_xss(struct cpu *cpu, uint64_t *value);
bool write_xss(struct cpu *cpu, uint64_t value);
/* CPUID leaf 0xD but for the feature flags of subleaf 1; or'ed into out[]. */
void xstate_cpuid(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4]);

#endif
