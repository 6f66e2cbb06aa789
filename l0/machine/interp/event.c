/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Raising exceptions, and what happens between raising and the first push: VM exits, double and
 * triple faults, payloads. deliver.c does the rest.
 */
#include "l0/machine/interp/branch.h"
#include "l0/machine/interp/cost.h"

#include <inttypes.h>
#include <stdio.h>

#include "l0/machine/debug/watch.h"
#include "l0/machine/hang.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/sys.h"

static _Noreturn void event_raise(struct cpu *cpu, const struct cpu_event *event)
{
	cpu_unwind(cpu);
	cpu->event = *event;
	if (rtm_active(cpu))
		cpu->event.valid = rtm_meet_event(cpu, &cpu->event);
	cpu_escape(cpu);
}

void cpu_fault(struct cpu *cpu, enum x86_vector vector)
{
	event_raise(cpu, &(struct cpu_event){ .valid = true,
					      .vector = (uint8_t)vector,
					      .type = INTR_TYPE_HARDWARE_EXCEPTION });
}

void cpu_fault_code(struct cpu *cpu, enum x86_vector vector, uint32_t error)
{
	event_raise(cpu, &(struct cpu_event){ .valid = true,
					      .vector = (uint8_t)vector,
					      .type = INTR_TYPE_HARDWARE_EXCEPTION,
					      .has_error = true,
					      .error = error });
}

void cpu_page_fault(struct cpu *cpu, uint64_t linear, uint32_t error)
{
	event_raise(cpu, &(struct cpu_event){ .valid = true,
					      .vector = VECTOR_PF,
					      .type = INTR_TYPE_HARDWARE_EXCEPTION,
					      .has_error = true,
					      .error = error,
					      .cr2 = linear });
}

void cpu_software_interrupt(struct cpu *cpu, uint8_t vector, enum vmx_intr_type type)
{
	struct cpu_event event = { .valid = true,
				   .vector = vector,
				   .type = (uint8_t)type,
				   .insn_length = cpu->op->len };

	/* INT1 is a debug exception, and takes along a trap that MOV SS has held back. */
	if (type == INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION) {
		event.dr6 = cpu->pending_debug;
		cpu->pending_debug = 0;
	}
	event_raise(cpu, &event);
}

void cpu_interrupts_enabled(struct cpu *cpu)
{
	if (machine_interrupt_pending(cpu->machine) ||
	    (cpu->vmx->nonroot && vmx_waits_for_interrupt_flag(cpu)))
		cpu->attention = true;
}

void cpu_block_by_sti(struct cpu *cpu)
{
	cpu->sti_shadow = true;
	cpu->mov_ss_shadow = false;
	cpu->seen.shadow = cpu_retired(cpu) + 1;
}

void cpu_block_by_mov_ss(struct cpu *cpu)
{
	cpu->sti_shadow = false;
	cpu->mov_ss_shadow = true;
	cpu->seen.shadow = cpu_retired(cpu) + 1;
	cpu->attention = true;
}

/* SDM 3A "Interrupt 8--Double Fault Exception (#DF)", table of exception classes. */
enum event_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE_FAULT };

static enum event_class event_class(const struct cpu_event *event)
{
	static const uint8_t classes[32] = {
		[VECTOR_DE] = CLASS_CONTRIBUTORY, [VECTOR_DF] = CLASS_DOUBLE_FAULT,
		[VECTOR_TS] = CLASS_CONTRIBUTORY, [VECTOR_NP] = CLASS_CONTRIBUTORY,
		[VECTOR_SS] = CLASS_CONTRIBUTORY, [VECTOR_GP] = CLASS_CONTRIBUTORY,
		[VECTOR_PF] = CLASS_PAGE_FAULT,   [VECTOR_VE] = CLASS_PAGE_FAULT,
		[VECTOR_CP] = CLASS_CONTRIBUTORY,
	};

	if (event->type != INTR_TYPE_HARDWARE_EXCEPTION || event->vector >= 32)
		return CLASS_BENIGN;
	return (enum event_class)classes[event->vector];
}

enum event_outcome { OUTCOME_SERIAL, OUTCOME_DOUBLE_FAULT, OUTCOME_TRIPLE_FAULT };

/* SDM 3A "Conditions for Generating a Double Fault". */
static enum event_outcome event_combine(const struct cpu_event *first,
					const struct cpu_event *second)
{
	enum event_class a = event_class(first), b = event_class(second);

	if (b == CLASS_BENIGN || a == CLASS_BENIGN)
		return OUTCOME_SERIAL;
	if (a == CLASS_DOUBLE_FAULT)
		return OUTCOME_TRIPLE_FAULT;
	if (a == CLASS_CONTRIBUTORY && b == CLASS_PAGE_FAULT)
		return OUTCOME_SERIAL;
	return OUTCOME_DOUBLE_FAULT;
}

static _Noreturn void event_triple_fault(struct cpu *cpu)
{
	cpu->event.valid = false;
	cpu->delivering.valid = false;
	if (cpu->vmx->nonroot)
		vmx_exit_triple_fault(cpu);
	cpu->activity = ACTIVITY_SHUTDOWN;
	cpu->attention = true;
	machine_stop(cpu->machine, STOP_TRIPLE_FAULT, 0);
	cpu_escape(cpu);
}

static bool event_is_exception(const struct cpu_event *event)
{
	return event->type == INTR_TYPE_HARDWARE_EXCEPTION ||
	       event->type == INTR_TYPE_SOFTWARE_EXCEPTION ||
	       event->type == INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION;
}

static void event_intercept(struct cpu *cpu, const struct cpu_event *event)
{
	if (cpu->vmx->nonroot && !event->injected && event_is_exception(event))
		vmx_intercept_exception(cpu, event);
}

/* A second event while `cpu->delivering` was under way. The exception bitmap is asked about the
 * second event itself first, and about a double fault after that, which is then no exit "during
 * event delivery": SDM 3C "Information for VM Exits During Event Delivery". */
static void event_nest(struct cpu *cpu, struct cpu_event *event)
{
	enum event_outcome outcome = event_combine(&cpu->delivering, event);

	cpu->delivering.valid = false;
	if (outcome == OUTCOME_TRIPLE_FAULT)
		event_triple_fault(cpu);
	if (outcome == OUTCOME_SERIAL)
		return;
	*event = (struct cpu_event){ .valid = true,
				     .vector = VECTOR_DF,
				     .type = INTR_TYPE_HARDWARE_EXCEPTION,
				     .has_error = true };
	event_intercept(cpu, event);
}

/* CR2, DR6 and DR7 change when the exception is delivered, not when a VM exit takes its place. Bits
 * B0-B3 are replaced, RTM tells the opposite of the payload, the other DR6 bits accumulate: SDM 3A
 * "Debug Status Register (DR6)". */
static void event_apply_payload(struct cpu *cpu, const struct cpu_event *event)
{
	bool debug = event->vector == VECTOR_DB && event_is_exception(event);
	uint64_t dr6 = event->dr6 & ~PENDING_DEBUG_ENABLED_BREAKPOINT;

	if (event->injected)
		return;
	if (event->vector == VECTOR_PF && event->type == INTR_TYPE_HARDWARE_EXCEPTION)
		cpu->cr2 = event->cr2;
	if (debug && dr6)
		cpu->dr6 = ((cpu->dr6 & ~UINT64_C(0xf)) | dr6 | DR6_RTM) ^ (dr6 & DR6_RTM);
	if (debug) {
		cpu->dr7 &= ~DR7_GD;
		cpu->msrs.debugctl &= ~(DEBUGCTL_LBR | DEBUGCTL_BTF);
	}
}

static void event_block_nmi(struct cpu *cpu, const struct cpu_event *event)
{
	if (event->type != INTR_TYPE_NMI)
		return;
	if (cpu->vmx->nonroot && (cpu->vmx->pin & PIN_VIRTUAL_NMIS))
		cpu->vmx->virtual_nmi_blocked = true;
	else
		cpu->nmi_blocked = true;
}

uint32_t event_ext(const struct cpu_event *event)
{
	return event->type == INTR_TYPE_SOFTWARE_INTERRUPT ||
			       event->type == INTR_TYPE_SOFTWARE_EXCEPTION ?
		       0 :
		       ERROR_EXT;
}

uint64_t event_return_rip(const struct cpu *cpu, const struct cpu_event *event)
{
	uint64_t rip = cpu_rip(cpu) + event->insn_length;

	return cpu_code64(cpu) ? rip : (uint32_t)rip;
}

/* SDM 3B "Instruction-Breakpoint Exception Condition": faults push RF = 1, but not the #DB of an
 * instruction breakpoint; aborts and traps push what there is. Injected events bring their own. */
uint64_t event_pushed_rflags(const struct cpu *cpu, const struct cpu_event *event)
{
	uint64_t rflags = cpu_rflags(cpu);
	bool fault = event->type == INTR_TYPE_HARDWARE_EXCEPTION && event->vector != VECTOR_DF &&
		     event->vector != VECTOR_MC;

	if (event->vector == VECTOR_DB)
		fault = fault && (event->dr6 & DR6_BD);
	return fault && !event->injected ? rflags | RFLAGS_RF : rflags;
}

static void event_dispatch(struct cpu *cpu, const struct cpu_event *event)
{
	if (!cpu_protected(cpu))
		deliver_real(cpu, event);
	else if (cpu_long_mode(cpu))
		deliver_long(cpu, event);
	else if (!cpu_vm86(cpu) || !deliver_vm86_redirect(cpu, event))
		deliver_protected(cpu, event);
}

/* The same in VMX non-root operation, where IF holds back less. */
static bool nonroot_wants_attention(struct cpu *cpu)
{
	const uint32_t windows = PRIMARY_NMI_WINDOW_EXITING | PRIMARY_INTERRUPT_WINDOW_EXITING;

	return (cpu->vmx->primary & windows) || vmx_wants_attention(cpu) ||
	       vmx_waits_for_interrupt_flag(cpu) ||
	       ((cpu->vmx->pin & PIN_EXTERNAL_INTERRUPT_EXITING) &&
		machine_interrupt_pending(cpu->machine));
}

/* Whether cpu_attend could find something before the first instruction of the handler. Interrupts
 * that IF holds back have their say when it is set. */
static bool wants_attention(struct cpu *cpu)
{
	if (cpu->pending_debug || cpu->nmi_pending || cpu->init_pending || cpu->sipi_pending ||
	    (cpu->eflags_rest & (RFLAGS_TF | RFLAGS_RF)) ||
	    debug_armed(cpu, BIT32(DEBUG_EXECUTE)))
		return true;
	if (cpu->vmx->nonroot && nonroot_wants_attention(cpu))
		return true;
	return (cpu->eflags_rest & RFLAGS_IF) && machine_interrupt_pending(cpu->machine);
}

static bool is_interrupt(const struct cpu_event *event)
{
	return event->type == INTR_TYPE_EXTERNAL || event->type == INTR_TYPE_NMI;
}

static void watch_event(struct cpu *cpu, const struct cpu_event *event)
{
	char error[24] = "", cr2[32] = "";

	if (event->has_error)
		snprintf(error, sizeof(error), " error=%x", event->error);
	if (event->type == INTR_TYPE_HARDWARE_EXCEPTION && event->vector == VECTOR_PF)
		snprintf(cr2, sizeof(cr2), " cr2=%" PRIx64, event->cr2);
	watch_tell(cpu->machine, "%s %u%s%s%s", is_interrupt(event) ? "interrupt" : "exception",
		   event->vector, event->injected ? " injected" : "", error, cr2);
}

/* INT n and its like retire, so whoever executes them makes progress. */
static void tell_interruption(struct cpu *cpu, const struct cpu_event *event)
{
	if (event->injected || event->insn_length)
		return;
	hang_saw_interruption(cpu->machine,
			      &(struct hang_interruption){
				  .guest = cpu->vmx->nonroot,
				  .cause = is_interrupt(event) ? HANG_INTERRUPT : HANG_EXCEPTION,
				  .number = event->vector,
				  .rip = cpu_rip(cpu),
				  .retired = cpu->insns,
				  .gpr = cpu->gpr,
			      });
}

void cpu_deliver_event(struct cpu *cpu)
{
	struct cpu_event event = cpu->event;
	uint64_t from = cpu_rip(cpu);

	cpu->event.valid = false;
	event_intercept(cpu, &event);
	if (cpu->delivering.valid)
		event_nest(cpu, &event);
	cpu->delivering = event;
	if (watches(cpu->machine, is_interrupt(&event) ? WATCH_INTERRUPTS : WATCH_EXCEPTIONS))
		watch_event(cpu, &event);
	tell_interruption(cpu, &event);
	event_apply_payload(cpu, &event);
	event_block_nmi(cpu, &event);
	cpu->activity = ACTIVITY_ACTIVE;
	cpu->monitor_armed = false;
	event_dispatch(cpu, &event);
	cpu->delivering.valid = false;
	cpu->sti_shadow = cpu->mov_ss_shadow = false;
	cpu->seen.shadow = cpu->seen.rf = cpu->seen.step = UINT64_MAX;
	if (event.insn_length && !event.injected)
		cpu->insns++; /* the INT instruction retires with its delivery */
	else
		branch_event(cpu, from);
	if (cpu->pt.on)
		pt_event(cpu, from);
	hang_saw_delivery(cpu->machine, cpu->insns);
	if (wants_attention(cpu))
		cpu->attention = true;
	cpu_charge(cpu, COST_INTERRUPT);
	cpu_mode_recheck(cpu);
}

void insn_int(struct cpu *cpu, const struct op *op)
{
	cpu_software_interrupt(cpu, (uint8_t)op->imm, INTR_TYPE_SOFTWARE_INTERRUPT);
}

void insn_int3(struct cpu *cpu, const struct op *op)
{
	cpu_software_interrupt(cpu, VECTOR_BP, INTR_TYPE_SOFTWARE_EXCEPTION);
}

void insn_into(struct cpu *cpu, const struct op *op)
{
	if (cpu_rflags(cpu) & RFLAGS_OF)
		cpu_software_interrupt(cpu, VECTOR_OF, INTR_TYPE_SOFTWARE_EXCEPTION);
}

void insn_int1(struct cpu *cpu, const struct op *op)
{
	cpu_software_interrupt(cpu, VECTOR_DB, INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION);
}
