/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The local APIC as the rest of the platform sees it; what the CPU calls is in machine.h.
 */
#ifndef L0_MACHINE_DEVICES_LAPIC_H
#define L0_MACHINE_DEVICES_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

struct lapic;
struct machine;

/* Delivery modes of ICR, LVT entries, I/O redirection entries and MSIs. */
enum apic_delivery {
	APIC_FIXED = 0,
	APIC_LOWEST_PRIORITY = 1,
	APIC_SMI = 2,
	APIC_NMI = 4,
	APIC_INIT = 5,
	APIC_STARTUP = 6,
	APIC_EXTINT = 7,
};

enum lapic_lvt {
	LVT_TIMER,
	LVT_THERMAL,
	LVT_PERFORMANCE,
	LVT_LINT0,
	LVT_LINT1,
	LVT_ERROR,
	LVT_COUNT,
};

/* An interrupt message on the system bus. */
struct apic_message {
	uint32_t destination; /* 8 bits from an IOAPIC, 32 bits from x2APIC */
	bool logical;
	bool level;
	uint8_t vector;
	enum apic_delivery mode;
};

/* As firmware leaves the bootstrap processor: enabled, LINT0 = ExtINT, LINT1 = NMI. */
struct lapic *lapic_create(struct machine *machine);
/* Power-up state, SDM 3A "Local APIC State After Power-Up or Reset"; init: after INIT (the ID and
 * IA32_APIC_BASE stay). */
void lapic_reset(struct lapic *lapic, bool init);
/* Delivers if this APIC is addressed; false if it is not. */
bool lapic_send(struct lapic *lapic, const struct apic_message *message);
/* The processor's own sources: performance counters, thermal, error. */
void lapic_local_interrupt(struct lapic *lapic, enum lapic_lvt source);
void lapic_set_lint0(struct lapic *lapic, bool level);
bool lapic_accepts_extint(const struct lapic *lapic);
/* A fixed interrupt is deliverable now (IRR above PPR, APIC enabled). ack moves it to ISR. */
bool lapic_pending(const struct lapic *lapic);
uint8_t lapic_ack(struct lapic *lapic);

#endif
