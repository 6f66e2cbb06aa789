/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Making a VMCS02. Every field that the hardware has is written once, so that have02 is exact from
 * the start and VMCS02 holds nothing by chance.
 */
#include "shadow/entry.h"

#include <string.h>

/* What a field starts as: HOST fields are L0's for good, the rest follows. */
static uint64_t initial_value(const struct shadow_vcpu *v, unsigned index)
{
	if (vmcs_fields[index].rule == VMCS_RULE_HOST)
		return v->l0.vmcs01->field[index];
	return index == VMCS_INDEX_VMCS_LINK_POINTER ? UINT64_MAX : 0;
}

bool vmcs02_create(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	struct shadow_env *env = v->env;

	if (!vcpu_page_alloc(v, &slot->vmcs02))
		return false;
	env->vmcs_format(env, slot->vmcs02, false);
	env->vmclear(env, slot->vmcs02.hpa);
	env->vmptrld(env, &slot->vmcs02.hpa);
	slot->launched02 = false;
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		uint32_t encoding = vmcs_fields[i].encoding;

		/* Of read-only fields have02 is what L1 knows, see reflect.c. */
		if (vmcs_field_type(encoding) == VMCS_TYPE_READ_ONLY)
			continue;
		slot->have02.field[i] = initial_value(v, i);
		if (field_exists(v->l0.hw, i))
			env->vmcs_write(env, encoding, slot->have02.field[i]);
	}
	slot->dirty |= DIRTY_CONTROLS | DIRTY_GUEST;
	slot->written = UINT64_MAX;
	return true;
}
