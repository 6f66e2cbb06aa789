/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The field, exit-reason and feature tables as constant data, generated from the .def rows.
 */
#include "shadow/sdm/vmx.h"

#include <stddef.h>

const struct vmcs_field_info vmcs_fields[VMCS_FIELD_COUNT] = {
#define FIELD(name_, encoding_, exists_, shadowed_, rule_)                                         \
	{.encoding = (encoding_),                                                                  \
	 .exists = VMX_FEATURE_##exists_,                                                          \
	 .shadowed = VMCS_##shadowed_,                                                             \
	 .rule = VMCS_RULE_##rule_,                                                                \
	 .name = #name_},
#include "shadow/sdm/vmcs_fields.def"
#undef FIELD
};

/* Width and type select a row of 32 indices: no field's index is larger (meta-tested). The value
 * is the dense index plus one, so that an absent field is zero. */
#define INDEX_SLOT(encoding) ((((encoding) >> 13 & 3) << 2 | ((encoding) >> 10 & 3)) * 32u)
static const uint8_t field_index[16 * 32] = {
#define FIELD(name, encoding, exists, shadowed, rule)                                              \
	[INDEX_SLOT(encoding) + ((encoding) >> 1 & 0x1f)] = VMCS_INDEX_##name + 1,
#include "shadow/sdm/vmcs_fields.def"
#undef FIELD
};

int vmcs_field_index(uint32_t encoding)
{
	if (encoding & ~UINT32_C(0x6c3f))
		return -1;
	if (vmcs_field_is_high(encoding) && vmcs_field_width(encoding) != VMCS_WIDTH_64)
		return -1;
	return field_index[INDEX_SLOT(encoding) + (encoding >> 1 & 0x1f)] - 1;
}

const char *vmx_exit_reason_name(uint32_t basic)
{
	switch (basic) {
#define EXIT(name, number, insn)                                                                   \
	case (number):                                                                             \
		return #name;
#include "shadow/sdm/exit_reasons.def"
#undef EXIT
	default:
		return NULL;
	}
}
