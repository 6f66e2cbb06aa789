/* SPDX-License-Identifier: BSD-2-Clause
 *
 * IDT, TSS and the dispatch of traps to C.
 */
#include "l1/lib/trap.h"

#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/layout.h"
#include "l1/lib/runtime.h"

#define IST_DOUBLE_FAULT 1
#define STUB_SIZE 16
#define TSS_BUSY_BIT BIT64(41) /* LTR refuses a busy TSS */

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};

struct task_state {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

_Static_assert(sizeof(struct trap_frame) == 22 * 8, "trap_load copies so much");

/* One catch in progress; they form a stack. */
struct catch {
	uint64_t rsp, rflags;
	struct trap_info *info;
	struct catch *outer;
};

extern char trap_stubs[], trap_resume[];
extern uint64_t boot_gdt[];
void trap_load(const struct trap_frame *state);
int trap_call(uint64_t *saved_rsp, void (*function)(void *), void *argument);
void trap_dispatch(struct trap_frame *frame);

static struct gate idt[256] __attribute__((aligned(16)));
static struct task_state task_state __attribute__((aligned(128)));
static uint8_t kernel_stack[16384] __attribute__((aligned(16)));
static uint8_t fault_stack[8192] __attribute__((aligned(16)));
static trap_handler *handlers[256];
static struct catch *catching;

uint64_t trap_kernel_stack(void)
{
	return (uint64_t)kernel_stack + sizeof(kernel_stack);
}

uint64_t trap_idt(void)
{
	return (uint64_t)idt;
}

uint64_t trap_task_state(void)
{
	return (uint64_t)&task_state;
}

static void set_gate(unsigned vector)
{
	uint64_t stub = (uint64_t)trap_stubs + vector * STUB_SIZE;

	idt[vector] = (struct gate){
		.offset_low = (uint16_t)stub,
		.offset_mid = (uint16_t)(stub >> 16),
		.offset_high = (uint32_t)(stub >> 32),
		.selector = KERNEL_CS,
		.ist = vector == VECTOR_DF ? IST_DOUBLE_FAULT : 0,
		.type = AR_P | DESC_INT_GATE,
	};
}

void trap_init(void)
{
	uint64_t base = (uint64_t)&task_state;

	for (unsigned vector = 0; vector < 256; vector++)
		set_gate(vector);
	trap_allow_from_user(VECTOR_BP);
	trap_allow_from_user(VECTOR_OF);
	trap_allow_from_user(VECTOR_DONE);

	task_state.rsp[0] = trap_kernel_stack();
	task_state.ist[IST_DOUBLE_FAULT - 1] = (uint64_t)fault_stack + sizeof(fault_stack);
	task_state.io_map = sizeof(task_state);
	boot_gdt[TASK_STATE / 8] = (sizeof(task_state) - 1) | (base & 0xffffff) << 16 |
				   (uint64_t)(AR_P | DESC_TSS_AVAIL) << 40 |
				   (base >> 24 & 0xff) << 56;
	boot_gdt[TASK_STATE / 8 + 1] = base >> 32;
	trap_reload();
}

void trap_reload(void)
{
	struct table_pointer pointer = {sizeof(idt) - 1, (uint64_t)idt};

	boot_gdt[TASK_STATE / 8] &= ~TSS_BUSY_BIT;
	__asm__ volatile("lidt %0; ltr %w1; lldt %w2"
			 :
			 : "m"(pointer), "r"(TASK_STATE), "r"(0));
}

void trap_set_handler(unsigned vector, trap_handler *handler)
{
	handlers[vector] = handler;
}

void trap_allow_from_user(unsigned vector)
{
	idt[vector].type |= AR_DPL;
}

bool trap_catch(struct trap_info *info, void (*function)(void *), void *argument)
{
	struct catch here = {.rflags = read_rflags(), .info = info, .outer = catching};
	bool caught;

	catching = &here;
	caught = trap_call(&here.rsp, function, argument);
	catching = here.outer;
	return caught;
}

static void load(void *state)
{
	trap_load(state);
}

void trap_run(struct trap_info *info, const struct trap_frame *state)
{
	struct trap_frame copy = *state;

	trap_catch(info, load, &copy);
}

static void unwind(struct trap_frame *frame)
{
	catching->info->frame = *frame;
	catching->info->cr2 = frame->vector == VECTOR_PF ? read_cr2() : 0;
	frame->rip = (uint64_t)trap_resume;
	frame->cs = KERNEL_CS;
	frame->rflags = catching->rflags;
	frame->rsp = catching->rsp;
	frame->ss = KERNEL_DS;
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(USER_DS));
}

void trap_dispatch(struct trap_frame *frame)
{
	if (handlers[frame->vector])
		handlers[frame->vector](frame);
	else if (catching && (frame->vector < 32 || frame->vector == VECTOR_DONE))
		unwind(frame);
	else
		trap_fatal(frame);
}

void trap_fatal(const struct trap_frame *frame)
{
	printf("trap %lu error=%lx rip=%lx cs=%lx rflags=%lx rsp=%lx ss=%lx cr2=%lx\n",
	       frame->vector, frame->error, frame->rip, frame->cs, frame->rflags, frame->rsp,
	       frame->ss, read_cr2());
	printf("rax=%lx rbx=%lx rcx=%lx rdx=%lx rsi=%lx rdi=%lx rbp=%lx\n", frame->rax, frame->rbx,
	       frame->rcx, frame->rdx, frame->rsi, frame->rdi, frame->rbp);
	runtime_exit(STATUS_FATAL_TRAP);
}
