/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Far RET and IRET. Order of checks: SDM 2B "RET--Return From Procedure", SDM 2A
 * "IRET/IRETD/IRETQ-- Interrupt Return".
 */
#include "l0/machine/interp/cet.h"
#include "l0/machine/interp/sys.h"

#include "l0/machine/hang.h"
#include "l0/machine/interp/insns.h"

void far_check_return(struct cpu *cpu, struct far_target *target)
{
	struct descriptor *d = &target->d;
	uint32_t error = SELECTOR_ERROR(target->selector);

	target->cpl = target->selector & SELECTOR_RPL;
	if (SELECTOR_NULL(target->selector))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (!desc_read(cpu, target->selector, d) || !desc_is_code(d) || target->cpl < cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (desc_is_conforming(d) ? desc_dpl(d) > target->cpl : desc_dpl(d) != target->cpl)
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (cpu_long_mode(cpu) && (desc_ar(d) & (AR_L | AR_DB)) == (AR_L | AR_DB))
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(d))
		cpu_fault_code(cpu, VECTOR_NP, error);
}

struct segment far_check_return_ss(struct cpu *cpu, const struct far_target *target,
				   uint16_t selector)
{
	bool code64 = cpu_long_mode(cpu) && (desc_ar(&target->d) & AR_L);
	uint32_t error = SELECTOR_ERROR(selector);
	struct segment null = desc_null_segment(selector);
	struct descriptor d;

	if (SELECTOR_NULL(selector)) {
		if (!code64 || target->cpl == 3 || (selector & SELECTOR_RPL) != target->cpl)
			cpu_fault_code(cpu, VECTOR_GP, 0);
		null.ar |= target->cpl << AR_DPL_SHIFT;
		return null;
	}
	if ((selector & SELECTOR_RPL) != target->cpl || !desc_read(cpu, selector, &d) ||
	    !desc_is_writable_data(&d) || desc_dpl(&d) != target->cpl)
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(&d))
		cpu_fault_code(cpu, VECTOR_SS, error);
	desc_set_accessed(cpu, &d);
	return desc_segment(selector, &d);
}

static uint64_t return_shadow_stack(struct cpu *cpu, const struct far_target *target, bool iret)
{
	struct cet_return ret = {.selector = target->selector,
				 .lip = target->rip,
				 .cpl = target->cpl,
				 .code64 = far_is_code64(cpu, target),
				 .iret = iret};

	if (!(cpu->cr4 & CR4_CET))
		return cpu->cet.ssp;
	if (!ret.code64)
		ret.lip = (uint32_t)(ret.lip + desc_base(&target->d));
	return cet_return(cpu, &ret);
}

/* The end of every return that reloads SS:RSP. */
static void far_enter_stack(struct cpu *cpu, struct far_target *target, const struct segment *ss,
			    uint64_t sp, bool iret)
{
	bool outer = target->cpl > cpu->cpl;
	struct stack stack;

	far_check_rip(cpu, target);
	desc_set_accessed(cpu, &target->d);
	cpu->cet.ssp = return_shadow_stack(cpu, target, iret);
	cpu->seg[SEG_SS] = *ss;
	far_enter(cpu, target);
	stack = stack_current(cpu, 0);
	stack.sp = sp;
	stack_commit(cpu, &stack);
	if (outer)
		seg_drop_inner(cpu);
}

static void ret_real(struct cpu *cpu, const struct op *op, unsigned release)
{
	struct stack stack = stack_current(cpu, 0);
	uint64_t rip = stack_pop(cpu, &stack, op->opsize);
	uint16_t selector = (uint16_t)stack_pop(cpu, &stack, op->opsize);

	if (rip > cpu->seg[SEG_CS].limit)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	stack.sp += release;
	seg_load_real(cpu, SEG_CS, selector);
	stack_commit(cpu, &stack);
	cpu->next_rip = rip;
	cpu_mode_recheck(cpu);
}

static void ret_far(struct cpu *cpu, const struct op *op, unsigned release)
{
	struct stack stack = stack_current(cpu, 0);
	struct far_target target = { 0 };
	struct segment ss;
	uint64_t sp;

	if (cpu_real_or_vm86(cpu)) {
		ret_real(cpu, op, release);
		return;
	}
	target.rip = stack_pop(cpu, &stack, op->opsize);
	target.selector = (uint16_t)stack_pop(cpu, &stack, op->opsize);
	far_check_return(cpu, &target);
	stack.sp += release;
	if (target.cpl == cpu->cpl) {
		far_check_rip(cpu, &target);
		desc_set_accessed(cpu, &target.d);
		cpu->cet.ssp = return_shadow_stack(cpu, &target, false);
		stack_commit(cpu, &stack);
		far_enter(cpu, &target);
		return;
	}
	sp = stack_pop(cpu, &stack, op->opsize);
	ss = far_check_return_ss(cpu, &target, (uint16_t)stack_pop(cpu, &stack, op->opsize));
	far_enter_stack(cpu, &target, &ss, sp + release, false);
}

void insn_retf(struct cpu *cpu, const struct op *op)
{
	ret_far(cpu, op, 0);
}

void insn_retf_i(struct cpu *cpu, const struct op *op)
{
	ret_far(cpu, op, (uint16_t)op->imm);
}

/* ---- IRET ---- */

#define IRET_FLAGS                                                                                 \
	(RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)

/* The flags that IRET loads at the current privilege. */
static uint64_t iret_mask(const struct cpu *cpu, unsigned opsize)
{
	unsigned iopl = (unsigned)(cpu->eflags_rest >> RFLAGS_IOPL_SHIFT) & 3;
	uint64_t mask = IRET_FLAGS;

	if (cpu->cpl <= iopl)
		mask |= RFLAGS_IF;
	if (cpu->cpl == 0)
		mask |= RFLAGS_IOPL | RFLAGS_VIF | RFLAGS_VIP;
	return opsize == 2 ? mask & 0xffff : mask;
}

/* Real mode, and virtual-8086 mode with IOPL 3. */
static void iret_real(struct cpu *cpu, const struct op *op)
{
	struct stack stack = stack_current(cpu, 0);
	uint64_t rip = stack_pop(cpu, &stack, op->opsize);
	uint16_t selector = (uint16_t)stack_pop(cpu, &stack, op->opsize);
	uint64_t rflags = stack_pop(cpu, &stack, op->opsize);
	uint64_t mask = IRET_FLAGS | RFLAGS_IF | (cpu_vm86(cpu) ? 0 : RFLAGS_IOPL);

	if (rip > cpu->seg[SEG_CS].limit)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	seg_load_real(cpu, SEG_CS, selector);
	stack_commit(cpu, &stack);
	cpu->next_rip = rip;
	flags_load(cpu, rflags, op->opsize == 2 ? mask & 0xffff : mask);
	cpu_mode_recheck(cpu);
}

/* Virtual-8086 mode with IOPL < 3: only the 16-bit form, with CR4.VME, on VIF instead of IF. SDM 3B
 * "Class 2--Maskable Hardware Interrupt Handling in Virtual-8086 Mode Using the Virtual Interrupt
 * Mechanism". */
static void iret_vme(struct cpu *cpu, const struct op *op)
{
	struct stack stack = stack_current(cpu, 0);
	uint64_t rip, rflags;
	uint16_t selector;

	if (!(cpu->cr4 & CR4_VME) || op->opsize != 2)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	rip = stack_pop(cpu, &stack, 2);
	selector = (uint16_t)stack_pop(cpu, &stack, 2);
	rflags = stack_pop(cpu, &stack, 2);
	if ((rflags & RFLAGS_TF) || ((cpu->eflags_rest & RFLAGS_VIP) && (rflags & RFLAGS_IF)))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (rflags & RFLAGS_IF)
		rflags |= RFLAGS_VIF;
	seg_load_real(cpu, SEG_CS, selector);
	stack_commit(cpu, &stack);
	cpu->next_rip = rip;
	flags_load(cpu, rflags, (IRET_FLAGS & 0xffff) | RFLAGS_VIF);
	cpu_mode_recheck(cpu);
}

/* RETURN-TO-VIRTUAL-8086-MODE: the frame goes on with ESP, SS, ES, DS, FS, GS. */
static void iret_to_vm86(struct cpu *cpu, struct stack *stack, uint64_t rip, uint16_t cs,
			 uint64_t rflags)
{
	static const uint8_t order[] = { SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS };
	uint16_t selector[sizeof(order)];
	uint64_t sp = stack_pop(cpu, stack, 4);

	for (unsigned i = 0; i < sizeof(order); i++)
		selector[i] = (uint16_t)stack_pop(cpu, stack, 4);
	if (rip > 0xffff)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	cet_return_vm86(cpu);
	flags_load(cpu, rflags, iret_mask(cpu, 4) | RFLAGS_VM);
	cpu->cpl = 3;
	seg_load_real(cpu, SEG_CS, cs);
	for (unsigned i = 0; i < sizeof(order); i++)
		seg_load_real(cpu, (enum x86_seg)order[i], selector[i]);
	cpu->gpr[REG_RSP] = (uint32_t)sp;
	cpu->next_rip = rip;
	cpu_mode_recheck(cpu);
}

/* RETURN of the nested task: the back link of the current TSS. */
static void iret_task(struct cpu *cpu)
{
	uint64_t link = cpu_wrap_linear(cpu, cpu->seg[SEG_TR].base);
	uint16_t selector =
		(uint16_t)lin_read(cpu, link, 2, MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	uint32_t error = SELECTOR_ERROR(selector);
	struct descriptor d;

	if ((selector & SELECTOR_TI) || SELECTOR_NULL(selector) || !desc_read(cpu, selector, &d))
		cpu_fault_code(cpu, VECTOR_TS, error);
	if (!desc_is_system(&d) ||
	    (desc_type(&d) != DESC_TSS_BUSY && desc_type(&d) != DESC_TSS16_BUSY))
		cpu_fault_code(cpu, VECTOR_TS, error);
	if (!desc_present(&d))
		cpu_fault_code(cpu, VECTOR_NP, error);
	task_switch(cpu, selector, &d, TASK_SWITCH_IRET, cpu->next_rip, NULL);
}

/* 64-bit code always pops SS:RSP; other code only when it returns outwards. */
static void iret_protected(struct cpu *cpu, const struct op *op)
{
	struct stack stack = stack_current(cpu, 0);
	uint64_t mask = iret_mask(cpu, op->opsize), frame[3], outer[2], rflags;
	struct far_target target = { 0 };
	struct segment ss;

	stack_pop_items(cpu, &stack, frame, 3, op->opsize);
	target.rip = frame[0];
	target.selector = (uint16_t)frame[1];
	rflags = frame[2];
	if ((rflags & RFLAGS_VM) && cpu->cpl == 0 && !cpu_long_mode(cpu) && op->opsize == 4) {
		iret_to_vm86(cpu, &stack, target.rip, target.selector, rflags);
		return;
	}
	far_check_return(cpu, &target);
	if (cpu_code64(cpu) || target.cpl != cpu->cpl) {
		stack_pop_items(cpu, &stack, outer, 2, op->opsize);
		ss = far_check_return_ss(cpu, &target, (uint16_t)outer[1]);
		far_enter_stack(cpu, &target, &ss, outer[0], true);
	} else {
		far_check_rip(cpu, &target);
		desc_set_accessed(cpu, &target.d);
		cpu->cet.ssp = return_shadow_stack(cpu, &target, true);
		stack_commit(cpu, &stack);
		far_enter(cpu, &target);
	}
	flags_load(cpu, rflags, mask);
	cpu_mode_recheck(cpu);
}

/* IRET unblocks NMIs even if it goes on to fault; in VMX non-root operation the controls decide
 * what it unblocks: SDM 3C "Changes to Instruction Behavior in VMX Non-Root Operation". */
static void iret_unblock_nmi(struct cpu *cpu)
{
	if (cpu->vmx->nonroot)
		vmx_iret(cpu);
	else
		cpu->nmi_blocked = false;
	if (cpu->nmi_pending)
		cpu->attention = true;
}

static void iret(struct cpu *cpu, const struct op *op)
{
	if (cpu_vm86(cpu) && (cpu->eflags_rest & RFLAGS_IOPL) != RFLAGS_IOPL) {
		iret_vme(cpu, op);
		iret_unblock_nmi(cpu);
		return;
	}
	iret_unblock_nmi(cpu);
	if (cpu_real_or_vm86(cpu)) {
		iret_real(cpu, op);
	} else if (cpu->eflags_rest & RFLAGS_NT) {
		if (cpu_long_mode(cpu))
			cpu_fault_code(cpu, VECTOR_GP, 0);
		iret_task(cpu);
	} else {
		iret_protected(cpu, op);
	}
}

/* The IRET itself is yet to retire. */
void insn_iret(struct cpu *cpu, const struct op *op)
{
	iret(cpu, op);
	hang_saw_return(cpu->machine, cpu->vmx->nonroot, cpu->next_rip, cpu->gpr[REG_RSP],
			cpu_retired(cpu) + 1);
}
