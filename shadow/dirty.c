/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A page full of notes, one a writable page of EPT02, for the EPT12 that was run last. When they
 * run over, the whole tree is forgotten and filled again by violations.
 */
#include "shadow/dirty.h"

#include "shadow/ept02.h"
#include "shadow/vcpu.h"

struct note {
	const uint64_t *leaf; /* EPT12's, in L1's RAM, which stays where it is */
	struct l2_gpa gpa;
};
#define NOTES (PAGE_SIZE / sizeof(struct note))

bool dirty_is_needed(const struct shadow_slot *slot)
{
	uint32_t secondary = slot_secondary(slot);

	return (secondary & SECONDARY_ENABLE_PML) && !(secondary & SECONDARY_ENABLE_VPID) &&
	       (vmcs_get(&slot->v12, EPT_POINTER) & EPTP_AD);
}

bool dirty_recheck(struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	uint64_t eptp12 = vmcs_get(&slot->v12, EPT_POINTER);
	struct note *notes;

	if (!dirty_is_needed(slot))
		return true;
	if (!vcpu_page_need(v, &v->dirty_notes))
		return false;
	if (v->dirty_eptp12 != eptp12) {
		/* Whatever became of the other's notes, this tree has none yet. */
		ept02_forget(v, eptp12);
		v->dirty_eptp12 = eptp12;
		v->dirty_count = 0;
	}
	notes = v->dirty_notes.va;
	for (unsigned i = 0; i < v->dirty_count;) {
		if (*notes[i].leaf & EPT_D) {
			i++;
			continue;
		}
		ept02_unmap(v, eptp12, notes[i].gpa);
		notes[i] = notes[--v->dirty_count];
	}
	return true;
}

void dirty_note(struct shadow_vcpu *v, const struct shadow_slot *slot, const struct ept12_walk *w,
		struct l2_gpa gpa)
{
	struct note *notes = v->dirty_notes.va;

	if (!dirty_is_needed(slot) || !notes ||
	    v->dirty_eptp12 != vmcs_get(&slot->v12, EPT_POINTER))
		return;
	if (v->dirty_count == NOTES) {
		ept02_forget(v, v->dirty_eptp12);
		v->dirty_count = 0;
	}
	notes[v->dirty_count++] = (struct note){w->leaf, gpa};
}
