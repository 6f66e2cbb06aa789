/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A slot is a cached VMCS12 with all that L0 keeps for it: a shadow VMCS through which L1 reaches
 * its fields without exits, the VMCS02 that runs L2, merged bitmaps. Slots are cached by the
 * address of the VMCS region in L1's memory and written back there when they leave the cache.
 *
 * Where a field's truth is:
 *   LIST L1_WRITES, L1_EVENT  in the shadow VMCS while there is one; slot_pull() copies them to v12
 *   rule GUEST_RARE         in VMCS02 while rare_in_02 is set; slot_fetch_rare() copies it to v12.
 *                           While rare_in_shadow is set, the shadow VMCS has a copy for L1 to read
 *   everything else         in v12
 */
#ifndef SHADOW_SLOT_H
#define SHADOW_SLOT_H

#include "shadow/shadow.h"

/* L1_STATE_<field>: position in struct shadow_slot's host01; L1_LOAD_<field>: in load01. */
enum l1_state {
#define LIST_L1_STATE(field) L1_STATE_##field,
#include "shadow/lists.def"
	L1_STATE_COUNT,
};
enum l1_load {
#define LIST_L1_LOAD(field) L1_LOAD_##field,
#include "shadow/lists.def"
	L1_LOAD_COUNT,
};

/* What has to be done again before the next entry to L2. */
enum slot_dirty {
	DIRTY_CHECKS = 1,   /* VM-entry checks on controls */
	DIRTY_CONTROLS = 2, /* controls of VMCS02 */
	DIRTY_GUEST = 4,    /* guest state of VMCS02 outside the list HOT_GUEST */
	DIRTY_HOST = 8,	    /* host01 */
	DIRTY_BITMAPS = 16, /* merged MSR and I/O bitmaps */
	DIRTY_CHECKS_HOST = 32, /* VM-entry checks on host state */
	DIRTY_ALL = 63,
};

/* What every entry or reflection has to see to because L1's controls ask for it. Most L1s ask for
 * little of it, so it is found out when a control has changed (slot_find_extras()) and not again.
 */
enum slot_extra {
	/* Registers that one of L1's load or save controls leaves out, so that VMCS02's field is
	 * neither what L1 wrote nor what it left there: the entry computes them each time. */
	EXTRA_DEBUG = 1 << 0,
	EXTRA_EFER = 1 << 1,
	EXTRA_PAT = 1 << 2,
	EXTRA_BNDCFGS = 1 << 3, /* IA32_BNDCFGS is in use: looked at each time, whatever they say */
	EXTRA_UNSTEADY = EXTRA_DEBUG | EXTRA_EFER | EXTRA_PAT | EXTRA_BNDCFGS,
	EXTRA_INHERIT_EFER = 1 << 4, /* a reflection leaves L2's EFER, or PAT, to L1 */
	EXTRA_INHERIT_PAT = 1 << 5,
	EXTRA_INHERIT = EXTRA_INHERIT_EFER | EXTRA_INHERIT_PAT,
	EXTRA_MSR_LISTS = 1 << 6, /* an MSR area is not empty */
	EXTRA_LINK = 1 << 7,	  /* there is a VMCS link pointer */
	EXTRA_PAE = 1 << 8,	  /* L2 may use PAE paging, so PDPTEs */
	EXTRA_LONG_MODE = 1 << 9, /* L2 may enter and leave IA-32e mode */
	EXTRA_APICV = 1 << 10,	  /* virtual-interrupt delivery */
	EXTRA_TIMER = 1 << 11,	  /* VMX-preemption timer */
	EXTRA_FLUSH = 1 << 12,	  /* L1 has no VPIDs: its transitions flush, vpid.h */
	EXTRA_NOTES = 1 << 13,	  /* see dirty.h */
	EXTRA_PERF = 1 << 14,	  /* IA32_PERF_GLOBAL_CTRL is loaded, and no exit saves it */
	EXTRA_TRACE = 1 << 15,	  /* a reflection ends L1's own trace */
	/* What keeps an entry from going straight to VMCS02. */
	EXTRA_PREPARE = EXTRA_MSR_LISTS | EXTRA_LINK | EXTRA_PAE | EXTRA_NOTES,
};

struct shadow_slot {
	struct shadow_slot *next;
	struct shadow_page self;   /* the page that holds this struct */
	struct l1_gpa address;	   /* of the VMCS region */
	struct shadow_page shadow; /* hardware shadow VMCS; va NULL: none */
	struct shadow_page vmcs02; /* va NULL: not entered yet */
	bool launched02;
	bool rare_in_02;
	bool rare_in_shadow;   /* so L1 may read the fields of rule GUEST_RARE without an exit */
	bool rare_changed;     /* have02's, as last read, may differ from v12's */
	bool rare_was_written; /* v12 has rare fields that the shadow VMCS has not */
	uint8_t rare_credit;   /* reflections left that fetch the rare fields at once */
	uint8_t watch_budget;  /* stores to bitmaps until L0 gives up watching them */
	bool stepping;     /* VMCS02's primary controls are those of step.c */
	bool bitmaps_open; /* L2 has stored to L1's bitmaps: the merged ones are all ones for now */
	uint32_t dirty;	   /* enum slot_dirty */
	uint32_t seen_primary;	 /* primary controls at the last merge */
	uint16_t extras;	 /* enum slot_extra */
	uint64_t timer_end; /* EXTRA_TIMER: the TSC at which L2's VMX-preemption timer reaches 0 */
	uint64_t written; /* FIELD_WRITTEN_*: fields of v12 that VMCS02 does not reflect yet */
	bool checked_long_mode;	 /* L1's mode when the VM-entry checks last passed */
	uint32_t ept_generation; /* v->ept_generation when EPT_POINTER was merged */
	struct shadow_page msr_bitmap, io_bitmap_a, io_bitmap_b; /* 01 | 12 */
	struct shadow_page vmread_bitmap, vmwrite_bitmap;	 /* for L2, 12 | L0's */
	/* What VMCS02 stores at exits, if L1's MSR-store area has the TSC: the exit's own time. */
	struct vmx_msr_entry tsc_at_exit __attribute__((aligned(16)));
	/* VMCS01's guest state after "Loading Host State", by list. */
	uint64_t host01[L1_STATE_COUNT], load01[L1_LOAD_COUNT];
	uint64_t host_id; /* of host01's contents; 0: not built yet */
	struct vmcs v12;
	struct vmcs have02; /* what VMCS02 holds; what L2 changes, as of the last reflected exit */
};
_Static_assert(sizeof(struct shadow_slot) <= PAGE_SIZE, "a slot fits a page");

#define SLOT_WATCH_BUDGET 16

/* An L1 that reads rare fields after an exit will do so after the next: then they are fetched and
 * shown to it without being asked, this many times before L0 waits for the question again. */
#define SLOT_RARE_CREDIT 31

/* The slot for the VMCS region at `address`, loaded from L1's memory if it was not cached. NULL: no
 * memory there, or no page left. The caller has checked the revision identifier. */
struct shadow_slot *slot_get(struct shadow_vcpu *v, struct l1_gpa address);
/* The slot if it is cached, else NULL. */
struct shadow_slot *slot_find(struct shadow_vcpu *v, struct l1_gpa address);
/* Writes the VMCS back to L1's memory and frees the slot. VMCS01 is current before and after. */
void slot_release(struct shadow_vcpu *v, struct shadow_slot *slot);
/* Releases the least recently used slot that is not in use. false: there is none. */
bool slot_evict(struct shadow_vcpu *v);

/* Brings v12 up to date with what L1 wrote into the shadow VMCS, and notes what that was in
 * `written`. Leaves the shadow VMCS current. Fields of L1_EVENT only if an event is injected. */
void slot_pull(struct shadow_vcpu *v, struct shadow_slot *slot);
/* Brings the GUEST_RARE fields of v12 up to date. Changes the current VMCS to VMCS02 if it did. */
bool slot_fetch_rare(struct shadow_vcpu *v, struct shadow_slot *slot);

/* Computes `extras` from v12's controls. */
void slot_find_extras(const struct shadow_vcpu *v, struct shadow_slot *slot);

/* The two halves of a reflection that shows L1 the rare fields at once: from VMCS02, which is
 * current, to have02; and from there to v12 and the shadow VMCS, which is current. */
void slot_read_rare(struct shadow_vcpu *v, struct shadow_slot *slot);
void slot_show_rare(struct shadow_vcpu *v, struct shadow_slot *slot);

/* VMREAD and VMWRITE of v12 as L1 means them, wherever the field lives now. `resume` is the VMCS to
 * leave current. The caller has checked that the field exists and may be written. */
uint64_t slot_read(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index,
		   struct hpa resume);
void slot_write(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index, uint64_t value,
		struct hpa resume);

/* Bitmaps that let exactly the fields through that the shadow VMCS carries: for VMREAD without and
 * with the rare ones, for VMWRITE. */
void slot_fill_bitmaps(uint64_t *vmread_hot, uint64_t *vmread_all, uint64_t *vmwrite);
/* The VMREAD bitmap that fits the slot now. */
static inline const uint64_t *slot_vmread_bitmap(const struct shadow_vcpu *v,
						 const struct shadow_slot *slot)
{
	return slot->rare_in_shadow ? v->vmread_all.va : v->vmread_hot.va;
}

/* A page from the pool; makes room by eviction if it must. false: the pool is too small. */
bool vcpu_page_alloc(struct shadow_vcpu *v, struct shadow_page *page);
void vcpu_page_free(struct shadow_vcpu *v, struct shadow_page *page);
/* Hands out page->va once: allocates if there is none yet. */
bool vcpu_page_need(struct shadow_vcpu *v, struct shadow_page *page);

/* The slot's rare_in_shadow has changed: opens or closes the VMREAD bitmap in which that shows. */
void vcpu_show_rare(struct shadow_vcpu *v, struct shadow_slot *slot);
/* Makes L1's current VMCS what L1 can reach without exits; NULL: none. VMCS01 is current. */
void vcpu_link_current(struct shadow_vcpu *v);
/* A page for L2 to use where L1 named an address with no memory behind it; shared by all. */
bool vcpu_junk_page(struct shadow_vcpu *v, struct hpa *hpa);

static inline bool slot_is_shadow(const struct shadow_slot *slot)
{
	return slot->v12.revision & VMCS_SHADOW_INDICATOR;
}

/* Whether L0 uses hardware shadowing for it. */
static inline bool slot_has_shadow(const struct shadow_slot *slot)
{
	return slot->shadow.va != NULL;
}

static inline uint32_t slot_pin(const struct shadow_slot *slot)
{
	return (uint32_t)vmcs_get(&slot->v12, PIN_BASED_CONTROLS);
}

static inline uint32_t slot_primary(const struct shadow_slot *slot)
{
	return (uint32_t)vmcs_get(&slot->v12, PRIMARY_CONTROLS);
}

/* 0 unless the primary controls activate them. */
static inline uint32_t slot_secondary(const struct shadow_slot *slot)
{
	if (!(slot_primary(slot) & (uint32_t)PRIMARY_ACTIVATE_SECONDARY))
		return 0;
	return (uint32_t)vmcs_get(&slot->v12, SECONDARY_CONTROLS);
}

static inline uint32_t slot_entry_controls(const struct shadow_slot *slot)
{
	return (uint32_t)vmcs_get(&slot->v12, ENTRY_CONTROLS);
}

static inline uint32_t slot_exit_controls(const struct shadow_slot *slot)
{
	return (uint32_t)vmcs_get(&slot->v12, EXIT_CONTROLS);
}

#endif
