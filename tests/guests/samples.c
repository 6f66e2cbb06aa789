/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PEBS on whatever PC this runs on: samples of retired instructions in a loop, and a digest of what
 * the records say of addresses and registers. No instruction that exits to whatever is beneath is
 * among those that count, so the lines are the same at every depth.
 */
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"

#define LEAF1_EDX_DS BIT32(21)
#define PERIOD 97
#define SAMPLES 8
#define FIXED_0 BIT64(32)
#define GPRS BIT64(1)
#define RECORD_WORDS (4 + 18)

static struct {
	uint64_t bts[4];
	uint64_t base, index, maximum, threshold;
	uint64_t reset[8 + 3];
} area __attribute__((aligned(4096)));
static uint64_t buffer[SAMPLES * RECORD_WORDS] __attribute__((aligned(4096)));

extern char samples_start[];
uint64_t samples_work(uint64_t rounds, uint64_t counter);

/* The counter is set here, by a WRMSR that nobody intercepts. */
__asm__(".globl samples_work, samples_start\n"
	"samples_work:\n"
	"samples_start:\n"
	"mov $0x309, %ecx\n"
	"mov %esi, %eax\n"
	"mov %rsi, %rdx\n"
	"shr $32, %rdx\n"
	"wrmsr\n"
	"xor %eax, %eax\n"
	"1: lea (%rax,%rax,2), %rax\n"
	"add %rdi, %rax\n"
	"test $1, %al\n"
	"jz 2f\n"
	"rol $7, %rax\n"
	"2: dec %rdi\n"
	"jnz 1b\n"
	"ret\n");

static uint64_t digest(void)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < SAMPLES * RECORD_WORDS; i++) {
		unsigned word = i % RECORD_WORDS;
		uint64_t value = buffer[i];

		if (word == 1 || word == 5) /* RIPs */
			value -= (uint64_t)samples_start;
		if (word != 3) /* the time */
			sum = (sum ^ value) * UINT64_C(0x100000001b3);
	}
	return sum;
}

int main(void)
{
	const uint64_t start = (BIT64(48) - 1) & -(uint64_t)PERIOD;

	if (!(cpuid(1, 0).edx & LEAF1_EDX_DS)) {
		printf("no DS\n");
		return STATUS_OK;
	}
	area.base = area.index = (uint64_t)buffer;
	area.maximum = area.threshold = (uint64_t)buffer + sizeof(buffer);
	area.reset[8] = start;
	wrmsr(MSR_IA32_DS_AREA, (uint64_t)&area);
	wrmsr(MSR_PEBS_DATA_CFG, GPRS);
	wrmsr(MSR_IA32_FIXED_CTR_CTRL, 3 | BIT64(32));
	wrmsr(MSR_IA32_FIXED_CTR0, 0);
	wrmsr(MSR_IA32_PEBS_ENABLE, FIXED_0);
	wrmsr(MSR_IA32_PERF_GLOBAL_CTRL, FIXED_0);
	printf("result %lx\n", samples_work(1000, start));
	wrmsr(MSR_IA32_PERF_GLOBAL_CTRL, 0);
	wrmsr(MSR_IA32_PEBS_ENABLE, 0);
	printf("records %u: %lx\n", (unsigned)((area.index - area.base) / (8 * RECORD_WORDS)),
	       digest());
	return STATUS_OK;
}
