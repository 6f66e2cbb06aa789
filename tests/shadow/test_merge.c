/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMCS02's controls as functions of VMCS12 and VMCS01, and that only changes are written.
 */
#include "shadow/bitmap.h"
#include "shadow/merge.h"
#include "tests/shadow/fixture.h"

static void start(struct fixture *f)
{
	l1_prepare(f);
	l1_launch(f);
}

static void leave(struct fixture *f)
{
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
}

/* Each control of the table, set in 12 alone and in 01 alone: what 02 has. */
enum from { NEITHER, L1S, L0S, EITHER, FORCED };
static const struct {
	enum vmx_control_word word;
	uint32_t mask;
	enum from from;
} controls[] = {
    {VMX_PIN, PIN_EXTERNAL_INTERRUPT_EXITING, EITHER},
    {VMX_PIN, PIN_NMI_EXITING, EITHER},
    {VMX_PIN, PIN_VIRTUAL_NMIS, L1S},
    {VMX_PIN, PIN_PREEMPTION_TIMER, L1S},
    {VMX_PIN, PIN_POSTED_INTERRUPTS, L1S},
    {VMX_PRIMARY, (uint32_t)PRIMARY_INTERRUPT_WINDOW_EXITING, L1S},
    {VMX_PRIMARY, (uint32_t)PRIMARY_USE_TSC_OFFSETTING, EITHER},
    {VMX_PRIMARY, (uint32_t)PRIMARY_HLT_EXITING, EITHER},
    {VMX_PRIMARY, (uint32_t)PRIMARY_INVLPG_EXITING, L1S},
    {VMX_PRIMARY, (uint32_t)PRIMARY_MWAIT_EXITING, EITHER},
    {VMX_PRIMARY, (uint32_t)PRIMARY_RDPMC_EXITING, EITHER},
    {VMX_PRIMARY, (uint32_t)PRIMARY_RDTSC_EXITING, EITHER},
    {VMX_PRIMARY, (uint32_t)PRIMARY_CR3_LOAD_EXITING, L1S},
    {VMX_PRIMARY, (uint32_t)PRIMARY_CR8_LOAD_EXITING, EITHER},
    {VMX_PRIMARY, (uint32_t)PRIMARY_USE_TPR_SHADOW, L1S},
    {VMX_PRIMARY, (uint32_t)PRIMARY_MOV_DR_EXITING, EITHER},
    {VMX_PRIMARY, (uint32_t)PRIMARY_MONITOR_TRAP_FLAG, L1S},
    {VMX_PRIMARY, (uint32_t)PRIMARY_PAUSE_EXITING, EITHER},
    {VMX_PRIMARY, (uint32_t)PRIMARY_ACTIVATE_SECONDARY, FORCED},
    {VMX_SECONDARY, SECONDARY_VIRTUALIZE_APIC_ACCESSES, L1S},
    {VMX_SECONDARY, SECONDARY_ENABLE_EPT, FORCED},
    {VMX_SECONDARY, SECONDARY_DESCRIPTOR_TABLE_EXITING, L1S},
    {VMX_SECONDARY, SECONDARY_ENABLE_RDTSCP, L1S},
    {VMX_SECONDARY, SECONDARY_WBINVD_EXITING, EITHER},
    {VMX_SECONDARY, SECONDARY_UNRESTRICTED_GUEST, L1S},
    {VMX_SECONDARY, SECONDARY_PAUSE_LOOP_EXITING, L1S},
    {VMX_SECONDARY, SECONDARY_RDRAND_EXITING, EITHER},
    {VMX_SECONDARY, SECONDARY_ENABLE_INVPCID, L1S},
    {VMX_SECONDARY, SECONDARY_ENABLE_VM_FUNCTIONS, L1S},
    {VMX_SECONDARY, SECONDARY_ENABLE_PML, NEITHER},
    {VMX_SECONDARY, SECONDARY_EPT_VIOLATION_VE, NEITHER},
    {VMX_SECONDARY, SECONDARY_ENABLE_XSAVES, L1S},
    {VMX_SECONDARY, SECONDARY_MODE_BASED_EXECUTE, L1S},
    {VMX_EXIT_CONTROLS, EXIT_SAVE_DEBUG_CONTROLS, FORCED},
    {VMX_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE, L0S},
    {VMX_EXIT_CONTROLS, EXIT_ACK_INTERRUPT, EITHER},
    {VMX_EXIT_CONTROLS, EXIT_SAVE_PAT, FORCED},
    {VMX_EXIT_CONTROLS, EXIT_SAVE_EFER, FORCED},
    {VMX_EXIT_CONTROLS, EXIT_LOAD_EFER, L0S},
    {VMX_EXIT_CONTROLS, EXIT_LOAD_PERF_GLOBAL_CTRL, L0S},
    {VMX_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS, FORCED},
    {VMX_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST, L1S},
    {VMX_ENTRY_CONTROLS, ENTRY_LOAD_PERF_GLOBAL_CTRL, L1S},
    {VMX_ENTRY_CONTROLS, ENTRY_LOAD_PAT, FORCED},
    {VMX_ENTRY_CONTROLS, ENTRY_LOAD_EFER, FORCED},
};

static const unsigned word_index[] = {
    [VMX_PIN] = VMCS_INDEX_PIN_BASED_CONTROLS,
    [VMX_PRIMARY] = VMCS_INDEX_PRIMARY_CONTROLS,
    [VMX_SECONDARY] = VMCS_INDEX_SECONDARY_CONTROLS,
    [VMX_EXIT_CONTROLS] = VMCS_INDEX_EXIT_CONTROLS,
    [VMX_ENTRY_CONTROLS] = VMCS_INDEX_ENTRY_CONTROLS,
};

static uint32_t merged(struct fixture *f, enum vmx_control_word word)
{
	static uint32_t (*const merges[])(const struct shadow_vcpu *,
					  const struct shadow_slot *) = {
	    [VMX_PIN] = merge_pin,
	    [VMX_PRIMARY] = merge_primary,
	    [VMX_SECONDARY] = merge_secondary,
	    [VMX_EXIT_CONTROLS] = merge_exit_controls,
	    [VMX_ENTRY_CONTROLS] = merge_entry_controls,
	};

	return merges[word](&f->v, f->v.current);
}

static void control_words(void **state)
{
	struct fixture *f = *state;

	start(f);
	for (unsigned i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
		uint64_t *w12 = &f->v.current->v12.field[word_index[controls[i].word]];
		uint64_t *w01 = &f->vmcs01.field[word_index[controls[i].word]];
		uint64_t old12 = *w12, old01 = *w01, mask = controls[i].mask;
		enum from from = controls[i].from;

		*w12 = old12 & ~mask;
		*w01 = from == FORCED ? old01 : old01 & ~mask;
		assert_int_equal(!!(merged(f, controls[i].word) & mask), from == FORCED);
		*w12 = old12 | mask;
		assert_int_equal(!!(merged(f, controls[i].word) & mask),
				 from == FORCED || from == L1S || from == EITHER);
		*w12 = old12 & ~mask;
		*w01 = old01 | mask;
		assert_int_equal(!!(merged(f, controls[i].word) & mask),
				 from == FORCED || from == L0S || from == EITHER);
		*w12 = old12;
		*w01 = old01;
	}
}

static void io_controls(void **state)
{
	struct fixture *f = *state;
	const uint32_t both =
	    (uint32_t)PRIMARY_UNCONDITIONAL_IO_EXITING | (uint32_t)PRIMARY_USE_IO_BITMAPS;

	start(f);
	assert_int_equal(merged(f, VMX_PRIMARY) & both, PRIMARY_USE_IO_BITMAPS); /* L0's */
	vmcs_set(&f->v.current->v12, PRIMARY_CONTROLS,
		 slot_primary(f->v.current) | (uint32_t)PRIMARY_UNCONDITIONAL_IO_EXITING);
	assert_int_equal(merged(f, VMX_PRIMARY) & both, PRIMARY_UNCONDITIONAL_IO_EXITING);
	vmcs_set(&f->v.current->v12, PRIMARY_CONTROLS, slot_primary(f->v.current) | both);
	assert_int_equal(merged(f, VMX_PRIMARY) & both, PRIMARY_USE_IO_BITMAPS);
}

static void tsc(void **state)
{
	struct vmcs v01 = {0}, v12 = {0};
	const uint64_t offsetting = (uint32_t)PRIMARY_USE_TSC_OFFSETTING;
	const uint64_t scaling = offsetting | (uint32_t)PRIMARY_ACTIVATE_SECONDARY;
	struct tsc_scale s;

	vmcs_set(&v01, TSC_OFFSET, 1000);
	vmcs_set(&v12, TSC_OFFSET, 50);
	s = merge_tsc(&v01, &v12);
	assert_int_equal(s.offset, 0);
	assert_int_equal(s.multiplier, TSC_MULTIPLIER_ONE);
	vmcs_set(&v12, PRIMARY_CONTROLS, offsetting);
	assert_int_equal(merge_tsc(&v01, &v12).offset, 50);
	vmcs_set(&v01, PRIMARY_CONTROLS, offsetting);
	assert_int_equal(merge_tsc(&v01, &v12).offset, 1050);
	/* L1's clock runs double for L2, and L0's offset with it. */
	vmcs_set(&v12, PRIMARY_CONTROLS, scaling);
	vmcs_set(&v12, SECONDARY_CONTROLS, SECONDARY_USE_TSC_SCALING);
	vmcs_set(&v12, TSC_MULTIPLIER, 2 * TSC_MULTIPLIER_ONE);
	s = merge_tsc(&v01, &v12);
	assert_int_equal(s.multiplier, 2 * TSC_MULTIPLIER_ONE);
	assert_int_equal(s.offset, 2050);
	vmcs_set(&v01, TSC_OFFSET, -UINT64_C(1000));
	assert_int_equal(merge_tsc(&v01, &v12).offset, -UINT64_C(1950));
	/* Both scale: 1.5 * 2.5 = 3.75. */
	vmcs_set(&v01, PRIMARY_CONTROLS, scaling);
	vmcs_set(&v01, SECONDARY_CONTROLS, SECONDARY_USE_TSC_SCALING);
	vmcs_set(&v01, TSC_MULTIPLIER, TSC_MULTIPLIER_ONE / 2 * 3);
	vmcs_set(&v12, TSC_MULTIPLIER, TSC_MULTIPLIER_ONE / 2 * 5);
	assert_int_equal(merge_tsc(&v01, &v12).multiplier, TSC_MULTIPLIER_ONE / 4 * 15);
}

static void exceptions(void **state)
{
	struct vmcs v01 = {0}, v12 = {0};
	struct exception_filter e;

	vmcs_set(&v12, EXCEPTION_BITMAP, BIT32(VECTOR_PF) | BIT32(VECTOR_UD));
	vmcs_set(&v12, PAGE_FAULT_ERROR_CODE_MASK, 3);
	vmcs_set(&v12, PAGE_FAULT_ERROR_CODE_MATCH, 1);
	vmcs_set(&v01, EXCEPTION_BITMAP, BIT32(VECTOR_MC));
	e = merge_exceptions(&v01, &v12);
	assert_int_equal(e.bitmap, BIT32(VECTOR_PF) | BIT32(VECTOR_UD) | BIT32(VECTOR_MC));
	assert_int_equal(e.mask, 3);
	assert_int_equal(e.match, 1);
	vmcs_set(&v01, EXCEPTION_BITMAP, BIT32(VECTOR_PF));
	e = merge_exceptions(&v01, &v12);
	assert_int_equal(e.mask | e.match, 0);
}

static void addresses(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_PRIMARY_CONTROLS,
		 l1_read(f, VMCS_PRIMARY_CONTROLS) | (uint32_t)PRIMARY_USE_TPR_SHADOW);
	l1_write(f, VMCS_SECONDARY_CONTROLS,
		 SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID | SECONDARY_VIRTUALIZE_APIC_ACCESSES);
	l1_write(f, VMCS_VIRTUAL_APIC_ADDRESS, APIC_PAGE);
	l1_write(f, VMCS_APIC_ACCESS_ADDRESS, UINT64_C(0x80000000)); /* no memory */
	l1_write(f, VMCS_VPID, 5);
	l1_launch(f);
	assert_int_equal(GET02(f, VIRTUAL_APIC_ADDRESS), FAKE_RAM_HPA + APIC_PAGE);
	assert_int_equal(GET02(f, APIC_ACCESS_ADDRESS), f->v.junk.hpa.value);
	assert_int_equal(GET02(f, VPID), 6);
	assert_int_equal(GET02(f, HOST_RIP), vmcs_get(&f->vmcs01, HOST_RIP));
	assert_int_equal(GET02(f, HOST_CR3), vmcs_get(&f->vmcs01, HOST_CR3));
	leave(f);
	l1_write(f, VMCS_VPID, 0xffff);
	l1_resume(f);
	assert_false(GET02(f, SECONDARY_CONTROLS) & SECONDARY_ENABLE_VPID);
}

static void bitmaps(void **state)
{
	struct fixture *f = *state;
	uint64_t *msr02;

	f->msr_bitmap01[3] = 0x10;
	f->io_bitmap01_b[7] = 0x200;
	l1_prepare(f);
	l1_write(f, VMCS_PRIMARY_CONTROLS,
		 l1_read(f, VMCS_PRIMARY_CONTROLS) | (uint32_t)PRIMARY_USE_MSR_BITMAPS |
		     (uint32_t)PRIMARY_USE_IO_BITMAPS);
	l1_write(f, VMCS_MSR_BITMAP, MSR_PAGE);
	l1_write(f, VMCS_IO_BITMAP_A, IO_PAGE_A);
	l1_write(f, VMCS_IO_BITMAP_B, UINT64_C(0x80000000)); /* no memory: everything exits */
	fake_poke64(&f->fake, MSR_PAGE + 24, 0x1);
	l1_launch(f);
	msr02 = f->v.current->msr_bitmap.va;
	assert_int_equal(GET02(f, MSR_BITMAP), f->v.current->msr_bitmap.hpa.value);
	assert_int_equal(msr02[3], 0x11);
	assert_int_equal(((uint64_t *)f->v.current->io_bitmap_b.va)[100], UINT64_MAX);
	/* Watched: a store of L1 is seen, and only then the bitmap is merged again. */
	assert_int_equal(f->fake.watches, 3);
	leave(f);
	fake_poke64(&f->fake, MSR_PAGE + 24, 0x3);
	l1_resume(f);
	assert_int_equal(msr02[3], 0x11);
	leave(f);
	shadow_page_written(&f->v, (struct l1_gpa){MSR_PAGE + 24});
	l1_resume(f);
	assert_int_equal(msr02[3], 0x13);
	assert_int_equal(f->fake.watches, 6);
	/* L1 stores before each entry: L0 gives up and merges each time. */
	for (unsigned i = 0; i < 2 * SLOT_WATCH_BUDGET; i++) {
		leave(f);
		shadow_page_written(&f->v, (struct l1_gpa){MSR_PAGE});
		l1_resume(f);
	}
	assert_int_equal(f->v.current->watch_budget, 0);
	leave(f);
	fake_poke64(&f->fake, MSR_PAGE + 24, 0x1000);
	l1_resume(f);
	assert_int_equal(msr02[3], 0x1010);
}

static enum shadow_next io_exit(struct fixture *f, uint64_t port)
{
	return l2_exit(f, EXIT_REASON_IO_INSTRUCTION, port << 16);
}

/* L2 has L1's bitmap in reach and stores to it: what it then does goes by what it wrote. */
static void bitmaps_written_by_l2(void **state)
{
	struct fixture *f = *state;
	uint64_t *io02;

	f->io_bitmap01_a[2] = 1; /* port 80h is L0's */
	l1_prepare(f);
	l1_write(f, VMCS_PRIMARY_CONTROLS,
		 l1_read(f, VMCS_PRIMARY_CONTROLS) | (uint32_t)PRIMARY_USE_IO_BITMAPS);
	l1_write(f, VMCS_IO_BITMAP_A, IO_PAGE_A);
	l1_write(f, VMCS_IO_BITMAP_B, IO_PAGE_B);
	l1_launch(f);
	io02 = f->v.current->io_bitmap_a.va;
	assert_int_equal(io02[1], 0);
	/* The notice comes before the store, so until that is looked at, all ports exit. */
	shadow_page_written(&f->v, (struct l1_gpa){IO_PAGE_A});
	fake_poke64(&f->fake, IO_PAGE_A + 8, 1); /* port 40h */
	assert_int_equal(io02[1], UINT64_MAX);
	assert_int_equal(io_exit(f, 0x40), SHADOW_RESUME_L1);
	l1_resume(f);
	assert_int_equal(io02[1], 1);
	/* A port that nobody wants: merge, watch again, and let L2 execute it once more. */
	shadow_page_written(&f->v, (struct l1_gpa){IO_PAGE_A});
	fake_poke64(&f->fake, IO_PAGE_A + 8, 2);
	f->fake.watches = 0;
	assert_int_equal(io_exit(f, 0x50), SHADOW_RESUME_L2);
	assert_int_equal(GET02(f, GUEST_RIP), L2_RIP);
	assert_int_equal(io02[1], 2);
	assert_int_equal(f->fake.watches, 2);
	/* So it is with a port of L0's, which exits again then. */
	shadow_page_written(&f->v, (struct l1_gpa){IO_PAGE_A});
	assert_int_equal(io_exit(f, 0x80), SHADOW_RESUME_L2);
	assert_int_equal(io_exit(f, 0x80), SHADOW_L0);
	/* L2's stores don't make L0 give up watching. */
	for (unsigned i = 0; i < 2 * SLOT_WATCH_BUDGET; i++) {
		shadow_page_written(&f->v, (struct l1_gpa){IO_PAGE_A});
		assert_int_equal(io_exit(f, 0x50), SHADOW_RESUME_L2);
	}
	assert_int_not_equal(f->v.current->watch_budget, 0);
}

static void bitmaps_unwatched(void **state)
{
	struct fixture *f = *state;

	f->fake.can_watch = false;
	l1_prepare(f);
	l1_write(f, VMCS_PRIMARY_CONTROLS,
		 l1_read(f, VMCS_PRIMARY_CONTROLS) | (uint32_t)PRIMARY_USE_MSR_BITMAPS);
	l1_write(f, VMCS_MSR_BITMAP, MSR_PAGE);
	l1_launch(f);
	leave(f);
	fake_poke64(&f->fake, MSR_PAGE, 0x77);
	l1_resume(f);
	assert_int_equal(*(uint64_t *)f->v.current->msr_bitmap.va, 0x77);
}

/* L1's shadowing for L2 goes on the hardware's, with the fields that both let through. */
static void linked(void **state)
{
	struct fixture *f = *state;
	const uint64_t *read02;

	l1_prepare(f);
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_VMCS_SHADOWING);
	l1_write(f, VMCS_VMREAD_BITMAP, VMREAD_PAGE);
	l1_write(f, VMCS_VMWRITE_BITMAP, VMWRITE_PAGE);
	fake_poke64(&f->fake, VMREAD_PAGE + VMCS_GUEST_RIP / 64 * 8, BIT64(VMCS_GUEST_RIP % 64));
	l1_write(f, VMCS_VMCS_LINK_POINTER, VMCS_SHADOW);
	l1_launch(f);
	assert_true(GET02(f, SECONDARY_CONTROLS) & SECONDARY_VMCS_SHADOWING);
	assert_int_equal(GET02(f, VMCS_LINK_POINTER), f->v.linked->shadow.hpa.value);
	assert_true(fake_vmcs_at(&f->fake, GET02(f, VMCS_LINK_POINTER))->shadow);
	read02 = f->v.current->vmread_bitmap.va;
	assert_true(read02[VMCS_GUEST_RIP / 64] >> VMCS_GUEST_RIP % 64 & 1);
	assert_false(read02[VMCS_GUEST_RSP / 64] >> VMCS_GUEST_RSP % 64 & 1);
	assert_true(read02[VMCS_EPT_POINTER / 64] >> VMCS_EPT_POINTER % 64 & 1);
	leave(f);
	l1_write(f, VMCS_VMCS_LINK_POINTER, UINT64_MAX);
	l1_resume(f);
	assert_int_equal(GET02(f, VMCS_LINK_POINTER), UINT64_MAX);
	assert_false(GET02(f, SECONDARY_CONTROLS) & SECONDARY_VMCS_SHADOWING);
}

/* The headline: nothing but what changed is written. */
static void writes_only_changes(void **state)
{
	struct fixture *f = *state;
	unsigned writes;

	start(f);
	for (unsigned i = 0; i < 3; i++) {
		SET02(f, GUEST_RIP, L2_RIP + 2 * i);
		leave(f);
		l1_write(f, VMCS_GUEST_RIP, L2_RIP + 2 * i + 2);
		SET01(f, GUEST_RIP, L1_RIP);
		SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_ZF);
		SET01(f, EXIT_INSTRUCTION_LENGTH, 4);
		fake_forget(&f->fake);
		l1_resume(f);
	}
	writes = fake_count_all(&f->fake, FAKE_WRITE);
	assert_int_equal(writes, fake_count(&f->fake, FAKE_WRITE, VMCS_GUEST_RIP));
	assert_int_equal(writes, 1);
	assert_int_equal(fake_count_all(&f->fake, FAKE_VMPTRLD), 2); /* shadow VMCS, VMCS02 */
	fake_forget(&f->fake);
	SET02(f, GUEST_RIP, L2_RIP + 0x100);
	leave(f);
	/* To L1's shadow VMCS: RIP. To VMCS01: of the host state what is written without a look. */
	assert_int_equal(fake_count(&f->fake, FAKE_WRITE, VMCS_GUEST_RIP), 2);
	assert_int_equal(fake_count_all(&f->fake, FAKE_WRITE), 1 + L1_LOAD_COUNT);
	assert_int_equal(fake_count_all(&f->fake, FAKE_VMPTRLD), 2); /* shadow VMCS, VMCS01 */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(control_words),
	    TEST(io_controls),
	    cmocka_unit_test(tsc),
	    cmocka_unit_test(exceptions),
	    TEST(addresses),
	    TEST(bitmaps),
	    TEST(bitmaps_unwatched),
	    TEST(bitmaps_written_by_l2),
	    TEST(linked),
	    TEST(writes_only_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
