/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Non-maskable interrupts at any moment, those of a hypervisor's own instructions included: the
 * PIT, through an I/O APIC entry with delivery mode NMI, fires around a CPUID that exits to
 * whatever is beneath. Each must arrive once, and without a further exit to bring it. Option:
 * rounds=N.
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

static volatile uint64_t arrived;

static void on_nmi(struct trap_frame *frame)
{
	arrived++;
}

static void route_pit(uint32_t low)
{
	*IOAPIC_SELECT = REDIRECTION(PIT_PIN) + 1;
	*IOAPIC_DATA = 0;
	*IOAPIC_SELECT = REDIRECTION(PIT_PIN);
	*IOAPIC_DATA = low;
}

/* True: one NMI came, and came by itself. */
static bool one_round(uint64_t delay)
{
	uint64_t before = arrived;

	pit_start_once(PIT_COUNT);
	while (delay--)
		__asm__ volatile("");
	(void)cpuid(0, 0);
	for (unsigned i = 0; i < PATIENCE && arrived == before; i++)
		__asm__ volatile("");
	return arrived == before + 1;
}

int main(void)
{
	uint64_t rounds = multiboot_option("rounds", 3000), late = 0, delay = 0;

	if (!lapic_present())
		runtime_panic(STATUS_FATAL_TRAP, "nmi: no local APIC");
	lapic_init();
	trap_set_handler(VECTOR_NMI, on_nmi);
	pit_start_once(0xffff);
	route_pit(DELIVERY_NMI);
	for (uint64_t i = 0; i < rounds; i++) {
		delay = (delay + 617) % DELAY_LIMIT;
		late += !one_round(delay / 2);
	}
	route_pit(MASKED);
	printf("nmis=%lu late=%lu\n", arrived, late);
	return arrived == rounds && !late ? STATUS_OK : 1;
}
