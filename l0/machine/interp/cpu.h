/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One virtual CPU of the interpreter: its state, and the calls between its parts. The parts:
 *
 *   decode.c block.c exec*.c   instruction table, block cache, the op handlers, the run loop
 *   mmu.c tlb.c ept.c          linear -> host pointer, paging, EPT, physical access
 *   event.c seg.c far.c ...    exceptions and interrupts, segmentation, system instructions
 *   msr.c cpuid.c profile.c    what the part is
 *   vmx/                       VMX
 *
 * Faults and VM exits leave by longjmp to the run loop: a handler commits architectural state only
 * after everything that can fault has succeeded.
 */
#ifndef L0_MACHINE_INTERP_CPU_H
#define L0_MACHINE_INTERP_CPU_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "l0/machine/interp/pt/state.h"
#include "l0/machine/machine.h"
#include "shadow/sdm/msr.h"
#include "shadow/sdm/vmcs.h"
#include "shadow/sdm/x86.h"

struct op;
struct block;

struct segment {
	uint64_t base;
	uint32_t limit; /* in bytes, granularity applied */
	uint32_t ar;	/* VMCS access-rights layout, AR_* */
	uint16_t selector;
};

struct table_register {
	uint64_t base;
	uint16_t limit;
};

/* An exception or interrupt to deliver or being delivered. */
struct cpu_event {
	bool valid;
	uint8_t vector;
	uint8_t type; /* enum vmx_intr_type */
	bool has_error;
	uint32_t error;
	uint64_t cr2;	     /* #PF: faulting address */
	uint64_t dr6;	     /* #DB: DR6 bits to set (payload) */
	uint8_t insn_length; /* software events: length of the instruction, else 0 */
	bool injected;	     /* by VM entry: not intercepted; CR2, DR6 and DR7 stay as they are */
};

/* What put the CPU into ACTIVITY_HLT. MWAIT_MASKED: an interrupt ends the wait even if IF is 0. */
enum cpu_wait { WAIT_HLT, WAIT_MWAIT, WAIT_MWAIT_MASKED };

/* Address spaces. A space is what a translation depends on: (VPID, PCID, EPTP, root, mode bits); a
 * view adds the privilege (user, supervisor, supervisor with SMAP suspended). Every view has a tag
 * of 12 bits; a TLB entry's tag is its linear page with the view's tag in the offset bits. Flushing
 * a space gives it a new tag; when tags run out the whole TLB is cleared. */
#define TLB_BITS 12
#define TLB_INVALID UINT64_C(0) /* tag 0 is never given to a view */
struct tlb_entry {
	uint64_t read;	 /* page | tag if reads may go straight to memory, else TLB_INVALID */
	uint64_t write;	 /* the same for writes: dirty bits set, page holds no decoded code */
	uint64_t fetch;	 /* the same for instruction fetch */
	uint64_t addend; /* host pointer = linear address + addend (mod 2^64) */
};

struct mmu {
	struct tlb_entry tlb[1 << TLB_BITS];
	uint64_t tag;	/* of the current view */
	uint64_t hash;	/* of the current view, xored into the TLB index */
	uint64_t epoch; /* moves when a translation under a tag still in use may have gone: pages
			 * invalidated one by one, tags given out anew */
	struct mmu_spaces *spaces; /* mmu.c */
};

static inline struct tlb_entry *tlb_slot(struct mmu *mmu, uint64_t linear)
{
	return &mmu->tlb[((linear >> PAGE_SHIFT) ^ mmu->hash) & ((1 << TLB_BITS) - 1)];
}

/* Values that only instructions, MSRs and VMX touch; kept out of the hot lines. */
#define MC_BANKS 4
struct cpu_msrs {
	uint64_t star, lstar, cstar, fmask, kernel_gs_base, tsc_aux;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t pat, misc_enable, debugctl, xss, feature_control, spec_ctrl, bndcfgs;
	uint64_t tsc_adjust;
	uint64_t mtrr_def_type, mtrr_var[20], mtrr_fixed[11];
	uint64_t mcg_status, umwait_control, tsx_ctrl;
	struct {
		uint64_t ctl, addr, misc;
	} mc[MC_BANKS];
	uint64_t fixed_ctr_ctrl, perf_global_ctrl, perf_global_status;
	uint64_t perfevtsel[4];
	uint64_t pebs_enable, pebs_data_cfg, ds_area;
	uint64_t counter_base[3 + 4]; /* fixed, general-purpose; value = base + the machine's count
					 (perf.c) */
};

/* Last-branch records, a ring of which the newest is at tos. */
#define LBR_MAX 32
struct lbr {
	uint64_t from[LBR_MAX], to[LBR_MAX], info[LBR_MAX], tos, select;
	uint64_t last; /* time of the newest */
};

/* The open transaction (rtm.h): the memory lines that it has written, as they were, in the sets and
 * ways of a data cache of 32 KiB, and the registers. */
#define RTM_SETS 64
#define RTM_WAYS 8
struct rtm {
	uint32_t depth;		  /* of nesting; 0: none is open */
	uint64_t begin, fallback; /* RIP of the outermost XBEGIN, and after an abort */
	uint8_t registers[1408];
	uint8_t used[RTM_SETS];
	uint64_t line[RTM_SETS][RTM_WAYS]; /* host-physical */
	uint8_t old[RTM_SETS][RTM_WAYS][64];
};

struct vmx_state;   /* vmx/vmx.h */
struct cpu_profile; /* profile.h */

/* Between blocks and after an unwind RIP; in a block, RIP of the first byte of its page, from which
 * ops count: edges within a page leave it alone. It sits among the registers so that RIP-relative
 * addressing is plain base + displacement. */
#define cpu_rip(cpu) ((cpu)->gpr[REG_COUNT + 1])

struct cpu {
	/* hot */
	uint64_t gpr[REG_COUNT + 2];	 /* + REG_ZERO, REG_RIP (op.h) */
	uint64_t cc_dst, cc_src, cc_aux; /* lazy flags, flags.h */
	uint32_t cc_op;
	uint32_t mode;	   /* decode mode key of the current code segment, CPL included, decode.h */
	int64_t budget; /* cycles until the next event, 31 bits; a block that does not fit is
			 * stepped */
	uint64_t insns;	   /* retired, accounted at block entry */
	int64_t clock;	   /* of both, where handlers return (exec.h) */
	uint64_t deadline; /* cycles: absolute time at which budget reaches 0 */
	const struct op *op; /* instruction in a slow or complex handler; NULL between blocks */
	bool in_block; /* the counters are those of op's block, cpu_rip its page; false after an
			* unwind */
	bool code_written; /* the block being executed was written to: end it after this instruction
			    */
	uint64_t jump_key; /* what a RIP's meaning depends on: MMU tag, mode, epoch (block.c) */
	uint64_t next_rip; /* complex handlers that end a block: where to go on */
	uint64_t halted;   /* cycles that were skipped while nothing executed */
	bool attention;	   /* look at events, interrupts, traps before the next instruction; while
			    * cpu_attend leaves it set, the run loop steps one instruction at a time */
	bool stepping; /* attention stood when this instruction began: until it is over, attention
			* says only what is new */
	struct mmu mmu;

	/* architectural state */
	uint64_t eflags_rest; /* RFLAGS but for the six status flags (lazy) */
	struct segment seg[SEG_COUNT];
	struct table_register gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, xcr0, efer; /* CR8 is the local APIC's */
	uint32_t pkru, pkrs; /* protection keys; after a change: mmu_keys_changed */
	struct {
		uint64_t u_cet, pl3_ssp; /* XSAVE component 11 in its order */
		uint64_t pl_ssp[3];	 /* component 12: IA32_PL0_SSP to IA32_PL2_SSP */
		uint64_t s_cet, ssp_table, ssp;
	} cet; /* after a change of u_cet or s_cet: cpu_mode_changed */
	struct {
		struct {
			uint64_t lower, upper; /* upper: its one's complement */
		} bound[4];	   /* BND0-BND3: XSAVE component 3 */
		uint64_t cfgu, status; /* BNDCFGU, BNDSTATUS: component 4 */
	} mpx; /* after a change of a bound, of cfgu or msrs.bndcfgs: cpu_mode_recheck */
	uint64_t dr[4], dr6, dr7;
	uint64_t pdpte[4]; /* PAE paging, loaded with CR3 */
	uint8_t cpl;
	bool sti_shadow;    /* blocking by STI: for one instruction; ask cpu_sti_blocking */
	bool mov_ss_shadow; /* blocking by MOV SS or POP SS */
	bool nmi_blocked;
	bool nmi_pending, init_pending, sipi_pending;
	uint8_t sipi_vector;
	bool monitor_armed; /* by MONITOR, and no event since */
	enum vmx_activity activity;
	enum cpu_wait wait; /* in ACTIVITY_HLT: what put it there */
	uint64_t pending_debug; /* DR6 bits of traps that wait for the instruction boundary */
	struct {
		/* cpu->insns at the boundary at which cpu_attend first saw them, UINT64_MAX: not
		 * yet. What held for one instruction ends when the count has moved on. */
		uint64_t shadow, rf, step;
		uint64_t epoch; /* VM entries + exits: a transition forgets the above */
	} seen;
	struct cpu_msrs msrs;
	uint16_t x87_cs, x87_ds; /* FPU CS and DS, where the part has them: x87/ */
	uint64_t branches; /* retired while somebody watches them, branch.c */
	struct {
		uint64_t rip, next; /* of the last instruction of the block being executed */
		uint64_t insns;	    /* when that has retired */
		uint16_t kind;
		bool watched, pending, taken; /* taken: the one just done */
	} branch;
	struct lbr lbr;
	struct {
		/* Of the counters that are on: any interrupts, counts some rings only, counts
		 * branches, cares for transactions, makes records (pebs.h): then
		 * instructions are executed one by one; user: the ring class that they are counting
		 * in; pmi: an overflow wants its interrupt. */
		bool interrupts, rings, branches, transactions, precise, user, pmi;
		uint64_t before_transaction; /* the counter that has IN_TXCP */
	} perf;
	struct {
		uint64_t last; /* RIP of the last instruction, while perf.precise */
		uint64_t rip;  /* of the one that overflowed a counter */
		uint64_t writing; /* counters (IA32_PERF_GLOBAL_STATUS) whose record is being
				   * written */
	} pebs;
	uint8_t xsave_area[1024]
	    __attribute__((aligned(64))); /* standard format, x87 and SSE parts */

	/* delivery */
	struct cpu_event event;	     /* to be delivered by the run loop */
	struct cpu_event delivering; /* whose delivery is under way: for #DF and IDT-vectoring */
	jmp_buf *escape;	     /* the run loop's */

	struct vmx_state *vmx;
	const struct cpu_profile *profile;
	struct machine *machine;
	struct blocks *blocks; /* block cache, block.c */
	struct rtm rtm;
	struct pt pt;
};

/* ---- flags (flags.h has the inline form) ---- */
uint64_t cpu_rflags(const struct cpu *cpu);
void cpu_set_rflags(struct cpu *cpu, uint64_t rflags);

/* ---- instruction position and time (exec.c) ---- */
/* RIP of the instruction in cpu->op, and of the one after it (wrapped to the code size). */
uint64_t cpu_insn_rip(const struct cpu *cpu);
uint64_t cpu_insn_next_rip(const struct cpu *cpu);
/* Makes cpu_rip(cpu) and the counters exact: everything before cpu->op retired, cpu->op not. */
void cpu_unwind(struct cpu *cpu);
/* The same with cpu->op retired and cpu_rip(cpu) = cpu->next_rip: for traps and for what ends after
 * it. */
void cpu_retire(struct cpu *cpu);
/* Cycles (virtual time) and retired instructions up to, not including, cpu->op. */
uint64_t cpu_now(const struct cpu *cpu);
uint64_t cpu_retired(const struct cpu *cpu);
/* Adds modelled cycles for something dynamic (TLB miss, VM exit ...). */
void cpu_charge(struct cpu *cpu, uint64_t cycles);
/* Leaves the run loop's current block (after cpu_unwind) and goes round the loop again. */
_Noreturn void cpu_escape(struct cpu *cpu);
/* Recomputes cpu->mode (= decode_mode_key(cpu), decode.h) and the MMU view; call after any change
 * of CR0, CR3, CR4, EFER, CS, SS, CPL, RFLAGS.VM, RFLAGS.AC. */
void cpu_mode_changed(struct cpu *cpu);

/* ---- exceptions (event.c); each unwinds, queues the event and escapes ---- */
_Noreturn void cpu_fault(struct cpu *cpu, enum x86_vector vector);
_Noreturn void cpu_fault_code(struct cpu *cpu, enum x86_vector vector, uint32_t error);
_Noreturn void cpu_page_fault(struct cpu *cpu, uint64_t linear, uint32_t error);
/* INT n, INT3, INTO, INT1: delivered with RIP after the instruction. */
_Noreturn void cpu_software_interrupt(struct cpu *cpu, uint8_t vector, enum vmx_intr_type type);
/* Start blocking by STI, by MOV SS for the instruction after this one. */
void cpu_block_by_sti(struct cpu *cpu);
void cpu_block_by_mov_ss(struct cpu *cpu);
/* RFLAGS.IF has become 1: sees to it that what waits for that is looked at. */
void cpu_interrupts_enabled(struct cpu *cpu);
/* Delivers cpu->event through the IDT or IVT (VM exits and #DF included); called by the run loop.
 */
void cpu_deliver_event(struct cpu *cpu);
/* Between instructions: NMI, INIT, interrupts, debug traps, MTF, windows, timers. Called by the run
 * loop while cpu->attention; clears it when nothing more can happen before the deadline. */
void cpu_attend(struct cpu *cpu);
/* Nothing more executes until an event that ends such a wait. */
void cpu_wait_for_event(struct cpu *cpu, enum cpu_wait wait);
/* May an interrupt end the wait that the CPU is in? */
bool cpu_waits_for_interrupt(const struct cpu *cpu);
/* An interrupt is pending that RFLAGS.IF keeps from being delivered. */
void cpu_end_masked_wait(struct cpu *cpu);

/* ---- memory (mmu.c) ---- */
enum mem_access {
	MEM_READ = 0,
	MEM_WRITE = 1,
	MEM_FETCH = 2,
	MEM_IMPLICIT_SUPERVISOR = 4, /* descriptor tables, TSS, stack of an inner privilege level */
	MEM_USER = 8,		     /* as user whatever CPL is */
	MEM_SHADOW_STACK = 16,
};
/* Linear access of 1, 2, 4, 8 bytes by the current privilege, any alignment, MMIO included. May
 * raise #PF, #AC or a VM exit. */
uint64_t lin_read(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access);
void lin_write(struct cpu *cpu, uint64_t linear, unsigned size, uint64_t value, unsigned access);
/* Host pointer to `size` bytes of one page that the first-level TLB lets the access at, NULL
 * otherwise. Raises nothing and leaves no trace. */
uint8_t *lin_hit(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access);
/* Faults as a write (or read) of `size` bytes would, and changes nothing but A/D bits. */
void lin_probe(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access);
/* Translates the page of `linear`; returns a host pointer to the byte, or NULL if it is not plain
 * RAM that may be accessed directly for as long as nothing else runs: MMIO, a write to a page that
 * holds decoded code, #AC checks or data breakpoints on: then lin_read and lin_write do it. *hpa
 * (unless NULL) is the physical address in any case. Raises #PF and VM exits. */
uint8_t *lin_to_host(struct cpu *cpu, uint64_t linear, unsigned access, uint64_t *hpa);
/* Translates for instruction fetch: host pointer to the byte, or NULL if it is not RAM; *hpa in any
 * case. Always a walk of its own, free of charge and without trace in the TLB: how often the
 * decoder asks is no business of the guest's. Raises #PF and VM exits. */
const uint8_t *lin_fetch(struct cpu *cpu, uint64_t linear, uint64_t *hpa);

/* Segmented access: checks limit, type and canonicality, then as above. segment: enum x86_seg. */
uint64_t seg_linear(struct cpu *cpu, unsigned segment, uint64_t offset, unsigned size,
		    unsigned access);
uint64_t mem_read(struct cpu *cpu, unsigned segment, uint64_t offset, unsigned size);
void mem_write(struct cpu *cpu, unsigned segment, uint64_t offset, unsigned size, uint64_t value);

/* Physical access by the CPU itself (VMCS, bitmaps, MSR areas, virtual-APIC page): no translation,
 * no MMIO; all ones beyond RAM, writes there are dropped. Keeps decoded code coherent. */
uint64_t phys_read(struct cpu *cpu, uint64_t hpa, unsigned size);
void phys_write(struct cpu *cpu, uint64_t hpa, unsigned size, uint64_t value);

/* False: no memory. */
bool mmu_init(struct cpu *cpu) __attribute__((warn_unused_result));
void mmu_free(struct cpu *cpu);
/* As mmu_init leaves it, in the memory that it has. */
void mmu_restart(struct cpu *cpu);
/* Selects the view (mmu.tag, mmu.hash) from the registers; cpu_mode_changed calls it. Also wanted
 * after a change of DR7, of CR0.AM, of the VPID or of the EPTP. */
void mmu_mode_changed(struct cpu *cpu);
/* The same where nothing but CPL may have changed. */
void mmu_view_changed(struct cpu *cpu);
/* PKRU or IA32_PKRS has changed. */
void mmu_keys_changed(struct cpu *cpu);
/* TLB maintenance as the architecture names it. "Current" VPID, PCID and EPTP are those in the
 * registers at the time of the call; a flush leaves mmu.tag valid. */
void mmu_flush_all(struct cpu *cpu);		       /* everything, every VPID and EPTP */
void mmu_flush_current(struct cpu *cpu, bool global);  /* current VPID (+PCID, unless global) */
void mmu_flush_pcid(struct cpu *cpu, uint16_t pcid);   /* current VPID */
void mmu_flush_page(struct cpu *cpu, uint64_t linear); /* INVLPG */
void mmu_flush_page_pcid(struct cpu *cpu, uint64_t linear, uint16_t pcid); /* INVPCID type 0 */
void mmu_invept(struct cpu *cpu, uint64_t eptp); /* one EPTP context; UINT64_MAX: all */
void mmu_invvpid(struct cpu *cpu, unsigned type, uint16_t vpid, uint64_t linear);
/* The page at hpa now holds decoded code: no TLB entry may write it directly. */
void mmu_protect_code(struct cpu *cpu, uint64_t hpa);
/* Loads and checks the PDPTEs from cr3 (PAE paging). False: reserved bits, caller raises #GP. */
bool mmu_load_pdptes(struct cpu *cpu, uint64_t cr3);

/* ---- decoded code (block.c) ---- */
/* Memory at [hpa, hpa + size) is being written: drop decoded blocks that overlap it. */
void blocks_written(struct cpu *cpu, uint64_t hpa, unsigned size);
/* True if the 4 KiB page at hpa holds decoded code. */
bool blocks_page_has_code(const struct cpu *cpu, uint64_t hpa);
/* False likewise. True: a TLB entry may let writes straight at it, until mmu_protect_code. */
bool blocks_admit_writes(struct cpu *cpu, uint64_t hpa);
/* A translation was dropped or changed without a new tag (INVLPG ...): forget where RIPs lead.
 * Cheap. */
void blocks_forget_jumps(struct cpu *cpu);

/* ---- segmentation (seg.c) ---- */
void seg_load(struct cpu *cpu, enum x86_seg segment, uint16_t selector); /* MOV/POP/LxS semantics */
void seg_load_real(struct cpu *cpu, enum x86_seg segment, uint16_t selector);

/* ---- MSRs, CPUID (msr.c, cpuid.c) ---- */
bool cpu_rdmsr(struct cpu *cpu, uint32_t msr, uint64_t *value); /* false: #GP(0) */
bool cpu_wrmsr(struct cpu *cpu, uint32_t msr, uint64_t value);	/* false: #GP(0) */
void cpu_cpuid(struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
uint64_t cpu_tsc(const struct cpu *cpu); /* before VMX offset and scaling */
void cpu_msr_reset(struct cpu *cpu);	 /* power-up values; needs cpu->profile */

/* ---- control registers (sys.c): checks as MOV to CR makes them; false: #GP(0) ---- */
bool cpu_set_cr0(struct cpu *cpu, uint64_t value);
bool cpu_set_cr3(struct cpu *cpu, uint64_t value);
bool cpu_set_cr4(struct cpu *cpu, uint64_t value);
bool cpu_set_efer(struct cpu *cpu, uint64_t value);

/* INIT and power-up state, SDM 3A "Processor State After Reset". */
void cpu_reset(struct cpu *cpu, bool init);

/* ---- helpers ---- */
static inline bool cpu_long_mode(const struct cpu *cpu)
{
	return cpu->efer & EFER_LMA;
}
/* STI asks for no boundary if nothing waits for it, so the flag may outlast its instruction. */
static inline bool cpu_sti_blocking(const struct cpu *cpu)
{
	return cpu->sti_shadow &&
	       (cpu->seen.shadow == UINT64_MAX || cpu->seen.shadow == cpu_retired(cpu));
}
static inline bool cpu_code64(const struct cpu *cpu)
{
	return cpu_long_mode(cpu) && (cpu->seg[SEG_CS].ar & AR_L);
}
static inline bool cpu_protected(const struct cpu *cpu)
{
	return cpu->cr0 & CR0_PE;
}
static inline bool cpu_vm86(const struct cpu *cpu)
{
	return cpu->eflags_rest & RFLAGS_VM;
}
static inline bool cpu_real_or_vm86(const struct cpu *cpu)
{
	return !cpu_protected(cpu) || cpu_vm86(cpu);
}

#endif
