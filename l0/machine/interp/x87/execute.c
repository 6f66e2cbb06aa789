/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What all x87 instructions have in common: who may execute them, memory operands, the stack, and
 * what takes effect under which exception masks: SDM 1 "x87 FPU Floating-Point Exception Handling",
 * "x87 FPU Instruction and Operand (Data) Pointers".
 */
#include "l0/machine/interp/x87/x87.h"

#include "l0/machine/interp/flags.h"
#include "l0/machine/interp/insn_table.h"
#include "l0/machine/interp/profile.h"

static const uint8_t format_size[] = {[X87_F32] = 4, [X87_F64] = 8, [X87_F80] = 10,
				      [X87_I16] = 2, [X87_I32] = 4, [X87_I64] = 8,
				      [X87_BCD] = 10};

/* Precision control; 01B is reserved, and extended precision on silicon. */
static const struct soft_format precisions[4] = {
    {24, 64, -16382, 16383},
    {64, 64, -16382, 16383},
    {53, 64, -16382, 16383},
    {64, 64, -16382, 16383},
};

/* ---- the register stack ---- */

void x87_turn(struct cpu *cpu, int by)
{
	uint16_t fsw = x87_word(cpu, X87_FSW);
	uint8_t *st = cpu->xsave_area + X87_ST, moved[16];

	if (by > 0) {
		memcpy(moved, st, 16);
		memmove(st, st + 16, 7 * 16);
		memcpy(st + 7 * 16, moved, 16);
	} else {
		memcpy(moved, st + 7 * 16, 16);
		memmove(st + 16, st, 7 * 16);
		memcpy(st, moved, 16);
	}
	fsw = (uint16_t)((fsw & ~FSW_TOP) | ((x87_top(fsw) + (unsigned)by) & 7) << FSW_TOP_SHIFT);
	x87_set_word(cpu, X87_FSW, fsw);
}

void x87_tag(struct cpu *cpu, unsigned i, bool valid)
{
	uint8_t bit = (uint8_t)(1u << ((x87_top(x87_word(cpu, X87_FSW)) + i) & 7));

	cpu->xsave_area[X87_FTW] &= (uint8_t)~bit;
	if (valid)
		cpu->xsave_area[X87_FTW] |= bit;
}

void x87_pop(struct cpu *cpu)
{
	x87_tag(cpu, 0, false);
	x87_turn(cpu, 1);
}

/* ---- staging ---- */

void x87_stack_underflow(struct x87 *x)
{
	x->env.flags |= SOFT_IE;
	x->fsw |= FSW_SF;
}

void x87_stack_overflow(struct x87 *x)
{
	x->env.flags |= SOFT_IE;
	x->fsw |= FSW_SF;
	x->cc |= FSW_C1;
}

bool x87_missing(struct x87 *x, unsigned i)
{
	if (!x87_empty(x, i))
		return false;
	x87_stack_underflow(x);
	return true;
}

void x87_put_raw(struct x87 *x, unsigned i, struct f80 value)
{
	x->write = true;
	x->dest = (uint8_t)i;
	x->value = value;
}

void x87_put(struct x87 *x, unsigned i, struct soft value)
{
	if (x->unsupported) {
		x->env.flags = 0;
		value = soft_invalid(&x->env);
	}
	x87_put_raw(x, i, x87_pack(value));
}

void x87_push(struct x87 *x, struct f80 value)
{
	x->push = true;
	x->pushed = value;
	if (x87_empty(x, 7))
		return;
	x87_stack_overflow(x);
	x->pushed = F80_INDEFINITE;
}

/* ---- pending exceptions ---- */

/* With CR0.NE = 0 the CPU stops at the instruction until an interrupt comes, IRQ 13 by the board's
 * choice, or IGNNE#: SDM 1 "MS-DOS* Compatibility Sub-mode". That is a halt before it. */
static void report_to_board(struct cpu *cpu)
{
	if (cpu->machine->ignne)
		return;
	machine_fpu_error(cpu->machine);
	cpu_unwind(cpu);
	cpu_wait_for_event(cpu, WAIT_HLT);
	cpu_escape(cpu);
}

void x87_check_pending(struct cpu *cpu)
{
	if (!(cpu->xsave_area[X87_FSW] & FSW_ES))
		return;
	if (cpu->cr0 & CR0_NE)
		cpu_fault(cpu, VECTOR_MF);
	report_to_board(cpu);
}

/* ---- execution ---- */

static uint64_t memory_operand(struct x87 *x, unsigned access)
{
	const struct op *op = x->op;

	return seg_linear(x->cpu, op->seg, op_ea(x->cpu, op), format_size[x->info->operand],
			  access);
}

static void load_memory(struct x87 *x)
{
	uint64_t linear = memory_operand(x, MEM_READ);
	unsigned size = format_size[x->info->operand];

	x->memory.sig = lin_read(x->cpu, linear, size > 8 ? 8 : size, MEM_READ);
	if (size > 8)
		x->memory.se = (uint16_t)lin_read(x->cpu, linear + 8, 2, MEM_READ);
}

static void store_memory(struct x87 *x)
{
	uint64_t linear = memory_operand(x, MEM_WRITE);
	unsigned size = format_size[x->info->operand];

	if (size <= 8) {
		lin_write(x->cpu, linear, size, x->out.sig, MEM_WRITE);
		return;
	}
	if (PAGE_OFFSET(linear) + size > PAGE_SIZE)
		lin_probe(x->cpu, linear, size, MEM_WRITE);
	lin_write(x->cpu, linear, 8, x->out.sig, MEM_WRITE);
	lin_write(x->cpu, linear + 8, 2, x->out.se, MEM_WRITE);
}

static void write_registers(struct x87 *x)
{
	struct cpu *cpu = x->cpu;

	if (x->write) {
		x87_set(cpu, x->dest, x->value);
		x87_tag(cpu, x->dest, true);
	}
	for (unsigned i = 0; i < x->pops; i++)
		x87_pop(cpu);
	if (x->push) {
		x87_turn(cpu, -1);
		x87_set(cpu, 0, x->pushed);
		x87_tag(cpu, 0, true);
	}
}

/* Comparisons: the result is not reported if invalid operation is not masked, but OF, SF and AF are
 * cleared all the same. SDM 2 "FCOM/FCOMP/FCOMPP", "FCOMI/FCOMIP/FUCOMI/FUCOMIP". */
static void write_comparison(struct x87 *x, uint8_t unmasked)
{
	if (x->flags_written)
		cc_set_explicit(x->cpu, unmasked & SOFT_IE
					    ? cc_flags(x->cpu) & (RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF)
					    : x->rflags);
	if (x->compared && (unmasked & SOFT_IE))
		x->cc_written &= FSW_C1;
}

/* The operand pointer moves with unmasked exceptions only, or with every memory operand, as
 * CPUID.(EAX=07H,ECX=0):EBX[6] has it; the opcode is kept of unmasked exceptions only: SDM 1
 * "Fopcode Compatibility Sub-mode". Selectors are gone where EBX[13] says so. */
static void note_pointers(struct x87 *x, bool unmasked)
{
	struct cpu *cpu = x->cpu;
	uint64_t rip = cpu_insn_rip(cpu), ea;
	bool selectors = !cpu_has(cpu->profile, FCS_FDS);

	memcpy(cpu->xsave_area + X87_FIP, &rip, 8);
	cpu->x87_cs = selectors ? cpu->seg[SEG_CS].selector : 0;
	if (unmasked)
		x87_set_word(cpu, X87_FOP,
			     (uint16_t)((insn_info(x->op->row)->opcode & 7) << 8 | x->op->vvvv));
	if (!(x->op->flags & OP_MEMORY) || (!unmasked && cpu_has(cpu->profile, FDP_EXCPTN_ONLY)))
		return;
	ea = op_ea(cpu, x->op);
	memcpy(cpu->xsave_area + X87_FDP, &ea, 8);
	cpu->x87_ds = selectors ? cpu->seg[x->op->seg].selector : 0;
}

/* SDM 1 "Software Exception Handling": an unmasked exception found
 * before the computation leaves operands and stack alone; overflow and underflow found when storing
 * to memory do, too. */
static void finish(struct x87 *x)
{
	struct cpu *cpu = x->cpu;
	uint8_t unmasked = x->env.flags & ~x->env.masked;
	bool storing = x->info->attributes & X87_STORE, commit = true;
	uint16_t fsw;

	if (unmasked & (x->push_denormal ? SOFT_IE : SOFT_BEFORE)) {
		x->env.flags &= SOFT_BEFORE;
		commit = false;
	} else if (storing && (unmasked & (SOFT_OE | SOFT_UE))) {
		x->env.flags &= (uint8_t)~SOFT_PE;
		commit = false;
	}
	if (commit && storing)
		store_memory(x);
	if (commit)
		write_registers(x);
	write_comparison(x, unmasked);
	if ((x->env.flags & SOFT_PE) && x->env.rounded_up)
		x->cc |= FSW_C1;
	fsw = x87_word(cpu, X87_FSW) & FSW_TOP;
	fsw |= (x->fsw & ~(FSW_TOP | x->cc_written)) | (x->cc & x->cc_written) | x->env.flags;
	x87_set_status(cpu, fsw, x->fcw);
	note_pointers(x, unmasked);
}

void x87_execute(struct cpu *cpu, const struct op *op)
{
	const struct x87_info *info = &insn_info(op->row)->x87;
	struct x87 x = {.cpu = cpu, .op = op, .info = info, .cc_written = FSW_C1};

	if (cpu->cr0 & (CR0_EM | CR0_TS))
		cpu_fault(cpu, VECTOR_NM);
	if (!(info->attributes & X87_NOWAIT))
		x87_check_pending(cpu);
	x.fcw = x87_word(cpu, X87_FCW);
	x.fsw = x87_word(cpu, X87_FSW);
	if (info->attributes & X87_CONTROL) {
		info->kernel(&x);
		return;
	}
	x.pops = info->attributes & (X87_POP | X87_POP2);
	x.format = &precisions[x.fcw >> 8 & 3];
	x.env = (struct soft_env){
	    .rounding = x.fcw >> 10 & 3, .masked = x.fcw & SOFT_ALL, .x87 = true};
	if (format_size[info->operand] && !(info->attributes & X87_STORE))
		load_memory(&x);
	info->kernel(&x);
	finish(&x);
}
