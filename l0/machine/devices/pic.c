/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 8259A pair. Register facts from the Intel 8259A data sheet; ELCR from the PIIX data sheets.
 *
 *   ICW1  7:5 -   4 1     3 LTIM (ELCR decides here)  2 -  1 SNGL  0 IC4
 *   ICW4  7:5 0   4 SFNM  3:2 BUF,M/S                 1 AEOI       0 uPM
 *   OCW2  7 R  6 SL  5 EOI  4:3 00  2:0 level
 *   OCW3  7 0  6 ESMM  5 SMM  4:3 01  2 P  1 RR  0 RIS
 */
#include "l0/machine/devices/pic.h"

#include "l0/machine/devices/lapic.h"
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define CASCADE 2
#define NO_PRIORITY 8

#define ICW1_INIT 0x10
#define ICW1_SNGL 0x02
#define ICW1_IC4 0x01
#define ICW4_AEOI 0x02
#define ICW4_SFNM 0x10
#define OCW_SELECT 0x18
#define OCW3 0x08
#define OCW3_ESMM 0x40
#define OCW3_SMM 0x20
#define OCW3_POLL 0x04
#define OCW3_RR 0x02
#define OCW3_RIS 0x01

struct i8259 {
	uint8_t irr, isr, imr;
	uint8_t lines;        /* input levels */
	uint8_t elcr;         /* 1: level triggered */
	uint8_t elcr_mask;    /* inputs whose trigger mode can be chosen */
	uint8_t vector;       /* ICW2, low three bits 0 */
	uint8_t top;          /* input of highest priority; the one before it is lowest */
	uint8_t icw;          /* next ICW expected, 0: initialised */
	uint8_t icw1;
	bool aeoi, rotate_aeoi, sfnm, special_mask, poll, read_isr;
	bool master;
	struct pic *pic;
};

struct pic {
	struct machine *machine;
	struct i8259 chip[2];
	struct region ports[2];
	struct region elcr;
	bool output;
};

/* Rank of the most urgent input in `mask`: 0 is the most urgent, NO_PRIORITY: none. */
static unsigned rank_of(const struct i8259 *chip, uint8_t mask)
{
	unsigned rank = 0;

	while (rank < 8 && !(mask & 1 << ((rank + chip->top) & 7)))
		rank++;
	return rank;
}

static unsigned input_at(const struct i8259 *chip, unsigned rank)
{
	return (rank + chip->top) & 7;
}

/* The input that the chip asks to have served now, -1 if none. */
static int requested_input(const struct i8259 *chip)
{
	unsigned rank = rank_of(chip, chip->irr & ~chip->imr);
	uint8_t in_service = chip->isr;

	if (rank == NO_PRIORITY)
		return -1;
	if (chip->special_mask)
		in_service &= ~chip->imr;
	/* Special fully nested mode: a slave in service does not lock out its own more urgent
	 * inputs. */
	if (chip->sfnm && chip->master)
		in_service &= ~(1 << CASCADE);
	return rank < rank_of(chip, in_service) ? (int)input_at(chip, rank) : -1;
}

static void chip_set_line(struct i8259 *chip, unsigned input, bool level)
{
	uint8_t bit = 1 << input;

	if (chip->elcr & bit)
		chip->irr = level ? chip->irr | bit : chip->irr & ~bit;
	else if (level && !(chip->lines & bit))
		chip->irr |= bit;
	chip->lines = level ? chip->lines | bit : chip->lines & ~bit;
}

static void pic_update(struct pic *pic)
{
	chip_set_line(&pic->chip[0], CASCADE, requested_input(&pic->chip[1]) >= 0);
	/* The cascade input follows the slave even where the latch would hold an edge. */
	if (!(pic->chip[0].lines & 1 << CASCADE))
		pic->chip[0].irr &= ~(1 << CASCADE);
	bool output = requested_input(&pic->chip[0]) >= 0;
	if (output == pic->output)
		return;
	pic->output = output;
	lapic_set_lint0(pic->machine->lapic, output);
	machine_poke(pic->machine);
}

void pic_set_irq(struct pic *pic, unsigned irq, bool level)
{
	if (irq == CASCADE)
		return;
	chip_set_line(&pic->chip[irq / 8], irq % 8, level);
	pic_update(pic);
}

bool pic_output(const struct pic *pic)
{
	return pic->output;
}

/* INTA for one chip; returns the input, 7 for a spurious request. */
static unsigned chip_ack(struct i8259 *chip)
{
	int input = requested_input(chip);

	if (input < 0)
		return 7;
	if (!chip->aeoi)
		chip->isr |= 1 << input;
	else if (chip->rotate_aeoi)
		chip->top = (input + 1) & 7;
	if (!(chip->elcr & 1 << input))
		chip->irr &= ~(1 << input);
	return input;
}

uint8_t pic_ack(struct pic *pic)
{
	bool requested = requested_input(&pic->chip[0]) >= 0;
	unsigned input = chip_ack(&pic->chip[0]);
	uint8_t vector = pic->chip[0].vector + input;

	if (requested && input == CASCADE) {
		vector = pic->chip[1].vector + chip_ack(&pic->chip[1]);
		/* Still requesting: a new edge on the cascade for the next acknowledge. */
		pic->chip[0].lines &= ~(1 << CASCADE);
	}
	pic_update(pic);
	return vector;
}

static void chip_icw1(struct i8259 *chip, uint8_t value)
{
	chip->icw1 = value;
	chip->icw = 2;
	chip->irr &= chip->elcr; /* the edge sense circuit is reset */
	chip->isr = chip->imr = 0;
	chip->top = 0;
	chip->aeoi = chip->rotate_aeoi = chip->sfnm = false;
	chip->special_mask = chip->poll = chip->read_isr = false;
}

static void chip_icw(struct i8259 *chip, uint8_t value)
{
	if (chip->icw == 2) {
		chip->vector = value & 0xf8;
		chip->icw = !(chip->icw1 & ICW1_SNGL) ? 3 : chip->icw1 & ICW1_IC4 ? 4 : 0;
	} else if (chip->icw == 3) {
		chip->icw = chip->icw1 & ICW1_IC4 ? 4 : 0;
	} else {
		chip->sfnm = value & ICW4_SFNM;
		chip->aeoi = value & ICW4_AEOI;
		chip->icw = 0;
	}
}

/* Clears the in-service bit of `input` and, if asked, gives it the lowest priority. */
static void chip_eoi(struct i8259 *chip, unsigned input, bool rotate)
{
	chip->isr &= ~(1 << input);
	if (rotate)
		chip->top = (input + 1) & 7;
}

static void chip_ocw2(struct i8259 *chip, uint8_t value)
{
	unsigned input = value & 7;
	unsigned rank = rank_of(chip, chip->special_mask ? chip->isr & ~chip->imr : chip->isr);
	enum { ROTATE_AEOI_CLEAR, EOI, NOP, EOI_SPECIFIC, ROTATE_AEOI_SET, ROTATE_EOI, SET_PRIORITY,
	       ROTATE_EOI_SPECIFIC } command = value >> 5;

	switch (command) {
	case ROTATE_AEOI_CLEAR:
	case ROTATE_AEOI_SET:
		chip->rotate_aeoi = command == ROTATE_AEOI_SET;
		break;
	case EOI:
	case ROTATE_EOI:
		if (rank != NO_PRIORITY)
			chip_eoi(chip, input_at(chip, rank), command == ROTATE_EOI);
		break;
	case EOI_SPECIFIC:
	case ROTATE_EOI_SPECIFIC:
		chip_eoi(chip, input, command == ROTATE_EOI_SPECIFIC);
		break;
	case SET_PRIORITY:
		chip->top = (input + 1) & 7;
		break;
	case NOP:
		break;
	}
}

static void chip_ocw3(struct i8259 *chip, uint8_t value)
{
	if (value & OCW3_ESMM)
		chip->special_mask = value & OCW3_SMM;
	chip->poll = value & OCW3_POLL;
	if (!chip->poll && value & OCW3_RR)
		chip->read_isr = value & OCW3_RIS;
}

static void pic_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct i8259 *chip = opaque;

	if (offset == 1 && chip->icw)
		chip_icw(chip, value);
	else if (offset == 1)
		chip->imr = value;
	else if (value & ICW1_INIT)
		chip_icw1(chip, value);
	else if ((value & OCW_SELECT) == OCW3)
		chip_ocw3(chip, value);
	else
		chip_ocw2(chip, value);
	pic_update(chip->pic);
}

/* A poll is an INTA by way of a read: bit 7 says whether there was a request, 2:0 which. */
static uint8_t chip_poll(struct i8259 *chip)
{
	chip->poll = false;
	if (requested_input(chip) < 0)
		return 0;
	uint8_t result = 0x80 | chip_ack(chip);
	pic_update(chip->pic);
	return result;
}

static uint64_t pic_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i8259 *chip = opaque;

	if (chip->poll)
		return chip_poll(chip);
	if (offset == 1)
		return chip->imr;
	return chip->read_isr ? chip->isr : chip->irr;
}

static uint64_t elcr_read(void *opaque, uint64_t offset, unsigned size)
{
	return ((struct pic *)opaque)->chip[offset].elcr;
}

static void elcr_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct pic *pic = opaque;
	struct i8259 *chip = &pic->chip[offset];

	chip->elcr = value & chip->elcr_mask;
	/* An input that is level triggered now requests exactly while it is high. */
	chip->irr = (chip->irr & ~chip->elcr) | (chip->lines & chip->elcr);
	pic_update(pic);
}

struct pic *pic_create(struct machine *machine)
{
	struct pic *pic = machine_alloc(machine, sizeof(*pic));

	pic->machine = machine;
	for (unsigned i = 0; i < 2; i++) {
		pic->chip[i].pic = pic;
		pic->chip[i].imr = 0xff;
		pic->chip[i].vector = i ? 0x70 : 0x08;
		pic->chip[i].master = i == 0;
		pic->chip[i].elcr_mask = i ? 0xde : 0xf8; /* not IRQ 0, 1, 2, 8, 13 */
		pic->ports[i] = (struct region){ .base = i ? 0xa0 : 0x20, .length = 2,
						 .max_size = 1, .read = pic_read,
						 .write = pic_write, .opaque = &pic->chip[i] };
		machine_add_ports(machine, &pic->ports[i]);
	}
	pic->chip[1].elcr = 1 << (SCI_IRQ - 8); /* the SCI is level triggered */
	pic->elcr = (struct region){ .base = 0x4d0, .length = 2, .max_size = 1, .read = elcr_read,
				     .write = elcr_write, .opaque = pic };
	machine_add_ports(machine, &pic->elcr);
	return pic;
}
