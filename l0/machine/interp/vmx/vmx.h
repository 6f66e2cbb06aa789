/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMX of the interpreter: what the rest of the CPU asks of it. Every vmx_intercept_* either returns
 * (the instruction goes on) or makes the VM exit and does not return. All are cheap no-ops outside
 * VMX non-root operation; callers test cpu->vmx->nonroot first where it matters.
 */
#ifndef L0_MACHINE_INTERP_VMX_VMX_H
#define L0_MACHINE_INTERP_VMX_VMX_H

#include "l0/machine/interp/cpu.h"

#define VMX_NO_VMCS UINT64_MAX

struct vmx_state {
	bool on;      /* in VMX operation */
	bool nonroot; /* in VMX non-root operation */
	uint64_t vmxon_pointer;
	uint64_t current;  /* physical address of the current VMCS, VMX_NO_VMCS if none */
	struct vmcs *vmcs; /* host pointer to it (RAM), NULL if none */
	/* Controls of the running guest, copied at entry; 0 in root operation. */
	uint32_t pin, primary, secondary, exit_controls, entry_controls;
	uint32_t exception_bitmap;
	uint64_t eptp;                       /* 0: no EPT */
	uint16_t vpid;                       /* 0 in root operation and without VPID */
	uint64_t tsc_offset, tsc_multiplier; /* in force now; 0 and 1 << 48 in root operation */
	uint64_t apic_access;                /* hpa of the APIC-access page, UINT64_MAX if off */
	uint64_t preemption_start;           /* cycles at which the preemption timer was loaded */
	bool virtual_nmi_blocked, mtf_pending;
	uint64_t exits, entries;                 /* counters for --stats and the machine's log */
	uint64_t exit_counts[EXIT_REASON_COUNT]; /* by basic reason, failed entries included */
	/* Called when a VM entry fails, with the text of vmx_last_failure; NULL: nobody asks. */
	void (*on_entry_failure)(struct cpu *cpu, const char *text);
	const struct vmx_caps *caps; /* what the part offers */
	struct vmx_private *private; /* vmx/ only */
};

/* caps: filled by vmx_caps_from_features, must outlive the CPU. False: no memory. */
bool vmx_init(struct cpu *cpu, const struct vmx_caps *caps);
void vmx_free(struct cpu *cpu);
/* As vmx_init leaves it, in the memory that it has. */
void vmx_restart(struct cpu *cpu);
/* Power-up: leaves VMX operation. INIT never gets here in VMX operation (vmx_attend_init). */
void vmx_reset(struct cpu *cpu);
/* The run is over: hands the machine's log the exit that no entry followed. */
void vmx_finish(struct cpu *cpu);
/* Why the last VM entry failed: the check, its SDM title, the fields and values; "" if none did. */
const char *vmx_last_failure(struct cpu *cpu);

/* An exit whose qualification the caller knows; fills length and IDT-vectoring information from
 * cpu. For instruction exits cpu->op is the instruction. */
_Noreturn void vmx_exit(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification);

/* CPUID, HLT, INVD, RDTSC, RDTSCP, RDPMC, PAUSE, MONITOR, MWAIT, WBINVD, XSETBV, RDRAND, RDSEED,
 * INVPCID, GETSEC, XSAVES, XRSTORS, INVLPG (qualification = address): exits as the controls say, or
 * #UD where a secondary control must enable the instruction. instruction_info: as SDM 3C "Exits Due
 * to Instruction Execution" wants it for the reason, built by vmx_exit from cpu->op. */
void vmx_intercept_insn(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification);
void vmx_intercept_descriptor_table(struct cpu *cpu, enum vmx_exit_reason reason,
				    uint64_t displacement);
/* IN, OUT, INS, OUTS; linear: of the memory operand for string forms. */
struct vmx_io {
	uint16_t port;
	uint8_t size;
	bool in, string, rep, immediate;
	uint64_t linear;
};
void vmx_intercept_io(struct cpu *cpu, const struct vmx_io *io);
void vmx_intercept_rdmsr(struct cpu *cpu, uint32_t msr);
void vmx_intercept_wrmsr(struct cpu *cpu, uint32_t msr);
/* MOV to CRn in non-root: exits, or returns the value that the register really takes. */
uint64_t vmx_mov_to_cr(struct cpu *cpu, unsigned cr, uint64_t value, unsigned gpr);
/* MOV from CRn: exits, or returns what the guest reads (read shadow applied). */
uint64_t vmx_mov_from_cr(struct cpu *cpu, unsigned cr, uint64_t value, unsigned gpr);
void vmx_intercept_clts(struct cpu *cpu); /* may return with TS left as it is: see clts_effective */
bool vmx_clts_effective(const struct cpu *cpu); /* false: CR0.TS is owned by the host, shadow = 0 */
/* LMSW: exits, or returns the whole value that CR0 takes (PE not cleared, host's bits kept). */
uint64_t vmx_lmsw(struct cpu *cpu, uint16_t source, bool memory, uint64_t linear);
void vmx_intercept_mov_dr(struct cpu *cpu, unsigned dr, bool from, unsigned gpr);
void vmx_intercept_task_switch(struct cpu *cpu, uint16_t selector, unsigned source);
/* Exceptions about to be delivered; fills the exit from the event. */
void vmx_intercept_exception(struct cpu *cpu, const struct cpu_event *event);
_Noreturn void vmx_exit_triple_fault(struct cpu *cpu);
/* EPT faults found by mmu.c. The qualification carries VMX_EPT_CONVERTIBLE if the entry that
 * decides (not present, or the leaf) has bit 63, suppress #VE, clear; the violation is then a #VE
 * where the controls and the guest's state allow it. The bit is not part of what is stored. */
#define VMX_EPT_CONVERTIBLE BIT64(63)
_Noreturn void vmx_exit_ept_violation(struct cpu *cpu, uint64_t gpa, uint64_t linear,
				      bool linear_valid, uint64_t qualification);
_Noreturn void vmx_exit_ept_misconfiguration(struct cpu *cpu, uint64_t gpa);
/* PML and EPT D bits: called by mmu.c before it sets a dirty flag in an EPT leaf (gpa: the
 * access's). Returns with the log written, or exits (log full) and the access has not happened. */
void vmx_log_dirty(struct cpu *cpu, uint64_t gpa);

/* Between instructions, from cpu_attend in SDM priority order; each may make a VM exit. */
void vmx_attend_before_traps(struct cpu *cpu); /* APIC writes, TPR threshold, MTF */
/* VMX has something to do at the next instruction boundary: cpu_attend leaves attention set (single
 * steps). Windows are not among it: whoever sets IF, or ends a shadow, sets attention. */
bool vmx_wants_attention(const struct cpu *cpu);
/* In non-root operation: something here happens as soon as RFLAGS.IF is 1. */
bool vmx_waits_for_interrupt_flag(const struct cpu *cpu);
/* Preemption timer, NMI and interrupt windows. */
void vmx_attend_timer_and_windows(struct cpu *cpu);
bool vmx_attend_nmi(struct cpu *cpu);       /* true: not consumed, deliver it to the guest */
bool vmx_attend_interrupt(struct cpu *cpu); /* true: deliver as usual; false: wait */
/* Virtual-interrupt delivery; true: cpu->event set. */
bool vmx_attend_virtual_interrupt(struct cpu *cpu);
/* Cycles (absolute) at which the preemption timer or another VMX event falls due; EVENT_NEVER. */
uint64_t vmx_next_event(const struct cpu *cpu);
/* INIT, SIPI in VMX operation: true if consumed (blocked or exited). */
bool vmx_attend_init(struct cpu *cpu);
bool vmx_attend_sipi(struct cpu *cpu, uint8_t vector);

/* TSC as the guest reads it. */
uint64_t vmx_guest_tsc(const struct cpu *cpu, uint64_t tsc);
/* CR8 and x2APIC through the TPR shadow; false: not virtualized, use the local APIC. */
bool vmx_read_cr8(struct cpu *cpu, uint64_t *value);
bool vmx_write_cr8(struct cpu *cpu, uint64_t value);
bool vmx_x2apic_read(struct cpu *cpu, uint32_t msr, uint64_t *value);
bool vmx_x2apic_write(struct cpu *cpu, uint32_t msr, uint64_t value);
/* Access to the APIC-access page (hpa matched by mmu.c): emulated on the virtual-APIC page, or
 * exits. */
uint64_t vmx_apic_read(struct cpu *cpu, unsigned offset, unsigned size, uint64_t linear,
		       unsigned access);
void vmx_apic_write(struct cpu *cpu, unsigned offset, unsigned size, uint64_t value,
		    uint64_t linear, unsigned access);
/* A guest-physical access to the page, for a linear address that is elsewhere: exits. */
_Noreturn void vmx_exit_apic_access(struct cpu *cpu, unsigned offset);
/* After an IRET that unblocks NMIs, and what "NMI unblocking due to IRET" needs. */
void vmx_iret(struct cpu *cpu);

/* The capability MSRs 0x480-0x491; false: no such MSR on this profile. */
bool vmx_rdmsr(struct cpu *cpu, uint32_t msr, uint64_t *value);

/* The VMX instructions, complex handlers (rows in insns.def). */
void insn_vmxon(struct cpu *cpu, const struct op *op);
void insn_vmxoff(struct cpu *cpu, const struct op *op);
void insn_vmclear(struct cpu *cpu, const struct op *op);
void insn_vmptrld(struct cpu *cpu, const struct op *op);
void insn_vmptrst(struct cpu *cpu, const struct op *op);
void insn_vmread(struct cpu *cpu, const struct op *op);
void insn_vmwrite(struct cpu *cpu, const struct op *op);
void insn_vmlaunch(struct cpu *cpu, const struct op *op);
void insn_vmresume(struct cpu *cpu, const struct op *op);
void insn_vmcall(struct cpu *cpu, const struct op *op);
void insn_vmfunc(struct cpu *cpu, const struct op *op);
void insn_invept(struct cpu *cpu, const struct op *op);
void insn_invvpid(struct cpu *cpu, const struct op *op);

#endif
