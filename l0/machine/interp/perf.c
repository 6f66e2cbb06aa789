/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Performance counters: what they count and when they overflow. A counter that runs is a base plus
 * the machine's own count, so counting costs nothing; switching it on or off, by its controls or by
 * a change of privilege, moves the base. The registers are in perf_msrs.c.
 */
#include "l0/machine/interp/perf.h"

#include "l0/machine/devices/lapic.h"
#include "l0/machine/interp/pebs.h"

#define COUNTERS (FIXED_COUNTERS + GENERAL_COUNTERS)
#define FIXED_OS 1u
#define FIXED_USR 2u
#define FIXED_PMI 8u

/* What a counter adds up: how often its event happened, or in how many cycles it did not. */
enum { COUNT_NOTHING, COUNT_INSTRUCTIONS, COUNT_CYCLES, COUNT_BRANCHES, COUNT_IDLE };

/* SDM 3B "Pre-defined Architectural Performance Events", unit mask and event; what else may be
 * selected never happens here. */
static unsigned event_of(uint64_t evtsel)
{
	switch (evtsel & EVTSEL_EVENT) {
	case 0x00c0:
		return COUNT_INSTRUCTIONS;
	case 0x003c:
	case 0x013c: /* reference cycles: the TSC's rate is the core's */
		return COUNT_CYCLES;
	case 0x00c4:
		return COUNT_BRANCHES;
	default:
		return COUNT_NOTHING;
	}
}

/* With a counter mask a cycle counts if the event happened at least so often in it, or less often
 * with INV; here no event happens twice in a cycle. */
static unsigned what_counts(uint64_t evtsel)
{
	unsigned event = event_of(evtsel), mask = evtsel >> EVTSEL_CMASK_SHIFT & 0xff;

	if (!mask || (mask == 1 && !(evtsel & EVTSEL_INV)))
		return event;
	if (mask > 1)
		return evtsel & EVTSEL_INV ? COUNT_CYCLES : COUNT_NOTHING;
	return event == COUNT_INSTRUCTIONS ? COUNT_IDLE : COUNT_NOTHING;
}

/* Counters are numbered fixed ones first. */
static unsigned counts(const struct cpu *cpu, unsigned counter)
{
	if (counter < FIXED_COUNTERS)
		return counter ? COUNT_CYCLES : COUNT_INSTRUCTIONS;
	return what_counts(cpu->msrs.perfevtsel[counter - FIXED_COUNTERS]);
}

static uint64_t machine_count(const struct cpu *cpu, unsigned counter)
{
	switch (counts(cpu, counter)) {
	case COUNT_INSTRUCTIONS:
		return cpu_retired(cpu);
	case COUNT_CYCLES:
		return cpu_now(cpu) - cpu->halted;
	case COUNT_BRANCHES:
		return cpu->branches;
	case COUNT_IDLE:
		return cpu_now(cpu) - cpu->halted - cpu_retired(cpu);
	default:
		return 0;
	}
}

static uint64_t global_bit(unsigned counter)
{
	return counter < FIXED_COUNTERS ? BIT64(32 + counter) : BIT64(counter - FIXED_COUNTERS);
}

/* Enabled, in whatever ring: FIXED_OS, FIXED_USR, FIXED_PMI. */
static unsigned enables(const struct cpu *cpu, unsigned counter)
{
	uint64_t evtsel;

	if (!(cpu->msrs.perf_global_ctrl & global_bit(counter)) ||
	    (cpu->msrs.perf_global_status & PERF_STATUS_CTR_FRZ))
		return 0;
	if (counter < FIXED_COUNTERS)
		return cpu->msrs.fixed_ctr_ctrl >> 4 * counter & 0xf;
	evtsel = cpu->msrs.perfevtsel[counter - FIXED_COUNTERS];
	if (!(evtsel & EVTSEL_EN))
		return 0;
	return (evtsel & EVTSEL_OS ? FIXED_OS : 0) | (evtsel & EVTSEL_USR ? FIXED_USR : 0) |
	       (evtsel & EVTSEL_INT ? FIXED_PMI : 0);
}

static bool makes_records(const struct cpu *cpu, unsigned counter)
{
	return cpu->msrs.pebs_enable & global_bit(counter);
}

/* Is the boundary after the instruction that overflows it wanted? */
static bool is_exact(const struct cpu *cpu, unsigned counter)
{
	return (enables(cpu, counter) & FIXED_PMI) || makes_records(cpu, counter);
}

static bool running(const struct cpu *cpu, unsigned counter)
{
	if (counter >= FIXED_COUNTERS && !cpu->rtm.depth &&
	    (cpu->msrs.perfevtsel[counter - FIXED_COUNTERS] & EVTSEL_IN_TX))
		return false;
	return enables(cpu, counter) & (cpu->perf.user ? FIXED_USR : FIXED_OS);
}

uint64_t perf_counter(const struct cpu *cpu, unsigned counter)
{
	uint64_t value = cpu->msrs.counter_base[counter];

	if (running(cpu, counter))
		value += machine_count(cpu, counter);
	return value & COUNTER_MASK;
}

/* A count that has left the counter's 48 bits since it was last looked at shows in the status. */
static void note_overflow(struct cpu *cpu, unsigned counter)
{
	uint64_t value = cpu->msrs.counter_base[counter];

	if (!running(cpu, counter))
		return;
	value += machine_count(cpu, counter);
	if (!(value & ~COUNTER_MASK))
		return;
	cpu->msrs.counter_base[counter] -= value & ~COUNTER_MASK;
	if (makes_records(cpu, counter)) {
		pebs_overflow(cpu, global_bit(counter));
		return;
	}
	cpu->msrs.perf_global_status |= global_bit(counter);
	if (enables(cpu, counter) & FIXED_PMI) {
		cpu->perf.pmi = true;
		cpu->attention = true;
	}
}

void perf_note_overflows(struct cpu *cpu)
{
	for (unsigned i = 0; i < COUNTERS; i++)
		note_overflow(cpu, i);
}

static void set_value(struct cpu *cpu, unsigned counter, uint64_t value)
{
	if (running(cpu, counter))
		value -= machine_count(cpu, counter);
	cpu->msrs.counter_base[counter] = value;
}

void perf_set_counter(struct cpu *cpu, unsigned counter, uint64_t value)
{
	note_overflow(cpu, counter);
	set_value(cpu, counter, value & COUNTER_MASK);
	cpu->attention = true; /* its overflow may be nearer now */
}

/* What the run loop must look after. */
static void summarize(struct cpu *cpu)
{
	cpu->perf.interrupts = cpu->perf.rings = cpu->perf.branches = false;
	cpu->perf.transactions = cpu->perf.precise = false;
	for (unsigned i = 0; i < COUNTERS; i++) {
		unsigned on = enables(cpu, i), rings = on & (FIXED_OS | FIXED_USR);

		if (!rings)
			continue;
		cpu->perf.interrupts |= is_exact(cpu, i);
		cpu->perf.precise |= makes_records(cpu, i);
		cpu->perf.rings |= rings != (FIXED_OS | FIXED_USR);
		cpu->perf.branches |= counts(cpu, i) == COUNT_BRANCHES;
		cpu->perf.transactions |= i >= FIXED_COUNTERS &&
					  (cpu->msrs.perfevtsel[i - FIXED_COUNTERS] &
					   (EVTSEL_IN_TX | EVTSEL_IN_TXCP));
	}
	cpu->perf.user = cpu->cpl != 0;
	cpu->attention = true;
}

void perf_change(struct cpu *cpu, uint64_t *control, uint64_t value)
{
	uint64_t count[COUNTERS];

	perf_note_overflows(cpu);
	for (unsigned i = 0; i < COUNTERS; i++)
		count[i] = perf_counter(cpu, i);
	*control = value;
	summarize(cpu);
	for (unsigned i = 0; i < COUNTERS; i++)
		set_value(cpu, i, count[i]);
}

void perf_ring_changed(struct cpu *cpu)
{
	perf_change(cpu, &cpu->msrs.perf_global_ctrl, cpu->msrs.perf_global_ctrl);
}

void perf_entered(struct cpu *cpu, uint64_t before)
{
	uint64_t on = cpu->msrs.perf_global_ctrl & ~before;

	for (unsigned i = 0; on && i < COUNTERS; i++)
		if ((on & global_bit(i)) && counts(cpu, i) == COUNT_INSTRUCTIONS && running(cpu, i))
			cpu->msrs.counter_base[i]--;
}

#define CHECKPOINTED (FIXED_COUNTERS + 2)
void perf_transaction(struct cpu *cpu, uint32_t depth, bool aborted)
{
	uint64_t count[COUNTERS];
	bool checkpointed = cpu->msrs.perfevtsel[CHECKPOINTED - FIXED_COUNTERS] & EVTSEL_IN_TXCP;

	if (!cpu->perf.transactions) {
		cpu->rtm.depth = depth;
		return;
	}
	for (unsigned i = 0; i < COUNTERS; i++)
		count[i] = perf_counter(cpu, i);
	if (aborted && checkpointed)
		count[CHECKPOINTED] = cpu->perf.before_transaction;
	else
		perf_note_overflows(cpu);
	cpu->rtm.depth = depth;
	cpu->perf.before_transaction = count[CHECKPOINTED];
	for (unsigned i = 0; i < COUNTERS; i++)
		set_value(cpu, i, count[i]);
	cpu->attention = true;
}

/* ---- overflow in time ---- */

/* No instruction takes less than a cycle, so that nothing can overflow in fewer cycles than events
 * are missing; at that time one looks again. */
uint64_t perf_next_event(const struct cpu *cpu, uint64_t now)
{
	uint64_t at = UINT64_MAX;

	if (!cpu->perf.interrupts)
		return at;
	for (unsigned i = 0; i < COUNTERS; i++) {
		uint64_t missing = COUNTER_MASK + 1 - perf_counter(cpu, i);

		if (running(cpu, i) && is_exact(cpu, i) && missing < at - now)
			at = now + missing;
	}
	return at;
}

/* SDM 3B "Freezing LBR and Performance Counters on PMI", the streamlined way of version 4. */
static void freeze(struct cpu *cpu)
{
	uint64_t status = cpu->msrs.perf_global_status, debugctl = cpu->msrs.debugctl;

	if ((debugctl & DEBUGCTL_FREEZE_LBRS_ON_PMI) && (debugctl & DEBUGCTL_LBR))
		status |= PERF_STATUS_LBR_FRZ;
	if (debugctl & DEBUGCTL_FREEZE_PERFMON_ON_PMI)
		status |= PERF_STATUS_CTR_FRZ;
	if (status != cpu->msrs.perf_global_status)
		perf_change(cpu, &cpu->msrs.perf_global_status, status);
}

void perf_attend(struct cpu *cpu)
{
	if (cpu->perf.interrupts)
		perf_note_overflows(cpu);
	if (pebs_due(cpu))
		pebs_attend(cpu);
	if (!cpu->perf.pmi)
		return;
	cpu->perf.pmi = false;
	freeze(cpu);
	lapic_local_interrupt(cpu->machine->lapic, LVT_PERFORMANCE);
}
