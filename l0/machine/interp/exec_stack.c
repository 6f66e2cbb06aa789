/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Stack operations: the families of PUSH, POP and LEAVE, and the rarer forms as complex handlers.
 */
#include "l0/machine/interp/families.h"
#include "l0/machine/interp/insns.h"

/* ---- the general rules, SDM 1 "Procedure Stack" and 3A "Stack Address Size" ---- */

static unsigned stack_size(const struct cpu *cpu)
{
	if (cpu_code64(cpu))
		return 8;
	return cpu->seg[SEG_SS].ar & AR_DB ? 4 : 2;
}

uint64_t stack_offset(const struct cpu *cpu, int64_t delta)
{
	return (cpu->gpr[REG_RSP] + (uint64_t)delta) & size_mask(stack_size(cpu));
}

void stack_set(struct cpu *cpu, uint64_t offset)
{
	uint64_t mask = size_mask(stack_size(cpu));

	if (mask == 0xffff) /* the upper half of ESP stays */
		offset = (cpu->gpr[REG_RSP] & ~mask) | (offset & mask);
	cpu->gpr[REG_RSP] = offset;
}

void near_push(struct cpu *cpu, unsigned size, uint64_t value)
{
	uint64_t to = stack_offset(cpu, -(int64_t)size);

	mem_write(cpu, SEG_SS, to, size, value);
	stack_set(cpu, to);
}

uint64_t near_pop(struct cpu *cpu, unsigned size)
{
	uint64_t value = mem_read(cpu, SEG_SS, stack_offset(cpu, 0), size);

	stack_set(cpu, stack_offset(cpu, size));
	return value;
}

/* ---- PUSH ---- */

ALWAYS_INLINE uint64_t push_value(const struct cpu *cpu, const struct op *op, bool imm,
				  unsigned size)
{
	return imm ? (uint64_t)(int64_t)op->imm & size_mask(size) : fast_get(cpu, op->rm, size);
}

ALWAYS_INLINE OP_RESULT push_general(OP_ARGS, bool imm)
{
	slow_begin(cpu, op, clock);
	near_push(cpu, op->opsize, push_value(cpu, op, imm, op->opsize));
	SLOW_NEXT(cpu, op);
}

/* size is operand and stack size alike. */
ALWAYS_INLINE OP_RESULT push_fast(OP_ARGS, bool imm, unsigned size, op_fn slow)
{
	uint64_t rsp = (cpu->gpr[REG_RSP] - size) & size_mask(size);
	uint8_t *host;

	if (!fast_access(cpu, rsp, size, true, &host))
		OP_TAIL(slow, cpu, op);
	host_store(host, size, push_value(cpu, op, imm, size));
	cpu->gpr[REG_RSP] = rsp;
	OP_NEXT(cpu, op);
}

#define STACK_FORMS(name)                                                                          \
	{                                                                                          \
		{0}, {[VARIANT_GENERAL] = name##_general},                                         \
		    {[VARIANT_GENERAL] = name##_general, [VARIANT_FLAT32] = name##_32},            \
		    {[VARIANT_GENERAL] = name##_general, [VARIANT_BASE] = name##_64},              \
	}
#define STACK_FAMILY(name)                                                                         \
	const struct op_family family_##name[] = {{{STACK_FORMS(name), STACK_FORMS(name)}}};
#define PUSH(name, imm)                                                                            \
	HANDLER(name##_general)                                                                    \
	{                                                                                          \
		return push_general(cpu, op, clock, imm);                                          \
	}                                                                                          \
	HANDLER(name##_64)                                                                         \
	{                                                                                          \
		return push_fast(cpu, op, clock, imm, 8, name##_general);                          \
	}                                                                                          \
	HANDLER(name##_32)                                                                         \
	{                                                                                          \
		return push_fast(cpu, op, clock, imm, 4, name##_general);                          \
	}                                                                                          \
	STACK_FAMILY(name)

PUSH(push_z, false)
PUSH(push_i, true)

/* ---- POP, LEAVE ---- */

HANDLER(pop_z_general)
{
	slow_begin(cpu, op, clock);
	fast_put(cpu, op->rm, op->opsize, near_pop(cpu, op->opsize));
	SLOW_NEXT(cpu, op);
}

/* POP RSP: the loaded value stays. */
ALWAYS_INLINE OP_RESULT pop_fast(OP_ARGS, unsigned size)
{
	uint64_t rsp = cpu->gpr[REG_RSP] & size_mask(size);
	uint8_t *host;

	if (!fast_access(cpu, rsp, size, false, &host))
		OP_TAIL(pop_z_general, cpu, op);
	cpu->gpr[REG_RSP] = (rsp + size) & size_mask(size);
	cpu->gpr[op->rm] = host_load(host, size);
	OP_NEXT(cpu, op);
}

HANDLER(pop_z_64)
{
	return pop_fast(cpu, op, clock, 8);
}

HANDLER(pop_z_32)
{
	return pop_fast(cpu, op, clock, 4);
}

STACK_FAMILY(pop_z)

HANDLER(leave_general)
{
	uint64_t mask, frame;

	slow_begin(cpu, op, clock);
	mask = size_mask(stack_size(cpu));
	frame = mem_read(cpu, SEG_SS, cpu->gpr[REG_RBP] & mask, op->opsize);
	stack_set(cpu, (cpu->gpr[REG_RBP] + op->opsize) & mask);
	fast_put(cpu, REG_RBP, op->opsize, frame);
	SLOW_NEXT(cpu, op);
}

ALWAYS_INLINE OP_RESULT leave_fast(OP_ARGS, unsigned size)
{
	uint64_t rbp = cpu->gpr[REG_RBP] & size_mask(size);
	uint8_t *host;

	if (!fast_access(cpu, rbp, size, false, &host))
		OP_TAIL(leave_general, cpu, op);
	cpu->gpr[REG_RSP] = (rbp + size) & size_mask(size);
	cpu->gpr[REG_RBP] = host_load(host, size);
	OP_NEXT(cpu, op);
}

HANDLER(leave_64)
{
	return leave_fast(cpu, op, clock, 8);
}

HANDLER(leave_32)
{
	return leave_fast(cpu, op, clock, 4);
}

STACK_FAMILY(leave)

/* ---- complex handlers ---- */

void insn_push_e(struct cpu *cpu, const struct op *op)
{
	near_push(cpu, op->opsize, op_read_rm(cpu, op, op->opsize));
}

/* The address of the destination is worked out with RSP already moved, SDM 2 "POP". */
void insn_pop_e(struct cpu *cpu, const struct op *op)
{
	uint64_t old = cpu->gpr[REG_RSP], offset, linear;
	uint64_t value = mem_read(cpu, SEG_SS, stack_offset(cpu, 0), op->opsize);

	if (!(op->flags & OP_MEMORY)) {
		stack_set(cpu, stack_offset(cpu, op->opsize));
		reg_write(cpu, op, op->rm, op->opsize, value);
		return;
	}
	stack_set(cpu, stack_offset(cpu, op->opsize));
	offset = op_ea(cpu, op);
	stack_set(cpu, old);
	linear = seg_linear(cpu, op->seg, offset, op->opsize, MEM_WRITE);
	lin_write(cpu, linear, op->opsize, value, MEM_WRITE);
	stack_set(cpu, stack_offset(cpu, op->opsize));
}

/* All or nothing: the lowest slot is probed first, the others lie between it and the stack pointer.
 */
void insn_pusha(struct cpu *cpu, const struct op *op)
{
	unsigned size = op->opsize;

	for (unsigned i = 8; i > 0; i--)
		lin_probe(cpu,
			  seg_linear(cpu, SEG_SS, stack_offset(cpu, -(int64_t)(size * i)), size,
				     MEM_WRITE),
			  size, MEM_WRITE);
	for (unsigned reg = 0; reg < 8; reg++)
		mem_write(cpu, SEG_SS, stack_offset(cpu, -(int64_t)(size * (reg + 1))), size,
			  cpu->gpr[reg] & size_mask(size));
	stack_set(cpu, stack_offset(cpu, -(int64_t)(8 * size)));
}

void insn_popa(struct cpu *cpu, const struct op *op)
{
	unsigned size = op->opsize;
	uint64_t values[8];

	for (unsigned i = 0; i < 8; i++)
		values[i] = mem_read(cpu, SEG_SS, stack_offset(cpu, (int64_t)(size * i)), size);
	for (unsigned i = 0; i < 8; i++)
		if (i != 7 - REG_RSP)
			fast_put(cpu, 7 - i, size, values[i]);
	stack_set(cpu, stack_offset(cpu, (int64_t)(8 * size)));
}

/* SDM 2 "ENTER": frame pointers are copied from the old frame; nothing changes unless all of it
 * works. */
void insn_enter(struct cpu *cpu, const struct op *op)
{
	unsigned size = op->opsize, level = op->disp & 31;
	uint64_t mask = size_mask(stack_size(cpu)), frame;
	int64_t at = -(int64_t)size;

	mem_write(cpu, SEG_SS, stack_offset(cpu, at), size, cpu->gpr[REG_RBP] & size_mask(size));
	frame = stack_offset(cpu, at);
	for (unsigned i = 1; i < level; i++) {
		uint64_t from = (cpu->gpr[REG_RBP] - (uint64_t)size * i) & mask;
		uint64_t link = mem_read(cpu, SEG_SS, from, size);

		at -= size;
		mem_write(cpu, SEG_SS, stack_offset(cpu, at), size, link);
	}
	if (level) {
		at -= size;
		mem_write(cpu, SEG_SS, stack_offset(cpu, at), size, frame & size_mask(size));
	}
	at -= (uint16_t)op->imm;
	lin_probe(cpu, seg_linear(cpu, SEG_SS, stack_offset(cpu, at), size, MEM_WRITE), size,
		  MEM_WRITE);
	frame = size == 2 ? (cpu->gpr[REG_RBP] & ~UINT64_C(0xffff)) | (frame & 0xffff) : frame;
	stack_set(cpu, stack_offset(cpu, at));
	cpu->gpr[REG_RBP] = frame;
}
