/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Transitions between rings: SYSCALL and SYSRET, software interrupts, and computation in ring 3
 * while timer interrupts arrive whenever they like.
 */
#include "l1/guests/equiv/equiv.h"

#include "l1/lib/cpu.h"
#include "l1/lib/pic.h"
#include "l1/lib/pit.h"

#define VECTOR_SERVICE 0x81
#define CALLS 24
#define COMPUTE_TURNS 20000
#define TICKS_AT_LEAST 2

extern char user_syscalls[], user_interrupts[], user_compute[], syscall_entry[];

static volatile unsigned ticks;
static uint64_t serviced;

static void service(struct trap_frame *frame)
{
	serviced++;
	frame->rax = frame->rcx * 3 + frame->cs;
}

static void tick(struct trap_frame *frame)
{
	ticks++;
	pic_eoi(PIT_IRQ);
}

static void run_syscalls(struct equiv *equiv)
{
	struct trap_frame state = equiv_state(equiv, (uint64_t)user_syscalls, RUN_RING3);
	struct trap_info info;

	wrmsr(MSR_IA32_STAR, (uint64_t)KERNEL_CS << 32 | (uint64_t)USER_CS32 << 48);
	wrmsr(MSR_IA32_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_IA32_FMASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_NT | RFLAGS_AC);
	state.rcx = CALLS;
	equiv_run(equiv, &state, &info);
}

static void run_software_interrupts(struct equiv *equiv)
{
	struct trap_frame state = equiv_state(equiv, (uint64_t)user_interrupts, RUN_RING3);
	struct trap_info info;

	trap_set_handler(VECTOR_SERVICE, service);
	trap_allow_from_user(VECTOR_SERVICE);
	state.rcx = CALLS;
	equiv_run(equiv, &state, &info);
	equiv_add(equiv, serviced);
}

/* Nothing of when the ticks come gets into the digest; only that they leave no mark. */
static void run_under_interrupts(struct equiv *equiv, unsigned kind)
{
	struct trap_frame state = equiv_state(equiv, (uint64_t)user_compute, kind);
	struct trap_info info;

	ticks = 0;
	trap_set_handler(PIC_VECTOR + PIT_IRQ, tick);
	pit_start_periodic(PIT_HZ / 2000);
	pic_unmask(PIT_IRQ);
	state.rcx = COMPUTE_TURNS;
	state.rflags |= RFLAGS_IF;
	equiv_run(equiv, &state, &info);
	while (ticks < TICKS_AT_LEAST)
		interrupts_wait();
	pic_mask(PIT_IRQ);
	pit_stop();
}

void equiv_rings(struct equiv *equiv)
{
	run_syscalls(equiv);
	run_software_interrupts(equiv);
	run_under_interrupts(equiv, RUN_RING0);
	run_under_interrupts(equiv, RUN_RING3);
}
