/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the modes guest's C and assembly share: where things lie and how results are written down.
 */
#ifndef L1_GUESTS_MODES_MODES_H
#define L1_GUESTS_MODES_MODES_H

/* Low memory, borrowed: real mode's and VM86 mode's vectors, code (copied there), stack, data. */
#define LOW_START 0x2000
#define LOW_VECTORS 0x2000
#define LOW_CODE 0x2400
#define LOW_STACK 0x4c00
#define LOW_DATA 0x4c00
#define LOW_END 0x5000

/* Windows for the paging tests, outside RAM's identity map in 32-bit paging. */
#define WINDOW 0x40000000

#define VECTOR_MONITOR 0x30 /* INT from any ring: the 32-bit system call */
#define RESULTS 256

#ifndef __ASSEMBLY__
#include <stdint.h>

/* A trip out of long mode: CR4 and CR3 to have there (CR3 0: no paging), and what to run. */
struct trip {
	uint32_t cr3, cr4, efer;
	uint32_t code; /* 32-bit code, called with the flat segments of the GDT */
};

/* Goes there, runs it, and is back in long mode (switch.S). */
void modes_switch(const struct trip *trip);

/* 32-bit code to run (code32.S, code16.S). */
void modes_unpaged(void);
void modes_paged(void);
void modes_pae(void);
void modes_pdptes(void);
void modes_rings(void);
void modes_16bit(void);
void modes_real(void);
void modes_vm86(void);

/* Runs `code` out of long mode and adds its results to the digest. */
void modes_run(const char *name, void (*code)(void), uint32_t cr3, uint32_t cr4);

/* SDM 3A "32-Bit Task-State Segment (TSS)". */
struct task_state32 {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldt, trap_iomap;
};
extern struct task_state32 modes_main_task; /* SPARE0: what runs on a trip out of long mode */
extern uint64_t modes_idt32[256], boot_gdt[];

/* tasks.c: hardware task switches, without paging and under 32-bit paging. */
void tasks_run(uint32_t directory);
uint64_t tasks_descriptor(const void *tss, uint32_t rights);

/* 32-bit code to run (tasks32.S), and where other tasks begin. */
void tasks_call(void), tasks_jump(void), tasks_interrupt(void), tasks_error(void);
void tasks_bad_segment(void), tasks_bad_ldt(void), tasks_trap(void), tasks_vm86(void);
extern char tasks_echo[], tasks_jump_back[], tasks_pop_error[], tasks_on_bad_segment[];
extern char tasks_on_debug[];
extern char tasks_low_store[], tasks_low_monitor[]; /* in the copied part of code16.S */
extern uint32_t tasks_word; /* a 16-bit task leaves its EAX there */

/* Where assembly puts its results, and how many there are. */
extern uint32_t modes_results[RESULTS];
extern uint32_t modes_result_count;

/* Between the trap stubs (traps32.S) and modes.c. */
extern char modes_stubs32[];
extern char modes_low_start[], modes_low_end[];
#endif

#ifdef __ASSEMBLY__
/* Appends a 32-bit register, which must be neither EBP nor ESP; keeps all registers and flags. */
	.macro PUT reg
	push %ebp
	pushf
	movl modes_result_count, %ebp
	movl \reg, modes_results(, %ebp, 4)
	incl modes_result_count
	popf
	pop %ebp
	.endm
/* An instruction expected to fault: the handler writes down vector, error code and EIP and goes
 * on after it (traps32.S). */
	.macro FAULT insn:vararg
	movl $778f, modes_resume
	\insn
778:
	.endm
#endif
#endif
