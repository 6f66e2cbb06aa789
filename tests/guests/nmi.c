/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Non-maskable interrupts at any moment, those of a hypervisor's own instructions included: the
 * PIT, through an I/O APIC entry with delivery mode NMI, fires around a CPUID that exits to
 * whatever is beneath. Each must arrive once, and without a further exit to bring it. Option:
 * rounds=N; blocked: each comes with a second one, which arrives while the first is handled,
 * between exits, and has to wait for its IRET; faults: the exit ends in a fault, which is injected
 * first.
 */
#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/lapic.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/pit.h"
#include "l1/lib/runtime.h"
#include "l1/lib/trap.h"

#define IOAPIC_SELECT ((volatile uint32_t *)(uint64_t)0xfec00000)
#define IOAPIC_DATA ((volatile uint32_t *)(uint64_t)0xfec00010)
#define PIT_PIN 2
#define REDIRECTION(pin) (0x10 + 2 * (pin))
#define DELIVERY_NMI 0x400u
#define MASKED 0x10000u
#define PIT_COUNT 4
#define DELAY_LIMIT 4000
#define PATIENCE 2000000u
#define EXITS_INSIDE 40
#define NO_MSR 0x40000000 /* in no MSR bitmap, so that it exits always */

static volatile uint64_t arrived;
static volatile bool starts_another;
static uint64_t too_early;

/* The second one's time is over before the handler's: it can only wait. */
static void on_nmi(struct trap_frame *frame)
{
	uint64_t before = ++arrived;

	if (!starts_another)
		return;
	starts_another = false;
	pit_start_once(PIT_COUNT);
	for (unsigned i = 0; i < EXITS_INSIDE; i++)
		(void)cpuid(0, 0);
	too_early += arrived != before;
}

static void route_pit(uint32_t low)
{
	*IOAPIC_SELECT = REDIRECTION(PIT_PIN) + 1;
	*IOAPIC_DATA = 0;
	*IOAPIC_SELECT = REDIRECTION(PIT_PIN);
	*IOAPIC_DATA = low;
}

/* Past RDMSR, which is two bytes long. */
static void on_gp(struct trap_frame *frame)
{
	frame->rip += 2;
}

static void exit_once(bool faults)
{
	if (faults)
		(void)rdmsr(NO_MSR);
	else
		(void)cpuid(0, 0);
}

/* True: as many NMIs came as were due, and came by themselves. */
static bool one_round(uint64_t delay, bool blocked, bool faults)
{
	uint64_t due = arrived + (blocked ? 2 : 1);

	starts_another = blocked;
	pit_start_once(PIT_COUNT);
	while (delay--)
		__asm__ volatile("");
	exit_once(faults);
	for (unsigned i = 0; i < PATIENCE && arrived != due; i++)
		__asm__ volatile("");
	return arrived == due;
}

int main(void)
{
	uint64_t rounds = multiboot_option("rounds", 3000), late = 0, delay = 0;
	bool blocked = multiboot_has_word("blocked"), faults = multiboot_has_word("faults");

	if (!lapic_present())
		runtime_panic(STATUS_FATAL_TRAP, "nmi: no local APIC");
	lapic_init();
	trap_set_handler(VECTOR_NMI, on_nmi);
	trap_set_handler(VECTOR_GP, on_gp);
	pit_start_once(0xffff);
	route_pit(DELIVERY_NMI);
	for (uint64_t i = 0; i < rounds; i++) {
		delay = (delay + 617) % DELAY_LIMIT;
		late += !one_round(delay / 2, blocked, faults);
	}
	route_pit(MASKED);
	printf("nmis=%lu late=%lu\n", arrived, late);
	if (too_early)
		printf("too early: %lu\n", too_early);
	return arrived == (blocked ? 2 : 1) * rounds && !late && !too_early ? STATUS_OK : 1;
}
