/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every operating mode of the CPU and the ways between them: out of IA-32e mode to unpaged 32-bit,
 * 32-bit and PAE paging, ring 3, 16-bit protected, real-address and VM86 mode, and back each time.
 * Prints one digest, the same on every machine and at every depth. Options: rounds=N, verbose (each
 * mode's results), strict (also that PDPTEs are registers, which QEMU's TCG 7.2 does not have),
 * tasks (hardware task switches and nothing else).
 */
#include "l1/guests/modes/modes.h"

#include <stdbool.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/layout.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/paging.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"
#include "l1/lib/trap.h"

#define DEFAULT_ROUNDS 3
#define VECTORS32 64
#define STUB_SIZE 16
#define IMAGE_4M 8 /* 4 MiB pages that map RAM to itself */
#define PTE_RWP (PTE_P | PTE_W)

uint64_t modes_idt32[256] __attribute__((aligned(8)));
extern char modes_real_skip[], modes_real_answer[];

static uint8_t ring0_stack[4096] __attribute__((aligned(16)));

struct task_state32 modes_main_task;

static void build_idt32(void)
{
	for (uint64_t vector = 0; vector < VECTORS32; vector++) {
		uint64_t stub = (uint64_t)modes_stubs32 + vector * STUB_SIZE;
		bool open = vector == VECTOR_MONITOR || vector == VECTOR_BP || vector == VECTOR_OF;

		modes_idt32[vector] = (stub & 0xffff) | (uint64_t)KERNEL_CS32 << 16 |
				      (uint64_t)(AR_P | (open ? AR_DPL : 0) | DESC_INT_GATE) << 40 |
				      (stub >> 16 & 0xffff) << 48;
	}
}

static void build_task_state32(void)
{
	modes_main_task.esp0 = (uint32_t)(uint64_t)ring0_stack + sizeof(ring0_stack);
	modes_main_task.ss0 = KERNEL_DS;
	modes_main_task.trap_iomap = sizeof(modes_main_task) << 16; /* no I/O permission bitmap */
	boot_gdt[SPARE0 / 8] = tasks_descriptor(&modes_main_task, AR_P | DESC_TSS_AVAIL);
}

/* Real mode's vectors 0, 6 and 0x40, and the 16-bit code. */
static void fill_low_memory(void)
{
	uint16_t *vectors = (uint16_t *)(uint64_t)LOW_VECTORS;
	uint16_t skip = (uint16_t)(modes_real_skip - modes_low_start + LOW_CODE);
	uint16_t answer = (uint16_t)(modes_real_answer - modes_low_start + LOW_CODE);

	memset((void *)(uint64_t)LOW_START, 0, LOW_END - LOW_START);
	memcpy((void *)(uint64_t)LOW_CODE, modes_low_start,
	       (uint64_t)(modes_low_end - modes_low_start));
	vectors[2 * VECTOR_DE] = skip;
	vectors[2 * VECTOR_UD] = skip;
	vectors[2 * 0x40] = answer;
}

static uint32_t *frames[2];

/* RAM by 4 MiB pages; the window (modes.h) by 4 KiB pages and one 4 MiB page. */
static uint32_t build_32bit_paging(void)
{
	static uint32_t *directory, *table;

	if (!directory) {
		directory = page_alloc();
		table = page_alloc();
	}
	for (uint32_t i = 0; i < IMAGE_4M; i++)
		directory[i] = i << 22 | PTE_RWP | PTE_PS | PTE_U;
	directory[WINDOW >> 22] = (uint32_t)(uint64_t)table | PTE_RWP;
	directory[(WINDOW >> 22) + 1] = 0 | PTE_P | PTE_PS;
	table[0] = (uint32_t)(uint64_t)frames[0] | PTE_RWP;
	table[1] = (uint32_t)(uint64_t)frames[1] | PTE_P;
	table[2] = 0;
	return (uint32_t)(uint64_t)directory;
}

static uint32_t build_pae_paging(void)
{
	static uint64_t *pointers, *low, *window, *table;

	if (!pointers) {
		pointers = page_alloc();
		low = page_alloc();
		window = page_alloc();
		table = page_alloc();
	}
	pointers[0] = (uint64_t)low | PTE_P;
	pointers[WINDOW >> 30] = (uint64_t)window | PTE_P;
	for (uint64_t i = 0; i < 2 * IMAGE_4M; i++)
		low[i] = i << 21 | PTE_RWP | PTE_PS | PTE_U;
	window[0] = (uint64_t)table | PTE_RWP;
	window[2] = 0 | PTE_P | PTE_PS; /* WINDOW + 4 MiB */
	table[0] = (uint64_t)frames[0] | PTE_RWP;
	table[1] = (uint64_t)frames[1] | PTE_P;
	table[2] = 0;
	return (uint32_t)(uint64_t)pointers;
}

static uint64_t digest = UINT64_C(0xcbf29ce484222325);

void modes_run(const char *name, void (*code)(void), uint32_t cr3, uint32_t cr4)
{
	bool verbose = multiboot_has_word("verbose");
	struct trip trip = {cr3, (uint32_t)(read_cr4() & CR4_VMXE) | cr4, 0,
			    (uint32_t)(uint64_t)code};

	fill_low_memory();
	frames[0][0] = 0x11223344;
	frames[1][0] = 0x55667788;
	modes_result_count = 0;
	modes_switch(&trip);
	if (verbose)
		printf("%s:", name);
	for (uint32_t i = 0; i < modes_result_count; i++) {
		digest = (digest ^ modes_results[i]) * UINT64_C(0x100000001b3);
		if (verbose)
			printf(" %x", modes_results[i]);
	}
	if (verbose)
		printf("\n");
}

static void run_modes(void)
{
	modes_run("unpaged", modes_unpaged, 0, 0);
	modes_run("paged", modes_paged, build_32bit_paging(), CR4_PSE);
	modes_run("pae", modes_pae, build_pae_paging(), CR4_PAE);
	if (multiboot_has_word("strict"))
		modes_run("pdptes", modes_pdptes, build_pae_paging(), CR4_PAE);
	modes_run("rings", modes_rings, build_32bit_paging(), CR4_PSE);
	modes_run("16bit", modes_16bit, 0, 0);
	modes_run("real", modes_real, 0, 0);
	modes_run("vm86", modes_vm86, 0, 0);
}

int main(void)
{
	uint64_t rounds = multiboot_option("rounds", DEFAULT_ROUNDS);
	uint8_t *low = (uint8_t *)(uint64_t)LOW_START;
	static uint8_t saved[LOW_END - LOW_START];

	memcpy(saved, low, sizeof(saved));
	frames[0] = page_alloc();
	frames[1] = page_alloc();
	build_idt32();
	build_task_state32();
	for (uint64_t i = 0; i < rounds; i++) {
		if (multiboot_has_word("tasks"))
			tasks_run(build_32bit_paging());
		else
			run_modes();
	}
	memcpy(low, saved, sizeof(saved));
	printf("digest=%016lx\n", digest);
	return STATUS_OK;
}
