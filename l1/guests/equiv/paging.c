/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Paging as a truth table: every combination of page attributes, page size, CR0.WP, privilege and
 * access, run as a snippet; then aliases, remapping with INVLPG and with CR3, global pages.
 */
#include "l1/guests/equiv/equiv.h"

#include "l1/lib/cpu.h"
#include "l1/lib/paging.h"

extern char access_read[], access_write[], access_execute[], access_update[];

#define COMBINATIONS 16 /* of P, W, U, NX */
#define PLAY_PAGES 4
#define PLAY_OFFSET 64 /* of the data in a page that begins with code */

static uint64_t play_frames[PLAY_PAGES];
static uint64_t play_2m; /* a 2 MiB page of RAM that holds the image itself: read only */

static uint64_t combination(unsigned bits)
{
	return (bits & 1 ? PTE_P : 0) | (bits & 2 ? PTE_W : 0) | (bits & 4 ? PTE_U : 0) |
	       (bits & 8 ? PTE_NX : 0);
}

static void access(struct equiv *equiv, const char *code, unsigned kind, uint64_t linear,
		   uint64_t *entry)
{
	struct trap_frame state = equiv_state(equiv, (uint64_t)code, kind);
	struct trap_info info;

	*entry &= ~(PTE_A | PTE_D);
	invlpg((void *)linear);
	state.rax = code == access_execute ? linear : linear + PLAY_OFFSET;
	equiv_run(equiv, &state, &info);
	/* A faulting access may or may not have set A (it is speculative); a good one has. */
	if (info.frame.vector == VECTOR_DONE)
		equiv_add(equiv, *entry & (PTE_A | PTE_D));
}

static void access_all_ways(struct equiv *equiv, uint64_t linear, uint64_t *entry)
{
	static char *const codes[] = {access_read, access_write, access_update, access_execute};

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i] == access_update && !equiv->strict)
			continue; /* the W bit of its error code */
		access(equiv, codes[i], RUN_RING0, linear, entry);
		access(equiv, codes[i], RUN_RING3, linear, entry);
	}
}

static void set_write_protect(bool on)
{
	write_cr0(on ? read_cr0() | CR0_WP : read_cr0() & ~CR0_WP);
}

/* The page begins with INT VECTOR_DONE, so that executing it ends well. */
static void fill_frame(uint64_t frame, uint64_t value)
{
	*(uint64_t *)frame = 0xcd | VECTOR_DONE << 8;
	*(uint64_t *)(frame + PLAY_OFFSET) = value;
}

static void run_truth_table(struct equiv *equiv)
{
	uint64_t *entry = paging_find(equiv_space(), USER_PLAY);

	for (unsigned bits = 0; bits < 2 * COMBINATIONS; bits++) {
		set_write_protect(bits & COMBINATIONS);
		fill_frame(play_frames[0], bits);
		*entry = play_frames[0] | combination(bits);
		access_all_ways(equiv, USER_PLAY, entry);
		equiv_add(equiv, *(uint64_t *)(play_frames[0] + PLAY_OFFSET));
	}
	set_write_protect(true);
	if (equiv->strict) { /* a reserved bit: RSVD in the error code, and P */
		*entry = play_frames[0] | PTE_P | PTE_W | PTE_U | BIT64(51);
		access_all_ways(equiv, USER_PLAY, entry);
	}
	*entry = 0;
	invlpg((void *)USER_PLAY);
}

/* The same page under two addresses, then under changing frames, then in two spaces. */
static void run_remapping(struct equiv *equiv)
{
	uint64_t *space = equiv_space(), *other = paging_find(space, USER_PLAY + 2 * PAGE_SIZE);
	volatile uint64_t *a = (volatile uint64_t *)USER_PLAY;
	volatile uint64_t *b = (volatile uint64_t *)(USER_PLAY + PAGE_SIZE);
	uint64_t flags = PTE_P | PTE_W | PTE_U;

	paging_map(space, USER_PLAY, play_frames[0], PAGE_SIZE, flags);
	paging_map(space, USER_PLAY + PAGE_SIZE, play_frames[0], PAGE_SIZE, flags);
	a[3] = equiv_random(equiv);
	equiv_add(equiv, b[3]++);
	equiv_add(equiv, a[3]);
	for (unsigned i = 0; i < 16; i++) {
		uint64_t frame = play_frames[equiv_random(equiv) % PLAY_PAGES];

		*other = frame | flags;
		invlpg((void *)(USER_PLAY + 2 * PAGE_SIZE));
		*(volatile uint64_t *)(USER_PLAY + 2 * PAGE_SIZE + 64) += i;
		equiv_add(equiv, *(volatile uint64_t *)(frame + 64));
	}
	*other = 0;
	paging_map(space, USER_PLAY, 0, PAGE_SIZE, 0);
	paging_map(space, USER_PLAY + PAGE_SIZE, 0, PAGE_SIZE, 0);
	write_cr3((uint64_t)space);
}

static void run_spaces(struct equiv *equiv, uint64_t *second)
{
	volatile uint64_t *word = (volatile uint64_t *)(USER_PLAY + 3 * PAGE_SIZE + 8);
	uint64_t flags = PTE_P | PTE_W, linear;

	paging_map(equiv_space(), USER_PLAY + 3 * PAGE_SIZE, play_frames[1], PAGE_SIZE, flags);
	paging_map(second, USER_PLAY + 3 * PAGE_SIZE, play_frames[2], PAGE_SIZE, flags);
	for (unsigned i = 0; i < 8; i++) {
		write_cr3((uint64_t)second);
		*word = i * 3;
		write_cr3((uint64_t)equiv_space());
		*word = *word * 5 + i;
		equiv_add(equiv, *word);
	}
	write_cr3((uint64_t)second);
	equiv_add(equiv, *word);
	write_cr3((uint64_t)equiv_space());
	/* A 2 MiB page over the same RAM as the identity map. */
	linear = USER_PLAY + PAGE_2M + (play_frames[2] - play_2m);
	equiv_add(equiv, *(volatile uint32_t *)(linear + 8));
}

/* CR4.PGE: a global page survives CR3 loads, but not INVLPG, nor a change of PGE. */
static void run_global(struct equiv *equiv)
{
	volatile uint64_t *word = (volatile uint64_t *)(USER_PLAY + 3 * PAGE_SIZE + 16);
	uint64_t *entry = paging_find(equiv_space(), (uint64_t)word);

	write_cr4(read_cr4() | CR4_PGE);
	*entry = play_frames[1] | PTE_P | PTE_W | PTE_G;
	invlpg((void *)(uint64_t)word);
	*word = equiv_random(equiv);
	*entry = play_frames[3] | PTE_P | PTE_W;
	write_cr4(read_cr4() & ~CR4_PGE); /* flushes */
	*word += 77;
	equiv_add(equiv, *(uint64_t *)(play_frames[1] + 16));
	equiv_add(equiv, *(uint64_t *)(play_frames[3] + 16));
	*entry = 0;
	invlpg((void *)(uint64_t)word);
}

void equiv_paging(struct equiv *equiv)
{
	static uint64_t *second;

	if (!second) {
		second = paging_new_space();
		for (unsigned i = 0; i < PLAY_PAGES; i++)
			play_frames[i] = (uint64_t)page_alloc();
		play_2m = play_frames[2] & ~(PAGE_2M - 1);
		paging_map(equiv_space(), USER_PLAY, 0, PAGE_SIZE, 0);
		paging_map(equiv_space(), USER_PLAY + PAGE_2M, play_2m, PAGE_2M, PTE_P);
	}
	run_truth_table(equiv);
	run_remapping(equiv);
	run_spaces(equiv, second);
	run_global(equiv);
}
