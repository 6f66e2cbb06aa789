/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the interpreter's VMX: what its files share. Nothing outside vmx/ includes this header.
 *
 * The life of an entry: insns.c (VMLAUNCH) -> entry.c (checks, commit) -> guest_state.c,
 * msr_area.c, inject.c. The life of an exit: intercept.c, cr.c, bitmaps.c, exception.c ... ->
 * exit.c -> guest_state.c, msr_area.c, host_state.c.
 */
#ifndef L0_MACHINE_INTERP_VMX_PRIVATE_H
#define L0_MACHINE_INTERP_VMX_PRIVATE_H

#include "l0/machine/interp/op.h"
#include "l0/machine/interp/vmx/vmx.h"
#include "shadow/checks/checks.h"
#include "traces/format/trap_log.h"

/* Exits that wait for the end of the instruction, SDM 3C "APIC-Write Emulation" and "TPR
 * Virtualization": trap-like, so RIP is the next instruction's. */
enum pending_apic {
	APIC_NOTHING,
	APIC_WRITE, /* exit with the offset as qualification */
	APIC_EOI,   /* exit with the vector as qualification */
	APIC_TPR_THRESHOLD,
	APIC_EMULATE, /* APIC-write emulation of the offset is still to be done */
};

#define VMX_CHECKED_COUNT 8
#define VMX_QUICK_ROWS 32
/* Bits of the pending-debug-exceptions field that exist here; cpu->pending_debug has them alike. */
#define PENDING_DEBUG_SAVED                                                                        \
	(PENDING_DEBUG_B | PENDING_DEBUG_ENABLED_BREAKPOINT | PENDING_DEBUG_BS | PENDING_DEBUG_RTM)

struct vmx_private {
	/* Kept while the guest runs. */
	uint64_t virtual_apic; /* hpa of the virtual-APIC page */
	uint64_t msr_bitmap, io_bitmap[2];
	uint64_t timer_due;   /* cycles at which the preemption timer reaches 0, or EVENT_NEVER */
	uint64_t timer_phase; /* TSC minus cycles when it was loaded */
	enum pending_apic apic_pending;
	uint32_t apic_offset;    /* or vector */
	bool virtual_interrupt;  /* a virtual interrupt has been recognised */
	bool iret_unblocked_nmi; /* the IRET being executed has removed blocking by NMI */
	uint64_t iret_retired;   /* at that IRET; a later count means that it completed */
	/* Monitor trap flag: armed until the first boundary after entry; where the guest was. */
	bool mtf_armed;
	uint64_t mtf_insns, mtf_rip, mtf_rcx; /* REP: an iteration moves RCX alone */
	uint64_t pause_first, pause_last; /* PAUSE-loop exiting: TSC of the PAUSEs of a loop */

	/* VMCSs as they were when all checks held; rows that are made in any case (recheck.c). */
	struct vmx_checked {
		uint64_t vmcs, cr0, cr4, efer;
		bool tracing;
		uint64_t field[VMCS_FIELD_COUNT];
	} checked[VMX_CHECKED_COUNT];
	const struct vmx_check *quick[VMX_QUICK_ROWS];
	unsigned quick_count;
	bool quick_overflow;

	/* The machine's own log: the exit that waits for the next entry. */
	bool record_open;
	struct trap_record record;

	char failure[320];
};

/* ---- outcomes, SDM 3C "Conventions" ---- */
void vmx_set_succeed(struct cpu *cpu);
void vmx_set_fail_invalid(struct cpu *cpu);
/* VMfailValid(error) with the number in `vmcs`, VMfailInvalid if that is NULL. */
void vmx_set_fail(struct cpu *cpu, struct vmcs *vmcs, enum vmx_error error);

/* ---- helpers ---- */
static inline struct vmx_private *vmx_private(struct cpu *cpu)
{
	return cpu->vmx->private;
}
static inline bool vmx_feature(const struct cpu *cpu, enum vmx_feature feature)
{
	return vmx_features_have(cpu->vmx->caps->features, feature);
}
/* In VMX non-root operation with the control set. */
static inline bool vmx_primary(const struct cpu *cpu, uint32_t mask)
{
	return cpu->vmx->primary & mask;
}
static inline bool vmx_secondary(const struct cpu *cpu, uint32_t mask)
{
	return cpu->vmx->secondary & mask;
}
static inline bool vmx_pin(const struct cpu *cpu, uint32_t mask)
{
	return cpu->vmx->pin & mask;
}
/* From now on no VMCS governs the CPU. vpid is left: what it tags may have to be invalidated. */
void vmx_leave_nonroot(struct vmx_state *vmx);
/* Aligned to 4 KiB and within the physical-address width. */
bool vmx_address_valid(const struct cpu *cpu, uint64_t address);
/* Host pointer to the VMCS at a valid address, NULL if there is no RAM. */
struct vmcs *vmx_vmcs_at(struct cpu *cpu, uint64_t address);
/* #UD and mode checks that every VMX instruction makes first (VMXON and VMCALL: insns.c). */
void vmx_require_operation(struct cpu *cpu);
/* The 64-bit or 128-bit operand's linear address, segment checks made for `size` bytes. */
uint64_t vmx_operand_linear(struct cpu *cpu, const struct op *op, unsigned size, unsigned access);

/* ---- entry.c ---- */
void vmx_enter(struct cpu *cpu, bool launch);
/* Takes the control fields of the current VMCS into cpu->vmx. */
void vmx_load_controls(struct cpu *cpu);

/* ---- recheck.c ---- */
void vmx_recheck_init(struct cpu *cpu);
/* True: every check holds without being made again. */
bool vmx_checks_still_hold(struct cpu *cpu, const struct vmx_check_env *env);
/* All checks of the current VMCS have just held. */
void vmx_checks_held(struct cpu *cpu, const struct vmx_check_env *env);

/* ---- guest_state.c, host_state.c ---- */
bool vmx_load_guest_state(struct cpu *cpu); /* false: the PDPTEs are bad */
void vmx_save_guest_state(struct cpu *cpu);
/* Leaves non-root operation: host-state area, host MSRs; a VMX abort stops the machine. */
void vmx_load_host_state(struct cpu *cpu);
void vmx_abort(struct cpu *cpu, enum vmx_abort code);

/* ---- msr_area.c: return 0, or the 1-based number of the entry that failed ---- */
uint32_t vmx_load_msrs(struct cpu *cpu, uint64_t address, uint32_t count);
uint32_t vmx_store_msrs(struct cpu *cpu, uint64_t address, uint32_t count);

/* ---- inject.c ---- */
void vmx_inject_event(struct cpu *cpu);

/* ---- exit.c ---- */
/* What an exit reports besides what the CPU's state says. */
struct vmx_exit_info {
	enum vmx_exit_reason reason;
	uint64_t qualification;
	uint32_t interruption, error_code; /* VM-exit interruption information */
	uint64_t gpa, linear;
	bool has_gpa, has_linear;
	const struct cpu_event *event; /* an exception that exits directly, else NULL */
	bool trap; /* trap-like: at an instruction boundary, no instruction is under way */
};
_Noreturn void vmx_exit_with(struct cpu *cpu, const struct vmx_exit_info *info);
uint32_t vmx_event_info(const struct cpu_event *event);

/* ---- info.c ---- */
/* Exit qualification of an instruction with a memory operand: its displacement. */
uint64_t vmx_displacement(const struct cpu *cpu, const struct op *op);
/* VM-exit instruction-information field, 0 where the SDM defines none for the reason. */
uint32_t vmx_instruction_info(const struct cpu *cpu, enum vmx_exit_reason reason);

/* ---- vmcs_access.c ---- */
bool vmx_vmcs_read(const struct cpu *cpu, const struct vmcs *vmcs, uint64_t encoding,
		   uint64_t *value);

/* ---- timer.c ---- */
void vmx_timer_start(struct cpu *cpu);
uint32_t vmx_timer_value(struct cpu *cpu);

/* ---- apicv.c ---- */
/* After VM entry: TPR threshold, pending virtual interrupts. */
void vmx_apic_entry(struct cpu *cpu);
/* At the boundary: the exit that waits, or emulation. */
void vmx_apic_pending(struct cpu *cpu);
/* Emulation after a virtualized write to `offset`, SDM 3C "APIC-Write Emulation". False: exit. */
bool vmx_apic_emulate_write(struct cpu *cpu, uint32_t offset);
/* An APIC-write VM exit once the instruction is done. */
void vmx_apic_pend_write(struct cpu *cpu, uint32_t offset);
void vmx_tpr_virtualization(struct cpu *cpu);
void vmx_eoi_virtualization(struct cpu *cpu);
void vmx_self_ipi_virtualization(struct cpu *cpu, uint8_t vector);
void vmx_evaluate_virtual_interrupts(struct cpu *cpu);
void vmx_deliver_virtual_interrupt(struct cpu *cpu);
/* False: the vector is not the notification vector. */
bool vmx_posted_interrupt(struct cpu *cpu, uint8_t vector);
uint32_t vmx_vapic_read(struct cpu *cpu, unsigned offset);
void vmx_vapic_write(struct cpu *cpu, unsigned offset, uint32_t value);

/* ---- log.c ---- */
void vmx_log_exit(struct cpu *cpu, const struct vmx_exit_info *info, bool failed_entry);
void vmx_log_entry(struct cpu *cpu, bool failed);
void vmx_describe_check(struct cpu *cpu, const struct vmx_check *check);
void vmx_describe_text(struct cpu *cpu, const char *text);
void vmx_describe_msr(struct cpu *cpu, uint32_t number);

#endif
