/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reflection, in the order of SDM 3C "VM Exits": exit information, guest state, MSR-store area,
 * host state, MSR-load area. Fields that L1 reads without an exit are written to the shadow VMCS
 * where they differ from what it holds; rare guest state stays in VMCS02.
 */
#include "shadow/reflect.h"

#include "shadow/fields.h"
#include "shadow/host_state.h"
#include "shadow/merge.h"
#include "shadow/msr_list.h"
#include "shadow/route.h"
#include "shadow/vcpu.h"

static void read02(struct shadow_vcpu *v, struct shadow_slot *slot, unsigned index)
{
	slot->have02.field[index] = v->env->vmcs_read(v->env, vmcs_fields[index].encoding);
}

/* What L1 is to learn, one bit a field: what VMCS02 or the router has and v12 has not. Of all these
 * fields v12 holds what have02 holds since the last entry (guest state) or always (exit
 * information), so what have02 now learns is the difference. */
enum news {
#define LIST_L2_EXIT(field) NEWS_##field,
#define LIST_L2_DETAIL(field) NEWS_##field,
#include "shadow/lists.def"
	NEWS_EXIT_REASON,
	NEWS_ENTRY_INTERRUPTION_INFO,
};

static const uint8_t news_index[] = {
#define LIST_L2_EXIT(field) [NEWS_##field] = VMCS_INDEX_##field,
#define LIST_L2_DETAIL(field) [NEWS_##field] = VMCS_INDEX_##field,
#include "shadow/lists.def"
    [NEWS_EXIT_REASON] = VMCS_INDEX_EXIT_REASON,
    [NEWS_ENTRY_INTERRUPTION_INFO] = VMCS_INDEX_ENTRY_INTERRUPTION_INFO,
};

static uint64_t learn(struct shadow_slot *slot, enum news news, uint64_t value)
{
	uint64_t *have = &slot->have02.field[news_index[news]];

	if (*have == value)
		return 0;
	*have = value;
	return BIT64(news);
}

static uint64_t learn02(struct shadow_vcpu *v, struct shadow_slot *slot, enum news news)
{
	uint32_t encoding = vmcs_fields[news_index[news]].encoding;

	return learn(slot, news, v->env->vmcs_read(v->env, encoding));
}

/* Fields that only some exits define. SDM 3C "Recording VM-Exit Information and Updating VM-Entry
 * Control Fields". */
static __attribute__((noinline)) uint64_t read_details(struct shadow_vcpu *v,
						       struct shadow_slot *slot, unsigned info)
{
	const uint64_t coded = INTR_INFO_VALID | INTR_INFO_ERROR_CODE;
	uint64_t news = 0;

	if ((vmcs_get(&slot->have02, EXIT_INTERRUPTION_INFO) & coded) == coded)
		news |= learn02(v, slot, NEWS_EXIT_INTERRUPTION_ERROR_CODE);
	if ((vmcs_get(&slot->have02, IDT_VECTORING_INFO) & coded) == coded)
		news |= learn02(v, slot, NEWS_IDT_VECTORING_ERROR_CODE);
	if (info & ROUTE_INFO_I)
		news |= learn02(v, slot, NEWS_EXIT_INSTRUCTION_INFO);
	if (info & ROUTE_INFO_L)
		news |= learn02(v, slot, NEWS_GUEST_LINEAR_ADDRESS);
	if ((info & ROUTE_INFO_G) && field_exists(v->l0.hw, VMCS_INDEX_GUEST_PHYSICAL_ADDRESS))
		news |= learn02(v, slot, NEWS_GUEST_PHYSICAL_ADDRESS);
	return news;
}

static __attribute__((noinline)) uint64_t learn_given(struct shadow_slot *slot,
						      const struct reflect_as *as)
{
	uint64_t news = 0;

	if (as->given & GIVEN_QUALIFICATION)
		news |= learn(slot, NEWS_EXIT_QUALIFICATION, as->qualification);
	if (as->given & GIVEN_INTERRUPTION)
		news |= learn(slot, NEWS_EXIT_INTERRUPTION_INFO, as->interruption);
	if (as->given & GIVEN_NO_VECTORING)
		news |= learn(slot, NEWS_IDT_VECTORING_INFO, 0);
	return news;
}

static uint64_t read_news(struct shadow_vcpu *v, struct shadow_slot *slot,
			  const struct reflect_as *as)
{
	uint64_t news =
	    v->env->vmcs_read_list(v->env, SHADOW_LIST_L2_EXIT, slot->have02.field);
	uint64_t events;
	unsigned info;

	news |= learn(slot, NEWS_EXIT_REASON, as->reason);
	if (as->given)
		news |= learn_given(slot, as);
	/* "... and Updating VM-Entry Control Fields": the exit clears the event's valid bit. */
	if (vmcs_get(&slot->v12, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID)
		news |= learn(slot, NEWS_ENTRY_INTERRUPTION_INFO,
			      vmcs_get(&slot->v12, ENTRY_INTERRUPTION_INFO) &
				  ~(uint64_t)INTR_INFO_VALID) |
			BIT64(NEWS_ENTRY_INTERRUPTION_INFO);
	info = route_exit_info(as->reason & EXIT_REASON_BASIC);
	events = vmcs_get(&slot->have02, EXIT_INTERRUPTION_INFO) |
		 vmcs_get(&slot->have02, IDT_VECTORING_INFO);
	if (info || (events & INTR_INFO_VALID))
		news |= read_details(v, slot, info);
	if ((as->given & GIVEN_INTERRUPTION) && as->interruption & INTR_INFO_ERROR_CODE)
		news |= learn(slot, NEWS_EXIT_INTERRUPTION_ERROR_CODE, as->error_code);
	return news;
}

/* CR0, CR4 and IA-32e mode decide about PAE; of the 02's CRs v12 learns in a moment. */
static void read_pdptes(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	if (!(vmcs_get(&slot->have02, GUEST_CR4) & CR4_PAE) || !slot_has_ept12(slot) ||
	    !(vmcs_get(&slot->have02, GUEST_CR0) & CR0_PG) ||
	    (slot_entry_controls(slot) & ENTRY_IA32E_MODE_GUEST))
		return;
	for (unsigned i = VMCS_INDEX_GUEST_PDPTE0; i <= VMCS_INDEX_GUEST_PDPTE3; i++) {
		read02(v, slot, i);
		slot->v12.field[i] = slot->have02.field[i];
	}
}

/* "IA-32e mode guest" follows L2's mode where the guest can switch it (unrestricted guest). */
static void save_long_mode(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	uint32_t entry = slot_entry_controls(slot);
	bool now;

	read02(v, slot, VMCS_INDEX_ENTRY_CONTROLS);
	now = vmcs_get(&slot->have02, ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST;
	if (now == !!(entry & ENTRY_IA32E_MODE_GUEST))
		return;
	vmcs_set(&slot->v12, ENTRY_CONTROLS, entry ^ ENTRY_IA32E_MODE_GUEST);
	slot->dirty |= DIRTY_CONTROLS | DIRTY_CHECKS;
}

/* Guest state that exists only under some control of L1's. */
static void read_extras(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	if (slot->extras & EXTRA_APICV) {
		read02(v, slot, VMCS_INDEX_GUEST_INTERRUPT_STATUS);
		vmcs_set(&slot->v12, GUEST_INTERRUPT_STATUS,
			 vmcs_get(&slot->have02, GUEST_INTERRUPT_STATUS));
	}
	if ((slot->extras & EXTRA_TIMER) &&
	    (slot_exit_controls(slot) & EXIT_SAVE_PREEMPTION_TIMER))
		vmcs_set(&slot->v12, PREEMPTION_TIMER_VALUE,
			 v->env->vmcs_read(v->env, VMCS_PREEMPTION_TIMER_VALUE));
	if (slot->extras & EXTRA_LONG_MODE)
		save_long_mode(v, slot);
	if (slot->extras & (EXTRA_PAE | EXTRA_LONG_MODE))
		read_pdptes(v, slot);
}

/* v12 takes the news from have02, and the shadow VMCS, if there is one, takes them from v12 and is
 * current afterwards. */
static void give(struct shadow_vcpu *v, struct shadow_slot *slot, uint64_t news)
{
	bool shadow = slot_has_shadow(slot);

	if (shadow)
		v->env->vmptrld(v->env, &slot->shadow.hpa);
	for (; news; news &= news - 1) {
		unsigned index = news_index[__builtin_ctzll(news)];
		uint64_t value = slot->have02.field[index];

		slot->v12.field[index] = value;
		if (shadow)
			v->env->vmcs_write(v->env, vmcs_fields[index].encoding, value);
	}
}

/* Rare guest state stays in VMCS02, unless L1 has shown that it will ask. */
static void leave_rare(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	bool shown = slot->rare_in_shadow;

	slot->rare_in_02 = true;
	slot->rare_in_shadow = false;
	if (slot_has_shadow(slot) && slot->rare_credit) {
		slot->rare_credit--;
		slot_read_rare(v, slot);
	} else if (shown) {
		vcpu_show_rare(v, slot);
	}
}

static struct l2_leftover read_leftover(struct shadow_vcpu *v, struct shadow_slot *slot,
					const struct reflect_as *as)
{
	uint32_t info = (uint32_t)vmcs_get(&slot->have02, EXIT_INTERRUPTION_INFO);
	struct l2_leftover l2 = {0};

	if (slot->extras & (EXTRA_UNSTEADY | EXTRA_INHERIT)) {
		registers_read(v, SHADOW_LIST_REGISTERS, slot->have02.field);
		l2.efer = vmcs_get(&slot->have02, GUEST_IA32_EFER);
		l2.pat = vmcs_get(&slot->have02, GUEST_IA32_PAT);
		l2.bndcfgs = vmcs_get(&slot->have02, GUEST_IA32_BNDCFGS);
	}
	/* SDM 3C "Updating Non-Register State": an NMI exit leaves NMIs blocked, others leave them
	 * as they were in L2: not blocked with virtual NMIs, else by the interruptibility state. */
	if ((as->reason & EXIT_REASON_BASIC) == EXIT_REASON_EXCEPTION_OR_NMI &&
	    (info & INTR_INFO_TYPE) == INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT)
		l2.nmi_blocked = true;
	else if (!(slot_pin(slot) & PIN_VIRTUAL_NMIS))
		l2.nmi_blocked =
		    vmcs_get(&slot->have02, GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI;
	return l2;
}

/* What of L1's MSRs its controls name, but for those of the host state. */
static void load_msrs(struct shadow_vcpu *v, struct shadow_slot *slot)
{
	if (slot->extras & EXTRA_TRACE)
		v->env->vmcs_write(v->env, VMCS_GUEST_IA32_RTIT_CTL, 0);
	if ((slot->extras & EXTRA_MSR_LISTS) && !msr_list_load_exit(v, slot))
		v->dead = "VMX abort: an entry of L1's VM-exit MSR-load area is invalid";
}

/* From L2 to L1: VMCS01 becomes current with L1's host state in it. */
static inline void return_to_l1(struct shadow_vcpu *v, struct shadow_slot *slot,
			 const struct l2_leftover *l2)
{
	v->env->vmptrld(v->env, &v->l0.vmcs01_hpa);
	v->in_l2 = false;
	v->linked = NULL;
	v->launched = v->l0.vmcs01_launched;
	if (!host_state_load(v, slot, l2))
		return;
	if (slot->extras & EXTRA_FLUSH)
		vpid02_flush_l1(v);
	if (slot->extras & (EXTRA_MSR_LISTS | EXTRA_TRACE))
		load_msrs(v, slot);
}

void reflect_exit(struct shadow_vcpu *v, const struct reflect_as *as)
{
	struct shadow_slot *slot = v->current;
	uint64_t news = read_news(v, slot, as);
	struct l2_leftover l2 = read_leftover(v, slot, as);
	bool show;

	if (slot->extras & (EXTRA_APICV | EXTRA_TIMER | EXTRA_PAE | EXTRA_LONG_MODE))
		read_extras(v, slot);
	leave_rare(v, slot);
	if ((slot->extras & EXTRA_MSR_LISTS) && !msr_list_store_exit(v, slot))
		v->dead = "VMX abort: an entry of L1's VM-exit MSR-store area is invalid";
	show = slot_has_shadow(slot) && !slot->rare_in_02;
	if (news || show)
		give(v, slot, news);
	if (show)
		slot_show_rare(v, slot);
	return_to_l1(v, slot, &l2);
}

/* SDM 3C "VM-Entry Failures During or After Loading Guest State": reason and qualification are
 * recorded, no guest state is saved, the launch state stays as it was. */
void reflect_failed_entry(struct shadow_vcpu *v, enum vmx_exit_reason reason,
			  uint64_t qualification)
{
	struct shadow_slot *slot = v->current;
	uint64_t news = learn(slot, NEWS_EXIT_REASON, reason | EXIT_REASON_ENTRY_FAILURE) |
			learn(slot, NEWS_EXIT_QUALIFICATION, qualification);
	struct l2_leftover l2 = {.efer = vmcs_get(&v->l1, GUEST_IA32_EFER),
				 .pat = vmcs_get(&v->l1, GUEST_IA32_PAT),
				 .bndcfgs = vmcs_get(&v->l1, GUEST_IA32_BNDCFGS),
				 .nmi_blocked = vmcs_get(&v->l1, GUEST_INTERRUPTIBILITY_STATE) &
						INTERRUPTIBILITY_NMI};

	if (v->in_l2) {
		/* The injection did not happen and must not linger in VMCS02. */
		v->env->vmcs_write(v->env, VMCS_ENTRY_INTERRUPTION_INFO, 0);
		if (v->launching)
			slot->v12.launch_state = VMCS_STATE_CLEAR;
	}
	give(v, slot, news);
	return_to_l1(v, slot, &l2);
}
