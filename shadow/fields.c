/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Classes of VMCS fields, generated from lists.def and vmcs_fields.def.
 */
#include "shadow/fields.h"

enum { CARRIED_READ = 1, CARRIED_WRITE = 2 };

static const uint8_t reads[VMCS_FIELD_COUNT] = {
#define LIST_L1_READS(field) [VMCS_INDEX_##field] = CARRIED_READ,
#include "shadow/lists.def"
};

static const uint8_t writes[VMCS_FIELD_COUNT] = {
#define LIST_L1_WRITES(field) [VMCS_INDEX_##field] = CARRIED_READ | CARRIED_WRITE,
#include "shadow/lists.def"
};

bool field_is_carried(unsigned index)
{
	return reads[index] | writes[index];
}

bool field_is_carried_for_write(unsigned index)
{
	return writes[index];
}

bool field_is_rare(unsigned index)
{
	return vmcs_fields[index].rule == VMCS_RULE_GUEST_RARE;
}
