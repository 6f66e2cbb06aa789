/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One instruction's decoding, for the block builder and for tests.
 */
#ifndef L0_MACHINE_INTERP_DECODE_INSN_H
#define L0_MACHINE_INTERP_DECODE_INSN_H

#include "l0/machine/interp/insn_table.h"

enum decode_status {
	DECODE_OK,
	DECODE_TRUNCATED, /* the instruction goes on beyond `available` */
	DECODE_UNDEFINED, /* #UD */
	DECODE_TOO_LONG,  /* #GP(0) */
};

struct decode_env {
	uint32_t mode; /* enum decode_mode */
	bool announced[INSN_FEATURE_COUNT];
};

/* Decodes at `bytes`, of which `available` (15 suffice) may be read. op->off is an input,
 * everything else of *op an output; fn, nth, cycles and link are left 0. op->len is set with
 * DECODE_OK only. */
enum decode_status decode_insn(const struct decode_env *env, const uint8_t *bytes,
			       unsigned available, struct op *op)
    __attribute__((warn_unused_result));

#endif
