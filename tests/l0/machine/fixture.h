/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A machine with every device and a CPU that only keeps time, for device tests. Limits: one machine
 * per test program; interrupts are taken by hand; time passes only in fixture_advance.
 */
#ifndef TESTS_L0_MACHINE_FIXTURE_H
#define TESTS_L0_MACHINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "l0/machine/firmware.h"
#include "l0/machine/machine.h"

static struct fixture {
	struct machine machine;
	uint64_t now;
	unsigned pokes, nmis, inits;
	int sipi;
} fixture;

static inline uint64_t fixture_now(struct cpu *cpu)
{
	return fixture.now;
}
static inline void fixture_poke(struct cpu *cpu)
{
	fixture.pokes++;
}
static inline void fixture_nmi(struct cpu *cpu)
{
	fixture.nmis++;
}
static inline void fixture_init(struct cpu *cpu)
{
	fixture.inits++;
}
static inline void fixture_sipi(struct cpu *cpu, uint8_t vector)
{
	fixture.sipi = vector;
}
static inline void fixture_stats(struct cpu *cpu, struct cpu_stats *stats)
{
	*stats = (struct cpu_stats){ fixture.now, fixture.now };
}
static inline void fixture_destroy(struct cpu *cpu)
{
}

static const struct cpu_ops fixture_ops = {
	.name = "fake", .now = fixture_now, .poke = fixture_poke, .nmi = fixture_nmi,
	.init = fixture_init, .sipi = fixture_sipi, .stats = fixture_stats,
	.destroy = fixture_destroy,
};

static inline int fixture_setup_size(uint64_t ram)
{
	fixture = (struct fixture){ .sipi = -1 };
	if (!machine_init(&fixture.machine, ram, "/dev/null"))
		return -1;
	fixture.machine.cpu_ops = &fixture_ops;
	fixture.machine.cpu = (struct cpu *)&fixture;
	return 0;
}

static inline int fixture_setup(void **state)
{
	return fixture_setup_size(UINT64_C(64) << 20);
}

static inline int fixture_teardown(void **state)
{
	machine_free(&fixture.machine);
	return 0;
}

/* Time passes, and every event fires at its own time. */
static inline void fixture_advance_to(uint64_t time)
{
	while (event_next(&fixture.machine.events) <= time) {
		fixture.now = event_next(&fixture.machine.events);
		event_run(&fixture.machine.events, fixture.now);
	}
	fixture.now = time;
}

static inline void fixture_advance(uint64_t cycles)
{
	fixture_advance_to(fixture.now + cycles);
}

static inline void out8(uint16_t port, uint8_t value)
{
	machine_port_write(&fixture.machine, port, 1, value);
}
static inline uint8_t in8(uint16_t port)
{
	return machine_port_read(&fixture.machine, port, 1);
}
static inline void mmio_out(uint64_t hpa, uint32_t value)
{
	machine_mmio_write(&fixture.machine, hpa, 4, value);
}
static inline uint32_t mmio_in(uint64_t hpa)
{
	return machine_mmio_read(&fixture.machine, hpa, 4);
}
static inline bool pending(void)
{
	return machine_interrupt_pending(&fixture.machine);
}
/* The vector that the CPU gets now, -1: none. */
static inline int take(void)
{
	return pending() ? machine_interrupt_ack(&fixture.machine) : -1;
}

#define LAPIC(offset) (UINT64_C(0xfee00000) + (offset))
#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif
