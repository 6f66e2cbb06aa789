/* SPDX-License-Identifier: BSD-2-Clause
 *
 * State of the local APIC, shared by lapic.c (delivery), lapic_regs.c (registers) and
 * lapic_timer.c; nobody else includes it. Facts: SDM 3A "Advanced Programmable Interrupt Controller
 * (APIC)".
 */
#ifndef L0_MACHINE_DEVICES_LAPIC_STATE_H
#define L0_MACHINE_DEVICES_LAPIC_STATE_H

#include "l0/machine/devices/lapic.h"
#include "l0/machine/machine.h"

#define SVR_VECTOR 0xffu
#define SVR_ENABLE 0x100u
#define SVR_EOI_NO_BROADCAST 0x1000u

#define ESR_SEND_ILLEGAL_VECTOR 0x20u
#define ESR_RECEIVE_ILLEGAL_VECTOR 0x40u
#define ESR_ILLEGAL_REGISTER 0x80u

/* LVT entry: 7:0 vector | 10:8 delivery mode | 12 delivery status | 13 polarity | 14 remote IRR |
 * 15 trigger mode | 16 mask | 18:17 timer mode */
#define LVT_VECTOR 0xffu
#define LVT_MODE_SHIFT 8
#define LVT_REMOTE_IRR 0x4000u
#define LVT_LEVEL 0x8000u
#define LVT_MASKED 0x10000u
#define LVT_TIMER_MODE 0x60000u
#define LVT_TIMER_ONE_SHOT 0x00000u
#define LVT_TIMER_PERIODIC 0x20000u
#define LVT_TIMER_TSC_DEADLINE 0x40000u

#define VECTOR_WORDS 8

struct lapic {
	struct machine *machine;
	struct region mmio;
	uint64_t base; /* IA32_APIC_BASE */
	uint32_t tpr, ldr, dfr, svr;
	uint32_t esr, esr_seen; /* as read; errors since it was last written */
	uint64_t icr;
	uint32_t lvt[LVT_COUNT];
	uint32_t irr[VECTOR_WORDS], isr[VECTOR_WORDS], tmr[VECTOR_WORDS];
	bool lint0;
	/* Timer: one event; `expiry` is when the count reaches 0, EVENT_NEVER while stopped. */
	struct event timer;
	uint64_t expiry, deadline;
	uint32_t initial_count, divide_config;
};

static inline bool lapic_enabled(const struct lapic *lapic)
{
	return lapic->base & UINT64_C(0x800);
}

static inline bool lapic_x2apic(const struct lapic *lapic)
{
	return lapic->base & UINT64_C(0x400);
}

uint8_t lapic_ppr(const struct lapic *lapic);
void lapic_eoi(struct lapic *lapic);
void lapic_icr_send(struct lapic *lapic);
/* Fixed interrupt on this processor; an illegal vector is an error, SDM "Error Handling". */
void lapic_accept(struct lapic *lapic, uint8_t vector, bool level);
void lapic_error(struct lapic *lapic, uint32_t bit);

void lapic_timer_init(struct lapic *lapic);
void lapic_timer_reset(struct lapic *lapic);
void lapic_timer_set_count(struct lapic *lapic, uint32_t count);
uint32_t lapic_timer_count(const struct lapic *lapic);
void lapic_timer_set_divider(struct lapic *lapic, uint32_t config);
/* Called before the LVT timer entry becomes `lvt`. */
void lapic_timer_mode_change(struct lapic *lapic, uint32_t lvt);

#endif
