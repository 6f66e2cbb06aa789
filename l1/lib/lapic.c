/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Local APIC driver.
 */
#include "l1/lib/lapic.h"

#include "l1/lib/cpu.h"
#include "l1/lib/trap.h"

#define CPUID_1_EDX_APIC BIT32(9)
#define CPUID_1_ECX_X2APIC BIT32(21)
#define CPUID_1_ECX_TSC_DEADLINE BIT32(24)
#define SPURIOUS_ENABLE BIT32(8)
#define LVT_MASKED BIT32(16)
#define LVT_EXTINT UINT32_C(0x700)
#define LVT_TIMER_MODE_SHIFT 17
#define DIVIDE_BY_1 0xb
#define ICR_SELF BIT32(18)
#define ICR_ASSERT BIT32(14)
#define ICR_PENDING BIT32(12)
#define X2APIC_SELF_IPI 0x83f

static bool x2apic;
static uint64_t base; /* of the xAPIC's page; read once, the MSR may be dear */

bool lapic_present(void)
{
	return cpuid(1, 0).edx & CPUID_1_EDX_APIC;
}

bool lapic_has_x2apic(void)
{
	return cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC;
}

bool lapic_has_tsc_deadline(void)
{
	return cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE;
}

static volatile uint32_t *mmio(enum lapic_register reg)
{
	return (volatile uint32_t *)(base + reg);
}

uint32_t lapic_read(enum lapic_register reg)
{
	if (x2apic)
		return (uint32_t)rdmsr(MSR_IA32_X2APIC_FIRST + (reg >> 4));
	return *mmio(reg);
}

void lapic_write(enum lapic_register reg, uint32_t value)
{
	if (x2apic)
		wrmsr(MSR_IA32_X2APIC_FIRST + (reg >> 4), value);
	else
		*mmio(reg) = value;
}

/* A spurious interrupt sets no ISR bit and takes no EOI. */
static void ignore(struct trap_frame *frame)
{
}

void lapic_init(void)
{
	wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_EN);
	x2apic = rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_EXTD;
	base = rdmsr(MSR_IA32_APIC_BASE) & UINT64_C(0xffffff000);
	trap_set_handler(LAPIC_SPURIOUS_VECTOR, ignore);
	lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | LAPIC_SPURIOUS_VECTOR);
	lapic_write(LAPIC_LVT_LINT0, LVT_EXTINT);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
	lapic_write(LAPIC_TPR, 0);
}

void lapic_enter_x2apic(void)
{
	wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_EXTD);
	x2apic = true;
}

void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

void lapic_self_ipi(uint8_t vector)
{
	if (x2apic) {
		wrmsr(X2APIC_SELF_IPI, vector);
		return;
	}
	lapic_write(LAPIC_ICR_LOW, ICR_SELF | ICR_ASSERT | vector);
	while (lapic_read(LAPIC_ICR_LOW) & ICR_PENDING)
		cpu_relax();
}

void lapic_timer_mode(enum lapic_timer_mode mode, uint8_t vector)
{
	lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
	lapic_write(LAPIC_LVT_TIMER, (uint32_t)mode << LVT_TIMER_MODE_SHIFT | vector);
	/* SDM 3A "TSC-Deadline Mode": the MMIO write must come before the WRMSR. A locked
	 * instruction, because MFENCE needs SSE2. */
	__asm__ volatile("lock orl $0, (%%rsp)" : : : "memory", "cc");
}

void lapic_timer_start(uint32_t count)
{
	lapic_write(LAPIC_TIMER_INITIAL, count);
}

void lapic_timer_stop(void)
{
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
}
