/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PEBS in VMX non-root operation: a record that EPT keeps from being written is an exit of its own
 * kind, and comes when the guest goes on; in root operation, with PEBS off there, never. SDM 3B
 * "EPT-Friendly PEBS", SDM 3C "Exit Qualification for EPT Violations".
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/pebs.h"
#include "l0/machine/interp/perf.h"

enum { DS = 0x20000, BUFFER = 0x30000, FAR_BUFFER = 0x40000000 };
#define FIXED_0 BIT64(32)

/* In the guest, without EPT for FAR_BUFFER, with a record due for the instruction at 0x1234. The
 * MSR areas switch PEBS at the transitions. */
static void start_sampling(struct fixture *f, uint64_t buffer)
{
	start_vmx_with(f, "sapphire-rapids");
	poke64(f, EPT_ROOT, (EPT_ROOT + 0x100000) | EPT_RWX);
	poke64(f, EPT_ROOT + 0x100000, EPT_RWX | EPT_PS | EPT_MT_WB);
	poke64(f, PDPT + 8, UINT64_C(0x40000000) | PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS);
	secondary(f, SECONDARY_ENABLE_EPT);
	SET(f, EPT_POINTER, EPT_ROOT | EPTP_MT_WB | EPTP_WALK_4);
	poke64(f, AREA, MSR_IA32_PEBS_ENABLE);
	poke64(f, AREA + 8, FIXED_0);
	poke64(f, AREA_2, MSR_IA32_PEBS_ENABLE);
	poke64(f, AREA_2 + 8, 0);
	SET(f, ENTRY_MSR_LOAD_ADDRESS, AREA);
	SET(f, ENTRY_MSR_LOAD_COUNT, 1);
	SET(f, EXIT_MSR_LOAD_ADDRESS, AREA_2);
	SET(f, EXIT_MSR_LOAD_COUNT, 1);
	poke64(f, DS + 0x28, buffer);
	poke64(f, DS + 0x30, buffer + 0x1000);
	poke64(f, DS + 0x38, buffer + 0x1000);
	f->cpu->msrs.ds_area = DS;
	enter(f);
	f->cpu->pebs.last = 0x1234;
	pebs_overflow(f->cpu, FIXED_0);
	assert_int_equal(pebs_due(f->cpu), FIXED_0);
}

static void assert_written(struct fixture *f)
{
	assert_int_equal(f->cpu->msrs.perf_global_status, 0);
	assert_int_equal(peek64(f, DS + 0x28), BUFFER + 32);
	assert_int_equal(peek64(f, BUFFER + 8), 0x1234);
	assert_int_equal(peek64(f, BUFFER + 16), FIXED_0);
}

static void test_ept_violation(void **state)
{
	struct fixture f;
	uint64_t qualification;

	start_sampling(&f, FAR_BUFFER);
	assert_true(EXITS_AT_BOUNDARY(&f, perf_attend(f.cpu)));
	assert_int_equal(GET(&f, EXIT_REASON), EXIT_REASON_EPT_VIOLATION);
	qualification = GET(&f, EXIT_QUALIFICATION);
	assert_true(qualification & EPT_QUAL_ASYNCHRONOUS);
	assert_true(qualification & EPT_QUAL_WRITE);
	assert_int_equal(GET(&f, GUEST_PHYSICAL_ADDRESS), FAR_BUFFER);
	assert_int_equal(GET(&f, GUEST_RIP), GUEST_ENTRY);
	assert_int_equal(GET(&f, GUEST_RFLAGS) & RFLAGS_RF, 0);
	assert_int_equal(f.cpu->msrs.perf_global_status, FIXED_0);

	/* it waits while the host runs, and is written when the guest goes on */
	assert_int_equal(pebs_due(f.cpu), 0);
	perf_attend(f.cpu);
	poke64(&f, DS + 0x28, BUFFER);
	enter(&f);
	perf_attend(f.cpu);
	assert_written(&f);
	stop(&f);
}

static void test_written(void **state)
{
	struct fixture f;

	start_sampling(&f, BUFFER);
	perf_attend(f.cpu);
	assert_written(&f);
	stop(&f);
}

/* An exit before the boundary at which the record would be written; the host switches PEBS off for
 * good: an overflow like others. */
static void test_switched_off(void **state)
{
	struct fixture f;

	start_sampling(&f, BUFFER);
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_exit_triple_fault(f.cpu)));
	SET(&f, ENTRY_MSR_LOAD_COUNT, 0);
	enter(&f);
	perf_attend(f.cpu);
	assert_int_equal(f.cpu->msrs.perf_global_status, FIXED_0);
	assert_int_equal(peek64(&f, DS + 0x28), BUFFER);
	stop(&f);
}

/* A counter that VM entry switches on does not count the instruction that enters. */
static void test_counter_of_the_guest(void **state)
{
	struct fixture f;

	start_vmx_with(&f, "sapphire-rapids");
	assert_true(cpu_wrmsr(f.cpu, MSR_IA32_FIXED_CTR_CTRL, 3));
	assert_true(cpu_wrmsr(f.cpu, MSR_IA32_FIXED_CTR0, 0));
	ENABLE(&f, ENTRY_CONTROLS, ENTRY_LOAD_PERF_GLOBAL_CTRL);
	SET(&f, GUEST_IA32_PERF_GLOBAL_CTRL, FIXED_0);
	enter(&f);
	f.cpu->insns++; /* VMLAUNCH */
	assert_int_equal(perf_counter(f.cpu, 0), 0);
	f.cpu->insns++;
	assert_int_equal(perf_counter(f.cpu, 0), 1);
	perf_note_overflows(f.cpu);
	assert_int_equal(f.cpu->msrs.perf_global_status, 0);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ept_violation),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_switched_off),
		cmocka_unit_test(test_counter_of_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
