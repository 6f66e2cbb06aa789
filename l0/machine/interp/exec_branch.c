/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Families of near branches: Jcc, JMP, CALL, RET. Fast forms are those of flat modes with the
 * natural operand size; general forms do every check and end in the run loop.
 */
#include "l0/machine/interp/cet.h"
#include "l0/machine/interp/chain.h"
#include "l0/machine/interp/families.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/mpx.h"

/* ---- general forms ---- */

static bool canonical(const struct cpu *cpu, uint64_t address)
{
	unsigned shift = cpu->cr4 & CR4_LA57 ? 7 : 16;

	return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

bool near_target_good(const struct cpu *cpu, uint64_t rip)
{
	return cpu->mode & MODE_CODE64 ? canonical(cpu, rip) : rip <= cpu->seg[SEG_CS].limit;
}

void near_target_check(struct cpu *cpu, uint64_t rip)
{
	if (!near_target_good(cpu, rip))
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

/* Near targets are cut to the operand size, SDM 2 "JMP". */
static uint64_t near_target(struct cpu *cpu, const struct op *op, uint64_t rip)
{
	return op->opsize == 8 ? rip : rip & size_mask(op->opsize);
}

/* SDM 1 "Bounds Register INIT Behavior Due to BND Prefix with Branch Instructions": taken or not,
 * but for JMP of a byte. */
static void clear_bounds(struct cpu *cpu, const struct op *op)
{
	if (unlikely(cpu->mode & MODE_BOUNDS) && !(op->flags & OP_REPNE) &&
	    insn_info(op->row)->opcode != 0xeb)
		mpx_clear_bounds(cpu);
}

static void branch_general(struct cpu *cpu, const struct op *op)
{
	uint64_t target = near_target(cpu, op, cpu->next_rip + (uint64_t)(int64_t)op->imm);

	near_target_check(cpu, target);
	cpu->next_rip = target;
}

HANDLER(jcc_general)
{
	slow_begin(cpu, op, clock);
	if (cc_condition(cpu, op->vvvv))
		branch_general(cpu, op);
	clear_bounds(cpu, op);
	SLOW_LEAVE(cpu);
}

HANDLER(jmp_j_general)
{
	slow_begin(cpu, op, clock);
	branch_general(cpu, op);
	clear_bounds(cpu, op);
	SLOW_LEAVE(cpu);
}

/* The return address on the stack, and on the shadow stack unless this CALL only asks for RIP: one
 * whose displacement is 0. */
static void call_push(struct cpu *cpu, const struct op *op, uint64_t on, bool get_rip)
{
	uint64_t to = stack_offset(cpu, -(int64_t)op->opsize);

	mem_write(cpu, SEG_SS, to, op->opsize, on);
	if ((cpu->mode & MODE_SHADOW_STACK) && !get_rip)
		cet_near_call(cpu, op->opsize, on & size_mask(op->opsize));
	stack_set(cpu, to);
}

static void track(struct cpu *cpu, const struct op *op)
{
	if (cpu->mode & MODE_TRACKED)
		cet_track_near(cpu, op->flags & OP_NOTRACK);
}

HANDLER(call_j_general)
{
	uint64_t on, target;

	slow_begin(cpu, op, clock);
	on = cpu->next_rip;
	target = near_target(cpu, op, on + (uint64_t)(int64_t)op->imm);
	near_target_check(cpu, target);
	call_push(cpu, op, on, !op->imm);
	cpu->next_rip = target;
	clear_bounds(cpu, op);
	SLOW_LEAVE(cpu);
}

HANDLER(jmp_e_general)
{
	uint64_t target;

	slow_begin(cpu, op, clock);
	target = op_read_rm(cpu, op, op->opsize);
	near_target_check(cpu, target);
	cpu->next_rip = target;
	track(cpu, op);
	clear_bounds(cpu, op);
	SLOW_LEAVE(cpu);
}

HANDLER(call_e_general)
{
	uint64_t target;

	slow_begin(cpu, op, clock);
	target = op_read_rm(cpu, op, op->opsize);
	near_target_check(cpu, target);
	call_push(cpu, op, cpu->next_rip, false);
	cpu->next_rip = target;
	track(cpu, op);
	clear_bounds(cpu, op);
	SLOW_LEAVE(cpu);
}

/* RSP moves only when the target is known to be good. */
static void ret_general_by(struct cpu *cpu, const struct op *op, unsigned extra)
{
	uint64_t target = mem_read(cpu, SEG_SS, stack_offset(cpu, 0), op->opsize);

	near_target_check(cpu, target);
	if (cpu->mode & MODE_SHADOW_STACK)
		cet_near_return(cpu, op->opsize, target);
	stack_set(cpu, stack_offset(cpu, op->opsize + (int64_t)extra));
	cpu->next_rip = target;
	clear_bounds(cpu, op);
}

HANDLER(ret_general)
{
	slow_begin(cpu, op, clock);
	ret_general_by(cpu, op, 0);
	SLOW_LEAVE(cpu);
}

void insn_ret_i(struct cpu *cpu, const struct op *op)
{
	ret_general_by(cpu, op, (uint16_t)op->imm);
}

/* ---- direct branches ---- */

#define JCC(code)                                                                                  \
	HANDLER(jcc_##code)                                                                        \
	{                                                                                          \
		if (cc_condition(cpu, code))                                                       \
			return edge_taken(cpu, op, clock);                                         \
		return edge_on(cpu, op, clock);                                                    \
	}
#define CONDITIONS(X)                                                                              \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
CONDITIONS(JCC)

#define BRANCH_FORMS(general, wide, narrow)                                                        \
	{                                                                                          \
		[VARIANT_GENERAL] = general, [VARIANT_BASE] = wide, [VARIANT_FLAT32] = narrow,     \
	}
/* Sizes 2, 4, 8 as operand sizes; flags play no part. */
#define BRANCH_FAMILY(general, wide, narrow)                                                       \
	{                                                                                          \
		{                                                                                  \
			{{0},                                                                      \
			 BRANCH_FORMS(general, wide, narrow),                                      \
			 BRANCH_FORMS(general, wide, narrow),                                      \
			 BRANCH_FORMS(general, wide, narrow)},                                     \
			{                                                                          \
				{0}, BRANCH_FORMS(general, wide, narrow),                          \
				    BRANCH_FORMS(general, wide, narrow),                           \
				    BRANCH_FORMS(general, wide, narrow)                            \
			}                                                                          \
		}                                                                                  \
	}
#define JCC_FAMILY(code) BRANCH_FAMILY(jcc_general, jcc_##code, jcc_##code),
const struct op_family family_jcc[] = {CONDITIONS(JCC_FAMILY)};

HANDLER(jmp_j)
{
	return edge_taken(cpu, op, clock);
}

const struct op_family family_jmp_j[] = {BRANCH_FAMILY(jmp_j_general, jmp_j, jmp_j)};

/* Pushes `value` if the TLB allows it straight away. */
ALWAYS_INLINE bool fast_push(struct cpu *cpu, uint64_t value, bool wide)
{
	unsigned size = wide ? 8 : 4;
	uint64_t rsp = cpu->gpr[REG_RSP] - size;
	uint8_t *host;

	if (!wide)
		rsp = (uint32_t)rsp;
	if (!fast_access(cpu, rsp, size, true, &host))
		return false;
	host_store(host, size, value);
	cpu->gpr[REG_RSP] = rsp;
	return true;
}

/* The stack missed the TLB: the general rules, then on as the fast form does. imm already counts
 * from the start of the block. */
ALWAYS_INLINE OP_RESULT call_slow(OP_ARGS, bool wide)
{
	slow_begin(cpu, op, clock);
	near_push(cpu, wide ? 8 : 4, cpu->next_rip);
	cpu->next_rip = cpu_rip(cpu) + (uint64_t)(int64_t)op->imm;
	if (!wide)
		cpu->next_rip = (uint32_t)cpu->next_rip;
	SLOW_LEAVE(cpu);
}

HANDLER(call_j_slow64)
{
	return call_slow(cpu, op, clock, true);
}

HANDLER(call_j_slow32)
{
	return call_slow(cpu, op, clock, false);
}

HANDLER(call_j_64)
{
	if (!fast_push(cpu, cpu_rip(cpu) + op->off + op->len, true))
		OP_TAIL(call_j_slow64, cpu, op);
	return edge_taken(cpu, op, clock);
}

HANDLER(call_j_32)
{
	if (!fast_push(cpu, (uint32_t)(cpu_rip(cpu) + op->off + op->len), false))
		OP_TAIL(call_j_slow32, cpu, op);
	return edge_taken(cpu, op, clock);
}

const struct op_family family_call_j[] = {BRANCH_FAMILY(call_j_general, call_j_64, call_j_32)};

/* ---- indirect branches: what the jump cache knows has been checked ---- */

HANDLER(ret_64)
{
	uint64_t rsp = cpu->gpr[REG_RSP], target;
	const struct op *entry;
	uint8_t *host;

	if (!fast_access(cpu, rsp, 8, false, &host))
		OP_TAIL(ret_general, cpu, op);
	target = host_load(host, 8);
	entry = jump_find(cpu, target);
	if (unlikely(!entry))
		OP_TAIL(ret_general, cpu, op);
	cpu->gpr[REG_RSP] = rsp + 8;
	return jump_enter(cpu, entry, clock, target);
}

HANDLER(ret_32)
{
	uint64_t rsp = (uint32_t)cpu->gpr[REG_RSP], target;
	const struct op *entry;
	uint8_t *host;

	if (!fast_access(cpu, rsp, 4, false, &host))
		OP_TAIL(ret_general, cpu, op);
	target = host_load(host, 4);
	entry = jump_find(cpu, target);
	if (unlikely(!entry))
		OP_TAIL(ret_general, cpu, op);
	cpu->gpr[REG_RSP] = (uint32_t)(rsp + 4);
	return jump_enter(cpu, entry, clock, target);
}

const struct op_family family_ret[] = {BRANCH_FAMILY(ret_general, ret_64, ret_32)};

ALWAYS_INLINE OP_RESULT indirect(OP_ARGS, uint64_t target, bool call, op_fn slow)
{
	const struct op *entry = jump_find(cpu, target);

	if (unlikely(!entry))
		OP_TAIL(slow, cpu, op);
	if (call && !fast_push(cpu, cpu_rip(cpu) + op->off + op->len, true))
		OP_TAIL(slow, cpu, op);
	return jump_enter(cpu, entry, clock, target);
}

ALWAYS_INLINE OP_RESULT indirect_memory(OP_ARGS, enum op_variant variant, bool call, op_fn slow)
{
	uint8_t *host;

	if (!fast_access(cpu, fast_ea(cpu, op, variant), 8, false, &host))
		OP_TAIL(slow, cpu, op);
	return indirect(cpu, op, clock, host_load(host, 8), call, slow);
}

#define INDIRECT(name, call)                                                                       \
	HANDLER(name##_reg)                                                                        \
	{                                                                                          \
		return indirect(cpu, op, clock, cpu->gpr[op->rm], call, name##_general);           \
	}                                                                                          \
	HANDLER(name##_base)                                                                       \
	{                                                                                          \
		return indirect_memory(cpu, op, clock, VARIANT_BASE, call, name##_general);        \
	}                                                                                          \
	HANDLER(name##_index)                                                                      \
	{                                                                                          \
		return indirect_memory(cpu, op, clock, VARIANT_INDEX, call, name##_general);       \
	}                                                                                          \
	const struct op_family family_##name[] = {{{INDIRECT_FORMS(name), INDIRECT_FORMS(name)}}};
#define INDIRECT_FORMS(name)                                                                       \
	{                                                                                          \
		{0}, {[VARIANT_GENERAL] = name##_general}, {[VARIANT_GENERAL] = name##_general},   \
		    {[VARIANT_REG] = name##_reg,                                                   \
		     [VARIANT_GENERAL] = name##_general,                                           \
		     [VARIANT_BASE] = name##_base,                                                 \
		     [VARIANT_INDEX] = name##_index},                                              \
	}

INDIRECT(jmp_e, false)
INDIRECT(call_e, true)
