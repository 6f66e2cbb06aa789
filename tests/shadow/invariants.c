/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Looks at what the hardware would follow.
 */
#include "tests/shadow/invariants.h"

#include "shadow/ept02.h"

static bool is_page(const struct shadow_page *page, uint64_t hpa)
{
	return page->va && page->hpa.value == PAGE_BASE(hpa);
}

/* A page of EPT01's, RAM or a device's, with these rights. */
static void check_mapped(struct fixture *f, uint64_t hpa, uint64_t rights)
{
	struct shadow_mapping m;

	assert_true(hpa >= FAKE_RAM_HPA);
	assert_true(f->fake.env.translate(&f->fake.env, (struct l1_gpa){hpa - FAKE_RAM_HPA}, &m));
	assert_int_equal(m.hpa.value, hpa);
	assert_int_equal(rights & ~m.rights, 0);
}

static void check_address(struct fixture *f, uint64_t hpa)
{
	if (!is_page(&f->v.junk, hpa))
		check_mapped(f, PAGE_BASE(hpa), EPT_R | EPT_W);
}

/* What was merged, or L0's. */
static void check_bitmap(uint64_t hpa, const struct shadow_page *own, uint64_t l0)
{
	assert_true(is_page(own, hpa) || hpa == l0);
}

static void check_link(struct fixture *f, uint32_t secondary)
{
	const struct shadow_slot *slot = f->v.current;

	if (!(secondary & SECONDARY_VMCS_SHADOWING)) {
		assert_int_equal(GET02(f, VMCS_LINK_POINTER), UINT64_MAX);
		return;
	}
	assert_non_null(f->v.linked);
	assert_true(is_page(&f->v.linked->shadow, GET02(f, VMCS_LINK_POINTER)));
	assert_true(is_page(&slot->vmread_bitmap, GET02(f, VMREAD_BITMAP)));
	assert_true(is_page(&slot->vmwrite_bitmap, GET02(f, VMWRITE_BITMAP)));
}

/* At most the TSC, into the slot's own page. */
static void check_store_area(struct fixture *f)
{
	const struct shadow_slot *slot = f->v.current;
	uint64_t count = GET02(f, EXIT_MSR_STORE_COUNT);

	assert_true(count <= 1);
	if (count)
		assert_int_equal(GET02(f, EXIT_MSR_STORE_ADDRESS),
				 slot->self.hpa.value + offsetof(struct shadow_slot, tsc_at_exit));
}

/* Every address in VMCS02 that the controls in force make the CPU follow. */
static void check_vmcs02(struct fixture *f)
{
	const struct shadow_slot *slot = f->v.current;
	const struct vmcs *v01 = &f->vmcs01;
	uint32_t primary = (uint32_t)GET02(f, PRIMARY_CONTROLS);
	uint32_t secondary = (uint32_t)GET02(f, SECONDARY_CONTROLS);

	if (primary & (uint32_t)PRIMARY_USE_MSR_BITMAPS)
		check_bitmap(GET02(f, MSR_BITMAP), &slot->msr_bitmap, vmcs_get(v01, MSR_BITMAP));
	if (primary & (uint32_t)PRIMARY_USE_IO_BITMAPS) {
		check_bitmap(GET02(f, IO_BITMAP_A), &slot->io_bitmap_a, vmcs_get(v01, IO_BITMAP_A));
		check_bitmap(GET02(f, IO_BITMAP_B), &slot->io_bitmap_b, vmcs_get(v01, IO_BITMAP_B));
	}
	if (primary & (uint32_t)PRIMARY_USE_TPR_SHADOW)
		check_address(f, GET02(f, VIRTUAL_APIC_ADDRESS));
	if (secondary & SECONDARY_VIRTUALIZE_APIC_ACCESSES)
		check_address(f, GET02(f, APIC_ACCESS_ADDRESS));
	if (GET02(f, PIN_BASED_CONTROLS) & PIN_POSTED_INTERRUPTS)
		check_address(f, GET02(f, POSTED_INTERRUPT_DESCRIPTOR));
	check_link(f, secondary);
	assert_true(secondary & SECONDARY_ENABLE_EPT);
	assert_false(secondary & (SECONDARY_ENABLE_PML | SECONDARY_EPT_VIOLATION_VE));
	assert_int_equal(GET02(f, VM_FUNCTION_CONTROLS), 0);
	assert_int_equal(GET02(f, ENTRY_MSR_LOAD_COUNT), 0);
	check_store_area(f);
	assert_int_equal(GET02(f, EXIT_MSR_LOAD_COUNT), 0);
	assert_int_equal(GET02(f, HOST_RIP), vmcs_get(v01, HOST_RIP));
	assert_int_equal(GET02(f, HOST_CR3), vmcs_get(v01, HOST_CR3));
}

void invariants_check(struct fixture *f)
{
	assert_true(f->fake.pool_used <= f->fake.pool_limit);
	assert_int_equal(f->fake.current->hpa, f->v.in_l2 ? HPA02(f) : VMCS01_HPA);
	if (f->v.in_l2)
		check_vmcs02(f);
}

/* The first and the last page, and all that EPT01 has otherwise within a leaf of that size. */
static void check_leaf(struct fixture *f, uint64_t entry, uint64_t size)
{
	uint64_t hpa = entry & EPT_ADDRESS & ~(size - 1);
	uint64_t rights = (entry & EPT_RWX) | (entry & EPT_XU ? EPT_X : 0);

	check_mapped(f, hpa, rights);
	check_mapped(f, hpa + size - PAGE_SIZE, rights);
	for (unsigned i = 0; i < FAKE_EXCEPTIONS; i++)
		if (f->fake.page[i].gpa != UINT64_MAX &&
		    f->fake.page[i].gpa + FAKE_RAM_HPA - hpa < size)
			check_mapped(f, f->fake.page[i].gpa + FAKE_RAM_HPA, rights);
}

/* Tables are pool pages, leaves are L1's memory. */
static void check_tree(struct fixture *f, uint64_t table, unsigned level)
{
	const uint64_t *entries = env_pool_pointer(&f->fake.env, (struct hpa){table});

	assert_true(table >= FAKE_POOL_HPA && table < FAKE_POOL_HPA + FAKE_POOL_PAGES * PAGE_SIZE);
	assert_true(f->fake.used[(table - FAKE_POOL_HPA) / PAGE_SIZE]);
	for (unsigned i = 0; i < 512; i++) {
		if (!(entries[i] & (EPT_RWX | EPT_XU)))
			continue;
		if (level && !(entries[i] & EPT_PS))
			check_tree(f, entries[i] & EPT_ADDRESS, level - 1);
		else
			check_leaf(f, entries[i], PAGE_SIZE << 9 * level);
	}
}

void invariants_check_ept02(struct fixture *f)
{
	uint64_t eptp = GET02(f, EPT_POINTER);

	if (eptp != vmcs_get(&f->vmcs01, EPT_POINTER))
		check_tree(f, eptp & EPT_ADDRESS, (eptp & EPTP_WALK) == EPTP_WALK_5 ? 4 : 3);
}
