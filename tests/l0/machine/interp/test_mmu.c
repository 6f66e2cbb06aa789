/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Paging in every mode as truth tables: rights and error codes against the SDM's rules, reserved
 * bits, accessed and dirty flags, large pages; linear and segmented accesses.
 */
#include "tests/l0/machine/interp/fixture.h"

#define ROOT UINT64_C(0x1000)
#define PDPT UINT64_C(0x2000)
#define PD UINT64_C(0x3000)
#define PT UINT64_C(0x4000)
#define FRAME UINT64_C(0x200000) /* 2 MiB aligned */
#define LINEAR UINT64_C(0x00400000)

/* Each tries one access; true: it left by an exception or VM exit. */
static bool read_escapes(struct fixture *f, uint64_t linear, unsigned size, unsigned access)
{
	return ESCAPES(f, lin_read(&f->cpu, linear, size, access));
}

static bool write_escapes(struct fixture *f, uint64_t linear, unsigned size, uint64_t value)
{
	return ESCAPES(f, lin_write(&f->cpu, linear, size, value, MEM_WRITE));
}

static bool segment_escapes(struct fixture *f, unsigned segment, uint64_t offset, unsigned size,
			    unsigned access, uint64_t *linear)
{
	return ESCAPES(f, *linear = seg_linear(&f->cpu, segment, offset, size, access));
}

enum paging { PAGING_32, PAGING_PAE, PAGING_4LEVEL, PAGING_COUNT };

/* Maps LINEAR to FRAME: the flags go to the leaf, `upper` to the levels above. */
static void map(struct fixture *f, enum paging paging, bool large, uint64_t upper, uint64_t leaf)
{
	memset(f->machine.memory.low, 0, 0x10000);
	if (paging == PAGING_32) {
		uint32_t pde =
		    large ? (uint32_t)(FRAME * 2 | leaf | PTE_PS) : (uint32_t)(PT | upper);
		uint32_t pte = (uint32_t)(FRAME | leaf);

		memcpy(f->machine.memory.low + ROOT + 4, &pde, 4);
		memcpy(f->machine.memory.low + PT, &pte, 4);
		return;
	}
	if (paging == PAGING_4LEVEL) {
		ram_write64(f, ROOT, PDPT | upper);
		ram_write64(f, PDPT, PD | upper);
	} else {
		f->cpu.pdpte[0] = PD | PTE_P;
	}
	ram_write64(f, PD + 2 * 8, large ? FRAME | leaf | PTE_PS : PT | upper);
	ram_write64(f, PT, FRAME | leaf);
}

static void set_mode(struct fixture *f, enum paging paging, bool wp, bool smep, bool smap, bool nxe)
{
	f->cpu.cr0 = CR0_PE | CR0_PG | (wp ? CR0_WP : 0);
	f->cpu.cr4 = (paging != PAGING_32 ? CR4_PAE : 0) | CR4_PSE | (smep ? CR4_SMEP : 0) |
		     (smap ? CR4_SMAP : 0);
	f->cpu.efer = (paging == PAGING_4LEVEL ? EFER_LMA | EFER_LME : 0) | (nxe ? EFER_NXE : 0);
	f->cpu.cr3 = ROOT;
	mmu_mode_changed(&f->cpu);
}

/* SDM 3A "Determination of Access Rights", paragraph by paragraph. */
static bool allowed(unsigned access, enum mmu_view view, bool user_page, bool writable, bool nx,
		    bool wp, bool smep, bool smap)
{
	bool user = view == VIEW_USER, ac = view == VIEW_SUPERVISOR_AC;

	switch (access) {
	case MEM_READ:
		return user ? user_page : !user_page || !smap || ac;
	case MEM_WRITE:
		if (user)
			return user_page && writable;
		if (user_page && smap && !ac)
			return false;
		return writable || !wp;
	default:
		if (nx)
			return false;
		return user ? user_page : !(user_page && smep);
	}
}

static uint32_t error_code(unsigned access, enum mmu_view view, bool fetch_flag)
{
	return PFEC_P | (access == MEM_WRITE ? PFEC_W : 0) | (view == VIEW_USER ? PFEC_U : 0) |
	       (access == MEM_FETCH && fetch_flag ? PFEC_I : 0);
}

static void check_rights(struct fixture *f, enum paging paging, bool large, unsigned bits)
{
	bool u = bits & 1, w = bits & 2, nx = bits & 4, wp = bits & 8, smep = bits & 16,
	     smap = bits & 32, in_upper = bits & 64;
	uint64_t full = PTE_P | PTE_W | PTE_U;
	uint64_t flags = PTE_P | (w ? PTE_W : 0) | (u ? PTE_U : 0);
	bool nxe = paging != PAGING_32, fetch_flag = nxe || smep;

	nx = nx && nxe;
	set_mode(f, paging, wp, smep, smap, nxe);
	for (unsigned view = 0; view < VIEW_COUNT; view++)
		for (unsigned access = MEM_READ; access <= MEM_FETCH; access++) {
			struct walk walk;

			/* The leaf, or only the levels above it, restrict. */
			if (in_upper && !large)
				map(f, paging, large, flags | (nx ? PTE_NX : 0), full);
			else
				map(f, paging, large, full, flags | (nx ? PTE_NX : 0));
			paging_walk(&f->cpu, LINEAR + 0x123, access, view, &walk);
			if (allowed(access, view, u, w, nx, wp, smep, smap)) {
				assert_int_equal(walk.outcome, WALK_OK);
				assert_int_equal(
				    walk.hpa,
				    (large && paging == PAGING_32 ? 2 * FRAME : FRAME) + 0x123);
				assert_true(walk.rights >> RIGHTS_SHIFT(view) &
					    (access == MEM_FETCH   ? RIGHT_FETCH
					     : access == MEM_WRITE ? RIGHT_WRITE
								   : RIGHT_READ));
			} else {
				assert_int_equal(walk.outcome, WALK_PAGE_FAULT);
				assert_int_equal(walk.error, error_code(access, view, fetch_flag));
			}
		}
}

static void test_rights(void **state)
{
	struct fixture *f = fixture_new(NULL);

	for (unsigned paging = 0; paging < PAGING_COUNT; paging++)
		for (unsigned large = 0; large < 2; large++)
			for (unsigned bits = 0; bits < 128; bits++)
				check_rights(f, paging, large, bits);
	fixture_free(f);
}

/* The rights cached for one access must be those that any other access would find by walking. */
static void test_rights_are_those_of_every_view(void **state)
{
	struct fixture *f = fixture_new(NULL);

	for (unsigned bits = 0; bits < 64; bits++) {
		struct walk first, walk;

		set_mode(f, PAGING_4LEVEL, bits & 8, bits & 16, bits & 32, true);
		map(f, PAGING_4LEVEL, false, PTE_P | PTE_W | PTE_U,
		    PTE_P | PTE_D | (bits & 1 ? PTE_U : 0) | (bits & 2 ? PTE_W : 0) |
			(bits & 4 ? PTE_NX : 0));
		paging_walk(&f->cpu, LINEAR, MEM_READ, VIEW_SUPERVISOR_AC, &first);
		assert_int_equal(first.outcome, WALK_OK);
		for (unsigned view = 0; view < VIEW_COUNT; view++)
			for (unsigned access = 0; access < 3; access++) {
				static const unsigned right[] = {RIGHT_READ, RIGHT_WRITE,
								 RIGHT_FETCH};

				paging_walk(&f->cpu, LINEAR, access, view, &walk);
				assert_int_equal(
				    !!(first.rights >> RIGHTS_SHIFT(view) & right[access]),
				    walk.outcome == WALK_OK);
			}
	}
	fixture_free(f);
}

static void test_not_present(void **state)
{
	struct fixture *f = fixture_new(NULL);
	struct walk walk;

	for (unsigned paging = 0; paging < PAGING_COUNT; paging++)
		for (unsigned level = 0; level < 2; level++) {
			set_mode(f, paging, true, true, true, true);
			map(f, paging, false, level ? 0 : PTE_P | PTE_U, PTE_U);
			if (paging == PAGING_PAE && level)
				f->cpu.pdpte[0] = 0;
			paging_walk(&f->cpu, LINEAR, MEM_WRITE, VIEW_USER, &walk);
			assert_int_equal(walk.outcome, WALK_PAGE_FAULT);
			assert_int_equal(walk.error, PFEC_W | PFEC_U);
			paging_walk(&f->cpu, LINEAR, MEM_FETCH, VIEW_SUPERVISOR, &walk);
			assert_int_equal(walk.error, PFEC_I);
		}
	fixture_free(f);
}

struct reserved_case {
	enum paging paging;
	uint64_t entry_at;  /* which entry gets the bits */
	uint64_t bits;
	bool large, nxe, fault;
	const char *cpu;
};

/* SDM 3A "Reserved Bits": MAXPHYADDR 46 but for nehalem's 40. */
static const struct reserved_case reserved_cases[] = {
	{PAGING_4LEVEL, ROOT, PTE_PS, false, true, true, NULL},
	{PAGING_4LEVEL, ROOT, BIT64(46), false, true, true, NULL},
	{PAGING_4LEVEL, ROOT, BIT64(51), false, true, true, NULL},
	{PAGING_4LEVEL, ROOT, BIT64(52), false, true, false, NULL},
	{PAGING_4LEVEL, ROOT, BIT64(62), false, true, false, NULL},
	{PAGING_4LEVEL, PT, BIT64(45), false, true, false, NULL},
	{PAGING_4LEVEL, ROOT, BIT64(40), false, true, true, "nehalem"},
	{PAGING_4LEVEL, ROOT, PTE_NX, false, false, true, NULL},
	{PAGING_4LEVEL, PDPT, PTE_NX, false, false, true, NULL},
	{PAGING_4LEVEL, PDPT, PTE_PS, false, true, true, "nehalem"},
	{PAGING_4LEVEL, PDPT, PTE_PS | BIT64(13), false, true, true, NULL},
	{PAGING_4LEVEL, PD + 16, BIT64(13), true, true, true, NULL},
	{PAGING_4LEVEL, PD + 16, BIT64(20), true, true, true, NULL},
	{PAGING_4LEVEL, PD + 16, BIT64(12), true, true, false, NULL}, /* PAT */
	{PAGING_4LEVEL, PT, PTE_PS, false, true, false, NULL},	      /* PAT */
	{PAGING_4LEVEL, PT, BIT64(46), false, true, true, NULL},
	{PAGING_PAE, PD + 16, BIT64(46), false, true, true, NULL},
	{PAGING_PAE, PD + 16, BIT64(52), false, true, true, NULL},
	{PAGING_PAE, PD + 16, BIT64(62), false, true, true, NULL},
	{PAGING_PAE, PD + 16, BIT64(14), true, true, true, NULL},
	{PAGING_PAE, PT, PTE_NX, false, false, true, NULL},
	{PAGING_PAE, PT, BIT64(60), false, true, true, NULL},
	{PAGING_32, ROOT + 4, BIT64(21), true, false, true, NULL},
	{PAGING_32, ROOT + 4, BIT64(12), true, false, false, NULL}, /* PAT */
	{PAGING_32, PT, PTE_PS, false, false, false, NULL},
};

static void test_reserved_bits(void **state)
{
	for (size_t i = 0; i < sizeof(reserved_cases) / sizeof(reserved_cases[0]); i++) {
		const struct reserved_case *c = &reserved_cases[i];
		struct fixture *f = fixture_new(c->cpu);
		uint64_t full = PTE_P | PTE_W | PTE_U;
		struct walk walk;

		set_mode(f, c->paging, true, false, false, c->nxe);
		map(f, c->paging, c->large, full, full);
		ram_write64(f, c->entry_at, ram_read64(f, c->entry_at) | c->bits);
		paging_walk(&f->cpu, LINEAR, MEM_READ, VIEW_USER, &walk);
		if (c->fault) {
			assert_int_equal(walk.outcome, WALK_PAGE_FAULT);
			assert_int_equal(walk.error, PFEC_P | PFEC_U | PFEC_RSVD);
		} else {
			assert_int_not_equal(
			    walk.outcome == WALK_PAGE_FAULT && (walk.error & PFEC_RSVD), 1);
		}
		fixture_free(f);
	}
}

static void test_1g_page(void **state)
{
	struct fixture *f = fixture_new(NULL);
	struct walk walk;

	set_mode(f, PAGING_4LEVEL, true, false, false, true);
	map(f, PAGING_4LEVEL, false, PTE_P | PTE_W | PTE_U, PTE_P);
	ram_write64(f, PDPT, UINT64_C(0x40000000) | PTE_P | PTE_PS | PTE_W);
	paging_walk(&f->cpu, LINEAR + 0x12345, MEM_WRITE, VIEW_SUPERVISOR, &walk);
	assert_int_equal(walk.outcome, WALK_OK);
	assert_int_equal(walk.hpa, UINT64_C(0x40000000) + LINEAR + 0x12345);
	assert_int_equal(walk.shift, 30);
	assert_int_equal(ram_read64(f, PDPT) & (PTE_A | PTE_D), PTE_A | PTE_D);
	fixture_free(f);
}

static void test_pse36(void **state)
{
	struct fixture *f = fixture_new(NULL);
	uint32_t pde = 0x00800000u | 0x5u << 13 | PTE_P | PTE_PS;
	struct walk walk;

	set_mode(f, PAGING_32, true, false, false, false);
	memcpy(f->machine.memory.low + ROOT + 4, &pde, 4);
	paging_walk(&f->cpu, LINEAR + 0x3abcd, MEM_READ, VIEW_SUPERVISOR, &walk);
	assert_int_equal(walk.outcome, WALK_OK);
	assert_int_equal(walk.hpa, UINT64_C(0x500000000) + 0x00800000 + 0x3abcd);
	fixture_free(f);
}

static void test_accessed_and_dirty(void **state)
{
	struct fixture *f = fixture_new(NULL);
	uint64_t full = PTE_P | PTE_W | PTE_U;
	struct walk walk;

	set_mode(f, PAGING_4LEVEL, true, false, false, true);
	map(f, PAGING_4LEVEL, false, full, full);
	paging_walk(&f->cpu, LINEAR, MEM_READ, VIEW_USER, &walk);
	assert_int_equal(ram_read64(f, ROOT), PDPT | full | PTE_A);
	assert_int_equal(ram_read64(f, PDPT), PD | full | PTE_A);
	assert_int_equal(ram_read64(f, PD + 16), PT | full | PTE_A);
	assert_int_equal(ram_read64(f, PT), FRAME | full | PTE_A);
	/* A clean page is not to be written without another walk. */
	assert_int_equal(walk.rights & RIGHT_WRITE << RIGHTS_SHIFT(VIEW_USER), 0);
	paging_walk(&f->cpu, LINEAR, MEM_WRITE, VIEW_USER, &walk);
	assert_int_equal(ram_read64(f, PT), FRAME | full | PTE_A | PTE_D);
	assert_int_equal(ram_read64(f, PD + 16), PT | full | PTE_A);
	assert_true(walk.rights & RIGHT_WRITE << RIGHTS_SHIFT(VIEW_USER));
	/* A refused access sets nothing. */
	map(f, PAGING_4LEVEL, false, full, PTE_P | PTE_U);
	paging_walk(&f->cpu, LINEAR, MEM_WRITE, VIEW_USER, &walk);
	assert_int_equal(walk.outcome, WALK_PAGE_FAULT);
	assert_int_equal(ram_read64(f, PT), FRAME | PTE_P | PTE_U);
	fixture_free(f);
}

static void test_pdptes(void **state)
{
	struct fixture *f = fixture_new(NULL);

	ram_write64(f, 0x1020, PD | PTE_P);
	ram_write64(f, 0x1028, 0);
	ram_write64(f, 0x1030, PTE_W | BIT64(60)); /* not present: not checked */
	ram_write64(f, 0x1038, PT | PTE_P | PTE_PWT);
	assert_true(mmu_load_pdptes(&f->cpu, 0x1020));
	assert_int_equal(f->cpu.pdpte[3], PT | PTE_P | PTE_PWT);
	static const uint64_t bad[] = {BIT64(1), BIT64(2),  BIT64(5),
				       BIT64(8), BIT64(46), BIT64(63)};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ram_write64(f, 0x1028, PT | PTE_P | bad[i]);
		assert_false(mmu_load_pdptes(&f->cpu, 0x1020));
		assert_int_equal(f->cpu.pdpte[1], 0); /* nothing changed */
	}
	fixture_free(f);
}

static void test_paging_off(void **state)
{
	struct fixture *f = fixture_new(NULL);

	lin_write(&f->cpu, 0x5678, 8, UINT64_C(0x1122334455667788), MEM_WRITE);
	assert_int_equal(ram_read64(f, 0x5678), UINT64_C(0x1122334455667788));
	assert_int_equal(lin_read(&f->cpu, 0x5679, 4, MEM_READ), 0x44556677u);
	assert_int_equal(lin_read(&f->cpu, 0x567c, 2, MEM_READ), 0x3344);
	assert_int_equal(lin_read(&f->cpu, 0x567f, 1, MEM_READ), 0x11);
	/* Beyond RAM: nothing there. */
	assert_int_equal(phys_read(&f->cpu, RAM_SIZE, 4), 0xffffffffu);
	phys_write(&f->cpu, RAM_SIZE, 4, 1);
	fixture_free(f);
}

/* An access over a page boundary writes nothing if its second page faults. */
static void test_crossing(void **state)
{
	struct fixture *f = fixture_new(NULL);
	uint64_t full = PTE_P | PTE_W | PTE_U;

	set_mode(f, PAGING_4LEVEL, true, false, false, true);
	map(f, PAGING_4LEVEL, false, full, full);
	assert_true(write_escapes(f, LINEAR + 0xffd, 8, UINT64_MAX));
	assert_int_equal(f->cpu.event.vector, VECTOR_PF);
	assert_int_equal(f->cpu.event.cr2, LINEAR + 0x1000);
	assert_int_equal(f->cpu.event.error, PFEC_W);
	assert_int_equal(ram_read64(f, FRAME + 0xff8), 0);
	ram_write64(f, PT + 8, (FRAME + 0x8000) | full);
	lin_write(&f->cpu, LINEAR + 0xffd, 8, UINT64_C(0x0807060504030201), MEM_WRITE);
	assert_int_equal(ram_read64(f, FRAME + 0xff8) >> 40, 0x030201);
	assert_int_equal(ram_read64(f, FRAME + 0x8000), UINT64_C(0x0807060504));
	assert_int_equal(lin_read(&f->cpu, LINEAR + 0xffd, 8, MEM_READ),
			 UINT64_C(0x0807060504030201));
	fixture_free(f);
}

static void test_alignment_check(void **state)
{
	struct fixture *f = fixture_new(NULL);

	for (unsigned bits = 0; bits < 8; bits++)
		for (unsigned size = 1; size <= 8; size *= 2)
			for (unsigned offset = 0; offset < 8; offset++) {
				bool faults = bits == 7 && offset % size;

				f->cpu.cpl = bits & 1 ? 3 : 0;
				f->cpu.cr0 = CR0_PE | (bits & 2 ? CR0_AM : 0);
				f->cpu.eflags_rest = bits & 4 ? RFLAGS_AC : 0;
				mmu_mode_changed(&f->cpu);
				assert_int_equal(read_escapes(f, 0x6000 + offset, size, MEM_READ),
						 faults);
				if (faults)
					assert_int_equal(f->cpu.event.vector, VECTOR_AC);
				assert_int_equal(write_escapes(f, 0x6000 + offset, size, 0),
						 faults);
				assert_false(read_escapes(f, 0x6000 + offset, size,
							  MEM_READ | MEM_IMPLICIT_SUPERVISOR));
			}
	fixture_free(f);
}

static void test_implicit_supervisor(void **state)
{
	struct fixture *f = fixture_new(NULL);

	/* A supervisor page: a user access faults, a descriptor-table access at CPL 3 does not. */
	f->cpu.cpl = 3;
	set_mode(f, PAGING_4LEVEL, true, true, true, true);
	map(f, PAGING_4LEVEL, false, PTE_P | PTE_W | PTE_U, PTE_P);
	assert_true(read_escapes(f, LINEAR, 4, MEM_READ));
	assert_int_equal(f->cpu.event.error, PFEC_P | PFEC_U);
	assert_false(read_escapes(f, LINEAR, 4, MEM_READ | MEM_IMPLICIT_SUPERVISOR));
	/* A user page under SMAP: RFLAGS.AC helps explicit accesses only. */
	f->cpu.cpl = 0;
	f->cpu.eflags_rest = RFLAGS_AC;
	set_mode(f, PAGING_4LEVEL, true, true, true, true);
	map(f, PAGING_4LEVEL, false, PTE_P | PTE_W | PTE_U, PTE_P | PTE_U);
	mmu_flush_all(&f->cpu);
	assert_false(read_escapes(f, LINEAR, 4, MEM_READ));
	assert_true(read_escapes(f, LINEAR, 4, MEM_READ | MEM_IMPLICIT_SUPERVISOR));
	assert_int_equal(f->cpu.event.error, PFEC_P);
	/* As user whatever CPL is. */
	assert_false(read_escapes(f, LINEAR, 4, MEM_READ | MEM_USER));
	fixture_free(f);
}

/* Stores to a page with decoded code reach the block cache, before and after the page got its code.
 */
static void test_code_pages(void **state)
{
	struct fixture *f = fixture_new(NULL);

	lin_write(&f->cpu, 0x7000, 4, 1, MEM_WRITE);
	assert_int_equal(seen.written, 0);
	seen.code_page = 0x7000;
	mmu_protect_code(&f->cpu, 0x7000);
	lin_write(&f->cpu, 0x7010, 4, 2, MEM_WRITE);
	assert_int_equal(seen.written, 1);
	assert_int_equal(seen.written_hpa, 0x7010);
	lin_write(&f->cpu, 0x7014, 4, 3, MEM_WRITE);
	assert_int_equal(seen.written, 2);
	assert_null(lin_to_host(&f->cpu, 0x7000, MEM_WRITE, NULL));
	assert_non_null(lin_to_host(&f->cpu, 0x7000, MEM_READ, NULL));
	assert_non_null(lin_to_host(&f->cpu, 0x7000, MEM_FETCH, NULL));
	/* The code is gone: the first store finds out, the next ones are fast again. */
	seen.code_page = UINT64_MAX;
	lin_write(&f->cpu, 0x7018, 4, 4, MEM_WRITE);
	assert_int_equal(seen.written, 2);
	assert_int_equal(tlb_slot(&f->cpu.mmu, 0x7000)->write, 0x7000 | f->cpu.mmu.tag);
	assert_int_equal(ram_read64(f, 0x7010), UINT64_C(0x0000000300000002));
	fixture_free(f);
}

/* While a data breakpoint is armed every access is seen, cached or not. */
static void test_data_breakpoints(void **state)
{
	struct fixture *f = fixture_new(NULL);

	lin_write(&f->cpu, 0x7000, 4, 1, MEM_WRITE);
	seen.watched = 0x7004;
	mmu_mode_changed(&f->cpu);
	for (unsigned i = 1; i < 4; i++) {
		lin_write(&f->cpu, 0x7002, 4, 1, MEM_WRITE);
		lin_read(&f->cpu, 0x7000, 4, MEM_READ);
		lin_read(&f->cpu, 0x7004, 4, MEM_READ);
		assert_int_equal(seen.hits, 2 * i);
	}
	assert_null(lin_to_host(&f->cpu, 0x7000, MEM_READ, NULL));
	seen.watched = 0;
	mmu_mode_changed(&f->cpu);
	lin_read(&f->cpu, 0x7004, 4, MEM_READ);
	assert_non_null(lin_to_host(&f->cpu, 0x7000, MEM_READ, NULL));
	fixture_free(f);
}

struct segment_case {
	uint32_t ar, limit;
	uint64_t offset;
	unsigned size, access;
	bool faults;
};
#define DATA_RW (AR_P | AR_S | AR_TYPE_WRITABLE)
#define DATA_RO (AR_P | AR_S)
#define DATA_DOWN (AR_P | AR_S | AR_TYPE_WRITABLE | AR_TYPE_EXPAND_DOWN)
#define CODE_R (AR_P | AR_S | AR_TYPE_CODE | AR_TYPE_READABLE)
#define CODE_X (AR_P | AR_S | AR_TYPE_CODE)

static const struct segment_case segment_cases[] = {
	{DATA_RW, 0xfff, 0xffc, 4, MEM_WRITE, false},
	{DATA_RW, 0xfff, 0xffd, 4, MEM_WRITE, true},
	{DATA_RW, 0xfff, 0xfff, 1, MEM_READ, false},
	{DATA_RW, 0xfff, 0x1000, 1, MEM_READ, true},
	{DATA_RO, 0xfff, 0, 4, MEM_READ, false},
	{DATA_RO, 0xfff, 0, 4, MEM_WRITE, true},
	{CODE_R, 0xfff, 0, 4, MEM_READ, false},
	{CODE_R, 0xfff, 0, 4, MEM_WRITE, true},
	{CODE_X, 0xfff, 0, 4, MEM_READ, true},
	{DATA_RW | AR_UNUSABLE, 0xfff, 0, 4, MEM_READ, true},
	{DATA_DOWN, 0xfff, 0xfff, 1, MEM_READ, true},
	{DATA_DOWN, 0xfff, 0x1000, 4, MEM_WRITE, false},
	{DATA_DOWN, 0xfff, 0xfffe, 2, MEM_READ, false},
	{DATA_DOWN, 0xfff, 0xffff, 2, MEM_READ, true},
	{DATA_DOWN | AR_DB, 0xfff, 0x10000, 2, MEM_READ, false},
	{DATA_RW, UINT32_MAX, 0xfffffffc, 4, MEM_READ, false},
};

static void test_segment_checks(void **state)
{
	struct fixture *f = fixture_new(NULL);

	f->cpu.cr0 = CR0_PE;
	mmu_mode_changed(&f->cpu);
	for (size_t i = 0; i < sizeof(segment_cases) / sizeof(segment_cases[0]); i++) {
		const struct segment_case *c = &segment_cases[i];
		static const unsigned which[] = {SEG_DS, SEG_SS};

		for (unsigned j = 0; j < 2; j++) {
			uint64_t linear = 0;

			f->cpu.seg[which[j]] =
			    (struct segment){.base = 0x100, .limit = c->limit, .ar = c->ar};
			assert_int_equal(segment_escapes(f, which[j], c->offset, c->size, c->access,
							 &linear), c->faults);
			if (c->faults)
				assert_int_equal(f->cpu.event.vector, j ? VECTOR_SS : VECTOR_GP);
			else
				assert_int_equal(linear, (uint32_t)(c->offset + 0x100));
		}
	}
	fixture_free(f);
}

static void test_canonical(void **state)
{
	struct fixture *f = fixture_new(NULL);
	uint64_t linear;

	f->cpu.cr0 = CR0_PE;
	f->cpu.efer = EFER_LMA;
	f->cpu.seg[SEG_CS].ar = AR_L | CODE_R;
	f->cpu.seg[SEG_DS].base = f->cpu.seg[SEG_FS].base = 0x1000;
	assert_int_equal(seg_linear(&f->cpu, SEG_DS, 0x10, 8, MEM_READ), 0x10);
	assert_int_equal(seg_linear(&f->cpu, SEG_FS, 0x10, 8, MEM_READ), 0x1010);
	assert_true(segment_escapes(f, SEG_DS, UINT64_C(0x800000000000), 1, MEM_READ, &linear));
	assert_int_equal(f->cpu.event.vector, VECTOR_GP);
	assert_true(segment_escapes(f, SEG_SS, UINT64_C(0x7fffffffffff), 2, MEM_READ, &linear));
	assert_int_equal(f->cpu.event.vector, VECTOR_SS);
	assert_int_equal(seg_linear(&f->cpu, SEG_DS, UINT64_C(0xffff800000000000), 8, MEM_READ),
			 UINT64_C(0xffff800000000000));
	fixture_free(f);
}

/* Everything that the CPU addresses goes through the gate, its own page walks included. */
static void test_a20(void **state)
{
	struct fixture *f = fixture_new(NULL);

	ram_write64(f, 0x10, 1);
	ram_write64(f, 0x100010, 2);
	mmu_mode_changed(&f->cpu);
	assert_int_equal(lin_read(&f->cpu, 0x100010, 8, MEM_READ), 2);
	f->machine.a20_off = A20_PORT92; /* one source of two */
	mmu_flush_all(&f->cpu);
	assert_int_equal(lin_read(&f->cpu, 0x100010, 8, MEM_READ), 2);
	f->machine.a20_off = A20_SOURCES;
	mmu_flush_all(&f->cpu);
	assert_int_equal(lin_read(&f->cpu, 0x100010, 8, MEM_READ), 1);
	assert_int_equal(phys_read(&f->cpu, 0x100010, 8), 1);
	lin_write(&f->cpu, 0x300020, 8, 3, MEM_WRITE);
	assert_int_equal(ram_read64(f, 0x200020), 3);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_rights_are_those_of_every_view),
		cmocka_unit_test(test_not_present),
		cmocka_unit_test(test_reserved_bits),
		cmocka_unit_test(test_1g_page),
		cmocka_unit_test(test_pse36),
		cmocka_unit_test(test_accessed_and_dirty),
		cmocka_unit_test(test_pdptes),
		cmocka_unit_test(test_paging_off),
		cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_alignment_check),
		cmocka_unit_test(test_implicit_supervisor),
		cmocka_unit_test(test_code_pages),
		cmocka_unit_test(test_data_breakpoints),
		cmocka_unit_test(test_segment_checks),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_a20),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
