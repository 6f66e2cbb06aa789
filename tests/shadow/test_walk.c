/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The walk of L1's own paging, in every mode: translations, rights, flags, reserved bits, and
 * operands that straddle pages. Error codes as SDM 3A "Page-Fault Exceptions" has them.
 */
#include "shadow/walk.h"
#include "tests/shadow/fixture.h"

#define LINEAR                                                                                     \
	UINT64_C(0x00c05678) /* indices 3 of 32-bit paging, 6 of the 2-MB level, 5 of the last */
#define FRAME UINT64_C(0x60000)
#define T1 UINT64_C(0x51000)
#define T2 UINT64_C(0x52000)
#define T3 UINT64_C(0x53000)
#define T4 UINT64_C(0x54000)
#define T5 UINT64_C(0x55000)
#define TABLE (PTE_P | PTE_W | PTE_U)

enum mode { UNPAGED, BITS32, PAE, LEVEL4, LEVEL5, MODES };

static void poke32(struct fixture *f, uint64_t gpa, uint64_t value)
{
	uint32_t entry = (uint32_t)value;

	memcpy(f->fake.ram + gpa, &entry, 4);
}

/* Builds tables that map the page of LINEAR to FRAME; returns where the last entry lies. */
static uint64_t build(struct fixture *f, enum mode mode)
{
	uint64_t cr4 = mode >= PAE ? CR4_PAE : 0;

	SET01(f, GUEST_CR0, CR0_PE | CR0_NE | CR0_WP | (mode == UNPAGED ? 0 : CR0_PG));
	SET01(f, GUEST_CR4, cr4 | CR4_VMXE | CR4_PSE | (mode == LEVEL5 ? CR4_LA57 : 0));
	SET01(f, GUEST_CS_ACCESS_RIGHTS, mode >= LEVEL4 ? 0xa09b : 0xc09b);
	memset(f->fake.ram + T1, 0, 5 * PAGE_SIZE);
	if (mode == BITS32) {
		SET01(f, GUEST_CR3, T1);
		poke32(f, T1 + 4 * 3, T2 | TABLE);
		poke32(f, T2 + 4 * 5, FRAME | TABLE);
		return T2 + 4 * 5;
	}
	SET01(f, GUEST_CR3, mode == PAE ? T3 + 0x20 : mode == LEVEL4 ? T4 : T5);
	fake_poke64(&f->fake, T5, T4 | TABLE);
	fake_poke64(&f->fake, T4, T3 | TABLE);
	fake_poke64(&f->fake, T3, T2 | TABLE);
	if (mode == PAE) /* from where CR3 points to; what lies there now does not count */
		SET01(f, GUEST_PDPTE0, T2 | PTE_P);
	fake_poke64(&f->fake, T2 + 8 * 6, T1 | TABLE);
	fake_poke64(&f->fake, T1 + 8 * 5, FRAME | TABLE);
	return T1 + 8 * 5;
}

static uint64_t entry(struct fixture *f, enum mode mode, uint64_t at)
{
	uint64_t value = fake_peek64(&f->fake, at);

	return mode == BITS32 ? (uint32_t)value : value;
}

static void set_entry(struct fixture *f, enum mode mode, uint64_t at, uint64_t value)
{
	if (mode == BITS32)
		poke32(f, at, value);
	else
		fake_poke64(&f->fake, at, value);
}

static void assert_fault(struct fixture *f, struct vmx_result r, uint64_t linear, uint32_t code)
{
	assert_int_equal(r.outcome, VMX_FAULT);
	assert_int_equal(r.vector, VECTOR_PF);
	assert_int_equal(r.error, code);
	assert_int_equal(f->fake.cr2, linear);
}

static void translations(void **state)
{
	struct fixture *f = *state;
	uint64_t value = 0;

	for (enum mode mode = UNPAGED; mode < MODES; mode++) {
		uint64_t at = build(f, mode);
		uint64_t linear = mode == UNPAGED ? FRAME + 0x678 : LINEAR;

		fake_poke64(&f->fake, FRAME + 0x678, 0x1234 + mode);
		assert_int_equal(l1_linear_read(&f->v, linear, &value, 8).outcome, VMX_SUCCEED);
		assert_int_equal(value, 0x1234 + mode);
		if (mode == UNPAGED)
			continue;
		assert_int_equal(entry(f, mode, at) & (PTE_A | PTE_D), PTE_A);
		value = 0x77;
		assert_int_equal(l1_linear_write(&f->v, linear, &value, 8).outcome, VMX_SUCCEED);
		assert_int_equal(fake_peek64(&f->fake, FRAME + 0x678), 0x77);
		assert_int_equal(entry(f, mode, at) & (PTE_A | PTE_D), PTE_A | PTE_D);
		/* And once more, with nothing left to mark. */
		assert_int_equal(l1_linear_read(&f->v, linear, &value, 8).outcome, VMX_SUCCEED);
		assert_int_equal(value, 0x77);
	}
}

static void faults(void **state)
{
	struct fixture *f = *state;
	uint64_t value = 0;

	for (enum mode mode = BITS32; mode < MODES; mode++) {
		uint64_t at = build(f, mode);

		set_entry(f, mode, at, FRAME | PTE_W | PTE_U);
		assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR, 0);
		assert_fault(f, l1_linear_write(&f->v, LINEAR, &value, 8), LINEAR, PFEC_W);
		set_entry(f, mode, at, FRAME | PTE_P | PTE_U);
		assert_int_equal(l1_linear_read(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
		assert_fault(f, l1_linear_write(&f->v, LINEAR, &value, 8), LINEAR, PFEC_P | PFEC_W);
		SET01(f, GUEST_CR0, GET01(f, GUEST_CR0) & ~CR0_WP);
		assert_int_equal(l1_linear_write(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
		/* SMAP: user pages only with RFLAGS.AC. */
		SET01(f, GUEST_CR4, GET01(f, GUEST_CR4) | CR4_SMAP);
		assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR, PFEC_P);
		SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_AC);
		assert_int_equal(l1_linear_read(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
		SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1);
		if (mode == BITS32)
			continue;
		set_entry(f, mode, at, FRAME | PTE_P | BIT64(45));
		assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR,
			     PFEC_P | PFEC_RSVD);
		/* NX is reserved without EFER.NXE. */
		set_entry(f, mode, at, FRAME | PTE_P | PTE_A | PTE_NX);
		SET01(f, GUEST_IA32_EFER, EFER_LMA | EFER_LME);
		assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR,
			     PFEC_P | PFEC_RSVD);
		SET01(f, GUEST_IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE);
		assert_int_equal(l1_linear_read(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
	}
}

static void large_pages(void **state)
{
	struct fixture *f = *state;
	uint64_t value = 0;

	/* 4 MB: the page at 0, by entry 3. */
	build(f, BITS32);
	poke32(f, T1 + 4 * 3, TABLE | PTE_PS);
	fake_poke64(&f->fake, LINEAR & 0x3fffff, 0x4444);
	assert_int_equal(l1_linear_read(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
	assert_int_equal(value, 0x4444);
	poke32(f, T1 + 4 * 3, TABLE | PTE_PS | BIT64(21)); /* reserved */
	assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR, PFEC_P | PFEC_RSVD);
	poke32(f, T1 + 4 * 3, TABLE | PTE_PS | BIT64(13)); /* bit 32 of the address: no RAM there */
	assert_int_equal(l1_linear_read(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
	assert_int_equal(value, UINT64_MAX);
	SET01(f, GUEST_CR4, GET01(f, GUEST_CR4) & ~CR4_PSE); /* the bit means nothing then */
	poke32(f, T1 + 4 * 3, T2 | TABLE | PTE_PS);
	fake_poke64(&f->fake, FRAME + 0x678, 0x5555);
	assert_int_equal(l1_linear_read(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
	assert_int_equal(value, 0x5555);
	/* 2 MB, with and without something to mark. */
	for (enum mode mode = PAE; mode <= LEVEL4; mode++)
		for (unsigned marked = 0; marked < 2; marked++) {
			build(f, mode);
			fake_poke64(&f->fake, T2 + 8 * 6,
				    UINT64_C(0x200000) | TABLE | PTE_PS | (marked ? PTE_A : 0));
			fake_poke64(&f->fake, 0x200000 + (LINEAR & 0x1fffff), 0x6666);
			assert_int_equal(l1_linear_read(&f->v, LINEAR, &value, 8).outcome,
					 VMX_SUCCEED);
			assert_int_equal(value, 0x6666);
			fake_poke64(&f->fake, T2 + 8 * 6,
				    UINT64_C(0x202000) | TABLE | PTE_PS | PTE_A); /* reserved */
			assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR,
				     PFEC_P | PFEC_RSVD);
		}
	/* 1 GB, and the level where no page can be. */
	build(f, LEVEL4);
	fake_poke64(&f->fake, T3, TABLE | PTE_PS | PTE_A);
	fake_poke64(&f->fake, 0x3000 + 8, 0x7777);
	fake_poke64(&f->fake, T4, T3 | TABLE | PTE_A);
	assert_int_equal(l1_linear_read(&f->v, 0x3008, &value, 8).outcome, VMX_SUCCEED);
	assert_int_equal(value, 0x7777);
	fake_poke64(&f->fake, T4, T3 | TABLE | PTE_PS | PTE_A);
	assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR, PFEC_P | PFEC_RSVD);
}

/* An operand over two pages: both must be there before any byte moves. */
static void straddling(void **state)
{
	struct fixture *f = *state;
	const uint64_t linear = (LINEAR & ~UINT64_C(0xfff)) + 0xffc;
	uint64_t value = UINT64_C(0x8877665544332211);

	build(f, LEVEL4);
	assert_fault(f, l1_linear_write(&f->v, linear, &value, 8), linear + 4, PFEC_W);
	assert_int_equal(fake_peek64(&f->fake, FRAME + 0xff8), 0);
	fake_poke64(&f->fake, T1 + 8 * 6, (FRAME + 0x3000) | TABLE);
	assert_int_equal(l1_linear_write(&f->v, linear, &value, 8).outcome, VMX_SUCCEED);
	assert_int_equal(fake_peek64(&f->fake, FRAME + 0xff8) >> 32, 0x44332211);
	assert_int_equal(fake_peek64(&f->fake, FRAME + 0x3000), 0x88776655);
	value = 0;
	assert_int_equal(l1_linear_read(&f->v, linear, &value, 8).outcome, VMX_SUCCEED);
	assert_int_equal(value, UINT64_C(0x8877665544332211));
}

/* Tables and operands where L1 has no memory: loads give all ones, stores are lost. */
static void no_memory(void **state)
{
	struct fixture *f = *state;
	uint64_t value = 0;

	build(f, LEVEL4);
	fake_poke64(&f->fake, T1 + 8 * 5, UINT64_C(0x80000000) | TABLE);
	assert_int_equal(l1_linear_read(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
	assert_int_equal(value, UINT64_MAX);
	assert_int_equal(l1_linear_write(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
	SET01(f, GUEST_CR3, UINT64_C(0x80000000));
	assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR, PFEC_P | PFEC_RSVD);
}

static void assert_reads(struct fixture *f, uint64_t linear, uint64_t expected)
{
	uint64_t value = 0;

	assert_int_equal(l1_linear_read(&f->v, linear, &value, 8).outcome, VMX_SUCCEED);
	assert_int_equal(value, expected);
}

/* A page that has been found before is found anew when anything on the way has changed. */
static void found_before(void **state)
{
	struct fixture *f = *state;
	uint64_t value = 0, at = build(f, LEVEL4);

	fake_poke64(&f->fake, FRAME + 0x678, 1);
	fake_poke64(&f->fake, FRAME + 0x1678, 2);
	assert_reads(f, LINEAR, 1);
	fake_poke64(&f->fake, FRAME + 0x678, 3); /* the memory is L1's own, not a copy */
	assert_reads(f, LINEAR, 3);
	fake_poke64(&f->fake, at, (FRAME + 0x1000) | TABLE | PTE_A);
	assert_reads(f, LINEAR, 2);
	/* Another page in the same place of the notes. */
	fake_poke64(&f->fake, T2 + 8 * 7, T1 | TABLE);
	fake_poke64(&f->fake, T1 + 8 * 5, (FRAME + 0x1000) | TABLE);
	assert_reads(f, LINEAR + BIT64(21), 2);
	assert_reads(f, LINEAR, 2);
	/* Flags that L1 has cleared are set again. */
	fake_poke64(&f->fake, at, (FRAME + 0x1000) | TABLE);
	assert_reads(f, LINEAR, 2);
	assert_int_equal(fake_peek64(&f->fake, at) & (PTE_A | PTE_D), PTE_A);
	/* A page found for reading is not thereby one to be written, the other way round it is. */
	assert_int_equal(l1_linear_write(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
	assert_int_equal(fake_peek64(&f->fake, at) & (PTE_A | PTE_D), PTE_A | PTE_D);
	fake_poke64(&f->fake, at, (FRAME + 0x1000) | PTE_P | PTE_A | PTE_D);
	assert_reads(f, LINEAR, 0);
	assert_fault(f, l1_linear_write(&f->v, LINEAR, &value, 8), LINEAR, PFEC_P | PFEC_W);
	SET01(f, GUEST_CR0, GET01(f, GUEST_CR0) & ~CR0_WP);
	assert_int_equal(l1_linear_write(&f->v, LINEAR, &value, 8).outcome, VMX_SUCCEED);
	SET01(f, GUEST_CR0, GET01(f, GUEST_CR0) | CR0_WP);
	assert_fault(f, l1_linear_write(&f->v, LINEAR, &value, 8), LINEAR, PFEC_P | PFEC_W);
	/* Registers: NXE, SMAP and AC, the mode, CR3. */
	fake_poke64(&f->fake, at, FRAME | TABLE | PTE_A | PTE_NX);
	SET01(f, GUEST_IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE);
	assert_reads(f, LINEAR, 3);
	SET01(f, GUEST_IA32_EFER, EFER_LMA | EFER_LME);
	assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR, PFEC_P | PFEC_RSVD);
	fake_poke64(&f->fake, at, FRAME | TABLE | PTE_A);
	SET01(f, GUEST_CR4, GET01(f, GUEST_CR4) | CR4_SMAP);
	SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_AC);
	assert_reads(f, LINEAR, 3);
	SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1);
	assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR, PFEC_P);
	SET01(f, GUEST_CR4, GET01(f, GUEST_CR4) & ~CR4_SMAP);
	assert_reads(f, LINEAR, 3);
	fake_poke64(&f->fake, T5, 0);
	SET01(f, GUEST_CR3, T5);
	assert_fault(f, l1_linear_read(&f->v, LINEAR, &value, 8), LINEAR, 0);
}

/* L0 has taken the memory away, or put it elsewhere. */
static void forgotten_with_ept01(void **state)
{
	struct fixture *f = *state;

	build(f, LEVEL4);
	fake_poke64(&f->fake, FRAME + 0x678, 1);
	assert_reads(f, LINEAR, 1);
	fake_map(&f->fake, FRAME, (struct fake_page){.hole = true});
	shadow_ept01_changed(&f->v);
	assert_reads(f, LINEAR, UINT64_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(translations), TEST(faults), TEST(large_pages),
					   TEST(straddling), TEST(no_memory), TEST(found_before),
					   TEST(forgotten_with_ept01)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
