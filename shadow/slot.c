/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The cache of VMCS12s. What L1's VMPTRLD and VMCLEAR do to it follows SDM 3C "Software Use of
 * Virtual-Machine Control Structures": a VMCS that is active may be kept anywhere; VMCLEAR makes
 * the region in memory the only copy.
 */
#include "shadow/slot.h"

#include <string.h>

#include "shadow/ept02.h"
#include "shadow/fields.h"

struct shadow_slot *slot_find(struct shadow_vcpu *v, struct l1_gpa address)
{
	struct shadow_slot **link = &v->slots;

	for (struct shadow_slot *slot = *link; slot; link = &slot->next, slot = *link) {
		if (slot->address.value != address.value)
			continue;
		*link = slot->next; /* move to the front: most recently used first */
		slot->next = v->slots;
		v->slots = slot;
		return slot;
	}
	return NULL;
}

/* The region's bytes are L1's: nothing in them may exceed what VMWRITE could have stored. */
static void sanitize(struct vmcs *vmcs)
{
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		vmcs->field[i] &= field_mask(vmcs_fields[i].encoding);
	if (vmcs->launch_state != VMCS_STATE_LAUNCHED)
		vmcs->launch_state = VMCS_STATE_CLEAR;
}

/* Writes the rare fields of v12 to the shadow VMCS, which is current. */
static void push_rare(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		if (field_is_shown(i) && field_exists(v->l0.hw, i))
			v->env->vmcs_write(v->env, vmcs_fields[i].encoding, slot->v12.field[i]);
	slot->rare_was_written = false;
}

/* Fills a new shadow VMCS from v12. Leaves it current. */
static void push_shadow(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	v->env->vmptrld(v->env, &slot->shadow.hpa);
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		if (field_is_carried(i) && field_exists(v->l0.hw, i))
			v->env->vmcs_write(v->env, vmcs_fields[i].encoding, slot->v12.field[i]);
	push_rare(v, slot);
	slot->rare_in_shadow = true;
}

static void free_pages(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	struct shadow_page self = slot->self;

	if (slot->shadow.va)
		v->env->vmclear(v->env, slot->shadow.hpa);
	if (slot->vmcs02.va)
		v->env->vmclear(v->env, slot->vmcs02.hpa);
	vcpu_page_free(v, &slot->shadow);
	vcpu_page_free(v, &slot->vmcs02);
	vcpu_page_free(v, &slot->msr_bitmap);
	vcpu_page_free(v, &slot->io_bitmap_a);
	vcpu_page_free(v, &slot->io_bitmap_b);
	vcpu_page_free(v, &slot->vmread_bitmap);
	vcpu_page_free(v, &slot->vmwrite_bitmap);
	vcpu_page_free(v, &self);
}

struct shadow_slot *slot_get(struct shadow_vcpu *v, struct l1_gpa address)
{
	struct shadow_slot *slot = slot_find(v, address);
	const struct vmcs *region;
	struct shadow_page page;

	if (slot)
		return slot;
	region = v->env->pointer(v->env, address, sizeof(*region));
	if (!region || !vcpu_page_alloc(v, &page))
		return NULL;
	slot = page.va;
	slot->self = page;
	slot->address = address;
	slot->dirty = DIRTY_ALL;
	slot->written = UINT64_MAX;
	slot->watch_budget = SLOT_WATCH_BUDGET;
	memcpy(&slot->v12, region, sizeof(slot->v12));
	sanitize(&slot->v12);
	memcpy(&slot->have02, &slot->v12, sizeof(slot->have02));
	if (vmcs_get(&slot->v12, GUEST_IA32_BNDCFGS))
		shadow_bndcfgs_used(v);
	if (v->hw_shadowing) {
		if (!vcpu_page_alloc(v, &slot->shadow)) {
			free_pages(v, slot);
			return NULL;
		}
		v->env->vmcs_format(v->env, slot->shadow, true);
		v->env->vmclear(v->env, slot->shadow.hpa);
		push_shadow(v, slot);
		v->env->vmptrld(v->env, &v->l0.vmcs01_hpa);
	}
	slot->next = v->slots;
	v->slots = slot;
	return slot;
}

void slot_pull(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	if (!slot_has_shadow(slot))
		return;
	v->env->vmptrld(v->env, &slot->shadow.hpa);
	slot->written |=
	    v->env->vmcs_read_list(v->env, SHADOW_LIST_L1_WRITES, slot->v12.field);
	if (vmcs_get(&slot->v12, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID)
		v->env->vmcs_read_list(v->env, SHADOW_LIST_L1_EVENT, slot->v12.field);
}

/* Rare fields outside the list L2_RARE, because a part may lack them. IA32_BNDCFGS counts only
 * while it is in use (EXTRA_BNDCFGS). */
static const uint8_t optional[] = {
    VMCS_INDEX_GUEST_IA32_EFER,
    VMCS_INDEX_GUEST_IA32_PAT,
    VMCS_INDEX_GUEST_IA32_RTIT_CTL,
    VMCS_INDEX_GUEST_IA32_PKRS,
    VMCS_INDEX_GUEST_IA32_S_CET,
    VMCS_INDEX_GUEST_SSP,
    VMCS_INDEX_GUEST_INTERRUPT_SSP_TABLE_ADDR,
};

static bool fetch_optional(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	bool changed = false;

	for (unsigned i = 0; i < sizeof(optional); i++) {
		uint64_t *have = &slot->have02.field[optional[i]], old = *have;

		if (!field_exists(v->l0.hw, optional[i]))
			continue;
		*have = v->env->vmcs_read(v->env, vmcs_fields[optional[i]].encoding);
		changed |= *have != old;
	}
	if (slot->extras & EXTRA_BNDCFGS)
		slot->have02.field[VMCS_INDEX_GUEST_IA32_BNDCFGS] =
		    v->env->vmcs_read(v->env, VMCS_GUEST_IA32_BNDCFGS);
	return changed;
}

/* SDM 3C "Saving Guest State": what the exit controls leave unsaved keeps its value in VMCS12. */
static bool is_saved(const struct shadow_slot *slot, unsigned index)
{
	switch (index) {
	case VMCS_INDEX_GUEST_DR7:
	case VMCS_INDEX_GUEST_IA32_DEBUGCTL:
		return slot_exit_controls(slot) & EXIT_SAVE_DEBUG_CONTROLS;
	case VMCS_INDEX_GUEST_IA32_EFER:
		return slot_exit_controls(slot) & EXIT_SAVE_EFER;
	case VMCS_INDEX_GUEST_IA32_PAT:
		return slot_exit_controls(slot) & EXIT_SAVE_PAT;
	case VMCS_INDEX_GUEST_IA32_PERF_GLOBAL_CTRL:
		return false;
	default:
		return true;
	}
}

/* A rare field of VMCS02 into v12, and into the shadow VMCS if that is current. */
static inline void take(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index, bool show)
{
	uint64_t value = slot->have02.field[index];

	if (slot->v12.field[index] == value || !is_saved(slot, index))
		return;
	slot->v12.field[index] = value;
	if (show && field_is_shown(index))
		v->env->vmcs_write(v->env, vmcs_fields[index].encoding, value);
}

static void take_all(struct shadow_vcpu *v, struct shadow_slot *slot, bool show)
{
	if (!slot->rare_changed)
		return;
#define LIST_L2_RARE(field)                                                                        \
	if (vmcs_get(&slot->v12, field) != vmcs_get(&slot->have02, field))                         \
		take(v, slot, VMCS_INDEX_##field, show);
#include "shadow/lists.def"
	for (unsigned i = 0; i < sizeof(optional); i++)
		if (field_exists(v->l0.hw, optional[i]))
			take(v, slot, optional[i], show);
	if (slot->extras & EXTRA_BNDCFGS)
		take(v, slot, VMCS_INDEX_GUEST_IA32_BNDCFGS, show);
}

/* Since the last entry have02 and v12 differ only in what L1's controls or MSR areas kept apart; so
 * if L2 has changed nothing, nothing is to be taken. */
void slot_read_rare(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint64_t changed =
	    v->env->vmcs_read_list(v->env, SHADOW_LIST_L2_RARE, slot->have02.field);

	slot->rare_changed = fetch_optional(v, slot) || changed ||
			     (slot->extras & (EXTRA_UNSTEADY | EXTRA_INHERIT | EXTRA_MSR_LISTS));
	slot->rare_in_02 = false;
}

bool slot_fetch_rare(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	if (!slot->rare_in_02)
		return false;
	v->env->vmptrld(v->env, &slot->vmcs02.hpa);
	slot_read_rare(v, slot);
	take_all(v, slot, false);
	slot->rare_was_written = true;
	return true;
}

void slot_show_rare(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	take_all(v, slot, !slot->rare_was_written);
	if (slot->rare_was_written)
		push_rare(v, slot);
	slot->rare_in_shadow = true;
}

/* L1 has asked for a rare field: shows it all of them. */
static void answer_rare(struct shadow_vcpu *v, struct shadow_slot *slot, struct hpa resume)
{
	slot->rare_credit = SLOT_RARE_CREDIT;
	if (slot->rare_in_02) {
		v->env->vmptrld(v->env, &slot->vmcs02.hpa);
		slot_read_rare(v, slot);
		v->env->vmptrld(v->env, &slot->shadow.hpa);
		slot_show_rare(v, slot);
	} else {
		v->env->vmptrld(v->env, &slot->shadow.hpa);
		push_rare(v, slot);
		slot->rare_in_shadow = true;
	}
	v->env->vmptrld(v->env, &resume);
	vcpu_show_rare(v, slot);
}

uint64_t slot_read(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index,
		   struct hpa resume)
{
	uint64_t value;

	if (field_is_rare(index)) {
		if (slot_has_shadow(slot) && field_is_shown(index) && !slot->rare_in_shadow)
			answer_rare(v, slot, resume);
		else if (slot_fetch_rare(v, slot))
			v->env->vmptrld(v->env, &resume);
	} else if (slot_has_shadow(slot) && field_is_carried_for_write(index)) {
		v->env->vmptrld(v->env, &slot->shadow.hpa);
		value = v->env->vmcs_read(v->env, vmcs_fields[index].encoding);
		v->env->vmptrld(v->env, &resume);
		return value;
	}
	return slot->v12.field[index];
}

static bool is_bitmap_address(unsigned index)
{
	return index == VMCS_INDEX_MSR_BITMAP || index == VMCS_INDEX_IO_BITMAP_A ||
	       index == VMCS_INDEX_IO_BITMAP_B;
}

/* SDM 3C "Checks Related to Address-Space Size", "Loading Host State": the host's mode is that of
 * the exit controls; the entry controls must go with it. */
static bool decides_mode(unsigned index)
{
	return index == VMCS_INDEX_EXIT_CONTROLS || index == VMCS_INDEX_ENTRY_CONTROLS;
}

/* What a changed field makes dirty, by the rule in its row. */
static uint32_t dirties(unsigned index)
{
	if (index == VMCS_INDEX_VMCS_LINK_POINTER)
		return 0; /* guest state, looked at by each entry that finds EXTRA_LINK */
	if (field_is_carried_for_write(index))
		return 0; /* slot->written tells */
	switch (vmcs_fields[index].rule) {
	case VMCS_RULE_GUEST:
	case VMCS_RULE_GUEST_RARE:
		return DIRTY_GUEST;
	case VMCS_RULE_HOST: /* of HOST_RSP nothing is checked, and nothing else hangs on it */
		return index == VMCS_INDEX_HOST_RSP ? 0 : DIRTY_HOST | DIRTY_CHECKS_HOST;
	case VMCS_RULE_COPY:
	case VMCS_RULE_MERGE:
		return DIRTY_CONTROLS | DIRTY_CHECKS |
		       (decides_mode(index) ? DIRTY_HOST | DIRTY_CHECKS_HOST : 0) |
		       (is_bitmap_address(index) ? DIRTY_BITMAPS : 0);
	default:
		return 0;
	}
}

void slot_write(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index, uint64_t value,
		struct hpa resume)
{
	/* By these controls rare fields are saved and loaded, too: the exit that is behind goes by
	 * the old ones, the entry to come by the new. */
	bool decides = decides_mode(index);
	/* Hypervisors write where an exit shall lead before each entry, and mostly it is the same.
	 */
	bool same_host =
	    vmcs_fields[index].rule == VMCS_RULE_HOST && slot->v12.field[index] == value;

	if ((field_is_rare(index) || decides) && slot_fetch_rare(v, slot))
		v->env->vmptrld(v->env, &resume);
	if (decides)
		slot->dirty |= DIRTY_GUEST;
	if (field_is_rare(index) && !slot->rare_in_shadow)
		slot->rare_was_written = true;
	if (slot_has_shadow(slot) && field_exists(v->l0.hw, index) &&
	    (field_is_carried(index) || (field_is_shown(index) && slot->rare_in_shadow))) {
		v->env->vmptrld(v->env, &slot->shadow.hpa);
		v->env->vmcs_write(v->env, vmcs_fields[index].encoding, value);
		v->env->vmptrld(v->env, &resume);
	}
	slot->v12.field[index] = value;
	if (index == VMCS_INDEX_GUEST_IA32_BNDCFGS && value)
		shadow_bndcfgs_used(v);
	if (index == VMCS_INDEX_HOST_RSP) /* so the rest of load01 need not be built anew */
		slot->load01[L1_LOAD_GUEST_RSP] = value;
	if (vmcs_fields[index].rule == VMCS_RULE_EXIT)
		slot->have02.field[index] = value; /* a reflection gives what differs from it */
	if (index == VMCS_INDEX_VMCS_LINK_POINTER)
		slot->extras |= EXTRA_LINK;
	slot->written |= field_written_bit(index);
	slot->dirty |= same_host ? 0 : dirties(index);
}

void slot_release(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	struct vmcs *region = v->env->pointer(v->env, slot->address, sizeof(*region));

	slot_pull(v, slot);
	if (slot_has_shadow(slot))
		v->env->vmcs_read_list(v->env, SHADOW_LIST_L1_EVENT, slot->v12.field);
	slot_fetch_rare(v, slot);
	v->env->vmptrld(v->env, &v->l0.vmcs01_hpa);
	if (region)
		memcpy(region, &slot->v12, sizeof(slot->v12));
	for (struct shadow_slot **link = &v->slots; *link; link = &(*link)->next) {
		if (*link == slot) {
			*link = slot->next;
			break;
		}
	}
	free_pages(v, slot);
}

bool slot_evict(struct shadow_vcpu *v)
{
	struct shadow_slot *victim = NULL;

	for (struct shadow_slot *slot = v->slots; slot; slot = slot->next)
		if (slot != v->current && slot != v->linked && slot->self.va)
			victim = slot;
	if (!victim)
		return false;
	if (v->env->note)
		v->env->note(v->env, "VMCS12 evicted", victim->address.value, 0);
	slot_release(v, victim);
	return true;
}

static void allow(uint64_t *bitmap, uint32_t encoding)
{
	bitmap[encoding / 64] &= ~BIT64(encoding % 64);
}

void slot_fill_bitmaps(uint64_t *vmread_hot, uint64_t *vmread_all, uint64_t *vmwrite)
{
	memset(vmread_hot, 0xff, PAGE_SIZE);
	memset(vmread_all, 0xff, PAGE_SIZE);
	memset(vmwrite, 0xff, PAGE_SIZE);
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		if (field_is_carried(i)) {
			allow(vmread_hot, vmcs_fields[i].encoding);
			allow(vmread_all, vmcs_fields[i].encoding);
		}
		if (field_is_shown(i))
			allow(vmread_all, vmcs_fields[i].encoding);
		if (field_is_carried_for_write(i))
			allow(vmwrite, vmcs_fields[i].encoding);
	}
}
