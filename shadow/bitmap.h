/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L1's MSR, I/O, VMREAD and VMWRITE bitmaps: merging with L0's own, and looking a bit up.
 */
#ifndef SHADOW_BITMAP_H
#define SHADOW_BITMAP_H

#include "shadow/slot.h"

/* merged = twelve | one over a page; a NULL bitmap counts as all ones (12: no memory there) or all
 * zeroes (01: L0 wants nothing). */
void bitmap_merge(uint64_t *merged, const uint64_t *twelve, const uint64_t *one);

/* Brings the slot's merged MSR and I/O bitmaps up to date. false: out of pages. Afterwards L0
 * watches L1's pages if it can, and DIRTY_BITMAPS is clear; else it stays set. */
bool bitmap_update(struct shadow_vcpu *v, struct shadow_slot *slot);

/* The same for the VMREAD and VMWRITE bitmaps of an L1 that shadows VMCSs for L2; at each entry. */
bool bitmap_update_shadowing(struct shadow_vcpu *v, struct shadow_slot *slot);

/* Whether L1 intercepts: an MSR access of L2; I/O of `size` bytes at `port`; VMREAD/VMWRITE. */
bool bitmap_wants_msr(struct shadow_vcpu *v, const struct shadow_slot *slot, uint32_t msr,
		      bool write);
bool bitmap_wants_io(struct shadow_vcpu *v, const struct shadow_slot *slot, uint16_t port,
		     unsigned size);
bool bitmap_wants_vmcs(struct shadow_vcpu *v, const struct shadow_slot *slot, uint64_t encoding,
		       bool write);

#endif
