/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Digest, generator, address space and snippet runner.
 */
#include "l1/guests/equiv/equiv.h"

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/paging.h"

/* Bounds of the section user_code, as the linker names them. */
extern char __start_user_code[], __stop_user_code[];
#define user_text __start_user_code
#define user_text_end __stop_user_code
extern uint64_t boot_gdt[];

#define STACK_PAGES 2
#define DATA_PAGES 2
#define DATA_WORDS 64 /* refilled and digested around each snippet */

static uint64_t *space;

static void map_user(uint64_t linear, uint64_t physical, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		paging_map(space, linear + i * PAGE_SIZE, physical + i * PAGE_SIZE, PAGE_SIZE,
			   PTE_P | PTE_W | PTE_U);
}

void equiv_init(void)
{
	uint64_t text_pages = (uint64_t)(user_text_end - user_text + PAGE_SIZE - 1) / PAGE_SIZE;

	space = paging_new_space();
	map_user(USER_TEXT, (uint64_t)user_text, text_pages);
	for (unsigned i = 0; i < STACK_PAGES; i++)
		map_user(USER_STACK + i * PAGE_SIZE, (uint64_t)page_alloc(), 1);
	for (unsigned i = 0; i < DATA_PAGES; i++)
		map_user(USER_DATA + i * PAGE_SIZE, (uint64_t)page_alloc(), 1);
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_NXE | EFER_SCE);
	write_cr3((uint64_t)space);
	write_cr0(read_cr0() | CR0_AM);
	/* The 16-bit code segment: ring 3, based at the user text, 64 KiB. */
	boot_gdt[KERNEL_CS16 / 8] = UINT64_C(0x0000fb000000ffff) |
				    (uint64_t)(USER_TEXT & 0xffffff) << 16 |
				    (uint64_t)(USER_TEXT >> 24) << 56;
	/* The 16-bit data segment: the same for data. */
	boot_gdt[KERNEL_DS16 / 8] = UINT64_C(0x0000f3000000ffff) |
				    (uint64_t)(USER_DATA & 0xffffff) << 16 |
				    (uint64_t)(USER_DATA >> 24) << 56;
	/* A data segment of 256 bytes there, and what is above its limit (expand-down). */
	boot_gdt[SPARE0 / 8] = UINT64_C(0x0040f300000000ff) |
			       (uint64_t)(USER_DATA & 0xffffff) << 16 |
			       (uint64_t)(USER_DATA >> 24) << 56;
	boot_gdt[SPARE1 / 8] = boot_gdt[SPARE0 / 8] | (uint64_t)AR_TYPE_EXPAND_DOWN << 40;
}

uint64_t *equiv_space(void)
{
	return space;
}

uint64_t equiv_user_address(uint64_t link_address)
{
	return link_address - (uint64_t)user_text + USER_TEXT;
}

void equiv_add(struct equiv *equiv, uint64_t value)
{
	uint64_t digest = (equiv->digest ^ value) * UINT64_C(0x9e3779b97f4a7c15);

	equiv->digest = digest ^ digest >> 29;
}

/* xorshift64*, Vigna 2016. */
uint64_t equiv_random(struct equiv *equiv)
{
	uint64_t x = equiv->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	equiv->random = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

struct trap_frame equiv_state(struct equiv *equiv, uint64_t start, unsigned kind)
{
	struct trap_frame state = {.rip = equiv_user_address(start), .rflags = RFLAGS_FIXED1};
	uint64_t *gpr = &state.r15;

	for (unsigned i = 0; i < 15; i++)
		gpr[i] = equiv_random(equiv);
	state.rsi = USER_DATA;
	state.rdi = USER_DATA + DATA_WORDS * 4;
	state.rsp = USER_STACK + STACK_PAGES * PAGE_SIZE - 256;
	state.cs = KERNEL_CS;
	state.ss = KERNEL_DS;
	if (kind != RUN_RING0) {
		state.cs = USER_CS;
		state.ss = USER_DS;
	}
	if (kind == RUN_CODE32)
		state.cs = USER_CS32;
	if (kind == RUN_CODE16) {
		state.cs = KERNEL_CS16 | 3;
		state.rip -= USER_TEXT;
	}
	return state;
}

static uint64_t compared_rflags(const struct equiv *equiv, uint64_t rflags)
{
	return rflags & (EQUIV_RFLAGS | (equiv->strict ? RFLAGS_RF : 0));
}

static void digest_frame(struct equiv *equiv, const struct trap_info *info)
{
	const struct trap_frame *frame = &info->frame;
	const uint64_t *gpr = &frame->r15;

	/* Bits 63:32 of a register are undefined after a switch out of 64-bit mode
	 * (SDM 1 "General-Purpose Registers in 64-Bit Mode"). */
	uint64_t mask = frame->cs == KERNEL_CS || frame->cs == USER_CS ? UINT64_MAX : UINT32_MAX;

	for (unsigned i = 0; i < 15; i++)
		equiv_add(equiv, gpr[i] & mask);
	equiv_add(equiv, frame->vector << 32 | frame->error);
	equiv_add(equiv, frame->rip);
	equiv_add(equiv, frame->cs << 32 | frame->ss);
	equiv_add(equiv, frame->rsp);
	equiv_add(equiv, compared_rflags(equiv, frame->rflags));
	equiv_add(equiv, info->cr2);
}

static void print_trap(const struct equiv *equiv, const struct trap_frame *state,
		       const struct trap_info *info)
{
	const struct trap_frame *frame = &info->frame;
	const uint64_t *gpr = &frame->r15;

	printf("%lx:%lx vector=%lu error=%lx cr2=%lx at=%lx:%lx stack=%lx:%lx rflags=%lx\n",
	       state->cs, state->rip, frame->vector, frame->error, info->cr2, frame->cs,
	       frame->rip, frame->ss, frame->rsp, compared_rflags(equiv, frame->rflags));
	for (unsigned i = 0; i < 15; i++)
		printf(" %lx", gpr[i]);
	printf(" digest=%lx\n", equiv->digest);
}

void equiv_run(struct equiv *equiv, const struct trap_frame *state, struct trap_info *info)
{
	uint64_t *data = (uint64_t *)(uint64_t)USER_DATA;

	for (unsigned i = 0; i < DATA_WORDS; i++)
		data[i] = equiv_random(equiv);
	trap_run(info, state);
	digest_frame(equiv, info);
	for (unsigned i = 0; i < DATA_WORDS; i++)
		equiv_add(equiv, data[i]);
	if (equiv->trace)
		print_trap(equiv, state, info);
}

void equiv_snippets(struct equiv *equiv)
{
	struct trap_info info;

	for (const struct snippet *at = __start_snippet_table; at < __stop_snippet_table;
	     at++) {
		for (unsigned kind = RUN_RING0; kind <= RUN_CODE16; kind <<= 1) {
			struct trap_frame state;

			if (!(at->kinds & kind) || (at->kinds & RUN_STRICT && !equiv->strict))
				continue;
			state = equiv_state(equiv, at->start, kind);
			equiv_run(equiv, &state, &info);
		}
	}
}
