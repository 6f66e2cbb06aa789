/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The tracker of indirect branches, SDM 1 "Indirect Branch Tracking". Its state is in the control
 * register of the current privilege; the decoder sees it in the mode key, and makes of an
 * instruction that is no ENDBRANCH one that faults.
 */
#include "l0/machine/interp/cet.h"

#include "l0/machine/interp/sys.h"

#define BITMAP_BASE (~UINT64_C(0xfff))
#define TRACKER_BITS (CET_SUPPRESS | CET_TRACKER)

static uint64_t *control_of(struct cpu *cpu)
{
	return cpu->cpl == 3 ? &cpu->cet.u_cet : &cpu->cet.s_cet;
}

static void set_tracker(struct cpu *cpu, uint64_t state)
{
	uint64_t *control = control_of(cpu);

	*control = (*control & ~TRACKER_BITS) | state;
	cpu_mode_recheck(cpu);
}

void cet_track_near(struct cpu *cpu, bool notrack)
{
	uint64_t control = *control_of(cpu);

	if ((control & CET_SUPPRESS) || (notrack && (control & CET_NO_TRACK_EN)))
		return;
	set_tracker(cpu, CET_TRACKER);
}

void cet_track_far(struct cpu *cpu)
{
	if (cet_on(cpu) && cet_set(cpu, cpu->cpl, CET_ENDBR_EN))
		set_tracker(cpu, CET_TRACKER);
}

void cet_endbranch(struct cpu *cpu)
{
	set_tracker(cpu, 0);
}

/* SDM 1 "Legacy Code Page Bitmap Format": a bit for each page of code, by bits 47:12 of its linear
 * address. */
static bool legacy_page(struct cpu *cpu, uint64_t control)
{
	uint64_t lip = cpu_insn_rip(cpu), page, byte;

	if (!(control & CET_LEG_IW_EN))
		return false;
	if (!cpu_code64(cpu))
		lip = (uint32_t)(lip + cpu->seg[SEG_CS].base);
	page = lip >> PAGE_SHIFT & ((UINT64_C(1) << 36) - 1);
	byte = lin_read(cpu, cpu_wrap_linear(cpu, (control & BITMAP_BASE) + page / 8), 1,
			MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	return byte >> page % 8 & 1;
}

void cet_miss_endbranch(struct cpu *cpu)
{
	uint64_t control = *control_of(cpu);

	if (!legacy_page(cpu, control))
		cpu_fault_code(cpu, VECTOR_CP, CP_ENDBRANCH);
	set_tracker(cpu, control & CET_SUPPRESS_DIS ? 0 : CET_SUPPRESS);
}
