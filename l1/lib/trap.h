/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Exceptions and interrupts: C handlers per vector, and trap_catch(), which runs a function and
 * takes control back if it faults, whatever its privilege level.
 */
#ifndef L1_LIB_TRAP_H
#define L1_LIB_TRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "shadow/sdm/x86.h"

/* In the order in which trap_entry.S pushes. error is 0 where the vector has none. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct trap_info {
	struct trap_frame frame;
	uint64_t cr2; /* valid if frame.vector is VECTOR_PF */
};

/* May change the frame: it is what IRETQ will load. */
typedef void trap_handler(struct trap_frame *frame);

void trap_init(void);
/* NULL: back to the default (caught by trap_catch(), else fatal). */
void trap_set_handler(unsigned vector, trap_handler *handler);

/* Lets ring 3 raise the vector by INT n. */
void trap_allow_from_user(unsigned vector);

/* Calls function(argument). True: a trap without a handler ended it, *info tells which; the
 * stack and the callee-saved registers are as at the call. VECTOR_DONE (int 0x80, allowed from
 * ring 3) is such a trap. Catches do nest. */
bool trap_catch(struct trap_info *info, void (*function)(void *), void *argument);

/* Runs *state - any privilege level, any code segment - until a trap that has no handler, and
 * stores the state at that trap in *info. Nothing of *state but vector and error is without
 * effect. */
void trap_run(struct trap_info *info, const struct trap_frame *state);

/* Bases for a VMCS's host state. */
uint64_t trap_idt(void);
uint64_t trap_task_state(void);

/* Loads the IDT and the task register again, after something else was in them. */
void trap_reload(void);

/* The stack that the CPU switches to on a trap from ring 3. */
uint64_t trap_kernel_stack(void);

/* Prints the frame and ends the run with a failure. */
_Noreturn void trap_fatal(const struct trap_frame *frame);

#endif
