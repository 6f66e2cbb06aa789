/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The x87 FPU, MMX and SSE on whatever PC this runs on: a digest for each group of instructions
 * over random registers, precision and rounding; who may execute and how errors are reported; what
 * an exit leaves. The same lines at every depth. Options: rounds=N, verbose (a digest for each
 * operation, too), strict (other digests: NaNs, denormals, unsupported encodings, C1 and DE,
 * unmasked SSE exceptions, which QEMU's TCG does otherwise than the SDM, as it does groups
 * microcoded and mmx), transcendental (those instructions, too, which may differ by an ulp from
 * part to part, and by far more in QEMU and Bochs).
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

#define ENVIRONMENT 28
#define REGISTER 10
#define OPERAND 48
#define FSW_C1 0x0200
#define FSW_DE 0x0002

struct floating {
	uint8_t image[ENVIRONMENT + 8 * REGISTER]; /* of FNSAVE */
	uint8_t operand[OPERAND];		   /* 40: a control word */
	uint64_t rflags;
};

typedef void operation(struct floating *f);

/* The compiler uses neither of these register files here. */
#define OPERATION(name, instructions)                                                              \
	static void name(struct floating *f)                                                       \
	{                                                                                          \
		__asm__ volatile("frstor (%2)\n\txorl %%eax, %%eax\n\t" instructions "\n\t"        \
				 "pushfq\n\tpopq %0\n\tfnsave (%2)"                                \
				 : "=&r"(f->rflags)                                                \
				 : "r"(f->operand), "r"(f->image)                                  \
				 : "rax", "memory", "cc");                                         \
	}
#define DEFINE(line, instructions) OPERATION(OPERATION_NAME_OF(line), instructions)
#define FLOATING_OP(group, instructions) DEFINE(__LINE__, instructions)
#include "tests/guests/floating.def"
#undef FLOATING_OP

static const struct {
	const char *group, *text;
	operation *run;
} operations[] = {
#define FLOATING_OP(group, instructions) {#group, instructions, OPERATION_NAME_OF(__LINE__)},
#include "tests/guests/floating.def"
#undef FLOATING_OP
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static bool strict;

static void put(uint8_t *at, uint64_t value, unsigned size)
{
	memcpy(at, &value, size);
}

/* Numbers that meet, with short fractions often; zeros, infinities, the ends of the range; if
 * strict, whatever bits make. */
static void random_register(uint8_t *at)
{
	uint64_t random = random64(), sig = random64() | BIT64(63);
	unsigned exp = 16383 + random % 16 - 8;

	switch (random >> 60) {
	case 0:
		exp = 0x7fff;
		sig = strict ? random64() : BIT64(63);
		break;
	case 1:
		exp = strict ? random & 0x7fff : 0;
		sig = strict ? random64() : 0;
		break;
	case 2:
		exp = strict ? 1 + random % 40 : exp;
		break;
	case 3:
		exp = strict ? 0x7ffe - random % 40 : exp;
		break;
	case 4:
	case 5:
		exp = 16383 + random % 80;
		break;
	case 6:
	case 7:
	case 8:
		sig &= ~(uint64_t)0 << 60;
		break;
	default:
		break;
	}
	put(at, sig, 8);
	put(at + 8, exp | (random >> 40 & 0x8000), 2);
}

/* Good as two singles, a double, an integer: no NaN. */
static uint64_t random_operand(void)
{
	uint64_t random = random64();

	switch (random >> 61) {
	case 0:
		return strict ? random & UINT64_C(0xff) : 0;
	case 1:
		return (random & UINT64_C(0x807fffff807fffff)) | UINT64_C(0x4080000040800000);
	case 2:
		return UINT64_C(0xff8000007f800000);
	default:
		return (random & UINT64_C(0x800fffffbfffffff)) | (1018 + random / 64 % 12) << 52;
	}
}

static void randomize(struct floating *f)
{
	static const uint16_t precisions[] = {0x000, 0x200, 0x300, 0x300};
	uint64_t random = random64();

	memset(f, 0, sizeof(*f));
	put(f->image, 0x7f | precisions[random & 3] | (random >> 8 & 0xc00), 2);
	put(f->image + 4, random >> 20 & 0x3800, 2); /* TOP; tags: all valid */
	for (unsigned i = 0; i < 8; i++)
		random_register(f->image + ENVIRONMENT + REGISTER * i);
	for (unsigned i = 0; i < OPERAND; i += 8)
		put(f->operand + i, random_operand(), 8);
	put(f->operand + 40, 0x37f | (random >> 32 & 0xc00), 2);
}

/* ---- digests ---- */

static void mix_result(uint64_t *digest, const struct floating *f)
{
	uint64_t rflags = f->rflags & RFLAGS_STATUS & ~(uint64_t)RFLAGS_AF;
	uint16_t fsw;

	memcpy(&fsw, f->image + 4, 2);
	if (!strict)
		fsw &= (uint16_t)~(FSW_C1 | FSW_DE);
	digest_add(digest, f->image, 2);
	digest_add(digest, &fsw, 2);
	digest_add(digest, f->image + 8, 2);
	digest_add(digest, f->image + ENVIRONMENT, 8 * REGISTER);
	digest_add(digest, f->operand, OPERAND);
	digest_add(digest, &rflags, 8);
}

static void run_group(size_t first, size_t end, uint64_t rounds)
{
	uint64_t digest = DIGEST_START;

	for (uint64_t round = 0; round < rounds; round++)
		for (size_t i = first; i < end; i++) {
			struct floating f;

			randomize(&f);
			operations[i].run(&f);
			mix_result(&digest, &f);
		}
	printf("%s: %016lx\n", operations[first].group, digest);
}

static void run_operations(uint64_t rounds)
{
	bool transcendental = multiboot_has_word("transcendental");

	for (size_t first = 0, end; first < OPERATIONS; first = end) {
		const char *group = operations[first].group;

		for (end = first + 1; end < OPERATIONS && same_group(group, operations[end].group);)
			end++;
		if (group[0] == 't' && !transcendental)
			continue;
		for (size_t i = first; multiboot_has_word("verbose") && i < end; i++) {
			printf("%s ", operations[i].text);
			run_group(i, i + 1, rounds);
		}
		run_group(first, end, rounds);
	}
}

/* ---- exceptions ---- */

static void wait(void *argument)
{
	__asm__ volatile("fwait");
}

static void no_operation(void *argument)
{
	__asm__ volatile("fnop");
}

static void initialise(void *argument)
{
	__asm__ volatile("fninit");
}

static void clear_errors(void *argument)
{
	__asm__ volatile("fnclex");
}

/* 1/0 with ZE unmasked: not reported by itself. */
static void divide_by_zero(void *argument)
{
	static const uint16_t unmasked = 0x37b;

	__asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(unmasked));
}

static void use_mmx(void *argument)
{
	__asm__ volatile("pxor %mm0, %mm0; emms");
}

static void use_sse(void *argument)
{
	__asm__ volatile("xorps %xmm0, %xmm0");
}

static void divide_sse(void *argument)
{
	static const uint32_t unmasked = 0x1d80;

	__asm__ volatile("ldmxcsr %0; pcmpeqd %%xmm1, %%xmm1; pslld $25, %%xmm1; psrld $2, %%xmm1;"
			 "xorps %%xmm0, %%xmm0; divps %%xmm0, %%xmm1"
			 :
			 : "m"(unmasked));
}

static void print_outcome(const char *name, void (*function)(void *))
{
	struct trap_info info;

	if (trap_catch(&info, function, NULL))
		printf("%s: vector %lu\n", name, info.frame.vector);
	else
		printf("%s: done\n", name);
}

static void run_exceptions(void)
{
	static const uint32_t mxcsr = 0x1f80;
	uint64_t cr0 = read_cr0();

	print_outcome("FDIVRP by zero", divide_by_zero);
	print_outcome("FWAIT", wait);
	print_outcome("FNOP", no_operation);
	print_outcome("FNCLEX", clear_errors);
	print_outcome("FWAIT after FNCLEX", wait);
	write_cr0(cr0 | CR0_TS);
	print_outcome("FNINIT with TS", initialise);
	print_outcome("FWAIT with TS and MP", wait);
	print_outcome("MMX with TS", use_mmx);
	print_outcome("SSE with TS", use_sse);
	write_cr0((cr0 | CR0_TS) & ~(uint64_t)CR0_MP);
	print_outcome("FWAIT with TS", wait);
	write_cr0((cr0 | CR0_EM) & ~(uint64_t)CR0_TS);
	print_outcome("FNINIT with EM", initialise);
	print_outcome("FWAIT with EM", wait);
	print_outcome("MMX with EM", use_mmx);
	print_outcome("SSE with EM", use_sse);
	write_cr0(cr0);
	if (strict)
		print_outcome("DIVPS by zero", divide_sse);
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	print_outcome("FNINIT", initialise);
}

/* ---- what survives an exit, and a fault ---- */

OPERATION(
    over_cpuid,
    "push %%rbx; push %%rcx; push %%rdx; xor %%ecx, %%ecx; cpuid; pop %%rdx; pop %%rcx; pop %%rbx")
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
		struct floating f, before;

		randomize(&f);
		before = f;
		runs[i](&f);
		kept += !memcmp(f.image + ENVIRONMENT, before.image + ENVIRONMENT, 8 * REGISTER) &&
			!memcmp(f.image, before.image, 2) && !memcmp(f.image + 4, before.image + 4, 2);
	}
	trap_set_handler(VECTOR_BP, NULL);
	printf("survives: %u of %u\n", kept, (unsigned)(sizeof(runs) / sizeof(runs[0])));
}

int main(void)
{
	uint64_t rounds = multiboot_option("rounds", 100);

	trap_init();
	strict = multiboot_has_word("strict");
	if (!(cpuid(1, 0).ecx & BIT32(20)) || !(cpuid(1, 0).edx & BIT32(0))) {
		printf("this CPU has no x87 FPU or no SSE4.2\n");
		return STATUS_OK;
	}
	write_cr0((read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	run_exceptions();
	run_operations(rounds);
	run_survival();
	return STATUS_OK;
}
