/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intel PT: filters by address and by CR3, and TraceStop, SDM 3C "Trace Filtering".
 */
#include "tests/l0/machine/interp/pt/traced.h"

#include <intel-pt.h>

#define PLAIN (RTIT_CTL_OS | RTIT_CTL_USER | RTIT_CTL_BRANCH_EN)
#define FILTER(n) (UINT64_C(1) << (RTIT_CTL_ADDR_CFG_SHIFT + 4 * (n)))
#define STOP(n) (UINT64_C(2) << (RTIT_CTL_ADDR_CFG_SHIFT + 4 * (n)))
#define INSIDE (PT_CODE + 0x1000)
#define OTHER (PT_CODE + 0x3000)
#define SECOND_CR3 UINT64_C(0xa000)

/* mov ecx,5; 1: call INSIDE; lea rdx,[rip+OTHER]; call rdx; dec ecx; jnz 1b; hlt
 * INSIDE: test cl,1; jnz OUT (conditional, out of the range); jz 2f; 2: call OTHER; nop; int 0x50;
 * ret OUT: nop; ret; OTHER: nop; ret */
static void put_filtered(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0xb9, 5, 0, 0, 0, 0xe8, 0xf6, 0x0f, 0, 0, 0x48, 0x8d, 0x15, 0xef, 0x2f,
	       0, 0, 0xff, 0xd2, 0xff, 0xc9, 0x75, 0xee, 0xf4);
	PT_PUT(m, INSIDE, 0xf6, 0xc1, 1, 0x0f, 0x85, 0xf7, 0x0f, 0, 0, 0x74, 0, 0xe8, 0xf0, 0x1f, 0,
	       0, 0x90, 0xcd, 0x50, 0xc3);
	PT_PUT(m, INSIDE + 0x1000, 0x90, 0xc3);
	PT_PUT(m, OTHER, 0x90, 0xc3);
}

static void set_ranges(struct machine *m)
{
	put_filtered(m);
	pt_set(m, MSR_IA32_RTIT_ADDR0_A, INSIDE);
	pt_set(m, MSR_IA32_RTIT_ADDR0_A + 1, INSIDE + 0xfff);
	pt_set(m, MSR_IA32_RTIT_ADDR0_A + 2, OTHER);
	pt_set(m, MSR_IA32_RTIT_ADDR0_A + 3, OTHER + 0xfff);
}

static bool inside(uint64_t rip, unsigned cpl, uint64_t cr3)
{
	return PAGE_BASE(rip) == INSIDE;
}

static bool inside_or_other(uint64_t rip, unsigned cpl, uint64_t cr3)
{
	return PAGE_BASE(rip) == INSIDE || PAGE_BASE(rip) == OTHER;
}

static void test_addresses(void **state)
{
	struct pt_run r;

	pt_run(
	    &(struct pt_case){
		.setup = set_ranges, .ctl = PLAIN | FILTER(0), .insns = 1000, .wanted = inside},
	    &r);
	pt_compare(&r, 0, 0);
	assert_int_equal(r.events[ptev_enabled], 5 + 2 + 2);
	pt_run_free(&r);
	pt_run(&(struct pt_case){.setup = set_ranges,
				 .ctl = PLAIN | FILTER(0) | FILTER(1),
				 .insns = 1000,
				 .wanted = inside_or_other},
	       &r);
	pt_compare(&r, 0, 0);
	pt_run_free(&r);
}

/* SDM 3C "TraceStop": nothing after it, until software begins anew. */
static void test_trace_stop(void **state)
{
	struct pt_run r;

	pt_run(&(struct pt_case){.setup = set_ranges, .ctl = PLAIN | STOP(1), .insns = 1000}, &r);
	pt_compare(&r, 0, r.count - 8);
	assert_int_equal(r.events[ptev_stop], 1);
	assert_int_equal(r.decoded, 8);
	assert_int_equal(pt_get(&r.machine, MSR_IA32_RTIT_STATUS) & 0x3f, RTIT_STATUS_STOPPED);
	pt_run_free(&r);
	/* The WRMSR that sets TraceEn is in the range already. */
	pt_run(
	    &(struct pt_case){.setup = set_ranges, .ctl = PLAIN | STOP(0) | FILTER(1), .insns = 4},
	    &r);
	pt_set(&r.machine, MSR_IA32_RTIT_ADDR0_A, 0);
	pt_set(&r.machine, MSR_IA32_RTIT_STATUS, 0);
	pt_set(&r.machine, MSR_IA32_RTIT_CTL, PLAIN | STOP(0) | RTIT_CTL_TRACE_EN);
	r.machine.max_insns += 2;
	r.machine.stop = STOP_NONE;
	interp_cpu_ops.run(r.machine.cpu);
	assert_int_equal(pt_get(&r.machine, MSR_IA32_RTIT_STATUS) & 0x3f, RTIT_STATUS_STOPPED);
	pt_run_free(&r);
}

/* nop; mov rax,SECOND; mov cr3,rax; nop; jmp 1f; 1: mov rax,TABLES; mov cr3,rax; nop; hlt */
static void put_spaces(struct machine *m)
{
	uint64_t table;

	assert_true(memory_read(&m->memory, WHOLE_TABLES, &table, 8));
	whole_put64(m, SECOND_CR3, table);
	PT_PUT(m, PT_CODE, 0x90, 0xb8, 0x00, 0xa0, 0, 0, 0x0f, 0x22, 0xd8, 0x90, 0xeb, 0, 0xb8,
	       0x00, 0x10, 0, 0, 0x0f, 0x22, 0xd8, 0x90, 0xeb, 0, 0x90, 0xf4);
	pt_set(m, MSR_IA32_RTIT_CR3_MATCH, SECOND_CR3);
}

static bool in_second(uint64_t rip, unsigned cpl, uint64_t cr3)
{
	return cr3 == SECOND_CR3;
}

static void test_cr3(void **state)
{
	struct pt_run r;

	pt_run(&(struct pt_case){.setup = put_spaces,
				 .ctl = PLAIN | RTIT_CTL_CR3_FILTER,
				 .insns = 1000,
				 .wanted = in_second},
	       &r);
	pt_compare(&r, 0, 0);
	assert_int_equal(r.decoded, 4);
	assert_int_equal(pt_count_packets(&r, ppt_pip), 1);
	pt_run_free(&r);
	pt_run(&(struct pt_case){.setup = put_spaces, .ctl = PLAIN, .insns = 1000}, &r);
	pt_compare(&r, 0, 1);
	assert_int_equal(r.events[ptev_paging], 2);
	assert_int_equal(pt_count_packets(&r, ppt_pip), 3);
	pt_run_free(&r);
}

/* BranchEn = 0: no control flow, but where it happens. */
static void test_no_branches(void **state)
{
	struct pt_run r;

	pt_run(&(struct pt_case){.setup = put_spaces,
				 .ctl = RTIT_CTL_OS | RTIT_CTL_TSC_EN,
				 .insns = 1000},
	       &r);
	assert_int_equal(pt_count_packets(&r, ppt_pip), 3);
	assert_int_equal(pt_count_packets(&r, ppt_tsc), 1);
	assert_int_equal(pt_count_packets(&r, ppt_tip_pge) + pt_count_packets(&r, ppt_fup) +
			     pt_count_packets(&r, ppt_mode),
			 0);
	pt_run_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_trace_stop),
	    cmocka_unit_test(test_cr3),
	    cmocka_unit_test(test_no_branches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
