/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Linear to guest-physical: the walk of the paging structures in every mode of SDM 3A "Paging", its
 * checks, its error codes, its accessed and dirty flags. Under EPT each entry is itself reached by
 * ept.c. Nothing here caches or raises; the outcome is a value.
 */
#include "l0/machine/interp/tlb.h"

#include "l0/machine/interp/profile.h"

/* 63 XD | 62:59 protection key (leaf, IA-32e) | 58:52 ignored (PAE: reserved) | 51:M reserved
 * M-1:12 address | 11:9 ignored | 8 G | 7 PS | 6 D | 5 A | 4 PCD | 3 PWT | 2 U/S | 1 R/W | 0 P */
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)

struct step {
	uint64_t gpa;   /* of the entry */
	uint64_t entry;
};

struct pager {
	struct cpu *cpu;
	struct walk *walk;
	uint64_t linear;
	unsigned access; /* MEM_READ, MEM_WRITE or MEM_FETCH */
	bool shadow_stack;
	enum mmu_view view;
	bool nonroot; /* an entry may be elsewhere, or out of reach */
	uint32_t mode;
	unsigned entry_size; /* 4 or 8 bytes */
	uint64_t reserved;   /* bits that are 0 in every 8-byte entry */
	unsigned steps;
	uint64_t all; /* logical AND of U/S, R/W and A */
	uint64_t nx;  /* logical OR of XD */
	struct step step[5]; /* last, as it need not be cleared */
};

static bool page_fault(struct pager *p, uint32_t error)
{
	if (p->access == MEM_WRITE)
		error |= PFEC_W;
	if (p->view == VIEW_USER)
		error |= PFEC_U;
	if (p->shadow_stack)
		error |= PFEC_SS;
	if (p->access == MEM_FETCH &&
	    ((p->mode & SPACE_SMEP) ||
	     (p->mode & (SPACE_PAE | SPACE_NXE)) == (SPACE_PAE | SPACE_NXE)))
		error |= PFEC_I;
	p->walk->outcome = WALK_PAGE_FAULT;
	p->walk->error = error;
	return false;
}

/* SDM 3C "Virtualizing Memory-Mapped APIC Accesses", guest-physical accesses. */
static bool entry_accessible(struct pager *p, uint64_t gpa, uint64_t hpa)
{
	const struct vmx_state *vmx = p->cpu->vmx;

	if (!vmx || !vmx->nonroot || vmx->apic_access != PAGE_BASE(hpa))
		return true;
	p->walk->outcome = WALK_APIC_ACCESS;
	p->walk->gpa = gpa;
	return false;
}

/* What the cache of guest-physical mappings does not answer. */
static __attribute__((noinline)) bool entry_by_ept(struct pager *p, uint64_t gpa, bool write,
						   uint64_t *hpa)
{
	/* Setting flags is a read-modify-write; whether bit 0 is set with bit 1 then is up to the
	 * implementation, and processors do set it. */
	struct ept_access access = {.qualification = EPT_QUAL_LINEAR_VALID | EPT_QUAL_READ |
						     (write ? EPT_QUAL_WRITE : 0)};
	struct ept_leaf leaf;

	if (!ept_translate(p->cpu, gpa, &access, p->walk, &leaf))
		return false;
	*hpa = leaf.hpa;
	return true;
}

/* Where a paging-structure entry is, for reading or writing it. With EPT A/D flags every such access
 * counts as a write, SDM 3C "Accessed and Dirty Flags for EPT". */
static bool entry_hpa(struct pager *p, uint64_t gpa, bool write, uint64_t *hpa)
{
	const struct gpa_entry *hit;

	*hpa = gpa;
	if (ept_enabled(p->cpu)) {
		write |= (p->cpu->vmx->eptp & EPTP_AD) != 0;
		hit = ept_cached(p->cpu->mmu.spaces, gpa);
		if (hit && (hit->leaf.rights & EPT_R) &&
		    (!write || ((hit->leaf.rights & EPT_W) && hit->leaf.dirty)))
			*hpa = hit->leaf.hpa | PAGE_OFFSET(gpa);
		else if (!entry_by_ept(p, gpa, write, hpa))
			return false;
	}
	return entry_accessible(p, gpa, *hpa);
}

static inline bool read_entry(struct pager *p, uint64_t gpa, uint64_t *entry)
{
	uint64_t hpa = gpa;

	if (p->nonroot && !entry_hpa(p, gpa, false, &hpa))
		return false;
	*entry = p->entry_size == 8 ? phys_read64(p->cpu, hpa) : phys_read(p->cpu, hpa, 4);
	p->walk->references++;
	p->step[p->steps++] = (struct step){.gpa = gpa, .entry = *entry};
	return true;
}

static uint64_t bits_from(unsigned low, unsigned high)
{
	return low > high ? 0 : (UINT64_MAX >> (63 - high)) & (UINT64_MAX << low);
}

/* Bits that must be 0 in an 8-byte entry, SDM 3A "Reserved Bits": in every one, */
static uint64_t reserved_bits(const struct pager *p)
{
	uint64_t reserved =
	    bits_from(p->cpu->profile->caps.maxphyaddr, p->mode & SPACE_LMA ? 51 : 62);

	return p->mode & SPACE_NXE ? reserved : reserved | PTE_NX;
}

/* and in one of `level` (5 = PML5 ... 2 = PD) that has PS set. */
static bool bad_large(const struct pager *p, unsigned level, uint64_t entry)
{
	if (level >= 4 || (level == 3 && !cpu_has(p->cpu->profile, PAGE1GB)))
		return true;
	return entry & bits_from(13, 12 + 9 * (level - 1) - 1);
}

/* 4 MiB page of 32-bit paging: 31:22 address, 21 reserved, 20:13 address bits 39:32 as far as
 * MAXPHYADDR reaches. */
static bool leaf_4m(struct pager *p, uint64_t entry, uint64_t *base)
{
	unsigned width = p->cpu->profile->caps.maxphyaddr;

	if (width > 40)
		width = 40;
	if (entry & bits_from(width - 19, 21))
		return page_fault(p, PFEC_P | PFEC_RSVD);
	*base = (entry & UINT64_C(0xffc00000)) | (entry >> 13 & 0xff) << 32;
	p->walk->shift = 22;
	return true;
}

static bool walk_32bit(struct pager *p, uint64_t *base)
{
	uint64_t entry;

	if (!read_entry(p, (p->cpu->cr3 & UINT64_C(0xfffff000)) + (p->linear >> 22 & 0x3ff) * 4,
			&entry))
		return false;
	if (!(entry & PTE_P))
		return page_fault(p, 0);
	p->all &= entry;
	if ((entry & PTE_PS) && (p->mode & SPACE_PSE))
		return leaf_4m(p, entry, base);
	if (!read_entry(p, (entry & UINT64_C(0xfffff000)) + (p->linear >> 12 & 0x3ff) * 4, &entry))
		return false;
	if (!(entry & PTE_P))
		return page_fault(p, 0);
	p->all &= entry;
	*base = entry & UINT64_C(0xfffff000);
	p->walk->shift = 12;
	return true;
}

static bool walk_64bit_entries(struct pager *p, unsigned level, uint64_t table, uint64_t *base)
{
	unsigned shift = 12 + 9 * (level - 1);
	uint64_t entry;

	for (;; level--, shift -= 9) {
		bool leaf = level == 1;

		if (!read_entry(p, table + (p->linear >> shift & 0x1ff) * 8, &entry))
			return false;
		if (!(entry & PTE_P))
			return page_fault(p, 0);
		if (entry & p->reserved)
			return page_fault(p, PFEC_P | PFEC_RSVD);
		if (!leaf && (entry & PTE_PS)) {
			if (bad_large(p, level, entry))
				return page_fault(p, PFEC_P | PFEC_RSVD);
			leaf = true;
		}
		p->all &= entry;
		p->nx |= entry & PTE_NX;
		if (leaf) {
			*base = entry & ENTRY_ADDRESS & ~(BIT64(shift) - 1);
			p->walk->shift = shift;
			return true;
		}
		table = entry & ENTRY_ADDRESS;
	}
}

static bool walk_tables(struct pager *p, uint64_t *base)
{
	struct cpu *cpu = p->cpu;

	if (!(p->mode & SPACE_PAE)) {
		p->entry_size = 4;
		return walk_32bit(p, base);
	}
	p->entry_size = 8;
	p->reserved = reserved_bits(p);
	if (p->mode & SPACE_LMA)
		return walk_64bit_entries(p, p->mode & SPACE_LA57 ? 5 : 4,
					  cpu->cr3 & ENTRY_ADDRESS, base);
	/* The PDPTEs were read and checked when CR3 was loaded. */
	uint64_t pdpte = cpu->pdpte[p->linear >> 30 & 3];
	if (!(pdpte & PTE_P))
		return page_fault(p, 0);
	return walk_64bit_entries(p, 2, pdpte & ENTRY_ADDRESS, base);
}

/* SDM 3A "Determination of Access Rights". */
static uint16_t page_rights(uint32_t mode, bool user, bool writable, bool nx)
{
	unsigned u = 0, s = 0, s_ac;

	if (user)
		u = RIGHT_READ | (writable ? RIGHT_WRITE : 0) | (nx ? 0 : RIGHT_FETCH);
	s_ac = RIGHT_READ | (writable || !(mode & SPACE_WP) ? RIGHT_WRITE : 0);
	if (!(user && (mode & SPACE_SMAP)))
		s = s_ac;
	if (!nx && !(user && (mode & SPACE_SMEP))) {
		s |= RIGHT_FETCH;
		s_ac |= RIGHT_FETCH;
	}
	return (uint16_t)(u << RIGHTS_SHIFT(VIEW_USER) | s << RIGHTS_SHIFT(VIEW_SUPERVISOR) |
			  s_ac << RIGHTS_SHIFT(VIEW_SUPERVISOR_AC));
}

#define RIGHTS_SHADOW(view) ((RIGHT_READ | RIGHT_WRITE) << RIGHTS_SHADOW_SHIFT(view))
#define RIGHTS_ALL_VIEWS(right)                                                                    \
	((right) << RIGHTS_SHIFT(VIEW_USER) | (right) << RIGHTS_SHIFT(VIEW_SUPERVISOR) |           \
	 (right) << RIGHTS_SHIFT(VIEW_SUPERVISOR_AC) |                                             \
	 ((right) & ~RIGHT_FETCH) << RIGHTS_SHADOW_SHIFT(VIEW_USER) |                              \
	 ((right) & ~RIGHT_FETCH) << RIGHTS_SHADOW_SHIFT(VIEW_SUPERVISOR))

/* SDM 3A "Determination of Access Rights", shadow-stack pages: read-only and dirty by the leaf,
 * writable by all above it. */
static uint16_t shadow_stack_rights(const struct pager *p, uint64_t leaf)
{
	uint64_t above = UINT64_MAX;

	if ((leaf & (PTE_W | PTE_D)) != PTE_D)
		return 0;
	for (unsigned i = 0; i + 1 < p->steps; i++)
		above &= p->step[i].entry;
	if (!(above & PTE_W))
		return 0;
	return p->all & PTE_U ? RIGHTS_SHADOW(VIEW_USER) : RIGHTS_SHADOW(VIEW_SUPERVISOR);
}

static unsigned access_right(unsigned access)
{
	return access == MEM_FETCH ? RIGHT_FETCH : access == MEM_WRITE ? RIGHT_WRITE : RIGHT_READ;
}

/* Accessed flag of every entry used, dirty flag of the leaf for a write. */
static bool set_flags(struct pager *p)
{
	if ((p->all & PTE_A) &&
	    (p->access != MEM_WRITE || (p->step[p->steps - 1].entry & PTE_D)))
		return true;
	for (unsigned i = 0; i < p->steps; i++) {
		uint64_t flags = PTE_A, hpa;

		if (i == p->steps - 1 && p->access == MEM_WRITE)
			flags |= PTE_D;
		if ((p->step[i].entry & flags) == flags)
			continue;
		if (!entry_hpa(p, p->step[i].gpa, true, &hpa))
			return false;
		p->step[i].entry |= flags;
		phys_write(p->cpu, hpa, p->entry_size, p->step[i].entry);
	}
	return true;
}

/* PKRU and IA32_PKRS hold two bits a key, SDM 3A "Protection Keys". */
#define ACCESS_DISABLE 1u
#define WRITE_DISABLE 2u
#define DATA_RIGHTS (RIGHT_READ | RIGHT_WRITE)

/* Write disable binds supervisor-mode accesses only while CR0.WP is 1. */
uint16_t key_denies(const struct cpu *cpu, uint8_t key, uint32_t mode)
{
	uint32_t keys = key & KEY_USER ? cpu->pkru : cpu->pkrs;
	unsigned bits = keys >> 2 * (key & KEY_NUMBER), user = 0, supervisor = 0;

	if (!(key & KEY_APPLIES))
		return 0;
	if (bits & ACCESS_DISABLE)
		user = supervisor = DATA_RIGHTS;
	else if (bits & WRITE_DISABLE)
		user = RIGHT_WRITE, supervisor = mode & SPACE_WP ? RIGHT_WRITE : 0;
	return (uint16_t)(user << RIGHTS_SHIFT(VIEW_USER) |
			  supervisor << RIGHTS_SHIFT(VIEW_SUPERVISOR) |
			  supervisor << RIGHTS_SHIFT(VIEW_SUPERVISOR_AC));
}

/* SDM 3A "Determination of Access Rights": keys restrict data accesses only. */
static uint8_t page_key(const struct pager *p, uint64_t leaf)
{
	bool user = p->all & PTE_U;

	if (!(p->mode & (user ? SPACE_PKE : SPACE_PKS)))
		return 0;
	return (uint8_t)(KEY_APPLIES | (user ? KEY_USER : 0) |
			 (leaf >> PTE_KEY_SHIFT & KEY_NUMBER));
}

static bool check_and_flag(struct pager *p)
{
	bool user = p->all & PTE_U, writable = p->all & PTE_W;
	unsigned right = access_right(p->access), denied, shift = RIGHTS_SHIFT(p->view);
	uint64_t leaf = p->step[p->steps - 1].entry;

	p->walk->rights = page_rights(p->mode, user, writable, p->nx != 0);
	p->walk->rights |= shadow_stack_rights(p, leaf);
	p->walk->key = page_key(p, leaf);
	denied = key_denies(p->cpu, p->walk->key, p->mode) >> shift & right;
	if (p->shadow_stack)
		shift = RIGHTS_SHADOW_SHIFT(p->view);
	if (denied || !(p->walk->rights >> shift & right))
		return page_fault(p, denied ? PFEC_P | PFEC_PK : PFEC_P);
	if (!set_flags(p))
		return false;
	leaf = p->step[p->steps - 1].entry;
	if (!(leaf & PTE_D))
		p->walk->rights &= (uint16_t)~RIGHTS_ALL_VIEWS(RIGHT_WRITE);
	p->walk->global = (leaf & PTE_G) && (p->mode & SPACE_PGE);
	return true;
}

/* What EPT leaves of the rights of supervisor shadow-stack accesses. */
static unsigned supervisor_shadow_rights(const struct pager *p, const struct ept_leaf *leaf)
{
	bool sss = p->cpu->vmx->eptp & EPTP_SSS;
	bool read = leaf->rights & (sss ? EPT_SSS : EPT_R);
	bool write = (leaf->rights & (sss ? EPT_SSS : EPT_W)) && leaf->dirty;
	unsigned rights = (read ? RIGHT_READ : 0) | (write ? RIGHT_WRITE : 0);

	return p->walk->rights & rights << RIGHTS_SHADOW_SHIFT(VIEW_SUPERVISOR);
}

/* The access to the translated address itself. */
static void through_ept(struct pager *p, uint64_t gpa)
{
	static const uint64_t kind[] = {EPT_QUAL_READ, EPT_QUAL_WRITE, EPT_QUAL_FETCH};
	bool user = p->all & PTE_U;
	struct ept_access access = {
		.qualification = kind[p->access] | EPT_QUAL_LINEAR_VALID | EPT_QUAL_TRANSLATED |
				 (p->shadow_stack ? EPT_QUAL_SHADOW_STACK : 0),
		.user_page = user,
		.supervisor_shadow_stack = p->shadow_stack && p->view != VIEW_USER,
	};
	struct ept_leaf leaf;
	unsigned shadow;
	uint64_t x;

	/* Advanced information, SDM 3C "Exit Qualification for EPT Violations". */
	if (vmx_features_have(p->cpu->profile->caps.features, VMX_FEATURE_EPT_ADVANCED_INFO))
		access.qualification |= (user ? EPT_QUAL_USER : 0) |
					(p->all & PTE_W ? EPT_QUAL_RW_PAGE : 0) |
					(p->nx ? EPT_QUAL_NX_PAGE : 0);
	if (!ept_translate(p->cpu, gpa, &access, p->walk, &leaf))
		return;
	p->walk->hpa = leaf.hpa;
	shadow = p->walk->rights & RIGHTS_SHADOW(VIEW_SUPERVISOR) ? supervisor_shadow_rights(p, &leaf)
								  : 0;
	x = (p->mode & SPACE_MBEC) && user ? EPT_XU : EPT_X;
	if (!(leaf.rights & EPT_R))
		p->walk->rights &= (uint16_t)~RIGHTS_ALL_VIEWS(RIGHT_READ);
	if (!(leaf.rights & EPT_W) || !leaf.dirty)
		p->walk->rights &= (uint16_t)~RIGHTS_ALL_VIEWS(RIGHT_WRITE);
	if (!(leaf.rights & x))
		p->walk->rights &= (uint16_t)~RIGHTS_ALL_VIEWS(RIGHT_FETCH);
	p->walk->rights = (uint16_t)((p->walk->rights & ~RIGHTS_SHADOW(VIEW_SUPERVISOR)) | shadow);
}

/* Field by field: an initializer would clear the steps. */
static void begin(struct pager *p, struct cpu *cpu, uint64_t linear, struct walk *walk)
{
	p->cpu = cpu;
	p->walk = walk;
	p->linear = linear;
	p->nonroot = cpu->vmx && cpu->vmx->nonroot;
	p->mode = mmu_space_mode(cpu);
	p->steps = 0;
	p->all = UINT64_MAX;
	p->nx = 0;
	*walk = (struct walk){.outcome = WALK_OK};
}

void paging_walk(struct cpu *cpu, uint64_t linear, unsigned access, enum mmu_view view,
		 struct walk *walk)
{
	struct pager p;
	uint64_t base = 0;

	begin(&p, cpu, linear, walk);
	p.access = access & ~(unsigned)MEM_SHADOW_STACK;
	p.shadow_stack = access & MEM_SHADOW_STACK;
	p.view = view;
	if (p.mode & SPACE_PG) {
		if (!walk_tables(&p, &base) || !check_and_flag(&p))
			return;
	} else {
		/* Without paging every linear address is a user-mode, read/write, executable one.
		 */
		walk->shift = 12;
		base = PAGE_BASE(linear) & UINT64_C(0xffffffff);
		walk->rights = RIGHTS_ALL_VIEWS(RIGHT_READ | RIGHT_WRITE | RIGHT_FETCH);
	}
	walk->hpa = base | (linear & (BIT64(walk->shift) - 1));
	if (ept_enabled(cpu))
		through_ept(&p, walk->hpa);
}

/* SDM 3A "PDPTE Registers": loaded with CR3, present ones checked. */
bool mmu_load_pdptes(struct cpu *cpu, uint64_t cr3)
{
	uint64_t reserved = bits_from(cpu->profile->caps.maxphyaddr, 63) | bits_from(5, 8) | 6;
	uint64_t table = cr3 & UINT64_C(0xffffffe0), pdpte[4], hpa = table;

	if (ept_enabled(cpu)) {
		struct ept_access access = {.qualification = EPT_QUAL_READ};
		struct walk walk = {.outcome = WALK_OK};
		struct ept_leaf leaf;

		if (cpu->vmx->eptp & EPTP_AD)
			access.qualification |= EPT_QUAL_WRITE;
		if (!ept_translate(cpu, table, &access, &walk, &leaf))
			mmu_raise(cpu, 0, &walk);
		hpa = leaf.hpa;
	}
	for (unsigned i = 0; i < 4; i++) {
		pdpte[i] = phys_read(cpu, hpa + 8 * i, 8);
		if ((pdpte[i] & PTE_P) && (pdpte[i] & reserved))
			return false;
	}
	for (unsigned i = 0; i < 4; i++)
		cpu->pdpte[i] = pdpte[i];
	return true;
}
