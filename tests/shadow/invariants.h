/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What must hold between any two events, whatever L1 and L2 do: the hardware is never given an
 * address that is neither memory that EPT01 gives L1, with the rights that it gives, nor a page
 * meant for it; controls that are L0's stay L0's.
 */
#ifndef TESTS_SHADOW_INVARIANTS_H
#define TESTS_SHADOW_INVARIANTS_H

#include "tests/shadow/fixture.h"

/* The current VMCS, L0's pages, and, while L2 runs, every address in VMCS02. */
void invariants_check(struct fixture *f);
/* While L2 runs: every entry of the tables under EPTP02, or that EPT01 is used. */
void invariants_check_ept02(struct fixture *f);

#endif
