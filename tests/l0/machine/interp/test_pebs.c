/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PEBS through the run loop: records of every group, at the instruction that overflowed the
 * counter; the DS save area, its threshold and its end; page faults; what stays off. SDM 3B
 * "Adaptive PEBS", "DS Save Area".
 */
#include "tests/l0/machine/interp/code.h"

#include "l0/machine/interp/pebs.h"
#include "l0/machine/interp/perf.h"

enum { DS = 0x20000, BUFFER = 0x30000, PMI_VECTOR = 0x40, PMI = HANDLER + 0x400 };
#define FIXED_0 BIT64(32)
#define RECORD(size, groups) ((uint64_t)(size) << 48 | (groups))

static void set_msr(struct fixture *f, uint32_t number, uint64_t value)
{
	assert_true(cpu_wrmsr(&f->cpu, number, value));
}

static uint64_t msr(struct fixture *f, uint32_t number)
{
	uint64_t value = 0;

	assert_true(cpu_rdmsr(&f->cpu, number, &value));
	return value;
}

static uint64_t ds(struct fixture *f, unsigned offset)
{
	return peek(f, DS + offset, 8);
}

static uint64_t word(struct fixture *f, unsigned i)
{
	return peek(f, BUFFER + 8 * i, 8);
}

/* CODE: mov eax,1; mov ebx,2; nop; mov ecx,3; hlt. Fixed counter 0, which counts instructions,
 * overflows with the `n`th. */
static struct fixture *sampling(uint64_t cfg, unsigned n)
{
	struct fixture *f = fixture_new(LONG64);
	char error[128];

	assert_true(cpu_profile_parse("sapphire-rapids", &f->profile, error, sizeof(error)));
	put_halting_handlers(f, PMI_VECTOR);
	CODE_AT(f, CODE, 0xb8, 1, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0x90, 0xb9, 3, 0, 0, 0, 0xf4);
	poke(f, DS + 0x20, BUFFER, 8);
	poke(f, DS + 0x28, BUFFER, 8);
	poke(f, DS + 0x30, BUFFER + 0x1000, 8);
	poke(f, DS + 0x38, BUFFER + 0x1000, 8);
	poke(f, DS + 0x80, COUNTER_MASK - 99, 8);
	set_msr(f, MSR_IA32_DS_AREA, DS);
	set_msr(f, MSR_PEBS_DATA_CFG, cfg);
	set_msr(f, MSR_IA32_PEBS_ENABLE, FIXED_0);
	set_msr(f, MSR_IA32_FIXED_CTR_CTRL, 3 | (cfg ? BIT64(32) : 0));
	set_msr(f, MSR_IA32_FIXED_CTR0, COUNTER_MASK + 1 - n);
	set_msr(f, MSR_IA32_PERF_GLOBAL_CTRL, FIXED_0);
	lapic_mmio_write(f->machine.lapic, 0xf0, 0x1ff);
	lapic_mmio_write(f->machine.lapic, 0x340, PMI_VECTOR);
	f->cpu.attention = true;
	return f;
}

static void test_basic(void **state)
{
	struct fixture *f = sampling(0, 2);

	assert_int_equal(run_to_hlt(f), CODE + 17);
	assert_int_equal(word(f, 0), RECORD(32, 0));
	assert_int_equal(word(f, 1), CODE + 5);
	assert_int_equal(word(f, 2), FIXED_0);
	assert_int_equal(word(f, 3), 2);
	assert_int_equal(ds(f, 0x28), BUFFER + 32);
	/* nop, mov, hlt since the reload */
	assert_int_equal(perf_counter(&f->cpu, 0), COUNTER_MASK - 99 + 3);
	assert_int_equal(msr(f, MSR_IA32_PERF_GLOBAL_STATUS), 0);
	fixture_free(f);
}

/* The registers are those after the instruction. */
static void test_registers(void **state)
{
	struct fixture *f = sampling(6, 2);

	f->cpu.gpr[REG_RBX] = 77;
	f->cpu.gpr[15] = 15;
	cpu_set_rflags(&f->cpu, RFLAGS_FIXED1 | RFLAGS_CF);
	f->cpu.xsave_area[160 + 16 * 3] = 0x33;
	assert_int_equal(run_to_hlt(f), CODE + 17);
	assert_int_equal(word(f, 0), RECORD(32 + 144 + 256, 6));
	assert_int_equal(word(f, 4), RFLAGS_FIXED1 | RFLAGS_CF);
	assert_int_equal(word(f, 5), CODE + 10);
	assert_int_equal(word(f, 6), 1);
	assert_int_equal(word(f, 7), 0);
	assert_int_equal(word(f, 9), 2);
	assert_int_equal(word(f, 10), STACK);
	assert_int_equal(word(f, 21), 15);
	assert_int_equal(word(f, 22 + 6), 0x33);
	assert_int_equal(ds(f, 0x28), BUFFER + 32 + 144 + 256);
	fixture_free(f);
}

/* The newest branch record first; the memory group before. */
static void test_branches(void **state)
{
	struct fixture *f = sampling(9 | 1 << 24, 4);

	CODE_AT(f, CODE, 0xeb, 0, 0xeb, 0, 0xeb, 0, 0x90, 0xf4);
	set_msr(f, MSR_IA32_DEBUGCTL, DEBUGCTL_LBR);
	assert_int_equal(run_to_hlt(f), CODE + 8);
	assert_int_equal(word(f, 0), RECORD(32 + 32 + 48, 0x1000009));
	assert_int_equal(word(f, 1), CODE + 6);
	for (unsigned i = 4; i < 8; i++)
		assert_int_equal(word(f, i), 0);
	assert_int_equal(word(f, 8), CODE + 4);
	assert_int_equal(word(f, 9), CODE + 6);
	assert_int_equal(word(f, 11), CODE + 2);
	assert_int_equal(word(f, 12), CODE + 4);
	fixture_free(f);
}

/* Two counters at once make one record; the configuration counts if one of them asks for it. */
static void test_two_counters(void **state)
{
	for (unsigned adaptive = 0; adaptive < 2; adaptive++) {
		struct fixture *f = sampling(0, 2);

		set_msr(f, MSR_PEBS_DATA_CFG, 2);
		set_msr(f, MSR_IA32_PEBS_ENABLE, FIXED_0 | 4);
		set_msr(f, MSR_IA32_PERFEVTSEL0 + 2, EVTSEL_EN | EVTSEL_OS | 0xc0 |
						     (adaptive ? EVTSEL_ADAPTIVE : 0));
		set_msr(f, MSR_IA32_PMC0 + 2, (uint64_t)-2);
		poke(f, DS + 0x40 + 16, 1000, 8);
		set_msr(f, MSR_IA32_PERF_GLOBAL_CTRL, FIXED_0 | 4);
		assert_int_equal(run_to_hlt(f), CODE + 17);
		assert_int_equal(word(f, 0), adaptive ? RECORD(32 + 144, 2) : RECORD(32, 0));
		assert_int_equal(word(f, 2), FIXED_0 | 4);
		assert_int_equal(perf_counter(&f->cpu, FIXED_COUNTERS + 2), 1003);
		fixture_free(f);
	}
}

static void test_threshold(void **state)
{
	struct fixture *f = sampling(0, 2);

	poke(f, DS + 0x38, BUFFER + 32, 8);
	set_msr(f, MSR_IA32_DEBUGCTL, DEBUGCTL_FREEZE_PERFMON_ON_PMI);
	cpu_set_rflags(&f->cpu, RFLAGS_FIXED1 | RFLAGS_IF);
	assert_int_equal(run_to_hlt(f), PMI + 1);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 8), CODE + 10);
	assert_int_equal(msr(f, MSR_IA32_PERF_GLOBAL_STATUS),
			 PERF_STATUS_OVF_BUF | PERF_STATUS_CTR_FRZ);
	set_msr(f, 0x390, PERF_STATUS_OVF_BUF);
	assert_int_equal(msr(f, MSR_IA32_PERF_GLOBAL_STATUS), PERF_STATUS_CTR_FRZ);
	fixture_free(f);
}

/* A record that does not fit is not written, in no part. */
static void test_full(void **state)
{
	struct fixture *f = sampling(0, 2);

	poke(f, DS + 0x30, BUFFER + 31, 8);
	assert_int_equal(run_to_hlt(f), CODE + 17);
	assert_int_equal(word(f, 0), 0);
	assert_int_equal(ds(f, 0x28), BUFFER);
	assert_int_equal(perf_counter(&f->cpu, 0), 3);
	assert_int_equal(msr(f, MSR_IA32_PERF_GLOBAL_STATUS), 0);
	fixture_free(f);
}

/* The buffer's second page is missing: nothing is written, and the fault is one of the supervisor,
 * between the instructions. */
static void test_page_fault(void **state)
{
	struct fixture *f = sampling(2, 2);
	const uint64_t edge = UINT64_C(0x40000000);

	poke(f, DS + 0x28, edge - 64, 8);
	poke(f, DS + 0x30, edge + 0x1000, 8);
	f->cpu.cr2 = 1;
	assert_int_equal(run_to_hlt(f), HANDLER + 16 * VECTOR_PF + 1);
	assert_int_equal(f->cpu.cr2, edge + 144 + 32 - 64 - 1);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 8), PFEC_W);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP] + 8, 8), CODE + 10);
	assert_int_equal(ds(f, 0x28), edge - 64);
	fixture_free(f);
}

/* Without its bit of IA32_PEBS_ENABLE a counter overflows as ever. */
static void test_disabled(void **state)
{
	struct fixture *f = sampling(2, 2);

	set_msr(f, MSR_IA32_PEBS_ENABLE, 0);
	assert_int_equal(run_to_hlt(f), CODE + 17);
	assert_int_equal(ds(f, 0x28), BUFFER);
	assert_int_equal(msr(f, MSR_IA32_PERF_GLOBAL_STATUS), FIXED_0);
	fixture_free(f);
}

static void test_reserved(void **state)
{
	struct fixture *f = sampling(0, 2);
	uint64_t value = 0;

	assert_false(cpu_wrmsr(&f->cpu, MSR_IA32_PEBS_ENABLE, BIT64(4)));
	assert_false(cpu_wrmsr(&f->cpu, MSR_IA32_PEBS_ENABLE, BIT64(35)));
	assert_false(cpu_wrmsr(&f->cpu, MSR_PEBS_DATA_CFG, BIT64(4)));
	assert_false(cpu_wrmsr(&f->cpu, MSR_IA32_DS_AREA, BIT64(62)));
	assert_int_equal(msr(f, MSR_IA32_PERF_CAPABILITIES) & PERF_CAPABILITIES_PEBS,
			 PERF_CAPABILITIES_PEBS);
	assert_int_equal(msr(f, MSR_IA32_MISC_ENABLE) & BIT64(12), 0);
	fixture_free(f);

	f = fixture_new(LONG64);
	assert_false(cpu_rdmsr(&f->cpu, MSR_IA32_PEBS_ENABLE, &value));
	assert_false(cpu_rdmsr(&f->cpu, MSR_IA32_DS_AREA, &value));
	assert_false(cpu_wrmsr(&f->cpu, MSR_IA32_PERFEVTSEL0, EVTSEL_ADAPTIVE));
	assert_int_equal(msr(f, MSR_IA32_PERF_CAPABILITIES) & PERF_CAPABILITIES_PEBS, 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_two_counters),
		cmocka_unit_test(test_threshold),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_page_fault),
		cmocka_unit_test(test_disabled),
		cmocka_unit_test(test_reserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
