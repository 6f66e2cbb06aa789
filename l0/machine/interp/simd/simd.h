/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a kernel of rows.def sees of its instruction. Kernels compute; execute.c checks, loads,
 * raises and stores. The registers live in cpu->xsave_area, in the standard layout of XSAVE: XMM
 * registers in one place, the upper halves of YMM registers in another. A kernel works on 128 bits
 * (MMX: 64) and is called for each half of a YMM operation; one of kind CROSS is called once and
 * sees both halves.
 */
#ifndef L0_MACHINE_INTERP_SIMD_SIMD_H
#define L0_MACHINE_INTERP_SIMD_SIMD_H

#include "l0/machine/interp/fp/soft.h"
#include "l0/machine/interp/op.h"

/* 128 bits, or an MMX register. The host is little-endian, whatever else it is. */
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
	union vec d; /* first source in (if it is a register and not OUT), destination out */
	union vec s; /* second source; an immediate if that is the second */
	union vec t; /* third source: the mask of a variable blend, FMA's destination */
	struct {
		union vec d, s, t;
	} upper;	/* bits 255:128; 0 in 128-bit operations */
	unsigned bytes; /* of d: 8 (MMX) or 16 */
	unsigned half;	/* 1: the kernel's second call, for the upper half */
	bool wide;	/* YMM operation */
	bool vex;
	uint8_t imm;
	bool store; /* write d back; a kernel may clear it */
	uint32_t mxcsr;
	struct soft_env fp;
	uint8_t settled; /* flags of the steps that are over, of operations with several */
	struct cpu *cpu;
	const struct op *op;
};

typedef void simd_kernel(struct simd *s);

enum simd_kind { SIMD_INT = 0, SIMD_FP = 1, SIMD_OUT = 2, SIMD_CROSS = 4, SIMD_FUSED = 8 };

#define MXCSR_DAZ BIT32(6)
#define MXCSR_FTZ BIT32(15)
#define AREA_FSW 2
#define AREA_FTW 4
#define AREA_MXCSR 24
#define AREA_ST 32 /* 16 bytes each; MMX registers are their low 8 */
#define AREA_XMM 160
#define AREA_YMM 576 /* their bits 255:128 */

static inline union vec *simd_xmm(struct cpu *cpu, unsigned reg)
{
	return (union vec *)(cpu->xsave_area + AREA_XMM + 16 * reg);
}

static inline union vec *simd_ymm_upper(struct cpu *cpu, unsigned reg)
{
	return (union vec *)(cpu->xsave_area + AREA_YMM + 16 * reg);
}

/* #UD or #NM unless VEX-encoded vector instructions may execute, SDM 2 "Exception Types"
 * (xsave.c). */
void simd_check_vex(struct cpu *cpu);

/* Writes `size` bytes at a linear address as one access that faults as a whole. */
void simd_store(struct cpu *cpu, uint64_t linear, const union vec value[2], unsigned size);

/* The complex handler of every row. */
void simd_execute(struct cpu *cpu, const struct op *op);

#define SIMD(encoding, mnemonic, operands, kernel, ...) simd_kernel simd_##kernel;
#include "l0/machine/interp/simd/rows.def"
#undef SIMD

#endif
