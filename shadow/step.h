/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Single steps of L2 that L0 takes for itself, by the monitor trap flag.
 */
#ifndef SHADOW_STEP_H
#define SHADOW_STEP_H

#include "shadow/vcpu.h"

/* L2, whose VMCS02 is current, exits after one instruction or the delivery of an event, for L0 and
 * for L1 if that has set the flag, too. `without`: primary controls that are off meanwhile. False:
 * there is no monitor trap flag. SDM 3C "Monitor Trap Flag" */
bool step_l2(struct shadow_vcpu *v, uint32_t without);

#endif
