/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels for measuring the speed of a machine from outside: each runs `rounds` rounds of about a
 * million instructions and prints one line. Words of the command line choose among the kernels of
 * the table below (default: all); rounds=N.
 */
#include <stddef.h>

#include "l1/guests/compute/compute.h"

#include "l1/lib/console.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/runtime.h"

uint64_t words[BYTES / 8] __attribute__((aligned(4096)));
uint64_t copies[BYTES / 8] __attribute__((aligned(4096)));
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

static const struct kernel {
	const char *name;
	uint64_t (*round)(uint64_t);
} kernels[] = {
	{"integer", integer_round}, {"calls", calls_round},   {"branches", branches_round},
	{"memory", memory_round},   {"paging", paging_round}, {"churn", churn_round},
	{"traps", traps_round},	    {"syscalls", syscalls_round}, {"strings", strings_round},
	{"double", double_round},   {"vector", vector_round},
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
