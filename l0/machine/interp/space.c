/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Address spaces: what tags translations, SDM 3A "Caching Translation Information", SDM 3C "Caching
 * Translation Information" (VPID, EP4TA), and the invalidations that concern whole spaces. A flush
 * renames a space (new identifier, new tags) instead of clearing entries, so that CR3 loads, VM
 * entries and VM exits cost nothing here. Pages with the G flag belong to a space of their own that
 * all PCIDs of a VPID look into.
 */
#include "l0/machine/interp/tlb.h"

#include <stdlib.h>
#include <string.h>

#include "l0/machine/interp/block.h"
#include "l0/machine/interp/perf.h"
#include "l0/machine/interp/sys.h"

#define TAG_COUNT (1u << PAGE_SHIFT)

/* ---- tags ---- */

static void use_tag(struct cpu *cpu, unsigned tag)
{
	cpu->mmu.tag = tag;
	cpu->mmu.hash = tag_hash(tag);
}

void space_forget_jumps(struct cpu *cpu)
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
		space_forget_jumps(cpu);
	}
	return (uint16_t)s->next_tag++;
}

unsigned space_tag(struct cpu *cpu, struct space *space, enum mmu_view view)
{
	if (!space->tag[view]) {
		uint16_t tag = new_tag(cpu); /* may zero every tag */

		space->tag[view] = tag;
	}
	return space->tag[view];
}

static void select_view(struct cpu *cpu, enum mmu_view view)
{
	cpu->mmu.spaces->view = view;
	if (cpu->perf.rings && cpu->perf.user != (cpu->cpl != 0))
		perf_ring_changed(cpu);
	use_tag(cpu, space_tag(cpu, cpu->mmu.spaces->current, view));
}

/* ---- spaces ---- */

static bool same_key(const struct space_key *a, const struct space_key *b)
{
	return a->eptp == b->eptp && a->vpid == b->vpid && a->pcid == b->pcid && a->mode == b->mode;
}

void space_rename(struct mmu_spaces *s, struct space *space)
{
	space->id = s->next_id++;
	space->live = false;
	memset(space->tag, 0, sizeof(space->tag));
	memset(&space->code, 0, sizeof(space->code));
}

/* A space of global pages goes: the first level of other spaces holds some under their own tags. */
static void forget_tags(struct mmu_spaces *s, uint16_t vpid)
{
	for (unsigned i = 0; i < SPACES; i++)
		if (s->space[i].key.vpid == vpid)
			memset(s->space[i].tag, 0, sizeof(s->space[i].tag));
}

void space_rename_global(struct mmu_spaces *s, struct space *space)
{
	if (space->key.pcid == PCID_GLOBAL)
		forget_tags(s, space->key.vpid);
	space_rename(s, space);
}

static struct space *find_space(struct mmu_spaces *s, const struct space_key *key)
{
	uint64_t hash =
	    (key->eptp >> PAGE_SHIFT ^ key->vpid ^ (uint64_t)key->pcid << 4 ^ key->mode) *
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
	s->occupied |= UINT64_C(1) << (oldest - s->space);
	space_rename(s, oldest);
	return oldest;
}

/* The guest-physical mappings of an EPTP live under an identifier of their own. */
static uint64_t find_ept_id(struct mmu_spaces *s, const struct space_key *key)
{
	struct ept_context *oldest = s->ept;
	uint32_t mode = key->mode & SPACE_MBEC;

	for (unsigned i = 0; i < EPT_CONTEXTS; i++) {
		struct ept_context *context = &s->ept[i];

		if (context->id && context->eptp == key->eptp && context->mode == mode) {
			context->used = ++s->clock;
			return context->id;
		}
		if (context->used < oldest->used)
			oldest = context;
	}
	*oldest = (struct ept_context){.eptp = key->eptp, .mode = mode, .id = s->next_id++,
				       .used = ++s->clock};
	return oldest->id;
}

static bool slow_access(const struct cpu *cpu)
{
	if (debug_armed(cpu, BIT32(DEBUG_WRITE) | BIT32(DEBUG_ACCESS)))
		return true;
	return cpu->cpl == 3 && (cpu->cr0 & CR0_AM) && (cpu->eflags_rest & RFLAGS_AC);
}

static uint32_t mode_bits(const struct cpu *cpu)
{
	uint32_t mode = (slow_access(cpu) ? SPACE_SLOW : 0) | (cpu->rtm.depth ? SPACE_RTM : 0);

	if (ept_enabled(cpu) && (cpu->vmx->secondary & SECONDARY_MODE_BASED_EXECUTE))
		mode |= SPACE_MBEC;
	if (!(cpu->cr0 & CR0_PG))
		return mode;
	mode |= SPACE_PG | (cpu->cr0 & CR0_WP ? SPACE_WP : 0);
	mode |= (cpu->cr4 & CR4_PSE ? SPACE_PSE : 0) | (cpu->cr4 & CR4_PAE ? SPACE_PAE : 0) |
		(cpu->cr4 & CR4_PGE ? SPACE_PGE : 0) | (cpu->cr4 & CR4_SMEP ? SPACE_SMEP : 0) |
		(cpu->cr4 & CR4_SMAP ? SPACE_SMAP : 0);
	if (cpu->efer & EFER_LMA)
		mode |= SPACE_LMA | (cpu->cr4 & CR4_LA57 ? SPACE_LA57 : 0) |
			(cpu->cr4 & CR4_PKE ? SPACE_PKE : 0) | (cpu->cr4 & CR4_PKS ? SPACE_PKS : 0);
	return mode | (cpu->efer & EFER_NXE ? SPACE_NXE : 0);
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

static void switch_space(struct cpu *cpu, struct space_key *key)
{
	struct mmu_spaces *s = cpu->mmu.spaces;

	s->current = find_space(s, key);
	s->current->live = true;
	s->ept_id = key->eptp ? find_ept_id(s, key) : 0;
	s->global = NULL;
	if (key->mode & SPACE_PGE) {
		key->pcid = PCID_GLOBAL;
		s->global = find_space(s, key);
		s->global->live = true;
	}
}

void mmu_mode_changed(struct cpu *cpu)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	struct space_key key = {.eptp = ept_enabled(cpu) ? cpu->vmx->eptp : 0,
				.vpid = current_vpid(cpu),
				.pcid = current_pcid(cpu),
				.mode = mode_bits(cpu)};

	if (!s->current || !same_key(&s->current->key, &key))
		switch_space(cpu, &key);
	select_view(cpu, wanted_view(cpu, key.mode));
}

void mmu_view_changed(struct cpu *cpu)
{
	select_view(cpu, wanted_view(cpu, cpu->mmu.spaces->current->key.mode));
}

uint32_t mmu_space_mode(const struct cpu *cpu)
{
	return cpu->mmu.spaces->current->key.mode;
}

enum mmu_view mmu_current_view(const struct cpu *cpu)
{
	return cpu->mmu.spaces->view;
}

static void start(struct cpu *cpu)
{
	cpu->mmu.spaces->next_id = 1;
	cpu->mmu.spaces->next_tag = 1;
	memset(cpu->mmu.tlb, 0, sizeof(cpu->mmu.tlb));
	mmu_mode_changed(cpu);
}

bool mmu_init(struct cpu *cpu)
{
	cpu->mmu.spaces = calloc(1, sizeof(*cpu->mmu.spaces));
	if (!cpu->mmu.spaces)
		return false;
	start(cpu);
	return true;
}

void mmu_restart(struct cpu *cpu)
{
	memset(cpu->mmu.spaces, 0, sizeof(*cpu->mmu.spaces));
	start(cpu);
}

void mmu_free(struct cpu *cpu)
{
	free(cpu->mmu.spaces);
	cpu->mmu.spaces = NULL;
}

/* ---- invalidation ---- */

void space_refresh(struct cpu *cpu)
{
	cpu->mmu.spaces->current = NULL;
	mmu_mode_changed(cpu);
	if (cpu->blocks)
		blocks_refresh_key(cpu);
}

/* The first level holds rights as the keys' registers left them, under tags that are given up. */
void mmu_keys_changed(struct cpu *cpu)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	struct space *space;

	FOR_EACH_SPACE(s, space)
		if (space->key.mode & (SPACE_PKE | SPACE_PKS))
			memset(space->tag, 0, sizeof(space->tag));
	space_refresh(cpu);
}

bool space_selected(const struct space *space, const struct selection *sel)
{
	if ((!sel->any_vpid && space->key.vpid != sel->vpid) ||
	    (!sel->any_eptp && EP4TA(space->key.eptp) != EP4TA(sel->eptp)))
		return false;
	if (space->key.pcid == PCID_GLOBAL)
		return sel->with_global;
	return sel->any_pcid || space->key.pcid == sel->pcid;
}

static void flush(struct cpu *cpu, const struct selection *sel)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	struct space *space;

	FOR_EACH_SPACE(s, space) {
		if (space->live && space_selected(space, sel))
			space_rename_global(s, space);
	}
	space_refresh(cpu);
}

void mmu_flush_all(struct cpu *cpu)
{
	for (unsigned i = 0; i < EPT_CONTEXTS; i++)
		cpu->mmu.spaces->ept[i].id = 0;
	flush(cpu, &(struct selection){.any_vpid = true, .any_pcid = true, .any_eptp = true,
				       .with_global = true});
}

void mmu_flush_current(struct cpu *cpu, bool global)
{
	flush(cpu, &(struct selection){.vpid = current_vpid(cpu),
				       .pcid = current_pcid(cpu),
				       .any_eptp = true,
				       .any_pcid = global,
				       .with_global = global});
}

void mmu_flush_pcid(struct cpu *cpu, uint16_t pcid)
{
	flush(cpu, &(struct selection){.vpid = current_vpid(cpu), .pcid = pcid, .any_eptp = true});
}

void mmu_flush_page(struct cpu *cpu, uint64_t linear)
{
	tlb_flush_page(cpu,
		       &(struct selection){.vpid = current_vpid(cpu),
					   .pcid = current_pcid(cpu),
					   .any_eptp = true,
					   .with_global = true},
		       linear);
}

void mmu_flush_page_pcid(struct cpu *cpu, uint64_t linear, uint16_t pcid)
{
	tlb_flush_page(
	    cpu, &(struct selection){.vpid = current_vpid(cpu), .pcid = pcid, .any_eptp = true},
	    linear);
}

/* SDM 3C "Operations that Invalidate Cached Mappings": guest-physical and combined mappings of the
 * EP4TA, for every VPID and PCID; linear mappings stay. */
void mmu_invept(struct cpu *cpu, uint64_t eptp)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	struct space *space;

	FOR_EACH_SPACE(s, space)
	if (space->key.eptp && (eptp == UINT64_MAX || EP4TA(space->key.eptp) == EP4TA(eptp)))
		space_rename(s, space);
	for (unsigned i = 0; i < EPT_CONTEXTS; i++)
		if (eptp == UINT64_MAX || EP4TA(s->ept[i].eptp) == EP4TA(eptp))
			s->ept[i].id = 0;
	space_refresh(cpu);
}

void mmu_invvpid(struct cpu *cpu, unsigned type, uint16_t vpid, uint64_t linear)
{
	struct selection sel = {.vpid = vpid, .any_pcid = true, .any_eptp = true,
				.with_global = type != INVVPID_SINGLE_NONGLOBAL};
	struct mmu_spaces *s = cpu->mmu.spaces;
	struct space *space;

	if (type == INVVPID_ADDRESS) {
		tlb_flush_page(cpu, &sel, linear);
	} else if (type == INVVPID_ALL) {
		FOR_EACH_SPACE(s, space)
			if (space->key.vpid)
				space_rename(s, space);
		space_refresh(cpu);
	} else {
		flush(cpu, &sel);
	}
}
