/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The op families that insns.def names. The condition families are arrays of 16, by condition code.
 */
#ifndef L0_MACHINE_INTERP_FAMILIES_H
#define L0_MACHINE_INTERP_FAMILIES_H

#include "l0/machine/interp/exec.h"

#define CALL(...)
#define FAST(encoding, mnemonic, operands, family, ...)                                            \
	extern const struct op_family family_##family[];
#include "l0/machine/interp/insns.def"
#undef CALL
#undef FAST

#endif
