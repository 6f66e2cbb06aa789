/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 5-level paging: the walk, canonical addresses by paging mode and by part.
 */
#include "tests/l0/machine/interp/fixture.h"

#include "l0/machine/interp/canonical.h"

#define ROOT UINT64_C(0x1000)
#define FRAME UINT64_C(0x200000)
#define LINEAR UINT64_C(0x00a5123456789abc)

static void five_levels(struct fixture *f)
{
	uint64_t table = ROOT;

	for (unsigned level = 5; level >= 1; level--) {
		uint64_t next = level == 1 ? FRAME : table + PAGE_SIZE;

		ram_write64(f, table + (LINEAR >> (12 + 9 * (level - 1)) & 0x1ff) * 8,
			    next | PTE_P | PTE_W | PTE_U);
		table += PAGE_SIZE;
	}
	f->cpu.cr3 = ROOT;
	f->cpu.cr0 = CR0_PE | CR0_PG;
	f->cpu.cr4 = CR4_PAE | CR4_LA57;
	f->cpu.efer = EFER_LME | EFER_LMA;
	mmu_mode_changed(&f->cpu);
}

static void test_walk(void **state)
{
	struct fixture *f = fixture_new("sapphire-rapids");
	struct walk walk;

	five_levels(f);
	paging_walk(&f->cpu, LINEAR, MEM_WRITE, VIEW_USER, &walk);
	assert_int_equal(walk.outcome, WALK_OK);
	assert_int_equal(walk.hpa, FRAME + PAGE_OFFSET(LINEAR));
	assert_int_equal(walk.references, 5);
	/* PS is reserved in a PML5 entry. */
	ram_write64(f, ROOT + (LINEAR >> 48 & 0x1ff) * 8, (ROOT + PAGE_SIZE) | PTE_P | PTE_PS);
	paging_walk(&f->cpu, LINEAR, MEM_READ, VIEW_SUPERVISOR, &walk);
	assert_int_equal(walk.outcome, WALK_PAGE_FAULT);
	assert_int_equal(walk.error, PFEC_P | PFEC_RSVD);
	fixture_free(f);
}

/* Outside IA-32e mode CR4.LA57 has no effect. */
static void test_legacy_modes(void **state)
{
	struct fixture *f = fixture_new("sapphire-rapids");

	five_levels(f);
	assert_true(mmu_space_mode(&f->cpu) & SPACE_LA57);
	f->cpu.efer = 0;
	mmu_mode_changed(&f->cpu);
	assert_false(mmu_space_mode(&f->cpu) & SPACE_LA57);
	fixture_free(f);
}

static bool read_escapes(struct fixture *f, uint64_t linear)
{
	return ESCAPES(f, lin_read(&f->cpu, linear, 1, MEM_READ | MEM_IMPLICIT_SUPERVISOR));
}

static void test_canonical(void **state)
{
	const uint64_t wide = UINT64_C(1) << 55, beyond = UINT64_C(1) << 56;
	struct fixture *f = fixture_new("sapphire-rapids");

	five_levels(f);
	assert_true(cpu_canonical(&f->cpu, wide));
	assert_false(cpu_canonical(&f->cpu, beyond));
	assert_true(cpu_canonical_register(&f->cpu, wide));
	assert_false(cpu_canonical_register(&f->cpu, beyond));
	f->cpu.cr4 &= ~CR4_LA57;
	mmu_mode_changed(&f->cpu);
	assert_false(cpu_canonical(&f->cpu, wide));
	assert_true(cpu_canonical_register(&f->cpu, wide));
	/* A table base that only 5-level paging could translate. */
	assert_true(read_escapes(f, wide));
	assert_int_equal(f->cpu.event.vector, VECTOR_GP);
	fixture_free(f);
	f = fixture_new("skylake");
	assert_false(cpu_canonical_register(&f->cpu, wide));
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_legacy_modes),
		cmocka_unit_test(test_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
