/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Transactions on whatever PC this runs on: what commits, and for each reason to abort the status
 * and what is left in memory. The same lines at every depth; one line where there is no RTM.
 */
#include <stdbool.h>
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"
#include "l1/lib/trap.h"

#define LEAF7_EBX_RTM BIT32(11)
#define NO_ABORT UINT32_MAX

static uint64_t memory[2];

/* Stores `round` and does `body` in a transaction; the status of an abort. */
#define TRANSACTION(name, body)                                                                    \
	static uint32_t name(uint64_t round)                                                       \
	{                                                                                          \
		uint32_t status = NO_ABORT;                                                        \
		__asm__ volatile("xbegin 1f\n\tmov %1, %2\n\t" body "\n\txend\n1:"                 \
				 : "+a"(status)                                                    \
				 : "r"(round), "m"(memory[0])                                      \
				 : "rbx", "rcx", "rdx", "memory", "cc");                           \
		return status;                                                                     \
	}
TRANSACTION(commits, "nop")
TRANSACTION(nests, "xbegin 1f\n\txend")
TRANSACTION(gives_up, "xabort $7")
TRANSACTION(gives_up_inside, "xbegin 1f\n\txabort $9")
TRANSACTION(asks_cpuid, "xor %%eax, %%eax\n\tcpuid")
TRANSACTION(writes_port, "outb %%al, $0xed")
TRANSACTION(reads_msr, "mov $0x1b, %%ecx\n\trdmsr")
TRANSACTION(divides_by_zero, "xor %%ecx, %%ecx\n\tdiv %%ecx")
TRANSACTION(is_undefined, "ud2")
TRANSACTION(breaks, "int3")
TRANSACTION(waits, "pause")
TRANSACTION(touches_device, "mov $0xfee00030, %%ecx\n\tmov (%%rcx), %%ebx")

static const struct {
	const char *name;
	uint32_t (*run)(uint64_t round);
} rows[] = {
#define ROW(name) {#name, name}
    ROW(commits),         ROW(nests),        ROW(gives_up),   ROW(gives_up_inside),
    ROW(asks_cpuid),      ROW(writes_port),  ROW(reads_msr),  ROW(divides_by_zero),
    ROW(is_undefined),    ROW(breaks),       ROW(waits),      ROW(touches_device),
#undef ROW
};

static unsigned faults;

static void on_fault(struct trap_frame *frame)
{
	faults++;
}

int main(void)
{
	if (!(cpuid(7, 0).ebx & LEAF7_EBX_RTM)) {
		printf("no RTM\n");
		return STATUS_OK;
	}
	trap_set_handler(VECTOR_DE, on_fault);
	trap_set_handler(VECTOR_UD, on_fault);
	trap_set_handler(VECTOR_BP, on_fault);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t status = rows[i].run(i + 1);

		printf("%s: %x, memory %lx\n", rows[i].name, status, memory[0]);
	}
	printf("faults: %u\n", faults);
	return STATUS_OK;
}
