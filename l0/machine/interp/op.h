/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A decoded instruction, ready to execute. Ops hold no host pointers but the handler's.
 *
 * Complex handlers, void insn_x(struct cpu *, const struct op *), are the contract for everything
 * that is not hot (system, far control transfer, VMX, I/O): the wrapper op sets cpu->op and
 * cpu->next_rip (the sequential next instruction), calls the handler, and, if the row ends the
 * block, goes on at cpu->next_rip. A handler that branches sets cpu->next_rip; one that faults
 * calls cpu_fault*. reg and rm are encodings (0-15) in complex handlers; families of hot operations
 * may keep their own form there.
 */
#ifndef L0_MACHINE_INTERP_OP_H
#define L0_MACHINE_INTERP_OP_H

#include "l0/machine/interp/cpu.h"

#define REG_ZERO 16 /* gpr[16] is always 0: an absent base or index */
#define REG_RIP 17  /* RIP-relative base: cpu->gpr[REG_RIP] is the page's RIP, disp is adjusted */

enum op_flags {
	OP_MEMORY = 1, /* the ModRM operand is memory: seg, base, index, scale, disp */
	OP_REP = 2,    /* F3 */
	OP_REPNE = 4,  /* F2 */
	OP_LOCK = 8,
	OP_REX = 16,	 /* byte registers 4-7 are SPL BPL SIL DIL */
	OP_NOTRACK = 64, /* prefix 3E */
	OP_WIDE = 32,	 /* engine: disp lacks bit 32: RIP-relative near the end of its range */
};

struct op {
	const void *fn; /* handler; its type is exec.h's business */
	union {
		struct {
			int32_t disp; /* displacement, sign-extended */
			int32_t imm;  /* immediate, sign-extended */
		};
		int64_t imm64; /* MOV r64, imm64 and moffs64, which have no ModRM */
	};
	uint8_t reg;	     /* ModRM.reg with REX.R */
	uint8_t rm;	     /* ModRM.rm with REX.B when it is a register */
	uint8_t base, index; /* 0-15, REG_ZERO, REG_RIP */
	uint8_t scale;	     /* log2 */
	uint8_t seg;	     /* enum x86_seg, overrides applied */
	uint8_t opsize;	     /* 2, 4, 8 (1 for byte forms) */
	uint8_t addrsize;    /* 2, 4, 8 */
	uint8_t len;	     /* instruction length */
	uint8_t flags;	     /* enum op_flags */
	uint16_t row;	     /* row of the instruction table */
	uint16_t off;	     /* bytes from the start of the page on which the block starts */
	uint8_t nth;	     /* instructions before this one in the block */
	uint8_t vvvv;	     /* VEX.vvvv as a register; condition of Jcc, SETcc, CMOVcc;
			      * 1 if an operand is CL; ModRM of x87 instructions */
	uint32_t cycles;     /* modelled cycles before this one in the block */
	int32_t link; /* engine: block to go on with, in bytes from this op; 0: not known yet */
};

/* Offset (effective address) of the memory operand, wrapped to the address size. */
uint64_t op_ea(const struct cpu *cpu, const struct op *op);
/* ModRM.rm operand, register or memory, op->opsize wide (or `size`); memory goes through
 * segmentation. */
uint64_t op_read_rm(struct cpu *cpu, const struct op *op, unsigned size);
void op_write_rm(struct cpu *cpu, const struct op *op, unsigned size, uint64_t value);
/* General registers by encoding; 32-bit writes zero-extend, 8-bit ones know AH..BH (no REX). */
uint64_t reg_read(const struct cpu *cpu, const struct op *op, unsigned reg, unsigned size);
void reg_write(struct cpu *cpu, const struct op *op, unsigned reg, unsigned size, uint64_t value);

#endif
