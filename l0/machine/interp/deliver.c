/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Delivery of an event through the interrupt-vector table, or through a gate of the IDT. Checks
 * come in the order of SDM 2A "INT n/INTO/INT3/INT1--Call to Interrupt Procedure"; nothing but
 * stack memory and accessed bits changes before the last of them.
 */
#include "l0/machine/interp/cet.h"
#include "l0/machine/interp/sys.h"

/* What an interrupt or trap gate asks for. */
struct gate_call {
	const struct cpu_event *event;
	struct descriptor gate, cs;
	uint16_t selector;
	uint64_t rip;
	uint32_t ext;
	unsigned size; /* of a pushed item */
	unsigned cpl;  /* the handler's */
};

static bool event_is_software(const struct cpu_event *event)
{
	return event->type == INTR_TYPE_SOFTWARE_INTERRUPT ||
	       event->type == INTR_TYPE_SOFTWARE_EXCEPTION;
}

/* Pushes FLAGS, CS, IP and goes to an IVT entry; shared by real mode and redirected INT n. */
static void deliver_ivt(struct cpu *cpu, const struct cpu_event *event, uint64_t table,
			uint64_t rflags)
{
	struct stack stack = stack_current(cpu, 0);
	uint64_t entry = cpu_wrap_linear(cpu, table + 4u * event->vector);
	uint32_t target = (uint32_t)lin_read(cpu, entry, 4, MEM_READ | MEM_IMPLICIT_SUPERVISOR);

	stack_push(cpu, &stack, rflags, 2);
	stack_push(cpu, &stack, cpu->seg[SEG_CS].selector, 2);
	stack_push(cpu, &stack, event_return_rip(cpu, event), 2);
	stack_commit(cpu, &stack);
	seg_load_real(cpu, SEG_CS, (uint16_t)(target >> 16));
	cpu_rip(cpu) = target & 0xffff;
}

void deliver_real(struct cpu *cpu, const struct cpu_event *event)
{
	if (4u * event->vector + 3 > cpu->idtr.limit)
		cpu_fault(cpu, VECTOR_GP);
	deliver_ivt(cpu, event, cpu->idtr.base, event_pushed_rflags(cpu, event));
	cpu->eflags_rest &= ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
	cpu_mode_changed(cpu); /* AC */
}

/* The bit of the software interrupt redirection bitmap, the 32 bytes below the I/O bitmap: SDM 3B
 * "Virtual-8086 Mode Interrupt Extensions". */
static bool vm86_bitmap_bit(struct cpu *cpu, uint8_t vector)
{
	const struct segment *tr = &cpu->seg[SEG_TR];
	uint64_t byte;

	if (tr->limit < 0x67)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	byte = lin_read(cpu, cpu_wrap_linear(cpu, tr->base + 0x66), 2,
			MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	byte = byte - 32 + vector / 8;
	if (byte > tr->limit)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	byte = lin_read(cpu, cpu_wrap_linear(cpu, tr->base + byte), 1,
			MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	return byte >> (vector & 7) & 1;
}

bool deliver_vm86_redirect(struct cpu *cpu, const struct cpu_event *event)
{
	bool iopl3 = (cpu->eflags_rest & RFLAGS_IOPL) == RFLAGS_IOPL;
	uint64_t rflags = cpu_rflags(cpu);

	if (event->type != INTR_TYPE_SOFTWARE_INTERRUPT)
		return false;
	if (!(cpu->cr4 & CR4_VME) || vm86_bitmap_bit(cpu, event->vector)) {
		/* An injected interrupt without VME was the VMM's to check. */
		if (!iopl3 && !(event->injected && !(cpu->cr4 & CR4_VME)))
			cpu_fault_code(cpu, VECTOR_GP, 0);
		return false;
	}
	if (!iopl3) {
		rflags |= RFLAGS_IOPL;
		rflags = rflags & RFLAGS_VIF ? rflags | RFLAGS_IF : rflags & ~RFLAGS_IF;
	}
	deliver_ivt(cpu, event, 0, rflags);
	cpu->eflags_rest &= ~(RFLAGS_TF | RFLAGS_RF | (iopl3 ? RFLAGS_IF : RFLAGS_VIF));
	return true;
}

/* Reads and checks the gate itself; `size` of an IDT entry is 8 or 16 bytes. */
static void gate_read(struct cpu *cpu, struct gate_call *call, unsigned size, uint32_t types)
{
	const struct cpu_event *event = call->event;
	struct descriptor *gate = &call->gate;
	uint32_t error = event->vector * 8u | ERROR_IDT | call->ext;
	uint64_t address = cpu_wrap_linear(cpu, cpu->idtr.base + size * event->vector);
	uint64_t raw;

	if (event->vector * size + size - 1 > cpu->idtr.limit)
		cpu_fault_code(cpu, VECTOR_GP, error);
	raw = lin_read(cpu, address, 8, MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	*gate = (struct descriptor){ .low = (uint32_t)raw, .high = (uint32_t)(raw >> 32) };
	if (size == 16)
		gate->upper = (uint32_t)lin_read(cpu, address + 8, 4,
						 MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	if (!desc_is_system(gate) || !(types >> desc_type(gate) & 1))
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (event_is_software(event) && desc_dpl(gate) < cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(gate))
		cpu_fault_code(cpu, VECTOR_NP, error);
}

/* Reads and checks the handler's code segment and decides the handler's privilege. */
static void gate_read_code(struct cpu *cpu, struct gate_call *call)
{
	uint16_t selector = gate_selector(&call->gate);
	uint32_t error = SELECTOR_ERROR(selector) | call->ext;
	struct descriptor *cs = &call->cs;

	call->selector = selector;
	call->rip = gate_offset(&call->gate);
	if (SELECTOR_NULL(selector))
		cpu_fault_code(cpu, VECTOR_GP, call->ext);
	if (!desc_read(cpu, selector, cs) || !desc_is_code(cs) || desc_dpl(cs) > cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(cs))
		cpu_fault_code(cpu, VECTOR_NP, error);
	if (cpu_long_mode(cpu) && (desc_ar(cs) & (AR_L | AR_DB)) != AR_L)
		cpu_fault_code(cpu, VECTOR_GP, error);
	call->cpl = desc_is_conforming(cs) ? cpu->cpl : desc_dpl(cs);
	if (cpu_vm86(cpu) && call->cpl != 0)
		cpu_fault_code(cpu, VECTOR_GP, error);
}

static void gate_check_rip(struct cpu *cpu, const struct gate_call *call)
{
	if (cpu_long_mode(cpu) ? !cpu_canonical(cpu, call->rip) : call->rip > desc_limit(&call->cs))
		cpu_fault_code(cpu, VECTOR_GP, call->ext);
}

/* Room for `count` items and an error code first, then the target, then memory changes. */
static void gate_check_push(struct cpu *cpu, const struct gate_call *call,
			    const struct stack *stack, unsigned count)
{
	stack_check(cpu, stack, count + call->event->has_error, call->size);
	gate_check_rip(cpu, call);
}

/* The old SS:RSP if the stack is switched, FLAGS, CS, RIP, error code. */
static void gate_push_frame(struct cpu *cpu, const struct gate_call *call, struct stack *stack,
			    bool with_stack)
{
	const uint64_t frame[] = {
		cpu->seg[SEG_SS].selector,
		cpu->gpr[REG_RSP],
		event_pushed_rflags(cpu, call->event),
		cpu->seg[SEG_CS].selector,
		event_return_rip(cpu, call->event),
		call->event->error,
	};
	unsigned first = with_stack ? 0 : 2;

	stack_push_items(cpu, stack, frame + first, 5 - first + call->event->has_error, call->size);
}

/* The shadow stack that the handler starts with. ist: the table's entry. */
static uint64_t gate_shadow_stack(struct cpu *cpu, const struct gate_call *call, unsigned ist)
{
	struct cet_call to = {.cpl = call->cpl,
			      .code64 = desc_ar(&call->cs) & AR_L && cpu_long_mode(cpu),
			      .switches = ist || call->cpl != cpu->cpl};

	if (!cet_set(cpu, call->cpl, CET_SH_STK_EN))
		return cpu->cet.ssp;
	to.lip = event_return_rip(cpu, call->event);
	if (!cpu_code64(cpu))
		to.lip = (uint32_t)(to.lip + cpu->seg[SEG_CS].base);
	if (ist)
		to.ssp = lin_read(cpu, cpu->cet.ssp_table + 8u * ist, 8,
				  MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	else if (to.switches)
		to.ssp = cpu->cet.pl_ssp[call->cpl];
	return cet_call(cpu, &to);
}

/* Commits: nothing faults any more. */
static void gate_enter(struct cpu *cpu, struct gate_call *call, uint64_t ssp)
{
	uint64_t clear = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM;

	if (cpu->cpl == 3 && call->cpl != 3 && cet_shadow_stack(cpu))
		cet_leave_user(cpu);
	cpu->cet.ssp = ssp;
	if (!(desc_type(&call->gate) & 1))
		clear |= RFLAGS_IF;
	seg_set_cs(cpu, call->selector, &call->cs, call->cpl);
	cpu->eflags_rest &= ~clear;
	cpu_rip(cpu) = call->rip;
	cet_track_far(cpu);
}

static void gate_same_level(struct cpu *cpu, struct gate_call *call)
{
	struct stack stack = stack_current(cpu, call->ext);

	gate_check_push(cpu, call, &stack, 3);
	gate_push_frame(cpu, call, &stack, false);
	desc_set_accessed(cpu, &call->cs);
	gate_enter(cpu, call, gate_shadow_stack(cpu, call, 0));
	stack_commit(cpu, &stack);
}

static void gate_inner_level(struct cpu *cpu, struct gate_call *call)
{
	static const uint8_t data_segs[] = { SEG_GS, SEG_FS, SEG_DS, SEG_ES };
	bool vm86 = cpu_vm86(cpu);
	struct segment ss;
	struct stack stack;
	uint64_t sp, ssp;

	seg_inner_stack(cpu, call->cpl, call->ext, &ss, &sp);
	stack = stack_make(&ss, sp, false, SELECTOR_ERROR(ss.selector) | call->ext);
	stack.access = MEM_IMPLICIT_SUPERVISOR;
	gate_check_push(cpu, call, &stack, vm86 ? 9 : 5);
	for (unsigned i = 0; vm86 && i < sizeof(data_segs); i++)
		stack_push(cpu, &stack, cpu->seg[data_segs[i]].selector, call->size);
	gate_push_frame(cpu, call, &stack, true);
	desc_set_accessed(cpu, &call->cs);
	ssp = gate_shadow_stack(cpu, call, 0);
	for (unsigned i = 0; vm86 && i < sizeof(data_segs); i++)
		cpu->seg[data_segs[i]] = desc_null_segment(0);
	cpu->seg[SEG_SS] = ss;
	gate_enter(cpu, call, ssp);
	stack_commit(cpu, &stack);
}

static void deliver_task_gate(struct cpu *cpu, struct gate_call *call)
{
	uint16_t selector = gate_selector(&call->gate);
	uint32_t error = SELECTOR_ERROR(selector) | call->ext;
	struct descriptor tss;

	/* The TSS must be in the GDT and available, "Task-gate" part of the operation. */
	if ((selector & SELECTOR_TI) || SELECTOR_NULL(selector) || !desc_read(cpu, selector, &tss))
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_is_system(&tss) ||
	    (desc_type(&tss) != DESC_TSS_AVAIL && desc_type(&tss) != DESC_TSS16_AVAIL))
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(&tss))
		cpu_fault_code(cpu, VECTOR_NP, error);
	task_switch(cpu, selector, &tss, TASK_SWITCH_GATE, event_return_rip(cpu, call->event),
		    call->event);
}

void deliver_protected(struct cpu *cpu, const struct cpu_event *event)
{
	struct gate_call call = { .event = event, .ext = event_ext(event) };

	gate_read(cpu, &call, 8,
		  BIT32(DESC_TASK_GATE) | BIT32(DESC_INT_GATE16) | BIT32(DESC_TRAP_GATE16) |
			  BIT32(DESC_INT_GATE) | BIT32(DESC_TRAP_GATE));
	if (desc_type(&call.gate) == DESC_TASK_GATE) {
		deliver_task_gate(cpu, &call);
		return;
	}
	call.size = desc_type(&call.gate) & 8 ? 4 : 2;
	gate_read_code(cpu, &call);
	if (call.cpl == cpu->cpl)
		gate_same_level(cpu, &call);
	else
		gate_inner_level(cpu, &call);
}

/* RSP from an interrupt-stack-table entry, SDM 3A "Interrupt Stack Table". */
static uint64_t tss_read_ist(struct cpu *cpu, unsigned ist, uint32_t ext)
{
	const struct segment *tr = &cpu->seg[SEG_TR];
	uint32_t offset = 0x24 + 8 * (ist - 1);

	if (offset + 7 > tr->limit)
		cpu_fault_code(cpu, VECTOR_TS, SELECTOR_ERROR(tr->selector) | ext);
	return lin_read(cpu, tr->base + offset, 8, MEM_READ | MEM_IMPLICIT_SUPERVISOR);
}

/* SDM 3A "64-Bit Mode Stack Frame": SS:RSP is always pushed, RSP is aligned to 16 first. */
void deliver_long(struct cpu *cpu, const struct cpu_event *event)
{
	struct gate_call call = { .event = event, .ext = event_ext(event), .size = 8 };
	struct segment ss = cpu->seg[SEG_SS];
	uint64_t rsp = cpu->gpr[REG_RSP], ssp;
	struct stack stack;
	unsigned ist;
	bool inner;

	gate_read(cpu, &call, 16, BIT32(DESC_INT_GATE) | BIT32(DESC_TRAP_GATE));
	gate_read_code(cpu, &call);
	ist = call.gate.high & 7;
	inner = call.cpl != cpu->cpl;
	if (inner && !ist)
		seg_inner_stack(cpu, call.cpl, call.ext, &ss, &rsp);
	else if (inner)
		ss = desc_null_segment((uint16_t)call.cpl);
	if (ist)
		rsp = tss_read_ist(cpu, ist, call.ext);
	stack = stack_make(&ss, rsp & ~UINT64_C(15), true, call.ext);
	stack.access = inner ? MEM_IMPLICIT_SUPERVISOR : 0;
	gate_check_push(cpu, &call, &stack, 5);
	gate_push_frame(cpu, &call, &stack, true);
	desc_set_accessed(cpu, &call.cs);
	ssp = gate_shadow_stack(cpu, &call, ist);
	if (inner) {
		ss.ar |= call.cpl << AR_DPL_SHIFT; /* VMX reads CPL from a null SS, too */
		cpu->seg[SEG_SS] = ss;
	}
	gate_enter(cpu, &call, ssp);
	stack_commit(cpu, &stack);
}
