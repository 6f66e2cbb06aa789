/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 8259A. Source: Intel 8259A data sheet, "Initialization Command Words".
 */
#include "l1/lib/pic.h"

#include "l1/lib/cpu.h"

#define MASTER 0x20
#define SLAVE 0xa0
#define CASCADE_IRQ 2
#define ICW1_INIT_ICW4 0x11
#define ICW4_8086 0x01
#define OCW2_EOI 0x20

static void init_one(uint16_t base, uint8_t vector, uint8_t cascade, uint8_t mask)
{
	outb(base, ICW1_INIT_ICW4);
	outb(base + 1, vector);
	outb(base + 1, cascade);
	outb(base + 1, ICW4_8086);
	outb(base + 1, mask);
}

void pic_init(void)
{
	init_one(MASTER, PIC_VECTOR, 1 << CASCADE_IRQ, 0xff & ~(1 << CASCADE_IRQ));
	init_one(SLAVE, PIC_VECTOR + 8, CASCADE_IRQ, 0xff);
}

void pic_unmask(unsigned irq)
{
	uint16_t port = irq < 8 ? MASTER + 1 : SLAVE + 1;

	outb(port, (uint8_t)(inb(port) & ~(1u << (irq & 7))));
}

void pic_mask(unsigned irq)
{
	uint16_t port = irq < 8 ? MASTER + 1 : SLAVE + 1;

	outb(port, (uint8_t)(inb(port) | 1u << (irq & 7)));
}

void pic_eoi(unsigned irq)
{
	if (irq >= 8)
		outb(SLAVE, OCW2_EOI);
	outb(MASTER, OCW2_EOI);
}
