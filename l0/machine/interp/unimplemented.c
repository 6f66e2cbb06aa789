/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Handlers that insns.def names and nobody defines yet. Whoever defines one deletes its line here; the
 * file goes when it is empty.
 */
#include "l0/machine/interp/insns.h"

#define UNIMPLEMENTED(handler)                                                                     \
	void handler(struct cpu *cpu, const struct op *op)                                         \
	{                                                                                          \
		cpu_fault(cpu, VECTOR_UD);                                                         \
	}

UNIMPLEMENTED(insn_monitor)
UNIMPLEMENTED(insn_mwait)
