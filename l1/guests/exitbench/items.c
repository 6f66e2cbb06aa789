/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of operations, and those that need no interrupt: instructions that may exit, and
 * memory.
 */
#include "l1/guests/exitbench/exitbench.h"

#include <stddef.h>

#include "l1/lib/cpu.h"
#include "l1/lib/console.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/paging.h"
#include "l1/lib/trap.h"

#define PORT_PASSED 0x80
#define PORT_INTERCEPTED 0xed
#define PORT_UART_SCRATCH 0x3ff
#define IOAPIC_DATA UINT64_C(0xfec00010)
#define FRESH_PAGES 512
#define VMCALL_LENGTH 3

static uint64_t *play_entry;
static volatile uint8_t *play, *fresh;

void exitbench_nothing(void)
{
}

static void do_vmcall(void)
{
	uint64_t rax = 0;

	__asm__ volatile("vmcall" : "+a"(rax) : : "rbx", "rcx", "rdx", "memory");
}

static void skip_vmcall(struct trap_frame *frame)
{
	frame->rip += VMCALL_LENGTH;
}

static void try_vmcall(void *unused)
{
	do_vmcall();
}

static bool start_vmcall(uint64_t count)
{
	struct trap_info info;

	if (trap_catch(&info, try_vmcall, NULL)) {
		printf("item=vmcall as=ud\n");
		trap_set_handler(VECTOR_UD, skip_vmcall);
	}
	return true;
}

static void stop_vmcall(void)
{
	trap_set_handler(VECTOR_UD, NULL);
}

static void do_cpuid(void)
{
	cpuid(0, 0);
}

static void do_out_passed(void)
{
	outb(PORT_PASSED, 0);
}

static void do_out_intercepted(void)
{
	outb(PORT_INTERCEPTED, 0);
}

static void do_in_uart(void)
{
	inb(PORT_UART_SCRATCH);
}

static void do_read_ioapic(void)
{
	(void)*(volatile uint32_t *)IOAPIC_DATA;
}

static void do_read_cr8(void)
{
	read_cr8();
}

static void do_write_cr8(void)
{
	write_cr8(0);
}

static void do_rdmsr_passed(void)
{
	rdmsr(MSR_IA32_KERNEL_GS_BASE);
}

static void do_wrmsr_passed(void)
{
	wrmsr(MSR_IA32_KERNEL_GS_BASE, 0);
}

static void try_feature_control(void *unused)
{
	rdmsr(MSR_IA32_FEATURE_CONTROL);
}

static void do_rdmsr_feature_control(void)
{
	rdmsr(MSR_IA32_FEATURE_CONTROL);
}

/* A hypervisor without nesting answers #GP. */
static bool start_feature_control(uint64_t count)
{
	struct trap_info info;

	return !trap_catch(&info, try_feature_control, NULL);
}

static void do_rdtsc(void)
{
	rdtsc();
}

static void do_cr0_ts(void)
{
	write_cr0(read_cr0() | CR0_TS);
	__asm__ volatile("clts");
}

static void do_cr3_load(void)
{
	write_cr3(read_cr3());
}

static void do_cr4_pge(void)
{
	uint64_t cr4 = read_cr4();

	write_cr4(cr4 ^ CR4_PGE);
	write_cr4(cr4);
}

static bool start_play(uint64_t count)
{
	static uint64_t *space;

	if (!space) {
		space = paging_new_space();
		paging_map(space, PAGING_PRIVATE, (uint64_t)page_alloc(), PAGE_SIZE, PTE_P | PTE_W);
		play_entry = paging_find(space, PAGING_PRIVATE);
		play = (volatile uint8_t *)PAGING_PRIVATE;
	}
	write_cr3((uint64_t)space);
	return true;
}

static void stop_play(void)
{
	write_cr3((uint64_t)paging_boot_space());
}

static void do_pte_invlpg(void)
{
	*play_entry ^= PTE_W;
	invlpg((void *)(uint64_t)play);
	(void)*play;
}

/* RAM that nothing has touched since the machine came up, as far as the guest can tell. */
static bool start_fresh(uint64_t count)
{
	fresh = (volatile uint8_t *)multiboot_find_ram(FRESH_PAGES * PAGE_SIZE, PAGE_SIZE);
	return fresh;
}

static void do_first_touch(void)
{
	*fresh = 1;
	fresh += PAGE_SIZE;
}

const struct exitbench_item exitbench_items[] = {
	{"vmcall", do_vmcall, start_vmcall, stop_vmcall, 0},
	{"cpuid", do_cpuid, NULL, NULL, 0},
	{"out_passed", do_out_passed, NULL, NULL, 0},
	{"out_intercepted", do_out_intercepted, NULL, NULL, 0},
	{"in_uart", do_in_uart, NULL, NULL, 0},
	{"mmio_lapic", exitbench_read_lapic, exitbench_start_apic, NULL, 0},
	{"mmio_ioapic", do_read_ioapic, NULL, NULL, 0},
	{"eoi", exitbench_eoi, exitbench_start_apic, NULL, 0},
	{"cr8_read", do_read_cr8, NULL, NULL, 0},
	{"cr8_write", do_write_cr8, NULL, NULL, 0},
	{"self_ipi", exitbench_self_ipi, exitbench_start_self_ipi, exitbench_stop_interrupts, 0},
	{"deadline_write", exitbench_deadline, exitbench_start_deadline, exitbench_stop_interrupts,
	 0},
	{"deadline_to_interrupt", exitbench_deadline_and_halt, exitbench_start_deadline,
	 exitbench_stop_interrupts, 0},
	{"pit_to_interrupt", exitbench_pit_and_halt, exitbench_start_pit, exitbench_stop_interrupts,
	 0},
	{"rdtsc", do_rdtsc, NULL, NULL, 0},
	{"rdmsr_passed", do_rdmsr_passed, NULL, NULL, 0},
	{"wrmsr_passed", do_wrmsr_passed, NULL, NULL, 0},
	{"rdmsr_feature_control", do_rdmsr_feature_control, start_feature_control, NULL, 0},
	{"cr0_ts", do_cr0_ts, NULL, NULL, 0},
	{"cr3_load", do_cr3_load, NULL, NULL, 0},
	{"cr4_pge", do_cr4_pge, NULL, NULL, 0},
	{"pte_invlpg", do_pte_invlpg, start_play, stop_play, 0},
	{"first_touch", do_first_touch, start_fresh, NULL, FRESH_PAGES - 8},
	/* Last, because there is no way back. */
	{"self_ipi_x2apic", exitbench_self_ipi, exitbench_start_x2apic_self_ipi,
	 exitbench_stop_interrupts, 0},
};
const unsigned exitbench_item_count = sizeof(exitbench_items) / sizeof(exitbench_items[0]);
