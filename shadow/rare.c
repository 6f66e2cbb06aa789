/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rare guest fields on demand. They stay in VMCS02 until L1 asks; an L1 that asks for several of them
 * after one exit (an abyme hypervisor compares all of its guest's state with what it wants) would pay an
 * exit for each. So the second question opens them all, in the shadow VMCS, until L2's next exit.
 */
#include "shadow/fields.h"
#include "shadow/slot.h"

#define ASKED_TO_OPEN 2

/* Rare fields that a part, or L1's view of it, may lack. */
static const uint8_t optional[] = {
	VMCS_INDEX_GUEST_IA32_EFER,
	VMCS_INDEX_GUEST_IA32_PAT,
	VMCS_INDEX_GUEST_IA32_BNDCFGS,
};

static void allow(uint64_t *bitmap, uint32_t encoding)
{
	bitmap[encoding / 64] &= ~(UINT64_C(1) << (encoding % 64));
}

void rare_fill_bitmap(const struct shadow_vcpu *v, uint64_t *vmread)
{
#define LIST_L2_RARE(field) allow(vmread, VMCS_##field);
#include "shadow/lists.def"
	for (unsigned i = 0; i < sizeof(optional); i++)
		if (field_exists(&v->caps, optional[i]))
			allow(vmread, vmcs_fields[optional[i]].encoding);
}

void rare_choose_bitmap(struct shadow_vcpu *v)
{
	bool open = v->current && v->current->rare_open;

	if (open == v->bitmap_is_open)
		return;
	v->bitmap_is_open = open;
	v->env->vmcs_write(v->env, VMCS_VMREAD_BITMAP,
			   open ? v->vmread_bitmap_open.hpa.value : v->vmread_bitmap.hpa.value);
}

static void open_fields(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	struct shadow_env *env = v->env;

	env->vmptrld(env, slot->shadow.hpa);
#define LIST_L2_RARE(field) env->vmcs_write(env, VMCS_##field, vmcs_get(&slot->v12, field));
#include "shadow/lists.def"
	for (unsigned i = 0; i < sizeof(optional); i++)
		if (field_exists(&v->caps, optional[i]))
			env->vmcs_write(env, vmcs_fields[optional[i]].encoding,
					slot->v12.field[optional[i]]);
	env->vmptrld(env, v->l0.vmcs01_hpa);
	slot->rare_open = true;
	rare_choose_bitmap(v);
}

void rare_asked(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	if (slot != v->current || v->in_l2 || !slot_has_shadow(slot) || slot->rare_open)
		return;
	if (++slot->rare_questions == ASKED_TO_OPEN)
		open_fields(v, slot);
}

void rare_close(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	slot->rare_questions = 0;
	if (!slot->rare_open)
		return;
	slot->rare_open = false;
	rare_choose_bitmap(v);
}
