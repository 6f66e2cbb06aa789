/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hardware task switches (SDM 3A "Task Switching") by every door: CALL, JMP, IRET, INT and a fault
 * through a task gate; to 32-bit, 16-bit and VM86 tasks, to another address space, with the debug
 * trap; and the new task's own faults. What each task finds goes into the digest (tasks32.S).
 */
#include "l1/guests/modes/modes.h"

#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/layout.h"
#include "l1/lib/paging.h"
#include "l1/lib/string.h"

#define RFLAGS_START 0x2
#define RFLAGS_IOPL3 0x3000
#define PTE_RWP (PTE_P | PTE_W)
#define GATE_VECTOR 0x38

/* SDM 3A "16-Bit Task-State Segment". */
struct task_state16 {
	uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags;
	uint16_t ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
};

static struct task_state32 other;
static struct task_state16 other16;
static uint8_t other_stack[1024] __attribute__((aligned(16)));
static uint32_t other_cr3;

uint64_t tasks_descriptor(const void *tss, uint32_t rights)
{
	uint64_t base = (uint64_t)tss, limit = (rights & 8 ? sizeof(other) : sizeof(other16)) - 1;

	return limit | (base & 0xffffff) << 16 | (uint64_t)rights << 40 | (base >> 24 & 0xff) << 56;
}

static void set_gate(unsigned vector, uint64_t offset, uint32_t selector, uint32_t rights)
{
	modes_idt32[vector] = (offset & 0xffff) | (uint64_t)selector << 16 |
			      (uint64_t)rights << 40 | (offset >> 16 & 0xffff) << 48;
}

/* The other task, at `start`, as it would be entered for the first time. */
static void prepare(const char *start)
{
	other = (struct task_state32){
		.esp0 = (uint32_t)(uint64_t)(other_stack + sizeof(other_stack) / 2),
		.ss0 = KERNEL_DS,
		.cr3 = other_cr3,
		.eip = (uint32_t)(uint64_t)start,
		.eflags = RFLAGS_START,
		.eax = 0xaaaa0001, .ecx = 0xcccc0002, .edx = 0xdddd0003, .ebx = 0xbbbb0004,
		.esp = (uint32_t)(uint64_t)(other_stack + sizeof(other_stack)),
		.ebp = 0x55550005, .esi = 0x66660006, .edi = 0x77770007,
		.es = USER_DS, .cs = KERNEL_CS32, .ss = KERNEL_DS, .ds = KERNEL_DS,
		.gs = USER_DS,
		.trap_iomap = sizeof(other) << 16,
	};
	boot_gdt[SPARE1 / 8] = tasks_descriptor(&other, AR_P | DESC_TSS_AVAIL);
}

/* One trip to code that meets the other task; gates of its own are put back. */
static void meet(const char *name, void (*code)(void), uint32_t cr3)
{
	modes_main_task.cr3 = cr3; /* which no task switch stores */
	modes_run(name, code, cr3, CR4_PSE);
}

static void meet_by_gate(const char *name, void (*code)(void), uint32_t cr3, unsigned vector,
			 uint64_t offset, uint32_t selector, uint32_t type)
{
	uint64_t gate = modes_idt32[vector];

	set_gate(vector, offset, selector, AR_P | type);
	meet(name, code, cr3);
	modes_idt32[vector] = gate;
}

static void run_plain(uint32_t cr3)
{
	prepare(tasks_echo);
	meet("call", tasks_call, cr3);
	prepare(tasks_jump_back);
	meet("jump", tasks_jump, cr3);
	prepare(tasks_echo);
	meet_by_gate("interrupt", tasks_interrupt, cr3, GATE_VECTOR, 0, SPARE1, DESC_TASK_GATE);
	prepare(tasks_pop_error);
	meet_by_gate("error", tasks_error, cr3, VECTOR_GP, 0, SPARE1, DESC_TASK_GATE);
	prepare(tasks_jump_back);
	other.trap_iomap |= 1;
	meet_by_gate("trap", tasks_trap, cr3, VECTOR_DB, (uint64_t)tasks_on_debug, KERNEL_CS32,
		     DESC_INT_GATE);
}

/* Faults of a task that has begun: what its segment registers name can't be loaded. */
static void run_faults(uint32_t cr3)
{
	static const uint16_t bad[] = {ABSENT_DS, 0x1230, SPARE0, KERNEL_DS | 4};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned vector = bad[i] == ABSENT_DS ? VECTOR_NP : VECTOR_TS;

		prepare(tasks_jump_back);
		other.ds = bad[i];
		meet_by_gate("data", tasks_bad_segment, cr3, vector,
			     (uint64_t)tasks_on_bad_segment, KERNEL_CS32, DESC_INT_GATE);
	}
	prepare(tasks_jump_back);
	other.ldt = KERNEL_DS;
	meet_by_gate("ldt", tasks_bad_ldt, cr3, VECTOR_TS, 0, SPARE0, DESC_TASK_GATE);
	prepare(tasks_jump_back);
	other.cs = KERNEL_DS;
	meet_by_gate("code", tasks_bad_ldt, cr3, VECTOR_TS, 0, SPARE0, DESC_TASK_GATE);
	prepare(tasks_jump_back);
	other.ss = USER_DS;
	meet_by_gate("stack", tasks_bad_ldt, cr3, VECTOR_TS, 0, SPARE0, DESC_TASK_GATE);
}

static uint16_t low_address(const char *code)
{
	return (uint16_t)(code - modes_low_start + LOW_CODE);
}

/* A task in a 16-bit TSS stores its EAX and returns. */
static void run_16bit(uint32_t cr3)
{
	other16 = (struct task_state16){.ip = low_address(tasks_low_store),
					.flags = RFLAGS_START,
					.ax = 0x1234,
					.sp = LOW_STACK,
					.es = KERNEL_DS,
					.cs = KERNEL_CS32,
					.ss = KERNEL_DS,
					.ds = KERNEL_DS};
	boot_gdt[SPARE1 / 8] = tasks_descriptor(&other16, AR_P | DESC_TSS16_AVAIL);
	meet("16-bit", tasks_call, cr3);
}

/* A VM86 task's only instruction is INT VECTOR_MONITOR. */
static void run_vm86(void)
{
	prepare(NULL);
	other.cs = low_address(tasks_low_monitor) >> 4;
	other.eip = low_address(tasks_low_monitor) & 15;
	other.ss = other.ds = other.es = 0x123;
	other.eflags |= RFLAGS_VM | RFLAGS_IOPL3;
	meet("vm86", tasks_vm86, 0);
}

void tasks_run(uint32_t directory)
{
	static uint32_t *second;

	if (!second)
		second = page_alloc();
	memcpy(second, (const void *)(uint64_t)directory, PAGE_SIZE);
	second[WINDOW >> 22] = 4 << 22 | PTE_RWP | PTE_PS; /* another frame there */
	other_cr3 = 0;
	run_plain(0);
	run_faults(0);
	run_16bit(0);
	run_vm86();
	other_cr3 = (uint32_t)(uint64_t)second;
	run_plain(directory);
	run_faults(directory);
}
