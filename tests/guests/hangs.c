/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Gets nowhere, in the way that a word of the command line names, and never ends: deaf, fault,
 * fault-ticking, storm, handler. Or it looks as if it did, makes progress all the while, and powers
 * off: idle, wait, busy, helped, helped-at-once.
 */
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/lapic.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/pic.h"
#include "l1/lib/pit.h"
#include "l1/lib/runtime.h"
#include "l1/lib/trap.h"

#define VECTOR_STORM 0xa0
#define PIT_SHORT 100
#define LAPIC_SHORT 2000
#define ROUNDS 20000
#define UD2_LENGTH 2

static volatile unsigned rounds;

static void handle_nothing(struct trap_frame *frame)
{
}

static void skip_ud2(struct trap_frame *frame)
{
	frame->rip += UD2_LENGTH;
}

static void storm_again(struct trap_frame *frame)
{
	lapic_eoi();
	lapic_self_ipi(VECTOR_STORM);
}

static void count_pit(struct trap_frame *frame)
{
	rounds++;
	pic_eoi(PIT_IRQ);
}

static void count_lapic(struct trap_frame *frame)
{
	rounds++;
	lapic_eoi();
}

/* The timer ticks on, and IF = 0. */
static void deaf(void)
{
	pit_start_periodic(PIT_SHORT);
	__asm__ volatile("cli; hlt");
}

static void fault(void)
{
	trap_set_handler(VECTOR_UD, handle_nothing);
	__asm__ volatile("ud2");
}

/* The same, and a timer interrupts the handler now and then. */
static void fault_ticking(void)
{
	trap_set_handler(PIC_VECTOR + PIT_IRQ, count_pit);
	pic_unmask(PIT_IRQ);
	pit_start_periodic(PIT_SHORT);
	__asm__ volatile("sti");
	fault();
}

/* An interrupt that its handler asks for anew. */
static void storm(void)
{
	lapic_init();
	trap_set_handler(VECTOR_STORM, storm_again);
	lapic_self_ipi(VECTOR_STORM);
	__asm__ volatile("sti; nop; nop; nop" : : : "memory");
}

/* #UD, whose handler is no code; on a stack of its own each time. */
static void handler(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table;
	uint16_t *gate;

	__asm__ volatile("sidt %0" : "=m"(table));
	gate = (uint16_t *)(uintptr_t)(table.base + 16 * VECTOR_UD);
	__asm__ volatile("lea 1f(%%rip), %%rax\n\t"
			 "mov %%ax, %0\n\t"
			 "shr $16, %%rax\n\t"
			 "mov %%ax, %1\n"
			 "1:	ud2"
			 : "=m"(gate[0]), "=m"(gate[3])
			 :
			 : "rax", "memory");
}

static void idle(void)
{
	trap_set_handler(PIC_VECTOR + PIT_IRQ, count_pit);
	pic_unmask(PIT_IRQ);
	pit_start_periodic(PIT_SHORT);
	while (rounds < ROUNDS)
		interrupts_wait();
}

/* For one interrupt, through many ticks that are masked. */
static void wait(void)
{
	pit_start_periodic(PIT_SHORT);
	lapic_init();
	trap_set_handler(VECTOR_STORM, count_lapic);
	lapic_timer_mode(LAPIC_ONE_SHOT, VECTOR_STORM);
	lapic_timer_start(UINT32_MAX);
	while (!rounds)
		interrupts_wait();
}

static void busy(void)
{
	lapic_init();
	trap_set_handler(VECTOR_STORM, count_lapic);
	lapic_timer_mode(LAPIC_PERIODIC, VECTOR_STORM);
	lapic_timer_start(LAPIC_SHORT);
	interrupts_enable();
	while (rounds < ROUNDS)
		cpu_relax();
	interrupts_disable();
}

static void helped(void)
{
	trap_set_handler(VECTOR_UD, skip_ud2);
	for (rounds = 0; rounds < ROUNDS; rounds++)
		__asm__ volatile("ud2");
}

/* An IRET leads there, too, so that nothing retires before the fault. */
static void helped_at_once(void)
{
	trap_set_handler(VECTOR_UD, skip_ud2);
	for (rounds = 0; rounds < ROUNDS; rounds++)
		__asm__ volatile("mov %%rsp, %%rax\n\t"
				 "mov %%ss, %%ecx\n\t"
				 "push %%rcx\n\t"
				 "push %%rax\n\t"
				 "pushfq\n\t"
				 "mov %%cs, %%ecx\n\t"
				 "push %%rcx\n\t"
				 "lea 1f(%%rip), %%rcx\n\t"
				 "push %%rcx\n\t"
				 "iretq\n"
				 "1:	ud2"
				 :
				 :
				 : "rax", "rcx", "memory");
}

static const struct {
	const char *word;
	void (*run)(void);
} ways[] = {
	{ "deaf", deaf },   { "fault", fault }, { "fault-ticking", fault_ticking },
	{ "storm", storm }, { "handler", handler }, { "idle", idle },
	{ "wait", wait },   { "busy", busy },	{ "helped", helped },
	{ "helped-at-once", helped_at_once },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (multiboot_has_word(ways[i].word)) {
			ways[i].run();
			printf("%u rounds\n", rounds);
			return STATUS_OK;
		}
	return 2; /* no such way */
}
