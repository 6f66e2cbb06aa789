/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Complex handlers: flags, moves without ModRM, MOVBE, exchange and compare, loops, fences.
 */
#include "l0/machine/interp/alu.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/vmx/vmx.h"
#include "l0/machine/interp/x87/x87.h"

/* ---- flags ---- */

void insn_clc(struct cpu *cpu, const struct op *op)
{
	cc_change(cpu, RFLAGS_CF, 0);
}

void insn_stc(struct cpu *cpu, const struct op *op)
{
	cc_change(cpu, RFLAGS_CF, RFLAGS_CF);
}

void insn_cmc(struct cpu *cpu, const struct op *op)
{
	cc_change(cpu, RFLAGS_CF, cc_cf(cpu) ? 0 : RFLAGS_CF);
}

void insn_cld(struct cpu *cpu, const struct op *op)
{
	cpu->eflags_rest &= ~RFLAGS_DF;
}

void insn_std(struct cpu *cpu, const struct op *op)
{
	cpu->eflags_rest |= RFLAGS_DF;
}

void insn_lahf(struct cpu *cpu, const struct op *op)
{
	fast_put(cpu, 1, 1, (cc_flags(cpu) & ~RFLAGS_OF) | RFLAGS_FIXED1);
}

void insn_sahf(struct cpu *cpu, const struct op *op)
{
	cc_change(cpu, RFLAGS_STATUS & ~RFLAGS_OF, cpu->gpr[REG_RAX] >> 8);
}

void insn_salc(struct cpu *cpu, const struct op *op)
{
	fast_put(cpu, 0, 1, cc_cf(cpu) ? 0xff : 0);
}

/* ---- moves ---- */

void insn_mov_from_moffs(struct cpu *cpu, const struct op *op)
{
	reg_write(cpu, op, REG_RAX, op->opsize,
		  mem_read(cpu, op->seg, (uint64_t)op->imm64, op->opsize));
}

void insn_mov_to_moffs(struct cpu *cpu, const struct op *op)
{
	mem_write(cpu, op->seg, (uint64_t)op->imm64, op->opsize,
		  cpu->gpr[REG_RAX] & size_mask(op->opsize));
}

void insn_xlat(struct cpu *cpu, const struct op *op)
{
	uint64_t at = cpu->gpr[REG_RBX] + (uint8_t)cpu->gpr[REG_RAX];

	fast_put(cpu, 0, 1, mem_read(cpu, op->seg, at & size_mask(op->addrsize), 1));
}

static uint64_t swap_bytes(uint64_t value, unsigned size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

void insn_movbe_load(struct cpu *cpu, const struct op *op)
{
	reg_write(cpu, op, op->reg, op->opsize,
		  swap_bytes(op_read_rm(cpu, op, op->opsize), op->opsize));
}

void insn_movbe_store(struct cpu *cpu, const struct op *op)
{
	op_write_rm(cpu, op, op->opsize,
		    swap_bytes(reg_read(cpu, op, op->reg, op->opsize), op->opsize));
}

void insn_movnti(struct cpu *cpu, const struct op *op)
{
	op_write_rm(cpu, op, op->opsize, reg_read(cpu, op, op->reg, op->opsize));
}

/* ---- exchange and compare: the destination is always written, SDM 2 "CMPXCHG" ---- */

/* Linear address of a read-modify-write operand that can be written; 0 for a register. */
static uint64_t rmw_begin(struct cpu *cpu, const struct op *op, uint64_t *value)
{
	uint64_t linear;

	if (!(op->flags & OP_MEMORY)) {
		*value = reg_read(cpu, op, op->rm, op->opsize);
		return 0;
	}
	linear = seg_linear(cpu, op->seg, op_ea(cpu, op), op->opsize, MEM_WRITE);
	lin_probe(cpu, linear, op->opsize, MEM_WRITE);
	*value = lin_read(cpu, linear, op->opsize, MEM_READ);
	return linear;
}

static void rmw_end(struct cpu *cpu, const struct op *op, uint64_t linear, uint64_t value)
{
	if (op->flags & OP_MEMORY)
		lin_write(cpu, linear, op->opsize, value, MEM_WRITE);
	else
		reg_write(cpu, op, op->rm, op->opsize, value);
}

void insn_cmpxchg(struct cpu *cpu, const struct op *op)
{
	uint64_t accumulator = cpu->gpr[REG_RAX] & size_mask(op->opsize), old;
	uint64_t linear = rmw_begin(cpu, op, &old);
	bool equal = old == accumulator;

	if (equal || (op->flags & OP_MEMORY))
		rmw_end(cpu, op, linear, equal ? reg_read(cpu, op, op->reg, op->opsize) : old);
	if (!equal)
		reg_write(cpu, op, REG_RAX, op->opsize, old);
	alu_add_sub(cpu, true, accumulator, old, op->opsize, true);
}

/* XADD: with rm and reg the same register the sum stays, so reg is written first. */
void insn_xadd(struct cpu *cpu, const struct op *op)
{
	uint64_t old, source = reg_read(cpu, op, op->reg, op->opsize);
	uint64_t linear = rmw_begin(cpu, op, &old);
	uint64_t sum = (old + source) & size_mask(op->opsize);

	if (!(op->flags & OP_MEMORY))
		reg_write(cpu, op, op->reg, op->opsize, old);
	rmw_end(cpu, op, linear, sum);
	if (op->flags & OP_MEMORY)
		reg_write(cpu, op, op->reg, op->opsize, old);
	cc_set(cpu, CC_ADD, op->opsize, sum, old);
}

/* CMPXCHG8B, and with REX.W CMPXCHG16B, which wants alignment. */
void insn_cmpxchg8b(struct cpu *cpu, const struct op *op)
{
	unsigned half = op->opsize;
	uint64_t mask = size_mask(half), linear, low, high;
	bool equal;

	linear = seg_linear(cpu, op->seg, op_ea(cpu, op), 2 * half, MEM_WRITE);
	if (half == 8 && (linear & 15))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	lin_probe(cpu, linear, half, MEM_WRITE);
	lin_probe(cpu, linear + half, half, MEM_WRITE);
	low = lin_read(cpu, linear, half, MEM_READ);
	high = lin_read(cpu, linear + half, half, MEM_READ);
	equal = low == (cpu->gpr[REG_RAX] & mask) && high == (cpu->gpr[REG_RDX] & mask);
	lin_write(cpu, linear, half, equal ? cpu->gpr[REG_RBX] & mask : low, MEM_WRITE);
	lin_write(cpu, linear + half, half, equal ? cpu->gpr[REG_RCX] & mask : high, MEM_WRITE);
	if (!equal) {
		cpu->gpr[REG_RAX] = low;
		cpu->gpr[REG_RDX] = high;
	}
	cc_change(cpu, RFLAGS_ZF, equal ? RFLAGS_ZF : 0);
}

/* ---- loops: the count register has the address size ---- */

static uint64_t loop_count(const struct cpu *cpu, const struct op *op)
{
	return cpu->gpr[REG_RCX] & size_mask(op->addrsize);
}

static uint64_t loop_target(struct cpu *cpu, const struct op *op)
{
	uint64_t target = cpu->next_rip + (uint64_t)(int64_t)op->imm;

	target &= size_mask(op->opsize);
	near_target_check(cpu, target);
	return target;
}

static void loop_if(struct cpu *cpu, const struct op *op, bool condition)
{
	uint64_t count = (loop_count(cpu, op) - 1) & size_mask(op->addrsize);

	if (count && condition)
		cpu->next_rip = loop_target(cpu, op);
	fast_put(cpu, REG_RCX, op->addrsize, count);
}

void insn_loop(struct cpu *cpu, const struct op *op)
{
	loop_if(cpu, op, true);
}

void insn_loope(struct cpu *cpu, const struct op *op)
{
	loop_if(cpu, op, cc_zf(cpu));
}

void insn_loopne(struct cpu *cpu, const struct op *op)
{
	loop_if(cpu, op, !cc_zf(cpu));
}

void insn_jcxz(struct cpu *cpu, const struct op *op)
{
	if (loop_count(cpu, op) == 0)
		cpu->next_rip = loop_target(cpu, op);
}

/* ---- the rest ---- */

void insn_ud(struct cpu *cpu, const struct op *op)
{
	cpu_fault(cpu, VECTOR_UD);
}

/* One CPU, memory operations in order: nothing to wait for. */
void insn_fence(struct cpu *cpu, const struct op *op)
{
}

/* #NM if CR0.MP and CR0.TS are set, SDM 2 "WAIT/FWAIT". */
void insn_wait(struct cpu *cpu, const struct op *op)
{
	if ((cpu->cr0 & CR0_MP) && (cpu->cr0 & CR0_TS))
		cpu_fault(cpu, VECTOR_NM);
	x87_check_pending(cpu);
}

/* With REX.B it is XCHG R8, rAX after all. */
void insn_pause(struct cpu *cpu, const struct op *op)
{
	uint64_t other = reg_read(cpu, op, op->rm, op->opsize);

	if (op->rm != REG_RAX) {
		reg_write(cpu, op, op->rm, op->opsize, reg_read(cpu, op, REG_RAX, op->opsize));
		reg_write(cpu, op, REG_RAX, op->opsize, other);
		return;
	}
	vmx_intercept_insn(cpu, EXIT_REASON_PAUSE, 0);
}
