/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every VM-entry check row: a violating state fails by that row's name, its neighbour passes all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shadow/checks/checks.h"
#include "shadow/sdm/msr.h"

#define REVISION_AT UINT64_C(0x9000)

/* Physical memory of the tests: a VMCS header at REVISION_AT, a virtual-APIC page at 0x5000 whose
 * VTPR is what `opaque` points at (0 if NULL). */
static bool read_phys32(void *opaque, uint64_t address, uint32_t *value)
{
	if (address == REVISION_AT)
		*value = VMCS_REVISION;
	else if (address == 0x5080)
		*value = opaque ? *(const uint32_t *)opaque : 0;
	else
		return false;
	return true;
}

static bool read_good_pdpte(void *opaque, uint64_t address, uint64_t *value)
{
	*value = 0x3001;
	return true;
}

static bool read_bad_pdpte(void *opaque, uint64_t address, uint64_t *value)
{
	*value = 0x3003;
	return true;
}

static uint32_t vtpr_0x50 = 0x50;

#define SET(name, value) vmcs_set(vmcs, name, value)
#define CLEAR(name, bits) ((void)(vmcs_get(vmcs, name) &= ~widen(bits)))
#define SECONDARY_ON(bits)                                                                         \
	((void)(vmcs_get(vmcs, PRIMARY_CONTROLS) |= (uint32_t)PRIMARY_ACTIVATE_SECONDARY),         \
	 (void)(vmcs_get(vmcs, SECONDARY_CONTROLS) |= (uint32_t)(bits)))
#define OR(name, bits) ((void)(vmcs_get(vmcs, name) |= widen(bits)))
/* An enumerator with bit 31 is negative: widen without its sign. */
#define widen(bits) ((uint64_t)_Generic((bits), int: (uint32_t)(bits), default: (bits)))

static void flat_segment(struct vmcs *vmcs, enum x86_seg seg, uint16_t selector, uint32_t ar)
{
	vmcs_set_seg(vmcs, SELECTOR, seg, selector);
	vmcs_set_seg(vmcs, LIMIT, seg, UINT32_MAX);
	vmcs_set_seg(vmcs, ACCESS_RIGHTS, seg, ar);
}

static void long_guest(struct vmcs *vmcs, struct vmx_check_env *env)
{
	SET(PIN_BASED_CONTROLS, PIN_DEFAULT1);
	SET(PRIMARY_CONTROLS, PRIMARY_DEFAULT1_TRUE);
	SET(EXIT_CONTROLS, EXIT_DEFAULT1_TRUE | EXIT_HOST_ADDRESS_SPACE_SIZE);
	SET(ENTRY_CONTROLS, ENTRY_DEFAULT1_TRUE | ENTRY_IA32E_MODE_GUEST);
	SET(HOST_CR0, CR0_PE | CR0_NE | CR0_PG);
	SET(HOST_CR4, CR4_VMXE | CR4_PAE);
	SET(HOST_IA32_EFER, EFER_LMA | EFER_LME);
	SET(HOST_CS_SELECTOR, 8);
	SET(HOST_TR_SELECTOR, 0x10);
	SET(GUEST_CR0, CR0_PE | CR0_NE | CR0_PG);
	SET(GUEST_CR4, CR4_VMXE | CR4_PAE);
	SET(GUEST_IA32_EFER, EFER_LMA | EFER_LME);
	SET(GUEST_RFLAGS, RFLAGS_FIXED1);
	SET(VMCS_LINK_POINTER, UINT64_MAX);
	for (enum x86_seg seg = SEG_ES; seg <= SEG_GS; seg++)
		flat_segment(vmcs, seg, 0x18, 0xc093);
	flat_segment(vmcs, SEG_CS, 0x10, 0xa09b);
	SET(GUEST_TR_SELECTOR, 0x20);
	SET(GUEST_TR_LIMIT, 0x67);
	SET(GUEST_TR_ACCESS_RIGHTS, 0x8b);
	SET(GUEST_LDTR_ACCESS_RIGHTS, AR_UNUSABLE);
	env->cr0 = CR0_PE | CR0_NE | CR0_PG;
	env->cr4 = CR4_VMXE | CR4_PAE;
	env->efer = EFER_LMA | EFER_LME;
}

static void legacy_guest(struct vmcs *vmcs, struct vmx_check_env *env)
{
	long_guest(vmcs, env);
	SET(ENTRY_CONTROLS, ENTRY_DEFAULT1_TRUE);
	SET(GUEST_CR4, CR4_VMXE);
	SET(GUEST_CS_ACCESS_RIGHTS, 0xc09b);
}

static void vm86_guest(struct vmcs *vmcs, struct vmx_check_env *env)
{
	legacy_guest(vmcs, env);
	SET(GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_VM);
	for (enum x86_seg seg = SEG_ES; seg <= SEG_GS; seg++) {
		vmcs_set_seg(vmcs, SELECTOR, seg, 0x1000);
		vmcs_set_seg(vmcs, BASE, seg, 0x10000);
		vmcs_set_seg(vmcs, LIMIT, seg, 0xffff);
		vmcs_set_seg(vmcs, ACCESS_RIGHTS, seg, 0xf3);
	}
}

static void legacy_host(struct vmcs *vmcs, struct vmx_check_env *env)
{
	legacy_guest(vmcs, env);
	CLEAR(EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE);
	SET(HOST_SS_SELECTOR, 0x18);
	env->efer = 0;
}

struct state {
	struct vmcs vmcs;
	struct vmx_caps caps;
	struct vmx_check_env env;
};

static void start(struct state *state, void (*base)(struct vmcs *, struct vmx_check_env *))
{
	memset(state, 0, sizeof(*state));
	state->caps = (struct vmx_caps){
		.features = ~UINT64_C(0),
		.cr4_valid = CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_VMXE,
		.efer_valid = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
		.debugctl_valid = DEBUGCTL_LBR | DEBUGCTL_BTF | DEBUGCTL_RTM,
		.rtit_ctl_valid = 0x2005,
		.perf_global_ctrl_valid = 0xf | UINT64_C(7) << 32,
		.maxphyaddr = 46,
	};
	vmx_caps_from_features(&state->caps);
	state->env = (struct vmx_check_env){
		.vmcs = &state->vmcs,
		.caps = &state->caps,
		.current_vmcs = 0x1000,
		.read_phys32 = read_phys32,
		.read_guest64 = read_good_pdpte,
	};
	base(&state->vmcs, &state->env);
}

static const struct vmx_check *run_all(const struct state *state)
{
	for (unsigned group = 0; group < VMX_CHECK_GROUPS; group++) {
		const struct vmx_check *failed = vmx_checks_run(group, &state->env);

		if (failed)
			return failed;
	}
	return NULL;
}

/* prepare and violate of each violation, as functions. */
#define VIOLATION(row, base, prepare, violate)                                                     \
	static void prepare_##row(struct vmcs *vmcs, struct vmx_caps *caps, struct vmx_check_env *env) \
	{                                                                                          \
		prepare;                                                                           \
	}                                                                                          \
	static void violate_##row(struct vmcs *vmcs, struct vmx_caps *caps, struct vmx_check_env *env) \
	{                                                                                          \
		violate;                                                                           \
	}
#include "tests/shadow/checks/violations.def"
#undef VIOLATION

static const struct violation {
	const char *row;
	void (*base)(struct vmcs *, struct vmx_check_env *);
	void (*prepare)(struct vmcs *, struct vmx_caps *, struct vmx_check_env *);
	void (*violate)(struct vmcs *, struct vmx_caps *, struct vmx_check_env *);
} violations[] = {
#define VIOLATION(row, base, prepare, violate) {#row, base, prepare_##row, violate_##row},
#include "tests/shadow/checks/violations.def"
#undef VIOLATION
};
#define COUNT (sizeof(violations) / sizeof(violations[0]))

static void each_row_fails_by_its_name(void **unused)
{
	for (size_t i = 0; i < COUNT; i++) {
		const struct violation *v = &violations[i];
		const struct vmx_check *failed;
		struct state state;

		start(&state, v->base);
		failed = run_all(&state);
		if (failed)
			fail_msg("%s: its base fails %s", v->row, failed->name);
		v->prepare(&state.vmcs, &state.caps, &state.env);
		failed = run_all(&state);
		if (failed)
			fail_msg("%s: the passing neighbour fails %s", v->row, failed->name);
		v->violate(&state.vmcs, &state.caps, &state.env);
		failed = run_all(&state);
		if (!failed || strcmp(failed->name, v->row))
			fail_msg("%s: the violation is caught by %s", v->row,
				 failed ? failed->name : "nothing");
	}
}

static void each_row_has_a_violation(void **unused)
{
	for (unsigned row = 0; row < vmx_check_count; row++) {
		size_t found = 0;

		for (size_t i = 0; i < COUNT; i++)
			found += !strcmp(violations[i].row, vmx_checks[row].name);
		if (!found)
			fail_msg("no violating state for %s", vmx_checks[row].name);
	}
	assert_true(vmx_check_count <= COUNT);
}

static void each_row_is_complete_and_unique(void **unused)
{
	for (unsigned row = 0; row < vmx_check_count; row++) {
		const struct vmx_check *check = &vmx_checks[row];

		assert_true(strlen(check->sdm) > 10 && strlen(check->rule) > 10);
		assert_int_not_equal(check->fields[0], 0);
		for (unsigned other = 0; other < row; other++)
			assert_string_not_equal(check->name, vmx_checks[other].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_fails_by_its_name),
		cmocka_unit_test(each_row_has_a_violation),
		cmocka_unit_test(each_row_is_complete_and_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
