/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MOVS CMPS STOS LODS SCAS with REP (repeat.h). Whole runs within a page are copied or filled at
 * once; that is not visible in results or time.
 */
#include "l0/machine/interp/alu.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/repeat.h"

/* ---- runs within pages ---- */

/* In the order of the iterations: overlapping copies forward repeat a pattern. */
static void copy_forward(uint8_t *to, const uint8_t *from, unsigned size, uint64_t count)
{
	uint64_t bytes = count * size;

	if (to <= from || to >= from + bytes) {
		memmove(to, from, bytes);
		return;
	}
	for (uint64_t at = 0; at < bytes; at += size)
		host_store(to + at, size, host_load(from + at, size));
}

static void fill(uint8_t *to, unsigned size, uint64_t count, uint64_t value)
{
	switch (size) {
	case 1:
		memset(to, (int)(value & 0xff), count);
		return;
	case 2:
		for (uint64_t i = 0; i < count; i++)
			host_store(to + 2 * i, 2, value);
		return;
	case 4:
		for (uint64_t i = 0; i < count; i++)
			host_store(to + 4 * i, 4, value);
		return;
	default:
		for (uint64_t i = 0; i < count; i++)
			host_store(to + 8 * i, 8, value);
		return;
	}
}

/* Checks and translations in the order of an iteration: the source's first. */
static uint64_t movs_run(struct cpu *cpu, const struct op *op, uint64_t most)
{
	unsigned size = op->opsize;
	uint64_t from, to, count;
	const uint8_t *source;
	uint8_t *target;

	if (!repeat_run_possible(cpu, op, op->seg))
		return 0;
	from = seg_linear(cpu, op->seg, repeat_offset(cpu, op, REG_RSI), size, MEM_READ);
	count = repeat_run_length(from, size, most);
	source = count < 2 ? NULL : lin_to_host(cpu, from, MEM_READ, NULL);
	if (!source)
		return 0;
	to = seg_linear(cpu, SEG_ES, repeat_offset(cpu, op, REG_RDI), size, MEM_WRITE);
	count = repeat_run_length(to, size, count);
	target = count < 2 ? NULL : lin_to_host(cpu, to, MEM_WRITE, NULL);
	if (!target)
		return 0;
	copy_forward(target, source, size, count);
	repeat_advance(cpu, op, REG_RSI, (int64_t)(count * size));
	repeat_advance(cpu, op, REG_RDI, (int64_t)(count * size));
	return count;
}

static uint64_t stos_run(struct cpu *cpu, const struct op *op, uint64_t most)
{
	unsigned size = op->opsize;
	uint64_t to, count;
	uint8_t *target;

	if (!repeat_run_possible(cpu, op, SEG_ES))
		return 0;
	to = seg_linear(cpu, SEG_ES, repeat_offset(cpu, op, REG_RDI), size, MEM_WRITE);
	count = repeat_run_length(to, size, most);
	target = count < 2 ? NULL : lin_to_host(cpu, to, MEM_WRITE, NULL);
	if (!target)
		return 0;
	fill(target, size, count, cpu->gpr[REG_RAX]);
	repeat_advance(cpu, op, REG_RDI, (int64_t)(count * size));
	return count;
}

/* How many elements until REPE or REPNE ends, the one that ends it included; `step` moves b: 0
 * where it is one value. Equal stretches are compared eight bytes at a time. */
ALWAYS_INLINE uint64_t scan(const uint8_t *a, const uint8_t *b, unsigned step, unsigned size,
			    uint64_t count, bool while_equal)
{
	uint64_t i = 0, chunk = 8 / size;

	if (while_equal && step)
		while (i + chunk <= count &&
		       host_load(a + i * size, 8) == host_load(b + i * size, 8))
			i += chunk;
	for (; i < count; i++)
		if ((host_load(a + i * size, size) == host_load(b + i * step, size)) != while_equal)
			return i + 1;
	return count;
}

static uint64_t scan_sized(const uint8_t *a, const uint8_t *b, bool moves, unsigned size,
			   uint64_t count, bool while_equal)
{
	switch (size) {
	case 1:
		return scan(a, b, moves, 1, count, while_equal);
	case 2:
		return scan(a, b, moves ? 2 : 0, 2, count, while_equal);
	case 4:
		return scan(a, b, moves ? 4 : 0, 4, count, while_equal);
	default:
		return scan(a, b, moves ? 8 : 0, 8, count, while_equal);
	}
}

/* Flags are those of the last comparison. */
static void compare_last(struct cpu *cpu, const uint8_t *a, const uint8_t *b, unsigned size)
{
	uint64_t left = 0, right = 0;

	memcpy(&left, a, size);
	memcpy(&right, b, size);
	alu_add_sub(cpu, true, left, right, size, true);
}

static uint64_t cmps_run(struct cpu *cpu, const struct op *op, uint64_t most)
{
	unsigned size = op->opsize;
	uint64_t from, to, count;
	const uint8_t *a, *b;

	if (!repeat_run_possible(cpu, op, op->seg))
		return 0;
	from = seg_linear(cpu, op->seg, repeat_offset(cpu, op, REG_RSI), size, MEM_READ);
	count = repeat_run_length(from, size, most);
	a = count < 2 ? NULL : lin_to_host(cpu, from, MEM_READ, NULL);
	if (!a)
		return 0;
	to = seg_linear(cpu, SEG_ES, repeat_offset(cpu, op, REG_RDI), size, MEM_READ);
	count = repeat_run_length(to, size, count);
	b = count < 2 ? NULL : lin_to_host(cpu, to, MEM_READ, NULL);
	if (!b)
		return 0;
	count = scan_sized(a, b, true, size, count, !(op->flags & OP_REPNE));
	compare_last(cpu, a + (count - 1) * size, b + (count - 1) * size, size);
	repeat_advance(cpu, op, REG_RSI, (int64_t)(count * size));
	repeat_advance(cpu, op, REG_RDI, (int64_t)(count * size));
	return count;
}

static uint64_t scas_run(struct cpu *cpu, const struct op *op, uint64_t most)
{
	const uint8_t *value = (const uint8_t *)&cpu->gpr[REG_RAX], *at;
	unsigned size = op->opsize;
	uint64_t from, count;

	if (!repeat_run_possible(cpu, op, SEG_ES))
		return 0;
	from = seg_linear(cpu, SEG_ES, repeat_offset(cpu, op, REG_RDI), size, MEM_READ);
	count = repeat_run_length(from, size, most);
	at = count < 2 ? NULL : lin_to_host(cpu, from, MEM_READ, NULL);
	if (!at)
		return 0;
	count = scan_sized(at, value, false, size, count, !(op->flags & OP_REPNE));
	compare_last(cpu, value, at + (count - 1) * size, size);
	repeat_advance(cpu, op, REG_RDI, (int64_t)(count * size));
	return count;
}

/* ---- one iteration each ---- */

static void movs_one(struct cpu *cpu, const struct op *op)
{
	uint64_t value = mem_read(cpu, op->seg, repeat_offset(cpu, op, REG_RSI), op->opsize);

	mem_write(cpu, SEG_ES, repeat_offset(cpu, op, REG_RDI), op->opsize, value);
	repeat_advance(cpu, op, REG_RSI, repeat_step(cpu, op));
	repeat_advance(cpu, op, REG_RDI, repeat_step(cpu, op));
}

static void cmps_one(struct cpu *cpu, const struct op *op)
{
	uint64_t a = mem_read(cpu, op->seg, repeat_offset(cpu, op, REG_RSI), op->opsize);
	uint64_t b = mem_read(cpu, SEG_ES, repeat_offset(cpu, op, REG_RDI), op->opsize);

	alu_add_sub(cpu, true, a, b, op->opsize, true);
	repeat_advance(cpu, op, REG_RSI, repeat_step(cpu, op));
	repeat_advance(cpu, op, REG_RDI, repeat_step(cpu, op));
}

static void stos_one(struct cpu *cpu, const struct op *op)
{
	uint64_t value = cpu->gpr[REG_RAX] & size_mask(op->opsize);

	mem_write(cpu, SEG_ES, repeat_offset(cpu, op, REG_RDI), op->opsize, value);
	repeat_advance(cpu, op, REG_RDI, repeat_step(cpu, op));
}

static void lods_one(struct cpu *cpu, const struct op *op)
{
	uint64_t value = mem_read(cpu, op->seg, repeat_offset(cpu, op, REG_RSI), op->opsize);

	fast_put(cpu, op->opsize == 1 ? 0 : REG_RAX, op->opsize, value);
	repeat_advance(cpu, op, REG_RSI, repeat_step(cpu, op));
}

static void scas_one(struct cpu *cpu, const struct op *op)
{
	uint64_t b = mem_read(cpu, SEG_ES, repeat_offset(cpu, op, REG_RDI), op->opsize);

	alu_add_sub(cpu, true, cpu->gpr[REG_RAX] & size_mask(op->opsize), b, op->opsize, true);
	repeat_advance(cpu, op, REG_RDI, repeat_step(cpu, op));
}

void insn_movs(struct cpu *cpu, const struct op *op)
{
	repeat_insn(cpu, op, movs_one, movs_run, false);
}

void insn_stos(struct cpu *cpu, const struct op *op)
{
	repeat_insn(cpu, op, stos_one, stos_run, false);
}

void insn_lods(struct cpu *cpu, const struct op *op)
{
	repeat_insn(cpu, op, lods_one, NULL, false);
}

void insn_cmps(struct cpu *cpu, const struct op *op)
{
	repeat_insn(cpu, op, cmps_one, cmps_run, true);
}

void insn_scas(struct cpu *cpu, const struct op *op)
{
	repeat_insn(cpu, op, scas_one, scas_run, true);
}
