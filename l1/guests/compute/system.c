/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels of what an operating system does: page-table edits, address-space switches, exceptions,
 * system calls.
 */
#include "l1/guests/compute/compute.h"

#include <stddef.h>

#include "l1/lib/cpu.h"
#include "l1/lib/layout.h"
#include "l1/lib/paging.h"
#include "l1/lib/trap.h"

#define WINDOW (UINT64_C(1) << 40)
#define CHURN_PAGES 32
#define SPACES 2
#define TRAPS 10000
#define CALLS 40000

extern char syscalls_user[], syscalls_entry[];

/* Page-table work: edit an entry, invalidate, touch, and reload CR3 now and then. */
uint64_t paging_round(uint64_t x)
{
	static uint64_t *entry;
	uint64_t *root = paging_boot_space(), sum = x;

	if (!entry) {
		paging_map(root, WINDOW, (uintptr_t)words, 4096, PTE_P | PTE_W);
		entry = paging_find(root, WINDOW);
	}
	for (unsigned i = 0; i < 40000; i++) {
		*entry = (uintptr_t)(i & 1 ? words : copies) | PTE_P | PTE_W;
		invlpg((const void *)WINDOW);
		sum += *(volatile uint64_t *)(WINDOW + (i & 511) * 8);
		if (!(i & 15))
			write_cr3(read_cr3());
	}
	return sum;
}

/* Pages of the window in a space: those of `words` in one, of `copies` in the other. */
static void churn_map(uint64_t *root, const uint64_t *data)
{
	for (uint64_t page = 0; page < CHURN_PAGES; page++)
		paging_map(root, WINDOW + page * 4096, (uintptr_t)data + page % 16 * 4096, 4096,
			   PTE_P | PTE_W);
}

/* A scheduler's turn: switch spaces, touch the working set, replace one of its pages. */
uint64_t churn_round(uint64_t x)
{
	static uint64_t *spaces[SPACES];
	uint64_t before = read_cr3(), sum = x;

	for (unsigned i = 0; i < SPACES && !spaces[SPACES - 1]; i++) {
		spaces[i] = paging_new_space();
		churn_map(spaces[i], i ? words : copies);
	}
	for (unsigned turn = 0; turn < 4000; turn++) {
		uint64_t *root = spaces[turn % SPACES], page = WINDOW + turn % CHURN_PAGES * 4096;

		write_cr3((uintptr_t)root);
		for (uint64_t at = WINDOW; at < WINDOW + CHURN_PAGES * 4096; at += 4096)
			*(volatile uint64_t *)at = sum = sum * 5 + *(volatile uint64_t *)(at + 8);
		*paging_find(root, page) ^= 4096;
		invlpg((const void *)page);
		sum += *(volatile uint64_t *)page;
	}
	write_cr3(before);
	return sum;
}

static uint64_t trapped;

static void skip_undefined(struct trap_frame *frame)
{
	trapped++;
	frame->rip += 2;
}

static void count_breakpoint(struct trap_frame *frame)
{
	trapped++;
}

/* A page that is not present until it is touched, and a moment after not again. */
static uint64_t *absent;

static void make_present(struct trap_frame *frame)
{
	trapped++;
	*absent |= PTE_P;
}

/* Faults and traps through the runtime's handlers and back. */
uint64_t traps_round(uint64_t x)
{
	uint64_t *root = paging_boot_space(), linear = WINDOW + BYTES;

	paging_map(root, linear, (uintptr_t)words, 4096, PTE_W);
	absent = paging_find(root, linear);
	trap_set_handler(VECTOR_UD, skip_undefined);
	trap_set_handler(VECTOR_BP, count_breakpoint);
	trap_set_handler(VECTOR_PF, make_present);
	trapped = x;
	for (unsigned i = 0; i < TRAPS / 3; i++) {
		__asm__ volatile("ud2\n\tint3" : : : "memory");
		*(volatile uint64_t *)linear;
		*absent &= ~(uint64_t)PTE_P;
		invlpg((const void *)linear);
	}
	trap_set_handler(VECTOR_UD, NULL);
	trap_set_handler(VECTOR_BP, NULL);
	trap_set_handler(VECTOR_PF, NULL);
	return trapped;
}

/* Ring 3 calls SYSCALL; the entry counts in RAX and returns. RAX of INT 80H is the result. */
uint64_t syscalls_round(uint64_t x)
{
	uint64_t *root = paging_boot_space(), user = WINDOW + 2 * BYTES;
	uint64_t code = (uintptr_t)syscalls_user;
	struct trap_frame state = {
		.rax = x, .rsi = CALLS, .rip = user + code % 4096,
		.cs = USER_CS, .ss = USER_DS, .rflags = RFLAGS_FIXED1,
	};
	struct trap_info info;

	paging_map(root, user, code & ~UINT64_C(4095), 4096, PTE_P | PTE_U);
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_SCE);
	wrmsr(MSR_IA32_STAR, (uint64_t)KERNEL_CS << 32 | (uint64_t)USER_CS32 << 48);
	wrmsr(MSR_IA32_LSTAR, (uintptr_t)syscalls_entry);
	wrmsr(MSR_IA32_FMASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_NT | RFLAGS_AC);
	trap_run(&info, &state);
	return info.frame.rax;
}
