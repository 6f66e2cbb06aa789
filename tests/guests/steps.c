/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Debug exceptions around instructions that exit to whatever is beneath: single-stepping, also over
 * the instruction after MOV to SS; single-stepping on branches; instruction breakpoints on such an
 * instruction and on the one after it; I/O breakpoints on a port that may be intercepted, string
 * I/O there. One line each: where it stopped, and DR6.
 */
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"
#include "l1/lib/trap.h"

#define STOPS 64
#define DR6_SEEN UINT64_C(0xe00f)
#define DR7_EXECUTE_0_AND_1 UINT64_C(0x405)
#define DR7_IO_0 UINT64_C(0x20402)
#define PORT 0xed
#define CR4_BIT_DE UINT64_C(8)

/* Each runs what exits, beginning with a known RFLAGS.TF of 1 (steps_*) or 0 (steps_breaks). */
extern char steps_start[], steps_cpuid[], steps_after[];
void steps_plain(void), steps_branches(void), steps_breaks(void), steps_ports(void);
char steps_bytes[4];
uint64_t steps_left[4]; /* of each string instruction: RCX, and how far its pointer went */

__asm__(".macro TRAP_FLAG on\n"
	"pushfq\n"
	".if \\on\n orq $0x100, (%rsp)\n .else\n andq $~0x100, (%rsp)\n .endif\n"
	"popfq\n"
	".endm\n"
	".globl steps_start, steps_plain, steps_branches, steps_breaks, steps_cpuid, steps_after\n"
	".globl steps_ports\n"
	"steps_start:\n"
	"steps_plain:\n"
	"push %rbx\n"
	"TRAP_FLAG 1\n"
	"nop\n"
	"xor %eax, %eax\n"
	"cpuid\n"
	"mov %cr4, %rax\n"
	"mov %rax, %cr4\n"
	"out %al, $0xed\n"
	"mov $0x3a, %ecx\n"
	"rdmsr\n"
	"mov %ss, %eax\n"
	"mov %eax, %ss\n"
	"cpuid\n"
	"nop\n"
	"mov %cr0, %rax\n"
	"mov %rax, %cr0\n"
	"TRAP_FLAG 0\n"
	"nop\n"
	"pop %rbx\n"
	"ret\n"
	"steps_branches:\n"
	"push %rbx\n"
	"TRAP_FLAG 1\n"
	"mov $2, %r8d\n"
	"1: xor %eax, %eax\n"
	"cpuid\n"
	"out %al, $0xed\n"
	"dec %r8d\n"
	"jnz 1b\n"
	"cpuid\n"
	"jmp 2f\n"
	"nop\n"
	"2: TRAP_FLAG 0\n"
	"pop %rbx\n"
	"ret\n"
	"steps_breaks:\n"
	"push %rbx\n"
	"xor %eax, %eax\n"
	"steps_cpuid: cpuid\n"
	"steps_after: nop\n"
	"pop %rbx\n"
	"ret\n"
	"steps_ports:\n"
	"out %al, $0xed\n"
	"in $0xed, %al\n"
	"in $0xec, %ax\n"
	"mov $0xed, %edx\n"
	"lea steps_start(%rip), %rsi\n"
	"mov $3, %ecx\n"
	"rep outsb\n"
	"lea steps_start(%rip), %rax\n"
	"sub %rax, %rsi\n"
	"mov %rcx, steps_left(%rip)\n"
	"mov %rsi, 8+steps_left(%rip)\n"
	"lea steps_bytes(%rip), %rdi\n"
	"mov $2, %ecx\n"
	"rep insb\n"
	"lea steps_bytes(%rip), %rax\n"
	"sub %rax, %rdi\n"
	"mov %rcx, 16+steps_left(%rip)\n"
	"mov %rdi, 24+steps_left(%rip)\n"
	"ret\n");

static struct {
	uint64_t rip, dr6;
} stops[STOPS];
static unsigned stop_count;
static uint64_t debugctl;

/* Delivery has cleared IA32_DEBUGCTL.BTF (SDM 3B "Single-Stepping on Branches"). */
static void on_db(struct trap_frame *frame)
{
	if (stop_count < STOPS) {
		stops[stop_count].rip = frame->rip - (uint64_t)steps_start;
		stops[stop_count++].dr6 = read_dr6() & DR6_SEEN;
	}
	write_dr6(DR6_FIXED1);
	frame->rflags |= RFLAGS_RF;
	if (debugctl)
		wrmsr(MSR_IA32_DEBUGCTL, debugctl);
}

static void run(const char *name, void (*code)(void))
{
	stop_count = 0;
	code();
	printf("%s:", name);
	for (unsigned i = 0; i < stop_count; i++)
		printf(" %x/%x", (uint32_t)stops[i].rip, (uint32_t)stops[i].dr6);
	printf("\n");
}

static void run_ports(const char *name)
{
	memset(steps_bytes, 0, sizeof(steps_bytes));
	run(name, steps_ports);
	printf("left %u/%u %u/%u, read", (uint32_t)steps_left[0], (uint32_t)steps_left[1],
	       (uint32_t)steps_left[2], (uint32_t)steps_left[3]);
	for (unsigned i = 0; i < sizeof(steps_bytes); i++)
		printf(" %x", (uint8_t)steps_bytes[i]);
	printf("\n");
}

int main(void)
{
	trap_set_handler(VECTOR_DB, on_db);
	run("steps", steps_plain);
	debugctl = DEBUGCTL_BTF;
	wrmsr(MSR_IA32_DEBUGCTL, debugctl);
	run("branches", steps_branches);
	debugctl = 0;
	wrmsr(MSR_IA32_DEBUGCTL, 0);
	write_dr0((uint64_t)steps_cpuid);
	write_dr1((uint64_t)steps_after);
	write_dr7(DR7_EXECUTE_0_AND_1);
	run("breaks", steps_breaks);
	write_dr7(DR7_FIXED1);
	run_ports("ports");
	write_cr4(read_cr4() | CR4_BIT_DE);
	write_dr0(PORT);
	write_dr7(DR7_IO_0);
	run_ports("I/O breaks");
	write_dr7(DR7_FIXED1);
	return STATUS_OK;
}
