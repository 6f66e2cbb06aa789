/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random instances of a row of the instruction table, for 64-bit mode: bytes, and a register state
 * in which its memory operands lie in the data page and its branch goes to NATIVE_OTHER.
 */
#ifndef TESTS_ORACLE_INSN_GEN_H
#define TESTS_ORACLE_INSN_GEN_H

#include "l0/machine/interp/decode.h"
#include "tests/oracle/native.h"

struct insn_instance {
	uint8_t bytes[15];
	uint8_t length;
	struct native_state state;
	uint8_t data[NATIVE_DATA_SIZE]; /* the data page */
	uint32_t
	    undefined; /* status flags that the architecture leaves undefined for this instance */
	bool memory;
	uint64_t target; /* of the memory operand */
	unsigned opsize;
};

/* Why a row cannot be compared in user mode, or NULL if it can. */
const char *insn_gen_excluded(const struct insn_row *row);
/* A random instance; a function of the row and *seed on every host. */
void insn_gen_make(const struct insn_row *row, uint64_t *seed, struct insn_instance *instance);
/* A value that tends to lie on a boundary; a binary floating-point number that tends to. */
uint64_t insn_gen_integer(uint64_t *seed);
uint64_t insn_gen_float(uint64_t *seed, unsigned fraction, unsigned emax);
/* xorshift64*; never 0 for a nonzero seed. */
uint64_t insn_gen_random(uint64_t *seed);

#endif
