/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The two TLB levels. First level: cpu.h, one entry per (page, view), direct-mapped. Second level:
 * one entry per (page, space) with the rights of all views, four ways; it catches what the first
 * level's aliases evict. Which space a translation belongs to is space.c's business.
 */
#include "l0/machine/interp/tlb.h"

static struct tlb2_entry *tlb2_set(struct mmu_spaces *s, uint64_t linear, uint64_t id)
{
	uint64_t page = linear >> PAGE_SHIFT;

	return s->tlb2[(page ^ page >> 10 ^ id * 7) & (TLB2_SETS - 1)];
}

static struct tlb2_entry *lookup(struct mmu_spaces *s, uint64_t linear, const struct space *space)
{
	struct tlb2_entry *set = tlb2_set(s, linear, space->id);

	for (unsigned i = 0; i < TLB2_WAYS; i++)
		if (set[i].page == PAGE_BASE(linear) && set[i].id == space->id)
			return &set[i];
	return NULL;
}

const struct tlb2_entry *tlb2_find(struct cpu *cpu, uint64_t linear)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	const struct tlb2_entry *entry = lookup(s, linear, s->current);

	if (!entry && s->global)
		entry = lookup(s, linear, s->global);
	return entry;
}

/* ---- large pages ---- */

static struct large_mark *large_set(struct mmu_spaces *s, uint64_t page, uint64_t id)
{
	return s->large[((page >> 21) ^ (page >> 31) ^ id * 5) & (LARGE_SETS - 1)];
}

static uint64_t large_page(uint64_t linear, unsigned shift)
{
	return (linear & ~((UINT64_C(1) << shift) - 1)) | shift;
}

static bool is_marked(struct mmu_spaces *s, const struct space *space, uint64_t page)
{
	const struct large_mark *set = large_set(s, page, space->id);

	for (unsigned i = 0; i < LARGE_WAYS; i++)
		if (set[i].page == page && set[i].id == space->id)
			return true;
	return false;
}

static bool in_large_page(struct mmu_spaces *s, const struct space *space, uint64_t linear)
{
	if (!(space->key.mode & SPACE_PAE))
		return (space->key.mode & SPACE_PSE) && is_marked(s, space, large_page(linear, 22));
	return is_marked(s, space, large_page(linear, 21)) ||
	       is_marked(s, space, large_page(linear, 30));
}

/* Drops the space that a mark speaks for, if it still exists. */
static void forget_marked(struct cpu *cpu, uint64_t id)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	struct space *space;

	FOR_EACH_SPACE(s, space)
		if (space->id == id) {
			space_rename_global(s, space);
			space_refresh(cpu);
			return;
		}
}

static void mark_large(struct cpu *cpu, const struct space *space, uint64_t page)
{
	struct mmu_spaces *s = cpu->mmu.spaces;

	/* Making room may rename the space itself, and so lead to another set. */
	while (!is_marked(s, space, page)) {
		struct large_mark *set = large_set(s, page, space->id), *mark = set;

		while (mark < set + LARGE_WAYS && mark->id)
			mark++;
		if (mark < set + LARGE_WAYS) {
			*mark = (struct large_mark){.page = page, .id = space->id};
			return;
		}
		mark = &set[s->clock++ % LARGE_WAYS];
		forget_marked(cpu, mark->id);
		mark->id = 0;
	}
}

/* ---- the second level ---- */

static void remove_entry(struct mmu_spaces *s, uint64_t linear, const struct space *space)
{
	struct tlb2_entry *entry = lookup(s, linear, space);

	if (entry)
		*entry = (struct tlb2_entry){.id = 0};
}

const struct tlb2_entry *tlb2_insert(struct cpu *cpu, uint64_t linear, const struct walk *walk,
				     enum page_kind kind, bool known)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	struct space *space = walk->global ? s->global : s->current;
	struct tlb2_entry *set, *entry;
	size_t number;

	if (walk->shift > PAGE_SHIFT)
		mark_large(cpu, space, large_page(linear, walk->shift));
	set = tlb2_set(s, linear, space->id);
	number = (size_t)(set - s->tlb2[0]) / TLB2_WAYS;
	if (known) {
		remove_entry(s, linear, s->current);
		if (s->global)
			remove_entry(s, linear, s->global);
	}
	for (entry = set; entry < set + TLB2_WAYS && entry->id; entry++)
		;
	if (entry == set + TLB2_WAYS)
		entry = &set[s->victim[number]++ % TLB2_WAYS];
	*entry = (struct tlb2_entry){.page = PAGE_BASE(linear),
				     .id = space->id,
				     .hpa = PAGE_BASE(walk->hpa),
				     .rights = walk->rights,
				     .key = walk->key,
				     .kind = kind};
	return entry;
}

void tlb_note_fetch(struct cpu *cpu, uint64_t linear, const struct walk *walk)
{
	struct mmu_spaces *s = cpu->mmu.spaces;

	if (walk->shift > PAGE_SHIFT)
		mark_large(cpu, walk->global ? s->global : s->current,
			   large_page(linear, walk->shift));
	filter_add(&s->current->code, filter_bit(linear));
}

struct tlb_entry *tlb_slot_of_view(struct cpu *cpu, uint64_t linear, enum mmu_view view,
				   uint64_t *tag)
{
	*tag = space_tag(cpu, cpu->mmu.spaces->current, view);
	return &cpu->mmu
		    .tlb[(linear >> PAGE_SHIFT ^ tag_hash((unsigned)*tag)) & ((1 << TLB_BITS) - 1)];
}

void tlb_fill(struct cpu *cpu, const struct tlb2_entry *entry, uint64_t linear, enum mmu_view view,
	      bool fetch)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	unsigned rights = tlb2_rights(cpu, entry) >> RIGHTS_SHIFT(view);
	struct tlb_entry *slot, fill;
	uint64_t tag, hit;

	if (entry->kind != PAGE_RAM)
		return;
	slot = tlb_slot_of_view(cpu, linear, view, &tag);
	hit = PAGE_BASE(linear) | tag;
	fill.addend =
	    (uint64_t)(uintptr_t)memory_at(&cpu->machine->memory, entry->hpa) - PAGE_BASE(linear);
	/* Fetches are admitted once asked for, so that the code filter knows every page with code.
	 */
	fill.fetch =
	    fetch || (slot->fetch == hit && slot->addend == fill.addend) ? hit : TLB_INVALID;
	fill.read = fill.write = TLB_INVALID;
	if (fetch)
		filter_add(&s->current->code, filter_bit(linear));
	if (!(s->current->key.mode & SPACE_SLOW)) {
		if (rights & RIGHT_READ)
			fill.read = hit;
		if ((rights & RIGHT_WRITE) && !(s->current->key.mode & SPACE_RTM) &&
		    blocks_admit_writes(cpu, entry->hpa))
			fill.write = hit;
	}
	*slot = fill;
}

/* ---- invalidation ---- */

static void drop_first_level(struct cpu *cpu, const struct space *space, uint64_t linear)
{
	for (unsigned view = 0; view < VIEW_COUNT; view++) {
		unsigned tag = space->tag[view];
		uint64_t hit = PAGE_BASE(linear) | tag;
		struct tlb_entry *slot;

		if (!tag)
			continue;
		slot =
		    &cpu->mmu.tlb[(linear >> PAGE_SHIFT ^ tag_hash(tag)) & ((1 << TLB_BITS) - 1)];
		if (slot->read == hit || slot->write == hit || slot->fetch == hit)
			*slot = (struct tlb_entry){TLB_INVALID, TLB_INVALID, TLB_INVALID, 0};
	}
}

void tlb_flush_page(struct cpu *cpu, const struct selection *sel, uint64_t linear)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	bool renamed = false, had_code = false;
	struct space *space;

	FOR_EACH_SPACE(s, space) {
		bool chosen = space->live && space_selected(space, sel);

		/* Other PCIDs may have the page as a global one at the first level. */
		if (!chosen && !(space->live && sel->with_global &&
				 (sel->any_vpid || space->key.vpid == sel->vpid)))
			continue;
		had_code |= filter_has(&space->code, filter_bit(linear));
		drop_first_level(cpu, space, linear);
		if (!chosen)
			continue;
		remove_entry(s, linear, space);
		if (in_large_page(s, space, linear)) {
			renamed = true;
			space_rename_global(s, space);
		}
	}
	if (renamed)
		space_refresh(cpu);
	if (had_code)
		space_forget_jumps(cpu);
}

void mmu_protect_code(struct cpu *cpu, uint64_t hpa)
{
	const uint8_t *page = memory_at(&cpu->machine->memory, PAGE_BASE(hpa));

	for (unsigned i = 0; i < 1 << TLB_BITS; i++) {
		struct tlb_entry *entry = &cpu->mmu.tlb[i];

		if (entry->write != TLB_INVALID &&
		    PAGE_BASE(entry->write) + entry->addend == (uint64_t)(uintptr_t)page)
			entry->write = TLB_INVALID;
	}
}
