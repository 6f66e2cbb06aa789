/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the TLB: spaces and the second level as space.c, tlb.c and ept.c share them.
 */
#ifndef L0_MACHINE_INTERP_TLB_H
#define L0_MACHINE_INTERP_TLB_H

#include "l0/machine/interp/mmu.h"

#define SPACES 64
#define SPACE_WAYS 4
#define TLB2_SETS 1024
#define TLB2_WAYS 4
#define PCID_GLOBAL UINT16_C(0xffff) /* of a space of global pages */
#define EP4TA(eptp) ((eptp) & EPT_ADDRESS)
#define EPT_CONTEXTS 16
#define GPA_ENTRIES 1024

struct space_key {
	uint64_t eptp; /* 0: no EPT */
	uint16_t vpid, pcid;
	uint32_t mode; /* SPACE_* */
};

/* A set of pages that may say "perhaps" where it should say no. */
#define FILTER_BITS 1024
struct page_filter {
	uint64_t bits[FILTER_BITS / 64];
};

/* A large page of the paging structures that may have been cut into entries: invalidating one of
 * its addresses drops the whole space, since the other entries must go too. Exact: when such a mark
 * must make room, its space is dropped. */
#define LARGE_SETS 1024
#define LARGE_WAYS 4
struct large_mark {
	uint64_t page; /* linear address | log2 of the size */
	uint64_t id;   /* of the space; 0: empty */
};

struct space {
	struct space_key key;
	uint64_t id; /* 0: slot unused; never given out twice */
	uint64_t used;
	uint16_t tag[VIEW_COUNT]; /* 0: none yet */
	bool live; /* has been in use since it was renamed; else nothing is cached for it */
	struct page_filter code; /* pages that were fetched from: the jump cache may know them */
};

/* Guest-physical mappings, SDM 3C "Information That May Be Cached": of one EPTP, one 4 KiB page. */
struct ept_context {
	uint64_t eptp;
	uint32_t mode; /* SPACE_MBEC or 0 */
	uint64_t id;   /* 0: slot unused; never given out twice */
	uint64_t used;
};
struct gpa_entry {
	uint64_t gpa, id;
	struct ept_leaf leaf; /* leaf.hpa of the page */
};

struct mmu_spaces {
	struct space space[SPACES];
	uint64_t occupied; /* bit per slot of space[] that is in use */
	struct space *current, *global; /* global: NULL without CR4.PGE */
	enum mmu_view view;
	uint64_t next_id, clock;
	unsigned next_tag;
	uint8_t victim[TLB2_SETS];
	struct tlb2_entry tlb2[TLB2_SETS][TLB2_WAYS];
	struct large_mark large[LARGE_SETS][LARGE_WAYS];
	struct ept_context ept[EPT_CONTEXTS];
	uint64_t ept_id; /* of the current space's EPTP */
	struct gpa_entry gpa[GPA_ENTRIES];
};

static inline struct gpa_entry *gpa_slot(struct mmu_spaces *s, uint64_t gpa)
{
	return &s->gpa[(gpa >> PAGE_SHIFT ^ s->ept_id * 37) & (GPA_ENTRIES - 1)];
}

/* The mapping that is cached for the page of `gpa`, or NULL. */
static inline const struct gpa_entry *ept_cached(struct mmu_spaces *s, uint64_t gpa)
{
	const struct gpa_entry *entry = gpa_slot(s, gpa);

	return entry->id == s->ept_id && entry->gpa == PAGE_BASE(gpa) ? entry : NULL;
}

static inline uint64_t tag_hash(unsigned tag)
{
	return (uint64_t)tag * 0x9e5u;
}

static inline unsigned filter_bit(uint64_t linear)
{
	return (unsigned)((linear >> PAGE_SHIFT) * UINT64_C(0x9e3779b97f4a7c15) >> 54);
}
_Static_assert(FILTER_BITS == 1 << (64 - 54), "filter_bit");

static inline void filter_add(struct page_filter *filter, unsigned bit)
{
	filter->bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

static inline bool filter_has(const struct page_filter *filter, unsigned bit)
{
	return filter->bits[bit / 64] >> bit % 64 & 1;
}

/* ---- space.c ---- */
unsigned space_tag(struct cpu *cpu, struct space *space, enum mmu_view view);
/* New identifier, no tags: everything cached for the space is out of reach. */
void space_rename(struct mmu_spaces *s, struct space *space);
/* The same, with the tags of every space that may hold global pages of this one. */
void space_rename_global(struct mmu_spaces *s, struct space *space);
/* The view in use must be valid again after spaces were renamed. */
void space_refresh(struct cpu *cpu);
/* What the block cache knows of RIPs goes by tags; these are given out anew or lack a page. */
void space_forget_jumps(struct cpu *cpu);

/* Walks the slots of space[] that are taken. */
#define FOR_EACH_SPACE(s, space)                                                                   \
	for (uint64_t left_ = (s)->occupied;                                                       \
	     left_ && ((space) = &(s)->space[__builtin_ctzll(left_)], true); left_ &= left_ - 1)

/* Which spaces an invalidation is about. */
struct selection {
	bool any_vpid, any_pcid, any_eptp, with_global;
	uint16_t vpid, pcid;
	uint64_t eptp;
};
bool space_selected(const struct space *space, const struct selection *sel);

/* ---- tlb.c ---- */
/* One page of the selected spaces, at both levels; no scan but over the spaces. */
void tlb_flush_page(struct cpu *cpu, const struct selection *sel, uint64_t linear);

#endif
