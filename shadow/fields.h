/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Small questions about VMCS fields that the tables answer: width masks, existence, and classes by
 * list. Constant time; generated from the .def files.
 */
#ifndef SHADOW_FIELDS_H
#define SHADOW_FIELDS_H

#include "shadow/sdm/vmcs.h"

/* Bits that a field of this encoding can hold. */
static inline uint64_t field_mask(uint32_t encoding)
{
	switch (vmcs_field_width(encoding)) {
	case VMCS_WIDTH_16:
		return UINT64_C(0xffff);
	case VMCS_WIDTH_32:
		return UINT64_C(0xffffffff);
	default:
		return UINT64_MAX;
	}
}

/* GUEST_PDPTE0 exists with EPT, and so on: the row's `exists`. */
static inline bool field_exists(const struct vmx_caps *caps, unsigned index)
{
	return vmx_features_have(caps->features, (enum vmx_feature)vmcs_fields[index].exists);
}

#define FIELDS_EFER_PAT (VMX_FEATURE_BIT(VMX_FEATURE_EFER) | VMX_FEATURE_BIT(VMX_FEATURE_PAT))

/* Whether the shadow VMCS carries the field for L1's VMREAD (either list) or VMWRITE. */
bool field_is_carried(unsigned index);
bool field_is_carried_for_write(unsigned index);

/* FIELD_WRITTEN_<field>: position in L1_WRITES, and so the field's bit in slot->written. */
enum field_written {
#define LIST_L1_WRITES(field) FIELD_WRITTEN_##field,
#include "shadow/lists.def"
	FIELD_WRITTEN_COUNT,
};
#define FIELD_WRITTEN_BIT(field) BIT64(FIELD_WRITTEN_##field)
/* That bit by the field's index; 0: the field is not in the list. */
uint64_t field_written_bit(unsigned index);

/* Guest fields of rule GUEST_RARE: they stay in VMCS02 until somebody asks. */
bool field_is_rare(unsigned index);
/* Those of them that the shadow VMCS can show, where the part has them. */
bool field_is_shown(unsigned index);

/* The 64-bit words of a VMREAD or VMWRITE bitmap in which the fields of a shadow VMCS have their
 * bits. */
#define FIELD_WORDS 9
extern const uint16_t field_words[FIELD_WORDS];

#endif
