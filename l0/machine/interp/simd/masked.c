/* SPDX-License-Identifier: BSD-2-Clause
 *
 * AVX's accesses to memory lane by lane: VMASKMOV, VPMASKMOV and the gathers of AVX2. A lane whose
 * mask has its highest bit clear touches nothing and faults on nothing. The size of the lanes is
 * that of the row's memory operand.
 */
#include "l0/machine/interp/insn_table.h"

#include <string.h>

#include "l0/machine/interp/insns.h"

/* A YMM register as one. */
union lanes {
	union vec half[2];
	uint8_t b[32];
};

static union lanes get_register(struct cpu *cpu, unsigned reg)
{
	return (union lanes){.half = {*simd_xmm(cpu, reg), *simd_ymm_upper(cpu, reg)}};
}

static void set_register(struct cpu *cpu, unsigned reg, const union lanes *value)
{
	*simd_xmm(cpu, reg) = value->half[0];
	*simd_ymm_upper(cpu, reg) = value->half[1];
}

static uint64_t get_lane(const union lanes *lanes, unsigned size, unsigned i)
{
	uint64_t value = 0;

	memcpy(&value, lanes->b + size * i, size);
	return value;
}

static void put_lane(union lanes *lanes, unsigned size, unsigned i, uint64_t value)
{
	memcpy(lanes->b + size * i, &value, size);
}

static bool chosen(const union lanes *mask, unsigned size, unsigned i)
{
	return mask->b[size * i + size - 1] >> 7;
}

static unsigned vector_size(const struct op *op)
{
	return insn_info(op->row)->vex_l ? 32 : 16;
}

static uint64_t wrap(const struct op *op, uint64_t offset)
{
	return offset & (UINT64_MAX >> (64 - 8 * op->addrsize));
}

/* ---- masked moves ---- */

static uint64_t lane_address(struct cpu *cpu, const struct op *op, unsigned i, unsigned access)
{
	uint64_t offset = wrap(op, op_ea(cpu, op) + op->opsize * i);

	return seg_linear(cpu, op->seg, offset, op->opsize, access);
}

void insn_vmaskmov_load(struct cpu *cpu, const struct op *op)
{
	union lanes mask, result = {.b = {0}};
	unsigned size = op->opsize;

	simd_check_vex(cpu);
	mask = get_register(cpu, op->vvvv);
	for (unsigned i = 0; i < vector_size(op) / size; i++)
		if (chosen(&mask, size, i))
			put_lane(&result, size, i,
				 lin_read(cpu, lane_address(cpu, op, i, MEM_READ), size, MEM_READ));
	set_register(cpu, op->reg, &result);
}

/* Nothing is stored unless everything can be. */
void insn_vmaskmov_store(struct cpu *cpu, const struct op *op)
{
	unsigned size = op->opsize, count = vector_size(op) / size;
	union lanes mask, value;

	simd_check_vex(cpu);
	mask = get_register(cpu, op->vvvv);
	value = get_register(cpu, op->reg);
	for (unsigned i = 0; i < count; i++)
		if (chosen(&mask, size, i))
			lin_probe(cpu, lane_address(cpu, op, i, MEM_WRITE), size, MEM_WRITE);
	for (unsigned i = 0; i < count; i++)
		if (chosen(&mask, size, i))
			lin_write(cpu, lane_address(cpu, op, i, MEM_WRITE), size,
				  get_lane(&value, size, i), MEM_WRITE);
}

/* ---- gathers, SDM 2 "VGATHERDPS/VGATHERQPS" ---- */

static uint64_t gather_address(struct cpu *cpu, const struct op *op, unsigned index_size,
			       unsigned i)
{
	union lanes indices = get_register(cpu, op->index);
	uint64_t index = get_lane(&indices, index_size, i), offset;

	if (index_size == 4)
		index = (uint64_t)(int32_t)index;
	offset = cpu->gpr[op->base] + (uint64_t)(int64_t)op->disp + (index << op->scale);
	return seg_linear(cpu, op->seg, wrap(op, offset), op->opsize, MEM_READ);
}

/* Before the first lane: the mask is extended to whole lanes, and 0 beyond the last one. */
static void extend_mask(struct cpu *cpu, const struct op *op, unsigned count)
{
	union lanes mask = get_register(cpu, op->vvvv), wide = {.b = {0}};
	unsigned size = op->opsize;

	for (unsigned i = 0; i < count; i++)
		put_lane(&wide, size, i, chosen(&mask, size, i) ? UINT64_MAX : 0);
	set_register(cpu, op->vvvv, &wide);
}

static void gather_lane(struct cpu *cpu, const struct op *op, unsigned index_size, unsigned i)
{
	union lanes mask = get_register(cpu, op->vvvv), dest;
	unsigned size = op->opsize;
	uint64_t value;

	if (!chosen(&mask, size, i))
		return;
	value = lin_read(cpu, gather_address(cpu, op, index_size, i), size, MEM_READ);
	dest = get_register(cpu, op->reg);
	put_lane(&dest, size, i, value);
	put_lane(&mask, size, i, 0);
	set_register(cpu, op->reg, &dest);
	set_register(cpu, op->vvvv, &mask);
}

/* Lanes are done from the lowest, each as soon as it is read: a fault leaves those before it done
 * and their masks clear, and the instruction goes on from there when it is restarted. */
void insn_vgather(struct cpu *cpu, const struct op *op)
{
	unsigned size = op->opsize, index_size = insn_info(op->row)->opcode & 1 ? 8 : 4;
	unsigned count = vector_size(op) / (size > index_size ? size : index_size);
	union lanes dest;

	if (op->reg == op->index || op->reg == op->vvvv || op->index == op->vvvv)
		cpu_fault(cpu, VECTOR_UD);
	simd_check_vex(cpu);
	extend_mask(cpu, op, count);
	for (unsigned i = 0; i < count; i++)
		gather_lane(cpu, op, index_size, i);
	dest = get_register(cpu, op->reg);
	memset(dest.b + size * count, 0, sizeof(dest.b) - size * count);
	set_register(cpu, op->reg, &dest);
}
