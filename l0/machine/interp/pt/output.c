/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Trace output to memory, SDM 3C "Trace Output": a single range that wraps, or the regions of a
 * table of physical addresses (ToPA). An entry of it:
 *
 *   MAXPHYADDR-1:12 base of the region, or of the next table | 9:6 size, 4 KiB << n | 4 STOP
 *   | 2 INT | 0 END; all others 0
 *
 * With the VMX control "Intel PT uses guest physical addresses" all addresses go through EPT. What
 * an instruction may write is looked up before it executes (pt_room), so that a VM exit comes
 * between two instructions and no packet is lost.
 */
#include "l0/machine/interp/pt/private.h"

#include "l0/machine/interp/profile.h"

#define TOPA_END BIT64(0)
#define TOPA_INT BIT64(2)
#define TOPA_STOP BIT64(4)
#define TOPA_SIZE_SHIFT 6
#define TOPA_RESERVED UINT64_C(0xc2a)
#define OFFSET_SHIFT 32
#define INDEX_SHIFT 7

/* Where the next byte goes; a copy of what the registers say, until it is stored. */
struct cursor {
	struct cpu *cpu;
	uint64_t base, pointers;
	struct pt_region region;
	struct walk *walk; /* of an address that EPT does not translate */
};

static struct cursor open_cursor(struct cpu *cpu, struct walk *walk)
{
	return (struct cursor){cpu, cpu->pt.msr.output_base, cpu->pt.msr.output_mask_ptrs,
			       cpu->pt.region, walk};
}

static void store_cursor(const struct cursor *c)
{
	c->cpu->pt.msr.output_base = c->base;
	c->cpu->pt.msr.output_mask_ptrs = c->pointers;
	c->cpu->pt.region = c->region;
}

static uint32_t mask(const struct cursor *c)
{
	return (uint32_t)c->pointers | 0x7f;
}

static uint32_t offset(const struct cursor *c)
{
	return (uint32_t)(c->pointers >> OFFSET_SHIFT);
}

static void set_pointers(struct cursor *c, uint64_t to, uint32_t low)
{
	c->pointers = to << OFFSET_SHIFT | low;
}

/* ---- memory ---- */

bool pt_through_ept(const struct cpu *cpu)
{
	return cpu->vmx->secondary & SECONDARY_PT_USES_GPA;
}

static bool translate(const struct cursor *c, uint64_t address, uint64_t access, uint64_t *hpa)
{
	const struct ept_access how = {.qualification = access};
	struct ept_leaf leaf;

	*hpa = address;
	if (!pt_through_ept(c->cpu))
		return true;
	if (!ept_translate(c->cpu, address, &how, c->walk, &leaf))
		return false;
	*hpa = leaf.hpa;
	return true;
}

static bool write_byte(const struct cursor *c, uint8_t byte)
{
	uint64_t hpa;

	if (!translate(c, c->region.base + offset(c), EPT_QUAL_WRITE, &hpa) || mmu_guarded(c->cpu, hpa))
		return false;
	phys_write(c->cpu, hpa, 1, byte);
	return true;
}

/* ---- regions ---- */

enum found { FOUND, FOUND_ERROR, FOUND_NO_MEMORY };

static uint64_t beyond(const struct cpu *cpu)
{
	return ~(BIT64(cpu->profile->caps.maxphyaddr) - 1);
}

static bool read_entry(const struct cursor *c, uint64_t *entry)
{
	uint64_t hpa;

	if (!translate(c, c->base + (mask(c) >> INDEX_SHIFT) * UINT64_C(8), EPT_QUAL_READ, &hpa))
		return false;
	*entry = phys_read(c->cpu, hpa, 8);
	return true;
}

/* SDM 3C "ToPA Errors" but for the offset; of an END entry that may be followed. */
static bool entry_valid(const struct cursor *c, uint64_t entry)
{
	uint64_t size = PAGE_SIZE << (entry >> TOPA_SIZE_SHIFT & 15);

	if (entry & (TOPA_RESERVED | beyond(c->cpu)))
		return false;
	if (entry & TOPA_END)
		return !(entry & (TOPA_INT | TOPA_STOP)) && mask(c) >> INDEX_SHIFT;
	return !(PAGE_BASE(entry) & (size - 1));
}

/* The entry after a region is looked at at once if it leads to another table. */
static void follow(struct cursor *c)
{
	uint64_t entry;

	if (!read_entry(c, &entry) || !(entry & TOPA_END) || !entry_valid(c, entry))
		return;
	c->base = PAGE_BASE(entry);
	set_pointers(c, offset(c), 0x7f);
}

static enum found find_topa(struct cursor *c)
{
	uint64_t entry;

	if (PAGE_OFFSET(c->base))
		return FOUND_ERROR;
	follow(c);
	if (!read_entry(c, &entry))
		return FOUND_NO_MEMORY;
	if (!entry_valid(c, entry) || (entry & TOPA_END))
		return FOUND_ERROR;
	c->region = (struct pt_region){
	    .base = PAGE_BASE(entry),
	    .size = PAGE_SIZE << (entry >> TOPA_SIZE_SHIFT & 15),
	    .known = true,
	    .stop = entry & TOPA_STOP,
	    .interrupt = entry & TOPA_INT,
	};
	return offset(c) < c->region.size ? FOUND : FOUND_ERROR;
}

static enum found find_range(struct cursor *c)
{
	uint32_t m = mask(c);

	c->region = (struct pt_region){.base = c->base, .size = UINT64_C(1) + m, .known = true};
	return (c->base & m) || (m & (m + 1)) || offset(c) > m ? FOUND_ERROR : FOUND;
}

static enum found find_region(struct cursor *c)
{
	if (c->region.known)
		return FOUND;
	return pt_ctl(c->cpu, RTIT_CTL_TOPA) ? find_topa(c) : find_range(c);
}

/* On by `count` bytes of the region. True: it is full, and the cursor at the next one, or at the
 * end of one with STOP. */
static bool advance(struct cursor *c, uint32_t count)
{
	set_pointers(c, (uint64_t)offset(c) + count, mask(c));
	if (offset(c) != (uint32_t)c->region.size)
		return false;
	c->region.known = false;
	if (c->region.stop)
		return true;
	if (!pt_ctl(c->cpu, RTIT_CTL_TOPA)) {
		set_pointers(c, 0, mask(c));
		return true;
	}
	set_pointers(c, 0, mask(c) + (1u << INDEX_SHIFT));
	follow(c);
	return true;
}

/* ---- output ---- */

static void end(struct cpu *cpu, uint64_t why)
{
	cpu->pt.msr.status |= why;
	cpu->pt.on = false;
}

/* SDM 3C "ToPA PMI", "ToPA STOP" */
static void region_full(struct cpu *cpu, const struct pt_region *region)
{
	if (region->interrupt) {
		cpu->msrs.perf_global_status |= PERF_STATUS_TOPA_PMI;
		cpu->perf.pmi = true;
		cpu->attention = true;
	}
	if (region->stop)
		end(cpu, RTIT_STATUS_STOPPED);
}

void pt_output(struct cpu *cpu, const uint8_t *bytes, unsigned count)
{
	struct walk walk = {0};
	struct cursor c = open_cursor(cpu, &walk);

	for (; count && cpu->pt.on; count--) {
		enum found found = find_region(&c);

		if (found == FOUND_ERROR)
			end(cpu, RTIT_STATUS_ERROR);
		if (found != FOUND || !write_byte(&c, *bytes++))
			break;
		if (advance(&c, 1))
			region_full(cpu, &c.region);
	}
	store_cursor(&c);
}

bool pt_room(struct cpu *cpu, uint32_t count, struct walk *walk)
{
	struct cursor c = open_cursor(cpu, walk);

	while (count && pt_through_ept(cpu)) {
		enum found found = find_region(&c);
		uint64_t at = c.region.base + offset(&c), hpa;
		uint64_t part = PAGE_SIZE - PAGE_OFFSET(at);

		if (found == FOUND_NO_MEMORY)
			return false;
		if (found == FOUND_ERROR)
			break;
		if (!translate(&c, at, EPT_QUAL_WRITE, &hpa))
			return false;
		part = part < c.region.size - offset(&c) ? part : c.region.size - offset(&c);
		part = part < count ? part : count;
		count -= (uint32_t)part;
		if (advance(&c, (uint32_t)part) && c.region.stop)
			break;
	}
	return true;
}
