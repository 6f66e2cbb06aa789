/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The virtual CPU of L1: start-up, its VMX MSRs, its pages, and what L1 may reach without an exit.
 */
#include "shadow/shadow.h"

#include <string.h>

#include "shadow/bitmap.h"
#include "shadow/ept02.h"
#include "shadow/fields.h"
#include "shadow/sdm/msr.h"
#include "shadow/slot.h"
#include "shadow/vcpu.h"

/* Shadowing serves if L0 can also fill the read-only fields of the shadow VMCS by VMWRITE. */
static bool usable_shadowing(const struct vmx_caps *hw)
{
	return vmx_features_have(hw->features, VMX_FEATURE_VMCS_SHADOWING) &&
	       vmx_features_have(hw->features, VMX_FEATURE_VMWRITE_ANY_FIELD);
}

bool shadow_init(struct shadow_vcpu *v, const struct shadow_l0 *l0)
{
	memset(v, 0, sizeof(*v));
	v->l0 = *l0;
	v->env = l0->env;
	v->launched = l0->vmcs01_launched;
	v->linked_pointer = UINT64_MAX;
	shadow_caps_offer(l0->hw, &v->caps);
	if (!v->env->page_alloc(v->env, &v->ept_cache))
		return false;
	v->env->vmcs_write(v->env, VMCS_VMCS_LINK_POINTER, UINT64_MAX);
	v->hw_shadowing = usable_shadowing(l0->hw);
	v->registers_by_list = (l0->hw->features & FIELDS_EFER_PAT) == FIELDS_EFER_PAT;
	if (!v->hw_shadowing)
		return true;
	if (!v->env->page_alloc(v->env, &v->vmread_bitmap) ||
	    !v->env->page_alloc(v->env, &v->vmread_hot) ||
	    !v->env->page_alloc(v->env, &v->vmread_all) ||
	    !v->env->page_alloc(v->env, &v->vmwrite_bitmap))
		return false;
	slot_fill_bitmaps(v->vmread_hot.va, v->vmread_all.va, v->vmwrite_bitmap.va);
	memcpy(v->vmread_bitmap.va, v->vmread_hot.va, PAGE_SIZE);
	v->env->vmcs_write(v->env, VMCS_VMREAD_BITMAP, v->vmread_bitmap.hpa.value);
	v->env->vmcs_write(v->env, VMCS_VMWRITE_BITMAP, v->vmwrite_bitmap.hpa.value);
	return true;
}

bool shadow_rdmsr(const struct shadow_vcpu *v, uint32_t msr, uint64_t *value)
{
	if (msr == MSR_IA32_FEATURE_CONTROL) {
		*value = v->feature_control;
		return true;
	}
	return vmx_caps_read(&v->caps, msr, value);
}

/* SDM 3C "Enabling and Entering VMX Operation": a locked register can't be written. */
bool shadow_wrmsr(struct shadow_vcpu *v, uint32_t msr, uint64_t value)
{
	const uint64_t writable = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX;

	if (msr != MSR_IA32_FEATURE_CONTROL || (v->feature_control & FEATURE_CONTROL_LOCKED))
		return false;
	if (value & ~writable)
		return false;
	v->feature_control = value;
	return true;
}

static bool fixed_bits_hold(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
	return (value & fixed0) == fixed0 && !(value & ~fixed1);
}

bool shadow_cr0_allowed(const struct shadow_vcpu *v, uint64_t cr0)
{
	return !v->vmx_on ||
	       fixed_bits_hold(cr0, vmx_cap(&v->caps, CR0_FIXED0), vmx_cap(&v->caps, CR0_FIXED1));
}

bool shadow_cr4_allowed(const struct shadow_vcpu *v, uint64_t cr4)
{
	return !v->vmx_on ||
	       fixed_bits_hold(cr4, vmx_cap(&v->caps, CR4_FIXED0), vmx_cap(&v->caps, CR4_FIXED1));
}

void shadow_l0_changed(struct shadow_vcpu *v)
{
	for (struct shadow_slot *slot = v->slots; slot; slot = slot->next)
		slot->dirty |= DIRTY_CONTROLS | DIRTY_BITMAPS;
}

void shadow_bndcfgs_used(struct shadow_vcpu *v)
{
	if (!field_exists(v->l0.hw, VMCS_INDEX_GUEST_IA32_BNDCFGS))
		return;
	v->registers_by_list = false;
	v->loads01 |= LOADS01_BNDCFGS;
	for (struct shadow_slot *slot = v->slots; slot; slot = slot->next)
		slot->extras |= EXTRA_BNDCFGS;
}

void shadow_ept01_changed(struct shadow_vcpu *v)
{
	ept02_forget_all(v);
	memset(v->walk_notes, 0, sizeof(v->walk_notes));
	for (struct shadow_slot *slot = v->slots; slot; slot = slot->next)
		slot->dirty |= DIRTY_CONTROLS;
}

void registers_read_slowly(struct shadow_vcpu *v, uint64_t *field)
{
	static const uint8_t indices[] = {
#define LIST_L1_ENTRY(field) VMCS_INDEX_##field,
#include "shadow/lists.def"
		VMCS_INDEX_GUEST_IA32_BNDCFGS,
	};

	for (unsigned i = 0; i < sizeof(indices); i++)
		if (field_exists(v->l0.hw, indices[i]))
			field[indices[i]] =
			    v->env->vmcs_read(v->env, vmcs_fields[indices[i]].encoding);
}

struct hpa vcpu_resume_vmcs(const struct shadow_vcpu *v)
{
	return v->in_l2 ? v->current->vmcs02.hpa : v->l0.vmcs01_hpa;
}

bool vcpu_page_alloc(struct shadow_vcpu *v, struct shadow_page *page)
{
	do {
		if (v->env->page_alloc(v->env, page))
			return true;
	} while (ept02_evict(v) || slot_evict(v));
	page->va = NULL;
	return false;
}

void vcpu_page_free(struct shadow_vcpu *v, struct shadow_page *page)
{
	if (page->va)
		v->env->page_free(v->env, *page);
	page->va = NULL;
}

bool vcpu_page_need(struct shadow_vcpu *v, struct shadow_page *page)
{
	return page->va || vcpu_page_alloc(v, page);
}

bool vcpu_junk_page(struct shadow_vcpu *v, struct hpa *hpa)
{
	if (!v->junk.va) {
		if (!vcpu_page_alloc(v, &v->junk))
			return false;
		memset(v->junk.va, 0xff, PAGE_SIZE);
	}
	*hpa = v->junk.hpa;
	return true;
}

static void copy_vmread_words(struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	const uint64_t *from = slot_vmread_bitmap(v, slot);
	uint64_t *to = v->vmread_bitmap.va;

	if (v->rare_shown == slot->rare_in_shadow)
		return;
	v->rare_shown = slot->rare_in_shadow;
	for (unsigned i = 0; i < FIELD_WORDS; i++)
		to[field_words[i]] = from[field_words[i]];
}

void vcpu_show_rare(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	if (v->in_l2 && slot == v->linked)
		(void)bitmap_update_shadowing(v, v->current); /* its pages are there already */
	if (slot == v->current)
		copy_vmread_words(v, slot);
}

/* SDM 3C "VMREAD" in VMX non-root operation: with shadowing on and a link pointer of all ones it is
 * VMfailInvalid, which is what an L1 without a current VMCS has to see. */
void vcpu_link_current(struct shadow_vcpu *v)
{
	uint64_t pointer =
	    v->current && slot_has_shadow(v->current) ? v->current->shadow.hpa.value : UINT64_MAX;

	if (!v->hw_shadowing)
		return;
	if (pointer != UINT64_MAX)
		copy_vmread_words(v, v->current);
	if (pointer == v->linked_pointer)
		return;
	v->env->vmcs_write(v->env, VMCS_VMCS_LINK_POINTER, pointer);
	v->linked_pointer = pointer;
}

void vcpu_enable_shadowing(struct shadow_vcpu *v, bool on)
{
	uint64_t secondary = vmcs_get(v->l0.vmcs01, SECONDARY_CONTROLS);

	if (!v->hw_shadowing)
		return;
	secondary &= ~(uint64_t)SECONDARY_VMCS_SHADOWING;
	if (on)
		secondary |= SECONDARY_VMCS_SHADOWING;
	v->env->vmcs_write(v->env, VMCS_SECONDARY_CONTROLS, secondary);
}
