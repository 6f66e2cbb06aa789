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

/* An L1 that does not give L2 a VPID expects each VM entry and VM exit to flush its own
 * translations too (SDM 3C "Operations that Invalidate Cached Mappings", VPID 0000H). Nothing is
 * cached under VPID01 while L2 runs, so one flush at the reflection, or at an entry that fails like
 * an exit, serves both. */
bool vpid02_must_flush(const struct shadow_vcpu *v, const struct shadow_slot *slot);
void vpid02_flush_l1(struct shadow_vcpu *v);

#endif
