/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that manage shadow stacks, SDM 2: their pages. ENDBRANCH is the block builder's.
 */
#include "l0/machine/interp/cet.h"

#include "l0/machine/interp/flags.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/sys.h"

#define BUSY UINT64_C(1)
#define TOKEN_MODE UINT64_C(1)	   /* of restore tokens: made by 64-bit code */
#define TOKEN_PREVIOUS UINT64_C(2) /* a previous-SSP token, not a restore token */

static void require_shadow_stack(struct cpu *cpu, uint64_t bits)
{
	if (!cet_on(cpu) || !cet_set(cpu, cpu->cpl, bits))
		cpu_fault(cpu, VECTOR_UD);
}

static uint64_t aligned_operand(struct cpu *cpu, const struct op *op, unsigned size)
{
	uint64_t linear = seg_linear(cpu, op->seg, op_ea(cpu, op), size, MEM_WRITE);

	if (linear & (size - 1))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	return linear;
}

static void set_carry(struct cpu *cpu, bool carry)
{
	cpu_set_rflags(cpu, (cpu_rflags(cpu) & ~RFLAGS_STATUS) | (carry ? RFLAGS_CF : 0));
}

/* Without shadow stacks this is a NOP. */
void insn_rdssp(struct cpu *cpu, const struct op *op)
{
	if (cet_shadow_stack(cpu))
		reg_write(cpu, op, op->rm, op->opsize, cpu->cet.ssp);
}

/* The first and the last entry are read, so that a step cannot jump over a guard page. */
void insn_incssp(struct cpu *cpu, const struct op *op)
{
	unsigned count = cpu->gpr[op->rm] & 0xff, last = count ? count - 1 : 0;
	unsigned access = cet_access(cpu->cpl);

	require_shadow_stack(cpu, CET_SH_STK_EN);
	lin_read(cpu, cpu->cet.ssp, op->opsize, access);
	lin_read(cpu, cpu->cet.ssp + (uint64_t)last * op->opsize, op->opsize, access);
	cpu->cet.ssp += (uint64_t)count * op->opsize;
}

void insn_rstorssp(struct cpu *cpu, const struct op *op)
{
	uint64_t mode = cpu_code64(cpu) ? TOKEN_MODE : 0, at, token;
	unsigned access = cet_access(cpu->cpl);

	require_shadow_stack(cpu, CET_SH_STK_EN);
	at = aligned_operand(cpu, op, 8);
	lin_probe(cpu, at, 8, access | MEM_WRITE);
	token = lin_read(cpu, at, 8, access);
	if ((token & (TOKEN_MODE | TOKEN_PREVIOUS)) != mode || (!mode && token >> 32) ||
	    (((token & ~TOKEN_MODE) - 8) & ~UINT64_C(7)) != at)
		cpu_fault_code(cpu, VECTOR_CP, CP_RSTORSSP);
	lin_write(cpu, at, 8, cpu->cet.ssp | mode | TOKEN_PREVIOUS, access);
	cpu->cet.ssp = at;
	set_carry(cpu, token & 4);
}

/* CF: RSTORSSP has found an alignment hole above the token, four bytes of 0. */
void insn_saveprevssp(struct cpu *cpu, const struct op *op)
{
	unsigned access = cet_access(cpu->cpl);
	bool code64 = cpu_code64(cpu), hole = cpu_rflags(cpu) & RFLAGS_CF;
	uint64_t ssp = cpu->cet.ssp, token, old;

	require_shadow_stack(cpu, CET_SH_STK_EN);
	if (ssp & 7)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	token = lin_read(cpu, ssp, 8, access);
	if ((hole && (code64 || lin_read(cpu, ssp + 8, 4, access))) || !(token & TOKEN_PREVIOUS) ||
	    (!code64 && token >> 32))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	old = token & ~UINT64_C(3);
	lin_probe(cpu, (old & ~UINT64_C(7)) - 8, 8, access | MEM_WRITE);
	lin_write(cpu, old - 4, 4, 0, access);
	lin_write(cpu, (old & ~UINT64_C(7)) - 8, 8, old | (code64 ? TOKEN_MODE : 0), access);
	cpu->cet.ssp = ssp + (hole ? 12 : 8);
}

void insn_wrss(struct cpu *cpu, const struct op *op)
{
	uint64_t at;

	require_shadow_stack(cpu, CET_SH_STK_EN | CET_WR_SHSTK_EN);
	at = aligned_operand(cpu, op, op->opsize);
	lin_write(cpu, at, op->opsize, reg_read(cpu, op, op->reg, op->opsize),
		  cet_access(cpu->cpl));
}

void insn_wruss(struct cpu *cpu, const struct op *op)
{
	uint64_t at;

	if (!cet_on(cpu))
		cpu_fault(cpu, VECTOR_UD);
	require_cpl0(cpu);
	at = aligned_operand(cpu, op, op->opsize);
	lin_write(cpu, at, op->opsize, reg_read(cpu, op, op->reg, op->opsize), cet_access(3));
}

static void require_supervisor_stack(struct cpu *cpu)
{
	if (!cet_on(cpu) || !cet_set(cpu, 0, CET_SH_STK_EN))
		cpu_fault(cpu, VECTOR_UD);
	require_cpl0(cpu);
}

void insn_setssbsy(struct cpu *cpu, const struct op *op)
{
	uint64_t at = cpu->cet.pl_ssp[0];

	require_supervisor_stack(cpu);
	if (at & 7)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (!cet_exchange_token(cpu, at, at, at | BUSY, cet_access(0)))
		cpu_fault_code(cpu, VECTOR_CP, CP_SETSSBSY);
	cpu->cet.ssp = at;
}

void insn_clrssbsy(struct cpu *cpu, const struct op *op)
{
	uint64_t at;
	bool valid;

	require_supervisor_stack(cpu);
	at = aligned_operand(cpu, op, 8);
	valid = cet_exchange_token(cpu, at, at | BUSY, at, cet_access(0));
	cpu->cet.ssp = 0;
	set_carry(cpu, !valid);
}
