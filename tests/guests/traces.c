/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intel PT on whatever PC this runs on: a program traces itself, and prints a digest of the
 * packets. Nothing that exits to whatever is beneath happens in between (each trace is made twice,
 * so that all memory has been touched) and no packet tells the time, so the lines are the same at
 * every depth.
 */
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"

#define LEAF7_EBX_INTEL_PT BIT32(25)
#define TRACE_EN BIT64(0)
#define PLAIN (BIT64(2) | BIT64(3) | BIT64(13)) /* OS, User, BranchEn */
#define TOPA BIT64(8)
#define DIS_RETC BIT64(11)
#define FILTER_0 BIT64(32)
#define STATUS_ERRORS UINT64_C(0x30)
#define SIZE 0x10000u
#define TOPA_4K 0u
#define TOPA_8K (1u << 6)
#define TOPA_END 1u

static uint8_t memory[2 * SIZE];
static uint8_t *buffer; /* in it, aligned to its size */
static uint64_t table[4] __attribute__((aligned(4096)));

/* ---- what is traced ---- */

static uint64_t __attribute__((noinline)) mix(uint64_t x)
{
	return x & 1 ? x * 3 + 1 : x >> 1;
}

static uint64_t __attribute__((noinline)) sum(uint64_t n)
{
	uint64_t total = 0;

	for (uint64_t i = 0; i < n; i++)
		total += mix(i);
	return total;
}

static uint64_t __attribute__((noinline)) recurse(uint64_t n)
{
	return n < 2 ? n : recurse(n - 1) + recurse(n - 2);
}

static uint64_t (*volatile const work[])(uint64_t) = {mix, sum, recurse};

static uint64_t run(void)
{
	uint64_t total = 0;

	for (uint64_t i = 0; i < 200; i++)
		total = total * 31 + work[i % 3](i % 12);
	return total;
}

/* ---- traces ---- */

static uint64_t digest(size_t bytes)
{
	uint64_t d = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < bytes; i++)
		d = (d ^ buffer[i]) * UINT64_C(0x100000001b3);
	return d;
}

/* With the packets where the buffer begins, and its bytes in the order of writing if ToPA is off.
 */
static size_t once(uint64_t ctl)
{
	uint64_t pointers;

	memset(buffer, 0, SIZE);
	wrmsr(MSR_IA32_RTIT_STATUS, 0);
	wrmsr(MSR_IA32_RTIT_OUTPUT_BASE, (uint64_t)(ctl & TOPA ? (void *)table : (void *)buffer));
	wrmsr(MSR_IA32_RTIT_OUTPUT_MASK_PTRS, ctl & TOPA ? 0 : SIZE - 1);
	wrmsr(MSR_IA32_RTIT_CTL, ctl | TRACE_EN);
	(void)run();
	wrmsr(MSR_IA32_RTIT_CTL, 0);
	pointers = rdmsr(MSR_IA32_RTIT_OUTPUT_MASK_PTRS);
	return ctl & TOPA ? pointers : pointers >> 32;
}

static void trace(const char *name, uint64_t ctl)
{
	size_t end;

	(void)once(ctl);
	end = once(ctl);
	printf("%s: %lx, %lx, status %lx\n", name, end, digest(ctl & TOPA ? SIZE : end),
	       rdmsr(MSR_IA32_RTIT_STATUS) & STATUS_ERRORS);
}

int main(void)
{
	if (!(cpuid(7, 0).ebx & LEAF7_EBX_INTEL_PT)) {
		printf("no Intel PT\n");
		return STATUS_OK;
	}
	buffer = memory + (-(uint64_t)memory & (SIZE - 1));
	table[0] = (uint64_t)buffer | TOPA_4K;
	table[1] = (uint64_t)&buffer[0x4000] | TOPA_8K;
	table[2] = (uint64_t)&buffer[0x2000] | TOPA_4K;
	table[3] = (uint64_t)table | TOPA_END;
	wrmsr(MSR_IA32_RTIT_ADDR0_A, (uint64_t)recurse);
	wrmsr(MSR_IA32_RTIT_ADDR0_A + 1, (uint64_t)recurse + 3);
	trace("all", PLAIN);
	trace("no compressed returns", PLAIN | DIS_RETC);
	trace("tables", PLAIN | DIS_RETC | TOPA);
	trace("range", PLAIN | FILTER_0);
	return STATUS_OK;
}
