/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A CPU with MPX on and BNDPRESERVE set, bound directory and table in its memory, and instructions
 * executed one by one from their bytes. For the tests of MPX.
 */
#ifndef TESTS_L0_MACHINE_INTERP_BOUNDS_H
#define TESTS_L0_MACHINE_INTERP_BOUNDS_H

#include "tests/l0/machine/interp/protect.h"

#include "l0/machine/interp/insn_table.h"
#include "l0/machine/interp/mpx.h"

enum {
	DIRECTORY = 0x20000,
	TABLE = 0x100000,
	AREA = 0x6000, /* of XSAVE */
	DIRECTORY_2M = 0x12000, /* of pages, for who wants less than everything mapped */
	MAPPED_END = 0x200000,
	ON = 3,	       /* EN and BNDPRESERVE */
	MARK = 0x5555,
};
#define POINTER UINT64_C(0x123458)			 /* where a pointer lies */
#define ENTRY (DIRECTORY + (POINTER >> 20) * 8)		 /* of it, 64-bit mode */
#define BOUNDS (TABLE + (POINTER >> 3 & 0x1ffff) * 32)	 /* likewise */
#define ENTRY_32 (DIRECTORY + (POINTER >> 12) * 4)
#define BOUNDS_32 (TABLE + (POINTER >> 2 & 0x3ff) * 16)
#define UNMAPPED UINT64_C(0x40000000)

static inline void enable(struct fixture *f, uint64_t config)
{
	f->cpu.cr4 |= CR4_OSXSAVE | CR4_OSFXSR;
	f->cpu.xcr0 = 0x1f;
	f->cpu.mpx.cfgu = f->cpu.msrs.bndcfgs = config;
	cpu_mode_changed(&f->cpu);
}

static inline struct fixture *mpx_new(enum fixture_mode mode)
{
	struct fixture *f = fixture_new(mode);

	enable(f, DIRECTORY | ON);
	f->cpu.mpx.status = MARK;
	return f;
}

/* Decodes for the present mode and executes; the vector raised. A row with a family is a NOP. */
static inline unsigned execute(struct fixture *f, const void *bytes)
{
	struct decode_env *env = &f->cpu.blocks->env;
	uint8_t padded[24] = {0};

	memcpy(padded, bytes, 15);
	env->mode = decode_mode_key(&f->cpu);
	f->op.off = 0;
	if (decode_insn(env, padded, sizeof(padded), &f->op) != DECODE_OK)
		return VECTOR_UD;
	if (insn_info(f->op.row)->family)
		return NO_FAULT;
	return call(f, insn_info(f->op.row)->complex);
}

/* The 15 bytes that execute() takes, from a string shorter than that. */
#define CODE_15(text) ((const char[16]){text})

static inline void set(struct fixture *f, unsigned n, uint64_t lower, uint64_t upper)
{
	f->cpu.mpx.bound[n].lower = lower;
	f->cpu.mpx.bound[n].upper = upper;
	cpu_mode_changed(&f->cpu);
}

static inline void assert_bound(const struct fixture *f, unsigned n, uint64_t lower, uint64_t upper)
{
	assert_int_equal(f->cpu.mpx.bound[n].lower, lower);
	assert_int_equal(f->cpu.mpx.bound[n].upper, upper);
}

static inline struct fixture *not_preserving(enum fixture_mode mode)
{
	struct fixture *f = mpx_new(mode);

	enable(f, DIRECTORY | BNDCFG_EN);
	return f;
}

#define BNDCL "\xf3\x0f\x1a"
#define BNDCU "\xf2\x0f\x1a"
#define BNDCN "\xf2\x0f\x1b"
#define BNDMK "\xf3\x0f\x1b"
#define LOAD "\x66\x0f\x1a"
#define STORE "\x66\x0f\x1b"
#define BNDLDX "\x0f\x1a"
#define BNDSTX "\x0f\x1b"
#define BR VECTOR_BR
#define HIGH UINT64_C(0x100000000)

#endif
