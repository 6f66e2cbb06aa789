/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Trace output to memory, SDM 3C "Trace Output": a single range that wraps, or the regions of a table
 * of physical addresses (ToPA). An entry of it:
 *
 *   MAXPHYADDR-1:12 base of the region, or of the next table | 9:6 size, 4 KiB << n | 4 STOP
 *   | 2 INT | 0 END; all others 0
 */
#include "l0/machine/interp/pt/private.h"

#include "l0/machine/interp/mmu.h"
#include "l0/machine/interp/profile.h"

#define TOPA_END BIT64(0)
#define TOPA_INT BIT64(2)
#define TOPA_STOP BIT64(4)
#define TOPA_SIZE_SHIFT 6
#define TOPA_RESERVED UINT64_C(0xc2a)
#define OFFSET_SHIFT 32
#define INDEX_SHIFT 7

static void end(struct cpu *cpu, uint64_t why)
{
	cpu->pt.msr.status |= why;
	cpu->pt.on = false;
}

static uint64_t beyond(const struct cpu *cpu)
{
	return ~(BIT64(cpu->profile->caps.maxphyaddr) - 1);
}

static uint32_t mask(const struct cpu *cpu)
{
	return (uint32_t)cpu->pt.msr.output_mask_ptrs | 0x7f;
}

static uint32_t offset(const struct cpu *cpu)
{
	return (uint32_t)(cpu->pt.msr.output_mask_ptrs >> OFFSET_SHIFT);
}

static void set_pointers(struct cpu *cpu, uint64_t to, uint32_t low)
{
	cpu->pt.msr.output_mask_ptrs = to << OFFSET_SHIFT | low;
}

/* ---- ToPA ---- */

static uint64_t entry(struct cpu *cpu)
{
	return phys_read(cpu, cpu->pt.msr.output_base + (mask(cpu) >> INDEX_SHIFT) * UINT64_C(8), 8);
}

/* SDM 3C "ToPA Errors" but for the offset; of an END entry that may be followed. */
static bool entry_valid(const struct cpu *cpu, uint64_t e)
{
	uint64_t size = PAGE_SIZE << (e >> TOPA_SIZE_SHIFT & 15);

	if (e & (TOPA_RESERVED | beyond(cpu)))
		return false;
	if (e & TOPA_END)
		return !(e & (TOPA_INT | TOPA_STOP)) && mask(cpu) >> INDEX_SHIFT;
	return !(PAGE_BASE(e) & (size - 1));
}

/* The entry after a region is looked at at once if it leads to another table. */
static void follow(struct cpu *cpu)
{
	uint64_t e = entry(cpu);

	if (!(e & TOPA_END) || !entry_valid(cpu, e))
		return;
	cpu->pt.msr.output_base = PAGE_BASE(e);
	set_pointers(cpu, offset(cpu), 0x7f);
}

static bool find_topa(struct cpu *cpu)
{
	struct pt_region *region = &cpu->pt.region;
	uint64_t e;

	if (PAGE_OFFSET(cpu->pt.msr.output_base))
		return false;
	follow(cpu);
	e = entry(cpu);
	if (!entry_valid(cpu, e) || (e & TOPA_END))
		return false;
	*region = (struct pt_region){
	    .base = PAGE_BASE(e),
	    .size = PAGE_SIZE << (e >> TOPA_SIZE_SHIFT & 15),
	    .known = true,
	    .stop = e & TOPA_STOP,
	    .interrupt = e & TOPA_INT,
	};
	return offset(cpu) < region->size;
}

static bool find_range(struct cpu *cpu)
{
	uint64_t base = cpu->pt.msr.output_base;

	cpu->pt.region = (struct pt_region){.base = base, .size = UINT64_C(1) + mask(cpu), .known = true};
	return !(base & mask(cpu)) && !(mask(cpu) & (mask(cpu) + 1)) && offset(cpu) <= mask(cpu);
}

/* SDM 3C "ToPA PMI", "ToPA STOP" */
static void region_full(struct cpu *cpu)
{
	struct pt_region *region = &cpu->pt.region;

	region->known = false;
	if (region->interrupt) {
		cpu->msrs.perf_global_status |= PERF_STATUS_TOPA_PMI;
		cpu->perf.pmi = true;
		cpu->attention = true;
	}
	if (region->stop) {
		end(cpu, RTIT_STATUS_STOPPED);
		return;
	}
	if (!pt_ctl(cpu, RTIT_CTL_TOPA)) {
		set_pointers(cpu, 0, mask(cpu));
		return;
	}
	set_pointers(cpu, 0, mask(cpu) + (1u << INDEX_SHIFT));
	follow(cpu);
}

void pt_output(struct cpu *cpu, const uint8_t *bytes, unsigned count)
{
	struct pt *pt = &cpu->pt;

	while (count && pt->on) {
		if (!pt->region.known &&
		    !(pt_ctl(cpu, RTIT_CTL_TOPA) ? find_topa(cpu) : find_range(cpu))) {
			end(cpu, RTIT_STATUS_ERROR);
			return;
		}
		phys_write(cpu, pt->region.base + offset(cpu), 1, *bytes++);
		count--;
		set_pointers(cpu, UINT64_C(1) + offset(cpu), mask(cpu));
		if (offset(cpu) == pt->region.size % (UINT64_C(1) << 32))
			region_full(cpu);
	}
}
