/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Asks the board questions whose answers do not depend on time, one line an answer: the same image
 * on another PC must print the same. A probe is a script of port accesses; IN results are printed.
 * Interrupt probes print the vectors in the order in which they came.
 */
#include <stdbool.h>
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/lapic.h"
#include "l1/lib/pic.h"
#include "l1/lib/runtime.h"
#include "l1/lib/trap.h"

#define IOAPIC UINT64_C(0xfec00000)
#define LAPIC_PPR 0xa0
#define RESULTS 64

struct step {
	enum { END, OUT, IN, DROP } what; /* DROP: an IN whose result is not printed */
	uint16_t port;
	uint8_t value;
};

/* COM1 is the console: results are kept until the probe is over. */
static uint32_t results[RESULTS];
static unsigned result_count;

static void note(uint32_t value)
{
	if (result_count < RESULTS)
		results[result_count++] = value;
}

static void print_results(const char *name)
{
	printf("%s:", name);
	for (unsigned i = 0; i < result_count; i++)
		printf(" %x", results[i]);
	printf("\n");
	result_count = 0;
}

static const struct step pic_masks[] = {
	{ OUT, 0x20, 0x11 }, { OUT, 0x21, 0x20 }, { OUT, 0x21, 0x04 }, { OUT, 0x21, 0x01 },
	{ IN, 0x21, 0 },     { OUT, 0x21, 0xa5 }, { IN, 0x21, 0 },     { OUT, 0x20, 0x0b },
	{ IN, 0x20, 0 },     { OUT, 0xa0, 0x11 }, { OUT, 0xa1, 0x28 }, { OUT, 0xa1, 0x02 },
	{ OUT, 0xa1, 0x01 }, { IN, 0xa1, 0 },	  { OUT, 0xa1, 0x5a }, { IN, 0xa1, 0 },
	{ OUT, 0x21, 0xff }, { OUT, 0xa1, 0xff }, { OUT, 0x4d0, 0xff }, { IN, 0x4d0, 0 },
	{ OUT, 0x4d1, 0xff }, { IN, 0x4d1, 0 },	  { OUT, 0x4d0, 0x00 }, { OUT, 0x4d1, 0x00 },
	{ END },
};

/* The THR-empty interrupt raises IRQ 4; a poll command acknowledges it. Counter 0 is kept quiet. */
static const struct step pic_poll[] = {
	{ OUT, 0x43, 0x30 }, { OUT, 0x20, 0x0a }, { OUT, 0x21, 0xef }, { OUT, 0x3fc, 0x0b },
	{ OUT, 0x3f9, 0x00 }, { IN, 0x3fa, 0 },	  { IN, 0x20, 0 },     { OUT, 0x3f9, 0x02 },
	{ IN, 0x20, 0 },     { OUT, 0x20, 0x0c }, { IN, 0x20, 0 },     { OUT, 0x20, 0x0b },
	{ IN, 0x20, 0 },     { OUT, 0x20, 0x0a }, { IN, 0x20, 0 },     { OUT, 0x20, 0x64 },
	{ OUT, 0x20, 0x0b }, { IN, 0x20, 0 },	  { OUT, 0x3f9, 0x00 }, { OUT, 0x20, 0x0a },
	{ OUT, 0x21, 0xff }, { END },
};

static const struct step uart_registers[] = {
	{ OUT, 0x3ff, 0x5a }, { IN, 0x3ff, 0 },	   { OUT, 0x3fb, 0x83 }, { OUT, 0x3f8, 0x01 },
	{ OUT, 0x3f9, 0x00 }, { IN, 0x3f8, 0 },	   { IN, 0x3f9, 0 },	 { OUT, 0x3fb, 0x03 },
	{ IN, 0x3fb, 0 },     { OUT, 0x3fa, 0xc7 }, { IN, 0x3fa, 0 },	 { OUT, 0x3f9, 0x02 },
	{ IN, 0x3fa, 0 },     { IN, 0x3fa, 0 },	   { OUT, 0x3f9, 0x0f }, { IN, 0x3f9, 0 },
	{ OUT, 0x3f9, 0x00 }, { OUT, 0x3fa, 0x00 }, { IN, 0x3fa, 0 },	 { IN, 0x3fd, 0 },
	{ END },
};

/* The first read of the modem status after a change would show the change bits, which not every
 * emulation has. */
static const struct step uart_loopback[] = {
	{ OUT, 0x3fc, 0x10 }, { DROP, 0x3fe, 0 }, { IN, 0x3fe, 0 },	 { OUT, 0x3fc, 0x15 },
	{ DROP, 0x3fe, 0 },   { IN, 0x3fe, 0 },	   { OUT, 0x3fc, 0x1a }, { DROP, 0x3fe, 0 },
	{ IN, 0x3fe, 0 },     { OUT, 0x3f8, 0x42 }, { IN, 0x3fd, 0 },	 { IN, 0x3f8, 0 },
	{ IN, 0x3fd, 0 },     { OUT, 0x3fc, 0x03 }, { END },
};

static const struct step cmos_registers[] = {
	{ OUT, 0x70, 0x0a }, { OUT, 0x71, 0x26 }, { OUT, 0x70, 0x0b }, { OUT, 0x71, 0x82 },
	{ IN, 0x71, 0 },     { OUT, 0x70, 0x0d }, { IN, 0x71, 0 },     { OUT, 0x70, 0x00 },
	{ OUT, 0x71, 0x58 }, { OUT, 0x70, 0x02 }, { OUT, 0x71, 0x59 }, { OUT, 0x70, 0x04 },
	{ OUT, 0x71, 0x23 }, { OUT, 0x70, 0x07 }, { OUT, 0x71, 0x28 }, { OUT, 0x70, 0x08 },
	{ OUT, 0x71, 0x02 }, { OUT, 0x70, 0x09 }, { OUT, 0x71, 0x00 }, { OUT, 0x70, 0x32 },
	{ OUT, 0x71, 0x20 }, { IN, 0x71, 0 },	  { OUT, 0x70, 0x04 }, { IN, 0x71, 0 },
	{ OUT, 0x70, 0x0b }, { OUT, 0x71, 0x02 }, { END },
};

/* After the clock has passed midnight into a leap day. */
static const struct step cmos_date[] = {
	{ OUT, 0x70, 0x04 }, { IN, 0x71, 0 },	  { OUT, 0x70, 0x02 }, { IN, 0x71, 0 },
	{ OUT, 0x70, 0x07 }, { IN, 0x71, 0 },	  { OUT, 0x70, 0x08 }, { IN, 0x71, 0 },
	{ OUT, 0x70, 0x09 }, { IN, 0x71, 0 },	  { OUT, 0x70, 0x32 }, { IN, 0x71, 0 },
	{ END },
};

static void run(const char *name, const struct step *step)
{
	for (; step->what != END; step++) {
		uint8_t value = 0;

		if (step->what == OUT)
			outb(step->port, step->value);
		else
			value = inb(step->port);
		if (step->what == IN)
			note(value);
	}
	print_results(name);
}

static uint8_t cmos(uint8_t index)
{
	outb(0x70, index);
	return inb(0x71);
}

static void probe_clock(void)
{
	run("cmos", cmos_registers);
	while (cmos(0x04) == 0x23 || cmos(0x0a) & 0x80)
		cpu_relax();
	run("date", cmos_date);
}

/* Counter 2 in mode 0: OUT, at port 0x61, goes high once and stays. */
static void probe_timer(void)
{
	outb(0x61, 0x01);
	outb(0x43, 0xb0);
	outb(0x42, 0x00);
	outb(0x42, 0xf0);
	note(inb(0x61) & 0x21);
	while (!(inb(0x61) & 0x20))
		cpu_relax();
	note(inb(0x61) & 0x21);
	outb(0x42, 0x00); /* the first byte of a new count: low again */
	note(inb(0x61) & 0x03);
	outb(0x61, 0x00);
	print_results("timer");
}

static uint32_t ioapic_read(uint32_t reg)
{
	*(volatile uint32_t *)IOAPIC = reg;
	return *(volatile uint32_t *)(IOAPIC + 0x10);
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)IOAPIC = reg;
	*(volatile uint32_t *)(IOAPIC + 0x10) = value;
}

static void probe_ioapic(void)
{
	note(ioapic_read(1));
	note(ioapic_read(0x10 + 2 * 23));
	ioapic_write(0x11 + 2 * 23, 0x05000000);
	ioapic_write(0x10 + 2 * 23, 0x1a9fe);
	note(ioapic_read(0x11 + 2 * 23));
	note(ioapic_read(0x10 + 2 * 23));
	ioapic_write(0x10 + 2 * 23, 0x10000);
	print_results("ioapic");
}

static void wait(void)
{
	for (unsigned i = 0; i < 1000; i++)
		cpu_relax();
}

/* Each interrupt notes its vector and the priority it runs at; 0x41 raises two more from within. */
static void on_interrupt(struct trap_frame *frame)
{
	note((uint32_t)frame->vector);
	note(lapic_read(LAPIC_PPR));
	if (frame->vector == 0x41) {
		lapic_self_ipi(0x45);
		lapic_self_ipi(0x61);
		interrupts_enable();
		wait();
		interrupts_disable();
		note(0xee);
	}
	lapic_eoi();
}

static void probe_priorities(void)
{
	static const uint8_t vectors[] = { 0x41, 0x45, 0x61, 0x33, 0x34, 0x52 };

	for (unsigned i = 0; i < sizeof(vectors); i++)
		trap_set_handler(vectors[i], on_interrupt);
	lapic_write(LAPIC_TPR, 0x40);
	lapic_self_ipi(0x34);
	lapic_self_ipi(0x33);
	lapic_self_ipi(0x52);
	note(lapic_read(LAPIC_IRR + 0x10));
	interrupts_enable();
	wait();
	note(0xff);
	lapic_write(LAPIC_TPR, 0x20);
	wait();
	lapic_write(LAPIC_TPR, 0);
	lapic_self_ipi(0x41);
	wait();
	interrupts_disable();
	note(lapic_read(LAPIC_PPR));
	print_results("priorities");
}

/* IRQ 4 through a level-triggered IOAPIC pin: comes again while it is high. */
static unsigned level_interrupts;

static void on_level(struct trap_frame *frame)
{
	note(ioapic_read(0x10 + 2 * 4) & 0x4000);
	note(lapic_read(LAPIC_ISR + 0x20) | lapic_read(0x180 + 0x20));
	if (++level_interrupts == 3)
		outb(0x3f9, 0x00);
	lapic_eoi();
}

static void probe_level(void)
{
	trap_set_handler(0x55, on_level);
	outb(0x3fc, 0x0b);
	ioapic_write(0x11 + 2 * 4, 0);
	ioapic_write(0x10 + 2 * 4, 0x8055);
	outb(0x3f9, 0x02);
	interrupts_enable();
	wait();
	interrupts_disable();
	note(level_interrupts);
	note(ioapic_read(0x10 + 2 * 4) & 0x4000);
	ioapic_write(0x10 + 2 * 4, 0x10000);
	outb(0x3fc, 0x03);
	print_results("level");
}

int main(void)
{
	interrupts_disable();
	run("pic", pic_masks);
	run("poll", pic_poll);
	run("uart", uart_registers);
	run("loopback", uart_loopback);
	probe_timer();
	probe_ioapic();
	pic_init();
	lapic_init();
	probe_priorities();
	probe_level();
	probe_clock();
	return STATUS_OK;
}
