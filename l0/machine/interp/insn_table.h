/* SPDX-License-Identifier: BSD-2-Clause
 *
 * insns.def as the decoder uses it: encodings and operands parsed, rows found by opcode. Private to
 * the decoder and the block builder; others query the table through decode.h.
 */
#ifndef L0_MACHINE_INTERP_INSN_TABLE_H
#define L0_MACHINE_INTERP_INSN_TABLE_H

#include "l0/machine/interp/decode.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/simd/simd.h"
#include "l0/machine/interp/x87/x87.h"

enum insn_attributes {
	INSN_LOCK = 1,
	INSN_END = 2,
	INSN_I64 = 4,
	INSN_O64 = 8,
	INSN_D64 = 16,
	INSN_F64 = 32,
	INSN_STACK = 64,
	INSN_PROT = 128,
	INSN_NOFAULT = 256,
	INSN_COUNT = 512,
	INSN_VSIB = 1024,
};

/* A row's feature column: a row of features.def, or BASE for what every part has. */
enum insn_feature {
	CPU_FEATURE_BASE = CPU_FEATURE_COUNT,
	INSN_FEATURE_COUNT,
};

/* Opcode spaces: the legacy maps, then the VEX ones. */
enum insn_space {
	SPACE_PRIMARY,
	SPACE_0F,
	SPACE_0F38,
	SPACE_0F3A,
	SPACE_VEX_0F,
	SPACE_VEX_0F38,
	SPACE_VEX_0F3A,
	SPACE_COUNT,
};

enum insn_prefix {
	PREFIX_ANY,
	PREFIX_NP,
	PREFIX_NF,
	PREFIX_66,
	PREFIX_F2,
	PREFIX_F3,
};

enum insn_mod {
	MOD_ANY,
	MOD_MEMORY,
	MOD_REGISTER,
};

/* Methods and types are the letters of the grammar in insns.def; lower-case methods are implicit:
 * 'a' accumulator (AL, rAX, eAX), 's' segment register, 'c' CL, 'd' DX, '1'. */
struct insn_operand {
	char method, type;
	uint8_t value; /* 's': enum x86_seg */
};

/* An operand of a SIMD row. size: 0 is op->opsize. */
enum simd_file { FILE_NONE, FILE_XMM, FILE_MMX, FILE_GENERAL, FILE_IMMEDIATE };
enum simd_place { IN_REG, IN_RM, IN_VVVV, IN_IMMEDIATE, IN_XMM0 };
struct simd_operand {
	uint8_t file, size, place;
	bool aligned;
};

struct simd_direct;
struct simd_info {
	simd_kernel *kernel;
	uint8_t kind; /* enum simd_kind */
	struct simd_operand dest, first, second, third;
	bool sse, mmx;     /* uses XMM registers or memory operands like theirs, MMX ones */
	bool vex, wide;
	bool mmx_register; /* MMX only if the operand is a register: CVTPI2PD */
	const struct simd_direct *direct; /* simd/direct.h; NULL: none */
};

#define INSN_OPERANDS 4

struct insn_info {
	struct insn_row row;
	enum insn_space space;
	enum insn_prefix prefix;
	enum insn_mod mod;
	uint8_t opcode, count; /* count: opcodes that the row covers, 1, 8 or 16 */
	bool modrm, vex;
	int8_t vex_l, vex_w;  /* the values that VEX.L and VEX.W must have; -1: any */
	int16_t digit, exact; /* -1: any */
	struct insn_operand operands[INSN_OPERANDS + 1];
	bool mod_ignored;	/* MOV to and from CRn, DRn */
	bool byte_reg, byte_rm; /* the operand is a byte register if it is a register */
	void (*complex)(struct cpu *cpu, const struct op *op);
	const struct op_family *family; /* of 16 if count == 16 */
	struct simd_info simd;          /* rows of simd/rows.def */
	struct x87_info x87;		/* rows of x87/rows.def */
	bool rtm_aborts;		/* always aborts a transaction, rtm.def */
};

const struct insn_info *insn_info(unsigned row);
/* Rows of an opcode in table order, ended by UINT16_MAX. */
const uint16_t *insn_candidates(enum insn_space space, uint8_t opcode);
/* Parses the table; once, before anything else. */
void insn_table_init(void);
/* What CPUID announces of the rows of features.def; CPU_FEATURE_BASE is always there. */
void insn_features_announced(const struct cpu *cpu, bool announced[INSN_FEATURE_COUNT]);

#endif
