/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Bitmaps. The merged ones are kept per VMCS12. L1 may change its bitmaps with plain stores while
 * it runs, so they are merged again at an entry unless L0 watches the pages (env->watch) and has
 * seen no store since. An L1 that stores often is not watched any more. L2 may reach them too;
 * while it does, everything exits and is decided by what stands in L1's memory.
 */
#include "shadow/bitmap.h"

#include <string.h>

#include "shadow/ept02.h"
#include "shadow/fields.h"
#include "shadow/route.h"
#include "shadow/vcpu.h"

#define WORDS (PAGE_SIZE / sizeof(uint64_t))

void bitmap_merge(uint64_t *merged, const uint64_t *twelve, const uint64_t *one)
{
	if (!twelve)
		memset(merged, 0xff, PAGE_SIZE);
	else if (!one)
		memcpy(merged, twelve, PAGE_SIZE);
	else
		for (unsigned i = 0; i < WORDS; i++)
			merged[i] = twelve[i] | one[i];
}

static const uint64_t *page_of_l1(struct shadow_vcpu *v, uint64_t address)
{
	return v->env->pointer(v->env, (struct l1_gpa){PAGE_BASE(address)}, PAGE_SIZE);
}

/* Merges one page and puts it under watch. *watched stays true if L0 will hear of the next store.
 */
static bool update_page(struct shadow_vcpu *v, struct shadow_slot *slot, struct shadow_page *page,
			uint64_t address, const uint64_t *one, bool *watched)
{
	struct l1_gpa gpa = {PAGE_BASE(address)};

	if (!vcpu_page_need(v, page))
		return false;
	/* The watch comes first: a store between it and the merge is then noticed. */
	*watched = *watched && slot->watch_budget && v->env->watch && v->env->watch(v->env, gpa);
	bitmap_merge(page->va, page_of_l1(v, address), one);
	return true;
}

bool bitmap_update(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const struct vmcs *v12 = &slot->v12;
	bool msr = slot_primary(slot) & (uint32_t)PRIMARY_USE_MSR_BITMAPS;
	bool io = slot_primary(slot) & (uint32_t)PRIMARY_USE_IO_BITMAPS;
	bool watched = true, ok = true;

	slot->bitmaps_open = false;
	if (msr)
		ok = update_page(v, slot, &slot->msr_bitmap, vmcs_get(v12, MSR_BITMAP),
				 v->l0.msr_bitmap, &watched);
	if (ok && io)
		ok = update_page(v, slot, &slot->io_bitmap_a, vmcs_get(v12, IO_BITMAP_A),
				 v->l0.io_bitmap_a, &watched) &&
		     update_page(v, slot, &slot->io_bitmap_b, vmcs_get(v12, IO_BITMAP_B),
				 v->l0.io_bitmap_b, &watched);
	if (!ok)
		return false;
	if (!watched)
		return true;
	slot->dirty &= ~(uint32_t)DIRTY_BITMAPS;
	if (msr || io)
		ept02_forget_all(v); /* leaves composed before the watch may be writable */
	return true;
}

static bool slot_uses_page(const struct shadow_slot *slot, uint64_t page)
{
	return PAGE_BASE(vmcs_get(&slot->v12, MSR_BITMAP)) == page ||
	       PAGE_BASE(vmcs_get(&slot->v12, IO_BITMAP_A)) == page ||
	       PAGE_BASE(vmcs_get(&slot->v12, IO_BITMAP_B)) == page;
}

/* The store has not happened yet, and more may follow unnoticed; the next exit tells. */
static void open_bitmaps(struct shadow_slot *slot)
{
	const struct shadow_page *pages[] = {&slot->msr_bitmap, &slot->io_bitmap_a,
					     &slot->io_bitmap_b};

	for (unsigned i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (pages[i]->va)
			memset(pages[i]->va, 0xff, PAGE_SIZE);
	slot->bitmaps_open = true;
}

void shadow_page_written(struct shadow_vcpu *v, struct l1_gpa page)
{
	for (struct shadow_slot *slot = v->slots; slot; slot = slot->next) {
		if (!slot_uses_page(slot, PAGE_BASE(page.value)))
			continue;
		slot->dirty |= DIRTY_BITMAPS;
		if (v->in_l2 && slot == v->current)
			open_bitmaps(slot);
		else if (slot->watch_budget)
			slot->watch_budget--;
	}
}

/* Nothing is lost if nobody wants the exit: L2 executes the instruction again. L1's answer is the
 * same before and after the merge, so only the others have to wait for it. */
enum route first_bitmapped(struct l2_exit *x)
{
	if (!x->slot->bitmaps_open || route_l1_asks(x))
		return ROUTE_ASK;
	if (!bitmap_update(x->v, x->slot))
		x->v->dead = "L0's page pool is too small for a bitmap";
	return ROUTE_DONE;
}

/* Only the words that hold a carried field matter; all others stay ones. */
bool bitmap_update_shadowing(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const uint64_t *read12 = page_of_l1(v, vmcs_get(&slot->v12, VMREAD_BITMAP));
	const uint64_t *write12 = page_of_l1(v, vmcs_get(&slot->v12, VMWRITE_BITMAP));
	const uint64_t *read01 = slot_vmread_bitmap(v, v->linked), *write01 = v->vmwrite_bitmap.va;
	uint64_t *read02, *write02;

	if (!vcpu_page_need(v, &slot->vmread_bitmap) || !vcpu_page_need(v, &slot->vmwrite_bitmap))
		return false;
	read02 = slot->vmread_bitmap.va;
	write02 = slot->vmwrite_bitmap.va;
	if (read02[WORDS - 1] == 0) { /* fresh page; encodings end long before it does */
		memset(read02, 0xff, PAGE_SIZE);
		memset(write02, 0xff, PAGE_SIZE);
	}
	for (unsigned i = 0; i < FIELD_WORDS; i++) {
		unsigned word = field_words[i];

		read02[word] = read01[word] | (read12 ? read12[word] : UINT64_MAX);
		write02[word] = write01[word] | (write12 ? write12[word] : UINT64_MAX);
	}
	return true;
}

static bool bit_is_set(struct shadow_vcpu *v, uint64_t page, uint32_t bit)
{
	const uint64_t *bitmap = page_of_l1(v, page);

	return !bitmap || (bitmap[bit / 64] >> (bit % 64) & 1);
}

/* SDM 3C "MSR-Bitmap Address": read low, read high, write low, write high, 1 KB each. */
bool bitmap_wants_msr(struct shadow_vcpu *v, const struct shadow_slot *slot, uint32_t msr,
		      bool write)
{
	uint32_t base = write ? 0x4000 : 0;

	if (!(slot_primary(slot) & (uint32_t)PRIMARY_USE_MSR_BITMAPS))
		return true;
	if (msr >= UINT32_C(0xc0000000) && msr <= UINT32_C(0xc0001fff))
		base += 0x2000;
	else if (msr > 0x1fff)
		return true;
	return bit_is_set(v, vmcs_get(&slot->v12, MSR_BITMAP), base + (msr & 0x1fff));
}

/* SDM 3C "I/O-Bitmap Addresses"; an access that wraps around the port space exits. */
bool bitmap_wants_io(struct shadow_vcpu *v, const struct shadow_slot *slot, uint16_t port,
		     unsigned size)
{
	if (!(slot_primary(slot) & (uint32_t)PRIMARY_USE_IO_BITMAPS))
		return slot_primary(slot) & (uint32_t)PRIMARY_UNCONDITIONAL_IO_EXITING;
	for (unsigned i = 0; i < size; i++) {
		uint32_t p = port + i;

		if (p > UINT16_MAX)
			return true;
		if (bit_is_set(v,
			       p < 0x8000 ? vmcs_get(&slot->v12, IO_BITMAP_A)
					  : vmcs_get(&slot->v12, IO_BITMAP_B),
			       p & 0x7fff))
			return true;
	}
	return false;
}

/* SDM 3C "VMCS Shadowing Bitmap Addresses": by bits 14:0 of the encoding; any higher bit set: exit.
 */
bool bitmap_wants_vmcs(struct shadow_vcpu *v, const struct shadow_slot *slot, uint64_t encoding,
		       bool write)
{
	if (!(slot_secondary(slot) & SECONDARY_VMCS_SHADOWING) || encoding >> 15)
		return true;
	return bit_is_set(
	    v, write ? vmcs_get(&slot->v12, VMWRITE_BITMAP) : vmcs_get(&slot->v12, VMREAD_BITMAP),
	    (uint32_t)encoding);
}
