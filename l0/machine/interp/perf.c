/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Performance counters. A counter that runs is a base plus the machine's own count, so counting
 * costs nothing; switching it on or off moves the base. Both privilege bits of a counter count as
 * one switch: there is no accounting by privilege level. Overflows show in
 * IA32_PERF_GLOBAL_STATUS; they do not interrupt.
 *
 * IA32_PERFEVTSELx: 31:24 CMASK | 23 INV | 22 EN | 21 any thread (reserved) | 20 INT | 19 PC | 18 E
 *                   17 OS | 16 USR | 15:8 unit mask | 7:0 event
 */
#include "l0/machine/interp/perf.h"

#define COUNTERS (FIXED_COUNTERS + GENERAL_COUNTERS)
#define COUNTER_MASK ((UINT64_C(1) << 48) - 1)
#define FIXED_ENABLES UINT64_C(3) /* of one field: bit 0 ring 0, bit 1 other rings */
#define FIXED_CTRL_WRITABLE UINT64_C(0xbbb) /* no AnyThread */
#define EVTSEL_EVENT UINT64_C(0xffff)
#define EVTSEL_RINGS (BIT64(16) | BIT64(17))
#define EVTSEL_EN BIT64(22)
#define EVTSEL_WRITABLE UINT64_C(0xffdfffff)
#define GLOBAL_STATUS_CLEARABLE (PERF_GLOBAL_CTRL_VALID | BIT64(62) | BIT64(63))

enum { COUNT_INSTRUCTIONS, COUNT_CYCLES, COUNT_NOTHING };

/* SDM 3B "Pre-defined Architectural Performance Events", unit mask and event; what else may be
 * selected never happens here. */
static unsigned what_event_counts(uint64_t evtsel)
{
	switch (evtsel & EVTSEL_EVENT) {
	case 0x00c0:
		return COUNT_INSTRUCTIONS;
	case 0x003c:
	case 0x013c: /* reference cycles: the TSC's rate is the core's */
		return COUNT_CYCLES;
	default:
		return COUNT_NOTHING;
	}
}

/* Counters are numbered fixed ones first. */
static uint64_t machine_count(const struct cpu *cpu, unsigned counter)
{
	unsigned what = counter ? COUNT_CYCLES : COUNT_INSTRUCTIONS;

	if (counter >= FIXED_COUNTERS)
		what = what_event_counts(cpu->msrs.perfevtsel[counter - FIXED_COUNTERS]);
	if (what == COUNT_NOTHING)
		return 0;
	return what == COUNT_INSTRUCTIONS ? cpu_retired(cpu) : cpu_now(cpu) - cpu->halted;
}

static uint64_t global_bit(unsigned counter)
{
	return counter < FIXED_COUNTERS ? BIT64(32 + counter) : BIT64(counter - FIXED_COUNTERS);
}

static bool running(const struct cpu *cpu, unsigned counter)
{
	uint64_t evtsel;

	if (counter < FIXED_COUNTERS)
		return (cpu->msrs.perf_global_ctrl & global_bit(counter)) &&
		       (cpu->msrs.fixed_ctr_ctrl >> 4 * counter & FIXED_ENABLES);
	evtsel = cpu->msrs.perfevtsel[counter - FIXED_COUNTERS];
	return (cpu->msrs.perf_global_ctrl & global_bit(counter)) &&
	       (evtsel & EVTSEL_EN) && (evtsel & EVTSEL_RINGS);
}

static uint64_t counter_read(const struct cpu *cpu, unsigned counter)
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
	if (value & ~COUNTER_MASK) {
		cpu->msrs.perf_global_status |= global_bit(counter);
		cpu->msrs.counter_base[counter] -= value & ~COUNTER_MASK;
	}
}

static void note_overflows(struct cpu *cpu)
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

static void counter_write(struct cpu *cpu, unsigned counter, uint64_t value)
{
	note_overflow(cpu, counter);
	set_value(cpu, counter, value & COUNTER_MASK);
}

/* Changes a control register without a jump in any counter. */
static bool control_write(struct cpu *cpu, uint64_t *control, uint64_t value, uint64_t writable)
{
	uint64_t count[COUNTERS];

	if (value & ~writable)
		return false;
	note_overflows(cpu);
	for (unsigned i = 0; i < COUNTERS; i++)
		count[i] = counter_read(cpu, i);
	*control = value;
	for (unsigned i = 0; i < COUNTERS; i++)
		set_value(cpu, i, count[i]);
	return true;
}

bool perf_rdpmc(const struct cpu *cpu, uint32_t selector, uint64_t *value)
{
	bool fixed = selector & BIT32(30);
	uint32_t index = selector & ~BIT32(30);

	if (index >= (fixed ? FIXED_COUNTERS : GENERAL_COUNTERS))
		return false;
	*value = counter_read(cpu, fixed ? index : index + FIXED_COUNTERS);
	return true;
}

#define FIXED_COUNTER(n)                                                                           \
	bool read_fixed##n(struct cpu *cpu, uint64_t *value)                                       \
	{                                                                                          \
		*value = counter_read(cpu, n);                                                     \
		return true;                                                                       \
	}                                                                                          \
	bool write_fixed##n(struct cpu *cpu, uint64_t value)                                       \
	{                                                                                          \
		if (value & ~COUNTER_MASK)                                                         \
			return false;                                                              \
		counter_write(cpu, n, value);                                                      \
		return true;                                                                       \
	}
FIXED_COUNTER(0)
FIXED_COUNTER(1)
FIXED_COUNTER(2)

/* IA32_PMCx takes 32 bits and sign-extends them, SDM 3B "Full-Width Writes to Performance Counter
 * Registers" (not offered). */
#define GENERAL_COUNTER(n)                                                                         \
	bool read_pmc##n(struct cpu *cpu, uint64_t *value)                                         \
	{                                                                                          \
		*value = counter_read(cpu, FIXED_COUNTERS + n);                                    \
		return true;                                                                       \
	}                                                                                          \
	bool write_pmc##n(struct cpu *cpu, uint64_t value)                                         \
	{                                                                                          \
		counter_write(cpu, FIXED_COUNTERS + n, (uint64_t)(int64_t)(int32_t)value);         \
		return true;                                                                       \
	}                                                                                          \
	bool read_perfevtsel##n(struct cpu *cpu, uint64_t *value)                                  \
	{                                                                                          \
		*value = cpu->msrs.perfevtsel[n];                                                  \
		return true;                                                                       \
	}                                                                                          \
	bool write_perfevtsel##n(struct cpu *cpu, uint64_t value)                                  \
	{                                                                                          \
		return control_write(cpu, &cpu->msrs.perfevtsel[n], value, EVTSEL_WRITABLE);       \
	}
GENERAL_COUNTER(0)
GENERAL_COUNTER(1)
GENERAL_COUNTER(2)
GENERAL_COUNTER(3)

bool read_fixed_ctr_ctrl(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->msrs.fixed_ctr_ctrl;
	return true;
}

bool write_fixed_ctr_ctrl(struct cpu *cpu, uint64_t value)
{
	return control_write(cpu, &cpu->msrs.fixed_ctr_ctrl, value, FIXED_CTRL_WRITABLE);
}

bool read_perf_global_status(struct cpu *cpu, uint64_t *value)
{
	note_overflows(cpu);
	*value = cpu->msrs.perf_global_status;
	return true;
}

bool read_perf_global_ctrl(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->msrs.perf_global_ctrl;
	return true;
}

bool write_perf_global_ctrl(struct cpu *cpu, uint64_t value)
{
	return control_write(cpu, &cpu->msrs.perf_global_ctrl, value, PERF_GLOBAL_CTRL_VALID);
}

bool write_perf_global_ovf_ctrl(struct cpu *cpu, uint64_t value)
{
	if (value & ~GLOBAL_STATUS_CLEARABLE)
		return false;
	note_overflows(cpu);
	cpu->msrs.perf_global_status &= ~value;
	return true;
}
