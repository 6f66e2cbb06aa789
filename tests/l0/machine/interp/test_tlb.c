/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What each invalidation must drop and what it may keep, SDM 3A "Invalidation of TLBs and
 * Paging-Structure Caches" and SDM 3C "Operations that Invalidate Cached Mappings": an entry is
 * cached, its page-table entry changed behind the TLB's back, and a read tells whether it was still
 * used.
 */
#include "tests/l0/machine/interp/fixture.h"

#define FULL (PTE_P | PTE_W | PTE_A | PTE_D)
#define OLD UINT64_C(0x200000)
#define NEW UINT64_C(0x300000)
#define PAGE_A UINT64_C(0x400000)     /* not global */
#define PAGE_G UINT64_C(0x401000)     /* global */
#define PAGE_L UINT64_C(0x600000)     /* in a 2 MiB page */
#define PAGE_L2 UINT64_C(0x7ff000)    /* in the same */

/* Page tables at root, root + 0x1000, ... for the pages above; each frame starts with its number.
 */
static void build(struct fixture *f, uint64_t root, uint64_t frame)
{
	ram_write64(f, root, (root + 0x1000) | FULL);
	ram_write64(f, root + 0x1000, (root + 0x2000) | FULL);
	ram_write64(f, root + 0x2000 + 2 * 8, (root + 0x3000) | FULL);
	ram_write64(f, root + 0x2000 + 3 * 8, (frame & ~UINT64_C(0x1fffff)) | FULL | PTE_PS);
	ram_write64(f, root + 0x3000, frame | FULL);
	ram_write64(f, root + 0x3008, frame | FULL | PTE_G);
}

static struct fixture *paged(void)
{
	struct fixture *f = fixture_new(NULL);

	for (uint64_t at = 0x200000; at < RAM_SIZE; at += 0x1000)
		ram_write64(f, at, at);
	build(f, 0x10000, OLD);
	f->cpu.cr0 = CR0_PE | CR0_PG | CR0_WP;
	f->cpu.cr4 = CR4_PAE | CR4_PGE;
	f->cpu.efer = EFER_LMA | EFER_LME | EFER_NXE;
	f->cpu.cr3 = 0x10000;
	mmu_mode_changed(&f->cpu);
	return f;
}

static uint64_t frame_of(struct fixture *f, uint64_t linear)
{
	return PAGE_BASE(lin_read(&f->cpu, linear, 8, MEM_READ));
}

/* True if the page still reads as `frame` after its tables came to say something else. */
static void expect(struct fixture *f, uint64_t linear, uint64_t frame)
{
	assert_int_equal(frame_of(f, linear), frame);
}

static void cache_then_change(struct fixture *f)
{
	build(f, 0x10000, OLD);
	mmu_flush_all(&f->cpu);
	expect(f, PAGE_A, OLD);
	expect(f, PAGE_G, OLD);
	expect(f, PAGE_L, OLD);
	expect(f, PAGE_L2, OLD + 0x1ff000);
	build(f, 0x10000, NEW);
	ram_write64(f, 0x12018, UINT64_C(0x800000) | FULL | PTE_PS);
}

static void test_entries_are_used(void **state)
{
	struct fixture *f = paged();

	cache_then_change(f);
	expect(f, PAGE_A, OLD);
	expect(f, PAGE_G, OLD);
	expect(f, PAGE_L, OLD);
	fixture_free(f);
}

static void test_cr3_load(void **state)
{
	struct fixture *f = paged();

	cache_then_change(f);
	mmu_flush_current(&f->cpu, false);
	expect(f, PAGE_A, NEW);
	expect(f, PAGE_G, OLD); /* global pages stay */
	expect(f, PAGE_L, 0x800000);
	expect(f, PAGE_L2, 0x9ff000);
	cache_then_change(f);
	mmu_flush_current(&f->cpu, true);
	expect(f, PAGE_A, NEW);
	expect(f, PAGE_G, NEW);
	fixture_free(f);
}

static void test_invlpg(void **state)
{
	struct fixture *f = paged();
	uint64_t epoch;

	cache_then_change(f);
	epoch = f->cpu.mmu.epoch;
	mmu_flush_page(&f->cpu, PAGE_A + 0x123);
	expect(f, PAGE_A, NEW);
	expect(f, PAGE_G, OLD);
	expect(f, PAGE_L, OLD); /* one page, not the space */
	assert_int_equal(f->cpu.mmu.epoch, epoch); /* no code was fetched from there */
	mmu_flush_page(&f->cpu, PAGE_G);
	expect(f, PAGE_G, NEW);
	assert_non_null(lin_to_host(&f->cpu, PAGE_A, MEM_FETCH, NULL));
	mmu_flush_page(&f->cpu, PAGE_A);
	assert_int_not_equal(f->cpu.mmu.epoch, epoch);
	cache_then_change(f);
	mmu_flush_page(&f->cpu, PAGE_L2); /* any address of a large page drops all of it */
	expect(f, PAGE_L, 0x800000);
	fixture_free(f);
}

/* Views, write rights and flags: no stale right survives in any of them. */
static void test_invlpg_all_views(void **state)
{
	struct fixture *f = paged();

	for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
		f->cpu.cpl = 0;
		mmu_mode_changed(&f->cpu);
		cache_then_change(f);
		build(f, 0x10000, OLD);
		ram_write64(f, 0x13000, OLD | FULL | PTE_U);
		for (uint64_t at = 0x10000; at < 0x12000; at += 0x1000)
			ram_write64(f, at, ram_read64(f, at) | PTE_U);
		ram_write64(f, 0x12010, ram_read64(f, 0x12010) | PTE_U);
		mmu_flush_all(&f->cpu);
		expect(f, PAGE_A, OLD);
		f->cpu.cpl = 3;
		mmu_mode_changed(&f->cpu);
		expect(f, PAGE_A, OLD);
		lin_write(&f->cpu, PAGE_A + 8, 8, 1, MEM_WRITE);
		ram_write64(f, 0x13000, NEW | FULL | PTE_U);
		f->cpu.cpl = (uint8_t)cpl;
		mmu_mode_changed(&f->cpu);
		mmu_flush_page(&f->cpu, PAGE_A);
		f->cpu.cpl = 0;
		mmu_mode_changed(&f->cpu);
		expect(f, PAGE_A, NEW);
		f->cpu.cpl = 3;
		mmu_mode_changed(&f->cpu);
		expect(f, PAGE_A, NEW);
		lin_write(&f->cpu, PAGE_A + 8, 8, 2, MEM_WRITE);
		assert_int_equal(ram_read64(f, NEW + 8), 2);
		ram_write64(f, OLD + 8, 0);
		ram_write64(f, NEW + 8, 0);
	}
	fixture_free(f);
}

static void switch_pcid(struct fixture *f, uint64_t root, uint16_t pcid)
{
	f->cpu.cr3 = root | pcid; /* with bit 63 of the operand set: nothing is flushed */
	mmu_mode_changed(&f->cpu);
}

static void test_pcid(void **state)
{
	struct fixture *f = paged();

	f->cpu.cr4 |= CR4_PCIDE;
	build(f, 0x20000, UINT64_C(0x400000));
	switch_pcid(f, 0x20000, 2);
	expect(f, PAGE_A, 0x400000);
	expect(f, PAGE_G, 0x400000);
	switch_pcid(f, 0x10000, 1);
	expect(f, PAGE_A, OLD);
	expect(f, PAGE_G, 0x400000); /* cached as global under PCID 2 */
	build(f, 0x10000, NEW);
	build(f, 0x20000, UINT64_C(0x500000));
	switch_pcid(f, 0x20000, 2);
	expect(f, PAGE_A, 0x400000); /* both kept */
	switch_pcid(f, 0x10000, 1);
	expect(f, PAGE_A, OLD);
	mmu_flush_pcid(&f->cpu, 2);
	expect(f, PAGE_A, OLD);
	switch_pcid(f, 0x20000, 2);
	expect(f, PAGE_A, 0x500000);
	expect(f, PAGE_G, 0x400000);
	/* INVPCID of one address: only that PCID, no global pages. */
	build(f, 0x20000, UINT64_C(0x600000));
	mmu_flush_page_pcid(&f->cpu, PAGE_A, 1);
	expect(f, PAGE_A, 0x500000);
	mmu_flush_page_pcid(&f->cpu, PAGE_A, 2);
	expect(f, PAGE_A, 0x600000);
	mmu_flush_page_pcid(&f->cpu, PAGE_G, 2);
	expect(f, PAGE_G, 0x400000);
	/* INVLPG takes the global page in every PCID. */
	switch_pcid(f, 0x10000, 1);
	expect(f, PAGE_G, 0x400000);
	switch_pcid(f, 0x20000, 2);
	mmu_flush_page(&f->cpu, PAGE_G);
	switch_pcid(f, 0x10000, 1);
	expect(f, PAGE_G, NEW);
	fixture_free(f);
}

/* A large global page in the first level of another PCID goes with INVLPG of any of its addresses.
 */
static void test_large_global_page(void **state)
{
	struct fixture *f = paged();

	f->cpu.cr4 |= CR4_PCIDE;
	ram_write64(f, 0x12018, ram_read64(f, 0x12018) | PTE_G);
	switch_pcid(f, 0x10000, 1);
	expect(f, PAGE_L, OLD);
	switch_pcid(f, 0x10000, 2);
	expect(f, PAGE_L, OLD);
	ram_write64(f, 0x12018, UINT64_C(0x800000) | FULL | PTE_PS | PTE_G);
	mmu_flush_page(&f->cpu, PAGE_L2);
	expect(f, PAGE_L, 0x800000);
	switch_pcid(f, 0x10000, 1);
	expect(f, PAGE_L, 0x800000);
	fixture_free(f);
}

/* More large pages than the TLB can keep in mind: still no address of one outlives its INVLPG. */
static void test_many_large_pages(void **state)
{
	enum { TABLES = 24, PAGES = TABLES * 512 };
	const uint64_t first = UINT64_C(1) << 39;
	struct fixture *f = paged();
	uint64_t pds = UINT64_C(0x100000);

	ram_write64(f, 0x10008, UINT64_C(0x50000) | FULL);
	for (unsigned i = 0; i < TABLES; i++)
		ram_write64(f, 0x50000 + 8 * i, (pds + 0x1000 * i) | FULL);
	for (unsigned i = 0; i < PAGES; i++)
		ram_write64(f, pds + 8 * i, UINT64_C(0x200000) | FULL | PTE_PS);
	for (unsigned i = 0; i < PAGES; i++)
		expect(f, first + ((uint64_t)i << 21), 0x200000);
	for (unsigned i = 0; i < PAGES; i += 7) {
		uint64_t linear = first + ((uint64_t)i << 21);

		expect(f, linear + 0x5000, 0x205000);
		ram_write64(f, pds + 8 * i, UINT64_C(0x400000) | FULL | PTE_PS);
		mmu_flush_page(&f->cpu, linear + 0x9000);
		expect(f, linear + 0x5000, 0x405000);
		expect(f, linear, 0x400000);
	}
	fixture_free(f);
}

static void set_vpid(struct fixture *f, uint16_t vpid)
{
	f->vmx.nonroot = vpid != 0;
	f->vmx.vpid = vpid;
	mmu_mode_changed(&f->cpu);
}

/* Caches PAGE_A and PAGE_G as OLD under VPIDs 0, 1 and 2, then changes the tables. */
static void cache_vpids(struct fixture *f)
{
	build(f, 0x10000, OLD);
	mmu_flush_all(&f->cpu);
	for (uint16_t vpid = 0; vpid < 3; vpid++) {
		set_vpid(f, vpid);
		expect(f, PAGE_A, OLD);
		expect(f, PAGE_G, OLD);
		expect(f, PAGE_L, OLD);
	}
	set_vpid(f, 0);
	build(f, 0x10000, NEW);
}

static void expect_vpids(struct fixture *f, uint64_t linear, unsigned dropped)
{
	for (uint16_t vpid = 0; vpid < 3; vpid++) {
		set_vpid(f, vpid);
		expect(f, linear, dropped >> vpid & 1 ? NEW : OLD);
	}
	set_vpid(f, 0);
}

static void test_invvpid(void **state)
{
	struct fixture *f = paged();

	/* VM entries and exits with VPIDs flush nothing. */
	cache_vpids(f);
	expect_vpids(f, PAGE_A, 0);
	cache_vpids(f);
	mmu_invvpid(&f->cpu, INVVPID_ADDRESS, 1, PAGE_A);
	expect_vpids(f, PAGE_A, 1 << 1);
	expect_vpids(f, PAGE_G, 0);
	cache_vpids(f);
	mmu_invvpid(&f->cpu, INVVPID_ADDRESS, 1, PAGE_G);
	expect_vpids(f, PAGE_G, 1 << 1);
	cache_vpids(f);
	mmu_invvpid(&f->cpu, INVVPID_SINGLE, 2, 0);
	expect_vpids(f, PAGE_A, 1 << 2);
	expect_vpids(f, PAGE_G, 1 << 2);
	cache_vpids(f);
	mmu_invvpid(&f->cpu, INVVPID_SINGLE_NONGLOBAL, 1, 0);
	expect_vpids(f, PAGE_A, 1 << 1);
	expect_vpids(f, PAGE_G, 0);
	cache_vpids(f);
	mmu_invvpid(&f->cpu, INVVPID_ALL, 0, 0);
	expect_vpids(f, PAGE_A, 1 << 1 | 1 << 2);
	expect_vpids(f, PAGE_G, 1 << 1 | 1 << 2);
	/* VM entry and exit without VPIDs: all of VPID 0. */
	cache_vpids(f);
	mmu_invvpid(&f->cpu, INVVPID_SINGLE, 0, 0);
	expect_vpids(f, PAGE_G, 1 << 0);
	cache_vpids(f);
	mmu_flush_all(&f->cpu);
	expect_vpids(f, PAGE_A, 7);
	fixture_free(f);
}

/* A fault on a page forgets what was cached for it: what the handler maps is seen without INVLPG.
 */
static void test_fault_invalidates(void **state)
{
	struct fixture *f = paged();

	ram_write64(f, 0x13000, OLD | PTE_P | PTE_A);
	expect(f, PAGE_A, OLD);
	if (!setjmp(f->escape)) {
		lin_write(&f->cpu, PAGE_A, 8, 0, MEM_WRITE);
		fail();
	}
	assert_int_equal(f->cpu.event.error, PFEC_P | PFEC_W);
	ram_write64(f, 0x13000, NEW | FULL);
	expect(f, PAGE_A, NEW);
	fixture_free(f);
}

/* CR0.WP and the other mode bits take effect at once, without any flush. */
static void test_mode_bits(void **state)
{
	struct fixture *f = paged();
	volatile unsigned faults = 0;

	ram_write64(f, 0x13000, OLD | PTE_P | PTE_A | PTE_D);
	f->cpu.cr0 &= ~CR0_WP;
	mmu_mode_changed(&f->cpu);
	lin_write(&f->cpu, PAGE_A, 8, OLD, MEM_WRITE);
	f->cpu.cr0 |= CR0_WP;
	mmu_mode_changed(&f->cpu);
	if (setjmp(f->escape))
		faults++;
	else
		lin_write(&f->cpu, PAGE_A, 8, OLD, MEM_WRITE);
	assert_int_equal(faults, 1);
	fixture_free(f);
}

/* Tags run out: more view switches than there are tags, each with its own translations. */
static void test_tags_run_out(void **state)
{
	struct fixture *f = paged();

	for (unsigned i = 0; i < 3 * 4096; i++) {
		uint64_t frame = i & 1 ? OLD : NEW;
		uint64_t tag = f->cpu.mmu.tag;

		ram_write64(f, 0x13000, frame | FULL);
		mmu_flush_current(&f->cpu, false);
		assert_int_not_equal(f->cpu.mmu.tag, 0);
		assert_int_not_equal(f->cpu.mmu.tag, tag);
		expect(f, PAGE_A, frame);
		/* The implicit-supervisor view takes tags too. */
		f->cpu.cpl = i & 2 ? 3 : 0;
		mmu_mode_changed(&f->cpu);
		assert_int_equal(PAGE_BASE(lin_read(&f->cpu, PAGE_A, 8,
						    MEM_READ | MEM_IMPLICIT_SUPERVISOR)), frame);
		f->cpu.cpl = 0;
		mmu_mode_changed(&f->cpu);
		expect(f, PAGE_A, frame);
	}
	fixture_free(f);
}

/* More spaces than the table holds, revisited: whatever was evicted is walked again. */
static void test_spaces_run_out(void **state)
{
	struct fixture *f = paged();

	f->cpu.cr4 |= CR4_PCIDE;
	for (unsigned round = 0; round < 3; round++)
		for (uint16_t pcid = 0; pcid < 300; pcid++) {
			uint64_t frame = UINT64_C(0x200000) + ((pcid + 7 * round) % 300) * 0x1000;

			ram_write64(f, 0x13000, frame | FULL);
			switch_pcid(f, 0x10000, pcid);
			mmu_flush_pcid(&f->cpu, pcid);
			expect(f, PAGE_A, frame);
		}
	fixture_free(f);
}

/* Pages that share a first-level slot: the second level answers, no walk is charged. */
static void test_aliases(void **state)
{
	struct fixture *f = paged();
	uint64_t walked;

	f->cpu.cr0 &= ~CR0_PG;
	f->cpu.efer = 0;
	mmu_mode_changed(&f->cpu);
	f->cpu.cr0 |= CR0_PG;
	f->cpu.efer = EFER_LMA | EFER_LME;
	ram_write64(f, 0x12000, 0x14000 | FULL);
	ram_write64(f, 0x12000 + 8 * 8, 0x15000 | FULL); /* 16 MiB further: same slot */
	ram_write64(f, 0x14000, OLD | FULL);
	ram_write64(f, 0x15000, NEW | FULL);
	mmu_mode_changed(&f->cpu);
	expect(f, 0, OLD);
	expect(f, UINT64_C(16) << 20, NEW);
	walked = seen.now;
	for (unsigned i = 0; i < 100; i++) {
		expect(f, 0, OLD);
		expect(f, UINT64_C(16) << 20, NEW);
	}
	assert_int_equal(seen.now, walked);
	assert_int_not_equal(walked, 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_are_used),
		cmocka_unit_test(test_cr3_load),
		cmocka_unit_test(test_invlpg),
		cmocka_unit_test(test_invlpg_all_views),
		cmocka_unit_test(test_pcid),
		cmocka_unit_test(test_large_global_page),
		cmocka_unit_test(test_many_large_pages),
		cmocka_unit_test(test_invvpid),
		cmocka_unit_test(test_fault_invalidates),
		cmocka_unit_test(test_mode_bits),
		cmocka_unit_test(test_tags_run_out),
		cmocka_unit_test(test_spaces_run_out),
		cmocka_unit_test(test_aliases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
