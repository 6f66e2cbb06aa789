/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 256-bit vectors and the XSAVE feature set on whatever PC this runs on: a digest for each group of
 * instructions over random operands, what the registers hold after exits and faults, which
 * exception comes of what, and what XSAVE writes. The same lines at every depth and on every
 * machine that has AVX2, FMA and F16C. Options: rounds=N,
 * verbose (a digest for each instruction, too), strict (NaNs among the operands, of two of which
 * QEMU's TCG takes another than the SDM; other digests).
 */
#include <stdbool.h>
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"
#include "l1/lib/trap.h"
#include "tests/guests/operations.h"

#define YMM 4
#define AVX2_FMA_F16C (BIT32(12) | BIT32(26) | BIT32(28) | BIT32(29))

struct vectors {
	uint8_t ymm[YMM][32];
	uint64_t rax;
	uint32_t mxcsr;
};

typedef void operation(struct vectors *v);

/* The compiler uses no vector registers here. */
#define OPERATION(name, instruction)                                                               \
	static void name(struct vectors *v)                                                        \
	{                                                                                          \
		__asm__ volatile("vmovdqu (%1), %%ymm0\n\tvmovdqu 32(%1), %%ymm1\n\t"              \
				 "vmovdqu 64(%1), %%ymm2\n\tvmovdqu 96(%1), %%ymm3\n\t"            \
				 "vldmxcsr %2\n\t" instruction "\n\t"                              \
				 "vstmxcsr %2\n\tvmovdqu %%ymm0, (%1)\n\t"                         \
				 : "+a"(v->rax), "+r"(v), "+m"(v->mxcsr)                           \
				 :                                                                 \
				 : "memory", "cc");                                                \
	}
#define DEFINE(line, instruction) OPERATION(OPERATION_NAME_OF(line), instruction)
#define VECTOR_OP(group, instruction) DEFINE(__LINE__, instruction)
#include "tests/guests/vectors.def"
#undef VECTOR_OP

static const struct {
	const char *group, *text;
	operation *run;
} operations[] = {
#define VECTOR_OP(group, instruction) {#group, instruction, OPERATION_NAME_OF(__LINE__)},
#include "tests/guests/vectors.def"
#undef VECTOR_OP
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static bool strict;

/* Two numbers of single precision that meet, one of double, or others. */
static uint64_t random_lanes(void)
{
	uint64_t random = random64(), exponent = random64();

	switch (random >> 60) {
	case 0:
		return strict ? random : random & UINT64_C(0xbfffffffbfffffff);
	case 1:
		return random & UINT64_C(0x80000000807fffff); /* zeros and denormals */
	case 2:
		if (strict)
			return random | UINT64_C(0x7f8000007f800000); /* NaNs */
		return random & UINT64_C(0xffffffff);
	case 3:
		return UINT64_C(0xff8000007f800000);
	case 4:
	case 5:
	case 6:
		return (random & UINT64_C(0x800fffffffffffff)) | (1020 + exponent % 8) << 52;
	default:
		return (random & UINT64_C(0x807fffff807fffff)) |
		       (124 + exponent % 8) << 23 | (124 + exponent / 8 % 8) << 55;
	}
}

static void randomize(struct vectors *v)
{
	for (unsigned i = 0; i < sizeof(v->ymm); i += 8) {
		uint64_t lanes = random_lanes();

		memcpy(v->ymm[0] + i, &lanes, 8);
	}
	v->rax = random64();
	v->mxcsr = 0x1f80 | (random64() & 0x6000);
}

static void run_group(size_t first, size_t end, uint64_t rounds)
{
	uint64_t digest = DIGEST_START;

	for (uint64_t round = 0; round < rounds; round++)
		for (size_t i = first; i < end; i++) {
			struct vectors v;

			randomize(&v);
			operations[i].run(&v);
			digest_add(&digest, v.ymm[0], 32);
			digest_add(&digest, &v.rax, 8);
		}
	printf("%s: %016lx\n", operations[first].group, digest);
}

static void run_operations(uint64_t rounds)
{
	for (size_t i = 0; multiboot_has_word("verbose") && i < OPERATIONS; i++) {
		printf("%s ", operations[i].text);
		run_group(i, i + 1, rounds);
	}
	for (size_t first = 0, end; first < OPERATIONS; first = end) {
		for (end = first + 1; end < OPERATIONS; end++)
			if (!same_group(operations[first].group, operations[end].group))
				break;
		run_group(first, end, rounds);
	}
}

/* ---- what survives an exit, and a fault ---- */

OPERATION(over_cpuid,
	  "push %%rbx; push %%rcx; push %%rdx; xor %%eax, %%eax; xor %%ecx, %%ecx; cpuid;"
	  "xor %%eax, %%eax; pop %%rdx; pop %%rcx; pop %%rbx")
OPERATION(over_port, "out %%al, $0x80")
OPERATION(over_breakpoint, "int3")

static void skip(struct trap_frame *frame)
{
	(void)frame;
}

static void run_survival(void)
{
	static operation *const runs[] = {over_cpuid, over_port, over_breakpoint};
	unsigned kept = 0;

	trap_set_handler(VECTOR_BP, skip);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		struct vectors v, before;

		randomize(&v);
		before = v;
		runs[i](&v);
		kept += !memcmp(v.ymm, before.ymm, sizeof(v.ymm)) && v.mxcsr == before.mxcsr;
	}
	trap_set_handler(VECTOR_BP, NULL);
	printf("survives: %u of %u\n", kept, (unsigned)(sizeof(runs) / sizeof(runs[0])));
}

/* ---- XCR0 and exceptions ---- */

static void xsetbv(uint32_t index, uint64_t value)
{
	__asm__ volatile("xsetbv" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static uint64_t xgetbv(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static void set_xcr0(void *argument)
{
	xsetbv(0, *(const uint64_t *)argument);
}

static void set_xcr1(void *argument)
{
	xsetbv(1, 1);
}

static void use_avx(void *argument)
{
	__asm__ volatile("vxorps %ymm0, %ymm0, %ymm0");
}

/* VMOVAPS of 32 bytes at an address that is aligned to 16. */
static void use_misaligned(void *argument)
{
	static uint8_t buffer[96] __attribute__((aligned(64)));

	__asm__ volatile("vmovaps (%0), %%ymm0" : : "r"(buffer + 16) : "memory");
}

static void print_outcome(const char *name, void (*function)(void *), void *argument)
{
	struct trap_info info;

	if (trap_catch(&info, function, argument))
		printf("%s: vector %lu\n", name, info.frame.vector);
	else
		printf("%s: done, XCR0 %lx\n", name, xgetbv(0));
}

static void run_exceptions(void)
{
	static uint64_t values[] = {3, 5, 6, 0, 7};

	print_outcome("XSETBV 3", set_xcr0, &values[0]);
	print_outcome("AVX without XCR0", use_avx, NULL);
	print_outcome("XSETBV 5", set_xcr0, &values[1]);
	print_outcome("XSETBV 6", set_xcr0, &values[2]);
	print_outcome("XSETBV 0", set_xcr0, &values[3]);
	print_outcome("XSETBV of XCR1", set_xcr1, NULL);
	print_outcome("XSETBV 7", set_xcr0, &values[4]);
	write_cr0(read_cr0() | CR0_TS);
	print_outcome("AVX with TS", use_avx, NULL);
	write_cr0(read_cr0() & ~CR0_TS);
	print_outcome("misaligned", use_misaligned, NULL);
	print_outcome("AVX", use_avx, NULL);
}

/* ---- XSAVE ---- */

static uint8_t area[4096] __attribute__((aligned(64)));

static uint64_t area64(unsigned at)
{
	uint64_t value;

	memcpy(&value, area + at, 8);
	return value;
}

static void run_xsave(void)
{
	struct cpuid avx = cpuid(0xd, 2), all = cpuid(0xd, 0);

	printf("AVX state: %u bytes at %u; area for XCR0 %u\n", avx.eax, avx.ebx, all.ebx);
	memset(area, 0x5a, sizeof(area));
	memset(area + 512, 0, 64);
	__asm__ volatile("vpcmpeqd %%ymm9, %%ymm9, %%ymm9\n\t"
			 "xsave %0\n\tvzeroall\n\txrstor %0\n\t"
			 "vextractf128 $1, %%ymm9, %1\n\t"
			 : "+m"(area), "=m"(area[3072])
			 : "a"(7), "d"(0)
			 : "memory");
	printf("XSTATE_BV and 6: %lx XCOMP_BV: %lx YMM9: %lx %lx restored: %lx\n",
	       area64(512) & 6, area64(520), area64(160 + 144), area64(576 + 144), area64(3072));
	memset(area + 512, 0, 8);
	__asm__ volatile("xrstor %1\n\tvmovdqu %%ymm9, %0"
			 : "=m"(area[3072])
			 : "m"(area), "a"(4), "d"(0)
			 : "memory");
	printf("AVX state initialized: %lx %lx\n", area64(3072), area64(3072 + 16));
}

int main(void)
{
	uint64_t rounds = multiboot_option("rounds", 200);

	trap_init();
	strict = multiboot_has_word("strict");
	if ((cpuid(1, 0).ecx & AVX2_FMA_F16C) != AVX2_FMA_F16C || !(cpuid(7, 0).ebx & BIT32(5))) {
		printf("this CPU has no AVX2, FMA and F16C\n");
		return STATUS_OK;
	}
	write_cr0((read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS)) | CR0_MP);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE);
	run_exceptions();
	run_operations(rounds);
	run_survival();
	run_xsave();
	return STATUS_OK;
}
