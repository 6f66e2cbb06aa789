/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L1's EPT for L2, walked in software as the hardware would walk it: from l2_gpa to l1_gpa.
 */
#ifndef SHADOW_EPT12_H
#define SHADOW_EPT12_H

#include "shadow/shadow.h"

enum ept12_outcome { EPT12_OK, EPT12_VIOLATION, EPT12_MISCONFIGURATION };

struct ept12_walk {
	enum ept12_outcome outcome;
	struct l1_gpa gpa; /* EPT12_OK: of the very address */
	const uint64_t *leaf; /* EPT12_OK: the entry itself */
	uint64_t size;	   /* EPT12_OK: bytes the leaf maps */
	uint64_t rights;   /* AND of the entries met: EPT_R, EPT_W, EPT_X, EPT_XU (with MBEC) */
	uint64_t type;	   /* EPT_MT and EPT_IPAT of the leaf */
	bool clean;	   /* the leaf's dirty flag is 0, with A/D flags enabled */
	bool suppress_ve;  /* bit 63 of the entry that ended the walk */
};

/* Walks without changing anything. `mbec`: "mode-based execute control for EPT" is on in VMCS12. */
struct ept12_walk ept12_walk(struct shadow_vcpu *v, uint64_t eptp12, struct l2_gpa gpa, bool mbec);

/* Sets the accessed flags along the way and, if `write`, the leaf's dirty flag. */
void ept12_mark(struct shadow_vcpu *v, uint64_t eptp12, struct l2_gpa gpa, bool write);

#endif
