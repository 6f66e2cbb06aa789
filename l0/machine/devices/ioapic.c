/* SPDX-License-Identifier: BSD-2-Clause
 *
 * I/O APIC. Register facts from the Intel 82093AA data sheet; version 0x20 with the EOI register.
 *
 *   redirection entry  7:0 vector  10:8 delivery mode  11 logical  12 delivery status (RO)
 *                      13 active low  14 remote IRR (RO)  15 level  16 mask  63:56 destination
 */
#include "l0/machine/devices/ioapic.h"

#include "l0/machine/devices/lapic.h"
#include "l0/machine/machine.h"

#define IOREGSEL 0x00
#define IOWIN 0x10
#define IOEOI 0x40

#define REG_ID 0x00
#define REG_VERSION 0x01
#define REG_ARBITRATION 0x02
#define REG_REDIRECTION 0x10

#define REDIR_LOGICAL UINT64_C(0x800)
#define REDIR_REMOTE_IRR UINT64_C(0x4000)
#define REDIR_LEVEL UINT64_C(0x8000)
#define REDIR_MASKED UINT64_C(0x10000)
#define REDIR_WRITABLE UINT64_C(0xff0000000001afff)

struct ioapic {
	struct machine *machine;
	struct region mmio;
	uint32_t lines;    /* input levels */
	uint32_t id;
	uint8_t select;
	uint64_t redirection[IOAPIC_PINS];
};

static bool pin_send(struct ioapic *ioapic, unsigned pin)
{
	uint64_t entry = ioapic->redirection[pin];
	uint32_t destination = entry >> 56;
	struct apic_message message = {
		/* 0xff addresses every processor whatever its APIC's mode */
		.destination = destination == 0xff ? UINT32_MAX : destination,
		.logical = entry & REDIR_LOGICAL,
		.level = entry & REDIR_LEVEL,
		.vector = entry,
		.mode = entry >> 8 & 7,
	};

	return lapic_send(ioapic->machine->lapic, &message);
}

/* A level-triggered pin sends while its line is high and its last message has had its EOI. */
static void level_service(struct ioapic *ioapic, unsigned pin)
{
	uint64_t *entry = &ioapic->redirection[pin];

	if (!(*entry & REDIR_LEVEL) || *entry & (REDIR_MASKED | REDIR_REMOTE_IRR))
		return;
	if (ioapic->lines >> pin & 1 && pin_send(ioapic, pin))
		*entry |= REDIR_REMOTE_IRR;
}

void ioapic_set_pin(struct ioapic *ioapic, unsigned pin, bool level)
{
	uint32_t bit = UINT32_C(1) << pin;

	if (pin >= IOAPIC_PINS)
		return;
	bool rising = level && !(ioapic->lines & bit);
	ioapic->lines = level ? ioapic->lines | bit : ioapic->lines & ~bit;
	/* An edge at a masked pin is lost, as on the 82093AA. */
	if (rising && !(ioapic->redirection[pin] & (REDIR_LEVEL | REDIR_MASKED)))
		pin_send(ioapic, pin);
	level_service(ioapic, pin);
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t *entry = &ioapic->redirection[pin];

		if (!(*entry & REDIR_REMOTE_IRR) || (uint8_t)*entry != vector)
			continue;
		*entry &= ~REDIR_REMOTE_IRR;
		level_service(ioapic, pin);
	}
}

static void redirection_write(struct ioapic *ioapic, unsigned pin, unsigned shift, uint32_t value)
{
	uint64_t *entry = &ioapic->redirection[pin];
	uint64_t mask = (UINT64_C(0xffffffff) << shift) & REDIR_WRITABLE;

	*entry = (*entry & ~mask) | ((uint64_t)value << shift & mask);
	/* Remote IRR has no meaning for edge-triggered entries: software clears it by that
	 * switch. */
	if (!(*entry & REDIR_LEVEL))
		*entry &= ~REDIR_REMOTE_IRR;
	level_service(ioapic, pin);
}

static uint32_t window_read(const struct ioapic *ioapic)
{
	unsigned pin = (ioapic->select - REG_REDIRECTION) / 2;

	if (ioapic->select == REG_ID || ioapic->select == REG_ARBITRATION)
		return ioapic->id;
	if (ioapic->select == REG_VERSION)
		return 0x20 | (IOAPIC_PINS - 1) << 16;
	if (ioapic->select >= REG_REDIRECTION && pin < IOAPIC_PINS)
		return ioapic->redirection[pin] >> 32 * (ioapic->select & 1);
	return 0;
}

static void window_write(struct ioapic *ioapic, uint32_t value)
{
	unsigned pin = (ioapic->select - REG_REDIRECTION) / 2;

	if (ioapic->select == REG_ID)
		ioapic->id = value & 0x0f000000;
	else if (ioapic->select >= REG_REDIRECTION && pin < IOAPIC_PINS)
		redirection_write(ioapic, pin, 32 * (ioapic->select & 1), value);
}

static uint64_t ioapic_read(void *opaque, uint64_t offset, unsigned size)
{
	struct ioapic *ioapic = opaque;
	uint32_t value = 0;

	if ((offset & ~3u) == IOREGSEL)
		value = ioapic->select;
	else if ((offset & ~3u) == IOWIN)
		value = window_read(ioapic);
	return value >> 8 * (offset & 3);
}

static void ioapic_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct ioapic *ioapic = opaque;

	if (offset == IOREGSEL)
		ioapic->select = value;
	else if (offset == IOWIN && size == 4)
		window_write(ioapic, value);
	else if (offset == IOEOI)
		ioapic_eoi(ioapic, value);
}

struct ioapic *ioapic_create(struct machine *machine)
{
	struct ioapic *ioapic = machine_alloc(machine, sizeof(*ioapic));

	ioapic->machine = machine;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic->redirection[pin] = REDIR_MASKED;
	ioapic->mmio = (struct region){ .base = IOAPIC_BASE, .length = 4096, .max_size = 4,
					.read = ioapic_read, .write = ioapic_write,
					.opaque = ioapic };
	machine_add_mmio(machine, &ioapic->mmio);
	return ioapic;
}
