/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MSRs as a table: what may be written, what is #GP, what is read back; the TSC and its adjustment,
 * the fixed counters, RDMSR and WRMSR as instructions.
 */
#include "tests/l0/machine/interp/fixture.h"

#include "l0/machine/interp/perf.h"

WEAK bool cpu_set_efer(struct cpu *cpu, uint64_t value)
{
	cpu->efer = value;
	return !(value & ~cpu->profile->caps.efer_valid);
}

WEAK bool vmx_rdmsr(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	*value = cpu->profile->caps.msr[msr - MSR_IA32_VMX_BASIC];
	return true;
}

WEAK void vmx_intercept_rdmsr(struct cpu *cpu, uint32_t msr)
{
	seen.intercepted++;
}

WEAK void vmx_intercept_wrmsr(struct cpu *cpu, uint32_t msr)
{
	seen.intercepted++;
}

WEAK uint64_t vmx_guest_tsc(const struct cpu *cpu, uint64_t tsc)
{
	return tsc + cpu->vmx->tsc_offset;
}

WEAK bool vmx_x2apic_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	*value = 0x77;
	return msr == 0x808;
}

WEAK bool vmx_x2apic_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	seen.written = (unsigned)value;
	return msr == 0x808;
}

static struct fixture *fixture_msr(const char *spec)
{
	struct fixture *f = fixture_new(spec);

	cpu_msr_reset(&f->cpu);
	return f;
}

#define NONCANONICAL UINT64_C(0x0000800000000000)
#define KERNEL UINT64_C(0xffff800000000000)

struct write_case {
	uint32_t msr;
	uint64_t value;
	bool accepted;
	uint64_t read; /* what is read afterwards if accepted */
};

static const struct write_case write_cases[] = {
    {MSR_IA32_LSTAR, KERNEL, true, KERNEL},
    {MSR_IA32_LSTAR, NONCANONICAL, false, 0},
    {MSR_IA32_CSTAR, NONCANONICAL, false, 0},
    {MSR_IA32_STAR, UINT64_MAX, true, UINT64_MAX},
    {MSR_IA32_FMASK, UINT32_MAX, true, UINT32_MAX},
    {MSR_IA32_FMASK, BIT64(32), false, 0},
    {MSR_IA32_FS_BASE, KERNEL, true, KERNEL},
    {MSR_IA32_FS_BASE, NONCANONICAL, false, 0},
    {MSR_IA32_GS_BASE, NONCANONICAL, false, 0},
    {MSR_IA32_KERNEL_GS_BASE, NONCANONICAL, false, 0},
    {MSR_IA32_TSC_AUX, UINT32_MAX, true, UINT32_MAX},
    {MSR_IA32_TSC_AUX, BIT64(32), false, 0},
    {MSR_IA32_SYSENTER_EIP, NONCANONICAL, false, 0},
    {MSR_IA32_SYSENTER_ESP, KERNEL, true, KERNEL},
    {MSR_IA32_PAT, UINT64_C(0x0007040600070406), true, UINT64_C(0x0007040600070406)},
    {MSR_IA32_PAT, UINT64_C(0x0007040600070402), false, 0},
    {MSR_IA32_PAT, UINT64_C(0x0807040600070406), false, 0},
    {MSR_IA32_FEATURE_CONTROL, 1, false, 0}, /* locked */
    {MSR_IA32_SPEC_CTRL, 7, true, 7},
    {MSR_IA32_SPEC_CTRL, 8, false, 0},
    {MSR_IA32_ARCH_CAPABILITIES, 0, false, 0},
    {MSR_IA32_BIOS_SIGN_ID, 0, true, UINT64_C(0x02007006) << 32},
    {MSR_IA32_PLATFORM_ID, 0, false, 0},
    {MSR_IA32_MTRRCAP, 0, false, 0},
    {MSR_IA32_MTRR_DEF_TYPE, 0xc06, true, 0xc06},
    {MSR_IA32_MTRR_DEF_TYPE, 0xc02, false, 0},
    {MSR_IA32_MTRR_DEF_TYPE, 0x1c06, false, 0},
    {MSR_IA32_MTRR_PHYSBASE0, UINT64_C(0x3fffc0000006), true, UINT64_C(0x3fffc0000006)},
    {MSR_IA32_MTRR_PHYSBASE0, BIT64(46) | 6, false, 0},
    {MSR_IA32_MTRR_PHYSBASE0 + 1, 0x7ff, false, 0},
    {MSR_IA32_MTRR_PHYSBASE0 + 19, 0x800, true, 0x800},
    {MSR_IA32_MTRR_PHYSBASE0 + 20, 0, false, 0},
    {MSR_IA32_MTRR_FIX64K_00000, UINT64_C(0x0606060606060606), true, UINT64_C(0x0606060606060606)},
    {MSR_IA32_MTRR_FIX4K_C0000 + 7, UINT64_C(0x0606060606060602), false, 0},
    {MSR_IA32_MTRR_FIX4K_C0000 + 8, 0, false, 0},
    {MSR_IA32_MISC_ENABLE, 1, true, 0x1881}, /* read-only bits stay */
    {MSR_IA32_MISC_ENABLE, BIT64(1), false, 0},
    {MSR_IA32_DEBUGCTL, 2, true, 2},
    {MSR_IA32_DEBUGCTL, BIT64(20), false, 0},
    {MSR_IA32_FIXED_CTR_CTRL, 0x333, true, 0x333},
    {MSR_IA32_FIXED_CTR_CTRL, 4, false, 0},
    {MSR_IA32_PERF_GLOBAL_CTRL, UINT64_C(7) << 32, true, UINT64_C(7) << 32},
    {MSR_IA32_PERF_GLOBAL_CTRL, 0xf, true, 0xf},
    {MSR_IA32_PERF_GLOBAL_CTRL, 0x10, false, 0}, /* four general-purpose counters */
    {MSR_IA32_PERFEVTSEL0, 0x004300c0, true, 0x004300c0},
    {MSR_IA32_PERFEVTSEL0, BIT64(21), false, 0},
    {MSR_IA32_PERFEVTSEL0 + 3, BIT64(32), false, 0},
    {MSR_IA32_PERFEVTSEL0 + 4, 0, false, 0},
    {MSR_IA32_PMC0, 0x80000000, true, UINT64_C(0xffff80000000)}, /* sign-extended to 48 bits */
    {MSR_IA32_PMC0 + 3, 5, true, 5},
    {MSR_IA32_PMC0 + 4, 0, false, 0},
    {MSR_IA32_PERF_GLOBAL_STATUS, 0, false, 0},
    {MSR_IA32_FIXED_CTR0 + 3, 0, false, 0},
    {MSR_IA32_XSS, 0, true, 0},
    {MSR_IA32_XSS, BIT64(8), true, BIT64(8)}, /* PT state */
    {MSR_IA32_XSS, BIT64(11), false, 0},	      /* no CET on this part */
    {MSR_IA32_BNDCFGS, UINT64_C(0xffff800000000003), true, UINT64_C(0xffff800000000003)},
    {MSR_IA32_BNDCFGS, 4, false, 0},
    {MSR_IA32_BNDCFGS, 0x800, false, 0},
    {MSR_IA32_BNDCFGS, UINT64_C(0x800000000000), false, 0},
    {MSR_IA32_VMX_BASIC, 0, false, 0},
    {0x12345678, 0, false, 0},
};

static void test_writes(void **state)
{
	for (size_t i = 0; i < sizeof(write_cases) / sizeof(write_cases[0]); i++) {
		const struct write_case *c = &write_cases[i];
		struct fixture *f = fixture_msr(NULL);
		uint64_t value;

		assert_int_equal(cpu_wrmsr(&f->cpu, c->msr, c->value), c->accepted);
		if (c->accepted) {
			assert_true(cpu_rdmsr(&f->cpu, c->msr, &value));
			assert_int_equal(value, c->read);
		}
		fixture_free(f);
	}
}

/* Write-only commands, and MSRs that go with the feature. */
static void test_presence(void **state)
{
	static const struct {
		uint32_t msr;
		const char *without;
		bool reads; /* on the full part */
	} cases[] = {
		{MSR_IA32_PRED_CMD, NULL, false},
		{MSR_IA32_FLUSH_CMD, NULL, false},
		{MSR_IA32_SPEC_CTRL, "skylake,-spec-ctrl", true},
		{MSR_IA32_TSC_ADJUST, "skylake,-tsc-adjust", true},
		{MSR_IA32_FEATURE_CONTROL, "skylake,-vmx", true},
		{MSR_IA32_VMX_BASIC, "skylake,-vmx", true},
		{MSR_IA32_TSC_AUX, "skylake,-rdtscp", true},
		{MSR_IA32_EFER, "skylake,-lm", true},
		{MSR_IA32_LSTAR, "skylake,-lm", true},
		{MSR_IA32_MTRRCAP, "skylake,-mtrr", true},
		{MSR_IA32_MTRR_DEF_TYPE, "skylake,-mtrr", true},
		{MSR_IA32_PAT, "skylake,-pat", true},
		{MSR_IA32_SYSENTER_EIP, "skylake,-sep", true},
		{MSR_IA32_ARCH_CAPABILITIES, "skylake,-arch-capabilities", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = fixture_msr(NULL);
		uint64_t value;

		assert_int_equal(cpu_rdmsr(&f->cpu, cases[i].msr, &value), cases[i].reads);
		fixture_free(f);
		if (!cases[i].without)
			continue;
		f = fixture_msr(cases[i].without);
		assert_false(cpu_rdmsr(&f->cpu, cases[i].msr, &value));
		assert_false(cpu_wrmsr(&f->cpu, cases[i].msr, 0));
		fixture_free(f);
	}
}

/* The part as firmware leaves it: VMX usable, memory write-back but for the PCI hole. */
static void test_reset_values(void **state)
{
	struct fixture *f = fixture_msr(NULL);
	uint64_t value;

	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_FEATURE_CONTROL, &value));
	assert_int_equal(value, FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_PAT, &value));
	assert_int_equal(value, UINT64_C(0x0007040600070406));
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_MTRR_DEF_TYPE, &value));
	assert_int_equal(value, 0x806);
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_MTRR_PHYSBASE0, &value));
	assert_int_equal(value, 0xc0000000u);
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_MTRR_PHYSBASE0 + 1, &value));
	assert_int_equal(value, UINT64_C(0x3fffc0000800));
	fixture_free(f);
}

/* Every row reads or writes on a part that has everything. */
static void test_every_row_is_reachable(void **state)
{
	static const uint32_t numbers[] = {
#define MSR_FIELD(name, number, ...) number,
#define MSR_CONST(name, number, ...) number,
#define MSR_CALL(name, number, ...) number,
#include "l0/machine/interp/msrs.def"
#undef MSR_FIELD
#undef MSR_CONST
#undef MSR_CALL
	};
	struct fixture *f = fixture_msr("sapphire-rapids,+xsaves,+mpx,+rtm");

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t value;

		if (numbers[i] == MSR_IA32_APIC_BASE || numbers[i] == MSR_IA32_TSC_DEADLINE)
			continue; /* the local APIC's, which is not here */
		assert_true(cpu_rdmsr(&f->cpu, numbers[i], &value) ||
			    cpu_wrmsr(&f->cpu, numbers[i], 0));
	}
	fixture_free(f);
}

/* SDM 3B "Time-Stamp Counter Adjustment" */
static void test_tsc(void **state)
{
	struct fixture *f = fixture_msr(NULL);
	uint64_t value;

	seen.now = 1000;
	assert_int_equal(cpu_tsc(&f->cpu), 1000);
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_TSC, 5000));
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_TSC_ADJUST, &value));
	assert_int_equal(value, 4000);
	seen.now = 1500;
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_TSC, &value));
	assert_int_equal(value, 5500);
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_TSC_ADJUST, (uint64_t)-500));
	assert_int_equal(cpu_tsc(&f->cpu), 1000);
	fixture_free(f);
}

static uint64_t counter(struct fixture *f, unsigned n)
{
	uint64_t value, by_rdpmc;

	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_FIXED_CTR0 + n, &value));
	assert_true(perf_rdpmc(&f->cpu, BIT32(30) | n, &by_rdpmc));
	assert_int_equal(value, by_rdpmc);
	return value;
}

static void test_fixed_counters(void **state)
{
	struct fixture *f = fixture_msr(NULL);

	seen.retired = 100;
	seen.now = 1000;
	assert_int_equal(counter(f, 0), 0);
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR_CTRL, 0x033));
	assert_int_equal(counter(f, 0), 0); /* globally off */
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_CTRL, UINT64_C(7) << 32));
	assert_int_equal(counter(f, 0), 0); /* starts at what it held */
	seen.retired += 7;
	seen.now += 30;
	assert_int_equal(counter(f, 0), 7);
	assert_int_equal(counter(f, 1), 30);
	assert_int_equal(counter(f, 2), 0); /* its own enables are 0 */
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR0, UINT64_C(0xffffffffffff)));
	seen.retired += 3;
	assert_int_equal(counter(f, 0), 2); /* 48 bits wide */
	assert_false(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR0, BIT64(48)));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_CTRL, 0));
	seen.retired += 1000;
	assert_int_equal(counter(f, 0), 2); /* stopped, kept */
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_CTRL, UINT64_C(1) << 32));
	seen.retired += 1;
	assert_int_equal(counter(f, 0), 3);
	assert_int_equal(counter(f, 1), 30);
	fixture_free(f);
}

static void test_overflow_status(void **state)
{
	struct fixture *f = fixture_msr(NULL);
	uint64_t value;

	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR_CTRL, 3));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_CTRL, UINT64_C(1) << 32 | 1));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERFEVTSEL0, 0x004300c0));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR0, UINT64_C(0xfffffffffffe)));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PMC0, 0xfffffffd));
	seen.retired += 1;
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_STATUS, &value));
	assert_int_equal(value, 0);
	seen.retired += 1;
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_STATUS, &value));
	assert_int_equal(value, UINT64_C(1) << 32);
	assert_int_equal(counter(f, 0), 0);
	seen.retired += 5;
	/* Stopping and rewriting a counter does not lose its overflow. */
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERFEVTSEL0, 0));
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_STATUS, &value));
	assert_int_equal(value, UINT64_C(1) << 32 | 1);
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_OVF_CTRL, 1));
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_STATUS, &value));
	assert_int_equal(value, UINT64_C(1) << 32);
	fixture_free(f);
}

/* Cycles that were slept through are not core cycles. */
static void test_halted_cycles(void **state)
{
	struct fixture *f = fixture_msr(NULL);

	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR_CTRL, 0x330));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_CTRL, UINT64_C(7) << 32));
	seen.now += 1000;
	f->cpu.halted += 900;
	assert_int_equal(counter(f, 1), 100);
	assert_int_equal(counter(f, 2), 100);
	assert_int_equal(cpu_tsc(&f->cpu), 1000);
	fixture_free(f);
}

static void test_general_counters(void **state)
{
	static const struct {
		uint64_t evtsel, counted; /* in 7 instructions, 30 cycles, 2 branches, at CPL 0 */
	} cases[] = {
		{0x004300c0, 7}, {0x0043003c, 30}, {0x0043013c, 30}, {0x004300c5, 0},
		{0x000300c0, 0}, {0x004000c0, 0},  {0x004100c0, 0},  {0x004200c0, 7},
		{0x014300c0, 7}, {0x024300c0, 0},  {0x01c300c0, 23}, {0x02c300c0, 30},
		{0x004300c4, 2},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = fixture_msr(NULL);
		uint64_t value;

		seen.retired = 1000;
		seen.now = 5000;
		assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PMC0 + 1, 100));
		assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERFEVTSEL0 + 1, cases[i].evtsel));
		seen.retired += 7;
		seen.now += 30;
		f->cpu.branches += 2;
		assert_true(perf_rdpmc(&f->cpu, 1, &value));
		assert_int_equal(value, 100 + cases[i].counted);
		/* Another event takes over where the first stopped. */
		assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERFEVTSEL0 + 1, 0x0043003c));
		seen.now += 5;
		assert_true(perf_rdpmc(&f->cpu, 1, &value));
		assert_int_equal(value, 105 + cases[i].counted);
		assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERFEVTSEL0 + 1, cases[i].evtsel));
		assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_STATUS, &value));
		assert_int_equal(value, 0);
		assert_false(perf_rdpmc(&f->cpu, 4, &value));
		fixture_free(f);
	}
}

/* Each ring class counts for itself. */
static void test_counters_by_ring(void **state)
{
	struct fixture *f = fixture_msr(NULL);
	uint64_t value;

	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR_CTRL, 0x1)); /* OS */
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERFEVTSEL0, 0x004100c0)); /* USR */
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_CTRL, UINT64_C(1) << 32 | 1));
	for (unsigned round = 1; round <= 3; round++) {
		seen.retired += 5;
		f->cpu.cpl = 3;
		mmu_view_changed(&f->cpu);
		seen.retired += 7;
		f->cpu.cpl = 0;
		mmu_view_changed(&f->cpu);
		assert_int_equal(counter(f, 0), 5 * round);
		assert_true(perf_rdpmc(&f->cpu, 0, &value));
		assert_int_equal(value, 7 * round);
	}
	fixture_free(f);
}

/* When the machine must look again: not later than so many cycles as events are missing. */
static void test_overflow_time(void **state)
{
	struct fixture *f = fixture_msr(NULL);

	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR_CTRL, 0xb));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_CTRL, UINT64_C(1) << 32));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR0, COUNTER_MASK - 9));
	assert_int_equal(perf_next_event(&f->cpu, 100), 110);
	seen.retired += 9;
	assert_int_equal(perf_next_event(&f->cpu, 200), 201);
	/* Without its enable a counter overflows in silence. */
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR_CTRL, 0x3));
	assert_true(perf_next_event(&f->cpu, 0) == UINT64_MAX);
	fixture_free(f);
}

/* IA32_PERF_GLOBAL_STATUS.CTR_Frz stops every counter until it is cleared. */
static void test_frozen(void **state)
{
	struct fixture *f = fixture_msr(NULL);

	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR_CTRL, 0x3));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_CTRL, UINT64_C(1) << 32));
	assert_false(cpu_wrmsr(&f->cpu, 0x391, UINT64_C(1) << 63));
	assert_true(cpu_wrmsr(&f->cpu, 0x391, PERF_STATUS_CTR_FRZ));
	seen.retired += 6;
	assert_int_equal(counter(f, 0), 0);
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERF_GLOBAL_OVF_CTRL, PERF_STATUS_CTR_FRZ));
	seen.retired += 6;
	assert_int_equal(counter(f, 0), 6);
	fixture_free(f);
}

static void test_full_width(void **state)
{
	struct fixture *f = fixture_msr(NULL);
	uint64_t value;

	assert_true(cpu_wrmsr(&f->cpu, 0x4c2, COUNTER_MASK - 1));
	assert_false(cpu_wrmsr(&f->cpu, 0x4c2, COUNTER_MASK + 1));
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_PMC0 + 1, &value));
	assert_int_equal(value, COUNTER_MASK - 1);
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PMC0 + 1, UINT64_C(0x7fffffff80000000)));
	assert_true(cpu_rdmsr(&f->cpu, 0x4c2, &value));
	assert_int_equal(value, UINT64_C(0xffff80000000));
	fixture_free(f);
}

static void test_inuse(void **state)
{
	struct fixture *f = fixture_msr(NULL);
	uint64_t value;

	assert_true(cpu_rdmsr(&f->cpu, 0x392, &value));
	assert_int_equal(value, 0);
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_PERFEVTSEL0 + 2, 0xc0));
	assert_true(cpu_wrmsr(&f->cpu, MSR_IA32_FIXED_CTR_CTRL, 0x8a0));
	assert_true(cpu_rdmsr(&f->cpu, 0x392, &value));
	assert_true(value == (UINT64_C(1) << 63 | UINT64_C(2) << 32 | 4));
	fixture_free(f);
}

static void test_machine_check_banks(void **state)
{
	struct fixture *f = fixture_msr(NULL);
	uint64_t value, banks;

	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_MCG_CAP, &banks));
	assert_int_equal(banks & 0xff, MC_BANKS);
	for (uint32_t bank = 0; bank < 32; bank++) {
		uint32_t ctl = MSR_IA32_MC0_CTL + 4 * bank;
		bool there = bank < MC_BANKS;

		assert_int_equal(cpu_wrmsr(&f->cpu, ctl, UINT64_MAX), there);
		assert_false(cpu_wrmsr(&f->cpu, ctl, 1));
		assert_int_equal(cpu_wrmsr(&f->cpu, ctl + 1, 0), there);
		assert_false(cpu_wrmsr(&f->cpu, ctl + 1, 1));
		assert_int_equal(cpu_wrmsr(&f->cpu, ctl + 2, 0x123 + bank), there);
		assert_int_equal(cpu_wrmsr(&f->cpu, ctl + 3, 0x456 + bank), there);
	}
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_MC0_CTL + 4 + 2, &value));
	assert_int_equal(value, 0x124);
	assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_MC0_CTL + 4 + 1, &value));
	assert_int_equal(value, 0);
	assert_false(cpu_rdmsr(&f->cpu, MSR_IA32_MC0_CTL + 4 * MC_BANKS, &value));
	fixture_free(f);
}

static void test_lbr_registers(void **state)
{
	static const struct {
		const char *part;
		unsigned depth;
		bool info;
		unsigned format;
	} parts[] = {{"skylake", 32, true, 5}, {"nehalem", 16, false, 2}};

	for (size_t i = 0; i < 2; i++) {
		struct fixture *f = fixture_msr(parts[i].part);
		uint64_t value;

		for (unsigned n = 0; n < 32; n++) {
			assert_int_equal(cpu_wrmsr(&f->cpu, MSR_LBR_FROM_0 + n, n),
					 n < parts[i].depth);
			assert_int_equal(cpu_wrmsr(&f->cpu, MSR_LBR_TO_0 + n, n),
					 n < parts[i].depth);
		}
		assert_int_equal(cpu_wrmsr(&f->cpu, MSR_LBR_INFO_0, 1), parts[i].info);
		assert_true(cpu_rdmsr(&f->cpu, MSR_LBR_TO_0 + 15, &value));
		assert_int_equal(value, 15);
		assert_false(cpu_wrmsr(&f->cpu, MSR_LBR_TO_0, UINT64_C(1) << 62));
		assert_false(cpu_wrmsr(&f->cpu, MSR_LBR_TOS, parts[i].depth));
		assert_false(cpu_wrmsr(&f->cpu, MSR_LBR_SELECT, 0x200));
		assert_true(cpu_rdmsr(&f->cpu, MSR_IA32_PERF_CAPABILITIES, &value));
		assert_int_equal(value & 0x3f, parts[i].format);
		fixture_free(f);
	}
}

static bool insn_escapes(struct fixture *f, void (*insn)(struct cpu *, const struct op *),
			 const struct op *op)
{
	return ESCAPES(f, insn(&f->cpu, op));
}

static void test_instructions(void **state)
{
	struct fixture *f = fixture_msr(NULL);
	struct op op = {.len = 2};

	f->cpu.gpr[REG_RCX] = UINT64_C(0xdead00000000) | MSR_IA32_LSTAR; /* ECX counts */
	f->cpu.gpr[REG_RAX] = UINT64_C(0x1111111122222222);
	f->cpu.gpr[REG_RDX] = UINT64_C(0x33333333ffff8000);
	assert_false(insn_escapes(f, insn_wrmsr, &op));
	assert_int_equal(f->cpu.msrs.lstar, UINT64_C(0xffff800022222222));
	f->cpu.gpr[REG_RAX] = f->cpu.gpr[REG_RDX] = UINT64_MAX;
	assert_false(insn_escapes(f, insn_rdmsr, &op));
	assert_int_equal(f->cpu.gpr[REG_RAX], 0x22222222);
	assert_int_equal(f->cpu.gpr[REG_RDX], 0xffff8000u);
	assert_int_equal(seen.intercepted, 2);
	f->cpu.gpr[REG_RCX] = 0x12345678;
	assert_true(insn_escapes(f, insn_rdmsr, &op));
	assert_int_equal(f->cpu.event.vector, VECTOR_GP);
	/* CPL comes before the VM exit. */
	f->cpu.cpl = 3;
	seen.intercepted = 0;
	assert_true(insn_escapes(f, insn_rdmsr, &op));
	assert_true(insn_escapes(f, insn_wrmsr, &op));
	assert_int_equal(seen.intercepted, 0);
	f->cpu.cpl = 0;
	/* In non-root operation: TSC offset, virtual x2APIC. */
	f->vmx.nonroot = true;
	f->vmx.tsc_offset = 5;
	seen.now = 100;
	f->cpu.gpr[REG_RCX] = MSR_IA32_TSC;
	assert_false(insn_escapes(f, insn_rdmsr, &op));
	assert_int_equal(f->cpu.gpr[REG_RAX], 105);
	f->cpu.gpr[REG_RCX] = 0x808;
	assert_false(insn_escapes(f, insn_rdmsr, &op));
	assert_int_equal(f->cpu.gpr[REG_RAX], 0x77);
	f->cpu.gpr[REG_RAX] = 0x20;
	f->cpu.gpr[REG_RDX] = 0;
	assert_false(insn_escapes(f, insn_wrmsr, &op));
	assert_int_equal(seen.written, 0x20);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_presence),
		cmocka_unit_test(test_reset_values),
		cmocka_unit_test(test_every_row_is_reachable),
		cmocka_unit_test(test_tsc),
		cmocka_unit_test(test_fixed_counters),
		cmocka_unit_test(test_general_counters),
		cmocka_unit_test(test_counters_by_ring),
		cmocka_unit_test(test_overflow_time),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_full_width),
		cmocka_unit_test(test_inuse),
		cmocka_unit_test(test_machine_check_banks),
		cmocka_unit_test(test_lbr_registers),
		cmocka_unit_test(test_overflow_status),
		cmocka_unit_test(test_halted_cycles),
		cmocka_unit_test(test_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
