/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Ends the machine in the way that a word of the command line names; `echo` repeats what comes in
 * on COM1 up to a q.
 */
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/lapic.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/runtime.h"
#include "l1/lib/vmx.h"

#define COM1 0x3f8
#define LINE_STATUS (COM1 + 5)
#define DATA_READY 1
#define REAL_CODE 0x5000
#define ICR_INIT_ASSERT 0x4500

static void triple(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) no_table = { 0, 0 };

	__asm__ volatile("lidt %0; int3" : : "m"(no_table));
}

static void halt(void)
{
	__asm__ volatile("cli; hlt");
}

/* Interrupts are on, and every source is masked or off. */
static void idle(void)
{
	__asm__ volatile("sti; hlt");
}

static void keyboard_reset(void)
{
	outb(0x64, 0xfe);
}

static void control_reset(void)
{
	outb(0xcf9, 0x06);
}

static void exit_port(void)
{
	outl(0xf4, 0x10);
}

/* INIT to itself: real mode at the reset vector, where no ROM lies and all ones are an invalid
 * opcode, whose vector is here. */
static void init_into(const uint8_t *code, size_t size)
{
	uint8_t *volatile start = NULL;
	volatile uint8_t *low = start;

	for (size_t i = 0; i < size; i++)
		low[REAL_CODE + i] = code[i];
	*(volatile uint32_t *)(low + 4 * VECTOR_UD) = REAL_CODE;
	lapic_init();
	lapic_write(LAPIC_ICR_HIGH, lapic_read(LAPIC_ID));
	lapic_write(LAPIC_ICR_LOW, ICR_INIT_ASSERT);
}

static void init(void)
{
	static const uint8_t code[] = {
		0xba, 0xf8, 0x03, /* mov $0x3f8, %dx */
		0xb0, 'I', 0xee,  /* mov $'I', %al; out %al, %dx */
		0xb0, 0x05,       /* mov $5, %al */
		0xe6, 0xf4,       /* out %al, $0xf4 */
		0xfa, 0xf4,       /* cli; hlt */
	};
	init_into(code, sizeof(code));
}

/* INIT clears the bound registers, BNDCFGU, BNDSTATUS and IA32_BNDCFGS, and leaves XCR0: an I for
 * "nothing is left". */
static void init_mpx(void)
{
	static const uint8_t code[] = {
		0x66, 0xb8, 0x00, 0x06, 0x04, 0x00, /* mov $(OSXSAVE | OSFXSR | ...), %eax */
		0x0f, 0x22, 0xe0,		    /* mov %eax, %cr4 */
		0x66, 0xb8, 0x18, 0x00, 0x00, 0x00, /* mov $0x18, %eax */
		0x66, 0x31, 0xd2,		    /* xor %edx, %edx */
		0x0f, 0xae, 0x26, 0x00, 0x60,	    /* xsave 0x6000 */
		0x8a, 0x1e, 0x00, 0x62,		    /* mov 0x6200, %bl */
		0x66, 0xb9, 0x90, 0x0d, 0x00, 0x00, /* mov $IA32_BNDCFGS, %ecx */
		0x0f, 0x32, 0x08, 0xc3,		    /* rdmsr; or %al, %bl */
		0x80, 0xc3, 'I',		    /* add $'I', %bl */
		0xba, 0xf8, 0x03,		    /* mov $0x3f8, %dx */
		0x88, 0xd8, 0xee,		    /* mov %bl, %al; out %al, %dx */
		0xb0, 0x05, 0xe6, 0xf4,		    /* mov $5, %al; out %al, $0xf4 */
		0xfa, 0xf4,			    /* cli; hlt */
	};
	static uint64_t area[136] __attribute__((aligned(64))) = {
		[64] = 0x18, [120] = 1, [121] = 2, [128] = 3, [129] = 4};
	uint8_t *volatile image = (uint8_t *)0x6000;

	write_cr4(read_cr4() | CR4_OSXSAVE | CR4_OSFXSR);
	__asm__ volatile("xsetbv" : : "a"(0x1b), "d"(0), "c"(0));
	__asm__ volatile("xrstor64 %0" : : "m"(area), "a"(0x18), "d"(0));
	wrmsr(MSR_IA32_BNDCFGS, 3);
	for (size_t i = 0; i < 64; i++)
		image[0x200 + i] = 0;
	init_into(code, sizeof(code));
}

/* VMX root operation blocks INIT until it is left. */
static void init_vmxoff(void)
{
	if (vmx_start())
		runtime_exit(1);
	init();
	printf("blocked\n");
	__asm__ volatile("vmxoff" : : : "cc", "memory");
}

/* The local APIC's page over the memory of the hypervisor beneath, if there is one. */
static void apic_base(void)
{
	struct cpuid region = cpuid(0x40000002, 0);

	if (!(cpuid(1, 0).ecx & BIT32(31)) || !region.ebx)
		runtime_exit(STATUS_OK);
	wrmsr(MSR_IA32_APIC_BASE, (uint64_t)region.eax << PAGE_SHIFT | APIC_BASE_EN);
}

static void spin(void)
{
	for (;;)
		cpu_relax();
}

static void echo(void)
{
	char c = 0;

	while (c != 'q') {
		while (!(inb(LINE_STATUS) & DATA_READY))
			cpu_relax();
		c = (char)inb(COM1);
		console_put(c);
	}
	runtime_exit(STATUS_OK);
}

/* The firmware's log of characters beside COM1. */
static void e9(void)
{
	outb(0xe9, 'e');
	outb(0xe9, '9');
	runtime_exit(inb(0xe9) == 0xe9 ? STATUS_OK : 1);
}

static const struct {
	const char *word;
	void (*stop)(void);
} ways[] = {
	{ "triple", triple },	  { "halt", halt },
	{ "idle", idle },	  { "keyboard-reset", keyboard_reset },
	{ "control-reset", control_reset }, { "exit-port", exit_port },
	{ "spin", spin },	  { "echo", echo },
	{ "e9", e9 },		  { "init", init },
	{ "apic-base", apic_base }, { "init-vmxoff", init_vmxoff },
	{ "init-mpx", init_mpx },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (multiboot_has_word(ways[i].word))
			ways[i].stop();
	return 2; /* no such way, or it did not work */
}
