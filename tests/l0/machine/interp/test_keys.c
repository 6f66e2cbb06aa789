/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Protection keys as a truth table against SDM 3A "Determination of Access Rights", what the TLB
 * makes of a change of PKRU, and the faults of RDPKRU, WRPKRU and IA32_PKRS.
 */
#include "tests/l0/machine/interp/fixture.h"

#include "l0/machine/interp/keys.h"

#define ROOT UINT64_C(0x1000)
#define FRAME UINT64_C(0x200000)
#define LINEAR UINT64_C(0x123)
#define KEY 5u

static struct fixture *mapped(uint64_t flags)
{
	struct fixture *f = fixture_new("sapphire-rapids,+xsave");

	for (unsigned level = 0; level < 3; level++)
		ram_write64(f, ROOT + level * PAGE_SIZE,
			    (ROOT + (level + 1) * PAGE_SIZE) | PTE_P | PTE_W | PTE_U);
	ram_write64(f, ROOT + 3 * PAGE_SIZE, FRAME | PTE_P | flags | (uint64_t)KEY << 59);
	f->cpu.cr3 = ROOT;
	f->cpu.cr0 = CR0_PE | CR0_PG;
	f->cpu.cr4 = CR4_PAE;
	f->cpu.efer = EFER_LME | EFER_LMA;
	return f;
}

/* Does the key refuse the access? */
static bool refused(unsigned access, bool user_access, bool wp, unsigned bits)
{
	if (access == MEM_FETCH)
		return false;
	if (bits & 1)
		return true;
	return access == MEM_WRITE && (bits & 2) && (user_access || wp);
}

static void check(struct fixture *f, unsigned access, enum mmu_view view, bool user_page, bool wp,
		  bool enabled, unsigned bits)
{
	bool user = view == VIEW_USER, no_rights = user && !user_page;
	bool key = enabled && refused(access, user, wp, bits);
	struct walk walk;

	f->cpu.cr0 = CR0_PE | CR0_PG | (wp ? CR0_WP : 0);
	f->cpu.cr4 = CR4_PAE;
	/* The other register must not matter. */
	f->cpu.pkru = user_page ? bits << 2 * KEY : UINT32_MAX;
	f->cpu.pkrs = user_page ? UINT32_MAX : bits << 2 * KEY;
	if (enabled)
		f->cpu.cr4 |= user_page ? CR4_PKE : CR4_PKS;
	mmu_mode_changed(&f->cpu);
	paging_walk(&f->cpu, LINEAR, access, view, &walk);
	if (!key && !no_rights) {
		assert_int_equal(walk.outcome, WALK_OK);
		return;
	}
	assert_int_equal(walk.outcome, WALK_PAGE_FAULT);
	assert_int_equal(walk.error, PFEC_P | (key ? PFEC_PK : 0) | (user ? PFEC_U : 0) |
					     (access == MEM_WRITE ? PFEC_W : 0));
}

static void test_rights(void **state)
{
	for (unsigned i = 0; i < 32; i++) {
		bool user_page = i & 1, wp = i & 2, enabled = i & 4;
		struct fixture *f = mapped(PTE_W | (user_page ? PTE_U : 0));

		for (unsigned access = MEM_READ; access <= MEM_FETCH; access++)
			for (unsigned view = 0; view < VIEW_COUNT; view++)
				check(f, access, view, user_page, wp, enabled, i >> 3);
		fixture_free(f);
	}
}

/* A key that refuses leaves no accessed flag behind. */
static void test_no_flags(void **state)
{
	struct fixture *f = mapped(PTE_W | PTE_U);
	struct walk walk;

	f->cpu.cr4 |= CR4_PKE;
	f->cpu.pkru = 1u << 2 * KEY;
	mmu_mode_changed(&f->cpu);
	paging_walk(&f->cpu, LINEAR, MEM_READ, VIEW_USER, &walk);
	assert_int_equal(walk.outcome, WALK_PAGE_FAULT);
	for (unsigned level = 0; level < 4; level++)
		assert_false(ram_read64(f, ROOT + level * PAGE_SIZE) & PTE_A);
	fixture_free(f);
}

static bool write_escapes(struct fixture *f)
{
	return ESCAPES(f, lin_write(&f->cpu, LINEAR, 1, 0, MEM_WRITE));
}

static bool read_escapes(struct fixture *f)
{
	return ESCAPES(f, lin_read(&f->cpu, LINEAR, 1, MEM_READ));
}

static void set_pkru(struct fixture *f, uint32_t value)
{
	struct op op = {.len = 3};

	f->cpu.gpr[REG_RAX] = UINT64_C(0xffffffff00000000) | value;
	f->cpu.gpr[REG_RCX] = f->cpu.gpr[REG_RDX] = 0;
	insn_wrpkru(&f->cpu, &op);
}

/* Both TLB levels hold the page; each change of PKRU is seen by the next access. */
static void test_tlb(void **state)
{
	struct fixture *f = mapped(PTE_W | PTE_U | PTE_A | PTE_D);

	f->cpu.cr4 |= CR4_PKE;
	f->cpu.cpl = 3;
	mmu_mode_changed(&f->cpu);
	for (unsigned i = 0; i < 3; i++) {
		set_pkru(f, 0);
		assert_false(write_escapes(f));
		assert_false(write_escapes(f));
		set_pkru(f, 2u << 2 * KEY);
		assert_false(read_escapes(f));
		assert_true(write_escapes(f));
		assert_int_equal(f->cpu.event.error, PFEC_P | PFEC_W | PFEC_U | PFEC_PK);
		set_pkru(f, 1u << 2 * KEY);
		assert_true(read_escapes(f));
	}
	fixture_free(f);
}

static bool rdpkru_escapes(struct fixture *f)
{
	struct op op = {.len = 3};

	return ESCAPES(f, insn_rdpkru(&f->cpu, &op));
}

static bool wrpkru_escapes(struct fixture *f)
{
	struct op op = {.len = 3};

	return ESCAPES(f, insn_wrpkru(&f->cpu, &op));
}

static void test_instructions(void **state)
{
	struct fixture *f = mapped(0);

	assert_true(rdpkru_escapes(f));
	assert_int_equal(f->cpu.event.vector, VECTOR_UD);
	assert_true(wrpkru_escapes(f));
	assert_int_equal(f->cpu.event.vector, VECTOR_UD);
	f->cpu.cr4 |= CR4_PKE;
	set_pkru(f, 0x12345678);
	f->cpu.gpr[REG_RDX] = 1; /* read only by WRPKRU */
	assert_true(wrpkru_escapes(f));
	assert_int_equal(f->cpu.event.vector, VECTOR_GP);
	assert_false(rdpkru_escapes(f));
	assert_int_equal(f->cpu.gpr[REG_RAX], 0x12345678);
	assert_int_equal(f->cpu.gpr[REG_RDX], 0);
	f->cpu.gpr[REG_RCX] = 1;
	assert_true(rdpkru_escapes(f));
	assert_int_equal(f->cpu.event.vector, VECTOR_GP);
	fixture_free(f);
}

static void test_pkrs(void **state)
{
	struct fixture *f = mapped(0);
	uint64_t value;

	assert_true(write_pkrs(&f->cpu, 0xfffffffc));
	assert_false(write_pkrs(&f->cpu, UINT64_C(1) << 32));
	assert_true(read_pkrs(&f->cpu, &value));
	assert_int_equal(value, 0xfffffffc);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_no_flags),
		cmocka_unit_test(test_tlb),
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_pkrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
