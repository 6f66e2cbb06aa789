/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT as truth tables: rights and qualification of violations, misconfigurations, accessed and
 * dirty flags, mode-based execute control, accesses to guest paging structures, INVEPT.
 */
#include "tests/l0/machine/interp/fixture.h"

#define EPT_ROOT UINT64_C(0x100000)
#define EPT_PDPT UINT64_C(0x101000)
#define EPT_PD UINT64_C(0x102000)
#define EPT_PT UINT64_C(0x103000) /* guest-physical 0 - 2 MiB */
#define LEAF(gpa) (EPT_PT + ((gpa) >> 12) * 8)
#define GPA UINT64_C(0x5000)
#define GUEST_ROOT UINT64_C(0x8000) /* guest page tables: 0x8000 - 0xbfff */
#define GUEST_PT UINT64_C(0xb000)
#define LINEAR UINT64_C(0x400000)

/* Guest-physical [0, 2 MiB) to the same, guest paging off. */
static struct fixture *virtualized(const char *cpu, uint64_t eptp_flags, uint32_t secondary)
{
	struct fixture *f = fixture_new(cpu);

	ram_write64(f, EPT_ROOT, EPT_PDPT | EPT_RWX | EPT_XU);
	ram_write64(f, EPT_PDPT, EPT_PD | EPT_RWX | EPT_XU);
	ram_write64(f, EPT_PD, EPT_PT | EPT_RWX | EPT_XU);
	for (uint64_t gpa = 0; gpa < 0x200000; gpa += 0x1000)
		ram_write64(f, LEAF(gpa), gpa | EPT_RWX | EPT_XU | EPT_MT_WB);
	f->vmx.on = f->vmx.nonroot = true;
	f->vmx.eptp = EPT_ROOT | EPTP_WALK_4 | EPTP_MT_WB | eptp_flags;
	f->vmx.vpid = 1;
	f->vmx.secondary = SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID | secondary;
	mmu_mode_changed(&f->cpu);
	return f;
}

/* Guest 4-level paging over it: LINEAR to GPA with the leaf flags. */
static void guest_paging(struct fixture *f, uint64_t leaf)
{
	uint64_t full = PTE_P | PTE_W | PTE_U | PTE_A;

	ram_write64(f, GUEST_ROOT, (GUEST_ROOT + 0x1000) | full);
	ram_write64(f, GUEST_ROOT + 0x1000, (GUEST_ROOT + 0x2000) | full);
	ram_write64(f, GUEST_ROOT + 0x2000 + 16, GUEST_PT | full);
	ram_write64(f, GUEST_PT, GPA | leaf);
	f->cpu.cr0 = CR0_PE | CR0_PG | CR0_WP;
	f->cpu.cr4 = CR4_PAE;
	f->cpu.efer = EFER_LMA | EFER_LME | EFER_NXE;
	f->cpu.cr3 = GUEST_ROOT;
	mmu_mode_changed(&f->cpu);
	mmu_flush_all(&f->cpu);
}

/* SDM 3C "EPT Violations" with bit 7 of EPTP: supervisor shadow-stack accesses go by bit 60 of the
 * leaf, which must be readable, below writable entries; all others as ever. */
static void check_shadow_stack(unsigned bits, bool supervisor, bool write)
{
	struct fixture *f = virtualized("sapphire-rapids", EPTP_SSS, 0);
	uint64_t leaf = (bits & 1 ? EPT_R : EPT_X) | (bits & 2 ? EPT_R | EPT_W : 0) |
			(bits & 4 ? EPT_SSS : 0);
	bool above = bits & 8, readable = leaf & EPT_R;
	bool by_sss = above && readable && (leaf & EPT_SSS);
	bool by_rights = readable && (!write || (above && (leaf & EPT_W)));
	bool allowed = supervisor ? by_sss : by_rights;
	unsigned access = MEM_SHADOW_STACK | (write ? MEM_WRITE : MEM_READ);
	struct walk walk;

	ram_write64(f, EPT_PD, EPT_PT | EPT_R | EPT_X | (above ? EPT_W : 0));
	guest_paging(f, PTE_P | PTE_A | PTE_D | (supervisor ? 0 : PTE_U));
	ram_write64(f, LEAF(GPA), GPA | leaf | EPT_MT_WB);
	paging_walk(&f->cpu, LINEAR, access, supervisor ? VIEW_SUPERVISOR : VIEW_USER, &walk);
	assert_int_equal(walk.outcome, allowed ? WALK_OK : WALK_EPT_VIOLATION);
	if (allowed) {
		assert_int_equal(walk.hpa, GPA);
		assert_true(walk.rights >> RIGHTS_SHADOW_SHIFT(supervisor ? VIEW_SUPERVISOR
									  : VIEW_USER) &
			    (write ? RIGHT_WRITE : RIGHT_READ));
	} else {
		assert_true(walk.qualification & EPT_QUAL_SHADOW_STACK);
		assert_int_equal(!(walk.qualification & EPT_QUAL_SSS), !(leaf & EPT_SSS));
	}
	fixture_free(f);
}

static void test_shadow_stacks(void **state)
{
	for (unsigned bits = 0; bits < 16; bits++)
		for (unsigned kind = 0; kind < 4; kind++)
			check_shadow_stack(bits, kind & 1, kind & 2);
}

static const uint64_t access_bit[] = {EPT_QUAL_READ, EPT_QUAL_WRITE, EPT_QUAL_FETCH};

/* Every leaf RWX x access, paging off: an access goes through iff its bit is set; the qualification
 * has the access, the AND of the rights, and says user, writable, executable. */
static void test_rights_and_qualification(void **state)
{
	struct fixture *f = virtualized(NULL, 0, 0);

	for (uint64_t rights = 0; rights < 8; rights++)
		for (unsigned upper = 0; upper < 2; upper++)
			for (unsigned access = 0; access < 3; access++) {
				struct walk walk;
				uint64_t both = rights | EPT_MT_WB;

				if ((rights & 3) == EPT_W)
					continue; /* misconfigured, below */
				ram_write64(f, LEAF(GPA),
					    GPA | (upper ? EPT_RWX | EPT_MT_WB : both));
				ram_write64(f, EPT_PD, EPT_PT | (upper ? rights : EPT_RWX));
				mmu_invept(&f->cpu, UINT64_MAX);
				paging_walk(&f->cpu, GPA + 0x18, access, VIEW_SUPERVISOR, &walk);
				if (rights >> access & 1) {
					assert_int_equal(walk.outcome, WALK_OK);
					assert_int_equal(walk.hpa, GPA + 0x18);
					continue;
				}
				assert_int_equal(walk.outcome, WALK_EPT_VIOLATION);
				assert_int_equal(walk.gpa, GPA + 0x18);
				assert_int_equal(walk.qualification,
						 access_bit[access] | rights << 3 |
						     EPT_QUAL_LINEAR_VALID | EPT_QUAL_TRANSLATED |
						     EPT_QUAL_USER | EPT_QUAL_RW_PAGE |
						     VMX_EPT_CONVERTIBLE);
			}
	fixture_free(f);
}

static void test_advanced_information(void **state)
{
	for (unsigned advanced = 0; advanced < 2; advanced++) {
		struct fixture *f =
		    virtualized(advanced ? NULL : "skylake,-ept-advanced-info", 0, 0);

		ram_write64(f, LEAF(GPA), GPA | EPT_MT_WB);
		for (unsigned bits = 0; bits < 8; bits++) {
			struct walk walk;
			uint64_t extra = (bits & 1 ? EPT_QUAL_USER : 0) |
					 (bits & 2 ? EPT_QUAL_RW_PAGE : 0) |
					 (bits & 4 ? EPT_QUAL_NX_PAGE : 0);

			guest_paging(f, PTE_P | PTE_A | PTE_D | (bits & 1 ? PTE_U : 0) |
						(bits & 2 ? PTE_W : 0) | (bits & 4 ? PTE_NX : 0));
			paging_walk(&f->cpu, LINEAR, MEM_READ, VIEW_SUPERVISOR, &walk);
			assert_int_equal(walk.outcome, WALK_EPT_VIOLATION);
			assert_int_equal(walk.qualification, EPT_QUAL_READ | EPT_QUAL_LINEAR_VALID |
								 EPT_QUAL_TRANSLATED |
								 VMX_EPT_CONVERTIBLE |
								 (advanced ? extra : 0));
		}
		fixture_free(f);
	}
}

struct paging_structure_case {
	uint64_t rights;  /* of the page that holds the guest's PT */
	uint64_t eptp;
	uint64_t guest_flags; /* of the guest's PTE */
	unsigned access;
	uint64_t qualification; /* 0: no violation */
};

/* SDM 3C "EPT Violations", "Accessed and Dirty Flags for EPT" */
static const struct paging_structure_case structure_cases[] = {
    {0, 0, PTE_A | PTE_D, MEM_READ, EPT_QUAL_READ},
    {0, 0, PTE_A | PTE_D, MEM_FETCH, EPT_QUAL_READ},
    {EPT_R, 0, PTE_A | PTE_D, MEM_READ, 0},
    {EPT_R, 0, PTE_A | PTE_D, MEM_WRITE, 0},
    {EPT_R, 0, 0, MEM_READ, EPT_QUAL_READ | EPT_QUAL_WRITE | EPT_QUAL_ENTRY_R},
    {EPT_R, 0, PTE_A, MEM_WRITE, EPT_QUAL_READ | EPT_QUAL_WRITE | EPT_QUAL_ENTRY_R},
    {EPT_R, 0, PTE_A, MEM_READ, 0},
    {EPT_R | EPT_W, 0, 0, MEM_WRITE, 0},
    {EPT_X, 0, PTE_A | PTE_D, MEM_FETCH, EPT_QUAL_READ | EPT_QUAL_ENTRY_X},
    {EPT_R, EPTP_AD, PTE_A | PTE_D, MEM_READ, EPT_QUAL_READ | EPT_QUAL_WRITE | EPT_QUAL_ENTRY_R},
    {EPT_R | EPT_W, EPTP_AD, PTE_A | PTE_D, MEM_READ, 0},
};

static void test_guest_paging_structures(void **state)
{
	for (size_t i = 0; i < sizeof(structure_cases) / sizeof(structure_cases[0]); i++) {
		const struct paging_structure_case *c = &structure_cases[i];
		struct fixture *f = virtualized(NULL, c->eptp, 0);
		struct walk walk;

		guest_paging(f, PTE_P | PTE_W | PTE_U | c->guest_flags);
		ram_write64(f, LEAF(GUEST_PT), GUEST_PT | EPT_MT_WB | c->rights | EPT_SUPPRESS_VE);
		paging_walk(&f->cpu, LINEAR, c->access, VIEW_SUPERVISOR, &walk);
		if (c->qualification) {
			assert_int_equal(walk.outcome, WALK_EPT_VIOLATION);
			assert_int_equal(walk.gpa, GUEST_PT);
			assert_int_equal(walk.qualification,
					 c->qualification | EPT_QUAL_LINEAR_VALID);
		} else {
			assert_int_equal(walk.outcome, WALK_OK);
		}
		fixture_free(f);
	}
}

struct misconfiguration {
	const char *cpu;
	uint64_t at;    /* entry */
	uint64_t value; /* of it, without address */
	uint32_t secondary;
	bool bad;
};

static const struct misconfiguration misconfigurations[] = {
    {NULL, LEAF(GPA), EPT_W | EPT_MT_WB, 0, true},
    {NULL, LEAF(GPA), EPT_W | EPT_X | EPT_MT_WB, 0, true},
    {NULL, EPT_PD, EPT_W, 0, true},
    {NULL, EPT_ROOT, EPT_W | EPT_X, 0, true},
    {NULL, LEAF(GPA), EPT_X | EPT_MT_WB, 0, false},
    {"skylake,-ept-execute-only", LEAF(GPA), EPT_X | EPT_MT_WB, 0, true},
    {"skylake,-ept-execute-only", LEAF(GPA), EPT_R | EPT_X | EPT_MT_WB, 0, false},
    {"skylake,-ept-execute-only", LEAF(GPA), EPT_XU | EPT_MT_WB, SECONDARY_MODE_BASED_EXECUTE,
     true},
    {NULL, LEAF(GPA), EPT_R | EPT_XU | EPT_MT_WB, 0, false},
    {NULL, LEAF(GPA), EPT_R | UINT64_C(0) << 3, 0, false},
    {NULL, LEAF(GPA), EPT_R | UINT64_C(1) << 3, 0, false},
    {NULL, LEAF(GPA), EPT_R | UINT64_C(2) << 3, 0, true},
    {NULL, LEAF(GPA), EPT_R | UINT64_C(3) << 3, 0, true},
    {NULL, LEAF(GPA), EPT_R | UINT64_C(4) << 3, 0, false},
    {NULL, LEAF(GPA), EPT_R | UINT64_C(5) << 3, 0, false},
    {NULL, LEAF(GPA), EPT_R | UINT64_C(7) << 3, 0, true},
    {NULL, LEAF(GPA), EPT_R | EPT_IPAT | EPT_MT_WB, 0, false},
    {NULL, LEAF(GPA), EPT_R | EPT_MT_WB | BIT64(46), 0, true},
    {NULL, LEAF(GPA), EPT_R | EPT_MT_WB | BIT64(45), 0, false},
    {"nehalem", LEAF(GPA), EPT_R | EPT_MT_WB | BIT64(40), 0, true},
    {NULL, LEAF(GPA), EPT_R | EPT_MT_WB | BIT64(52) | BIT64(11) | EPT_PS, 0, false},
    {NULL, EPT_PD, EPT_RWX | BIT64(3), 0, true},
    {NULL, EPT_PD, EPT_RWX | BIT64(6), 0, true},
    {NULL, EPT_PDPT, EPT_RWX | BIT64(5), 0, true},
    {NULL, EPT_ROOT, EPT_RWX | EPT_PS, 0, true},
    {NULL, EPT_PD, EPT_RWX | EPT_PS | EPT_MT_WB, 0, true}, /* address not 2 MiB aligned */
    {"skylake,-ept-1g", EPT_PDPT, EPT_RWX | EPT_PS | EPT_MT_WB, 0, true},
    {"skylake,-ept-2m", EPT_PD, EPT_RWX | EPT_PS | EPT_MT_WB, 0, true},
};

static void test_misconfigurations(void **state)
{
	for (size_t i = 0; i < sizeof(misconfigurations) / sizeof(misconfigurations[0]); i++) {
		const struct misconfiguration *c = &misconfigurations[i];
		struct fixture *f = virtualized(c->cpu, 0, c->secondary);
		uint64_t address = ram_read64(f, c->at) & EPT_ADDRESS;
		struct walk walk;

		ram_write64(f, c->at, address | c->value);
		paging_walk(&f->cpu, GPA, MEM_READ, VIEW_SUPERVISOR, &walk);
		assert_int_equal(walk.outcome == WALK_EPT_MISCONFIGURATION, c->bad);
		if (c->bad)
			assert_int_equal(walk.gpa, GPA);
		fixture_free(f);
	}
}

static void test_large_pages(void **state)
{
	struct fixture *f = virtualized(NULL, 0, 0);
	struct walk walk;

	ram_write64(f, EPT_PD + 8, UINT64_C(0x600000) | EPT_RWX | EPT_PS | EPT_MT_WB);
	paging_walk(&f->cpu, 0x212345, MEM_READ, VIEW_SUPERVISOR, &walk);
	assert_int_equal(walk.hpa, 0x612345);
	ram_write64(f, EPT_PDPT + 8, UINT64_C(0x80000000) | EPT_RWX | EPT_PS | EPT_MT_WB);
	paging_walk(&f->cpu, 0x40212345, MEM_READ, VIEW_SUPERVISOR, &walk);
	assert_int_equal(walk.hpa, UINT64_C(0x80212345));
	fixture_free(f);
}

static void test_accessed_and_dirty(void **state)
{
	struct fixture *f = virtualized(NULL, EPTP_AD, 0);
	struct walk walk;

	paging_walk(&f->cpu, GPA, MEM_READ, VIEW_SUPERVISOR, &walk);
	assert_int_equal(ram_read64(f, EPT_ROOT) & (EPT_A | EPT_D), EPT_A);
	assert_int_equal(ram_read64(f, EPT_PDPT) & (EPT_A | EPT_D), EPT_A);
	assert_int_equal(ram_read64(f, EPT_PD) & (EPT_A | EPT_D), EPT_A);
	assert_int_equal(ram_read64(f, LEAF(GPA)) & (EPT_A | EPT_D), EPT_A);
	assert_int_equal(walk.rights >> RIGHTS_SHIFT(VIEW_SUPERVISOR) & RIGHT_WRITE, 0);
	assert_int_equal(seen.dirty_logged, 0);
	paging_walk(&f->cpu, GPA, MEM_WRITE, VIEW_SUPERVISOR, &walk);
	assert_int_equal(ram_read64(f, LEAF(GPA)) & (EPT_A | EPT_D), EPT_A | EPT_D);
	assert_int_equal(seen.dirty_logged, 1);
	assert_int_not_equal(walk.rights >> RIGHTS_SHIFT(VIEW_SUPERVISOR) & RIGHT_WRITE, 0);
	paging_walk(&f->cpu, GPA, MEM_WRITE, VIEW_SUPERVISOR, &walk);
	assert_int_equal(seen.dirty_logged, 1); /* a 0 to 1 transition only */
	/* Guest page-table pages are written, as far as EPT is concerned, by every walk. */
	guest_paging(f, PTE_P | PTE_W | PTE_A | PTE_D);
	paging_walk(&f->cpu, LINEAR, MEM_READ, VIEW_SUPERVISOR, &walk);
	assert_int_equal(ram_read64(f, LEAF(GUEST_PT)) & (EPT_A | EPT_D), EPT_A | EPT_D);
	/* Off: untouched. */
	fixture_free(f);
	f = virtualized(NULL, 0, 0);
	paging_walk(&f->cpu, GPA, MEM_WRITE, VIEW_SUPERVISOR, &walk);
	assert_int_equal(ram_read64(f, LEAF(GPA)) & (EPT_A | EPT_D), 0);
	assert_int_not_equal(walk.rights >> RIGHTS_SHIFT(VIEW_SUPERVISOR) & RIGHT_WRITE, 0);
	fixture_free(f);
}

/* SDM 3C "Mode-Based Execution Control": X is for supervisor-mode addresses, XU for user-mode ones.
 */
static void test_mode_based_execute(void **state)
{
	for (unsigned mbec = 0; mbec < 2; mbec++) {
		struct fixture *f = virtualized(NULL, 0, mbec ? SECONDARY_MODE_BASED_EXECUTE : 0);

		for (unsigned bits = 0; bits < 8; bits++) {
			bool x = bits & 1, xu = bits & 2, user = bits & 4;
			bool may = mbec && user ? xu : x;
			struct walk walk;

			guest_paging(f, PTE_P | PTE_W | PTE_A | PTE_D | (user ? PTE_U : 0));
			ram_write64(f, LEAF(GPA),
				    GPA | EPT_R | EPT_MT_WB | (x ? EPT_X : 0) | (xu ? EPT_XU : 0));
			paging_walk(&f->cpu, LINEAR, MEM_FETCH, user ? VIEW_USER : VIEW_SUPERVISOR,
				    &walk);
			assert_int_equal(walk.outcome, may ? WALK_OK : WALK_EPT_VIOLATION);
			if (!may)
				assert_int_equal(walk.qualification &
						     (EPT_QUAL_ENTRY_X | EPT_QUAL_ENTRY_XU),
						 (x ? EPT_QUAL_ENTRY_X : 0) |
						     (mbec && xu ? EPT_QUAL_ENTRY_XU : 0));
		}
		/* Present by bit 10 alone. */
		guest_paging(f, PTE_P | PTE_W | PTE_A | PTE_D | PTE_U);
		ram_write64(f, LEAF(GPA), GPA | EPT_XU | EPT_MT_WB);
		struct walk walk;
		paging_walk(&f->cpu, LINEAR, MEM_FETCH, VIEW_USER, &walk);
		assert_int_equal(walk.outcome, mbec ? WALK_OK : WALK_EPT_VIOLATION);
		fixture_free(f);
	}
}

static bool read_exits(struct fixture *f, uint64_t linear)
{
	return ESCAPES(f, lin_read(&f->cpu, linear, 4, MEM_READ));
}

static void test_exits(void **state)
{
	struct fixture *f = virtualized(NULL, 0, 0);

	ram_write64(f, LEAF(GPA), 0);
	assert_true(read_exits(f, GPA + 4));
	assert_int_equal(seen.exits, 1);
	assert_int_equal(seen.exit_gpa, GPA + 4);
	assert_int_equal(seen.exit_linear, GPA + 4);
	assert_true(seen.exit_linear_valid);
	/* The hypervisor maps it: seen without INVEPT, since the violation dropped what was cached.
	 */
	ram_write64(f, LEAF(GPA), GPA | EPT_RWX | EPT_MT_WB);
	assert_false(read_exits(f, GPA + 4));
	ram_write64(f, LEAF(GPA), GPA | EPT_W);
	mmu_invept(&f->cpu, f->vmx.eptp);
	assert_true(read_exits(f, GPA));
	assert_int_equal(seen.exits, 2);
	fixture_free(f);
}

static void test_pdpte_violation(void **state)
{
	struct fixture *f = virtualized(NULL, 0, 0);

	ram_write64(f, LEAF(GPA), 0);
	if (!setjmp(f->escape)) {
		bool loaded = mmu_load_pdptes(&f->cpu, GPA + 0x20);

		fail_msg("loaded: %d", loaded);
	}
	assert_int_equal(seen.exits, 1);
	assert_int_equal(seen.exit_gpa, GPA + 0x20);
	assert_false(seen.exit_linear_valid);
	assert_int_equal(seen.exit_qualification & 0xfff, EPT_QUAL_READ);
	fixture_free(f);
}

static void map_gpa(struct fixture *f, uint64_t hpa)
{
	ram_write64(f, LEAF(GPA), hpa | EPT_RWX | EPT_MT_WB);
}

static uint64_t number_at(struct fixture *f)
{
	return lin_read(&f->cpu, GPA, 8, MEM_READ);
}

/* INVEPT drops combined mappings of one EP4TA or of all; linear mappings and other EP4TAs stay. */
static void test_invept(void **state)
{
	struct fixture *f = virtualized(NULL, 0, 0);
	uint64_t first = f->vmx.eptp, second = 0x180000 | (first & 0xfff);

	memcpy(f->machine.memory.low + 0x180000, f->machine.memory.low + EPT_ROOT, 0x1000);
	ram_write64(f, GPA, 5);
	ram_write64(f, 0x6000, 6);
	for (unsigned all = 0; all < 2; all++) {
		map_gpa(f, GPA);
		mmu_flush_all(&f->cpu);
		assert_int_equal(number_at(f), 5);
		f->vmx.eptp = second;
		mmu_mode_changed(&f->cpu);
		assert_int_equal(number_at(f), 5);
		map_gpa(f, 0x6000);
		assert_int_equal(number_at(f), 5);
		mmu_invvpid(&f->cpu, INVVPID_SINGLE, 7, 0); /* another VPID: nothing */
		assert_int_equal(number_at(f), 5);
		/* The EP4TA counts, not the other bits of the EPTP. */
		mmu_invept(&f->cpu, all ? UINT64_MAX : second ^ EPTP_AD);
		assert_int_equal(number_at(f), 6);
		f->vmx.eptp = first;
		mmu_mode_changed(&f->cpu);
		assert_int_equal(number_at(f), all ? 6 : 5);
	}
	fixture_free(f);
}

/* Guest-physical mappings outlive what concerns linear addresses; INVEPT and a violation drop them.
 */
static void test_guest_physical_mappings(void **state)
{
	struct fixture *f = virtualized(NULL, 0, 0);
	struct ept_access read = {.qualification = EPT_QUAL_READ};
	struct ept_access write = {.qualification = EPT_QUAL_WRITE};
	struct ept_leaf leaf;
	struct walk walk = {.outcome = WALK_OK};

	assert_true(ept_translate(&f->cpu, GPA + 8, &read, &walk, &leaf));
	assert_int_equal(leaf.hpa, GPA + 8);
	assert_int_equal(walk.references, 4);
	ram_write64(f, LEAF(GPA), 0x6000 | EPT_R | EPT_MT_WB);
	mmu_flush_page(&f->cpu, GPA);
	mmu_invvpid(&f->cpu, INVVPID_SINGLE, 1, 0);
	mmu_flush_current(&f->cpu, true);
	assert_true(ept_translate(&f->cpu, GPA + 16, &read, &walk, &leaf));
	assert_int_equal(leaf.hpa, GPA + 16);
	assert_int_equal(walk.references, 4); /* no walk */
	mmu_invept(&f->cpu, f->vmx.eptp);
	assert_true(ept_translate(&f->cpu, GPA, &read, &walk, &leaf));
	assert_int_equal(leaf.hpa, 0x6000);
	assert_int_equal(walk.references, 8);
	ram_write64(f, LEAF(GPA), 0x7000 | EPT_R | EPT_MT_WB);
	assert_false(ept_translate(&f->cpu, GPA, &write, &walk, &leaf));
	assert_true(ept_translate(&f->cpu, GPA, &read, &walk, &leaf));
	assert_int_equal(leaf.hpa, 0x7000);
	/* A clean page is walked again by the first write, to set its dirty flag. */
	f->vmx.eptp |= EPTP_AD;
	mmu_mode_changed(&f->cpu);
	ram_write64(f, LEAF(GPA), GPA | EPT_RWX | EPT_MT_WB);
	assert_true(ept_translate(&f->cpu, GPA, &read, &walk, &leaf));
	assert_true(ept_translate(&f->cpu, GPA, &write, &walk, &leaf));
	assert_int_equal(ram_read64(f, LEAF(GPA)) & EPT_D, EPT_D);
	fixture_free(f);
}

/* The APIC-access page is matched at the end of translation, in non-root operation only. */
static void test_apic_access_page(void **state)
{
	struct fixture *f = virtualized(NULL, 0, 0);
	uint64_t hpa;

	f->vmx.apic_access = GPA;
	mmu_flush_all(&f->cpu);
	assert_int_equal(lin_read(&f->cpu, GPA + 0x80, 4, MEM_READ), 0xa91c0080u);
	assert_int_equal(lin_read(&f->cpu, GPA + 0x80, 4, MEM_READ), 0xa91c0080u);
	lin_write(&f->cpu, GPA + 0xb0, 4, 0, MEM_WRITE);
	assert_int_equal(seen.written_hpa, 0xb0);
	assert_null(lin_to_host(&f->cpu, GPA, MEM_READ, NULL));
	assert_null(lin_fetch(&f->cpu, GPA, &hpa));
	assert_non_null(lin_fetch(&f->cpu, GPA + 0x1000, &hpa));
	assert_int_equal(phys_read(&f->cpu, GPA + 0x80, 4), 0);
	f->vmx.nonroot = false;
	f->vmx.eptp = 0;
	f->vmx.vpid = 0;
	mmu_mode_changed(&f->cpu);
	assert_int_equal(lin_read(&f->cpu, GPA + 0x80, 4, MEM_READ), 0);
	fixture_free(f);
}

/* Paging structures in the APIC-access page: a VM exit of their own kind, with the entry's offset.
 */
static void test_apic_access_by_page_walk(void **state)
{
	struct fixture *f = virtualized(NULL, 0, 0);
	struct walk walk;

	guest_paging(f, PTE_P | PTE_W);
	f->vmx.apic_access = GUEST_PT;
	paging_walk(&f->cpu, LINEAR, MEM_READ, VIEW_SUPERVISOR, &walk);
	assert_int_equal(walk.outcome, WALK_APIC_ACCESS);
	assert_int_equal(walk.gpa, GUEST_PT);
	assert_true(ESCAPES(f, lin_read(&f->cpu, LINEAR + 0x1008, 1, MEM_READ)));
	assert_int_equal(seen.exit_gpa, 8);
	f->vmx.nonroot = false;
	paging_walk(&f->cpu, LINEAR, MEM_READ, VIEW_SUPERVISOR, &walk);
	assert_int_equal(walk.outcome, WALK_OK);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights_and_qualification),
		cmocka_unit_test(test_shadow_stacks),
		cmocka_unit_test(test_advanced_information),
		cmocka_unit_test(test_guest_paging_structures),
		cmocka_unit_test(test_misconfigurations),
		cmocka_unit_test(test_large_pages),
		cmocka_unit_test(test_accessed_and_dirty),
		cmocka_unit_test(test_mode_based_execute),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_pdpte_violation),
		cmocka_unit_test(test_invept),
		cmocka_unit_test(test_guest_physical_mappings),
		cmocka_unit_test(test_apic_access_page),
		cmocka_unit_test(test_apic_access_by_page_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
