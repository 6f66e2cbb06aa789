/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Meta-tests of shadow/'s tables: the lists against the field table, the rules of VMCS02, what is
 * offered.
 */
#include "shadow/fields.h"
#include "tests/shadow/fixture.h"

struct row {
	unsigned index;
	const char *name;
};
#define ROW(field) {VMCS_INDEX_##field, #field},
static const struct row l2_exit_rows[] = {
#define LIST_L2_EXIT ROW
#include "shadow/lists.def"
};
static const struct row l2_rare[] = {
#define LIST_L2_RARE ROW
#include "shadow/lists.def"
};
static const struct row l1_state[] = {
#define LIST_L1_STATE ROW
#include "shadow/lists.def"
};
static const struct row l1_writes[] = {
#define LIST_L1_WRITES ROW
#include "shadow/lists.def"
};
static const struct row l1_reads[] = {
#define LIST_L1_READS ROW
#include "shadow/lists.def"
};
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct vmcs_field_info *info(const struct row *row)
{
	return &vmcs_fields[row->index];
}

static bool is_in(const struct row *rows, size_t count, unsigned index)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].index == index)
			return true;
	return false;
}

static void transfer_lists(void **state)
{
	for (size_t i = 0; i < COUNT(l2_exit_rows); i++) {
		assert_int_equal(info(&l2_exit_rows[i])->exists, VMX_FEATURE_ALWAYS);
		/* Whatever a reflection fetches, L1 can read without an exit. */
		assert_true(field_is_carried(l2_exit_rows[i].index));
	}
	for (size_t i = 0; i < COUNT(l2_rare); i++) {
		assert_int_equal(info(&l2_rare[i])->exists, VMX_FEATURE_ALWAYS);
		assert_int_equal(info(&l2_rare[i])->rule, VMCS_RULE_GUEST_RARE);
		assert_true(field_is_shown(l2_rare[i].index));
	}
	for (size_t i = 0; i < COUNT(l1_state); i++) {
		assert_int_equal(info(&l1_state[i])->exists, VMX_FEATURE_ALWAYS);
		assert_int_equal(vmcs_field_type(info(&l1_state[i])->encoding), VMCS_TYPE_GUEST);
		/* A nested L0 reads the list without an exit, but for the first of a burst. */
		assert_int_equal(info(&l1_state[i])->shadowed, VMCS_SHADOWED);
	}
	for (size_t i = 0; i < COUNT(l1_writes); i++) {
		assert_int_equal(info(&l1_writes[i])->exists, VMX_FEATURE_ALWAYS);
		assert_int_equal(info(&l1_writes[i])->shadowed, VMCS_SHADOWED);
		assert_int_not_equal(vmcs_field_type(info(&l1_writes[i])->encoding),
				     VMCS_TYPE_READ_ONLY);
		assert_false(field_is_rare(l1_writes[i].index));
	}
	for (size_t i = 0; i < COUNT(l1_reads); i++) {
		assert_int_equal(info(&l1_reads[i])->rule, VMCS_RULE_EXIT);
		assert_int_equal(info(&l1_reads[i])->shadowed, VMCS_SHADOWED);
	}
}

/* Every field of rule GUEST or GUEST_RARE is carried by a list, or by code for its feature. */
static void guest_fields_are_carried(void **state)
{
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		const struct vmcs_field_info *f = &vmcs_fields[i];

		if (f->exists != VMX_FEATURE_ALWAYS)
			continue;
		if (f->rule == VMCS_RULE_GUEST)
			assert_true(is_in(l1_writes, COUNT(l1_writes), i));
		if (f->rule == VMCS_RULE_GUEST_RARE)
			assert_true(is_in(l2_rare, COUNT(l2_rare), i));
	}
}

static void bitmap_words(void **state)
{
	bool listed[PAGE_SIZE / 8] = {false};
	unsigned words = 0;

	for (unsigned i = 0; i < FIELD_WORDS; i++) {
		assert_false(listed[field_words[i]]);
		listed[field_words[i]] = true;
	}
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		if (field_is_carried(i) || field_is_shown(i)) {
			assert_true(listed[vmcs_fields[i].encoding / 64]);
			words |= 1;
		}
	assert_int_equal(words, 1);
}

static vmx_features offer(vmx_features hw_features, struct vmx_caps *l1)
{
	struct vmx_caps hw = {.features = hw_features, .cr4_valid = 0x7ff, .maxphyaddr = 39};

	vmx_caps_from_features(&hw);
	shadow_caps_offer(&hw, l1);
	return l1->features;
}

#define F(name) VMX_FEATURE_BIT(VMX_FEATURE_##name)

static void offers(void **state)
{
	struct vmx_caps l1, hw;
	vmx_features all = fake_all_features();

	/* All that the machine has, but for what shadow/ does not carry. */
	assert_int_equal(offer(all, &l1), all);
	/* Intel PT only where EPT keeps it out of L0's memory. */
	assert_int_equal(offer(all & ~F(PT_GPA), &l1),
			 all & ~(F(PT_GPA) | F(RTIT_CTL) | F(CONCEAL_PT) | F(PT_IN_VMX)));
	/* By software alone. */
	assert_true(offer(all & ~F(VMCS_SHADOWING), &l1) & F(VMCS_SHADOWING));
	assert_true(offer(all & ~F(VMWRITE_ANY_FIELD), &l1) & F(VMWRITE_ANY_FIELD));
	assert_true(offer(all & ~F(PML), &l1) & F(PML));
	assert_true(offer(all & ~F(EPT_VE), &l1) & F(EPT_VE));
	/* EPT02's four levels reach everything only on a machine this narrow. */
	hw = (struct vmx_caps){.features = all, .maxphyaddr = 48};
	shadow_caps_offer(&hw, &l1);
	assert_true(l1.features & F(EPT_WALK_5));
	hw.maxphyaddr = 49;
	shadow_caps_offer(&hw, &l1);
	assert_false(l1.features & F(EPT_WALK_5));
	/* KVM has no CR3 targets for its guests, and VMCS02 none but the machine's. */
	offer(all & ~F(CR3_TARGETS), &l1);
	assert_int_equal(vmx_cap(&l1, MISC) & VMX_MISC_CR3_TARGETS, 0);
	/* Only with the machine's help. */
	assert_false(offer(all & ~F(SAVE_PREEMPTION_TIMER), &l1) & F(PREEMPTION_TIMER));
	assert_false(offer(all & ~F(EPT_AD), &l1) & F(PML));
	assert_false(offer(all & ~F(INVVPID), &l1) & F(VPID));
	for (unsigned i = 0; i < VMX_FEATURE_COUNT; i++) {
		vmx_features software =
		    F(VMCS_SHADOWING) | F(VMWRITE_ANY_FIELD) | F(PML) | F(EPT_VE) | F(INVEPT);

		if (!(software >> i & 1))
			assert_false(offer(all & ~VMX_FEATURE_BIT(i), &l1) >> i & 1);
	}
}

/* Nothing is offered without what it depends on. */
static void offers_are_consistent(void **state)
{
	static const uint8_t needs[] = {
#define VMX_FEATURE(name, text, needs_) VMX_FEATURE_##needs_,
#include "shadow/sdm/features.def"
#undef VMX_FEATURE
	};
	struct vmx_caps l1;

	for (unsigned without = 0; without < VMX_FEATURE_COUNT; without++) {
		vmx_features hw = fake_all_features() & ~VMX_FEATURE_BIT(without), offered;

		for (unsigned pass = 0; pass < 4; pass++)
			for (unsigned i = 0; i < VMX_FEATURE_COUNT; i++)
				if (!vmx_features_have(hw, needs[i]))
					hw &= ~VMX_FEATURE_BIT(i);
		offered = offer(hw, &l1);
		for (unsigned i = 0; i < VMX_FEATURE_COUNT; i++)
			if (offered >> i & 1)
				assert_true(vmx_features_have(offered, needs[i]));
	}
}

static void capability_msrs(void **state)
{
	struct fixture *f = *state;
	uint64_t value;

	for (uint32_t msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_VMFUNC; msr++) {
		assert_true(shadow_rdmsr(&f->v, msr, &value));
		assert_int_equal(value, f->v.caps.msr[msr - MSR_IA32_VMX_BASIC]);
		assert_false(shadow_wrmsr(&f->v, msr, value));
	}
	assert_false(shadow_rdmsr(&f->v, MSR_IA32_VMX_VMFUNC + 1, &value));
	assert_true(shadow_rdmsr(&f->v, MSR_IA32_FEATURE_CONTROL, &value));
	assert_int_equal(value, 0);
	assert_false(shadow_wrmsr(&f->v, MSR_IA32_FEATURE_CONTROL, 2)); /* SMX is not offered */
	assert_true(shadow_wrmsr(&f->v, MSR_IA32_FEATURE_CONTROL, 5));
	assert_false(shadow_wrmsr(&f->v, MSR_IA32_FEATURE_CONTROL, 5)); /* locked */
	assert_true(shadow_cr4_allowed(&f->v, 0));
	f->v.vmx_on = true;
	assert_false(shadow_cr4_allowed(&f->v, CR4_PAE));
	assert_true(shadow_cr4_allowed(&f->v, CR4_PAE | CR4_VMXE));
	assert_false(shadow_cr0_allowed(&f->v, CR0_PE | CR0_PG));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(transfer_lists),
	    cmocka_unit_test(guest_fields_are_carried),
	    cmocka_unit_test(bitmap_words),
	    cmocka_unit_test(offers),
	    cmocka_unit_test(offers_are_consistent),
	    cmocka_unit_test_setup_teardown(capability_msrs, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
