/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a kernel of rows.def sees of its instruction. Kernels compute; execute.c checks, loads,
 * raises and stores. The registers live in cpu->xsave_area, in the layout of FXSAVE.
 */
#ifndef L0_MACHINE_INTERP_SIMD_SIMD_H
#define L0_MACHINE_INTERP_SIMD_SIMD_H

#include "l0/machine/interp/fp/soft.h"
#include "l0/machine/interp/op.h"

/* The host is little-endian, whatever else it is. */
union vec {
	uint8_t b[16];
	uint16_t w[8];
	uint32_t d[4];
	uint64_t q[2];
	int8_t sb[16];
	int16_t sw[8];
	int32_t sd[4];
	int64_t sq[2];
};

struct simd {
	union vec d;	/* first operand: in (if it is a register and not OUT) and out */
	union vec s;	/* second operand; an immediate if that is the second */
	unsigned bytes; /* 8: MMX, 16: XMM */
	uint8_t imm;
	bool store; /* write d back; a kernel may clear it */
	uint32_t mxcsr;
	struct soft_env fp;
	struct cpu *cpu;
	const struct op *op;
};

typedef void simd_kernel(struct simd *s);

enum simd_kind { SIMD_INT, SIMD_FP, SIMD_OUT };

#define MXCSR_DAZ BIT32(6)
#define MXCSR_FTZ BIT32(15)
#define AREA_FSW 2
#define AREA_FTW 4
#define AREA_MXCSR 24
#define AREA_ST 32 /* 16 bytes each; MMX registers are their low 8 */
#define AREA_XMM 160

static inline union vec *simd_xmm(struct cpu *cpu, unsigned reg)
{
	return (union vec *)(cpu->xsave_area + AREA_XMM + 16 * reg);
}

/* Writes `size` bytes at a linear address as one access that faults as a whole. */
void simd_store(struct cpu *cpu, uint64_t linear, const union vec *value, unsigned size);

/* The complex handler of every row. */
void simd_execute(struct cpu *cpu, const struct op *op);

#define SIMD(encoding, mnemonic, operands, kernel, ...) simd_kernel simd_##kernel;
#include "l0/machine/interp/simd/rows.def"
#undef SIMD

#endif
