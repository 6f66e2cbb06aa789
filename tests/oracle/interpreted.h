/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One user-mode instruction on the interpreter, as native.h has it on the host's own CPU.
 */
#ifndef TESTS_ORACLE_INTERPRETED_H
#define TESTS_ORACLE_INTERPRETED_H

#include "tests/oracle/insn_gen.h"

/* Makes the machine, once; a failure is the test's. */
void interpreted_init(void);
/* Whether the machine's CPU announces the row's feature. */
bool interpreted_announces(const struct insn_row *row);
/* Executes the instance in 64-bit user mode; its data page is in interpreted_data() then. */
void interpreted_execute(const struct insn_instance *instance, struct native_state *out);
uint8_t *interpreted_data(void);

#endif
