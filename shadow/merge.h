/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From VMCS12 and VMCS01 to VMCS02: the controls. Each rule is a small function of the two; what
 * comes out is written only where VMCS02 does not hold it yet.
 */
#ifndef SHADOW_MERGE_H
#define SHADOW_MERGE_H

#include "shadow/fields.h"
#include "shadow/vcpu.h"
#include "shadow/vpid.h"

/* Writes a field of VMCS02, which is current, unless it holds the value already. */
static inline void push02_at(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index,
			     uint32_t encoding, uint64_t value)
{
	if (slot->have02.field[index] == value)
		return;
	slot->have02.field[index] = value;
	v->env->vmcs_write(v->env, encoding, value);
}
static inline void push02(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index,
			  uint64_t value)
{
	push02_at(v, slot, index, vmcs_fields[index].encoding, value);
}
/* The same with the field known to the compiler. */
#define push02_by_name(v, slot, name, value)                                                       \
	push02_at(v, slot, VMCS_INDEX_##name, VMCS_##name, value)

/* What makes I/O instructions exit. */
#define PRIMARY_IO_CONTROLS                                                                        \
	((uint32_t)PRIMARY_UNCONDITIONAL_IO_EXITING | (uint32_t)PRIMARY_USE_IO_BITMAPS)

/* What of 12 and 01 goes into the five control words. Pure. */
uint32_t merge_pin(const struct shadow_vcpu *v, const struct shadow_slot *slot);
uint32_t merge_primary(const struct shadow_vcpu *v, const struct shadow_slot *slot);
uint32_t merge_secondary(const struct shadow_vcpu *v, const struct shadow_slot *slot);
uint32_t merge_exit_controls(const struct shadow_vcpu *v, const struct shadow_slot *slot);
uint32_t merge_entry_controls(const struct shadow_vcpu *v, const struct shadow_slot *slot);

/* TSC of L2 = ((TSC * mult01 >> 48) + off01) * mult12 >> 48 + off12, as one multiplier and offset.
 */
struct tsc_scale {
	uint64_t multiplier, offset;
};
#define TSC_MULTIPLIER_ONE (UINT64_C(1) << 48)
struct tsc_scale merge_tsc(const struct vmcs *vmcs01, const struct vmcs *vmcs12);

/* Exception bitmap with the page-fault error-code filter. */
struct exception_filter {
	uint32_t bitmap, mask, match;
};
struct exception_filter merge_exceptions(const struct vmcs *vmcs01, const struct vmcs *vmcs12);

/* Before VMCS02 is current: pages and bitmaps that the controls will point to. false: out of pages.
 */
bool merge_prepare(struct shadow_vcpu *v, struct shadow_slot *slot, uint64_t *eptp02);
/* VMCS02 is current: writes all controls. */
void merge_push_controls(struct shadow_vcpu *v, struct shadow_slot *slot, uint64_t eptp02);

/* Whether EPT02 composes L1's EPT12; otherwise L2 runs on EPT01. */
static inline bool slot_has_ept12(const struct shadow_slot *slot)
{
	return slot_secondary(slot) & SECONDARY_ENABLE_EPT;
}

#endif
