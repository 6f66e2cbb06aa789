/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intel PT: what interrupts a program (timers, INIT, the end of HLT), transactions, and the packets
 * that tell the time.
 */
#include "tests/l0/machine/interp/pt/traced.h"

#include <intel-pt.h>

#define PLAIN (RTIT_CTL_OS | RTIT_CTL_USER | RTIT_CTL_BRANCH_EN)
#define TIMER_VECTOR 0x60

static void check(const struct pt_case *c, struct pt_run *r)
{
	pt_run(c, r);
	pt_compare(r, 0, 1);
}

/* Every 100 cycles; the handler ends with EOI and IRET. */
static void put_timer(struct machine *m)
{
	PT_PUT(m, PT_HANDLER(TIMER_VECTOR), 0x50, 0x51, 0x52, 0xb9, 0x0b, 0x08, 0, 0, 0x31, 0xc0,
	       0x31, 0xd2, 0x0f, 0x30, 0x5a, 0x59, 0x58, 0x48, 0xcf);
	pt_set(m, MSR_IA32_APIC_BASE,
	       pt_get(m, MSR_IA32_APIC_BASE) | APIC_BASE_EN | APIC_BASE_EXTD);
	pt_set(m, 0x80f, 0x1ff);
	pt_set(m, 0x83e, 0xb);
	pt_set(m, 0x832, 1u << 17 | TIMER_VECTOR);
	pt_set(m, 0x838, 300);
	cpu_set_rflags(m->cpu, RFLAGS_FIXED1 | RFLAGS_IF);
}

/* mov ecx,2000; 1: dec ecx; jnz 1b; cli; hlt */
static void put_interrupted(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0xb9, 0xd0, 7, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xfa, 0xf4);
	put_timer(m);
}

static void test_interrupts(void **state)
{
	struct pt_run r;

	check(&(struct pt_case){.setup = put_interrupted, .ctl = PLAIN, .insns = 3000}, &r);
	assert_true(r.events[ptev_async_branch] > 5);
	pt_run_free(&r);
}

/* mov ebx,4; 1: hlt; dec ebx; jnz 1b; cli; hlt: the time of each wake is told. */
static void put_sleeps(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0xbb, 4, 0, 0, 0, 0xf4, 0xff, 0xcb, 0x75, 0xfb, 0xfa, 0xf4);
	put_timer(m);
}

static void test_sleep(void **state)
{
	struct pt_run r;

	check(&(struct pt_case){.setup = put_sleeps, .ctl = PLAIN | RTIT_CTL_TSC_EN, .insns = 56},
	      &r);
	assert_int_equal(pt_count_packets(&r, ppt_tsc), 1 + 4);
	assert_int_equal(pt_count_packets(&r, ppt_cbr), 1 + 4);
	pt_run_free(&r);
}

/* xbegin 1f; nop; xend; 1: xbegin 2f; nop; xabort 3; 2: nop; hlt */
static void put_transactions(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0xc7, 0xf8, 4, 0, 0, 0, 0x90, 0x0f, 0x01, 0xd5, 0xc7, 0xf8, 4, 0, 0, 0,
	       0x90, 0xc6, 0xf8, 3, 0x90, 0xf4);
}

static void test_transactions(void **state)
{
	struct pt_run r;

	check(&(struct pt_case){.setup = put_transactions, .ctl = PLAIN, .insns = 100}, &r);
	assert_true(r.events[ptev_tsx] >= 4);
	assert_true(r.events[ptev_async_branch] <= 1);
	pt_run_free(&r);
}

/* ---- time ---- */

struct times {
	uint64_t tsc, ctc, cycles;
	unsigned mtcs, cycs;
};

/* What the packets say of the time at the end. */
static struct times read_times(const struct pt_run *r, unsigned shift)
{
	struct times t = {0};
	struct pt_packet_decoder *decoder;
	struct pt_packet packet;
	struct pt_config config;

	pt_config_init(&config);
	config.begin = r->trace;
	config.end = r->trace + r->size;
	decoder = pt_pkt_alloc_decoder(&config);
	assert_int_equal(pt_pkt_sync_set(decoder, 0), 0);
	while (pt_pkt_next(decoder, &packet, sizeof(packet)) > 0) {
		if (packet.type == ppt_tsc) {
			t.tsc = packet.payload.tsc.tsc;
			t.ctc = t.tsc >> shift;
		}
		if (packet.type == ppt_tma)
			assert_int_equal(packet.payload.tma.ctc, t.tsc & 0xffff);
		if (packet.type == ppt_mtc) {
			t.ctc += (uint8_t)(packet.payload.mtc.ctc - t.ctc);
			t.mtcs++;
		}
		if (packet.type == ppt_cyc) {
			t.cycles += packet.payload.cyc.value;
			t.cycs++;
		}
	}
	pt_pkt_free_decoder(decoder);
	return t;
}

/* The clock is the TSC's, so that MTC counts its periods and CYC all of its cycles. */
static void test_time(void **state)
{
	static const unsigned shifts[] = {3, 6, 9};

	for (unsigned i = 0; i < 3; i++) {
		struct pt_run r;
		struct times t;
		uint64_t now;

		check(&(struct pt_case){.setup = put_interrupted,
					.ctl = PLAIN | RTIT_CTL_TSC_EN | RTIT_CTL_MTC_EN |
					       RTIT_CTL_CYC_EN |
					       (uint64_t)shifts[i] << RTIT_CTL_MTC_FREQ_SHIFT,
					.insns = 3000},
		      &r);
		now = cpu_now(r.machine.cpu);
		t = read_times(&r, shifts[i]);
		assert_int_equal(t.ctc, now >> shifts[i]);
		assert_true(t.mtcs > (now >> shifts[i]) / 4);
		assert_true(t.cycles <= now && t.cycles + 100 > now);
		pt_run_free(&r);
	}
}

/* With a threshold CYC packets come more seldom, and tell the same. */
static void test_threshold(void **state)
{
	unsigned first = 0, before = UINT32_MAX;

	for (unsigned threshold = 4; threshold < 12; threshold++) {
		struct pt_run r;
		struct times t;

		check(&(struct pt_case){.setup = put_interrupted,
					.ctl = PLAIN | RTIT_CTL_CYC_EN |
					       (uint64_t)threshold << RTIT_CTL_CYC_THRESH_SHIFT,
					.insns = 3000},
		      &r);
		t = read_times(&r, 3);
		assert_true(t.cycs && t.cycs <= before);
		first = first ? first : t.cycs;
		before = t.cycs;
		pt_run_free(&r);
	}
	assert_true(before < first / 2);
}

/* ---- INIT: SDM 3A "Processor State After INIT" ---- */

static void test_init(void **state)
{
	struct pt_run r;

	pt_run(&(struct pt_case){.setup = put_interrupted, .ctl = PLAIN, .insns = 20}, &r);
	free(r.trace);
	pt_set(&r.machine, MSR_IA32_RTIT_CTL, PLAIN | RTIT_CTL_TRACE_EN);
	r.machine.cpu->init_pending = r.machine.cpu->attention = true;
	r.machine.max_insns += 1;
	r.machine.stop = STOP_NONE;
	interp_cpu_ops.run(r.machine.cpu);
	assert_true(pt_get(&r.machine, MSR_IA32_RTIT_CTL) & RTIT_CTL_TRACE_EN);
	pt_set(&r.machine, MSR_IA32_RTIT_CTL, 0);
	r.size = pt_get(&r.machine, MSR_IA32_RTIT_OUTPUT_MASK_PTRS) >> 32;
	r.trace = malloc(r.size);
	assert_true(memory_read(&r.machine.memory, PT_BUFFER, r.trace, r.size));
	assert_int_equal(pt_count_packets(&r, ppt_pip), 2);
	/* both ends, INIT, and a #UD where a reset leads to: there is no firmware */
	assert_int_equal(pt_count_packets(&r, ppt_fup), 4);
	pt_run_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_interrupts),	 cmocka_unit_test(test_sleep),
	    cmocka_unit_test(test_transactions), cmocka_unit_test(test_time),
	    cmocka_unit_test(test_threshold),	 cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
