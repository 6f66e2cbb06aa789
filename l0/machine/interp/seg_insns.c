/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions on segment registers and selectors: MOV and PUSH/POP Sreg, LDS..LGS, LAR, LSL, VERR,
 * VERW, ARPL.
 */
#include "l0/machine/interp/sys.h"
#include "l0/machine/interp/insns.h"

/* A load of SS blocks interrupts and debug traps for one instruction; a second one in a row does
 * not prolong it: SDM 3A "Masking Exceptions and Interrupts When Switching Stacks". */
static void load_ss_shadow(struct cpu *cpu)
{
	if (!cpu->mov_ss_shadow)
		cpu_block_by_mov_ss(cpu);
}

void insn_mov_to_seg(struct cpu *cpu, const struct op *op)
{
	uint16_t selector;

	if (op->reg == SEG_CS || op->reg > SEG_GS)
		cpu_fault(cpu, VECTOR_UD);
	selector = (uint16_t)op_read_rm(cpu, op, 2);
	seg_load(cpu, (enum x86_seg)op->reg, selector);
	if (op->reg == SEG_SS)
		load_ss_shadow(cpu);
}

/* To memory always 16 bits; to a register zero-extended to the operand size. */
void insn_mov_from_seg(struct cpu *cpu, const struct op *op)
{
	if (op->reg > SEG_GS)
		cpu_fault(cpu, VECTOR_UD);
	op_write_rm(cpu, op, op->flags & OP_MEMORY ? 2 : op->opsize, cpu->seg[op->reg].selector);
}

/* PUSH Sreg and POP Sreg name the register in op->reg. A 32-bit push writes 16 bits only, as parts
 * since the Pentium Pro do; a 64-bit one writes zero above. */
void insn_push_seg(struct cpu *cpu, const struct op *op)
{
	struct stack stack = stack_current(cpu, 0);
	uint16_t selector = cpu->seg[op->reg].selector;

	if (op->opsize == 4) {
		stack.sp -= 2;
		stack_push(cpu, &stack, selector, 2);
	} else {
		stack_push(cpu, &stack, selector, op->opsize);
	}
	stack_commit(cpu, &stack);
}

void insn_pop_seg(struct cpu *cpu, const struct op *op)
{
	struct stack stack = stack_current(cpu, 0);
	uint16_t selector = (uint16_t)stack_peek(cpu, &stack, 0, 2);

	stack.sp += op->opsize;
	seg_load(cpu, (enum x86_seg)op->reg, selector);
	stack_commit(cpu, &stack);
	if (op->reg == SEG_SS)
		load_ss_shadow(cpu);
}

static void load_far_pointer(struct cpu *cpu, const struct op *op, enum x86_seg segment)
{
	uint64_t ea = op_ea(cpu, op), offset;
	uint16_t selector;

	if (!(op->flags & OP_MEMORY))
		cpu_fault(cpu, VECTOR_UD);
	offset = mem_read(cpu, op->seg, ea, op->opsize);
	ea = op_ea_add(op, ea, op->opsize);
	selector = (uint16_t)mem_read(cpu, op->seg, ea, 2);
	seg_load(cpu, segment, selector);
	reg_write(cpu, op, op->reg, op->opsize, offset);
}

void insn_les(struct cpu *cpu, const struct op *op)
{
	load_far_pointer(cpu, op, SEG_ES);
}
void insn_lds(struct cpu *cpu, const struct op *op)
{
	load_far_pointer(cpu, op, SEG_DS);
}
void insn_lss(struct cpu *cpu, const struct op *op)
{
	load_far_pointer(cpu, op, SEG_SS);
}
void insn_lfs(struct cpu *cpu, const struct op *op)
{
	load_far_pointer(cpu, op, SEG_FS);
}
void insn_lgs(struct cpu *cpu, const struct op *op)
{
	load_far_pointer(cpu, op, SEG_GS);
}

static void set_zf(struct cpu *cpu, bool zf)
{
	uint64_t rflags = cpu_rflags(cpu) & ~RFLAGS_ZF;

	cpu_set_rflags(cpu, zf ? rflags | RFLAGS_ZF : rflags);
}

/* Reads the descriptor if CPL and RPL may see it; `system_types` as a set, for legacy and IA-32e
 * mode. SDM 2A "LAR--Load Access Rights Byte", "LSL--Load Segment Limit". */
static bool visible_descriptor(struct cpu *cpu, uint16_t selector, uint32_t legacy, uint32_t ia32e,
			       struct descriptor *d)
{
	uint32_t types = cpu_long_mode(cpu) ? ia32e : legacy;

	if (SELECTOR_NULL(selector) || !desc_read(cpu, selector, d))
		return false;
	if (desc_is_system(d) && !(types >> desc_type(d) & 1))
		return false;
	if (desc_is_conforming(d))
		return true;
	return desc_dpl(d) >= cpu->cpl && desc_dpl(d) >= (selector & SELECTOR_RPL);
}

#define LSL_IA32E (BIT32(DESC_LDT) | BIT32(DESC_TSS_AVAIL) | BIT32(DESC_TSS_BUSY))
#define LSL_LEGACY (LSL_IA32E | BIT32(DESC_TSS16_AVAIL) | BIT32(DESC_TSS16_BUSY))
#define LAR_IA32E (LSL_IA32E | BIT32(DESC_CALL_GATE))
#define LAR_LEGACY                                                                                 \
	(LSL_LEGACY | BIT32(DESC_CALL_GATE16) | BIT32(DESC_TASK_GATE) | BIT32(DESC_CALL_GATE))

void insn_lar(struct cpu *cpu, const struct op *op)
{
	struct descriptor d;
	uint16_t selector;
	bool visible;

	require_protected(cpu);
	selector = (uint16_t)op_read_rm(cpu, op, 2);
	visible = visible_descriptor(cpu, selector, LAR_LEGACY, LAR_IA32E, &d);
	if (visible)
		reg_write(cpu, op, op->reg, op->opsize, d.high & 0x00f0ff00);
	set_zf(cpu, visible);
}

void insn_lsl(struct cpu *cpu, const struct op *op)
{
	struct descriptor d;
	uint16_t selector;
	bool visible;

	require_protected(cpu);
	selector = (uint16_t)op_read_rm(cpu, op, 2);
	visible = visible_descriptor(cpu, selector, LSL_LEGACY, LSL_IA32E, &d);
	if (visible)
		reg_write(cpu, op, op->reg, op->opsize, desc_limit(&d));
	set_zf(cpu, visible);
}

void insn_verr(struct cpu *cpu, const struct op *op)
{
	struct descriptor d;
	uint16_t selector;

	require_protected(cpu);
	selector = (uint16_t)op_read_rm(cpu, op, 2);
	set_zf(cpu, visible_descriptor(cpu, selector, 0, 0, &d) &&
			    (!desc_is_code(&d) || (desc_type(&d) & AR_TYPE_READABLE)));
}

void insn_verw(struct cpu *cpu, const struct op *op)
{
	struct descriptor d;
	uint16_t selector;

	require_protected(cpu);
	selector = (uint16_t)op_read_rm(cpu, op, 2);
	set_zf(cpu, visible_descriptor(cpu, selector, 0, 0, &d) && desc_is_writable_data(&d));
}

void insn_arpl(struct cpu *cpu, const struct op *op)
{
	uint16_t target, source;
	bool adjust;

	require_protected(cpu);
	target = (uint16_t)op_read_rm(cpu, op, 2);
	source = (uint16_t)reg_read(cpu, op, op->reg, 2);
	adjust = (target & SELECTOR_RPL) < (source & SELECTOR_RPL);
	if (adjust)
		op_write_rm(cpu, op, 2, (target & ~SELECTOR_RPL) | (source & SELECTOR_RPL));
	set_zf(cpu, adjust);
}
