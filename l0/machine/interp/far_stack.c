/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Stack accesses of event delivery and far control transfer, which may lie on a stack that SS:RSP
 * does not name yet. Ordinary PUSH and POP are the engine's.
 */
#include "l0/machine/interp/descriptor.h"

#include <string.h>

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
		offset = cpu_lam(cpu, offset);
		if (!cpu_canonical(cpu, offset) || !cpu_canonical(cpu, offset + size - 1))
			cpu_fault_code(cpu, VECTOR_SS, stack->error);
		return offset;
	}
	if (!stack_within(stack, offset, size))
		cpu_fault_code(cpu, VECTOR_SS, stack->error);
	return (uint32_t)(stack->base + offset);
}

/* In 64-bit mode what lies between two canonical addresses is canonical. */
void stack_check(struct cpu *cpu, const struct stack *stack, unsigned count, unsigned size)
{
	if (stack->flat) {
		stack_linear(cpu, stack, stack->sp - size, size);
		stack_linear(cpu, stack, stack->sp - (uint64_t)count * size, size);
		return;
	}
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

/* Eight-byte items from `low` upwards, if they are on one page that the TLB knows. */
static uint8_t *stack_frame(struct cpu *cpu, const struct stack *stack, uint64_t low,
			    unsigned count, unsigned access)
{
	if (!stack->flat || !cpu_canonical(cpu, low))
		return NULL;
	return lin_hit(cpu, low, 8 * count, access | stack->access);
}

void stack_push_items(struct cpu *cpu, struct stack *stack, const uint64_t *items, unsigned count,
		      unsigned size)
{
	uint64_t low = stack->sp - 8 * (uint64_t)count;
	uint8_t *host = size == 8 ? stack_frame(cpu, stack, low, count, MEM_WRITE) : NULL;

	if (!host) {
		for (unsigned i = 0; i < count; i++)
			stack_push(cpu, stack, items[i], size);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		memcpy(host + 8 * (count - 1 - i), &items[i], 8);
	stack->sp = low;
}

void stack_pop_items(struct cpu *cpu, struct stack *stack, uint64_t *items, unsigned count,
		     unsigned size)
{
	uint8_t *host = size == 8 ? stack_frame(cpu, stack, stack->sp, count, MEM_READ) : NULL;

	if (!host) {
		for (unsigned i = 0; i < count; i++)
			items[i] = stack_pop(cpu, stack, size);
		return;
	}
	memcpy(items, host, 8 * (size_t)count);
	stack->sp += 8 * (uint64_t)count;
}

void stack_commit(struct cpu *cpu, const struct stack *stack)
{
	uint64_t *rsp = &cpu->gpr[REG_RSP];

	if (stack->mask == UINT16_MAX)
		*rsp = (*rsp & ~stack->mask) | (stack->sp & stack->mask);
	else
		*rsp = stack->sp & stack->mask;
}
