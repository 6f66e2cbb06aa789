/* SPDX-License-Identifier: BSD-2-Clause
 *
 * System registers, MSRs, ports and CPUID, as far as every machine agrees on them.
 */
#include "l1/guests/equiv/equiv.h"

#include "l1/lib/cpu.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define CMOS_SCRATCH 0x60 /* a byte of battery-backed RAM without a meaning */
#define UART_SCRATCH 0x3ff
#define DELAY_PORT 0x80

/* FPU aside, what this guest needs and so every machine has. */
#define NEEDED_1_EDX UINT32_C(0x0000a370)          /* TSC, MSR, PAE, CX8, APIC, PGE, CMOV */
#define NEEDED_1_ECX UINT32_C(0x00002000)          /* CX16 */
#define NEEDED_80000001_EDX UINT32_C(0x20100800)   /* SYSCALL, NX, LM */
#define NEEDED_80000001_ECX UINT32_C(0x00000001)   /* LAHF in 64-bit mode */

/* MSRs that hold what was written: canonical addresses or plain values. */
static const uint32_t address_msrs[] = {
	MSR_IA32_FS_BASE, MSR_IA32_GS_BASE,     MSR_IA32_KERNEL_GS_BASE, MSR_IA32_LSTAR,
	MSR_IA32_CSTAR,   MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

static void write_noncanonical(void *msr)
{
	wrmsr((uint32_t)(uint64_t)msr, UINT64_C(0x0000800000000000));
}

static void run_msrs(struct equiv *equiv)
{
	struct trap_info info;

	for (unsigned i = 0; i < sizeof(address_msrs) / sizeof(address_msrs[0]); i++) {
		uint32_t msr = address_msrs[i];
		uint64_t saved = rdmsr(msr);

		wrmsr(msr, (uint64_t)((int64_t)equiv_random(equiv) >> 17));
		equiv_add(equiv, rdmsr(msr));
		wrmsr(msr, saved);
	}
	for (unsigned i = 0; i < 2 && equiv->strict; i++) { /* FS, GS: non-canonical is #GP(0) */
		equiv_add(equiv, trap_catch(&info, write_noncanonical,
					    (void *)(uint64_t)address_msrs[i]));
		equiv_add(equiv, info.frame.vector << 32 | info.frame.error);
	}
	wrmsr(MSR_IA32_GS_BASE, USER_DATA);
	wrmsr(MSR_IA32_KERNEL_GS_BASE, USER_DATA + 8);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t value;

		__asm__ volatile("swapgs; mov %%gs:0, %0" : "=r"(value));
		equiv_add(equiv, value);
		equiv_add(equiv, rdmsr(MSR_IA32_GS_BASE));
	}
	wrmsr(MSR_IA32_GS_BASE, 0);
	equiv_add(equiv, rdmsr(MSR_IA32_EFER));
	equiv_add(equiv, rdmsr(MSR_IA32_APIC_BASE) & (APIC_BASE_BSP | APIC_BASE_EN));
}

static void run_control_registers(struct equiv *equiv)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();

	equiv_add(equiv, cr0);
	write_cr0(cr0 | CR0_TS);
	equiv_add(equiv, read_cr0());
	__asm__ volatile("clts");
	write_cr0(cr0 | CR0_AM);
	equiv_add(equiv, read_cr0());
	write_cr0(cr0);
	write_cr4(cr4 | CR4_TSD | CR4_DE);
	equiv_add(equiv, read_cr4() & (CR4_TSD | CR4_DE | CR4_PAE | CR4_PGE | CR4_VMXE));
	write_cr4(cr4);
	equiv_add(equiv, read_cr4() & (CR4_TSD | CR4_DE | CR4_PAE));
	write_cr2(equiv_random(equiv));
	equiv_add(equiv, read_cr2());
}

static void run_ports(struct equiv *equiv)
{
	const uint8_t *from = (const uint8_t *)(uint64_t)USER_DATA;
	uint8_t *to = (uint8_t *)(uint64_t)USER_DATA + 64;
	uint64_t count = 16;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t value = (uint8_t)equiv_random(equiv);

		outb(UART_SCRATCH, value);
		equiv_add(equiv, inb(UART_SCRATCH));
		outb(CMOS_INDEX, CMOS_SCRATCH);
		outb(CMOS_DATA, (uint8_t)~value);
		outb(CMOS_INDEX, CMOS_SCRATCH);
		equiv_add(equiv, inb(CMOS_DATA));
		outb(DELAY_PORT, value);
	}
	__asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(UART_SCRATCH) : "memory");
	equiv_add(equiv, inb(UART_SCRATCH));
	count = 16;
	__asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(UART_SCRATCH) : "memory");
	equiv_add(equiv, to[-1]);
}

static void run_cpuid(struct equiv *equiv)
{
	struct cpuid one = cpuid(1, 0), extended = cpuid(0x80000001, 0);

	equiv_add(equiv, one.edx & NEEDED_1_EDX);
	equiv_add(equiv, one.ecx & NEEDED_1_ECX);
	equiv_add(equiv, extended.edx & NEEDED_80000001_EDX);
	equiv_add(equiv, extended.ecx & NEEDED_80000001_ECX);
}

/* Time moves forward, by whatever; the digest has only that. */
static void run_time(struct equiv *equiv)
{
	uint64_t before = rdtsc();

	for (unsigned i = 0; i < 100; i++)
		cpu_relax();
	equiv_add(equiv, rdtsc() > before);
}

void equiv_system(struct equiv *equiv)
{
	run_msrs(equiv);
	run_control_registers(equiv);
	run_ports(equiv);
	run_cpuid(equiv);
	run_time(equiv);
}
