/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions on the flags that are not arithmetic: CLI, STI, PUSHF, POPF, CLAC, STAC, under IOPL,
 * virtual- 8086 mode, CR4.VME and CR4.PVI. SDM 2 has a decision table at each of them.
 */
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/sys.h"

/* Which flag CLI and STI act on. */
enum interrupt_flag_rule { RULE_FAULT, RULE_IF, RULE_VIF };

static unsigned flags_iopl(const struct cpu *cpu)
{
	return (unsigned)(cpu->eflags_rest >> RFLAGS_IOPL_SHIFT) & 3;
}

static enum interrupt_flag_rule interrupt_flag_rule(const struct cpu *cpu)
{
	if (!cpu_protected(cpu) || flags_iopl(cpu) >= cpu->cpl)
		return RULE_IF;
	if (cpu_vm86(cpu))
		return cpu->cr4 & CR4_VME ? RULE_VIF : RULE_FAULT;
	return cpu->cpl == 3 && (cpu->cr4 & CR4_PVI) ? RULE_VIF : RULE_FAULT;
}

/* RF lasts for one instruction. Unless a breakpoint asks for it before every instruction, it is
 * enough that cpu_rflags knows when that instruction has retired. */
static void begin_resume_flag(struct cpu *cpu)
{
	bool lazy = cpu->in_block && !debug_armed(cpu, BIT32(DEBUG_EXECUTE));

	cpu->seen.rf = lazy ? cpu_retired(cpu) + 1 : UINT64_MAX;
	if (!lazy)
		cpu->attention = true;
}

void flags_load(struct cpu *cpu, uint64_t value, uint64_t mask)
{
	uint64_t old = cpu_rflags(cpu), new = (old & ~mask) | (value & mask) | RFLAGS_FIXED1;

	cpu_set_rflags(cpu, new);
	if (new & RFLAGS_RF)
		begin_resume_flag(cpu);
	if (new & RFLAGS_TF)
		cpu->attention = true;
	if (~old & new & RFLAGS_IF)
		cpu_interrupts_enabled(cpu);
	if ((old ^ new) & RFLAGS_AC)
		cpu_mode_changed(cpu);
}

void insn_cli(struct cpu *cpu, const struct op *op)
{
	switch (interrupt_flag_rule(cpu)) {
	case RULE_IF:
		cpu->eflags_rest &= ~RFLAGS_IF;
		break;
	case RULE_VIF:
		cpu->eflags_rest &= ~RFLAGS_VIF;
		break;
	case RULE_FAULT:
		cpu_fault_code(cpu, VECTOR_GP, 0);
	}
}

/* STI blocks interrupts for one instruction if it changed IF. */
void insn_sti(struct cpu *cpu, const struct op *op)
{
	switch (interrupt_flag_rule(cpu)) {
	case RULE_IF:
		if (cpu->eflags_rest & RFLAGS_IF)
			break;
		cpu->eflags_rest |= RFLAGS_IF;
		cpu_block_by_sti(cpu);
		cpu_interrupts_enabled(cpu);
		break;
	case RULE_VIF:
		if (cpu->eflags_rest & RFLAGS_VIP)
			cpu_fault_code(cpu, VECTOR_GP, 0);
		cpu->eflags_rest |= RFLAGS_VIF;
		break;
	case RULE_FAULT:
		cpu_fault_code(cpu, VECTOR_GP, 0);
	}
}

static bool vm86_restricted(const struct cpu *cpu)
{
	return cpu_vm86(cpu) && flags_iopl(cpu) < 3;
}

void insn_pushf(struct cpu *cpu, const struct op *op)
{
	uint64_t image = cpu_rflags(cpu) & ~(RFLAGS_VM | RFLAGS_RF);
	struct stack stack = stack_current(cpu, 0);

	if (vm86_restricted(cpu)) {
		if (!(cpu->cr4 & CR4_VME) || op->opsize != 2)
			cpu_fault_code(cpu, VECTOR_GP, 0);
		image = (image & ~RFLAGS_IF) | RFLAGS_IOPL;
		if (image & RFLAGS_VIF)
			image |= RFLAGS_IF;
	}
	stack_push(cpu, &stack, image, op->opsize);
	stack_commit(cpu, &stack);
}

#define POPF_FLAGS                                                                                 \
	(RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)

/* POPF in virtual-8086 mode with IOPL < 3: VIF takes the place of IF. */
static void popf_vme(struct cpu *cpu, const struct op *op, uint64_t image)
{
	if (!(cpu->cr4 & CR4_VME) || op->opsize != 2 || (image & RFLAGS_TF) ||
	    ((image & RFLAGS_IF) && (cpu->eflags_rest & RFLAGS_VIP)))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (image & RFLAGS_IF)
		image |= RFLAGS_VIF;
	flags_load(cpu, image, (POPF_FLAGS & 0xffff) | RFLAGS_VIF);
}

/* POPF never faults for privilege outside virtual-8086 mode; it leaves alone what it may not
 * change. */
static void popf_load(struct cpu *cpu, const struct op *op, uint64_t image)
{
	uint64_t mask = POPF_FLAGS;

	if (!cpu_protected(cpu) || cpu->cpl <= flags_iopl(cpu))
		mask |= RFLAGS_IF;
	if (cpu->cpl == 0)
		mask |= RFLAGS_IOPL;
	flags_load(cpu, image, op->opsize == 2 ? mask & 0xffff : mask);
}

void insn_popf(struct cpu *cpu, const struct op *op)
{
	struct stack stack = stack_current(cpu, 0);
	uint64_t image = stack_pop(cpu, &stack, op->opsize);

	if (vm86_restricted(cpu))
		popf_vme(cpu, op, image);
	else
		popf_load(cpu, op, image);
	cpu->eflags_rest &= ~RFLAGS_RF;
	stack_commit(cpu, &stack);
}

/* CLAC and STAC are #UD above privilege level 0. */
static void set_ac(struct cpu *cpu, bool on)
{
	if (cpu->cpl)
		cpu_fault(cpu, VECTOR_UD);
	cpu->eflags_rest = on ? cpu->eflags_rest | RFLAGS_AC : cpu->eflags_rest & ~RFLAGS_AC;
	cpu_mode_changed(cpu);
}

void insn_clac(struct cpu *cpu, const struct op *op)
{
	set_ac(cpu, false);
}

void insn_stac(struct cpu *cpu, const struct op *op)
{
	set_ac(cpu, true);
}
