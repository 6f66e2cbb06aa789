/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Far JMP and far CALL, with call gates and task switches. Order of checks: SDM 2A "JMP--Jump",
 * "CALL-- Call Procedure". Returns are in far_return.c.
 */
#include "l0/machine/interp/cet.h"
#include "l0/machine/interp/sys.h"
#include "l0/machine/interp/insns.h"

bool far_is_code64(const struct cpu *cpu, const struct far_target *target)
{
	return cpu_long_mode(cpu) && (desc_ar(&target->d) & AR_L);
}

void far_check_rip(struct cpu *cpu, const struct far_target *target)
{
	bool code64 = far_is_code64(cpu, target);

	if (code64 ? !cpu_canonical(cpu, target->rip) : target->rip > desc_limit(&target->d))
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

void far_enter(struct cpu *cpu, struct far_target *target)
{
	seg_set_cs(cpu, target->selector, &target->d, target->cpl);
	cpu->next_rip = target->rip;
	cpu_mode_recheck(cpu);
}

/* In IA-32e mode L and D/B must not both be set. */
static bool code_mode_valid(const struct cpu *cpu, const struct descriptor *d)
{
	return !cpu_long_mode(cpu) || (desc_ar(d) & (AR_L | AR_DB)) != (AR_L | AR_DB);
}

static void far_read(struct cpu *cpu, struct far_target *target)
{
	if (SELECTOR_NULL(target->selector))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (!desc_read(cpu, target->selector, &target->d))
		cpu_fault_code(cpu, VECTOR_GP, SELECTOR_ERROR(target->selector));
}

/* Direct transfer to a code segment: never changes CPL. */
static void far_check_code(struct cpu *cpu, struct far_target *target)
{
	const struct descriptor *d = &target->d;
	uint32_t error = SELECTOR_ERROR(target->selector);
	unsigned rpl = target->selector & SELECTOR_RPL;

	if (!code_mode_valid(cpu, d))
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (desc_is_conforming(d) ? desc_dpl(d) > cpu->cpl
				  : rpl > cpu->cpl || desc_dpl(d) != cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(d))
		cpu_fault_code(cpu, VECTOR_NP, error);
	target->cpl = cpu->cpl;
}

/* DPL and presence of a gate or TSS reached by its selector. */
static void far_check_system(struct cpu *cpu, uint16_t selector, const struct descriptor *d)
{
	uint32_t error = SELECTOR_ERROR(selector);

	if (desc_dpl(d) < cpu->cpl || desc_dpl(d) < (selector & SELECTOR_RPL))
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(d))
		cpu_fault_code(cpu, VECTOR_NP, error);
}

static void far_check_tss(struct cpu *cpu, uint16_t selector, const struct descriptor *d)
{
	uint32_t error = SELECTOR_ERROR(selector);

	if (!desc_is_system(d) ||
	    (desc_type(d) != DESC_TSS_AVAIL && desc_type(d) != DESC_TSS16_AVAIL))
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(d))
		cpu_fault_code(cpu, VECTOR_NP, error);
}

static void far_task(struct cpu *cpu, struct far_target *target,
		     enum task_switch_source source)
{
	uint16_t selector = target->selector;

	if (cpu_long_mode(cpu))
		cpu_fault_code(cpu, VECTOR_GP, SELECTOR_ERROR(selector));
	far_check_system(cpu, selector, &target->d);
	if (desc_type(&target->d) == DESC_TASK_GATE) {
		selector = gate_selector(&target->d);
		if ((selector & SELECTOR_TI) || SELECTOR_NULL(selector) ||
		    !desc_read(cpu, selector, &target->d))
			cpu_fault_code(cpu, VECTOR_GP, SELECTOR_ERROR(selector));
	}
	far_check_tss(cpu, selector, &target->d);
	task_switch(cpu, selector, &target->d, source, cpu->next_rip, NULL);
}

/* A call gate read into `gate`: checks it and reads the code segment it names. IA-32e mode knows
 * 64-bit gates only, SDM 3A "IA-32e Mode Call Gates". */
static void far_gate(struct cpu *cpu, struct far_target *gate, struct far_target *target, bool call)
{
	const struct descriptor *d = &target->d;
	uint32_t error = SELECTOR_ERROR(gate->selector);

	far_check_system(cpu, gate->selector, &gate->d);
	if (!desc_read_upper(cpu, gate->selector, &gate->d) || (gate->d.tail >> 8 & 0x1f))
		cpu_fault_code(cpu, VECTOR_GP, error);
	target->selector = gate_selector(&gate->d);
	target->rip = gate_offset(&gate->d);
	far_read(cpu, target);
	error = SELECTOR_ERROR(target->selector);
	if (!desc_is_code(d) || desc_dpl(d) > cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!call && !desc_is_conforming(d) && desc_dpl(d) != cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (cpu_long_mode(cpu) && (desc_ar(d) & (AR_L | AR_DB)) != AR_L)
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(d))
		cpu_fault_code(cpu, VECTOR_NP, error);
	target->cpl = desc_is_conforming(d) ? cpu->cpl : desc_dpl(d);
}

static bool far_is_call_gate(const struct cpu *cpu, const struct descriptor *d)
{
	return desc_type(d) == DESC_CALL_GATE ||
	       (desc_type(d) == DESC_CALL_GATE16 && !cpu_long_mode(cpu));
}

static bool far_is_task(const struct descriptor *d)
{
	return desc_type(d) == DESC_TASK_GATE || desc_type(d) == DESC_TSS_AVAIL ||
	       desc_type(d) == DESC_TSS16_AVAIL;
}

static void far_real(struct cpu *cpu, uint16_t selector, uint64_t offset)
{
	if (offset > cpu->seg[SEG_CS].limit)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	seg_load_real(cpu, SEG_CS, selector);
	cpu->next_rip = offset;
	cpu_mode_recheck(cpu);
}

static void far_jmp(struct cpu *cpu, uint16_t selector, uint64_t offset)
{
	struct far_target target = { .selector = selector, .rip = offset }, gate;

	if (cpu_real_or_vm86(cpu)) {
		far_real(cpu, selector, offset);
		return;
	}
	far_read(cpu, &target);
	if (desc_is_code(&target.d)) {
		far_check_code(cpu, &target);
	} else if (desc_is_system(&target.d) && far_is_call_gate(cpu, &target.d)) {
		gate = target;
		far_gate(cpu, &gate, &target, false);
	} else if (desc_is_system(&target.d) && far_is_task(&target.d)) {
		far_task(cpu, &target, TASK_SWITCH_JMP);
		return;
	} else {
		cpu_fault_code(cpu, VECTOR_GP, SELECTOR_ERROR(selector));
	}
	far_check_rip(cpu, &target);
	if (cet_shadow_stack(cpu))
		cet_check_legacy(cpu, far_is_code64(cpu, &target));
	desc_set_accessed(cpu, &target.d);
	far_enter(cpu, &target);
	cet_track_far(cpu);
}

static void far_call_real(struct cpu *cpu, uint16_t selector, uint64_t offset, unsigned size)
{
	struct stack stack = stack_current(cpu, 0);

	if (offset > cpu->seg[SEG_CS].limit)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	stack_push(cpu, &stack, cpu->seg[SEG_CS].selector, size);
	stack_push(cpu, &stack, cpu->next_rip, size);
	far_real(cpu, selector, offset);
	stack_commit(cpu, &stack);
}

/* Linear address of the instruction after the CALL. */
static uint64_t far_return_lip(const struct cpu *cpu)
{
	return cpu_code64(cpu) ? cpu->next_rip
			       : (uint32_t)(cpu->seg[SEG_CS].base + cpu->next_rip);
}

static void far_call_same(struct cpu *cpu, struct far_target *target, unsigned size)
{
	struct stack stack = stack_current(cpu, 0);

	stack_check(cpu, &stack, 2, size);
	far_check_rip(cpu, target);
	stack_push(cpu, &stack, cpu->seg[SEG_CS].selector, size);
	stack_push(cpu, &stack, cpu->next_rip, size);
	desc_set_accessed(cpu, &target->d);
	cpu->cet.ssp = cet_call(cpu, &(struct cet_call){.cpl = cpu->cpl,
							.code64 = far_is_code64(cpu, target),
							.lip = far_return_lip(cpu)});
	far_enter(cpu, target);
	stack_commit(cpu, &stack);
	cet_track_far(cpu);
}

static void far_switch_shadow_stack(struct cpu *cpu, const struct far_target *target)
{
	uint64_t ssp = cet_call(cpu, &(struct cet_call){.cpl = target->cpl,
							.code64 = far_is_code64(cpu, target),
							.switches = true,
							.ssp = cpu->cet.pl_ssp[target->cpl],
							.lip = far_return_lip(cpu)});

	if (cpu->cpl == 3 && cet_shadow_stack(cpu))
		cet_leave_user(cpu);
	cpu->cet.ssp = ssp;
}

/* CALL, MORE-PRIVILEGE. 64-bit gates copy no parameters. */
static void far_call_inner(struct cpu *cpu, const struct far_target *gate,
			   struct far_target *target, unsigned size)
{
	unsigned count = size == 8 ? 0 : gate->d.high & 0x1f;
	struct stack old = stack_current(cpu, 0), stack;
	struct segment ss;
	uint64_t sp;

	seg_inner_stack(cpu, target->cpl, 0, &ss, &sp);
	stack = stack_make(&ss, sp, cpu_long_mode(cpu), SELECTOR_ERROR(ss.selector));
	stack.access = MEM_IMPLICIT_SUPERVISOR;
	stack_check(cpu, &stack, 4 + count, size);
	far_check_rip(cpu, target);
	stack_push(cpu, &stack, cpu->seg[SEG_SS].selector, size);
	stack_push(cpu, &stack, cpu->gpr[REG_RSP], size);
	while (count--)
		stack_push(cpu, &stack, stack_peek(cpu, &old, count * size, size), size);
	stack_push(cpu, &stack, cpu->seg[SEG_CS].selector, size);
	stack_push(cpu, &stack, cpu->next_rip, size);
	desc_set_accessed(cpu, &target->d);
	far_switch_shadow_stack(cpu, target);
	cpu->seg[SEG_SS] = ss;
	far_enter(cpu, target);
	stack_commit(cpu, &stack);
	cet_track_far(cpu);
}

static void far_call_gate(struct cpu *cpu, struct far_target *gate)
{
	unsigned size = cpu_long_mode(cpu) ? 8 : desc_type(&gate->d) & 8 ? 4 : 2;
	struct far_target target = { 0 };

	far_gate(cpu, gate, &target, true);
	if (target.cpl == cpu->cpl)
		far_call_same(cpu, &target, size);
	else
		far_call_inner(cpu, gate, &target, size);
}

static void far_call(struct cpu *cpu, uint16_t selector, uint64_t offset, unsigned size)
{
	struct far_target target = { .selector = selector, .rip = offset };

	if (cpu_real_or_vm86(cpu)) {
		far_call_real(cpu, selector, offset, size);
		return;
	}
	far_read(cpu, &target);
	if (desc_is_code(&target.d)) {
		far_check_code(cpu, &target);
		far_call_same(cpu, &target, size);
	} else if (desc_is_system(&target.d) && far_is_call_gate(cpu, &target.d)) {
		far_call_gate(cpu, &target);
	} else if (desc_is_system(&target.d) && far_is_task(&target.d)) {
		far_task(cpu, &target, TASK_SWITCH_CALL);
	} else {
		cpu_fault_code(cpu, VECTOR_GP, SELECTOR_ERROR(selector));
	}
}

/* m16:16, m16:32, m16:64: offset first, selector above it. */
static uint16_t far_memory_operand(struct cpu *cpu, const struct op *op, uint64_t *offset)
{
	uint64_t ea = op_ea(cpu, op);

	if (!(op->flags & OP_MEMORY))
		cpu_fault(cpu, VECTOR_UD);
	*offset = mem_read(cpu, op->seg, ea, op->opsize);
	return (uint16_t)mem_read(cpu, op->seg, op_ea_add(op, ea, op->opsize), 2);
}

/* ptr16:16 and ptr16:32 come in op->disp (selector) and op->imm (offset). */
void insn_far_jmp(struct cpu *cpu, const struct op *op)
{
	far_jmp(cpu, (uint16_t)op->disp, mask_to_size((uint32_t)op->imm, op->opsize));
}

void insn_far_call(struct cpu *cpu, const struct op *op)
{
	far_call(cpu, (uint16_t)op->disp, mask_to_size((uint32_t)op->imm, op->opsize), op->opsize);
}

void insn_far_jmp_m(struct cpu *cpu, const struct op *op)
{
	uint64_t offset;
	uint16_t selector = far_memory_operand(cpu, op, &offset);

	far_jmp(cpu, selector, offset);
}

void insn_far_call_m(struct cpu *cpu, const struct op *op)
{
	uint64_t offset;
	uint16_t selector = far_memory_operand(cpu, op, &offset);

	far_call(cpu, selector, offset, op->opsize);
}
