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
#define LIST_L1_EVENT(field) [VMCS_INDEX_##field] = CARRIED_READ | CARRIED_WRITE,
#include "shadow/lists.def"
};

/* Position in L1_WRITES + 1, 0: not in it. */
static const uint8_t written[VMCS_FIELD_COUNT] = {
#define LIST_L1_WRITES(field) [VMCS_INDEX_##field] = FIELD_WRITTEN_##field + 1,
#include "shadow/lists.def"
};

/* One per width and type that occurs; tests hold it to the table. */
const uint16_t field_words[FIELD_WORDS] = {
    VMCS_GUEST_ES_SELECTOR / 64,   VMCS_GUEST_PHYSICAL_ADDRESS / 64,
    VMCS_GUEST_IA32_DEBUGCTL / 64, VMCS_PRIMARY_CONTROLS / 64,
    VMCS_EXIT_REASON / 64,	   VMCS_GUEST_ES_LIMIT / 64,
    VMCS_CR0_GUEST_HOST_MASK / 64, VMCS_EXIT_QUALIFICATION / 64,
    VMCS_GUEST_CR0 / 64,
};

bool field_is_carried(unsigned index)
{
	return reads[index] | writes[index];
}

bool field_is_carried_for_write(unsigned index)
{
	return writes[index];
}

uint64_t field_written_bit(unsigned index)
{
	return written[index] ? BIT64(written[index] - 1) : 0;
}

bool field_is_shown(unsigned index)
{
	return field_is_rare(index) && vmcs_fields[index].shadowed == VMCS_SHADOWED;
}

bool field_is_rare(unsigned index)
{
	return vmcs_fields[index].rule == VMCS_RULE_GUEST_RARE;
}
