/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The fuzzed code's world in memory.
 */
#include "tests/fuzz/guest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/guest_private.h"

/* ---- page tables ---- */

#define NX BIT64(63)
#define KEY(n) ((uint64_t)(n) << 59)

/* Of each page below GUEST_END that is not ring 0's read-write memory; U stays as it is here but
 * for code, which is of the ring that runs. */
static const uint64_t kinds[GUEST_END >> PAGE_SHIFT] = {
	[0xc] = PTE_P | PTE_A | PTE_D,
	[0xd] = PTE_P | PTE_A | PTE_D | PTE_U,
	[0x10] = PTE_P | PTE_W | PTE_U,
	[0x11] = PTE_P | PTE_U,
	[0x12] = PTE_P | PTE_W,
	[0x13] = PTE_P | PTE_W | PTE_U | NX,
	[0x14] = PTE_W,
	[0x15] = PTE_P | PTE_W | PTE_U | KEY(1),
	[0x16] = PTE_P | PTE_W | KEY(2),
	[0x17] = PTE_P | PTE_W | PTE_U | PTE_G,
};

static uint64_t page_kind(unsigned page, bool user)
{
	if (page < sizeof(kinds) / sizeof(kinds[0]) && kinds[page])
		return kinds[page];
	if (page >= GUEST_CODE >> PAGE_SHIFT && page < (GUEST_CODE + GUEST_CODE_SIZE) >> PAGE_SHIFT)
		return PTE_P | PTE_W | (user ? PTE_U : 0);
	return PTE_P | PTE_W | (page < GUEST_RING0_END >> PAGE_SHIFT ? 0 : PTE_U);
}

/* The bits above 31 are those of a table of 8-byte entries only. */
static void tables64(uint8_t *ram, bool user, bool pae)
{
	static const uint64_t top[] = { PML5, PML4, PDPT, PD };
	uint64_t *pt = (uint64_t *)(void *)(ram + PT);

	for (unsigned i = 0; i < 4; i++) {
		uint64_t *table = (uint64_t *)(void *)(ram + top[i]);

		table[0] = (top[i] + PAGE_SIZE) | PTE_P | PTE_W | PTE_U;
		if (top[i] <= PML4)
			table[511] = table[0];
	}
	/* the devices, and the same memory once more in large pages */
	((uint64_t *)(void *)(ram + PDPT))[3] = UINT64_C(0xc0000000) | PTE_P | PTE_W | PTE_PS;
	((uint64_t *)(void *)(ram + PD))[1] = PTE_P | PTE_W | PTE_U | PTE_PS;
	*(uint64_t *)(void *)(ram + PAE_PDPT) = PD | PTE_P;
	for (unsigned i = 0; i < 512; i++)
		pt[i] = (uint64_t)i << PAGE_SHIFT |
			(page_kind(i, user) & (pae ? ~KEY(15) : UINT64_MAX));
}

static void tables32(uint8_t *ram, bool user)
{
	uint32_t *pd = (uint32_t *)(void *)(ram + PD32), *pt = (uint32_t *)(void *)(ram + PT32);

	pd[0] = PT32 | PTE_P | PTE_W | PTE_U;
	pd[1] = PTE_P | PTE_W | PTE_U | PTE_PS;
	pd[0xfee00000 >> 22] = 0xfec00000 | PTE_P | PTE_W | PTE_PS;
	for (unsigned i = 0; i < 512; i++)
		pt[i] = i << PAGE_SHIFT | (uint32_t)page_kind(i, user);
}

/* ---- descriptor tables ---- */

static uint64_t descriptor(uint64_t base, uint32_t limit, uint32_t ar)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)(ar & 0xff) << 40 |
	       (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(ar >> 12 & 15) << 52 |
	       (base >> 24 & 0xff) << 56;
}

/* Selectors as SYSENTER, SYSEXIT and SYSRET derive them, too. */
static void segments(uint8_t *ram, bool long_mode)
{
	uint64_t *gdt = (uint64_t *)(void *)(ram + GDT);
	uint64_t gate = (uint64_t)(CALL_ENTRY & 0xffff) | (uint64_t)SEL_CODE << 16 |
			UINT64_C(0xec) << 40 | (uint64_t)(CALL_ENTRY >> 16) << 48;

	gdt[SEL_CODE >> 3] = descriptor(0, 0xfffff, long_mode ? 0xa09b : 0xc09b);
	gdt[SEL_DATA >> 3] = descriptor(0, 0xfffff, 0xc093);
	gdt[SEL_USER32 >> 3] = descriptor(0, 0xfffff, 0xc0fb);
	gdt[SEL_USER_DATA >> 3] = descriptor(0, 0xfffff, 0xc0f3);
	gdt[SEL_USER64 >> 3] = descriptor(0, 0xfffff, 0xa0fb);
	gdt[SEL_TSS >> 3] = descriptor(TSS, TSS_LIMIT, 0x8b);
	gdt[SEL_GATE >> 3] = gate;
	gdt[SEL_CODE32 >> 3] = descriptor(0, 0xfffff, 0xc09b);
	gdt[SEL_TASK >> 3] = descriptor(TASK, TSS_LIMIT, 0x89);
	gdt[SEL_LDT >> 3] = descriptor(GDT, GDT_LIMIT, 0x82);
	gdt[SEL_CONFORMING >> 3] = descriptor(0, 0xfffff, long_mode ? 0xa09f : 0xc09f);
	gdt[SEL_CODE16 >> 3] = descriptor(0, 0xffff, 0x9b);
}

static void put32(uint8_t *ram, uint64_t at, uint64_t value)
{
	uint32_t low = (uint32_t)value;

	memcpy(ram + at, &low, sizeof(low));
}

/* Two TSSs, of the code that runs and one to switch to; the DS save area; tokens. */
static void areas(uint8_t *ram, bool long_mode)
{
	if (long_mode) {
		put32(ram, TSS + 4, STACK0);
		for (unsigned ist = 1; ist <= 7; ist++)
			put32(ram, TSS + 0x1c + 8 * ist, STACK_IST);
		put32(ram, TSS + 0x64, 0x68 << 16);
		for (unsigned ist = 1; ist <= 7; ist++) {
			put32(ram, SSP_TABLE + 8 * ist, SHADOW_IST - 0x80 * ist);
			put32(ram, SHADOW_IST - 0x80 * ist, SHADOW_IST - 0x80 * ist);
		}
	} else {
		put32(ram, TSS + 4, STACK0);
		put32(ram, TSS + 8, SEL_DATA);
		put32(ram, TSS + 0x64, 0x68 << 16);
		memcpy(ram + TASK, ram + TSS, 0x68);
		put32(ram, TASK + 0x20, GUEST_CODE + 0x40);
		put32(ram, TASK + 0x24, RFLAGS_FIXED1);
		put32(ram, TASK + 0x38, STACK_IST);
		for (unsigned at = 0x48; at < 0x60; at += 4)
			put32(ram, TASK + at, SEL_DATA);
		put32(ram, TASK + 0x4c, SEL_CODE);
	}
	put32(ram, DS_AREA + 0x20,
	      PEBS_BUFFER); /* base, index, end, threshold, counter 0's reset */
	put32(ram, DS_AREA + 0x28, PEBS_BUFFER);
	put32(ram, DS_AREA + 0x30, PEBS_BUFFER + 0x800);
	put32(ram, DS_AREA + 0x38, PEBS_BUFFER + 0x600);
	put32(ram, SHADOW0, SHADOW0); /* the token of ring 0's shadow stack */
}

/* ---- events ---- */

static void gate(uint8_t *ram, unsigned vector, unsigned mode, bool long_mode)
{
	uint64_t to = GATES + 16 * vector;
	uint64_t low =
	    (to & 0xffff) | (uint64_t)SEL_CODE << 16 | UINT64_C(0xee) << 40 | (to >> 16) << 48;

	if (long_mode && ((mode & GUEST_IST) || vector == VECTOR_DF))
		low |= UINT64_C(1) << 32;
	memcpy(ram + IDT + vector * (long_mode ? 16 : 8), &low, sizeof(low));
}

static bool has_error_code(unsigned vector)
{
	return vector < 32 && (0x227d00 >> vector & 1);
}

/* ENDBRANCH; a place for the error code; to what they share. Interrupts end in an EOI. */
static void entry(uint8_t *ram, unsigned vector, bool long_mode)
{
	uint64_t at = GATES + 16 * vector;
	uint8_t *code = ram + at;

	memcpy(code, long_mode ? "\xf3\x0f\x1e\xfa" : "\xf3\x0f\x1e\xfb", 4);
	if (vector < FIRST_INTERRUPT)
		memcpy(code + 4, has_error_code(vector) ? "\x66\x90" : "\x6a\x00", 2);
	else
		memcpy(code + 4, "\x66\x90", 2);
	code[6] = 0xe9;
	put32(code, 7, (vector < FIRST_INTERRUPT ? HANDLER : INTERRUPT) - (at + 11));
}

static void events(uint8_t *ram, unsigned mode, bool long_mode)
{
	for (unsigned vector = 0; vector < 256; vector++) {
		put32(ram, 4 * vector, HANDLER_REAL >> 4 << 16);
		gate(ram, vector, mode, long_mode);
		entry(ram, vector, long_mode);
	}
	memcpy(ram + HANDLER, long_mode ? guest_handler64 : guest_handler32, GUEST_HANDLER_MAX);
	memcpy(ram + INTERRUPT, long_mode ? guest_interrupt64 : guest_interrupt32,
	       GUEST_INTERRUPT_MAX);
	memcpy(ram + HANDLER_REAL, guest_handler_real, sizeof(guest_handler_real));
	memcpy(ram + CALL_ENTRY, "\xf3\x0f\x1e\xfa\xcb", 5);		/* endbr64; retf */
	memcpy(ram + SYSCALL_ENTRY, "\xf3\x0f\x1e\xfa\x48\x0f\x07", 7);	/* endbr64; sysretq */
	memcpy(ram + SYSENTER_ENTRY, "\xf3\x0f\x1e\xfa\x48\x0f\x35", 7); /* endbr64; sysexitq */
}

static void build(uint8_t *ram, unsigned mode)
{
	unsigned kind = mode & 7;
	bool long_mode = kind >= GUEST_LONG4 && kind <= GUEST_COMPAT;

	tables64(ram, mode & GUEST_USER, !long_mode);
	tables32(ram, mode & GUEST_USER || kind == GUEST_VM86);
	segments(ram, long_mode);
	areas(ram, long_mode);
	events(ram, mode, long_mode);
}

/* The same each time for a mode: made once, copied page by page. */
struct image {
	uint8_t *bytes;
	uint32_t pages; /* a bit for each that is not all zeros */
};

static void image_make(struct image *image, unsigned mode)
{
	static const uint8_t zeros[PAGE_SIZE];

	image->bytes = calloc(1, GUEST_END);
	assert(image->bytes);
	build(image->bytes, mode);
	for (unsigned page = 0; page < GUEST_END >> PAGE_SHIFT; page++)
		if (memcmp(image->bytes + (page << PAGE_SHIFT), zeros, PAGE_SIZE))
			image->pages |= BIT32(page);
}

void guest_build(struct machine *machine, unsigned mode)
{
	static struct image images[(GUEST_IST | GUEST_USER | 7) + 1];
	struct image *image = &images[mode & (GUEST_IST | GUEST_USER | 7)];

	if (!image->bytes)
		image_make(image, mode);
	for (unsigned page = 0; page < GUEST_END >> PAGE_SHIFT; page++)
		if (image->pages & BIT32(page))
			memcpy(machine->memory.low + (page << PAGE_SHIFT),
			       image->bytes + (page << PAGE_SHIFT), PAGE_SIZE);
}

void guest_code(struct machine *machine, const uint8_t *bytes, size_t size)
{
	static const uint8_t end[] = { 0xe6, 0xf4, 0xf4 }; /* out 0xf4, al; hlt */

	if (size > GUEST_CODE_SIZE - sizeof(end))
		size = GUEST_CODE_SIZE - sizeof(end);
	if (size)
		memcpy(machine->memory.low + GUEST_CODE, bytes, size);
	memcpy(machine->memory.low + GUEST_CODE + size, end, sizeof(end));
}
