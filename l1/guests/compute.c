/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels for measuring the speed of a machine from outside: each runs `rounds` rounds of about a
 * million instructions and prints one line. Words of the command line choose: integer, calls,
 * branches, memory, paging (default: all), rounds=N.
 */
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/paging.h"
#include "l1/lib/runtime.h"

#define BYTES (UINT64_C(64) << 10)

static uint64_t words[BYTES / 8], copies[BYTES / 8];
static uint8_t sieve[BYTES];

/* Arithmetic, logic, shifts and multiplications that depend on each other. */
static uint64_t integer_round(uint64_t x)
{
	uint64_t a = x | 1, b = x ^ 0x9e3779b97f4a7c15, c = 0;

	for (unsigned i = 0; i < 80000; i++) {
		a += b << 7;
		b ^= a >> 9;
		c = (c + a) * 0x2545f4914f6cdd1d;
		b -= c & 0xffff;
		a = a << 13 | a >> 51;
		c ^= b;
	}
	return a ^ b ^ c;
}

static __attribute__((noinline)) uint64_t fibonacci(uint64_t n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint64_t calls_round(uint64_t x)
{
	return x + fibonacci(24);
}

/* Collatz sequences (data-dependent branches) and a sieve (nested loops). */
static uint64_t branches_round(uint64_t x)
{
	uint64_t steps = x & 1;

	for (uint64_t start = 1; start < 2000; start++)
		for (uint64_t n = start; n != 1; n = n & 1 ? 3 * n + 1 : n >> 1)
			steps++;
	for (unsigned i = 2; i < BYTES / 8; i++)
		sieve[i] = 1;
	for (unsigned i = 2; i * i < BYTES / 8; i++)
		for (unsigned k = i * i; sieve[i] && k < BYTES / 8; k += i)
			sieve[k] = 0;
	for (unsigned i = 2; i < BYTES / 8; i++)
		steps += sieve[i];
	return steps;
}

/* Word copies, a pointer chase, and byte stores. */
static uint64_t memory_round(uint64_t x)
{
	uint64_t sum = 0, at = x % (BYTES / 8);

	for (unsigned pass = 0; pass < 8; pass++) {
		for (unsigned i = 0; i < BYTES / 8; i++)
			copies[i] = words[i] + pass;
		for (unsigned i = 0; i < BYTES / 8; i++)
			sum += copies[at = (at * 5 + copies[at] + 1) % (BYTES / 8)];
		for (unsigned i = 0; i < BYTES; i += 64)
			sieve[i] = (uint8_t)sum;
	}
	return sum;
}

/* Page-table work: edit an entry, invalidate, touch, and reload CR3 now and then. */
static uint64_t paging_round(uint64_t x)
{
	static uint64_t *entry;
	uint64_t *root = paging_boot_space(), linear = UINT64_C(1) << 40, sum = x;

	if (!entry) {
		paging_map(root, linear, (uintptr_t)words, 4096, PTE_P | PTE_W);
		entry = paging_find(root, linear);
	}
	for (unsigned i = 0; i < 40000; i++) {
		*entry = (uintptr_t)(i & 1 ? words : copies) | PTE_P | PTE_W;
		invlpg((const void *)linear);
		sum += *(volatile uint64_t *)(linear + (i & 511) * 8);
		if (!(i & 15))
			write_cr3(read_cr3());
	}
	return sum;
}

static const struct kernel {
	const char *name;
	uint64_t (*round)(uint64_t);
} kernels[] = {
	{"integer", integer_round}, {"calls", calls_round},   {"branches", branches_round},
	{"memory", memory_round},   {"paging", paging_round},
};
#define KERNELS (sizeof(kernels) / sizeof(kernels[0]))

int main(void)
{
	uint64_t rounds = multiboot_option("rounds", 10);
	bool chosen = false;

	for (size_t k = 0; k < KERNELS; k++)
		chosen |= multiboot_has_word(kernels[k].name);
	for (size_t k = 0; k < KERNELS; k++) {
		uint64_t result = 1;

		if (chosen && !multiboot_has_word(kernels[k].name))
			continue;
		for (uint64_t i = 0; i < rounds; i++)
			result = kernels[k].round(result);
		printf("kernel=%s rounds=%lu result=%016lx\n", kernels[k].name, rounds, result);
	}
	return STATUS_OK;
}
