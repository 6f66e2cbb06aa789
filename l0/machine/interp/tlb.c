/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Both TLB levels and the address spaces that tag them, SDM 3A "Caching Translation Information",
 * SDM 3C "Caching Translation Information" (VPID, EP4TA). A flush renames a space (new identifier, new
 * tags) instead of clearing entries, so that CR3 loads, VM entries and VM exits cost nothing here.
 *
 * First level: cpu.h, one entry per (page, view), direct-mapped. Second level: one entry per (page,
 * space) with the rights of all views, four ways; it catches what the first level's aliases evict.
 * Pages with the G flag belong to a space of their own that all PCIDs of a VPID look into.
 */
#include "l0/machine/interp/mmu.h"

#include <stdlib.h>
#include <string.h>

#include "l0/machine/interp/block.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/sys.h"

#define SPACES 64
#define SPACE_WAYS 4
#define TLB2_SETS 1024
#define TLB2_WAYS 4
#define TAG_COUNT (1u << PAGE_SHIFT)
#define PCID_GLOBAL UINT16_C(0xffff) /* of a space of global pages */
#define EP4TA(eptp) ((eptp) & EPT_ADDRESS)

struct space_key {
	uint64_t eptp; /* 0: no EPT */
	uint16_t vpid, pcid;
	uint32_t mode; /* SPACE_* */
};

struct space {
	struct space_key key;
	uint64_t id; /* 0: slot unused; never given out twice */
	uint64_t used;
	uint16_t tag[VIEW_COUNT]; /* 0: none yet */
	/* Where large pages may have been cut into entries, by 2 MiB and 1 GiB regions: INVLPG there
	 * drops the whole space, since a large page's other entries must go too. */
	uint64_t large_2m[2048 / 64], large_1g;
};

struct mmu_spaces {
	struct space space[SPACES];
	struct space *current, *global; /* global: NULL without CR4.PGE */
	enum mmu_view view;
	uint64_t next_id, clock;
	unsigned next_tag;
	uint8_t victim[TLB2_SETS];
	struct tlb2_entry tlb2[TLB2_SETS][TLB2_WAYS];
};

/* ---- tags ---- */

static uint64_t tag_hash(unsigned tag)
{
	return (uint64_t)tag * 0x9e5u;
}

static void use_tag(struct cpu *cpu, unsigned tag)
{
	cpu->mmu.tag = tag;
	cpu->mmu.hash = tag_hash(tag);
}

/* What the block cache knows of RIPs goes by tags; these are now used anew or lack a page. */
static void forget_jumps(struct cpu *cpu)
{
	cpu->mmu.epoch++;
	if (cpu->blocks)
		blocks_refresh_key(cpu);
}

static uint16_t new_tag(struct cpu *cpu)
{
	struct mmu_spaces *s = cpu->mmu.spaces;

	if (s->next_tag == TAG_COUNT) {
		memset(cpu->mmu.tlb, 0, sizeof(cpu->mmu.tlb));
		for (unsigned i = 0; i < SPACES; i++)
			memset(s->space[i].tag, 0, sizeof(s->space[i].tag));
		s->next_tag = 1;
		/* The view in use must not go on under a tag that somebody else will get. */
		use_tag(cpu, s->current->tag[s->view] = (uint16_t)s->next_tag++);
		forget_jumps(cpu);
	}
	return (uint16_t)s->next_tag++;
}

static unsigned view_tag(struct cpu *cpu, enum mmu_view view)
{
	struct space *space = cpu->mmu.spaces->current;

	if (!space->tag[view]) {
		uint16_t tag = new_tag(cpu); /* may zero every tag */

		space->tag[view] = tag;
	}
	return space->tag[view];
}

static void select_view(struct cpu *cpu, enum mmu_view view)
{
	cpu->mmu.spaces->view = view;
	use_tag(cpu, view_tag(cpu, view));
}

/* ---- spaces ---- */

static bool same_key(const struct space_key *a, const struct space_key *b)
{
	return a->eptp == b->eptp && a->vpid == b->vpid && a->pcid == b->pcid && a->mode == b->mode;
}

/* New identifier, no tags: everything cached for the space is out of reach. */
static void rename_space(struct mmu_spaces *s, struct space *space)
{
	space->id = s->next_id++;
	memset(space->tag, 0, sizeof(space->tag));
	memset(space->large_2m, 0, sizeof(space->large_2m));
	space->large_1g = 0;
}

/* A space of global pages goes: the first level of other spaces holds some under their own tags. */
static void forget_tags(struct mmu_spaces *s, uint16_t vpid)
{
	for (unsigned i = 0; i < SPACES; i++)
		if (s->space[i].key.vpid == vpid)
			memset(s->space[i].tag, 0, sizeof(s->space[i].tag));
}

static struct space *find_space(struct mmu_spaces *s, const struct space_key *key)
{
	uint64_t hash = (key->eptp >> PAGE_SHIFT ^ key->vpid ^ (uint64_t)key->pcid << 4 ^ key->mode) *
			UINT64_C(0x9e3779b97f4a7c15);
	struct space *set = &s->space[(hash >> 60) * SPACE_WAYS], *oldest = set;

	for (unsigned i = 0; i < SPACE_WAYS; i++) {
		if (set[i].id && same_key(&set[i].key, key)) {
			set[i].used = ++s->clock;
			return &set[i];
		}
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	if (oldest->id && oldest->key.pcid == PCID_GLOBAL)
		forget_tags(s, oldest->key.vpid);
	oldest->key = *key;
	oldest->used = ++s->clock;
	rename_space(s, oldest);
	return oldest;
}

static bool slow_access(const struct cpu *cpu)
{
	if (debug_armed(cpu, BIT32(DEBUG_WRITE) | BIT32(DEBUG_ACCESS)))
		return true;
	return cpu->cpl == 3 && (cpu->cr0 & CR0_AM) && (cpu->eflags_rest & RFLAGS_AC);
}

static uint32_t mode_bits(const struct cpu *cpu)
{
	uint32_t mode = slow_access(cpu) ? SPACE_SLOW : 0;

	if (ept_enabled(cpu) && (cpu->vmx->secondary & SECONDARY_MODE_BASED_EXECUTE))
		mode |= SPACE_MBEC;
	if (!(cpu->cr0 & CR0_PG))
		return mode;
	mode |= SPACE_PG | (cpu->cr0 & CR0_WP ? SPACE_WP : 0);
	mode |= (cpu->cr4 & CR4_PSE ? SPACE_PSE : 0) | (cpu->cr4 & CR4_PAE ? SPACE_PAE : 0) |
		(cpu->cr4 & CR4_PGE ? SPACE_PGE : 0) | (cpu->cr4 & CR4_SMEP ? SPACE_SMEP : 0) |
		(cpu->cr4 & CR4_SMAP ? SPACE_SMAP : 0);
	return mode | (cpu->efer & EFER_LMA ? SPACE_LMA : 0) | (cpu->efer & EFER_NXE ? SPACE_NXE : 0);
}

static uint16_t current_pcid(const struct cpu *cpu)
{
	return cpu->cr4 & CR4_PCIDE ? cpu->cr3 & CR3_PCID_MASK : 0;
}

static uint16_t current_vpid(const struct cpu *cpu)
{
	return cpu->vmx ? cpu->vmx->vpid : 0;
}

static enum mmu_view wanted_view(const struct cpu *cpu, uint32_t mode)
{
	if (cpu->cpl == 3)
		return VIEW_USER;
	if ((mode & SPACE_SMAP) && (cpu->eflags_rest & RFLAGS_AC))
		return VIEW_SUPERVISOR_AC;
	return VIEW_SUPERVISOR;
}

void mmu_mode_changed(struct cpu *cpu)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	struct space_key key = {.eptp = ept_enabled(cpu) ? cpu->vmx->eptp : 0,
				.vpid = current_vpid(cpu),
				.pcid = current_pcid(cpu),
				.mode = mode_bits(cpu)};

	if (!s->current || !same_key(&s->current->key, &key)) {
		s->current = find_space(s, &key);
		s->global = NULL;
		if (key.mode & SPACE_PGE) {
			key.pcid = PCID_GLOBAL;
			s->global = find_space(s, &key);
		}
	}
	select_view(cpu, wanted_view(cpu, key.mode));
}

uint32_t mmu_space_mode(const struct cpu *cpu)
{
	return cpu->mmu.spaces->current->key.mode;
}

enum mmu_view mmu_current_view(const struct cpu *cpu)
{
	return cpu->mmu.spaces->view;
}

bool mmu_init(struct cpu *cpu)
{
	struct mmu_spaces *s = calloc(1, sizeof(*s));

	if (!s)
		return false;
	s->next_id = 1;
	s->next_tag = 1;
	memset(cpu->mmu.tlb, 0, sizeof(cpu->mmu.tlb));
	cpu->mmu.spaces = s;
	mmu_mode_changed(cpu);
	return true;
}

void mmu_free(struct cpu *cpu)
{
	free(cpu->mmu.spaces);
	cpu->mmu.spaces = NULL;
}

/* ---- the two levels ---- */

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

static unsigned region_2m(uint64_t linear)
{
	return (unsigned)((linear >> 21 & 1023) | (linear >> 47 & 1) << 10);
}

static void note_large(struct space *space, uint64_t linear, unsigned shift)
{
	if (shift == 30) {
		space->large_1g |= UINT64_C(1) << (linear >> 30 & 63);
	} else if (shift > 12) {
		/* A 4 MiB page is two regions. */
		uint64_t first = linear & ~((UINT64_C(1) << shift) - 1);

		for (uint64_t at = first; at < first + (UINT64_C(1) << shift); at += UINT64_C(1) << 21)
			space->large_2m[region_2m(at) / 64] |= UINT64_C(1) << (region_2m(at) % 64);
	}
}

static bool may_be_large(const struct space *space, uint64_t linear)
{
	return (space->large_1g >> (linear >> 30 & 63) & 1) ||
	       (space->large_2m[region_2m(linear) / 64] >> (region_2m(linear) % 64) & 1);
}

static void remove_entry(struct mmu_spaces *s, uint64_t linear, const struct space *space)
{
	struct tlb2_entry *entry = lookup(s, linear, space);

	if (entry)
		*entry = (struct tlb2_entry){.id = 0};
}

const struct tlb2_entry *tlb2_insert(struct cpu *cpu, uint64_t linear, const struct walk *walk,
				     enum page_kind kind)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	struct space *space = walk->global ? s->global : s->current;
	struct tlb2_entry *set = tlb2_set(s, linear, space->id), *entry;
	size_t number = (size_t)(set - s->tlb2[0]) / TLB2_WAYS;

	remove_entry(s, linear, s->current);
	if (s->global)
		remove_entry(s, linear, s->global);
	for (entry = set; entry < set + TLB2_WAYS && entry->id; entry++)
		;
	if (entry == set + TLB2_WAYS)
		entry = &set[s->victim[number]++ % TLB2_WAYS];
	*entry = (struct tlb2_entry){.page = PAGE_BASE(linear), .id = space->id,
				     .hpa = PAGE_BASE(walk->hpa), .rights = walk->rights, .kind = kind};
	note_large(space, linear, walk->shift);
	return entry;
}

struct tlb_entry *tlb_slot_of_view(struct cpu *cpu, uint64_t linear, enum mmu_view view, uint64_t *tag)
{
	*tag = view_tag(cpu, view);
	return &cpu->mmu.tlb[(linear >> PAGE_SHIFT ^ tag_hash((unsigned)*tag)) & ((1 << TLB_BITS) - 1)];
}

void tlb_fill(struct cpu *cpu, const struct tlb2_entry *entry, uint64_t linear, enum mmu_view view)
{
	unsigned rights = entry->rights >> RIGHTS_SHIFT(view);
	uint64_t tag, hit;
	struct tlb_entry *slot;

	if (entry->kind != PAGE_RAM)
		return;
	slot = tlb_slot_of_view(cpu, linear, view, &tag);
	hit = PAGE_BASE(linear) | tag;
	*slot = (struct tlb_entry){
		.addend = (uint64_t)(uintptr_t)memory_at(&cpu->machine->memory, entry->hpa) -
			  PAGE_BASE(linear),
		.fetch = rights & RIGHT_FETCH ? hit : TLB_INVALID,
	};
	if (mmu_space_mode(cpu) & SPACE_SLOW)
		return;
	if (rights & RIGHT_READ)
		slot->read = hit;
	if ((rights & RIGHT_WRITE) && !blocks_page_has_code(cpu, entry->hpa))
		slot->write = hit;
}

/* ---- invalidation ---- */

/* A view was renamed or pages went: mmu.tag must be valid again. */
static void refresh(struct cpu *cpu)
{
	struct mmu_spaces *s = cpu->mmu.spaces;

	s->current = NULL;
	mmu_mode_changed(cpu);
	if (cpu->blocks)
		blocks_refresh_key(cpu);
}

struct selection {
	bool any_vpid, any_pcid, any_eptp, with_global;
	uint16_t vpid, pcid;
	uint64_t eptp;
};

static bool selected(const struct space *space, const struct selection *sel)
{
	if (!space->id || (!sel->any_vpid && space->key.vpid != sel->vpid) ||
	    (!sel->any_eptp && EP4TA(space->key.eptp) != EP4TA(sel->eptp)))
		return false;
	if (space->key.pcid == PCID_GLOBAL)
		return sel->with_global;
	return sel->any_pcid || space->key.pcid == sel->pcid;
}

static void flush(struct cpu *cpu, const struct selection *sel)
{
	struct mmu_spaces *s = cpu->mmu.spaces;

	for (unsigned i = 0; i < SPACES; i++) {
		struct space *space = &s->space[i];

		if (!selected(space, sel))
			continue;
		if (space->key.pcid == PCID_GLOBAL)
			forget_tags(s, space->key.vpid);
		rename_space(s, space);
	}
	refresh(cpu);
}

static void drop_first_level(struct cpu *cpu, const struct space *space, uint64_t linear)
{
	for (unsigned view = 0; view < VIEW_COUNT; view++) {
		unsigned tag = space->tag[view];
		uint64_t hit = PAGE_BASE(linear) | tag;
		struct tlb_entry *slot = &cpu->mmu.tlb[(linear >> PAGE_SHIFT ^ tag_hash(tag)) &
						       ((1 << TLB_BITS) - 1)];

		if (tag && (slot->read == hit || slot->write == hit || slot->fetch == hit))
			*slot = (struct tlb_entry){TLB_INVALID, TLB_INVALID, TLB_INVALID, 0};
	}
}

/* One page of the selected spaces, at both levels; no scan but over the spaces. */
static void flush_page(struct cpu *cpu, const struct selection *sel, uint64_t linear)
{
	struct mmu_spaces *s = cpu->mmu.spaces;

	for (unsigned i = 0; i < SPACES; i++) {
		struct space *space = &s->space[i];

		if (!space->id || (!sel->any_vpid && space->key.vpid != sel->vpid))
			continue;
		/* Other PCIDs may have the page as a global one at the first level. */
		if (sel->with_global)
			drop_first_level(cpu, space, linear);
		if (!selected(space, sel))
			continue;
		drop_first_level(cpu, space, linear);
		remove_entry(s, linear, space);
		if (may_be_large(space, linear)) {
			if (space->key.pcid == PCID_GLOBAL)
				forget_tags(s, space->key.vpid);
			rename_space(s, space);
		}
	}
	refresh(cpu);
	forget_jumps(cpu);
}

void mmu_flush_all(struct cpu *cpu)
{
	flush(cpu, &(struct selection){.any_vpid = true, .any_pcid = true, .any_eptp = true,
				       .with_global = true});
}

void mmu_flush_current(struct cpu *cpu, bool global)
{
	flush(cpu, &(struct selection){.vpid = current_vpid(cpu), .pcid = current_pcid(cpu),
				       .any_eptp = true, .any_pcid = global, .with_global = global});
}

void mmu_flush_pcid(struct cpu *cpu, uint16_t pcid)
{
	flush(cpu, &(struct selection){.vpid = current_vpid(cpu), .pcid = pcid, .any_eptp = true});
}

void mmu_flush_page(struct cpu *cpu, uint64_t linear)
{
	flush_page(cpu, &(struct selection){.vpid = current_vpid(cpu), .pcid = current_pcid(cpu),
					    .any_eptp = true, .with_global = true}, linear);
}

void mmu_flush_page_pcid(struct cpu *cpu, uint64_t linear, uint16_t pcid)
{
	flush_page(cpu, &(struct selection){.vpid = current_vpid(cpu), .pcid = pcid, .any_eptp = true},
		   linear);
}

/* SDM 3C "Operations that Invalidate Cached Mappings": guest-physical and combined mappings of the
 * EP4TA, for every VPID and PCID; linear mappings stay. */
void mmu_invept(struct cpu *cpu, uint64_t eptp)
{
	struct mmu_spaces *s = cpu->mmu.spaces;

	for (unsigned i = 0; i < SPACES; i++) {
		struct space *space = &s->space[i];

		if (space->id && space->key.eptp &&
		    (eptp == UINT64_MAX || EP4TA(space->key.eptp) == EP4TA(eptp)))
			rename_space(s, space);
	}
	refresh(cpu);
}

void mmu_invvpid(struct cpu *cpu, unsigned type, uint16_t vpid, uint64_t linear)
{
	struct selection sel = {.vpid = vpid, .any_pcid = true, .any_eptp = true,
				.with_global = type != INVVPID_SINGLE_NONGLOBAL};
	struct mmu_spaces *s = cpu->mmu.spaces;

	if (type == INVVPID_ADDRESS) {
		flush_page(cpu, &sel, linear);
	} else if (type == INVVPID_ALL) {
		for (unsigned i = 0; i < SPACES; i++)
			if (s->space[i].id && s->space[i].key.vpid)
				rename_space(s, &s->space[i]);
		refresh(cpu);
	} else {
		flush(cpu, &sel);
	}
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
