/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a kernel of x87/rows.def sees of its instruction. Kernels compute and stage results;
 * execute.c checks, loads, decides by the masks what takes effect, and stores. The registers live
 * in cpu->xsave_area in the layout of FXSAVE: relative to TOP, with one tag bit for each physical
 * register.
 */
#ifndef L0_MACHINE_INTERP_X87_X87_H
#define L0_MACHINE_INTERP_X87_X87_H

#include <string.h>

#include "l0/machine/interp/fp/soft.h"
#include "l0/machine/interp/op.h"

/* x87 FPU status word, SDM 1 "x87 FPU Status Register". */
#define FSW_SF BIT32(6)
#define FSW_ES BIT32(7)
#define FSW_C0 BIT32(8)
#define FSW_C1 BIT32(9)
#define FSW_C2 BIT32(10)
#define FSW_TOP_SHIFT 11
#define FSW_TOP (7u << FSW_TOP_SHIFT)
#define FSW_C3 BIT32(14)
#define FSW_B BIT32(15)
#define FSW_CC (FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3)

/* x87 FPU control word: bit 6 reads as 1, the other reserved bits as 0. */
#define FCW_INIT 0x37f
#define FCW_WRITABLE 0x1f3f
#define FCW_FIXED1 0x40

/* Where the FXSAVE image has what. */
#define X87_FCW 0
#define X87_FSW 2
#define X87_FTW 4
#define X87_FOP 6
#define X87_FIP 8
#define X87_FDP 16
#define X87_ST 32

/* A register: sign and exponent, significand. */
struct f80 {
	uint64_t sig;
	uint16_t se;
};
#define F80_SIGN 0x8000
#define F80_EXP 0x7fff
#define F80_INTEGER UINT64_C(0x8000000000000000)
/* The QNaN floating-point indefinite. */
#define F80_INDEFINITE ((struct f80){UINT64_C(0xc000000000000000), 0xffff})

enum x87_format {
	X87_NONE, /* no operand but ST(0), or the kernel sees to it */
	X87_STI,
	X87_F32,
	X87_F64,
	X87_F80,
	X87_I16,
	X87_I32,
	X87_I64,
	X87_BCD,
};

enum x87_attributes {
	X87_POP = 1,
	X87_POP2 = 2,
	X87_TO_STI = 4,	  /* the result goes to ST(i) */
	X87_STORE = 8,	  /* the memory operand is written */
	X87_NOWAIT = 16,  /* pending exceptions are not looked at */
	X87_CONTROL = 32, /* leaves instruction and operand pointers and C1 alone */
};

struct x87;
typedef void x87_kernel(struct x87 *x);

struct x87_info {
	x87_kernel *kernel;
	uint8_t operand; /* enum x87_format */
	uint8_t attributes;
};

struct x87 {
	struct cpu *cpu;
	const struct op *op;
	const struct x87_info *info;
	uint16_t fcw, fsw;
	struct soft_env env;
	const struct soft_format *format; /* by precision control */
	struct f80 memory;		  /* memory operand: low 8 bytes in sig, the rest in se */
	bool unsupported;		  /* an operand was of an unsupported encoding: invalid */
	uint16_t cc, cc_written;	  /* FSW_C0-C3 and which of them change */

	/* staged, for execute.c to carry out unless an unmasked exception forbids it */
	bool write, push, flags_written;
	bool compared;	    /* cc is the result of a comparison */
	bool push_denormal; /* an unmasked denormal-operand exception does not stop it */
	uint8_t dest;
	uint8_t pops;
	struct f80 value, pushed;
	struct f80 out; /* X87_STORE */
	uint32_t rflags;
};

extern const struct soft_format x87_extended;

/* ---- registers ---- */

static inline uint16_t x87_word(const struct cpu *cpu, unsigned at)
{
	uint16_t value;

	memcpy(&value, cpu->xsave_area + at, 2);
	return value;
}

static inline void x87_set_word(struct cpu *cpu, unsigned at, uint16_t value)
{
	memcpy(cpu->xsave_area + at, &value, 2);
}

static inline unsigned x87_top(uint16_t fsw)
{
	return fsw >> FSW_TOP_SHIFT & 7;
}

static inline struct f80 x87_get(const struct cpu *cpu, unsigned i)
{
	struct f80 value;

	memcpy(&value.sig, cpu->xsave_area + X87_ST + 16 * i, 8);
	memcpy(&value.se, cpu->xsave_area + X87_ST + 16 * i + 8, 2);
	return value;
}

static inline void x87_set(struct cpu *cpu, unsigned i, struct f80 value)
{
	memcpy(cpu->xsave_area + X87_ST + 16 * i, &value.sig, 8);
	memcpy(cpu->xsave_area + X87_ST + 16 * i + 8, &value.se, 2);
}

static inline bool x87_empty(const struct x87 *x, unsigned i)
{
	return !(x->cpu->xsave_area[X87_FTW] >> ((x87_top(x->fsw) + i) & 7) & 1);
}

/* The ST(i) of a register operand; REX does not reach it. */
static inline unsigned x87_sti(const struct x87 *x)
{
	return x->op->rm & 7;
}

/* ---- values (value.c) ---- */

/* Notes unsupported encodings in x->unsupported. */
struct soft x87_unpack(struct x87 *x, struct f80 value);
struct f80 x87_pack(struct soft value);
/* The operand that the row names, whatever its format. */
struct soft x87_operand(struct x87 *x);
bool x87_is_unsupported(struct f80 value);

/* ---- staging (execute.c) ---- */

/* A result for ST(i); the indefinite if an operand was unsupported. */
void x87_put(struct x87 *x, unsigned i, struct soft value);
void x87_put_raw(struct x87 *x, unsigned i, struct f80 value);
/* Pushed after everything else was written; a full stack pushes the indefinite. */
void x87_push(struct x87 *x, struct f80 value);
/* Raises the stack fault of an empty register, of a full stack. */
void x87_stack_underflow(struct x87 *x);
void x87_stack_overflow(struct x87 *x);
/* True, and the stack fault raised, if ST(i) is empty. */
bool x87_missing(struct x87 *x, unsigned i);

/* ---- the unit as a whole (execute.c, control.c) ---- */

/* The complex handler of every row. */
void x87_execute(struct cpu *cpu, const struct op *op);
/* What a waiting instruction does first: #MF, or FERR#, if an unmasked exception is pending. */
void x87_check_pending(struct cpu *cpu);
/* ES and B as the flags and masks have it. */
uint16_t x87_summary(uint16_t fsw, uint16_t fcw);
/* Writes FSW with that summary. A new error is a new FERR#, and IGNNE# is not for it yet. */
void x87_set_status(struct cpu *cpu, uint16_t fsw, uint16_t fcw);
/* An image has been loaded into cpu->xsave_area: reserved bits of FCW, ES and B. */
void x87_loaded(struct cpu *cpu);
/* An area's x87 part, as it is in cpu->xsave_area, given the pointers of the 64-bit form (REX.W) or
 * of the other; and one in that form that has been copied to cpu->xsave_area. */
void x87_image_out(const struct cpu *cpu, uint8_t *image, bool wide);
void x87_image_loaded(struct cpu *cpu, bool wide);
/* Empties ST(0) and increments TOP; decrements TOP. Neither looks at tags. */
void x87_pop(struct cpu *cpu);
void x87_turn(struct cpu *cpu, int by);
void x87_tag(struct cpu *cpu, unsigned i, bool valid);

#define X87(encoding, mnemonic, operands, kernel, ...) x87_kernel x87_##kernel;
#include "l0/machine/interp/x87/rows.def"
#undef X87

#endif
