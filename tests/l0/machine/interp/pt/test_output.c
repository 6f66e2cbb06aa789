/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intel PT: where the bytes go, SDM 3C "Trace Output". The same trace in a single range, in one
 * that wraps, and in tables of physical addresses; INT, STOP, END; what is ill described ends it.
 */
#include "tests/l0/machine/interp/pt/traced.h"

#include <intel-pt.h>

#include "l0/machine/devices/lapic.h"

#define PLAIN (RTIT_CTL_OS | RTIT_CTL_USER | RTIT_CTL_BRANCH_EN)
#define TOPA (PLAIN | RTIT_CTL_TOPA)
#define END 1u
#define INT 4u
#define STOP 16u
#define SIZE(n) ((n) << 6)
#define SECOND_TABLE (PT_TOPA + PAGE_SIZE)
#define STATUS(m) (pt_get(m, MSR_IA32_RTIT_STATUS) & 0x3f)

/* mov ecx,n; 1: lea rdx,[rip]; call f; dec ecx; jnz 1b; hlt; f: int 0x50; ret. 40000 rounds. */
static void put_busy(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0xb9, 0x40, 0x9c, 0, 0, 0xe8, 0xf6, 0, 0, 0, 0xff, 0xc9, 0x75, 0xf7,
	       0xf4);
	PT_PUT(m, PT_CODE + 0x100, 0xcd, 0x50, 0xc3);
}

static void run(struct machine *m, uint64_t insns)
{
	m->max_insns = insns;
	m->stop = STOP_NONE;
	interp_cpu_ops.run(m->cpu);
}

/* The trace of `insns` instructions in a range that is large enough: what all others must hold. */
static uint8_t *reference(uint64_t insns, size_t *size)
{
	struct machine m;
	uint8_t *trace;

	pt_prepare(&(struct pt_case){.setup = put_busy, .ctl = PLAIN}, &m);
	run(&m, insns);
	*size = pt_get(&m, MSR_IA32_RTIT_OUTPUT_MASK_PTRS) >> 32;
	trace = malloc(*size);
	assert_true(memory_read(&m.memory, PT_BUFFER, trace, *size));
	machine_free(&m);
	return trace;
}

static void same(struct machine *m, uint64_t at, const uint8_t *trace, size_t size)
{
	uint8_t byte;

	for (size_t i = 0; i < size; i++) {
		assert_true(memory_read(&m->memory, at + i, &byte, 1));
		assert_int_equal(byte, trace[i]);
	}
}

static void test_range_wraps(void **state)
{
	struct machine m;
	size_t size;
	uint8_t *trace = reference(20000, &size);
	uint64_t pointers;

	pt_prepare(&(struct pt_case){.setup = put_busy, .ctl = PLAIN}, &m);
	pt_set(&m, MSR_IA32_RTIT_CTL, 0);
	pt_set(&m, MSR_IA32_RTIT_OUTPUT_MASK_PTRS, UINT64_C(0x10) << 32 | 0xfff);
	pt_set(&m, MSR_IA32_RTIT_CTL, PLAIN | RTIT_CTL_TRACE_EN);
	run(&m, 20000);
	pointers = pt_get(&m, MSR_IA32_RTIT_OUTPUT_MASK_PTRS);
	assert_int_equal(pointers >> 32, (size + 0x10) % 0x1000);
	assert_int_equal((uint32_t)pointers, 0xfff);
	same(&m, PT_BUFFER, trace + size - (size + 0x10) % 0x1000, (size + 0x10) % 0x1000);
	machine_free(&m);
	free(trace);
}

static void topa(struct machine *m, const uint64_t *entries, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		whole_put64(m, PT_TOPA + 8 * i, entries[i]);
	pt_set(m, MSR_IA32_RTIT_CTL, 0);
	pt_set(m, MSR_IA32_RTIT_OUTPUT_BASE, PT_TOPA);
	pt_set(m, MSR_IA32_RTIT_OUTPUT_MASK_PTRS, 0x7f);
	pt_set(m, MSR_IA32_RTIT_STATUS, 0);
	pt_set(m, MSR_IA32_RTIT_CTL, TOPA | RTIT_CTL_TRACE_EN);
}

static void start(struct machine *m, const uint64_t *entries, unsigned count)
{
	pt_prepare(&(struct pt_case){.setup = put_busy, .ctl = PLAIN}, m);
	topa(m, entries, count);
}

/* Two regions that do not adjoin, then another table with one more. */
static void test_tables(void **state)
{
	static const uint64_t entries[] = {PT_BUFFER | SIZE(1), (PT_BUFFER + 0x10000) | SIZE(0),
					   SECOND_TABLE | END};
	struct machine m;
	size_t size;
	uint8_t *trace = reference(10000, &size);

	assert_true(size > 0x4000 && size < 0x7000);
	start(&m, entries, 3);
	whole_put64(&m, SECOND_TABLE, (PT_BUFFER + 0x20000) | SIZE(2));
	whole_put64(&m, SECOND_TABLE + 8, PT_TOPA | END);
	run(&m, 10000);
	assert_int_equal(STATUS(&m) & RTIT_STATUS_ERROR, 0);
	same(&m, PT_BUFFER, trace, 0x2000);
	same(&m, PT_BUFFER + 0x10000, trace + 0x2000, 0x1000);
	same(&m, PT_BUFFER + 0x20000, trace + 0x3000, size - 0x3000);
	machine_free(&m);
	free(trace);
}

static void test_stop(void **state)
{
	static const uint64_t entries[] = {PT_BUFFER | SIZE(0),
					   (PT_BUFFER + 0x1000) | SIZE(0) | STOP, PT_TOPA | END};
	struct machine m;
	size_t size;
	uint8_t *trace = reference(20000, &size);

	start(&m, entries, 3);
	run(&m, 20000);
	assert_int_equal(STATUS(&m), RTIT_STATUS_STOPPED);
	assert_int_equal(pt_get(&m, MSR_IA32_RTIT_OUTPUT_MASK_PTRS),
			 UINT64_C(0x1000) << 32 | 1 << 7 | 0x7f);
	assert_int_equal(pt_get(&m, MSR_IA32_RTIT_OUTPUT_BASE), PT_TOPA);
	assert_true(pt_get(&m, MSR_IA32_RTIT_CTL) & RTIT_CTL_TRACE_EN);
	same(&m, PT_BUFFER, trace, 0x2000);
	machine_free(&m);
	free(trace);
}

#define PMI_VECTOR 0x61

/* The handler counts: inc r14; push rax, rcx, rdx; EOI; unmask; pop; iretq */
static void put_pmi(struct machine *m)
{
	put_busy(m);
	PT_PUT(m, PT_HANDLER(PMI_VECTOR), 0x49, 0xff, 0xc6, 0x50, 0x51, 0x52, 0xb9, 0x34, 0x08, 0,
	       0, 0xb8, PMI_VECTOR, 0, 0, 0, 0x31, 0xd2, 0x0f, 0x30, 0xb9, 0x0b, 0x08, 0, 0, 0x31,
	       0xc0, 0x0f, 0x30, 0x5a, 0x59, 0x58, 0x48, 0xcf);
	pt_set(m, MSR_IA32_APIC_BASE,
	       pt_get(m, MSR_IA32_APIC_BASE) | APIC_BASE_EN | APIC_BASE_EXTD);
	pt_set(m, 0x80f, 0x1ff);
	pt_set(m, 0x834, PMI_VECTOR);
	cpu_set_rflags(m->cpu, RFLAGS_FIXED1 | RFLAGS_IF);
}

/* SDM 3C "ToPA PMI": one for each time that the region with INT has been filled. */
static void test_pmi(void **state)
{
	static const uint64_t entries[] = {PT_BUFFER | SIZE(0),
					   (PT_BUFFER + 0x1000) | SIZE(0) | INT, PT_TOPA | END};
	struct machine m;
	uint64_t pointers;

	pt_prepare(&(struct pt_case){.setup = put_pmi, .ctl = PLAIN}, &m);
	topa(&m, entries, 3);
	run(&m, 2000);
	assert_int_equal(m.cpu->gpr[14], 0);
	assert_false(pt_get(&m, MSR_IA32_PERF_GLOBAL_STATUS) & PERF_STATUS_TOPA_PMI);
	run(&m, 100000);
	pointers = pt_get(&m, MSR_IA32_RTIT_OUTPUT_MASK_PTRS);
	assert_true(m.cpu->gpr[14] > 5);
	assert_int_equal((pointers & 0xffffffff) >> 7 < 2, true);
	assert_true(pt_get(&m, MSR_IA32_PERF_GLOBAL_STATUS) & PERF_STATUS_TOPA_PMI);
	pt_set(&m, MSR_IA32_PERF_GLOBAL_OVF_CTRL, PERF_STATUS_TOPA_PMI);
	assert_false(pt_get(&m, MSR_IA32_PERF_GLOBAL_STATUS) & PERF_STATUS_TOPA_PMI);
	machine_free(&m);
}

/* SDM 3C "ToPA Errors": when the entry is reached. */
static void test_errors(void **state)
{
	static const struct {
		uint64_t entry[3];
		bool late; /* the first region is filled before */
	} cases[] = {
	    {{PT_BUFFER | END}, false}, /* END in entry 0 */
	    {{PT_BUFFER | 2}, false},	/* reserved bits */
	    {{PT_BUFFER | 0x400}, false},
	    {{PT_BUFFER | 8}, false},
	    {{PT_BUFFER | BIT64(46)}, false},
	    {{(PT_BUFFER + 0x1000) | SIZE(1)}, false},
	    {{PT_BUFFER | SIZE(0), PT_TOPA | END | INT}, true},
	    {{PT_BUFFER | SIZE(0), PT_TOPA | END | STOP}, true},
	    {{PT_BUFFER | SIZE(0), PT_BUFFER | 0x20}, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine m;
		uint64_t pointers;

		start(&m, cases[i].entry, 3);
		run(&m, 20000);
		pointers = pt_get(&m, MSR_IA32_RTIT_OUTPUT_MASK_PTRS);
		assert_int_equal(STATUS(&m), RTIT_STATUS_ERROR);
		assert_int_equal(pointers >> 32, 0);
		assert_int_equal((pointers & 0xffffffff) >> 7, cases[i].late);
		machine_free(&m);
	}
}

/* A range must be aligned to its size, and the offset be in it. */
static void test_range_errors(void **state)
{
	static const uint64_t cases[][2] = {
	    {PT_BUFFER + 0x1000, 0x1fff},
	    {PT_BUFFER, UINT64_C(0x1000) << 32 | 0xfff},
	};

	for (size_t i = 0; i < 2; i++) {
		struct machine m;

		pt_prepare(&(struct pt_case){.setup = put_busy, .ctl = PLAIN}, &m);
		pt_set(&m, MSR_IA32_RTIT_CTL, 0);
		pt_set(&m, MSR_IA32_RTIT_OUTPUT_BASE, cases[i][0]);
		pt_set(&m, MSR_IA32_RTIT_OUTPUT_MASK_PTRS, cases[i][1]);
		pt_set(&m, MSR_IA32_RTIT_CTL, PLAIN | RTIT_CTL_TRACE_EN);
		run(&m, 10);
		assert_int_equal(STATUS(&m), RTIT_STATUS_ERROR);
		machine_free(&m);
	}
}

/* Each PSB begins a trace that can be decoded alone: from any of them on, the same instructions. */
static void test_every_psb(void **state)
{
	struct pt_run r;
	size_t whole, at = 0, seen = 0;
	uint8_t *trace;

	pt_run(&(struct pt_case){.setup = put_busy, .ctl = PLAIN, .insns = 20000}, &r);
	pt_compare(&r, 0, 1);
	whole = r.decoded;
	trace = r.trace;
	assert_true(pt_count_packets(&r, ppt_psb) > 5);
	for (; at + 16 <= r.size; at++) {
		if (memcmp(trace + at,
			   "\x02\x82\x02\x82\x02\x82\x02\x82\x02\x82\x02\x82\x02\x82\x02\x82", 16))
			continue;
		seen++;
	}
	assert_int_equal(seen, pt_count_packets(&r, ppt_psb));
	assert_true(whole > 10000);
	pt_run_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_range_wraps), cmocka_unit_test(test_tables),
	    cmocka_unit_test(test_stop),	cmocka_unit_test(test_pmi),
	    cmocka_unit_test(test_errors),	cmocka_unit_test(test_range_errors),
	    cmocka_unit_test(test_every_psb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
