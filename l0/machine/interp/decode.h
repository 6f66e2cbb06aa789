/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Decoding: bytes + mode -> struct op, driven by insns.def; and the table as others may query it.
 */
#ifndef L0_MACHINE_INTERP_DECODE_H
#define L0_MACHINE_INTERP_DECODE_H

#include "l0/machine/interp/op.h"

/* cpu->mode: what decoding and specialisation depend on. */
enum decode_mode {
	MODE_CODE16 = 0,
	MODE_CODE32 = 1,
	MODE_CODE64 = 2,
	MODE_CODE = 3,
	MODE_CPL_SHIFT = 2, /* 2 bits */
	MODE_FLAT =
	    16, /* 64-bit, or CS, DS, ES, SS all with base 0 and limit 4 GiB, 32-bit stack */
	MODE_REAL = 32, /* real-address or virtual-8086 mode */
	MODE_CAREFUL =
	    64, /* memory accesses need a look each: alignment checks, data breakpoints */
	MODE_SINGLE = 128, /* blocks of one instruction */
	MODE_SSE = 256,	   /* SSE instructions raise neither #UD nor #NM for CR0 and CR4 */
	MODE_RTM = 1024,   /* in a transaction */
	MODE_SHADOW_STACK = 512,
	MODE_TRACKED = 2048,   /* indirect branches are */
	MODE_ENDBRANCH = 4096, /* WAIT_FOR_ENDBRANCH: blocks of one instruction */
	MODE_BOUNDS = 8192,    /* near branches without BND clear the bound registers */
};
#define MODE_CPL(mode) ((mode) >> MODE_CPL_SHIFT & 3)

/* The key for the CPU's present state; never with MODE_SINGLE. */
uint32_t decode_mode_key(const struct cpu *cpu);

/* Status-flag sets of rows, in RFLAGS positions. */
struct insn_row {
	const char *encoding, *mnemonic, *operands;
	const char *handler; /* or family: its name */
	uint32_t written, undefined, read;
	uint32_t attributes;
	uint16_t cycles;
	uint8_t feature;
	bool fast;
};
unsigned insn_row_count(void);
const struct insn_row *insn_row(unsigned row);

#endif
