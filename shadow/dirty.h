/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Dirty flags of EPT12 that L1 clears without INVEPT. An entry to L2 without VPID flushes the
 * combined mappings (SDM 3C "Operations that Invalidate Cached Mappings"), so an L1 with
 * page-modification logging may count on the next write being logged; EPT02 has to forget that the
 * page was dirty.
 */
#ifndef SHADOW_DIRTY_H
#define SHADOW_DIRTY_H

#include "shadow/ept12.h"
#include "shadow/slot.h"

/* Whether the slot's controls make any of this necessary. */
bool dirty_is_needed(const struct shadow_slot *slot);

/* At an entry of the slot, before VMCS02 is written: drops from EPT02 what is writable there and no
 * longer dirty in EPT12. false: out of pages. */
bool dirty_recheck(struct shadow_vcpu *v, const struct shadow_slot *slot);

/* L2 has been given a writable mapping of `gpa` under the EPT12 leaf that `w` found. */
void dirty_note(struct shadow_vcpu *v, const struct shadow_slot *slot, const struct ept12_walk *w,
		struct l2_gpa gpa);

#endif
