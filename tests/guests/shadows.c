/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CET in ring 0: what shadow stacks and indirect branch tracking say to calls, returns, events,
 * tokens and branches, right and wrong. A line a probe: the vector that ended it (3: it came to
 * its end), error code, RIP, the tracker, SSP, and what was left in memory.
 */
#include <stdint.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"
#include "l1/lib/trap.h"

#define PAGE 4096
#define QUADS (PAGE / 8)
#define WINDOW (UINT64_C(1) << 46) /* an entry of CR3's table that the library leaves free */
#define STACK_A WINDOW
#define STACK_B (WINDOW + PAGE)
#define TOP_A (STACK_A + 0x800)
#define TOP_B (STACK_B + 0x800)
#define ENTRY_PRESENT 1u
#define ENTRY_WRITE 2u
#define ENTRY_USER 4u
#define ENTRY_ACCESSED 0x20u
#define ENTRY_DIRTY 0x40u
#define MSR_S_CET 0x6a2
#define MSR_PL0_SSP 0x6a4
#define S_CET_SHADOW_STACK 1u /* and in shadows.def 2 WRSS, 4 ENDBRANCH, 16 NOTRACK */
#define CR4_BIT_CET (UINT64_C(1) << 23)
#define CR0_BIT_WP (UINT64_C(1) << 16)
#define CPUID_CET_SS (1u << 7)
#define CPUID_CET_IBT (1u << 20)
#define VECTORS 32
#define VECTOR_BACK 0x50 /* a handler that returns */
#define GATE_INTERRUPT 0x8e

static uint64_t upper[512] __attribute__((aligned(PAGE)));
static uint64_t middle[512] __attribute__((aligned(PAGE)));
static uint64_t lower[512] __attribute__((aligned(PAGE)));
static uint64_t pages[4][QUADS] __attribute__((aligned(PAGE)));

/* Written by run.S. */
uint64_t shadows_end[6]; /* vector, error code, SSP, S_CET, and of the frame: RIP, CR2 */
uint64_t shadows_stack;
void shadows_run(void (*code)(void), uint64_t s_cet), shadows_stubs(void), shadows_iret(void);
extern char shadows_code[], shadows_code_end[];

__asm__(".globl shadows_code, shadows_code_end\nshadows_code:\n");
#define PROBE(name, s_cet, code)                                                                   \
	__asm__(".globl shadows_" #name "\nshadows_" #name ": endbr64;" code "\n");
#include "tests/guests/shadows.def"
#undef PROBE
__asm__("shadows_code_end:\n");
#define PROBE(name, s_cet, code) void shadows_##name(void);
#include "tests/guests/shadows.def"
#undef PROBE

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, zero;
};
static struct gate gates[VECTOR_BACK + 1];

static void set_gate(unsigned vector, uint64_t target)
{
	uint16_t cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	gates[vector] = (struct gate){.offset_low = (uint16_t)target,
				      .selector = cs,
				      .type = GATE_INTERRUPT,
				      .offset_middle = (uint16_t)(target >> 16),
				      .offset_high = (uint32_t)(target >> 32)};
}

static void load_gates(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = {sizeof(gates) - 1, (uint64_t)gates};

	for (unsigned i = 0; i < VECTORS; i++)
		set_gate(i, (uint64_t)shadows_stubs + 16 * i);
	set_gate(VECTOR_BACK, (uint64_t)shadows_iret);
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

static void map(void)
{
	static const unsigned rights[4] = {0, 0, ENTRY_WRITE, ENTRY_USER};
	uint64_t *top = (uint64_t *)(read_cr3() & ~UINT64_C(0xfff));

	for (unsigned i = 0; i < 4; i++)
		lower[i] =
		    (uint64_t)pages[i] | rights[i] | ENTRY_PRESENT | ENTRY_ACCESSED | ENTRY_DIRTY;
	middle[0] = (uint64_t)lower | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER;
	upper[0] = (uint64_t)middle | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER;
	top[WINDOW >> 39] = (uint64_t)upper | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER;
	write_cr3(read_cr3());
}

/* As an offset into what it points to, where that may move from build to build. */
static void print_value(uint64_t value)
{
	if (value >= (uint64_t)shadows_code && value <= (uint64_t)shadows_code_end)
		printf(" +%x", (uint32_t)(value - (uint64_t)shadows_code));
	else if (value >= (uint64_t)shadows_stubs && value < (uint64_t)shadows_iret + 32)
		printf(" stub+%x", (uint32_t)(value - (uint64_t)shadows_stubs));
	else
		printf(" %x%08x", (uint32_t)(value >> 32), (uint32_t)value);
}

static void print_page(const char *name, const uint64_t *page, const uint64_t *before)
{
	for (unsigned i = 0; i < QUADS; i++) {
		if (page[i] == before[i])
			continue;
		printf(" %s[%x]", name, i * 8);
		print_value(page[i]);
	}
}

static void probe(const char *name, void (*code)(void), uint64_t s_cet)
{
	static uint64_t before[4][QUADS];
	static const char *const names[4] = {"a", "b", "plain", "user"};
	uint64_t *a = pages[0] + (TOP_A - STACK_A) / 8, *b = pages[1] + (TOP_B - STACK_B) / 8;

	memset(pages, 0, sizeof(pages));
	a[0] = TOP_A;		   /* a supervisor's token */
	b[2] = (TOP_B + 0x18) | 1; /* to be restored: 64-bit */
	b[5] = TOP_B + 0x30;	   /* of 32-bit code */
	b[6] = (TOP_B + 0x58) | 1; /* too far from here */
	memcpy(before, pages, sizeof(before));
	wrmsr(MSR_PL0_SSP, TOP_A);
	write_cr2(0);
	shadows_run(code, s_cet);
	printf("%s: %x/%x at", name, (uint32_t)shadows_end[0], (uint32_t)shadows_end[1]);
	print_value(shadows_end[4]);
	printf(" cet %x ssp", (uint32_t)shadows_end[3]);
	print_value(s_cet & S_CET_SHADOW_STACK ? shadows_end[2] : 0);
	if (shadows_end[0] == VECTOR_PF)
		print_value(shadows_end[5]);
	for (unsigned i = 0; i < 4; i++)
		print_page(names[i], pages[i], before[i]);
	printf("\n");
}

int main(void)
{
	struct cpuid features = cpuid(7, 0);

	if (!(features.ecx & CPUID_CET_SS) || !(features.edx & CPUID_CET_IBT)) {
		printf("no CET\n");
		return STATUS_OK;
	}
	interrupts_disable();
	map();
	load_gates();
	write_cr0(read_cr0() | CR0_BIT_WP);
	write_cr4(read_cr4() | CR4_BIT_CET);
#define PROBE(name, s_cet, code) probe(#name, shadows_##name, s_cet);
#include "tests/guests/shadows.def"
#undef PROBE
	write_cr4(read_cr4() & ~CR4_BIT_CET);
	trap_reload();
	return STATUS_OK;
}
