/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VPID02: the hardware tag for what L2 caches under L1's VPID12. The map is a shift: VPID02 =
 * VPID12 + 1, because L0 itself uses VPID 1 for L1. No table, no limit on levels. The one VPID12
 * that would overflow runs untagged, which the hardware flushes at each transition.
 */
#ifndef SHADOW_VPID_H
#define SHADOW_VPID_H

#include "shadow/slot.h"

#define VPID01 UINT16_C(1)

/* The VPID02 for a VMCS12; 0: VMCS02 runs without "enable VPID". */
uint16_t vpid02_of(const struct shadow_vcpu *v, const struct shadow_slot *slot);

/* L1's INVVPID, checked by the caller. */
void vpid02_invalidate(struct shadow_vcpu *v, unsigned type, uint16_t vpid12, uint64_t linear);

/* At each transition between L1 and L2: an L1 that does not give L2 a VPID expects its own
 * translations to be flushed too (SDM 3C "Information in TLBs", VPID 0000H). */
void vpid02_transition(struct shadow_vcpu *v, const struct shadow_slot *slot);

#endif
