/* SPDX-License-Identifier: BSD-2-Clause
 *
 * State components and layouts of the XSAVE feature set, CPUID leaf 0xD, IA32_XSS. What
 * the processor may leave out of an image because it was not modified (SDM 1 "Processor Tracking of
 * XSAVE-Managed State") is always written: every component counts as modified.
 */
#include "l0/machine/interp/xstate.h"

#include <string.h>

#include "l0/machine/interp/simd/simd.h"

const struct xstate xstates[XSTATE_COUNT] = {
#define XSTATE(name_, bit_, offset_, size_, narrow_, align_, supervisor_, feature_, storage_,      \
	       stored_)                                                                            \
	{.bit = (bit_),                                                                            \
	 .feature = CPU_FEATURE_##feature_,                                                        \
	 .align = (align_),                                                                        \
	 .supervisor = (supervisor_),                                                              \
	 .offset = (offset_),                                                                      \
	 .size = (size_),                                                                          \
	 .narrow = (narrow_),                                                                      \
	 .stored = (stored_),                                                                      \
	 .at = offsetof(struct cpu, storage_)},
#include "l0/machine/interp/xstate.def"
#undef XSTATE
};

uint64_t xstate_valid(const struct cpu_profile *profile, bool supervisor)
{
	uint64_t valid = supervisor ? 0 : XSTATE_X87 | XSTATE_SSE;

	if (supervisor && !cpu_has(profile, XSAVES))
		return 0;
	for (unsigned i = 0; i < XSTATE_COUNT; i++)
		if (xstates[i].supervisor == supervisor &&
		    cpu_profile_has(profile, xstates[i].feature))
			valid |= UINT64_C(1) << xstates[i].bit;
	return valid;
}

/* ---- layouts: rows stand in the order of their bits ---- */

/* Where the section of row `index` would begin if those before it end at `end`. */
static unsigned compacted_begin(unsigned index, unsigned end)
{
	return xstates[index].align ? (end + 63) & ~63u : end;
}

static unsigned compacted_end(uint64_t components, unsigned count)
{
	unsigned end = XSTATE_EXTENDED;

	for (unsigned i = 0; i < count; i++)
		if (components >> xstates[i].bit & 1)
			end = compacted_begin(i, end) + xstates[i].size;
	return end;
}

unsigned xstate_offset(enum xstate_index index, uint64_t xcomp_bv)
{
	if (!(xcomp_bv & XSTATE_COMPACT))
		return xstates[index].offset;
	return compacted_begin(index, compacted_end(xcomp_bv, index));
}

unsigned xstate_size(uint64_t components, bool compacted)
{
	unsigned size = XSTATE_EXTENDED;

	if (compacted)
		return compacted_end(components, XSTATE_COUNT);
	for (unsigned i = 0; i < XSTATE_COUNT; i++)
		if (components >> xstates[i].bit & 1 && xstates[i].offset + xstates[i].size > size)
			size = xstates[i].offset + xstates[i].size;
	return size;
}

/* ---- in use ---- */

static bool zero(const uint8_t *from, size_t size)
{
	while (size--)
		if (*from++)
			return false;
	return true;
}

uint64_t xstate_in_use(const struct cpu *cpu)
{
	static const uint8_t x87_init[AREA_MXCSR] = {0x7f, 0x03};
	const uint8_t *area = cpu->xsave_area;
	uint64_t used = 0;

	if (memcmp(area, x87_init, sizeof(x87_init)) || !zero(area + AREA_ST, AREA_XMM - AREA_ST))
		used |= XSTATE_X87;
	if (!zero(area + AREA_XMM, 16 * 16))
		used |= XSTATE_SSE;
	for (unsigned i = 0; i < XSTATE_COUNT; i++)
		if (!zero((const uint8_t *)cpu + xstates[i].at, xstates[i].stored))
			used |= UINT64_C(1) << xstates[i].bit;
	return used;
}

/* ---- CPUID ---- */

static void component_leaf(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
	for (unsigned i = 0; i < XSTATE_COUNT; i++) {
		if (xstates[i].bit != subleaf || !cpu_profile_has(cpu->profile, xstates[i].feature))
			continue;
		out[CPUID_EAX] |= xstates[i].size;
		out[CPUID_EBX] |= xstates[i].offset;
		out[CPUID_ECX] |= (uint32_t)xstates[i].supervisor | (uint32_t)xstates[i].align << 1;
	}
}

void xstate_cpuid(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
	uint64_t user = xstate_valid(cpu->profile, false),
		 supervisor = xstate_valid(cpu->profile, true);

	if (!cpu_has(cpu->profile, XSAVE))
		return;
	switch (subleaf) {
	case 0:
		out[CPUID_EAX] |= (uint32_t)user;
		out[CPUID_EBX] |= xstate_size(cpu->xcr0, false);
		out[CPUID_ECX] |= xstate_size(user, false);
		out[CPUID_EDX] |= (uint32_t)(user >> 32);
		break;
	case 1:
		if (cpu_has(cpu->profile, XSAVEC))
			out[CPUID_EBX] |= xstate_size(cpu->xcr0 | cpu->msrs.xss, true);
		out[CPUID_ECX] |= (uint32_t)supervisor;
		out[CPUID_EDX] |= (uint32_t)(supervisor >> 32);
		break;
	default:
		component_leaf(cpu, subleaf, out);
		break;
	}
}

/* ---- IA32_XSS ---- */

bool read_xss(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->msrs.xss;
	return true;
}

bool write_xss(struct cpu *cpu, uint64_t value)
{
	if (value & ~xstate_valid(cpu->profile, true))
		return false;
	cpu->msrs.xss = value;
	return true;
}
