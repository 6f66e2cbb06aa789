/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Local APIC: acceptance and delivery of interrupts, IPIs, reset. One processor, APIC ID 0.
 * Facts: SDM 3A "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "l0/machine/devices/lapic_state.h"

#include <stdlib.h>
#include <string.h>

#include "l0/machine/devices/ioapic.h"
#include "shadow/sdm/msr.h"

#define DEFAULT_BASE UINT64_C(0xfee00000)
#define BROADCAST_X2APIC UINT32_C(0xffffffff)
#define BROADCAST_XAPIC 0xffu

/* ICR: 7:0 vector | 10:8 delivery mode | 11 logical | 14 assert | 15 level | 19:18 shorthand */
#define ICR_LOGICAL 0x800u
#define ICR_ASSERT 0x4000u
#define ICR_LEVEL 0x8000u
#define ICR_SHORTHAND_SHIFT 18

static void vector_set(uint32_t *words, uint8_t vector)
{
	words[vector / 32] |= UINT32_C(1) << vector % 32;
}

static void vector_clear(uint32_t *words, uint8_t vector)
{
	words[vector / 32] &= ~(UINT32_C(1) << vector % 32);
}

static bool vector_test(const uint32_t *words, uint8_t vector)
{
	return words[vector / 32] >> vector % 32 & 1;
}

/* Highest vector set, -1 if none. */
static int vector_highest(const uint32_t *words)
{
	for (int i = VECTOR_WORDS - 1; i >= 0; i--)
		if (words[i])
			return 32 * i + 31 - __builtin_clz(words[i]);
	return -1;
}

uint8_t lapic_ppr(const struct lapic *lapic)
{
	int in_service = vector_highest(lapic->isr);
	uint8_t class = in_service < 0 ? 0 : in_service & 0xf0;

	return (lapic->tpr & 0xf0) >= class ? lapic->tpr : class;
}

bool lapic_pending(const struct lapic *lapic)
{
	int vector = vector_highest(lapic->irr);

	return vector >= 0 && lapic_enabled(lapic) && (vector & 0xf0) > (lapic_ppr(lapic) & 0xf0);
}

uint8_t lapic_ack(struct lapic *lapic)
{
	int vector = vector_highest(lapic->irr);

	if (!lapic_pending(lapic))
		return lapic->svr & SVR_VECTOR;
	vector_clear(lapic->irr, vector);
	vector_set(lapic->isr, vector);
	return vector;
}

void lapic_error(struct lapic *lapic, uint32_t bit)
{
	bool first = !(lapic->esr_seen & bit);

	lapic->esr_seen |= bit;
	if (first)
		lapic_local_interrupt(lapic, LVT_ERROR);
}

void lapic_accept(struct lapic *lapic, uint8_t vector, bool level)
{
	if (!(lapic->svr & SVR_ENABLE) || !lapic_enabled(lapic))
		return;
	if (vector < 16) {
		lapic_error(lapic, ESR_RECEIVE_ILLEGAL_VECTOR);
		return;
	}
	vector_set(lapic->irr, vector);
	if (level)
		vector_set(lapic->tmr, vector);
	else
		vector_clear(lapic->tmr, vector);
	machine_poke(lapic->machine);
}

void lapic_eoi(struct lapic *lapic)
{
	int vector = vector_highest(lapic->isr);
	uint32_t *lint0 = &lapic->lvt[LVT_LINT0];

	if (vector < 0)
		return;
	vector_clear(lapic->isr, vector);
	machine_poke(lapic->machine);
	if (!vector_test(lapic->tmr, vector))
		return;
	if (*lint0 & LVT_REMOTE_IRR && (*lint0 & LVT_VECTOR) == (uint32_t)vector) {
		*lint0 &= ~LVT_REMOTE_IRR;
		lapic_set_lint0(lapic, lapic->lint0);
	}
	if (!(lapic->svr & SVR_EOI_NO_BROADCAST))
		ioapic_eoi(lapic->machine->ioapic, vector);
}

static bool logical_match(const struct lapic *lapic, uint32_t destination)
{
	/* x2APIC: cluster 31:16, member bits 15:0; this is member 0 of cluster 0. */
	if (lapic_x2apic(lapic))
		return !(destination >> 16) && destination & 1;
	uint8_t ldr = lapic->ldr >> 24;
	if (lapic->dfr >> 28 == 0xf) /* flat */
		return ldr & destination;
	return (destination >> 4 == 0xf || destination >> 4 == ldr >> 4) && ldr & destination & 0xf;
}

static bool addressed(const struct lapic *lapic, const struct apic_message *message)
{
	uint32_t destination = message->destination;

	if (destination == BROADCAST_X2APIC)
		return true;
	if (!lapic_x2apic(lapic)) {
		destination &= 0xff;
		if (destination == BROADCAST_XAPIC)
			return true;
	}
	return message->logical ? logical_match(lapic, destination) : destination == 0;
}

static void deliver(struct lapic *lapic, const struct apic_message *message)
{
	struct machine *machine = lapic->machine;

	switch (message->mode) {
	case APIC_FIXED:
	case APIC_LOWEST_PRIORITY:
		lapic_accept(lapic, message->vector, message->level);
		break;
	case APIC_NMI:
		machine->cpu_ops->nmi(machine->cpu);
		break;
	case APIC_INIT:
		machine->cpu_ops->init(machine->cpu);
		break;
	case APIC_STARTUP:
		machine->cpu_ops->sipi(machine->cpu, message->vector);
		break;
	case APIC_SMI: /* no SMM on this machine */
	case APIC_EXTINT:
		break;
	}
}

bool lapic_send(struct lapic *lapic, const struct apic_message *message)
{
	if (!lapic_enabled(lapic) || !addressed(lapic, message))
		return false;
	deliver(lapic, message);
	return true;
}

void lapic_icr_send(struct lapic *lapic)
{
	enum { NONE, SELF, ALL, OTHERS } shorthand = lapic->icr >> ICR_SHORTHAND_SHIFT & 3;
	struct apic_message message = {
		.destination = lapic_x2apic(lapic) ? lapic->icr >> 32 : lapic->icr >> 56,
		.logical = lapic->icr & ICR_LOGICAL,
		.vector = lapic->icr,
		.mode = lapic->icr >> 8 & 7,
	};
	bool fixed = message.mode == APIC_FIXED || message.mode == APIC_LOWEST_PRIORITY;

	if (fixed && message.vector < 16) {
		lapic_error(lapic, ESR_SEND_ILLEGAL_VECTOR);
		return;
	}
	/* INIT level de-assert only synchronizes arbitration IDs, which this bus does not have. */
	if (message.mode == APIC_INIT && lapic->icr & ICR_LEVEL && !(lapic->icr & ICR_ASSERT))
		return;
	if (shorthand == NONE)
		lapic_send(lapic, &message);
	else if ((shorthand == SELF || shorthand == ALL) && fixed)
		deliver(lapic, &message);
}

void lapic_local_interrupt(struct lapic *lapic, enum lapic_lvt source)
{
	uint32_t lvt = lapic->lvt[source];
	struct apic_message message = { .vector = lvt & LVT_VECTOR, .mode = APIC_FIXED };

	if (lvt & LVT_MASKED)
		return;
	if (source != LVT_TIMER && source != LVT_ERROR)
		message.mode = lvt >> LVT_MODE_SHIFT & 7;
	/* SDM 3B "Generating an Interrupt on Overflow": the entry masks itself. */
	if (source == LVT_PERFORMANCE)
		lapic->lvt[source] |= LVT_MASKED;
	deliver(lapic, &message);
}

void lapic_set_lint0(struct lapic *lapic, bool level)
{
	bool rising = level && !lapic->lint0;
	uint32_t *lvt = &lapic->lvt[LVT_LINT0];

	lapic->lint0 = level;
	if (!lapic_enabled(lapic) || *lvt & LVT_MASKED)
		return;
	if ((*lvt >> LVT_MODE_SHIFT & 7) == APIC_FIXED && *lvt & LVT_LEVEL) {
		if (!level || *lvt & LVT_REMOTE_IRR)
			return;
		*lvt |= LVT_REMOTE_IRR;
		lapic_accept(lapic, *lvt & LVT_VECTOR, true);
	} else if (rising) {
		lapic_local_interrupt(lapic, LVT_LINT0);
	}
}

bool lapic_accepts_extint(const struct lapic *lapic)
{
	uint32_t lvt = lapic->lvt[LVT_LINT0];

	return !lapic_enabled(lapic) ||
	       (!(lvt & LVT_MASKED) && (lvt >> LVT_MODE_SHIFT & 7) == APIC_EXTINT);
}

void lapic_reset(struct lapic *lapic, bool init)
{
	if (!init)
		lapic->base = DEFAULT_BASE | APIC_BASE_BSP | APIC_BASE_EN;
	lapic->tpr = lapic->ldr = lapic->esr = lapic->esr_seen = 0;
	lapic->dfr = UINT32_MAX;
	lapic->svr = SVR_VECTOR;
	lapic->icr = 0;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		lapic->lvt[i] = LVT_MASKED;
	memset(lapic->irr, 0, sizeof(lapic->irr));
	memset(lapic->isr, 0, sizeof(lapic->isr));
	memset(lapic->tmr, 0, sizeof(lapic->tmr));
	lapic_timer_reset(lapic);
}
