/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fixed-function performance counters. A counter that runs is a base plus the machine's own count, so
 * counting costs nothing; switching it on or off moves the base. Both privilege bits of a counter's
 * control field count as one switch: there is no accounting by privilege level, and no overflow
 * interrupt.
 */
#include "l0/machine/interp/perf.h"

#define COUNTER_MASK ((UINT64_C(1) << 48) - 1)
#define FIXED_ENABLES UINT64_C(3) /* of one field: bit 0 ring 0, bit 1 other rings */
#define FIXED_CTRL_WRITABLE UINT64_C(0xbbb) /* no AnyThread */
#define GLOBAL_FIXED(counter) BIT64(32 + (counter))
#define GLOBAL_CTRL_WRITABLE (GLOBAL_FIXED(0) | GLOBAL_FIXED(1) | GLOBAL_FIXED(2))
#define GLOBAL_STATUS_CLEARABLE (GLOBAL_CTRL_WRITABLE | BIT64(62) | BIT64(63))

static uint64_t machine_count(const struct cpu *cpu, unsigned counter)
{
	return counter == 0 ? cpu_retired(cpu) : cpu_now(cpu);
}

static bool running(const struct cpu *cpu, unsigned counter)
{
	return (cpu->msrs.perf_global_ctrl & GLOBAL_FIXED(counter)) &&
	       (cpu->msrs.fixed_ctr_ctrl >> 4 * counter & FIXED_ENABLES);
}

uint64_t perf_fixed_read(const struct cpu *cpu, unsigned counter)
{
	uint64_t value = cpu->msrs.fixed_ctr_base[counter];

	if (running(cpu, counter))
		value += machine_count(cpu, counter);
	return value & COUNTER_MASK;
}

static bool fixed_write(struct cpu *cpu, unsigned counter, uint64_t value)
{
	if (value & ~COUNTER_MASK)
		return false;
	cpu->msrs.fixed_ctr_base[counter] = value - (running(cpu, counter) ? machine_count(cpu, counter) : 0);
	return true;
}

/* Changes a control register without a jump in any counter. */
static void control_write(struct cpu *cpu, uint64_t *control, uint64_t value)
{
	uint64_t count[FIXED_COUNTERS];

	for (unsigned i = 0; i < FIXED_COUNTERS; i++)
		count[i] = perf_fixed_read(cpu, i);
	*control = value;
	for (unsigned i = 0; i < FIXED_COUNTERS; i++)
		fixed_write(cpu, i, count[i]);
}

#define FIXED_COUNTER(n)                                                                           \
	bool read_fixed##n(struct cpu *cpu, uint64_t *value)                                       \
	{                                                                                          \
		*value = perf_fixed_read(cpu, n);                                                  \
		return true;                                                                       \
	}                                                                                          \
	bool write_fixed##n(struct cpu *cpu, uint64_t value)                                       \
	{                                                                                          \
		return fixed_write(cpu, n, value);                                                 \
	}
FIXED_COUNTER(0)
FIXED_COUNTER(1)
FIXED_COUNTER(2)

bool read_fixed_ctr_ctrl(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->msrs.fixed_ctr_ctrl;
	return true;
}

bool write_fixed_ctr_ctrl(struct cpu *cpu, uint64_t value)
{
	if (value & ~FIXED_CTRL_WRITABLE)
		return false;
	control_write(cpu, &cpu->msrs.fixed_ctr_ctrl, value);
	return true;
}

bool read_perf_global_status(struct cpu *cpu, uint64_t *value)
{
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
	if (value & ~GLOBAL_CTRL_WRITABLE)
		return false;
	control_write(cpu, &cpu->msrs.perf_global_ctrl, value);
	return true;
}

bool write_perf_global_ovf_ctrl(struct cpu *cpu, uint64_t value)
{
	if (value & ~GLOBAL_STATUS_CLEARABLE)
		return false;
	cpu->msrs.perf_global_status &= ~value;
	return true;
}
