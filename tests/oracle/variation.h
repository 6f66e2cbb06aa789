/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where makers' parts differ from each other or from the SDM, and what a comparison makes of it.
 */
#ifndef TESTS_ORACLE_VARIATION_H
#define TESTS_ORACLE_VARIATION_H

#include "tests/oracle/outcome.h"

/* Takes out of an outcome, from whichever CPU, what parts are free to do. */
void variation_leave_out(const struct insn_row *row, const struct insn_instance *instance,
			 struct outcome *outcome);
/* Makes of a native outcome what the SDM says, where AMD's parts are known to do otherwise. */
void variation_correct(const struct insn_row *row, const struct insn_instance *instance,
		       struct outcome *native);
/* Whether each part approximates the row's result as it likes. */
bool variation_is_approximate(const struct insn_row *row);
/* Puts our result into the native outcome of such a row where it is as near as the SDM allows. */
void variation_accept(const struct insn_row *row, const struct insn_instance *instance,
		      struct outcome *native, const struct outcome *ours);
/* The farthest transcendental result accepted, in units in the last place. */
unsigned variation_worst_ulps(void);

#endif
