/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an instruction did: its registers, defined flags, x87, SSE and AVX state, RIP, fault and
 * data page, compared, digested and shown.
 */
#ifndef TESTS_ORACLE_OUTCOME_H
#define TESTS_ORACLE_OUTCOME_H

#include "tests/oracle/insn_gen.h"

struct outcome {
	struct native_state state;
	uint8_t *data; /* the data page after the instruction */
};

bool outcome_same(const struct insn_instance *instance, const struct outcome *outcome,
		  const struct outcome *other);
/* `digest` continued with all that outcome_same() looks at. */
uint64_t outcome_digest(uint64_t digest, const struct insn_instance *instance,
			const struct outcome *outcome);
/* `digest` continued with what goes in: bytes, state, data, and which flags do not count. */
uint64_t outcome_digest_inputs(uint64_t digest, const struct insn_instance *instance);
/* Prints both side by side, differences marked. */
void outcome_explain(const struct insn_row *row, const struct insn_instance *instance,
		     const struct outcome *native, const struct outcome *ours);

#endif
