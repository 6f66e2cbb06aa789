/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What all SIMD instructions have in common: who may execute them, operands, the x87 state that MMX
 * changes, SIMD floating-point exceptions. The order of the checks is that of SDM 2 "Exception
 * Types" for legacy instructions and SDM 3A "Effect of MMX Instructions on x87 FPU State".
 */
#include "l0/machine/interp/simd/simd.h"

#include <string.h>

#include "l0/machine/interp/insn_table.h"

#define FSW_ES BIT32(7)
#define FSW_TOP (7u << 11)

/* ---- MMX on the x87's registers ---- */

/* The image is relative to TOP, MMX registers are physical ones: turn it until TOP is 0. */
static void rotate_registers(uint8_t *area, unsigned top)
{
	uint8_t old[8][16];

	memcpy(old, area + AREA_ST, sizeof(old));
	for (unsigned i = 0; i < 8; i++)
		memcpy(area + AREA_ST + 16 * ((top + i) & 7), old[i], 16);
}

static void enter_mmx(struct cpu *cpu)
{
	uint16_t fsw;

	memcpy(&fsw, cpu->xsave_area + AREA_FSW, 2);
	if (fsw & FSW_TOP)
		rotate_registers(cpu->xsave_area, fsw >> 11 & 7);
	fsw &= (uint16_t)~FSW_TOP;
	memcpy(cpu->xsave_area + AREA_FSW, &fsw, 2);
	cpu->xsave_area[AREA_FTW] = 0xff; /* all valid */
}

/* All empty, which simd_execute does last. */
void simd_emms(struct simd *s)
{
	s->store = false;
}

/* An MMX register reads as it is wherever TOP points. */
static unsigned mmx_at(const struct cpu *cpu, unsigned reg)
{
	unsigned top = cpu->xsave_area[AREA_FSW + 1] >> 3 & 7;

	return AREA_ST + 16 * ((reg - top) & 7);
}

/* ---- checks ---- */

static void check_available(struct cpu *cpu, bool sse, bool mmx)
{
	if ((cpu->cr0 & CR0_EM) || (sse && !(cpu->cr4 & CR4_OSFXSR)))
		cpu_fault(cpu, VECTOR_UD);
	if (cpu->cr0 & CR0_TS)
		cpu_fault(cpu, VECTOR_NM);
	if (mmx && (cpu->xsave_area[AREA_FSW] & FSW_ES))
		cpu_fault(cpu, VECTOR_MF);
}

/* Unmasked exceptions found before the computation hide what the computation would raise. */
static void check_exceptions(struct simd *s)
{
	struct cpu *cpu = s->cpu;
	uint32_t flags = s->fp.flags, unmasked = flags & ~s->fp.masked;

	if (unmasked & SOFT_BEFORE)
		flags &= SOFT_BEFORE;
	s->mxcsr |= flags;
	memcpy(cpu->xsave_area + AREA_MXCSR, &s->mxcsr, 4);
	if (unmasked)
		cpu_fault(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? VECTOR_XM : VECTOR_UD);
}

static void begin_fp(struct simd *s)
{
	memcpy(&s->mxcsr, s->cpu->xsave_area + AREA_MXCSR, 4);
	s->fp.rounding = s->mxcsr >> 13 & 3;
	s->fp.masked = s->mxcsr >> 7 & SOFT_ALL;
	s->fp.daz = s->mxcsr & MXCSR_DAZ;
	s->fp.ftz = s->mxcsr & MXCSR_FTZ;
}

/* ---- operands ---- */

static unsigned operand_size(const struct simd_operand *operand, const struct op *op)
{
	return operand->size ? operand->size : op->opsize;
}

/* Alignment is checked before paging: SDM 2 "Exceptions Type 1" and 4. */
static uint64_t operand_address(struct cpu *cpu, const struct op *op,
				const struct simd_operand *operand, unsigned size, unsigned access)
{
	uint64_t linear = seg_linear(cpu, op->seg, op_ea(cpu, op), size, access);

	if (operand->aligned && (linear & 15))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	return linear;
}

static void load_memory(struct simd *s, const struct simd_operand *operand, union vec *value)
{
	unsigned size = operand_size(operand, s->op);
	uint64_t linear = operand_address(s->cpu, s->op, operand, size, MEM_READ);

	if (size < 16) {
		value->q[0] = lin_read(s->cpu, linear, size, MEM_READ);
		return;
	}
	value->q[0] = lin_read(s->cpu, linear, 8, MEM_READ);
	value->q[1] = lin_read(s->cpu, linear + 8, 8, MEM_READ);
}

void simd_store(struct cpu *cpu, uint64_t linear, const union vec *value, unsigned size)
{
	if (size < 16) {
		lin_write(cpu, linear, size, value->q[0], MEM_WRITE);
		return;
	}
	if (PAGE_OFFSET(linear) + size > PAGE_SIZE)
		lin_probe(cpu, linear, size, MEM_WRITE);
	lin_write(cpu, linear, 8, value->q[0], MEM_WRITE);
	lin_write(cpu, linear + 8, 8, value->q[1], MEM_WRITE);
}

static bool in_memory(const struct simd_operand *operand, const struct op *op)
{
	return operand->in_rm && (op->flags & OP_MEMORY);
}

static void load(struct simd *s, const struct simd_operand *operand, union vec *value)
{
	const struct op *op = s->op;
	unsigned reg = operand->in_rm ? op->rm : op->reg;

	if (in_memory(operand, op))
		load_memory(s, operand, value);
	else if (operand->file == FILE_XMM)
		*value = *simd_xmm(s->cpu, reg);
	else if (operand->file == FILE_MMX)
		memcpy(value, s->cpu->xsave_area + mmx_at(s->cpu, reg), 8);
	else if (operand->file == FILE_IMMEDIATE)
		value->q[0] = s->imm;
	else
		value->q[0] = reg_read(s->cpu, op, reg, operand_size(operand, op));
}

static void store(struct simd *s, const struct simd_operand *operand)
{
	const struct op *op = s->op;
	unsigned reg = operand->in_rm ? op->rm : op->reg, size = operand_size(operand, op);

	if (in_memory(operand, op))
		simd_store(s->cpu, operand_address(s->cpu, op, operand, size, MEM_WRITE), &s->d,
			   size);
	else if (operand->file == FILE_XMM)
		*simd_xmm(s->cpu, reg) = s->d;
	else if (operand->file == FILE_MMX)
		memcpy(s->cpu->xsave_area + mmx_at(s->cpu, reg), &s->d, 8);
	else
		reg_write(s->cpu, op, reg, size, s->d.q[0] & (UINT64_MAX >> (64 - 8 * size)));
}

/* The exponent of a written MMX register becomes all ones. */
static void finish_mmx(struct simd *s, const struct simd_operand *operand)
{
	unsigned reg = operand->in_rm ? s->op->rm : s->op->reg;

	enter_mmx(s->cpu);
	if (operand->file == FILE_MMX && s->store && !in_memory(operand, s->op))
		memset(s->cpu->xsave_area + AREA_ST + 16 * reg + 8, 0xff, 2);
}

void simd_execute(struct cpu *cpu, const struct op *op)
{
	const struct insn_info *info = insn_info(op->row);
	const struct simd_operand *operand = info->simd.operands;
	struct simd s = {.cpu = cpu, .op = op, .imm = (uint8_t)op->imm, .store = true};
	bool mmx = info->simd.mmx && !(info->simd.mmx_register && (op->flags & OP_MEMORY));

	check_available(cpu, info->simd.sse, mmx);
	s.bytes = info->simd.mmx ? 8 : 16;
	if (info->simd.kind == SIMD_FP)
		begin_fp(&s);
	if (operand[1].file)
		load(&s, &operand[1], &s.s);
	if (operand[0].file && info->simd.kind != SIMD_OUT && !in_memory(&operand[0], op))
		load(&s, &operand[0], &s.d);
	info->simd.kernel(&s);
	if (s.fp.flags) {
		if (mmx && info->simd.kind == SIMD_FP) /* comes before #XM on silicon */
			enter_mmx(cpu);
		check_exceptions(&s);
	}
	if (s.store)
		store(&s, &operand[0]);
	if (mmx)
		finish_mmx(&s, &operand[0]);
	if (!operand[0].file) /* EMMS */
		cpu->xsave_area[AREA_FTW] = 0;
}
