/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Declares every complex handler that insns.def names; a file that defines handlers includes this.
 */
#ifndef L0_MACHINE_INTERP_INSNS_H
#define L0_MACHINE_INTERP_INSNS_H

#include "l0/machine/interp/op.h"

#define CALL(encoding, mnemonic, operands, handler, ...)                                           \
	void handler(struct cpu *cpu, const struct op *op);
#define FAST(...)
#include "l0/machine/interp/insns.def"
#undef CALL
#undef FAST

#endif
