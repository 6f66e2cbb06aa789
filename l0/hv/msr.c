/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RDMSR and WRMSR by L1. With MSR bitmaps only the VMX MSRs exit, moving the local APIC, PEBS, MPX;
 * an MSR that the machine lacks faults in L1 as it would there. Without them everything does, and
 * what a VMCS field holds for the guest is read and written there.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "l0/hv/range.h"

/* SDM 3C "MSR-Bitmap Address": parts of the page, in bytes. */
#define BITMAP_READ_LOW 0
#define BITMAP_READ_HIGH 1024
#define BITMAP_WRITE_LOW 2048
#define BITMAP_WRITE_HIGH 3072
#define MSR_INDEX UINT32_C(0x1fff)
#define PAT_TYPES UINT64_C(0xf3) /* memory types 0, 1, 4, 5, 6, 7 exist */

enum msr_kind { KIND_PLAIN, KIND_CANONICAL, KIND_PAT, KIND_DEBUGCTL, KIND_SHARED };

static const struct {
	uint32_t msr;
	enum vmcs_field field;
	enum msr_kind kind;
} field_msrs[] = {
#define MSR_FIELD(msr, field, kind) {MSR_##msr, VMCS_##field, KIND_##kind},
#define MSR_SHADOW(first, last)
#include "l0/hv/msrs.def"
#undef MSR_FIELD
#undef MSR_SHADOW
};

static const struct {
	uint32_t first, last;
} shadow_msrs[] = {
#define MSR_FIELD(msr, field, kind)
#define MSR_SHADOW(first, last) {MSR_##first, MSR_##last},
#include "l0/hv/msrs.def"
#undef MSR_FIELD
#undef MSR_SHADOW
};

/* Of Intel PT, trace.c. */
#define TRACE_FIRST MSR_IA32_RTIT_OUTPUT_BASE
#define TRACE_LAST MSR_IA32_RTIT_ADDR3_B
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void set_bit(uint64_t *bitmap, unsigned byte, uint32_t msr)
{
	bitmap[byte / 8 + msr / 64] |= UINT64_C(1) << (msr % 64);
}

/* A register of pebs.c's. */
static bool is_pebs(uint32_t msr)
{
	return msr == MSR_IA32_PEBS_ENABLE || msr == MSR_IA32_PERF_GLOBAL_CTRL;
}

void msr_intercept_write(struct vcpu *vcpu, uint32_t msr, bool on)
{
	uint64_t *word;

	if (!vcpu->msr_bitmap)
		return;
	word = &vcpu->msr_bitmap[BITMAP_WRITE_LOW / 8 + msr / 64];
	*word = (*word & ~(UINT64_C(1) << msr % 64)) | (uint64_t)on << msr % 64;
}

static void trap(uint64_t *bitmap, uint32_t first, uint32_t last)
{
	for (uint32_t msr = first; msr <= last; msr++) {
		set_bit(bitmap, BITMAP_READ_LOW, msr);
		set_bit(bitmap, BITMAP_WRITE_LOW, msr);
	}
}

void msr_bitmap_fill(const struct vcpu *vcpu, uint64_t *bitmap)
{
	if (vcpu->unpaged.table) {
		set_bit(bitmap, BITMAP_READ_HIGH, MSR_IA32_EFER & MSR_INDEX);
		set_bit(bitmap, BITMAP_WRITE_HIGH, MSR_IA32_EFER & MSR_INDEX);
	}
	set_bit(bitmap, BITMAP_WRITE_LOW, MSR_IA32_APIC_BASE);
	set_bit(bitmap, BITMAP_WRITE_LOW, MSR_IA32_PEBS_ENABLE);
	set_bit(bitmap, BITMAP_WRITE_LOW, MSR_IA32_BNDCFGS);
	if (mpx_is_hidden())
		set_bit(bitmap, BITMAP_READ_LOW, MSR_IA32_BNDCFGS);
	for (unsigned i = 0; i < COUNT(shadow_msrs); i++)
		trap(bitmap, shadow_msrs[i].first, shadow_msrs[i].last);
	if (trace_is_safe())
		return;
	trap(bitmap, TRACE_FIRST, TRACE_LAST);
	set_bit(bitmap, BITMAP_WRITE_LOW, MSR_IA32_XSS);
}

static bool is_shadow(uint32_t msr)
{
	for (unsigned i = 0; i < COUNT(shadow_msrs); i++)
		if (msr >= shadow_msrs[i].first && msr <= shadow_msrs[i].last)
			return true;
	return false;
}

static bool is_trace(uint32_t msr)
{
	return (msr >= TRACE_FIRST && msr <= TRACE_LAST) || msr == MSR_IA32_XSS;
}

static int field_row(uint32_t msr)
{
	for (unsigned i = 0; i < COUNT(field_msrs); i++)
		if (field_msrs[i].msr == msr)
			return (int)i;
	return -1;
}

bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	int row = field_row(msr);

	if (is_shadow(msr))
		return shadow_rdmsr(&vcpu->shadow, msr, value);
	if (msr == MSR_IA32_EFER) {
		*value = efer_read(vcpu);
		return true;
	}
	if (is_pebs(msr))
		return pebs_read_msr(msr, value);
	if (msr == MSR_IA32_BNDCFGS)
		return mpx_read_msr(value);
	if (is_trace(msr))
		return trace_read_msr(msr, value);
	if (row >= 0 && hw_try_vmread(field_msrs[row].field, value))
		return true;
	return hw_try_rdmsr(msr, value);
}

static bool is_pat(uint64_t value)
{
	for (unsigned i = 0; i < 8; i++, value >>= 8)
		if ((value & 0xff) > 7 || !(PAT_TYPES >> (value & 7) & 1))
			return false;
	return true;
}

static bool field_accepts(enum msr_kind kind, uint64_t value)
{
	switch (kind) {
	case KIND_CANONICAL:
		return vmx_caps_canonical(&hv.machine.caps, value);
	case KIND_PAT:
		return is_pat(value);
	case KIND_DEBUGCTL:
		return !(value & ~hv.machine.caps.debugctl_valid);
	default:
		return true;
	}
}

/* The local APIC takes its page from whatever lies there, seen by everybody: not from what is not
 * L1's, nor where L1's address is not the platform's. */
static bool apic_base_write(struct vcpu *vcpu, uint64_t value)
{
	const struct range *range = range_find((struct l1_gpa){PAGE_BASE(value)});

	if (value >> hv.machine.caps.maxphyaddr)
		return false;
	if (value & APIC_BASE_EN && (!range || range->gpa != range->hpa))
		hv_end_guest(vcpu, "it moved its local APIC over memory that is not its own");
	return hw_try_wrmsr(MSR_IA32_APIC_BASE, value);
}

bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	int row = field_row(msr);
	uint64_t old;

	if (is_shadow(msr))
		return shadow_wrmsr(&vcpu->shadow, msr, value);
	if (is_trace(msr))
		return trace_write_msr(msr, value);
	if (msr == MSR_IA32_EFER)
		return efer_write(vcpu, value);
	if (msr == MSR_IA32_APIC_BASE)
		return apic_base_write(vcpu, value);
	if (is_pebs(msr))
		return pebs_write_msr(vcpu, msr, value);
	if (msr == MSR_IA32_BNDCFGS)
		return mpx_write_msr(vcpu, value);
	if (row < 0 || !hw_try_vmread(field_msrs[row].field, &old))
		return hw_try_wrmsr(msr, value);
	if (!field_accepts(field_msrs[row].kind, value) ||
	    (field_msrs[row].kind == KIND_SHARED && !hw_try_wrmsr(msr, value)))
		return false;
	hw_vmwrite(field_msrs[row].field, value);
	return true;
}
