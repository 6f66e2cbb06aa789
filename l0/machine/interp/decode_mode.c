/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The mode key: what of the CPU's state decoding and specialisation depend on.
 */
#include "l0/machine/interp/cet.h"
#include "l0/machine/interp/decode.h"
#include "l0/machine/interp/mpx.h"

static bool flat_segment(const struct segment *seg, uint32_t wanted)
{
	const uint32_t unwanted = AR_UNUSABLE | AR_TYPE_EXPAND_DOWN;

	return seg->base == 0 && seg->limit == UINT32_MAX && (seg->ar & wanted) == wanted &&
	       ((seg->ar & AR_TYPE_CODE) || !(seg->ar & unwanted));
}

static bool flat_segments(const struct cpu *cpu)
{
	const uint32_t data = AR_S | AR_P | AR_TYPE_WRITABLE;

	return cpu_protected(cpu) && !cpu_vm86(cpu) &&
	       flat_segment(&cpu->seg[SEG_CS], AR_S | AR_P | AR_DB | AR_TYPE_CODE) &&
	       flat_segment(&cpu->seg[SEG_SS], data | AR_DB) &&
	       flat_segment(&cpu->seg[SEG_DS], data) && flat_segment(&cpu->seg[SEG_ES], data) &&
	       !(cpu->seg[SEG_DS].ar & AR_TYPE_CODE) && !(cpu->seg[SEG_ES].ar & AR_TYPE_CODE);
}

/* Data breakpoints are those of DR7 whose R/W field is 01 or 11 (I/O ones are 10). */
static bool data_breakpoints(const struct cpu *cpu)
{
	for (unsigned i = 0; i < 4; i++)
		if ((cpu->dr7 >> 2 * i & 3) && (cpu->dr7 >> (16 + 4 * i) & 1))
			return true;
	return false;
}

static uint32_t cet_mode(const struct cpu *cpu)
{
	uint64_t control = cpu->cpl == 3 ? cpu->cet.u_cet : cpu->cet.s_cet;
	uint32_t mode = control & CET_SH_STK_EN ? MODE_SHADOW_STACK : 0;

	if (!cet_on(cpu))
		return 0;
	if (control & CET_ENDBR_EN)
		mode |= MODE_TRACKED | (control & CET_TRACKER ? MODE_ENDBRANCH : 0);
	return mode;
}

uint32_t decode_mode_key(const struct cpu *cpu)
{
	uint32_t mode = (uint32_t)cpu->cpl << MODE_CPL_SHIFT;

	if (cpu_code64(cpu))
		mode |= MODE_CODE64 | MODE_FLAT;
	else if (cpu->seg[SEG_CS].ar & AR_DB)
		mode |= MODE_CODE32 | (flat_segments(cpu) ? MODE_FLAT : 0);
	if (cpu_real_or_vm86(cpu))
		mode |= MODE_REAL;
	if (data_breakpoints(cpu) ||
	    ((cpu->cr0 & CR0_AM) && (cpu->eflags_rest & RFLAGS_AC) && cpu->cpl == 3))
		mode |= MODE_CAREFUL;
	if (!(cpu->cr0 & (CR0_EM | CR0_TS)) && (cpu->cr4 & CR4_OSFXSR))
		mode |= MODE_SSE;
	if (cpu->rtm.depth)
		mode |= MODE_RTM;
	if (cpu->cr4 & CR4_CET)
		mode |= cet_mode(cpu);
	if (mpx_branches_clear(cpu))
		mode |= MODE_BOUNDS;
	return mode;
}
