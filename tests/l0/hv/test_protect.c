/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rights of the hypervisor's own pages: none is both writable and executable, and each kind has
 * what it needs.
 */
#include "l0/hv/protect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "l0/hv/memory.h"
#include "shadow/sdm/x86.h"

#define LINEAR UINT64_C(0x40000000)
#define HPA UINT64_C(0x3c00000)
#define RIGHTS (PTE_P | PTE_W | PTE_NX)

static const struct protect_bounds bounds = {LINEAR + 0x101000, LINEAR + 0x120000,
					     LINEAR + 0x124000};

static void each_kind_of_page(void **state)
{
	assert_int_equal(protect_rights(&bounds, LINEAR), PTE_P | PTE_W | PTE_NX);
	assert_int_equal(protect_rights(&bounds, LINEAR + 0x100000), PTE_P | PTE_W | PTE_NX);
	assert_int_equal(protect_rights(&bounds, bounds.text), PTE_P);
	assert_int_equal(protect_rights(&bounds, bounds.rodata - PAGE_SIZE), PTE_P);
	assert_int_equal(protect_rights(&bounds, bounds.rodata), PTE_P | PTE_NX);
	assert_int_equal(protect_rights(&bounds, bounds.data - PAGE_SIZE), PTE_P | PTE_NX);
	assert_int_equal(protect_rights(&bounds, bounds.data), PTE_P | PTE_W | PTE_NX);
}

static void table_of_a_large_page(void **state)
{
	static uint64_t table[512];
	unsigned executable = 0;

	protect_fill(&bounds, table, LINEAR, HPA);
	for (uint64_t i = 0; i < 512; i++) {
		assert_int_equal(table[i] & ~RIGHTS, HPA + i * PAGE_SIZE);
		assert_true(table[i] & PTE_P);
		assert_false(table[i] & PTE_W && !(table[i] & PTE_NX));
		executable += !(table[i] & PTE_NX);
	}
	assert_int_equal(executable, (bounds.rodata - bounds.text) / PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_page),
		cmocka_unit_test(table_of_a_large_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
