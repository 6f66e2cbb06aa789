/* SPDX-License-Identifier: BSD-2-Clause
 *
 * MSR areas. Rules: SDM 3C "Loading MSRs" (entry), "Saving MSRs", "Loading MSRs" (exit).
 */
#include "shadow/msr_list.h"

#include <stddef.h>

#include "shadow/merge.h"
#include "shadow/sdm/msr.h"

/* Field of the current VMCS's guest state that holds an MSR, or -1. */
static int field_of_msr(const struct shadow_vcpu *v, uint32_t msr)
{
	static const struct {
		uint32_t msr;
		uint8_t index;
	} fields[] = {
	    {MSR_IA32_SYSENTER_CS, VMCS_INDEX_GUEST_IA32_SYSENTER_CS},
	    {MSR_IA32_SYSENTER_ESP, VMCS_INDEX_GUEST_IA32_SYSENTER_ESP},
	    {MSR_IA32_SYSENTER_EIP, VMCS_INDEX_GUEST_IA32_SYSENTER_EIP},
	    {MSR_IA32_DEBUGCTL, VMCS_INDEX_GUEST_IA32_DEBUGCTL},
	    {MSR_IA32_PAT, VMCS_INDEX_GUEST_IA32_PAT},
	    {MSR_IA32_EFER, VMCS_INDEX_GUEST_IA32_EFER},
	    {MSR_IA32_FS_BASE, VMCS_INDEX_GUEST_FS_BASE},
	    {MSR_IA32_GS_BASE, VMCS_INDEX_GUEST_GS_BASE},
	    {MSR_IA32_BNDCFGS, VMCS_INDEX_GUEST_IA32_BNDCFGS},
	};

	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].msr == msr && field_exists(v->l0.hw, fields[i].index))
			return fields[i].index;
	return -1;
}

/* MSRs that are the guest's while L0 runs, too, and that VMCS02 loads if L1 has VMCS12 do so: after
 * what L1's area has for them, if the field did not have the same. */
static int field_loaded_later(const struct shadow_vcpu *v, uint32_t msr)
{
	static const struct {
		uint32_t msr;
		uint8_t index;
	} fields[] = {
	    {MSR_IA32_PERF_GLOBAL_CTRL, VMCS_INDEX_GUEST_IA32_PERF_GLOBAL_CTRL},
	    {MSR_IA32_PKRS, VMCS_INDEX_GUEST_IA32_PKRS},
	    {MSR_IA32_S_CET, VMCS_INDEX_GUEST_IA32_S_CET},
	    {MSR_IA32_INTERRUPT_SSP_TABLE_ADDR, VMCS_INDEX_GUEST_INTERRUPT_SSP_TABLE_ADDR},
	};

	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].msr == msr && field_exists(v->l0.hw, fields[i].index))
			return fields[i].index;
	return -1;
}

/* MSRs that no area may name, and reserved bits of the entry. */
static bool is_forbidden(const struct vmx_msr_entry *e, bool load)
{
	if (e->reserved || e->index >> 8 == MSR_IA32_X2APIC_FIRST >> 8)
		return true;
	return load && (e->index == MSR_IA32_FS_BASE || e->index == MSR_IA32_GS_BASE ||
			e->index == MSR_IA32_BIOS_UPDT_TRIG);
}

static bool is_pat(uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		uint8_t type = (uint8_t)(value >> (8 * i));

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* SDM 3A "Extended Feature Enable Register": LME is fixed while paging is on, and LMA is not
 * written. */
static bool write_efer(struct shadow_vcpu *v, uint64_t *value)
{
	struct shadow_env *env = v->env;
	uint64_t old = env->vmcs_read(env, VMCS_GUEST_IA32_EFER);

	if (*value & ~v->caps.efer_valid)
		return false;
	if (((*value ^ old) & EFER_LME) && (env->vmcs_read(env, VMCS_GUEST_CR0) & CR0_PG))
		return false;
	*value = (*value & ~EFER_LMA) | (old & EFER_LMA);
	return true;
}

/* What WRMSR makes of a value for an MSR that goes to a field. false: it would be refused. */
static bool write_as_wrmsr(struct shadow_vcpu *v, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_IA32_EFER:
		return write_efer(v, value);
	case MSR_IA32_DEBUGCTL:
		return !(*value & ~v->caps.debugctl_valid);
	case MSR_IA32_SYSENTER_ESP:
	case MSR_IA32_SYSENTER_EIP:
		return vmx_caps_canonical(&v->caps, *value);
	case MSR_IA32_PAT:
		return is_pat(*value);
	case MSR_IA32_BNDCFGS: /* SDM 1 "Read and Write of IA32_BNDCFGS" */
		return !(*value & BNDCFG_RESERVED) && vmx_caps_canonical(&v->caps, *value);
	default:
		return true;
	}
}

/* A field of the current VMCS, of which `have` is the image to keep true, or NULL. */
static void write_field(struct shadow_vcpu *v, int index, uint64_t value, struct vmcs *have)
{
	if (have)
		have->field[index] = value;
	v->env->vmcs_write(v->env, vmcs_fields[index].encoding, value);
}

static bool load_one(struct shadow_vcpu *v, const struct vmx_msr_entry *e, struct vmcs *have)
{
	int index = field_of_msr(v, e->index), later = field_loaded_later(v, e->index);
	uint64_t value = e->value;

	if (is_forbidden(e, true))
		return false;
	if (index >= 0) {
		if (!write_as_wrmsr(v, e->index, &value))
			return false;
		if (e->index == MSR_IA32_BNDCFGS && value)
			shadow_bndcfgs_used(v);
		write_field(v, index, value, have);
		return true;
	}
	if (!v->env->wrmsr(v->env, e->index, value))
		return false;
	if (have && later >= 0)
		write_field(v, later, value, have);
	return true;
}

static bool store_one(struct shadow_vcpu *v, const struct shadow_slot *slot,
		      struct vmx_msr_entry *e)
{
	int index = field_of_msr(v, e->index);

	if (is_forbidden(e, false))
		return false;
	if (e->index == MSR_IA32_TSC && vmcs_get(&slot->have02, EXIT_MSR_STORE_COUNT)) {
		e->value = slot->tsc_at_exit.value;
		return true;
	}
	if (index < 0)
		return v->env->rdmsr(v->env, e->index, &e->value);
	e->value = v->env->vmcs_read(v->env, vmcs_fields[index].encoding);
	return true;
}

/* Entries are 16 bytes and aligned, so none straddles a page. */
static struct vmx_msr_entry *entry_at(struct shadow_vcpu *v, uint64_t area, uint64_t i)
{
	return v->env->pointer(v->env, (struct l1_gpa){area + i * sizeof(struct vmx_msr_entry)},
			       sizeof(struct vmx_msr_entry));
}

static uint64_t load_area(struct shadow_vcpu *v, uint64_t area, uint64_t count, struct vmcs *have)
{
	for (uint64_t i = 0; i < count; i++) {
		const struct vmx_msr_entry *e = entry_at(v, area, i);

		if (!e || !load_one(v, e, have))
			return i + 1;
	}
	return 0;
}

/* IA32_VMX_MISC recommends a limit; beyond it "undefined processor behaviour": here, a failure. */
static uint64_t list_limit(const struct shadow_vcpu *v)
{
	return 512 * ((vmx_cap(&v->caps, MISC) >> VMX_MISC_MSR_LIST_SHIFT & 7) + 1);
}

/* What VMCS02 does not load for L1 because L0 has a list of its own, merge_entry_controls(). The
 * value has been checked. */
static void load_by_control(struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	if ((slot_entry_controls(slot) & ENTRY_LOAD_PERF_GLOBAL_CTRL) &&
	    vmcs_get(v->l0.vmcs01, ENTRY_MSR_LOAD_COUNT))
		(void)v->env->wrmsr(v->env, MSR_IA32_PERF_GLOBAL_CTRL,
				    vmcs_get(&slot->v12, GUEST_IA32_PERF_GLOBAL_CTRL));
}

unsigned msr_list_load_entry(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint64_t count = vmcs_get(&slot->v12, ENTRY_MSR_LOAD_COUNT);

	load_by_control(v, slot);
	if (count > list_limit(v))
		return (unsigned)list_limit(v) + 1;
	if (!count)
		return 0;
	slot->dirty |= DIRTY_GUEST; /* the fields written here are not what v12 says */
	return (unsigned)load_area(v, vmcs_get(&slot->v12, ENTRY_MSR_LOAD_ADDRESS), count,
				   &slot->have02);
}

static bool stores_tsc(struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	uint64_t count = vmcs_get(&slot->v12, EXIT_MSR_STORE_COUNT);

	for (uint64_t i = 0; i < count && i < list_limit(v); i++) {
		const struct vmx_msr_entry *e =
		    entry_at(v, vmcs_get(&slot->v12, EXIT_MSR_STORE_ADDRESS), i);

		if (e && e->index == MSR_IA32_TSC)
			return true;
	}
	return false;
}

/* With an offset of L0's own, what the hardware stores would not be L1's time. */
void msr_list_store_tsc(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint32_t primary01 = (uint32_t)vmcs_get(v->l0.vmcs01, PRIMARY_CONTROLS);
	bool wanted = !(primary01 & PRIMARY_USE_TSC_OFFSETTING) && stores_tsc(v, slot);

	if (wanted) {
		slot->tsc_at_exit = (struct vmx_msr_entry){.index = MSR_IA32_TSC};
		push02_by_name(v, slot, EXIT_MSR_STORE_ADDRESS,
			       slot->self.hpa.value + offsetof(struct shadow_slot, tsc_at_exit));
	}
	push02_by_name(v, slot, EXIT_MSR_STORE_COUNT, wanted);
}

bool msr_list_store_exit(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint64_t count = vmcs_get(&slot->v12, EXIT_MSR_STORE_COUNT);
	uint64_t area = vmcs_get(&slot->v12, EXIT_MSR_STORE_ADDRESS);

	for (uint64_t i = 0; i < count && i < list_limit(v); i++) {
		struct vmx_msr_entry *e = entry_at(v, area, i);

		if (!e || !store_one(v, slot, e))
			return false;
	}
	return count <= list_limit(v);
}

bool msr_list_load_exit(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint64_t count = vmcs_get(&slot->v12, EXIT_MSR_LOAD_COUNT);

	if (count > list_limit(v))
		return false;
	return !load_area(v, vmcs_get(&slot->v12, EXIT_MSR_LOAD_ADDRESS), count, NULL);
}
