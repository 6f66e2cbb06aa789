/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Page walks for onlookers: paging in all its forms over EPT, reading tables and nothing else. SDM
 * 3A "Paging", SDM 3C "EPT Translation Mechanism".
 */
#include "l0/machine/debug/context.h"

#include "l0/machine/machine.h"

#define ADDRESS_52 EPT_ADDRESS
#define INDEX_BITS 9

/* Guest-physical to the machine's. */
static bool through_ept(uint64_t eptp, const struct memory *memory, uint64_t gpa, uint64_t *hpa)
{
	unsigned level = (unsigned)((eptp & EPTP_WALK) >> EPTP_WALK_SHIFT) + 1;
	uint64_t entry = eptp;

	for (*hpa = gpa; eptp && level; level--) {
		unsigned shift = PAGE_SHIFT + INDEX_BITS * (level - 1);
		uint64_t index = gpa >> shift & 511;

		if (!memory_read(memory, (entry & ADDRESS_52) + 8 * index, &entry, 8) ||
		    !(entry & EPT_RWX))
			return false;
		if (level == 1 || (entry & EPT_PS)) {
			uint64_t offset = (UINT64_C(1) << shift) - 1;

			*hpa = (entry & ADDRESS_52 & ~offset) | (gpa & offset);
			return true;
		}
	}
	return !eptp;
}

static bool read_entry(const struct context *context, const struct memory *memory, uint64_t gpa,
		       unsigned size, uint64_t *entry)
{
	uint64_t hpa;

	*entry = 0;
	return through_ept(context->eptp, memory, gpa, &hpa) &&
	       memory_read(memory, hpa, entry, size) && (*entry & PTE_P);
}

/* 32-bit paging: two levels of 1024 entries of 4 bytes; 4 MiB pages with 40-bit addresses. */
static bool walk_32(const struct context *context, const struct memory *memory, uint64_t linear,
		    uint64_t *gpa)
{
	uint64_t entry;

	if (!read_entry(context, memory, (context->cr3 & 0xfffff000) + (linear >> 22 & 1023) * 4, 4,
			&entry))
		return false;
	if ((entry & PTE_PS) && (context->cr4 & CR4_PSE)) {
		*gpa = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | (linear & 0x3fffff);
		return true;
	}
	if (!read_entry(context, memory, (entry & 0xfffff000) + (linear >> 12 & 1023) * 4, 4,
			&entry))
		return false;
	*gpa = (entry & 0xfffff000) | PAGE_OFFSET(linear);
	return true;
}

/* `level` levels of 512 entries of 8 bytes below the table at `table`. */
static bool walk_64(const struct context *context, const struct memory *memory, uint64_t table,
		    unsigned level, uint64_t linear, uint64_t *gpa)
{
	uint64_t entry = table;

	for (; level; level--) {
		unsigned shift = PAGE_SHIFT + INDEX_BITS * (level - 1);
		uint64_t offset = (UINT64_C(1) << shift) - 1;

		if (!read_entry(context, memory,
				(entry & ADDRESS_52) + 8 * (linear >> shift & 511), 8, &entry))
			return false;
		if (level == 1 || ((entry & PTE_PS) && level <= 3)) {
			*gpa = (entry & ADDRESS_52 & ~offset) | (linear & offset);
			return true;
		}
	}
	return false;
}

static bool walk(const struct context *context, const struct memory *memory, uint64_t linear,
		 uint64_t *gpa)
{
	if (!(context->cr0 & CR0_PG)) {
		*gpa = linear;
		return true;
	}
	if (context->efer & EFER_LMA)
		return walk_64(context, memory, context->cr3, context->cr4 & CR4_LA57 ? 5 : 4,
			       linear, gpa);
	if (!(context->cr4 & CR4_PAE))
		return walk_32(context, memory, linear, gpa);
	uint64_t pdpte = context->pdpte[linear >> 30 & 3];

	return (pdpte & PTE_P) && walk_64(context, memory, pdpte, 2, linear, gpa);
}

bool context_translate(const struct context *context, const struct memory *memory, uint64_t linear,
		       uint64_t *hpa)
{
	uint64_t gpa;

	if (!(context->efer & EFER_LMA))
		linear = (uint32_t)linear;
	return walk(context, memory, linear, &gpa) &&
	       through_ept(context->eptp, memory, gpa, hpa) && memory_at(memory, *hpa);
}

size_t context_read(const struct context *context, const struct memory *memory, uint64_t linear,
		    void *to, size_t length)
{
	size_t done = 0;
	uint64_t hpa;

	while (done < length && context_translate(context, memory, linear + done, &hpa)) {
		size_t piece = PAGE_SIZE - PAGE_OFFSET(hpa);

		if (piece > length - done)
			piece = length - done;
		if (!memory_read(memory, hpa, (uint8_t *)to + done, piece))
			break;
		done += piece;
	}
	return done;
}
