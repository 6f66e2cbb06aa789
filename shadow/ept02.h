/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT02: what the hardware walks while L2 runs, the composition of EPT12 and EPT01, built on demand
 * from L2's EPT violations. One tree per EPTP12, in pages of the pool; trees are dropped when L1
 * executes INVEPT, when EPT01 changes, and least recently used first when pages run out.
 *
 * Coherence: an entry may be older than EPT12 as long as L1 has not executed INVEPT (SDM 3C
 * "Caching Translation Information"); a violation always looks at EPT12 afresh.
 */
#ifndef SHADOW_EPT02_H
#define SHADOW_EPT02_H

#include "shadow/ept12.h"
#include "shadow/slot.h"

/* EPTP02 for L1's EPTP12. false: out of pages. */
bool ept02_find(struct shadow_vcpu *v, uint64_t eptp12, uint64_t *eptp02);

/* Maps the page that holds `gpa` as `size` bytes (4 KB, 2 MB, 1 GB) with a leaf of the given rights
 * and type. false: out of pages. */
bool ept02_map(struct shadow_vcpu *v, uint64_t eptp12, struct l2_gpa gpa, struct hpa hpa,
	       uint64_t size, uint64_t leaf);

/* Takes away the page that maps gpa, if there is one. */
void ept02_unmap(struct shadow_vcpu *v, uint64_t eptp12, struct l2_gpa gpa);

/* The leaf that maps gpa now, 0 if none; for tests and dumps. */
uint64_t ept02_peek(struct shadow_vcpu *v, uint64_t eptp12, struct l2_gpa gpa, uint64_t *size);

/* Forgets all translations of one EPTP12, or of all, in tables and TLB. The roots stay. */
void ept02_forget(struct shadow_vcpu *v, uint64_t eptp12);
void ept02_forget_all(struct shadow_vcpu *v);

/* Frees pages: the least recently used tree that is not running, else the tables below the running
 * root. false: nothing left to free. */
bool ept02_evict(struct shadow_vcpu *v);

#endif
