/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random x87 states and operands for the generator of instances: all encodings of a register, all
 * tags, precision and rounding controls, masks.
 */
#ifndef TESTS_ORACLE_X87_GEN_H
#define TESTS_ORACLE_X87_GEN_H

#include "l0/machine/interp/decode.h"

/* The x87 part of an FXSAVE image, fit for the mnemonic's interesting operands. */
void x87_gen_state(const char *mnemonic, uint8_t *fx, uint64_t *seed);
/* An operand in the row's memory format. */
void x87_gen_memory(const struct insn_row *row, uint8_t *at, uint64_t *seed);

#endif
