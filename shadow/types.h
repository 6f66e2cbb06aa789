/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Address types of nested VMX. Three kinds of physical address meet in this folder, and mixing two
 * of them is the classic nested-virtualization bug; so each is its own struct.
 */
#ifndef SHADOW_TYPES_H
#define SHADOW_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What L2 believes to be physical: the input of EPT12. */
struct l2_gpa {
	uint64_t value;
};

/* What L1 believes to be physical: the output of EPT12, the input of EPT01; every address that L1
 * writes into a VMCS12 is one. */
struct l1_gpa {
	uint64_t value;
};

/* What the hardware under L0 takes: the output of EPT01; every address in VMCS01, VMCS02 and in an
 * EPT02 entry is one. (If that hardware is itself virtual, somebody below calls this an l1_gpa.) */
struct hpa {
	uint64_t value;
};

/* A page of L0's own memory, zeroed when handed out. No guest can reach it. */
struct shadow_page {
	void *va; /* NULL: no page */
	struct hpa hpa;
};

#endif
