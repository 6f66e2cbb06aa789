/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intel PT: CPUID leaf 14H, what its registers take and when, XSAVES and XRSTORS, VMXON, INIT. SDM
 * 3C "Enabling and Configuration MSRs".
 */
#include "tests/l0/machine/interp/pt/traced.h"

#include <intel-pt.h>

#include "l0/machine/interp/profile.h"

#define PLAIN (RTIT_CTL_OS | RTIT_CTL_USER | RTIT_CTL_BRANCH_EN)
#define AREA PT_DATA

static void nothing(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0x90, 0xeb, 0, 0x90, 0xf4);
}

static void test_cpuid(void **state)
{
	static const struct {
		const char *part;
		uint32_t leaf, subleaf, out[4];
	} cases[] = {
	    {"skylake", 0x14, 0, {1, 0xf, 7, 0}},
	    {"skylake", 0x14, 1, {0x02490002, 0x003f3fff, 0, 0}},
	    {"sapphire-rapids", 0x14, 0, {1, 0xf, 7, 0}},
	    {"skylake", 0x14, 2, {0}},
	    {"nehalem", 0x14, 0, {0}},
	    {"skylake,-intel-pt", 0x14, 1, {0}},
	    {"skylake,-intel-pt", 0xd, 8, {0}},
	    {"skylake", 0xd, 8, {128, 0, 1, 0}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine m;
		uint32_t out[4];

		whole_create_part(&m, PT_RAM, cases[i].part);
		cpu_cpuid(m.cpu, cases[i].leaf, cases[i].subleaf, out);
		assert_memory_equal(out, cases[i].out, sizeof(out));
		machine_free(&m);
	}
}

/* Which values are accepted while TraceEn is 0, and what is read then. */
static void test_values(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
		bool accepted;
		uint64_t read;
	} cases[] = {
	    {MSR_IA32_RTIT_CTL, 0x2f8e, true, 0x2f8e},
	    {MSR_IA32_RTIT_CTL, PLAIN, true, PLAIN},
	    {MSR_IA32_RTIT_CTL, BIT64(4), false, 0},
	    {MSR_IA32_RTIT_CTL, BIT64(5), false, 0},
	    {MSR_IA32_RTIT_CTL, BIT64(6), false, 0},
	    {MSR_IA32_RTIT_CTL, BIT64(12), false, 0},
	    {MSR_IA32_RTIT_CTL, BIT64(18), false, 0},
	    {MSR_IA32_RTIT_CTL, BIT64(55), false, 0},
	    {MSR_IA32_RTIT_CTL, UINT64_C(3) << 14, true, UINT64_C(3) << 14},
	    {MSR_IA32_RTIT_CTL, UINT64_C(4) << 14, false, 0},
	    {MSR_IA32_RTIT_CTL, UINT64_C(13) << 19, true, UINT64_C(13) << 19},
	    {MSR_IA32_RTIT_CTL, UINT64_C(14) << 19, false, 0},
	    {MSR_IA32_RTIT_CTL, UINT64_C(5) << 24, true, UINT64_C(5) << 24},
	    {MSR_IA32_RTIT_CTL, UINT64_C(6) << 24, false, 0},
	    {MSR_IA32_RTIT_CTL, UINT64_C(2) << 36 | UINT64_C(1) << 32, true, UINT64_C(0x21) << 32},
	    {MSR_IA32_RTIT_CTL, UINT64_C(3) << 32, false, 0},
	    {MSR_IA32_RTIT_CTL, UINT64_C(1) << 40, false, 0},
	    {MSR_IA32_RTIT_STATUS, UINT64_C(0x1ffff) << 32 | 0x37, true,
	     UINT64_C(0x1ffff) << 32 | 0x30},
	    {MSR_IA32_RTIT_STATUS, 8, false, 0},
	    {MSR_IA32_RTIT_STATUS, 0x40, false, 0},
	    {MSR_IA32_RTIT_STATUS, BIT64(49), false, 0},
	    {MSR_IA32_RTIT_OUTPUT_BASE, 0x1080, true, 0x1080},
	    {MSR_IA32_RTIT_OUTPUT_BASE, 0x1040, false, 0},
	    {MSR_IA32_RTIT_OUTPUT_BASE, BIT64(46), false, 0},
	    {MSR_IA32_RTIT_OUTPUT_MASK_PTRS, 0, true, 0x7f},
	    {MSR_IA32_RTIT_OUTPUT_MASK_PTRS, UINT64_MAX, true, UINT64_MAX},
	    {MSR_IA32_RTIT_CR3_MATCH, 0xffe0, true, 0xffe0},
	    {MSR_IA32_RTIT_CR3_MATCH, 0x10, false, 0},
	    {MSR_IA32_RTIT_ADDR0_A, UINT64_C(0xffff800000000000), true,
	     UINT64_C(0xffff800000000000)},
	    {MSR_IA32_RTIT_ADDR0_A, UINT64_C(0x800000000000), false, 0},
	    {MSR_IA32_RTIT_ADDR0_A + 3, 1, true, 1},
	    {MSR_IA32_RTIT_ADDR0_A + 4, 0, false, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine m;

		whole_create(&m, PT_RAM);
		if (cpu_wrmsr(m.cpu, cases[i].msr, cases[i].value) != cases[i].accepted)
			fail_msg("case %zu", i);
		if (cases[i].accepted)
			assert_int_equal(pt_get(&m, cases[i].msr), cases[i].read);
		machine_free(&m);
	}
}

static void test_absent(void **state)
{
	struct machine m;
	uint64_t value;

	whole_create_part(&m, PT_RAM, "skylake,-intel-pt");
	for (uint32_t msr = MSR_IA32_RTIT_OUTPUT_BASE; msr <= MSR_IA32_RTIT_ADDR3_B; msr++) {
		assert_false(cpu_rdmsr(m.cpu, msr, &value));
		assert_false(cpu_wrmsr(m.cpu, msr, 0));
	}
	machine_free(&m);
}

/* SDM 3C "Other Writes to IA32_RTIT_CTL": all are locked but for the one that clears TraceEn. */
static void test_locked(void **state)
{
	static const uint32_t msrs[] = {MSR_IA32_RTIT_STATUS,	 MSR_IA32_RTIT_OUTPUT_BASE,
					MSR_IA32_RTIT_CR3_MATCH, MSR_IA32_RTIT_OUTPUT_MASK_PTRS,
					MSR_IA32_RTIT_ADDR0_A,	 MSR_IA32_RTIT_ADDR0_A + 3};
	struct machine m;

	pt_prepare(&(struct pt_case){.setup = nothing, .ctl = PLAIN}, &m);
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		assert_false(cpu_wrmsr(m.cpu, msrs[i], 0));
	assert_true(cpu_wrmsr(m.cpu, MSR_IA32_RTIT_CTL, PLAIN | RTIT_CTL_TRACE_EN));
	assert_false(
	    cpu_wrmsr(m.cpu, MSR_IA32_RTIT_CTL, PLAIN | RTIT_CTL_TRACE_EN | RTIT_CTL_TSC_EN));
	assert_true(pt_get(&m, MSR_IA32_RTIT_STATUS) & RTIT_STATUS_TRIGGER_EN);
	assert_true(cpu_wrmsr(m.cpu, MSR_IA32_RTIT_CTL, RTIT_CTL_TSC_EN));
	assert_int_equal(pt_get(&m, MSR_IA32_RTIT_STATUS), 0);
	assert_true(cpu_wrmsr(m.cpu, MSR_IA32_RTIT_STATUS, 0));
	machine_free(&m);
}

/* nop; xsaves [AREA]; nop; hlt with RFBM = PT, tracing: the image says that it was on. Then
 * xrstors; nop; hlt: it is on again, and goes on where it was. */
static void put_xsaves(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0x90, 0xbf, 0, 0, 0x90, 0, 0xb8, 0, 1, 0, 0, 0x31, 0xd2, 0x0f, 0xc7,
	       0x2f, 0x90, 0x90, 0x0f, 0xc7, 0x1f, 0x90, 0xeb, 0, 0x90, 0xf4);
	m->cpu->cr4 |= CR4_OSXSAVE;
	m->cpu->xcr0 = 3;
	pt_set(m, MSR_IA32_XSS, 0x100);
	pt_set(m, MSR_IA32_RTIT_ADDR0_A, 0x1234);
}

static bool not_between(uint64_t rip, unsigned cpl, uint64_t cr3)
{
	return rip < PT_CODE + 13 || rip > PT_CODE + 18;
}

static void test_xsaves(void **state)
{
	struct pt_run r;
	uint64_t image[9], header[2];

	pt_run(
	    &(struct pt_case){
		.setup = put_xsaves, .ctl = PLAIN, .insns = 1000, .wanted = not_between},
	    &r);
	assert_true(memory_read(&r.machine.memory, AREA + 576, image, sizeof(image)));
	assert_true(memory_read(&r.machine.memory, AREA + 512, header, sizeof(header)));
	assert_int_equal(header[0], 0x100);
	assert_int_equal(header[1], BIT64(63) | 0x100);
	assert_int_equal(image[0], PLAIN | RTIT_CTL_TRACE_EN);
	assert_int_equal(image[1], PT_BUFFER);
	assert_int_equal(image[5], 0x1234);
	pt_compare(&r, 0, 1);
	assert_int_equal(pt_count_packets(&r, ppt_tip_pge), 2);
	assert_int_equal(pt_count_packets(&r, ppt_psb), 1);
	pt_run_free(&r);
}

/* XRSTORS while TraceEn is 1 is #GP, and so is a value that WRMSR would refuse. */
static void put_xrstors(struct machine *m)
{
	put_xsaves(m);
	PT_PUT(m, PT_CODE, 0xbf, 0, 0, 0x90, 0, 0xb8, 0, 1, 0, 0, 0x31, 0xd2, 0x0f, 0xc7, 0x1f,
	       0xf4);
	whole_put64(m, AREA + 512, 0x100);
	whole_put64(m, AREA + 520, BIT64(63) | 0x100);
	PT_PUT(m, PT_HANDLER(VECTOR_GP), 0x49, 0xff, 0xc6, 0xf4);
}

static void run_on(struct machine *m)
{
	m->max_insns = m->cpu->insns + 100;
	m->stop = STOP_NONE;
	interp_cpu_ops.run(m->cpu);
	assert_int_equal(m->stop, STOP_HALTED);
}

static void test_xrstors_faults(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct machine m;

		pt_prepare(&(struct pt_case){.setup = put_xrstors, .ctl = PLAIN}, &m);
		if (i)
			pt_set(&m, MSR_IA32_RTIT_CTL, 0);
		whole_put64(&m, AREA + 576, i == 1 ? BIT64(4) : PLAIN);
		whole_put64(&m, AREA + 576 + 32, i == 2 ? 1 : 0x20);
		run_on(&m);
		assert_int_equal(m.cpu->gpr[14], i < 3);
		assert_int_equal(pt_get(&m, MSR_IA32_RTIT_CR3_MATCH), i < 3 ? 0 : 0x20);
		machine_free(&m);
	}
}

/* While IA32_VMX_MISC[14] is 0 VMXON clears TraceEn, and it cannot be set after it. */
static void put_vmxon(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0x90, 0xf3, 0x0f, 0xc7, 0x34, 0x25, 0, 0, 0x90, 0, 0x90, 0xf4);
	whole_put64(m, PT_DATA, PT_DATA + PAGE_SIZE);
	whole_put64(m, PT_DATA + PAGE_SIZE, VMCS_REVISION);
	m->cpu->cr0 |= CR0_NE;
	m->cpu->cr4 |= CR4_VMXE;
}

static bool before_vmxon(uint64_t rip, unsigned cpl, uint64_t cr3)
{
	return rip == PT_CODE;
}

static void test_vmxon(void **state)
{
	struct pt_run r;

	pt_run(&(struct pt_case){.part = "cascade-lake,-vmx-intel-pt",
				 .setup = put_vmxon,
				 .ctl = PLAIN,
				 .insns = 1000,
				 .wanted = before_vmxon},
	       &r);
	pt_compare(&r, 0, 0);
	assert_int_equal(r.events[ptev_async_disabled], 1);
	assert_false(cpu_wrmsr(r.machine.cpu, MSR_IA32_RTIT_CTL, PLAIN | RTIT_CTL_TRACE_EN));
	pt_run_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cpuid),  cmocka_unit_test(test_values),
	    cmocka_unit_test(test_absent), cmocka_unit_test(test_locked),
	    cmocka_unit_test(test_xsaves), cmocka_unit_test(test_xrstors_faults),
	    cmocka_unit_test(test_vmxon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
