/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The local APIC, as xAPIC (MMIO) or x2APIC (MSRs): SDM 3A "Advanced Programmable Interrupt
 * Controller (APIC)". Registers are named by their MMIO offset in both.
 */
#ifndef L1_LIB_LAPIC_H
#define L1_LIB_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

enum lapic_register {
	LAPIC_ID = 0x20,
	LAPIC_VERSION = 0x30,
	LAPIC_TPR = 0x80,
	LAPIC_EOI = 0xb0,
	LAPIC_SPURIOUS = 0xf0,
	LAPIC_ISR = 0x100,
	LAPIC_IRR = 0x200,
	LAPIC_ICR_LOW = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

enum lapic_timer_mode { LAPIC_ONE_SHOT, LAPIC_PERIODIC, LAPIC_TSC_DEADLINE };

#define LAPIC_SPURIOUS_VECTOR 0xff

/* False: the CPU has no local APIC. */
bool lapic_present(void);
bool lapic_has_x2apic(void);
bool lapic_has_tsc_deadline(void);
/* Enables it in xAPIC mode, before any use of the others; LINT0 stays open to the 8259A. */
void lapic_init(void);
/* From xAPIC to x2APIC mode, for good. */
void lapic_enter_x2apic(void);

uint32_t lapic_read(enum lapic_register reg);
void lapic_write(enum lapic_register reg, uint32_t value);
void lapic_eoi(void);
void lapic_self_ipi(uint8_t vector);
/* Timer interrupts come at `vector`, counting the bus clock undivided. */
void lapic_timer_mode(enum lapic_timer_mode mode, uint8_t vector);
void lapic_timer_start(uint32_t count);
void lapic_timer_stop(void);

#endif
