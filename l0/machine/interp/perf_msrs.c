/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The registers of the performance counters, rows of msrs.def, and RDPMC's view of them.
 */
#include "l0/machine/interp/perf.h"

#include "l0/machine/interp/pebs.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/pt/pt.h"

#define FIXED_CTRL_WRITABLE UINT64_C(0xbbb) /* no AnyThread */
#define EVTSEL_WRITABLE UINT64_C(0xffdfffff)

bool perf_rdpmc(const struct cpu *cpu, uint32_t selector, uint64_t *value)
{
	bool fixed = selector & BIT32(30);
	uint32_t index = selector & ~BIT32(30);

	if (index >= (fixed ? FIXED_COUNTERS : GENERAL_COUNTERS))
		return false;
	*value = perf_counter(cpu, fixed ? index : index + FIXED_COUNTERS);
	return true;
}

static bool control_write(struct cpu *cpu, uint64_t *control, uint64_t value, uint64_t writable)
{
	if (value & ~writable)
		return false;
	perf_change(cpu, control, value);
	return true;
}

static uint64_t evtsel_writable(const struct cpu *cpu, unsigned counter)
{
	uint64_t writable = EVTSEL_WRITABLE | (cpu_has(cpu->profile, DS) ? EVTSEL_ADAPTIVE : 0);

	if (!cpu_has(cpu->profile, RTM))
		return writable;
	return writable | EVTSEL_IN_TX | (counter == 2 ? EVTSEL_IN_TXCP : 0);
}

static bool full_width_write(struct cpu *cpu, unsigned counter, uint64_t value)
{
	if (value & ~COUNTER_MASK)
		return false;
	perf_set_counter(cpu, counter, value);
	return true;
}

#define FIXED_COUNTER(n)                                                                           \
	bool read_fixed##n(struct cpu *cpu, uint64_t *value)                                       \
	{                                                                                          \
		*value = perf_counter(cpu, n);                                                     \
		return true;                                                                       \
	}                                                                                          \
	bool write_fixed##n(struct cpu *cpu, uint64_t value)                                       \
	{                                                                                          \
		return full_width_write(cpu, n, value);                                            \
	}
FIXED_COUNTER(0)
FIXED_COUNTER(1)
FIXED_COUNTER(2)

/* IA32_PMCx takes 32 bits and sign-extends them, IA32_A_PMCx all: SDM 3B "Full-Width Writes to
 * Performance Counter Registers". */
#define GENERAL_COUNTER(n)                                                                         \
	bool read_pmc##n(struct cpu *cpu, uint64_t *value)                                         \
	{                                                                                          \
		*value = perf_counter(cpu, FIXED_COUNTERS + n);                                    \
		return true;                                                                       \
	}                                                                                          \
	bool write_pmc##n(struct cpu *cpu, uint64_t value)                                         \
	{                                                                                          \
		perf_set_counter(cpu, FIXED_COUNTERS + n, (uint64_t)(int64_t)(int32_t)value);      \
		return true;                                                                       \
	}                                                                                          \
	bool write_a_pmc##n(struct cpu *cpu, uint64_t value)                                       \
	{                                                                                          \
		return full_width_write(cpu, FIXED_COUNTERS + n, value);                           \
	}                                                                                          \
	bool read_perfevtsel##n(struct cpu *cpu, uint64_t *value)                                  \
	{                                                                                          \
		*value = cpu->msrs.perfevtsel[n];                                                  \
		return true;                                                                       \
	}                                                                                          \
	bool write_perfevtsel##n(struct cpu *cpu, uint64_t value)                                  \
	{                                                                                          \
		return control_write(cpu, &cpu->msrs.perfevtsel[n], value,                       \
				     evtsel_writable(cpu, n));                                    \
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
	return control_write(cpu, &cpu->msrs.fixed_ctr_ctrl, value,
			     FIXED_CTRL_WRITABLE |
				 (cpu_has(cpu->profile, DS) ? FIXED_CTRL_ADAPTIVE : 0));
}

bool read_pebs_enable(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->msrs.pebs_enable;
	return true;
}

bool write_pebs_enable(struct cpu *cpu, uint64_t value)
{
	if (value & ~PERF_GLOBAL_CTRL_VALID)
		return false;
	perf_change(cpu, &cpu->msrs.pebs_enable, value);
	return true;
}

bool read_perf_global_status(struct cpu *cpu, uint64_t *value)
{
	perf_note_overflows(cpu);
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

static uint64_t status_settable(const struct cpu *cpu)
{
	return PERF_GLOBAL_CTRL_VALID | PERF_STATUS_LBR_FRZ | PERF_STATUS_CTR_FRZ | BIT64(62) |
	       (cpu_has(cpu->profile, INTEL_PT) ? PERF_STATUS_TOPA_PMI : 0);
}

/* IA32_PERF_GLOBAL_STATUS_RESET, before version 4 IA32_PERF_GLOBAL_OVF_CTRL. */
bool write_perf_global_status_reset(struct cpu *cpu, uint64_t value)
{
	if (value & ~(status_settable(cpu) | BIT64(63)))
		return false;
	perf_note_overflows(cpu);
	perf_change(cpu, &cpu->msrs.perf_global_status, cpu->msrs.perf_global_status & ~value);
	return true;
}

/* No interrupt comes of it. */
bool write_perf_global_status_set(struct cpu *cpu, uint64_t value)
{
	if (value & ~status_settable(cpu))
		return false;
	perf_note_overflows(cpu);
	perf_change(cpu, &cpu->msrs.perf_global_status, cpu->msrs.perf_global_status | value);
	return true;
}

/* 3:0, 34:32 counters whose event or enables are set; 63 an interrupt is enabled in any. */
bool read_perf_global_inuse(struct cpu *cpu, uint64_t *value)
{
	uint64_t inuse = 0, fixed = cpu->msrs.fixed_ctr_ctrl;

	for (unsigned i = 0; i < GENERAL_COUNTERS; i++) {
		inuse |= cpu->msrs.perfevtsel[i] & 0xff ? BIT64(i) : 0;
		inuse |= cpu->msrs.perfevtsel[i] & EVTSEL_INT ? BIT64(63) : 0;
	}
	for (unsigned i = 0; i < FIXED_COUNTERS; i++, fixed >>= 4) {
		inuse |= fixed & 3 ? BIT64(32 + i) : 0;
		inuse |= fixed & 8 ? BIT64(63) : 0;
	}
	*value = inuse;
	return true;
}
