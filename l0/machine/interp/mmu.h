/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the MMU: what mmu.c, tlb.c, paging.c and ept.c share. The rest of the CPU sees the memory
 * section of cpu.h only.
 *
 * A linear access looks at the first-level TLB (struct tlb_entry: one compare, no call), then at
 * the second level (tlb.c: all rights of a page for every privilege), then walks (paging.c, ept.c).
 */
#ifndef L0_MACHINE_INTERP_MMU_H
#define L0_MACHINE_INTERP_MMU_H

#include <string.h>

#include "l0/machine/interp/vmx/vmx.h"

/* Privilege under which an access is made. */
enum mmu_view {
	VIEW_USER,
	VIEW_SUPERVISOR,     /* SMAP applies, if it is on */
	VIEW_SUPERVISOR_AC,  /* RFLAGS.AC suspends SMAP */
	VIEW_COUNT,
};

/* Rights of a page: three bits for each view; then two (no FETCH) for shadow-stack accesses of user
 * mode, two for those of supervisor mode. */
#define RIGHT_READ 1u
#define RIGHT_WRITE 2u
#define RIGHT_FETCH 4u
#define RIGHTS_SHIFT(view) (3 * (view))
#define RIGHTS_SHADOW_SHIFT(view) ((view) == VIEW_USER ? 9 : 11)

/* What a translation depends on besides VPID, PCID and EPTP. Without paging only the last two. */
#define SPACE_PG BIT32(0)
#define SPACE_WP BIT32(1)
#define SPACE_PSE BIT32(2)
#define SPACE_PAE BIT32(3)
#define SPACE_PGE BIT32(4)
#define SPACE_SMEP BIT32(5)
#define SPACE_SMAP BIT32(6)
#define SPACE_LMA BIT32(7)
#define SPACE_NXE BIT32(8)
#define SPACE_MBEC BIT32(9) /* mode-based execute control for EPT */
#define SPACE_SLOW BIT32(10) /* #AC checks or data breakpoints: no data access is fast */
#define SPACE_LA57 BIT32(11)
#define SPACE_PKE BIT32(12) /* protection keys of user-mode addresses, of supervisor-mode ones */
#define SPACE_PKS BIT32(13)
#define SPACE_RTM BIT32(16) /* in a transaction: no write is fast */

/* What protection keys know of a page: 3:0 the key | 4 user-mode address | 5 keys apply to it */
#define KEY_NUMBER 0xfu
#define KEY_USER 0x10u
#define KEY_APPLIES 0x20u

/* Outcome of a walk; mmu.c turns it into an event. */
enum walk_outcome {
	WALK_OK,
	WALK_PAGE_FAULT,
	WALK_EPT_VIOLATION,
	WALK_EPT_MISCONFIGURATION,
	WALK_APIC_ACCESS, /* a paging-structure entry lies in the APIC-access page */
};

struct walk {
	enum walk_outcome outcome;
	uint32_t error;         /* WALK_PAGE_FAULT: error code */
	uint64_t gpa;           /* EPT outcomes: guest-physical address of the access */
	uint64_t qualification; /* WALK_EPT_VIOLATION, with VMX_EPT_CONVERTIBLE */
	uint64_t hpa;           /* WALK_OK: of the byte */
	uint16_t rights; /* WALK_OK: RIGHT_* of every view; write only where dirty flags are set */
	uint8_t shift;          /* WALK_OK: page size in the paging structures, log2 */
	uint8_t key;            /* WALK_OK: KEY_*; `rights` do not know of it */
	bool global;            /* WALK_OK: G flag honoured */
	unsigned references;    /* paging-structure and EPT entries read */
};

/* Walks the paging structures for one access; `access` as enum mem_access, already reduced to
 * READ, WRITE or FETCH, and SHADOW_STACK. Sets accessed and dirty flags if the access is allowed. */
void paging_walk(struct cpu *cpu, uint64_t linear, unsigned access, enum mmu_view view,
		 struct walk *walk);

/* The rights (RIGHT_* of every view) that PKRU or IA32_PKRS take from a page of this key. */
uint16_t key_denies(const struct cpu *cpu, uint8_t key, uint32_t mode);

/* Raises what the walk found: #PF, or a VM exit. linear: of the access, 0 if it has none. */
_Noreturn void mmu_raise(struct cpu *cpu, uint64_t linear, const struct walk *walk);

/* Would an access of non-root operation reach what the hypervisor at the bottom has told to be its own
 * (l0/machine/guard.h)? Then the machine stops. */
bool mmu_guarded(struct cpu *cpu, uint64_t hpa);

/* phys_read of 8 bytes within a page, for the walks. */
static inline uint64_t phys_read64(const struct cpu *cpu, uint64_t hpa)
{
	const uint8_t *host =
	    memory_at(&cpu->machine->memory, machine_a20(cpu->machine, hpa));
	uint64_t value = UINT64_MAX;

	if (host)
		memcpy(&value, host, sizeof(value));
	return value;
}

/* A guest-physical access on its way through EPT. */
struct ept_access {
	uint64_t qualification; /* EPT_QUAL_* but for the rights of the entries */
	bool user_page; /* MBEC: the linear address is a user-mode address */
	bool supervisor_shadow_stack;
};
struct ept_leaf {
	uint64_t hpa;
	uint64_t rights; /* EPT_R, EPT_W, EPT_X, EPT_XU: logical AND over the levels; EPT_SSS */
	bool dirty;      /* writes need not set a dirty flag */
};
/* Translates gpa. False: walk->outcome, gpa and qualification say why. */
bool ept_translate(struct cpu *cpu, uint64_t gpa, const struct ept_access *access,
		   struct walk *walk, struct ept_leaf *leaf);

static inline bool ept_enabled(const struct cpu *cpu)
{
	return cpu->vmx && cpu->vmx->eptp;
}

/* ---- tlb.c ---- */
enum page_kind { PAGE_RAM, PAGE_MMIO, PAGE_LAPIC, PAGE_APIC_ACCESS };

/* Second level: one 4 KiB page of one space, rights of all views. */
struct tlb2_entry {
	uint64_t page; /* linear */
	uint64_t id;   /* of the space, 0 if empty */
	uint64_t hpa;
	uint16_t rights;
	uint8_t kind; /* enum page_kind */
	uint8_t key;  /* KEY_* */
};

/* Mode bits (SPACE_*) and privilege of the current view. */
uint32_t mmu_space_mode(const struct cpu *cpu);
/* Rights of an entry of the current space, protection keys applied. */
static inline uint16_t tlb2_rights(const struct cpu *cpu, const struct tlb2_entry *entry)
{
	return entry->key ? entry->rights & (uint16_t)~key_denies(cpu, entry->key, mmu_space_mode(cpu))
			  : entry->rights;
}
/* Whether the entry lets `view` do what `access` names. */
static inline bool tlb2_allows(const struct cpu *cpu, const struct tlb2_entry *entry,
			       enum mmu_view view, unsigned access)
{
	unsigned right = access & MEM_FETCH ? RIGHT_FETCH
					    : access & MEM_WRITE ? RIGHT_WRITE : RIGHT_READ;
	unsigned denied;

	if (!(access & MEM_SHADOW_STACK))
		return tlb2_rights(cpu, entry) >> RIGHTS_SHIFT(view) & right;
	denied = key_denies(cpu, entry->key, mmu_space_mode(cpu)) >> RIGHTS_SHIFT(view);
	return entry->rights >> RIGHTS_SHADOW_SHIFT(view) & right & ~denied;
}
enum mmu_view mmu_current_view(const struct cpu *cpu);
/* First-level slot of the page for `view` and the tag it must carry. */
struct tlb_entry *tlb_slot_of_view(struct cpu *cpu, uint64_t linear, enum mmu_view view,
				   uint64_t *tag);
/* Second-level entry of the page in the current space, NULL if absent. */
const struct tlb2_entry *tlb2_find(struct cpu *cpu, uint64_t linear);
/* The new entry replaces whatever was cached for the page in the current space; known: tlb2_find has
 * found something. */
const struct tlb2_entry *tlb2_insert(struct cpu *cpu, uint64_t linear, const struct walk *walk,
				     enum page_kind kind, bool known);
/* The page's translation for fetch is known outside the TLB from now on: invalidations must tell.
 */
void tlb_note_fetch(struct cpu *cpu, uint64_t linear, const struct walk *walk);
/* Gives the first level what the entry allows to `view`; fetches only if this is one. */
void tlb_fill(struct cpu *cpu, const struct tlb2_entry *entry, uint64_t linear, enum mmu_view view,
	      bool fetch);

#endif
