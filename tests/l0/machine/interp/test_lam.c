/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Linear-address masking: what becomes of pointers under every setting, which accesses it is for,
 * and CR3 and CR4. The rules as data: SDM 3A "Linear-Address Masking".
 */
#include "tests/l0/machine/interp/protect.h"

#include "l0/machine/interp/canonical.h"

#define BAD UINT64_MAX /* not canonical */

static struct fixture *lam_fixture(void)
{
	struct fixture *f = fixture_new(LONG64);
	char error[128];

	assert_true(cpu_profile_parse("sierra-forest", &f->profile, error, sizeof(error)));
	return f;
}

static const struct {
	const char *what;
	uint64_t cr3, cr4, pointer, linear;
} rows[] = {
	{"off", 0, 0, 0x7fff12345678, 0x7fff12345678},
	{"off, a tag", 0, 0, UINT64_C(0x1234000012345678), BAD},
	{"U48", CR3_LAM_U48, 0, UINT64_C(0x7fff7fff12345678), 0x7fff12345678},
	{"U48, bit 47", CR3_LAM_U48, 0, UINT64_C(0x7fff8fff12345678), BAD},
	{"U48, a supervisor's pointer", CR3_LAM_U48, 0, UINT64_C(0x8fff800012345678), BAD},
	{"U57", CR3_LAM_U57, 0, UINT64_C(0x7e007fff12345678), 0x7fff12345678},
	{"U57, bit 56", CR3_LAM_U57, 0, UINT64_C(0x7f007fff12345678), BAD},
	{"U57, bit 48", CR3_LAM_U57, 0, UINT64_C(0x7e017fff12345678), BAD},
	{"U57 goes before U48", CR3_LAM_U57 | CR3_LAM_U48, 0, UINT64_C(0x00017fff12345678), BAD},
	{"U57, 5 levels", CR3_LAM_U57, CR4_LA57, UINT64_C(0x7e017fff12345678),
	 UINT64_C(0x00017fff12345678)},
	{"U48, 5 levels", CR3_LAM_U48, CR4_LA57, UINT64_C(0x7e017fff12345678), 0x7fff12345678},
	{"U48, 5 levels, bit 47", CR3_LAM_U48, CR4_LA57, UINT64_C(0x00008fff12345678), BAD},
	{"SUP", 0, CR4_LAM_SUP, UINT64_C(0x8234800012345678), UINT64_C(0xffff800012345678)},
	{"SUP, bit 47", 0, CR4_LAM_SUP, UINT64_C(0x8234000012345678), BAD},
	{"SUP, a user's pointer", 0, CR4_LAM_SUP, UINT64_C(0x0234000012345678), BAD},
	{"SUP, 5 levels", 0, CR4_LAM_SUP | CR4_LA57, UINT64_C(0x8134000012345678),
	 UINT64_C(0xff34000012345678)},
	{"SUP, 5 levels, bit 56", 0, CR4_LAM_SUP | CR4_LA57, UINT64_C(0x8034000012345678), BAD},
};

static void test_pointers(void **state)
{
	struct fixture *f = lam_fixture();

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t linear;

		print_message("%s\n", rows[i].what);
		f->cpu.cr3 = PML4 | rows[i].cr3;
		f->cpu.cr4 = CR4_PAE | rows[i].cr4;
		linear = cpu_lam(&f->cpu, rows[i].pointer);
		assert_int_equal(cpu_canonical(&f->cpu, linear), rows[i].linear != BAD);
		if (rows[i].linear != BAD)
			assert_int_equal(linear, rows[i].linear);
	}
	fixture_free(f);
}

static unsigned access(struct fixture *f, unsigned segment, uint64_t offset, unsigned kind)
{
	f->cpu.event.valid = false;
	if (setjmp(f->escape) == 0)
		seg_linear(&f->cpu, segment, offset, 8, kind);
	return f->cpu.event.valid ? f->cpu.event.vector : NO_FAULT;
}

/* Data of 64-bit code only; segment bases are added before. */
static void test_accesses(void **state)
{
	const uint64_t tagged = UINT64_C(0x1200000000005000);
	struct fixture *f = lam_fixture();

	assert_int_equal(access(f, SEG_DS, tagged, MEM_READ), VECTOR_GP);
	f->cpu.cr3 |= CR3_LAM_U57;
	assert_int_equal(access(f, SEG_DS, tagged, MEM_READ), NO_FAULT);
	assert_int_equal(access(f, SEG_SS, tagged, MEM_WRITE), NO_FAULT);
	assert_int_equal(access(f, SEG_CS, tagged, MEM_FETCH), VECTOR_GP);
	assert_int_equal(seg_linear(&f->cpu, SEG_DS, tagged, 8, MEM_READ), 0x5000);
	f->cpu.seg[SEG_FS].base = tagged;
	assert_int_equal(seg_linear(&f->cpu, SEG_FS, 0x10, 8, MEM_READ), 0x5010);
	mem_write(&f->cpu, SEG_DS, tagged, 8, 0x1122);
	assert_int_equal(mem_read(&f->cpu, SEG_DS, 0x5000, 8), 0x1122);
	fixture_free(f);
}

/* CR2 has no tag: masking comes before paging. */
static void test_fault_address(void **state)
{
	struct fixture *f = lam_fixture();

	f->cpu.cr3 |= CR3_LAM_U57;
	f->cpu.event.valid = false;
	if (setjmp(f->escape) == 0)
		mem_read(&f->cpu, SEG_DS, UINT64_C(0x1200700000005000), 8);
	assert_true(f->cpu.event.valid);
	assert_int_equal(f->cpu.event.vector, VECTOR_PF);
	assert_int_equal(f->cpu.event.cr2, UINT64_C(0x700000005000));
	fixture_free(f);
}

static void test_registers(void **state)
{
	struct fixture *f = lam_fixture();
	char error[128];

	assert_true(cpu_set_cr3(&f->cpu, PML4 | CR3_LAM_U48 | CR3_LAM_U57));
	assert_int_equal(f->cpu.cr3, PML4 | CR3_LAM_U48 | CR3_LAM_U57);
	assert_false(cpu_set_cr3(&f->cpu, PML4 | BIT64(60)));
	assert_true(cpu_set_cr4(&f->cpu, f->cpu.cr4 | CR4_LAM_SUP));
	assert_true(cpu_profile_parse("sierra-forest,-lam", &f->profile, error, sizeof(error)));
	assert_false(cpu_set_cr3(&f->cpu, PML4 | CR3_LAM_U48));
	assert_false(cpu_set_cr4(&f->cpu, f->cpu.cr4 | CR4_LAM_SUP));
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_accesses),
		cmocka_unit_test(test_fault_address),
		cmocka_unit_test(test_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
