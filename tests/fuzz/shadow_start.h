/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An L1 with a VMCS12 that enters, the same each time without being made each time.
 */
#ifndef TESTS_FUZZ_SHADOW_START_H
#define TESTS_FUZZ_SHADOW_START_H

#include "tests/shadow/fixture.h"

/* On hardware `features`, a number of a row; launched: L2 runs. The one that this row had before is
 * put back to the start. */
struct fixture *shadow_start(unsigned features, bool launched);

#endif
