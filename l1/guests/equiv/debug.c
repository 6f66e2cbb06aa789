/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Single-stepping and the breakpoint registers.
 */
#include "l1/guests/equiv/equiv.h"

#include "l1/lib/cpu.h"

#define DR7_L0 BIT64(0)
#define DR7_L1 BIT64(2)
#define DR7_WRITE1_8 (UINT64_C(0x9) << 20) /* breakpoint 1: on writes, 8 bytes long */

/* Beyond what equiv_run() itself fills and reads. */
#define WATCHED (USER_DATA + 0x800)

extern char step_code[], break_code[], break_here[];

static struct equiv *current;

static void step(struct trap_frame *frame)
{
	equiv_add(current, frame->rip);
	equiv_add(current, frame->rcx);
	equiv_add(current, read_dr6() & (DR6_BS | 0xf));
	write_dr6(DR6_FIXED1);
}

/* An instruction breakpoint is a fault: RF lets the instruction pass (SDM 3B
 * "Instruction-Breakpoint Exception Condition"). */
static void break_hit(struct trap_frame *frame)
{
	step(frame);
	frame->rflags |= RFLAGS_RF;
}

static void run_stepping(struct equiv *equiv, unsigned kind)
{
	struct trap_frame state = equiv_state(equiv, (uint64_t)step_code, kind);
	struct trap_info info;

	trap_set_handler(VECTOR_DB, step);
	write_dr6(DR6_FIXED1);
	state.rflags |= RFLAGS_TF;
	equiv_run(equiv, &state, &info);
	trap_set_handler(VECTOR_DB, 0);
}

static void run_breakpoints(struct equiv *equiv)
{
	struct trap_frame state = equiv_state(equiv, (uint64_t)break_code, RUN_RING3);
	struct trap_info info;

	trap_set_handler(VECTOR_DB, break_hit);
	write_dr0(equiv_user_address((uint64_t)break_here));
	state.rsi = WATCHED;
	write_dr1(WATCHED);
	write_dr6(DR6_FIXED1);
	write_dr7(DR7_FIXED1 | DR7_L0 | DR7_L1 | DR7_WRITE1_8);
	equiv_add(equiv, read_dr0());
	equiv_add(equiv, read_dr7());
	equiv_run(equiv, &state, &info);
	write_dr7(DR7_FIXED1);
	trap_set_handler(VECTOR_DB, 0);
}

void equiv_debug(struct equiv *equiv)
{
	current = equiv;
	run_stepping(equiv, RUN_RING0);
	run_stepping(equiv, RUN_RING3);
	run_breakpoints(equiv);
}
