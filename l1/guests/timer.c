/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Timers by order, not by time: PIT, local-APIC one-shot and periodic, and TSC-deadline interrupts
 * must arrive, in the order that their intervals leave no doubt about. The order= line is the same
 * on every machine and at every depth; deadline= says whether the CPU has that mode. Exit status 1:
 * wrong order.
 */
#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/lapic.h"
#include "l1/lib/pic.h"
#include "l1/lib/pit.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"
#include "l1/lib/trap.h"

#define VECTOR_LAPIC 0xa0
#define PIT_SHORT (PIT_HZ / 1000)
#define PIT_LONG 0xffff /* 55 ms */
#define LAPIC_SHORT 50000
/* Longer than PIT_SHORT on any bus clock up to several GHz. */
#define LAPIC_LONG 40000000
#define DEADLINE_STEP 50000

static char order[64];
static volatile unsigned count;

static void record(char what)
{
	if (count < sizeof(order) - 1)
		order[count++] = what;
}

static void on_pit(struct trap_frame *frame)
{
	record('p');
	pic_eoi(PIT_IRQ);
}

static void on_lapic(struct trap_frame *frame)
{
	record('l');
	lapic_eoi();
}

static void wait_for(unsigned more)
{
	unsigned target = count + more;

	while (count < target)
		interrupts_wait();
}

static void run_pit(void)
{
	pit_start_periodic(PIT_SHORT);
	wait_for(5);
	pit_stop();
	pit_start_once(PIT_SHORT);
	wait_for(1);
}

static void run_lapic(void)
{
	lapic_timer_mode(LAPIC_ONE_SHOT, VECTOR_LAPIC);
	for (unsigned i = 0; i < 3; i++) {
		lapic_timer_start(LAPIC_SHORT);
		wait_for(1);
	}
	lapic_timer_mode(LAPIC_PERIODIC, VECTOR_LAPIC);
	lapic_timer_start(LAPIC_SHORT);
	wait_for(5);
	lapic_timer_stop();
}

/* Each in its turn the shorter one; the bar separates the experiments. */
static void run_both(void)
{
	lapic_timer_mode(LAPIC_ONE_SHOT, VECTOR_LAPIC);
	record('/');
	pit_start_once(PIT_LONG);
	lapic_timer_start(LAPIC_SHORT);
	wait_for(2);
	record('/');
	lapic_timer_start(LAPIC_LONG);
	pit_start_once(PIT_SHORT);
	wait_for(2);
	lapic_timer_stop();
}

static void run_deadline(void)
{
	uint64_t start;

	if (!lapic_has_tsc_deadline()) {
		printf("deadline=absent\n");
		return;
	}
	count = 0;
	lapic_timer_mode(LAPIC_TSC_DEADLINE, VECTOR_LAPIC);
	for (unsigned i = 0; i < 3; i++) {
		start = rdtsc();
		wrmsr(MSR_IA32_TSC_DEADLINE, start + DEADLINE_STEP);
		wait_for(1);
		if (rdtsc() < start + DEADLINE_STEP)
			runtime_panic(1, "deadline=early");
		if (rdmsr(MSR_IA32_TSC_DEADLINE))
			runtime_panic(1, "deadline=still armed: %lx",
				      rdmsr(MSR_IA32_TSC_DEADLINE));
	}
	wrmsr(MSR_IA32_TSC_DEADLINE, 1); /* in the past: at once */
	wait_for(1);
	lapic_timer_stop();
	printf("deadline=ok\n");
}

int main(void)
{
	static const char expected[] = "ppppppllllllll/lp/pl";

	lapic_init();
	trap_set_handler(PIC_VECTOR + PIT_IRQ, on_pit);
	trap_set_handler(VECTOR_LAPIC, on_lapic);
	pit_stop();
	pic_unmask(PIT_IRQ);
	run_pit();
	run_lapic();
	run_both();
	pic_mask(PIT_IRQ);
	printf("order=%s\n", order);
	if (count != strlen(expected) || memcmp(order, expected, count))
		runtime_panic(1, "expected %s", expected);
	run_deadline();
	return STATUS_OK;
}
