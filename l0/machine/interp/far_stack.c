/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Stack accesses of event delivery and far control transfer, which may lie on a stack that SS:RSP
 * does not name yet. Ordinary PUSH and POP are the engine's.
 */
#include "l0/machine/interp/descriptor.h"

struct stack stack_make(const struct segment *ss, uint64_t sp, bool flat, uint32_t error)
{
	uint64_t mask = flat ? UINT64_MAX : ss->ar & AR_DB ? UINT32_MAX : UINT16_MAX;

	return (struct stack){ .sp = sp,
			       .mask = mask,
			       .base = flat ? 0 : ss->base,
			       .limit = ss->limit,
			       .ar = ss->ar,
			       .error = error,
			       .flat = flat };
}

struct stack stack_current(const struct cpu *cpu, uint32_t error)
{
	return stack_make(&cpu->seg[SEG_SS], cpu->gpr[REG_RSP], cpu_code64(cpu), error);
}

/* SDM 3A "Limit Checking"; an expand-down segment starts above its limit. */
static bool stack_within(const struct stack *stack, uint64_t offset, unsigned size)
{
	uint64_t last = offset + size - 1;
	uint64_t top = stack->ar & AR_DB ? UINT32_MAX : UINT16_MAX;

	if (stack->ar & AR_UNUSABLE)
		return false;
	if (stack->ar & AR_TYPE_EXPAND_DOWN)
		return offset > stack->limit && last <= top;
	return last <= stack->limit;
}

static uint64_t stack_linear(struct cpu *cpu, const struct stack *stack, uint64_t sp, unsigned size)
{
	uint64_t offset = sp & stack->mask;

	if (stack->flat) {
		if (!cpu_canonical(cpu, offset) || !cpu_canonical(cpu, offset + size - 1))
			cpu_fault_code(cpu, VECTOR_SS, stack->error);
		return offset;
	}
	if (!stack_within(stack, offset, size))
		cpu_fault_code(cpu, VECTOR_SS, stack->error);
	return (uint32_t)(stack->base + offset);
}

void stack_check(struct cpu *cpu, const struct stack *stack, unsigned count, unsigned size)
{
	for (unsigned i = 1; i <= count; i++)
		stack_linear(cpu, stack, stack->sp - i * size, size);
}

void stack_push(struct cpu *cpu, struct stack *stack, uint64_t value, unsigned size)
{
	uint64_t sp = stack->sp - size;

	lin_write(cpu, stack_linear(cpu, stack, sp, size), size, value, MEM_WRITE | stack->access);
	stack->sp = sp;
}

uint64_t stack_peek(struct cpu *cpu, const struct stack *stack, uint64_t offset, unsigned size)
{
	uint64_t linear = stack_linear(cpu, stack, stack->sp + offset, size);

	return lin_read(cpu, linear, size, MEM_READ | stack->access);
}

uint64_t stack_pop(struct cpu *cpu, struct stack *stack, unsigned size)
{
	uint64_t value = stack_peek(cpu, stack, 0, size);

	stack->sp += size;
	return value;
}

void stack_commit(struct cpu *cpu, const struct stack *stack)
{
	uint64_t *rsp = &cpu->gpr[REG_RSP];

	if (stack->mask == UINT16_MAX)
		*rsp = (*rsp & ~stack->mask) | (stack->sp & stack->mask);
	else
		*rsp = stack->sp & stack->mask;
}
