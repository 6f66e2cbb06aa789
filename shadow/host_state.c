/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Host state of VMCS12 into VMCS01's guest state, after SDM 3C "Loading Host State". Most of it is
 * what L1 has anyway, since an L1 rarely reloads its segments between two entries: VMCS01's fields
 * are read in one stroke (no exit, should L0 itself be nested with VMCS shadowing) and only
 * differences written. While L1 has changed none of them, and it is the same host state as last
 * time, there is no difference to look for. The other fields are written without a look. Pending
 * debug exceptions are neither: the exit of VMLAUNCH or VMRESUME has saved them as clear (SDM 3C
 * "Saving Non-Register State"), which they have to be.
 */
#include "shadow/host_state.h"

#include <string.h>

#include "shadow/fields.h"
#include "shadow/sdm/msr.h"
#include "shadow/vcpu.h"

#define CODE64_RIGHTS                                                                              \
	(AR_TYPE_CODE | AR_TYPE_READABLE | AR_TYPE_ACCESSED | AR_S | AR_P | AR_L | AR_G)
#define CODE32_RIGHTS                                                                              \
	(AR_TYPE_CODE | AR_TYPE_READABLE | AR_TYPE_ACCESSED | AR_S | AR_P | AR_DB | AR_G)
#define DATA_RIGHTS (AR_TYPE_WRITABLE | AR_TYPE_ACCESSED | AR_S | AR_P | AR_DB | AR_G)
#define TSS_RIGHTS (DESC_TSS_BUSY | AR_P)

/* SDM 3C "Loading Host Control Registers, Debug Registers, MSRs": the other CR0 bits are not
 * modified. */
#define CR0_LOADED (CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_TS | CR0_EM | CR0_MP | CR0_PE)

static bool host_is_64bit(const struct shadow_slot *slot)
{
	return slot_exit_controls(slot) & EXIT_HOST_ADDRESS_SPACE_SIZE;
}

static uint64_t data_rights(uint64_t selector)
{
	return selector ? DATA_RIGHTS : AR_UNUSABLE;
}

#define SEGMENT_PARTS(s, seg, base_)                                                               \
	s[L1_STATE_GUEST_##seg##_LIMIT] = UINT32_MAX;                                              \
	s[L1_STATE_GUEST_##seg##_BASE] = (base_);

static void build_data_segments(struct shadow_slot *slot, uint64_t *s)
{
	const struct vmcs *v12 = &slot->v12;

#define SEGMENT(seg, base_)                                                                        \
	s[L1_STATE_GUEST_##seg##_SELECTOR] = vmcs_get(v12, HOST_##seg##_SELECTOR);                 \
	s[L1_STATE_GUEST_##seg##_ACCESS_RIGHTS] =                                                  \
	    data_rights(vmcs_get(v12, HOST_##seg##_SELECTOR));                                     \
	SEGMENT_PARTS(s, seg, base_)
	SEGMENT(ES, 0)
	SEGMENT(DS, 0)
	SEGMENT(FS, vmcs_get(v12, HOST_FS_BASE))
	SEGMENT(GS, vmcs_get(v12, HOST_GS_BASE))
#undef SEGMENT
}

static void build_code_and_stack(struct shadow_slot *slot, uint64_t *s, uint64_t *load)
{
	const struct vmcs *v12 = &slot->v12;

	s[L1_STATE_GUEST_CS_SELECTOR] = vmcs_get(v12, HOST_CS_SELECTOR);
	load[L1_LOAD_GUEST_CS_ACCESS_RIGHTS] = host_is_64bit(slot) ? CODE64_RIGHTS : CODE32_RIGHTS;
	s[L1_STATE_GUEST_SS_SELECTOR] = vmcs_get(v12, HOST_SS_SELECTOR);
	load[L1_LOAD_GUEST_SS_ACCESS_RIGHTS] = data_rights(vmcs_get(v12, HOST_SS_SELECTOR));
	SEGMENT_PARTS(s, CS, 0)
	SEGMENT_PARTS(s, SS, 0)
}

/* SDM 3C "Loading Host Segment and Descriptor-Table Registers". */
static void build_system_segments(struct shadow_slot *slot, uint64_t *s)
{
	const struct vmcs *v12 = &slot->v12;

	s[L1_STATE_GUEST_LDTR_SELECTOR] = 0;
	s[L1_STATE_GUEST_LDTR_ACCESS_RIGHTS] = AR_UNUSABLE;
	s[L1_STATE_GUEST_TR_SELECTOR] = vmcs_get(v12, HOST_TR_SELECTOR);
	s[L1_STATE_GUEST_TR_BASE] = vmcs_get(v12, HOST_TR_BASE);
	s[L1_STATE_GUEST_TR_LIMIT] = 0x67;
	s[L1_STATE_GUEST_TR_ACCESS_RIGHTS] = TSS_RIGHTS;
	s[L1_STATE_GUEST_GDTR_BASE] = vmcs_get(v12, HOST_GDTR_BASE);
	s[L1_STATE_GUEST_GDTR_LIMIT] = 0xffff;
	s[L1_STATE_GUEST_IDTR_BASE] = vmcs_get(v12, HOST_IDTR_BASE);
	s[L1_STATE_GUEST_IDTR_LIMIT] = 0xffff;
}

static void build_registers(struct shadow_slot *slot, uint64_t *s, uint64_t *load)
{
	const struct vmcs *v12 = &slot->v12;
	uint64_t cr4 = vmcs_get(v12, HOST_CR4);

	s[L1_STATE_GUEST_CR0] = vmcs_get(v12, HOST_CR0) & CR0_LOADED;
	load[L1_LOAD_GUEST_CR3] = vmcs_get(v12, HOST_CR3);
	load[L1_LOAD_GUEST_CR4] = host_is_64bit(slot) ? cr4 | CR4_PAE : cr4 & ~CR4_PCIDE;
	load[L1_LOAD_GUEST_RSP] = vmcs_get(v12, HOST_RSP);
	load[L1_LOAD_GUEST_RIP] = vmcs_get(v12, HOST_RIP);
	load[L1_LOAD_GUEST_RFLAGS] = RFLAGS_FIXED1;
	s[L1_STATE_GUEST_DR7] = DR7_FIXED1;
	s[L1_STATE_GUEST_IA32_DEBUGCTL] = 0;
	s[L1_STATE_GUEST_IA32_SYSENTER_CS] = vmcs_get(v12, HOST_IA32_SYSENTER_CS);
	s[L1_STATE_GUEST_IA32_SYSENTER_ESP] = vmcs_get(v12, HOST_IA32_SYSENTER_ESP);
	s[L1_STATE_GUEST_IA32_SYSENTER_EIP] = vmcs_get(v12, HOST_IA32_SYSENTER_EIP);
}

/* Slots with the same host state (a hypervisor has one for all its guests) have the same number. */
static uint64_t find_id(struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	for (const struct shadow_slot *other = v->slots; other; other = other->next)
		if (other != slot && other->host_id &&
		    !memcmp(other->host01, slot->host01, sizeof(slot->host01)))
			return other->host_id;
	return ++v->host_ids;
}

static void build(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	build_data_segments(slot, slot->host01);
	build_code_and_stack(slot, slot->host01, slot->load01);
	build_system_segments(slot, slot->host01);
	build_registers(slot, slot->host01, slot->load01);
	slot->dirty &= ~(uint32_t)DIRTY_HOST;
	slot->host_id = find_id(v, slot);
}

/* Parts of a segment that is unusable before and after don't matter, but for the FS and GS bases.
 * SS's rights are not read, so SS never counts as that; CS never is. */
static bool is_idle_segment(const struct shadow_vcpu *v, const struct shadow_slot *slot,
			    unsigned index)
{
	static const uint8_t rights_in_host01[SEG_COUNT] = {
	    [SEG_ES] = L1_STATE_GUEST_ES_ACCESS_RIGHTS,
	    [SEG_DS] = L1_STATE_GUEST_DS_ACCESS_RIGHTS,
	    [SEG_FS] = L1_STATE_GUEST_FS_ACCESS_RIGHTS,
	    [SEG_GS] = L1_STATE_GUEST_GS_ACCESS_RIGHTS,
	    [SEG_LDTR] = L1_STATE_GUEST_LDTR_ACCESS_RIGHTS,
	    [SEG_TR] = L1_STATE_GUEST_TR_ACCESS_RIGHTS,
	};
	unsigned seg;

	if (index >= VMCS_INDEX_GUEST_ES_LIMIT && index <= VMCS_INDEX_GUEST_TR_LIMIT)
		seg = index - VMCS_INDEX_GUEST_ES_LIMIT;
	else if (index >= VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS &&
		 index <= VMCS_INDEX_GUEST_TR_ACCESS_RIGHTS)
		seg = index - VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS;
	else if (index >= VMCS_INDEX_GUEST_ES_BASE && index <= VMCS_INDEX_GUEST_DS_BASE)
		seg = index - VMCS_INDEX_GUEST_ES_BASE;
	else
		return false;
	if (seg == SEG_CS || seg == SEG_SS)
		return false;
	return vmcs_get_seg(&v->state01, ACCESS_RIGHTS, seg) &
	       slot->host01[rights_in_host01[seg]] & AR_UNUSABLE;
}

/* What of the host state VMCS01 does not hold. */
static void load_differences(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	static const uint8_t indices[L1_STATE_COUNT] = {
#define LIST_L1_STATE(field) VMCS_INDEX_##field,
#include "shadow/lists.def"
	};

	for (unsigned i = 0; i < L1_STATE_COUNT; i++) {
		unsigned index = indices[i];
		uint64_t want = slot->host01[i];

		if (index == VMCS_INDEX_GUEST_CR0)
			want |= v->state01.field[index] & ~CR0_LOADED;
		if (v->state01.field[index] == want || is_idle_segment(v, slot, index))
			continue;
		v->state01.field[index] = want;
		v->env->vmcs_write(v->env, vmcs_fields[index].encoding, want);
	}
	v->loaded01 = slot->host_id;
}

/* Interruptibility depends on more than VMCS12. */
static void load_fields(struct shadow_vcpu *v, struct shadow_slot *slot,
			const struct l2_leftover *l2)
{
	struct shadow_env *env = v->env;
	uint64_t *load = slot->load01;

	if (env->vmcs_read_list(env, SHADOW_LIST_L1_STATE, v->state01.field) ||
	    v->loaded01 != slot->host_id)
		load_differences(v, slot);
	load[L1_LOAD_GUEST_INTERRUPTIBILITY_STATE] = l2->nmi_blocked ? INTERRUPTIBILITY_NMI : 0;
	env->vmcs_write_list(env, SHADOW_LIST_L1_LOAD, load);
}

static uint64_t host_efer(const struct shadow_slot *slot, const struct l2_leftover *l2)
{
	const uint64_t long_bits = EFER_LMA | EFER_LME;

	if (slot_exit_controls(slot) & EXIT_LOAD_EFER)
		return vmcs_get(&slot->v12, HOST_IA32_EFER);
	return host_is_64bit(slot) ? l2->efer | long_bits : l2->efer & ~long_bits;
}

/* MSRs that no field of VMCS01 carries: they are L1's while L0 runs. */
static void load_own_msrs(struct shadow_vcpu *v, const struct shadow_slot *slot, uint32_t exit)
{
	if (exit & EXIT_LOAD_PERF_GLOBAL_CTRL)
		(void)v->env->wrmsr(v->env, MSR_IA32_PERF_GLOBAL_CTRL,
				    vmcs_get(&slot->v12, HOST_IA32_PERF_GLOBAL_CTRL));
	if (exit & EXIT_LOAD_PKRS)
		(void)v->env->wrmsr(v->env, MSR_IA32_PKRS,
				    vmcs_get(&slot->v12, HOST_IA32_PKRS));
}

/* CET state is L1's while L0 runs, too; but the SSP can be loaded by a VM entry only. VMCS01's
 * entries do that from then on (its exits save what they load) until L1 is to inherit L2's. */
static void load_cet(struct shadow_vcpu *v, const struct shadow_slot *slot, bool load)
{
	struct shadow_env *env = v->env;
	uint64_t controls = env->vmcs_read(env, VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_LOAD_CET;

	if (load) {
		env->vmcs_write(env, VMCS_GUEST_IA32_S_CET,
				vmcs_get(&slot->v12, HOST_IA32_S_CET));
		env->vmcs_write(env, VMCS_GUEST_SSP, vmcs_get(&slot->v12, HOST_SSP));
		env->vmcs_write(env, VMCS_GUEST_INTERRUPT_SSP_TABLE_ADDR,
				vmcs_get(&slot->v12, HOST_INTERRUPT_SSP_TABLE_ADDR));
		controls |= ENTRY_LOAD_CET;
	}
	env->vmcs_write(env, VMCS_ENTRY_CONTROLS, controls);
	v->loads01 = (uint8_t)((v->loads01 & ~LOADS01_CET) | (load ? LOADS01_CET : 0));
}

/* IA32_BNDCFGS is in VMCS01 while L0 runs. */
static void load_bndcfgs(struct shadow_vcpu *v, uint32_t exit, const struct l2_leftover *l2)
{
	uint64_t value = exit & EXIT_CLEAR_BNDCFGS ? 0 : l2->bndcfgs;

	if (vmcs_get(&v->l1, GUEST_IA32_BNDCFGS) != value)
		v->env->vmcs_write(v->env, VMCS_GUEST_IA32_BNDCFGS, value);
}

static __attribute__((noinline)) void load_seldom(struct shadow_vcpu *v,
						  const struct shadow_slot *slot, uint32_t exit,
						  const struct l2_leftover *l2)
{
	if ((exit & EXIT_LOAD_CET) || (v->loads01 & LOADS01_CET))
		load_cet(v, slot, exit & EXIT_LOAD_CET);
	if (v->loads01 & LOADS01_BNDCFGS)
		load_bndcfgs(v, exit, l2);
}

/* What VMCS01 holds has been read when L1 entered L2 (v->l1). */
static void load_msrs(struct shadow_vcpu *v, const struct shadow_slot *slot,
		      const struct l2_leftover *l2)
{
	uint32_t exit = slot_exit_controls(slot);
	uint64_t efer = host_efer(slot, l2);
	uint64_t pat = (exit & EXIT_LOAD_PAT) ? vmcs_get(&slot->v12, HOST_IA32_PAT) : l2->pat;

	if (vmcs_get(&v->l1, GUEST_IA32_EFER) != efer &&
	    vmx_features_have(v->l0.hw->features, VMX_FEATURE_EFER))
		v->env->vmcs_write(v->env, VMCS_GUEST_IA32_EFER, efer);
	if (vmcs_get(&v->l1, GUEST_IA32_PAT) != pat &&
	    vmx_features_have(v->l0.hw->features, VMX_FEATURE_PAT))
		v->env->vmcs_write(v->env, VMCS_GUEST_IA32_PAT, pat);
	if (exit & (EXIT_LOAD_PERF_GLOBAL_CTRL | EXIT_LOAD_PKRS))
		load_own_msrs(v, slot, exit);
	if ((exit & EXIT_LOAD_CET) || v->loads01)
		load_seldom(v, slot, exit, l2);
}

/* SDM 3C "Checking and Loading Host Page-Directory-Pointer-Table Entries". */
static bool load_pdptes(struct shadow_vcpu *v, const struct shadow_slot *slot)
{
	uint64_t table = vmcs_get(&slot->v12, HOST_CR3) & UINT64_C(0xffffffe0);
	uint64_t reserved = PDPTE_RESERVED | ~(BIT64(v->caps.maxphyaddr) - 1);
	const uint64_t *entries;

	if (host_is_64bit(slot) || !(vmcs_get(&slot->v12, HOST_CR4) & CR4_PAE))
		return true;
	entries = v->env->pointer(v->env, (struct l1_gpa){table}, 32);
	for (unsigned i = 0; i < 4; i++) {
		if (!entries || ((entries[i] & PTE_P) && (entries[i] & reserved)))
			return false;
		if (field_exists(v->l0.hw, VMCS_INDEX_GUEST_PDPTE0))
			v->env->vmcs_write(v->env, VMCS_GUEST_PDPTE0 + 2 * i, entries[i]);
	}
	return true;
}

bool host_state_load(struct shadow_vcpu *v, struct shadow_slot *slot, const struct l2_leftover *l2)
{
	if (slot->dirty & DIRTY_HOST)
		build(v, slot);
	load_fields(v, slot, l2);
	load_msrs(v, slot, l2);
	if (load_pdptes(v, slot))
		return true;
	v->dead = "VMX abort: the host PDPTEs of L1's VMCS are invalid";
	return false;
}
