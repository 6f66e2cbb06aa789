/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What all SIMD instructions have in common: who may execute them, operands, the x87 state that MMX
 * changes, SIMD floating-point exceptions. The order of the checks is that of SDM 2 "Exception
 * Types" for legacy instructions and SDM 3A "Effect of MMX Instructions on x87 FPU State".
 */
#include "l0/machine/interp/simd/simd.h"

#include <string.h>

#include "l0/machine/interp/insn_table.h"

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

/* All empty, which finish_mmx does last. */
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
	if (mmx)
		x87_check_pending(cpu);
}

/* Unmasked exceptions found before the computation hide what the computation would raise. */
static void check_exceptions(struct simd *s)
{
	struct cpu *cpu = s->cpu;
	uint32_t flags = s->fp.flags, unmasked = flags & ~s->fp.masked;

	if (unmasked & SOFT_BEFORE)
		flags &= SOFT_BEFORE | s->settled;
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

	if (operand->aligned && (linear & (size - 1)))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	return linear;
}

static void load_memory(struct simd *s, const struct simd_operand *operand, union vec *value,
			union vec *upper)
{
	unsigned size = operand_size(operand, s->op);
	uint64_t linear = operand_address(s->cpu, s->op, operand, size, MEM_READ);

	if (size < 16) {
		value->q[0] = lin_read(s->cpu, linear, size, MEM_READ);
		return;
	}
	value->q[0] = lin_read(s->cpu, linear, 8, MEM_READ);
	value->q[1] = lin_read(s->cpu, linear + 8, 8, MEM_READ);
	if (size == 16)
		return;
	upper->q[0] = lin_read(s->cpu, linear + 16, 8, MEM_READ);
	upper->q[1] = lin_read(s->cpu, linear + 24, 8, MEM_READ);
}

void simd_store(struct cpu *cpu, uint64_t linear, const union vec value[2], unsigned size)
{
	if (size < 16) {
		lin_write(cpu, linear, size, value->q[0], MEM_WRITE);
		return;
	}
	if (PAGE_OFFSET(linear) + size > PAGE_SIZE)
		lin_probe(cpu, linear, size, MEM_WRITE);
	for (unsigned at = 0; at < size; at += 8)
		lin_write(cpu, linear + at, 8, value[at / 16].q[at / 8 & 1], MEM_WRITE);
}

static bool in_memory(const struct simd_operand *operand, const struct op *op)
{
	return operand->place == IN_RM && (op->flags & OP_MEMORY);
}

static unsigned register_of(const struct simd_operand *operand, const struct op *op)
{
	switch ((enum simd_place)operand->place) {
	case IN_REG:
		return op->reg;
	case IN_RM:
		return op->rm;
	case IN_VVVV:
		return op->vvvv;
	case IN_IMMEDIATE:
		return (unsigned)op->imm;
	case IN_XMM0:
		break;
	}
	return 0;
}

static void load(struct simd *s, const struct simd_operand *operand, union vec *value,
		 union vec *upper)
{
	const struct op *op = s->op;
	unsigned reg = register_of(operand, op);

	if (in_memory(operand, op))
		load_memory(s, operand, value, upper);
	else if (operand->file == FILE_XMM)
		*value = *simd_xmm(s->cpu, reg);
	else if (operand->file == FILE_MMX)
		memcpy(value, s->cpu->xsave_area + mmx_at(s->cpu, reg), 8);
	else if (operand->file == FILE_IMMEDIATE)
		value->q[0] = s->imm;
	else
		value->q[0] = reg_read(s->cpu, op, reg, operand_size(operand, op));
	if (!s->wide || (operand->size == 32 && in_memory(operand, op)))
		return;
	/* both halves see a second source that is narrower than they are: a count, what is
	 * broadcast */
	*upper = operand->size == 32 ? *simd_ymm_upper(s->cpu, reg) : *value;
}

/* VEX-encoded instructions clear the rest of a vector register. */
static void store_vector(struct simd *s, unsigned reg, unsigned size)
{
	*simd_xmm(s->cpu, reg) = s->d;
	if (s->vex)
		*simd_ymm_upper(s->cpu, reg) = size == 32 ? s->upper.d : (union vec){.q = {0}};
}

static void store(struct simd *s, const struct simd_operand *operand)
{
	const struct op *op = s->op;
	unsigned reg = register_of(operand, op), size = operand_size(operand, op);
	const union vec both[2] = {s->d, s->upper.d};

	if (in_memory(operand, op))
		simd_store(s->cpu, operand_address(s->cpu, op, operand, size, MEM_WRITE), both,
			   size);
	else if (operand->file == FILE_XMM)
		store_vector(s, reg, size);
	else if (operand->file == FILE_MMX)
		memcpy(s->cpu->xsave_area + mmx_at(s->cpu, reg), &s->d, 8);
	else
		reg_write(s->cpu, op, reg, size, s->d.q[0] & (UINT64_MAX >> (64 - 8 * size)));
}

/* The exponent of a written MMX register becomes all ones. */
static void finish_mmx(struct simd *s, const struct simd_operand *operand)
{
	unsigned reg = register_of(operand, s->op);

	enter_mmx(s->cpu);
	if (operand->file == FILE_MMX && s->store && !in_memory(operand, s->op))
		memset(s->cpu->xsave_area + AREA_ST + 16 * reg + 8, 0xff, 2);
	if (!operand->file) /* EMMS */
		s->cpu->xsave_area[AREA_FTW] = 0;
}

static void load_all(struct simd *s, const struct simd_info *info)
{
	if (info->second.file)
		load(s, &info->second, &s->s, &s->upper.s);
	if (info->first.file && !(info->kind & SIMD_OUT) && !in_memory(&info->first, s->op))
		load(s, &info->first, &s->d, &s->upper.d);
	if (info->third.file)
		load(s, &info->third, &s->t, &s->upper.t);
}

static void compute(struct simd *s, const struct simd_info *info)
{
	union vec low;

	info->kernel(s);
	if (!s->wide || (info->kind & SIMD_CROSS))
		return;
	low = s->d;
	s->d = s->upper.d;
	s->s = s->upper.s;
	s->t = s->upper.t;
	s->half = 1;
	info->kernel(s);
	s->upper.d = s->d;
	s->d = low;
}

void simd_execute(struct cpu *cpu, const struct op *op)
{
	const struct simd_info *info = &insn_info(op->row)->simd;
	struct simd s = {.cpu = cpu,
			 .op = op,
			 .imm = (uint8_t)op->imm,
			 .bytes = info->mmx ? 8 : 16,
			 .wide = info->wide,
			 .vex = info->vex,
			 .store = true};
	bool mmx = info->mmx && !(info->mmx_register && (op->flags & OP_MEMORY));

	if (info->vex)
		simd_check_vex(cpu);
	else
		check_available(cpu, info->sse, mmx);
	if (info->kind & SIMD_FP)
		begin_fp(&s);
	load_all(&s, info);
	compute(&s, info);
	if (s.fp.flags) {
		if (mmx && (info->kind & SIMD_FP)) /* comes before #XM on silicon */
			enter_mmx(cpu);
		check_exceptions(&s);
	}
	if (s.store)
		store(&s, &info->dest);
	if (mmx)
		finish_mmx(&s, &info->dest);
}
