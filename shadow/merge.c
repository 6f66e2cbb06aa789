/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The controls of VMCS02 beyond the control words: addresses translated through EPT01, bitmaps
 * merged, TSC composed. Everything L0 does for L2 by software alone (PML, #VE, EPTP switching) is
 * off in VMCS02.
 */
#include "shadow/merge.h"

#include "shadow/bitmap.h"
#include "shadow/dirty.h"
#include "shadow/ept02.h"

/* (a * b) >> 48 without overflow of the intermediate product: 128-bit multiplication by halves, as
 * freestanding 32-bit-safe C has no wider type. */
static uint64_t multiply_shift48(uint64_t a, uint64_t b)
{
	uint64_t al = a & UINT32_MAX, ah = a >> 32, bl = b & UINT32_MAX, bh = b >> 32;
	uint64_t low = al * bl;
	uint64_t middle = ah * bl + (low >> 32);
	uint64_t middle2 = al * bh + (middle & UINT32_MAX);
	uint64_t high = ah * bh + (middle >> 32) + (middle2 >> 32);

	return high << 16 | (middle2 & UINT32_MAX) >> 16;
}

/* The same for a signed first operand: offsets are two's complement. */
static uint64_t scale_offset(uint64_t offset, uint64_t multiplier)
{
	if ((int64_t)offset < 0)
		return -multiply_shift48(-offset, multiplier);
	return multiply_shift48(offset, multiplier);
}

static struct tsc_scale tsc_of(const struct vmcs *vmcs)
{
	struct tsc_scale scale = {TSC_MULTIPLIER_ONE, 0};
	uint32_t primary = (uint32_t)vmcs_get(vmcs, PRIMARY_CONTROLS);

	if (!(primary & (uint32_t)PRIMARY_USE_TSC_OFFSETTING))
		return scale;
	scale.offset = vmcs_get(vmcs, TSC_OFFSET);
	if ((primary & (uint32_t)PRIMARY_ACTIVATE_SECONDARY) &&
	    (vmcs_get(vmcs, SECONDARY_CONTROLS) & SECONDARY_USE_TSC_SCALING))
		scale.multiplier = vmcs_get(vmcs, TSC_MULTIPLIER);
	return scale;
}

struct tsc_scale merge_tsc(const struct vmcs *vmcs01, const struct vmcs *vmcs12)
{
	struct tsc_scale one = tsc_of(vmcs01), two = tsc_of(vmcs12);

	if (two.multiplier == TSC_MULTIPLIER_ONE)
		return (struct tsc_scale){one.multiplier, one.offset + two.offset};
	return (struct tsc_scale){multiply_shift48(one.multiplier, two.multiplier),
				  scale_offset(one.offset, two.multiplier) + two.offset};
}

/* SDM 3C "Exception Bitmap": #PF exits if ((code & mask) == match) equals bit 14. If both want page
 * faults or only L0 does, all of them exit and the router looks again. */
struct exception_filter merge_exceptions(const struct vmcs *vmcs01, const struct vmcs *vmcs12)
{
	struct exception_filter f = {
	    .bitmap =
		(uint32_t)(vmcs_get(vmcs01, EXCEPTION_BITMAP) | vmcs_get(vmcs12, EXCEPTION_BITMAP)),
	    .mask = (uint32_t)vmcs_get(vmcs12, PAGE_FAULT_ERROR_CODE_MASK),
	    .match = (uint32_t)vmcs_get(vmcs12, PAGE_FAULT_ERROR_CODE_MATCH),
	};

	if (vmcs_get(vmcs01, EXCEPTION_BITMAP) & BIT32(VECTOR_PF))
		f.mask = f.match = 0;
	return f;
}

/* An address that L1 gives its L2's hardware: through EPT01, or the junk page if nothing is there.
 */
static uint64_t translated(struct shadow_vcpu *v, uint64_t address)
{
	struct shadow_mapping m;
	struct hpa junk = {0};

	if (v->env->translate(v->env, (struct l1_gpa){address}, &m) &&
	    (m.rights & (EPT_R | EPT_W)) == (EPT_R | EPT_W))
		return m.hpa.value;
	vcpu_junk_page(v, &junk); /* merge_prepare() has seen to it that there is one */
	return junk.value + PAGE_OFFSET(address);
}

bool merge_prepare(struct shadow_vcpu *v, struct shadow_slot *slot, uint64_t *eptp02)
{
	struct hpa junk;

	if ((slot->dirty & DIRTY_BITMAPS) && !bitmap_update(v, slot))
		return false;
	if (v->linked && v->hw_shadowing && !bitmap_update_shadowing(v, slot))
		return false;
	if ((slot->extras & EXTRA_NOTES) && !dirty_recheck(v, slot))
		return false;
	*eptp02 = vmcs_get(v->l0.vmcs01, EPT_POINTER);
	if (!(slot->dirty & DIRTY_CONTROLS) && slot->ept_generation == v->ept_generation)
		return true;
	slot->dirty |= DIRTY_CONTROLS;
	if (!vcpu_junk_page(v, &junk))
		return false;
	return !slot_has_ept12(slot) || ept02_find(v, vmcs_get(&slot->v12, EPT_POINTER), eptp02);
}

static void push_apic(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const struct vmcs *v12 = &slot->v12;

	if (slot_primary(slot) & (uint32_t)PRIMARY_USE_TPR_SHADOW) {
		push02_by_name(v, slot, VIRTUAL_APIC_ADDRESS,
			       translated(v, vmcs_get(v12, VIRTUAL_APIC_ADDRESS)));
		push02_by_name(v, slot, TPR_THRESHOLD, vmcs_get(v12, TPR_THRESHOLD));
	}
	if (slot_secondary(slot) & SECONDARY_VIRTUALIZE_APIC_ACCESSES)
		push02_by_name(v, slot, APIC_ACCESS_ADDRESS,
			       translated(v, vmcs_get(v12, APIC_ACCESS_ADDRESS)));
	if (slot_secondary(slot) & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)
		for (unsigned i = 0; i < 4; i++)
			push02(v, slot, VMCS_INDEX_EOI_EXIT_BITMAP0 + i,
			       v12->field[VMCS_INDEX_EOI_EXIT_BITMAP0 + i]);
	if (slot_pin(slot) & PIN_POSTED_INTERRUPTS) {
		push02_by_name(v, slot, POSTED_INTERRUPT_DESCRIPTOR,
			       translated(v, vmcs_get(v12, POSTED_INTERRUPT_DESCRIPTOR)));
		push02_by_name(v, slot, POSTED_INTERRUPT_NOTIFICATION_VECTOR,
			       vmcs_get(v12, POSTED_INTERRUPT_NOTIFICATION_VECTOR));
	}
}

/* L0's bitmap address if L1 has none of its own. */
static uint64_t bitmap_address(const struct shadow_page *merged, bool used12, uint64_t address01)
{
	return used12 ? merged->hpa.value : address01;
}

static void push_bitmaps(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	bool io = slot_primary(slot) & (uint32_t)PRIMARY_USE_IO_BITMAPS;

	if (slot_primary(slot) & (uint32_t)PRIMARY_USE_MSR_BITMAPS)
		push02_by_name(v, slot, MSR_BITMAP, slot->msr_bitmap.hpa.value);
	push02_by_name(v, slot, IO_BITMAP_A,
		       bitmap_address(&slot->io_bitmap_a, io, vmcs_get(v->l0.vmcs01, IO_BITMAP_A)));
	push02_by_name(v, slot, IO_BITMAP_B,
		       bitmap_address(&slot->io_bitmap_b, io, vmcs_get(v->l0.vmcs01, IO_BITMAP_B)));
	if (v->hw_shadowing && v->linked) {
		push02_by_name(v, slot, VMREAD_BITMAP, slot->vmread_bitmap.hpa.value);
		push02_by_name(v, slot, VMWRITE_BITMAP, slot->vmwrite_bitmap.hpa.value);
	}
}

static void push_words(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	push02_by_name(v, slot, PIN_BASED_CONTROLS, merge_pin(v, slot));
	push02_by_name(v, slot, PRIMARY_CONTROLS, merge_primary(v, slot));
	if (field_exists(v->l0.hw, VMCS_INDEX_SECONDARY_CONTROLS))
		push02_by_name(v, slot, SECONDARY_CONTROLS, merge_secondary(v, slot));
	push02_by_name(v, slot, EXIT_CONTROLS, merge_exit_controls(v, slot));
	push02_by_name(v, slot, ENTRY_CONTROLS, merge_entry_controls(v, slot));
	slot->seen_primary = slot_primary(slot);
	slot->stepping = false;
}

static void push_tsc(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	struct tsc_scale tsc = merge_tsc(v->l0.vmcs01, &slot->v12);

	push02_by_name(v, slot, TSC_OFFSET, tsc.offset);
	if (field_exists(v->l0.hw, VMCS_INDEX_TSC_MULTIPLIER))
		push02_by_name(v, slot, TSC_MULTIPLIER, tsc.multiplier);
}

/* Rows of rule COPY that need no other thought. */
static void push_copies(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const struct vmcs *v12 = &slot->v12;

	push02_by_name(v, slot, CR3_TARGET_COUNT, vmcs_get(v12, CR3_TARGET_COUNT));
	for (unsigned i = 0; i < 4 && i < vmcs_get(v12, CR3_TARGET_COUNT); i++)
		push02(v, slot, VMCS_INDEX_CR3_TARGET_VALUE0 + i,
		       v12->field[VMCS_INDEX_CR3_TARGET_VALUE0 + i]);
	if (slot_secondary(slot) & SECONDARY_PAUSE_LOOP_EXITING) {
		push02_by_name(v, slot, PLE_GAP, vmcs_get(v12, PLE_GAP));
		push02_by_name(v, slot, PLE_WINDOW, vmcs_get(v12, PLE_WINDOW));
	}
	if (slot_secondary(slot) & SECONDARY_ENABLE_XSAVES)
		push02_by_name(v, slot, XSS_EXITING_BITMAP,
			       vmcs_get(v12, XSS_EXITING_BITMAP) |
				   vmcs_get(v->l0.vmcs01, XSS_EXITING_BITMAP));
}

/* L0 keeps nothing of CR0 and CR4 from L2 that VMX operation does not keep anyway, so VMCS02 has
 * L1's masks. The read shadows are in the hot list. */
static void push_cr_controls(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	push02_by_name(v, slot, CR0_GUEST_HOST_MASK, vmcs_get(&slot->v12, CR0_GUEST_HOST_MASK));
	push02_by_name(v, slot, CR4_GUEST_HOST_MASK, vmcs_get(&slot->v12, CR4_GUEST_HOST_MASK));
}

/* L1's are worked off in software; these are L0's. */
static void push_msr_lists(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	const struct vmcs *v01 = v->l0.vmcs01;

	push02_by_name(v, slot, ENTRY_MSR_LOAD_ADDRESS, vmcs_get(v01, ENTRY_MSR_LOAD_ADDRESS));
	push02_by_name(v, slot, ENTRY_MSR_LOAD_COUNT, vmcs_get(v01, ENTRY_MSR_LOAD_COUNT));
	push02_by_name(v, slot, EXIT_MSR_LOAD_ADDRESS, vmcs_get(v01, EXIT_MSR_LOAD_ADDRESS));
	push02_by_name(v, slot, EXIT_MSR_LOAD_COUNT, vmcs_get(v01, EXIT_MSR_LOAD_COUNT));
}

void merge_push_controls(struct shadow_vcpu *v, struct shadow_slot *slot, uint64_t eptp02)
{
	struct exception_filter filter = merge_exceptions(v->l0.vmcs01, &slot->v12);
	uint16_t vpid02 = vpid02_of(v, slot);

	push_words(v, slot);
	push_bitmaps(v, slot);
	push_apic(v, slot);
	push_tsc(v, slot);
	push_copies(v, slot);
	push_msr_lists(v, slot);
	push_cr_controls(v, slot);
	push02_by_name(v, slot, EXCEPTION_BITMAP, filter.bitmap);
	push02_by_name(v, slot, PAGE_FAULT_ERROR_CODE_MASK, filter.mask);
	push02_by_name(v, slot, PAGE_FAULT_ERROR_CODE_MATCH, filter.match);
	if (vmcs_get(v->l0.vmcs01, SECONDARY_CONTROLS) & SECONDARY_ENABLE_EPT)
		push02_by_name(v, slot, EPT_POINTER, eptp02);
	if (vpid02)
		push02_by_name(v, slot, VPID, vpid02);
	slot->ept_generation = v->ept_generation;
}
