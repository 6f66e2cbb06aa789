/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MPX on whatever PC this runs on: bounds made, checked, moved, kept in bound tables, cleared by
 * branches, in ring 0 and ring 3, 64-bit and 32-bit code, with exits to hypervisors in between. A
 * line a probe: the vector that ended it (80: it came to its end) and where, BNDSTATUS, what it
 * left in memory, in ring 3 also BND0. The same lines at every depth.
 */
#include <stdbool.h>
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/layout.h"
#include "l1/lib/paging.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"
#include "l1/lib/trap.h"

#define LEAF1_ECX_XSAVE BIT32(26)
#define LEAF7_EBX_MPX BIT32(14)
#define MSR_BNDCFGS 0xd90
#define XCR0_MPX UINT64_C(0x18)
#define EN 1
#define KEEP 3 /* EN and BNDPRESERVE */

/* Linear addresses; for those in tables see SDM 1 "Loading and Storing Bounds in Memory". */
#define CODE (PAGING_PRIVATE + 0x1000)
#define DATA (PAGING_PRIVATE + 0x3000)
#define SEEN (PAGING_PRIVATE + 0x4000)
#define STACK_TOP (PAGING_PRIVATE + 0x6000)
#define DIRECTORY (PAGING_PRIVATE + 0x10000000)
#define TABLE (PAGING_PRIVATE + 0x20000000)
#define TABLE_32 (PAGING_PRIVATE + 0x20800000)
#define NOTHING (PAGING_PRIVATE + 0x30000000)
#define ENTRY_64 (DIRECTORY + (DATA >> 20) * 8)
#define ENTRY_32 (DIRECTORY + (DATA >> 12) * 4)
#define BOUNDS_64 (TABLE + (DATA >> 3 & 0x1ffff) * 32)
#define BOUNDS_32 (TABLE_32 + (DATA >> 2 & 0x3ff) * 16)

static uint64_t *space, *data, *seen, *directory, *directory_32;
static uint8_t *code;

/* As XSAVE writes it. */
static struct {
	uint8_t legacy[512];
	uint64_t xstate_bv, header[7], avx[48], bound[4][2], cfgu, status, rest[6];
} area __attribute__((aligned(64)));

static void save(void)
{
	__asm__ volatile("xsave64 %0" : "+m"(area) : "a"(0x18), "d"(0));
}

static void restore(uint64_t components)
{
	area.xstate_bv = components;
	__asm__ volatile("xrstor64 %0" : : "m"(area), "a"(0x18), "d"(0));
}

static void set_xcr0(void *value)
{
	__asm__ volatile("xsetbv" : : "a"(*(uint64_t *)value), "d"(0), "c"(0));
}

static void set_bndcfgs(void *value)
{
	wrmsr(MSR_BNDCFGS, *(uint64_t *)value);
}

/* ---- probes ---- */

#define DONE "int $0x80\n"
#define FIRST "bndmov %bnd0, (%rsi)\n"
#define SECOND "bndmov %bnd0, 16(%rsi)\n"
#define FIRST_32 "bndmov %bnd0, (%esi)\n"
/* Leaves for every hypervisor; changes RAX, RBX, RCX, RDX. */
#define EXIT "xor %eax, %eax; cpuid\n"

/* RBX: DATA; RSI: SEEN; RDX: a pointer's value; RDI: NOTHING. EBP and the rest: 0. */
struct probe {
	const char *name;
	const char *start, *end;
	uint8_t bits, config;
};

#define PROBE(name, bits, config, text)                                                            \
	__asm__(".pushsection .rodata\n.code" #bits "\nprobe_" #name ":\n" text "\n" DONE          \
		"probe_" #name "_end:\n.code64\n.popsection");                                     \
	extern const char probe_##name[], probe_##name##_end[];
#include "tests/guests/bounds.def"
#undef PROBE

static const struct probe probes[] = {
#define PROBE(name, bits, config, text)                                                            \
	{#name, probe_##name, probe_##name##_end, bits, config},
#include "tests/guests/bounds.def"
#undef PROBE
};

static struct trap_frame state_of(const struct probe *probe, bool user)
{
	struct trap_frame state = {.rbx = DATA, .rsi = SEEN, .rdx = 0x1234, .rdi = NOTHING,
				   .rip = CODE, .rsp = STACK_TOP, .rflags = RFLAGS_FIXED1};

	state.cs = user ? USER_CS : KERNEL_CS;
	state.ss = user ? USER_DS : KERNEL_DS;
	if (probe->bits == 32)
		state.cs = user ? USER_CS32 : KERNEL_CS32;
	return state;
}

static void prepare(const struct probe *probe)
{
	memcpy(code, probe->start, (size_t)(probe->end - probe->start));
	memset(seen, 0, 4096);
	memset(&area, 0, sizeof(area));
	data[0] = UINT64_C(0x0000000900000001); /* for BOUND */
	directory[ENTRY_64 % 4096 / 8] = TABLE | 1;
	directory_32[ENTRY_32 % 4096 / 8] = (TABLE_32 | 1) << (ENTRY_32 % 8 * 8);
}

static void run(const struct probe *probe, bool user)
{
	struct trap_frame state = state_of(probe, user);
	uint64_t config = DIRECTORY | probe->config;
	struct trap_info info;

	prepare(probe);
	area.cfgu = user ? config : 0;
	area.status = 0x5550;
	restore(0x10);
	wrmsr(MSR_BNDCFGS, user ? 0 : config);
	trap_run(&info, &state);
	if (!user)
		config = rdmsr(MSR_BNDCFGS);
	wrmsr(MSR_BNDCFGS, 0);
	save();
	printf("%s ring %u: %lx at %lx, status %lx, %lx %lx, %lx %lx", probe->name, user ? 3 : 0,
	       info.frame.vector, info.frame.rip - CODE, area.status, seen[0], seen[1], seen[2],
	       seen[3]);
	if (user)
		printf(", BND0 %lx %lx", area.bound[0][0], area.bound[0][1]);
	if (info.frame.vector == VECTOR_PF)
		printf(", CR2 %lx", info.cr2);
	if (config != (DIRECTORY | probe->config))
		printf(", BNDCFGS %lx", config);
	printf("\n");
}

/* ---- what else there is to ask ---- */

static void try_values(const char *name, void (*set)(void *), const uint64_t *values,
		       unsigned count)
{
	struct trap_info info;

	for (unsigned i = 0; i < count; i++) {
		uint64_t value = values[i];
		bool fault = trap_catch(&info, set, &value);

		printf("%s %lx: %lx\n", name, values[i], fault ? info.frame.vector : 0);
	}
}

static void show_state(void)
{
	static const uint64_t xcr0[] = {0xb, 0x13, 0x1b, 0x19, 3, 0x1b};
	static const uint64_t bndcfgs[] = {4,
					   0x800,
					   UINT64_C(0x800000000000),
					   UINT64_C(0xffff800000000003),
					   UINT64_C(0x7ffffffff002),
					   0};
	struct cpuid regs = cpuid(0xd, 3), csr = cpuid(0xd, 4);

	printf("components: %u at %u, %u at %u\n", regs.eax, regs.ebx, csr.eax, csr.ebx);
	try_values("XCR0", set_xcr0, xcr0, sizeof(xcr0) / sizeof(xcr0[0]));
	try_values("BNDCFGS", set_bndcfgs, bndcfgs, sizeof(bndcfgs) / sizeof(bndcfgs[0]));
	memset(&area, 0, sizeof(area));
	area.cfgu = UINT64_C(0x1234800000001ffd);
	area.status = UINT64_C(0x8765432112345678);
	area.bound[3][1] = 77;
	restore(0x18);
	memset(&area, 0, sizeof(area));
	save();
	printf("restored: in use %lx, BNDCFGU %lx, BNDSTATUS %lx, BND3 %lx %lx\n", area.xstate_bv,
	       area.cfgu, area.status, area.bound[3][0], area.bound[3][1]);
	restore(0);
	save();
	printf("in use at first: %lx\n", area.xstate_bv);
}

/* Where there is no MPX nothing else tells of it either. */
static void show_absence(void)
{
	static const uint64_t xcr0[] = {0x1b}, bndcfgs[] = {0};
	struct cpuid all = cpuid(0xd, 0), regs = cpuid(0xd, 3), csr = cpuid(0xd, 4);

	printf("no MPX: XCR0 %x, %u bytes, components of %u and %u\n", all.eax & (uint32_t)XCR0_MPX,
	       all.ecx, regs.eax, csr.eax);
	if (!(cpuid(1, 0).ecx & LEAF1_ECX_XSAVE))
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	try_values("XCR0", set_xcr0, xcr0, 1);
	try_values("BNDCFGS", set_bndcfgs, bndcfgs, 1);
}

static uint64_t *map(uint64_t linear)
{
	uint64_t *page = page_alloc();

	paging_map(space, linear & ~UINT64_C(4095), (uint64_t)page, 4096, PTE_P | PTE_W | PTE_U);
	return page;
}

static void make_space(void)
{
	space = paging_new_space();
	code = (uint8_t *)map(CODE);
	data = map(DATA);
	seen = map(SEEN);
	map(STACK_TOP - 1);
	directory = map(ENTRY_64);
	directory_32 = map(ENTRY_32);
	map(BOUNDS_64);
	map(BOUNDS_32);
	write_cr3((uint64_t)space);
}

int main(void)
{
	uint64_t xcr0 = 3 | XCR0_MPX;

	if (!(cpuid(7, 0).ebx & LEAF7_EBX_MPX)) {
		show_absence();
		return STATUS_OK;
	}
	write_cr4(read_cr4() | CR4_OSXSAVE | CR4_OSFXSR);
	set_xcr0(&xcr0);
	show_state();
	make_space();
	trap_allow_from_user(VECTOR_BR);
	for (unsigned i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		run(&probes[i], false);
		run(&probes[i], true);
	}
	return STATUS_OK;
}
