/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Operations on the interrupt controllers and timers.
 */
#include "l1/guests/exitbench/exitbench.h"

#include "l1/lib/cpu.h"
#include "l1/lib/lapic.h"
#include "l1/lib/pic.h"
#include "l1/lib/pit.h"
#include "l1/lib/trap.h"

#define VECTOR_IPI 0xa0
#define VECTOR_TIMER 0xa1
#define DEADLINE_AHEAD 2000
#define PIT_AHEAD 50

static volatile uint64_t arrived;

static void on_interrupt(struct trap_frame *frame)
{
	arrived++;
	lapic_eoi();
}

static void on_pit(struct trap_frame *frame)
{
	arrived++;
	pic_eoi(PIT_IRQ);
}

bool exitbench_start_apic(uint64_t count)
{
	if (!lapic_present())
		return false;
	lapic_init();
	return true;
}

bool exitbench_start_self_ipi(uint64_t count)
{
	trap_set_handler(VECTOR_IPI, on_interrupt);
	return exitbench_start_apic(count);
}

bool exitbench_start_x2apic_self_ipi(uint64_t count)
{
	if (!lapic_has_x2apic() || !exitbench_start_self_ipi(count))
		return false;
	lapic_enter_x2apic();
	return true;
}

bool exitbench_start_deadline(uint64_t count)
{
	if (!lapic_has_tsc_deadline() || !exitbench_start_apic(count))
		return false;
	trap_set_handler(VECTOR_TIMER, on_interrupt);
	lapic_timer_mode(LAPIC_TSC_DEADLINE, VECTOR_TIMER);
	return true;
}

bool exitbench_start_pit(uint64_t count)
{
	if (lapic_present())
		exitbench_start_apic(count); /* LINT0 open */
	trap_set_handler(PIC_VECTOR + PIT_IRQ, on_pit);
	pit_stop();
	pic_unmask(PIT_IRQ);
	return true;
}

void exitbench_stop_interrupts(void)
{
	pit_stop();
	pic_mask(PIT_IRQ);
	if (lapic_present())
		lapic_timer_stop();
}

void exitbench_read_lapic(void)
{
	lapic_read(LAPIC_VERSION);
}

static void take_one(void)
{
	uint64_t before = arrived;

	interrupts_enable();
	while (arrived == before)
		cpu_relax();
	interrupts_disable();
}

static void halt_for_one(void)
{
	uint64_t before = arrived;

	while (arrived == before)
		interrupts_wait();
}

void exitbench_self_ipi(void)
{
	lapic_self_ipi(VECTOR_IPI);
	take_one();
}

void exitbench_eoi(void)
{
	lapic_eoi();
}

/* Writing the MSR alone, too far ahead to come. */
void exitbench_deadline(void)
{
	wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + (UINT64_C(1) << 50));
}

void exitbench_deadline_and_halt(void)
{
	wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + DEADLINE_AHEAD);
	halt_for_one();
}

void exitbench_pit_and_halt(void)
{
	pit_start_once(PIT_AHEAD);
	halt_for_one();
}
