/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Nested VMX: the whole interface between L0 and shadow/. L0 owns VMCS01 and runs L1 in it; shadow/
 * gives L1 a VMX of its own: it emulates L1's VMX instructions, keeps a VMCS02 per VMCS12, enters
 * L2 and hands L2's exits to L1. Portable: no libc, no assembly, no globals, no I/O; all state is
 *in struct shadow_vcpu and in pages from the env.
 *
 * L0's loop, in outline (`v` is the struct shadow_vcpu):
 *
 *	for (;;) {
 *		enter the guest: VMRESUME if *v->launched, else VMLAUNCH
 *		if the instruction itself failed (only possible if v->in_l2):
 *			shadow_entry_failed(v), and on with the loop
 *		reason = VMREAD exit reason
 *		if (v->in_l2)
 *			next = shadow_l2_exit(v, regs, reason)
 *		else if it is a VMX instruction
 *			next = shadow_l1_vmx_insn(v, regs, reason)
 *		else
 *			L0's own handler, and on with the loop
 *		if (next == SHADOW_L0)
 *			L0's own handler, on the current VMCS (it is VMCS02),
 *			then shadow_l2_absorbed(v)
 *	}
 *
 * Whatever shadow/ does, it leaves that VMCS current in which the guest has to be resumed: VMCS01
 *if !v->in_l2, else a VMCS02. L0's handlers work on the current VMCS alike for L1 and L2.
 */
#ifndef SHADOW_SHADOW_H
#define SHADOW_SHADOW_H

#include "shadow/env.h"

/* General registers of the guest that exited, by enum x86_gpr; RSP is in the VMCS, not here. */
struct shadow_regs {
	uint64_t gpr[REG_COUNT];
};

/* What L0 tells about itself, once. Everything stays valid and in place for good. */
struct shadow_l0 {
	struct shadow_env *env;
	const struct vmx_caps *hw; /* what the CPU under L0 has */
	/* Image of VMCS01: every control and HOST field as L0 has written it (guest state is not
	 * looked at). If L0 changes a control later, it changes it here too and calls
	 * shadow_l0_changed(). VMCS_LINK_POINTER, "VMCS shadowing" and the VMREAD/VMWRITE bitmaps
	 * of VMCS01 are shadow/'s: it sets them by itself. Where the CPU can load and clear
	 * IA32_BNDCFGS, VMCS01 does both. */
	const struct vmcs *vmcs01;
	struct hpa vmcs01_hpa;
	bool *vmcs01_launched;
	/* L0's own bitmaps, NULL where VMCS01 does not use them: 4 KB, and two times 4 KB. */
	const uint64_t *msr_bitmap;
	const uint64_t *io_bitmap_a, *io_bitmap_b;
};

enum shadow_next {
	SHADOW_RESUME_L1, /* resume L1 (path 101, or 201 if it was an exit of L2) */
	SHADOW_RESUME_L2, /* resume L2: absorbed (202), or entered by L1's VMLAUNCH/VMRESUME (101)
			   */
	SHADOW_L0,	  /* L2's exit that L0 has to handle, with VMCS02 current (202) */
	SHADOW_DEAD,	  /* L1 is to be ended: VMX abort or shutdown; v->dead says why */
};

struct shadow_slot;

/* A page of L1's linear memory that an operand was found in, and by which paging-structure entries
 * (walk.c). */
#define SHADOW_WALK_LEVELS 5
#define SHADOW_WALK_NOTES 32
struct shadow_walk_note {
	uint64_t page; /* linear; 0: none */
	uint64_t cr0, cr3, cr4;
	const uint64_t *at[SHADOW_WALK_LEVELS];
	uint64_t value[SHADOW_WALK_LEVELS];
	uint8_t *memory; /* the page itself */
	uint8_t levels;
	bool write, nx;
};

/* What a reflection has to see to beyond the usual, whatever VMCS12's controls say. */
enum loads01 {
	LOADS01_CET = 1,     /* VMCS01 has "load CET state" set */
	LOADS01_BNDCFGS = 2, /* IA32_BNDCFGS is in use */
};

/* One virtual CPU of L1. L0 provides the memory, zeroed; reads the first group of members. */
struct shadow_vcpu {
	bool in_l2;	  /* L2 runs (or is about to): the current VMCS is a VMCS02 */
	bool *launched;	  /* launch state of the current VMCS: which of VMLAUNCH/VMRESUME enters */
	const char *dead; /* SHADOW_DEAD: reason, one line */
	struct l1_gpa fault_gpa; /* SHADOW_L0 for an EPT violation or misconfiguration: L1's
				  * address. L0 must use it instead of the field
				  * GUEST_PHYSICAL_ADDRESS, which holds an l2_gpa */
	uint32_t insn_field; /* encoding of the field that the last emulated VMREAD/VMWRITE named */
	const struct vmx_check *failed_check; /* of the last refused VM entry of L1, or NULL */

	/* -- shadow/ only from here -- */
	struct shadow_l0 l0;
	struct shadow_env *env;
	struct vmx_caps caps; /* offered to L1 */
	uint64_t feature_control;
	uint64_t fault_linear; /* of the last #PF that a walk of guest paging found */
	bool vmx_on;
	bool hw_shadowing; /* the hardware has usable VMCS shadowing */
	bool registers_by_list; /* and the fields for EFER and PAT; IA32_BNDCFGS is not in use */
	struct l1_gpa vmxon_pointer;
	struct shadow_slot *current;  /* L1's current VMCS or NULL; while in_l2, what L2 runs on */
	struct shadow_slot *linked;   /* while in_l2: what L2's VMCS link pointer names, or NULL */
	struct shadow_slot *slots;    /* cached VMCS12s, most recently used first */
	struct shadow_page ept_cache; /* descriptors of the EPT02s */
	uint64_t ept_clock;	      /* use stamps for their eviction */
	uint32_t ept_generation;      /* counts evicted EPT02s */
	struct shadow_page dirty_notes; /* see dirty.h; for dirty_eptp12 */
	uint64_t dirty_eptp12;
	uint32_t dirty_count;
	struct shadow_page vmread_bitmap, vmwrite_bitmap; /* 01: what L1 reaches without exits */
	struct shadow_page vmread_hot, vmread_all;	  /* the former without, with rare fields */
	bool rare_shown;	 /* vmread_bitmap lets rare fields through */
	struct shadow_page junk; /* see vcpu_junk_page() */
	bool launching;		 /* while in_l2: it was VMLAUNCH that led there */
	uint64_t trapped_rip;	 /* while in_l2 under L1's monitor trap flag: RIP at the exit */
	struct shadow_walk_note walk_notes[SHADOW_WALK_NOTES];
	uint64_t linked_pointer; /* what VMCS01's link pointer holds */
	/* VMCS01's guest state of list L1_STATE as last read or written, and the number of the host
	 * state that was loaded into it last. */
	struct vmcs state01;
	uint64_t loaded01, host_ids;
	uint8_t loads01; /* enum loads01 */
	/* Of VMCS01, list L1_ENTRY when L1 executed VMLAUNCH or VMRESUME last: L2 inherits what
	 * VMCS12 does not load. 0 where the hardware has no field. */
	struct vmcs l1;
};

/* Prepares a vcpu. VMCS01 is current, and complete but for what shadow/ sets by itself. false: the
 * pool has too few pages (it takes 5 now and up to 8 per VMCS of L1 plus the EPT02 tables later; 64
 * are a useful minimum, eviction copes with any number above). */
bool shadow_init(struct shadow_vcpu *v, const struct shadow_l0 *l0);

/* What L1 is offered: what hw has and shadow/ implements. In: hw. Out: l1, MSRs and all. */
void shadow_caps_offer(const struct vmx_caps *hw, struct vmx_caps *l1);

/* L1's RDMSR/WRMSR of IA32_FEATURE_CONTROL and the VMX capability MSRs (0x480-0x491).
 * false: #GP for L1. */
bool shadow_rdmsr(const struct shadow_vcpu *v, uint32_t msr, uint64_t *value);
bool shadow_wrmsr(struct shadow_vcpu *v, uint32_t msr, uint64_t value);

/* L1's MOV to CR0/CR4: whether VMX operation allows the value (SDM 3C "Restrictions on VMX
 * Operation"); false: #GP for L1. True for everything outside VMX operation. */
bool shadow_cr0_allowed(const struct shadow_vcpu *v, uint64_t cr0);
bool shadow_cr4_allowed(const struct shadow_vcpu *v, uint64_t cr4);

/* L1 executed a VMX instruction (exit reasons VMCLEAR ... VMXON, INVEPT, INVVPID; VMCALL only while
 * vmx_on, else it is L0's hypercall or #UD; not VMFUNC). Emulates it, moves L1's RIP or injects the
 * fault. */
enum shadow_next shadow_l1_vmx_insn(struct shadow_vcpu *v, struct shadow_regs *regs,
				    uint32_t reason);

/* L2 exited. `reason` is the whole exit-reason field, a failed VM entry included. */
enum shadow_next shadow_l2_exit(struct shadow_vcpu *v, struct shadow_regs *regs, uint32_t reason);

/* L0 has handled an exit of L2 that it was given as SHADOW_L0, and will resume L2. Puts an event
 * back that the exit interrupted, unless L0's handler has injected one. Fit for exits of L1 too. */
void shadow_l2_absorbed(struct shadow_vcpu *v);

/* For an I/O exit that L0 was given: L2 shall execute the instruction itself, once, as if L0 did
 * not intercept its port. L0 resumes L2 after this and hears of it no more. False: the CPU under L0
 * has no monitor trap flag. SDM 3C "Monitor Trap Flag" */
bool shadow_l2_step(struct shadow_vcpu *v) __attribute__((warn_unused_result));

/* An NMI for L1's machine came while L0 worked, and L2 is about to be entered. GUEST: it is L2's,
 * as L1 has no NMI exiting. EXITED: it became the VM exit that L1 asked for; VMCS01 is current.
 * LATER: it has to wait for what is injected now, or a blocking that ends; L2 exits behind that if
 * the CPU has the monitor trap flag, and L0 asks again. */
enum shadow_nmi { SHADOW_NMI_GUEST, SHADOW_NMI_EXITED, SHADOW_NMI_LATER };
enum shadow_nmi shadow_l2_nmi(struct shadow_vcpu *v);

/* INIT that L1's VMX root operation blocked, and L2 is about to be entered. true: it became L2's
 * VM exit; VMCS01 is current. false: it has to wait as above, or L2 waits for a SIPI, which blocks
 * it. */
bool shadow_l2_init(struct shadow_vcpu *v);

/* VMLAUNCH/VMRESUME of VMCS02 itself failed: hardware's outcome (FAIL_INVALID or FAIL_VALID(n)). */
enum shadow_next shadow_entry_failed(struct shadow_vcpu *v, const struct vmx_result *result);

/* A watched page of L1 is about to be written; L0 has already made it writable in EPT01. */
void shadow_page_written(struct shadow_vcpu *v, struct l1_gpa page);

/* EPT01 has changed: forget every translation derived from it. Not while in_l2: VMCS02 is made of
 * such translations, and L2 would go on with them until L1 enters it again. */
void shadow_ept01_changed(struct shadow_vcpu *v);

/* L0 has changed VMCS01's controls (in l0.vmcs01) or its bitmaps. */
void shadow_l0_changed(struct shadow_vcpu *v);

/* L1, or L2, is about to have a value other than 0 in IA32_BNDCFGS, perhaps for the first time:
 * from now on the register is carried at each transition. L0 intercepts the first such WRMSR. */
void shadow_bndcfgs_used(struct shadow_vcpu *v);

/* Injects a fault into the guest of the current VMCS as the CPU would raise it: RIP unmoved, RF set
 * in the RFLAGS that it pushes. */
void shadow_inject_fault(struct shadow_env *env, uint8_t vector, bool has_code, uint32_t code);

/* Moves RIP of the current VMCS past the instruction that exited, with the side effects of a
 * completed instruction: ends STI/MOV-SS blocking, makes a single-step trap pending. */
void shadow_skip_insn(struct shadow_env *env);

#endif
