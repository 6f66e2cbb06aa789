/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Interrupt order: self-IPIs by priority, under TPR and CR8, nested; and the 8259A's masks.
 */
#include "l1/guests/equiv/equiv.h"

#include "l1/lib/cpu.h"
#include "l1/lib/lapic.h"

#define IPI_FIRST 0x90
#define IPI_CLASSES 6
#define IPI_VECTOR(i) (IPI_FIRST + 0x10 * (i) + (i))

static struct equiv *current;
static unsigned depth;

static void on_ipi(struct trap_frame *frame)
{
	depth++;
	equiv_add(current, frame->vector << 8 | depth);
	equiv_add(current, lapic_read(LAPIC_ISR + 0x10 * ((unsigned)frame->vector >> 5)));
	/* Only higher priorities get in while this one is in service. */
	if (!(frame->vector & 1)) {
		interrupts_enable();
		__asm__ volatile("nop; nop");
		interrupts_disable();
	}
	lapic_eoi();
	depth--;
}

static void send_some(struct equiv *equiv)
{
	uint64_t order = equiv_random(equiv);

	for (unsigned i = 0; i < IPI_CLASSES; i++, order >>= 8)
		lapic_self_ipi((uint8_t)IPI_VECTOR(order % IPI_CLASSES));
}

static void open_window(void)
{
	interrupts_enable();
	__asm__ volatile("nop; nop; nop");
	interrupts_disable();
}

static void run_ipis(struct equiv *equiv)
{
	for (unsigned class = 0xf; class < 0x10; class--) {
		write_cr8(class);
		equiv_add(equiv, lapic_read(LAPIC_TPR));
		send_some(equiv);
		for (unsigned i = 4; i < 8; i++)
			equiv_add(equiv, lapic_read(LAPIC_IRR + 0x10 * i));
		open_window();
	}
	lapic_write(LAPIC_TPR, 0xa5);
	equiv_add(equiv, read_cr8());
	lapic_write(LAPIC_TPR, 0);
}

/* Masked lines deliver nothing; what is written to a mask register is read back. */
static void run_pic(struct equiv *equiv)
{
	uint8_t saved[2] = {inb(0x21), inb(0xa1)};

	for (unsigned i = 0; i < 8; i++) {
		uint64_t random = equiv_random(equiv);

		outb(0x21, (uint8_t)random);
		outb(0xa1, (uint8_t)(random >> 8));
		equiv_add(equiv, inb(0x21) | (uint64_t)inb(0xa1) << 8);
	}
	outb(0x21, saved[0]);
	outb(0xa1, saved[1]);
}

void equiv_interrupts(struct equiv *equiv)
{
	current = equiv;
	lapic_init();
	for (unsigned i = 0; i < IPI_CLASSES; i++)
		trap_set_handler(IPI_VECTOR(i), on_ipi);
	run_ipis(equiv);
	/* The same by MSRs. TCG has no x2APIC; there is no way back to xAPIC mode but through a
	 * disabled APIC, from which Bochs never wakes: later rounds stay in x2APIC mode. */
	if (equiv->strict && lapic_has_x2apic()) {
		lapic_enter_x2apic();
		run_ipis(equiv);
	}
	run_pic(equiv);
}
