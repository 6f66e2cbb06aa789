/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An L1 that means harm: random VMX instructions, field values, EPT tables and exits. shadow/ must
 * survive, keep within its pages, and never give the hardware an address that is neither L1's
 * memory nor a page meant for it. The random numbers are seeded, so a failure can be had again.
 */
#include "tests/shadow/fixture.h"
#include "tests/shadow/invariants.h"

#define ROUNDS 3000

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Values that are worth trying: plausible addresses, edges, and anything. */
static uint64_t nasty(void)
{
	switch (next_random() % 8) {
	case 0:
		return PAGE_BASE(next_random() % FAKE_RAM_SIZE);
	case 1:
		return FAKE_POOL_HPA + PAGE_BASE(next_random() % (FAKE_POOL_PAGES * PAGE_SIZE));
	case 2:
		return VMCS01_HPA;
	case 3:
		return UINT64_MAX;
	case 4:
		return BIT64(next_random() % 64);
	case 5:
		return next_random() % 4096;
	case 6:
		return FAKE_RAM_SIZE - PAGE_SIZE;
	default:
		return next_random();
	}
}

static void check(struct fixture *f)
{
	f->fake.events = 0;
	invariants_check(f);
	if (f->v.in_l2)
		invariants_check_ept02(f);
}

/* Control bits flip one at a time, so that many entries still succeed. */
static void scribble_vmcs12(struct fixture *f)
{
	unsigned index = (unsigned)(next_random() % VMCS_FIELD_COUNT);
	uint32_t encoding = vmcs_fields[index].encoding;
	uint64_t value = nasty();

	if (!f->v.current)
		return;
	if (vmcs_field_type(encoding) == VMCS_TYPE_CONTROL &&
	    vmcs_field_width(encoding) == VMCS_WIDTH_32)
		value = f->v.current->v12.field[index] ^ BIT64(next_random() % 32);
	f->regs.gpr[REG_RDX] = encoding;
	f->regs.gpr[REG_RAX] = value;
	SET01(f, EXIT_INSTRUCTION_INFO, BIT32(10) | REG_RAX << 3 | (uint32_t)REG_RDX << 28);
	shadow_l1_vmx_insn(&f->v, &f->regs, EXIT_REASON_VMWRITE);
}

static void l1_acts(struct fixture *f)
{
	static const uint32_t reasons[] = {
	    EXIT_REASON_VMCLEAR, EXIT_REASON_VMPTRLD, EXIT_REASON_VMPTRST, EXIT_REASON_INVEPT,
	    EXIT_REASON_INVVPID, EXIT_REASON_VMXON,   EXIT_REASON_VMREAD};
	static const uint64_t regions[] = {VMCS_A, VMCS_B, VMCS_SHADOW, VMXON_REGION};

	SET01(f, ENTRY_INTERRUPTION_INFO, 0);
	switch (next_random() % 4) {
	case 0:
		scribble_vmcs12(f);
		break;
	case 1:
		fake_poke64(&f->fake, EPT_ROOT + 8 * (next_random() % 2048), nasty());
		break;
	case 2:
		fake_poke64(&f->fake, OPERAND,
			    next_random() % 4 ? regions[next_random() % 4] : nasty());
		SET01(f, EXIT_INSTRUCTION_INFO, DESCRIPTOR_MEMORY | (uint32_t)REG_RDX << 28);
		SET01(f, EXIT_QUALIFICATION, next_random() % 8 ? OPERAND : nasty());
		f->regs.gpr[REG_RDX] = next_random() % 4;
		shadow_l1_vmx_insn(&f->v, &f->regs, reasons[next_random() % 7]);
		break;
	default:
		shadow_l1_vmx_insn(&f->v, &f->regs, EXIT_REASON_VMLAUNCH);
		if (!f->v.in_l2)
			shadow_l1_vmx_insn(&f->v, &f->regs, EXIT_REASON_VMRESUME);
		break;
	}
}

static void l2_acts(struct fixture *f)
{
	static const uint32_t reasons[] = {EXIT_REASON_EPT_VIOLATION,
					   EXIT_REASON_EPT_VIOLATION,
					   EXIT_REASON_EPT_VIOLATION,
					   EXIT_REASON_EPT_MISCONFIGURATION,
					   EXIT_REASON_CPUID,
					   EXIT_REASON_VMREAD,
					   EXIT_REASON_VMWRITE,
					   EXIT_REASON_VMFUNC,
					   EXIT_REASON_RDMSR,
					   EXIT_REASON_IO_INSTRUCTION,
					   EXIT_REASON_EXCEPTION_OR_NMI,
					   EXIT_REASON_XSAVES,
					   EXIT_REASON_ENTRY_FAILURE_GUEST_STATE |
					       EXIT_REASON_ENTRY_FAILURE};

	SET02(f, GUEST_PHYSICAL_ADDRESS, next_random() % 2 ? next_random() % 0x800000 : nasty());
	SET02(f, EXIT_INSTRUCTION_INFO, BIT32(10) | (uint32_t)REG_RDX << 28);
	SET02(f, EXIT_INTERRUPTION_INFO, next_random() & 0x80000fff);
	f->regs.gpr[REG_RDX] = vmcs_fields[next_random() % VMCS_FIELD_COUNT].encoding;
	f->regs.gpr[REG_RCX] = nasty();
	f->regs.gpr[REG_RAX] = next_random() % 2;
	l2_exit(f, reasons[next_random() % 13], next_random() & 0x1fff);
}

static void run(struct fixture *f, uint64_t seed)
{
	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	l1_prepare(f);
	l1_launch(f);
	f->fake.pool_limit = f->fake.pool_used + 12;
	for (unsigned i = 0; i < ROUNDS && !f->v.dead; i++) {
		if (f->v.in_l2)
			l2_acts(f);
		else
			l1_acts(f);
		if (!f->v.dead)
			check(f);
	}
	if (f->v.dead)
		assert_true(strstr(f->v.dead, "VMX abort") || strstr(f->v.dead, "too small"));
}

static void survives(void **state)
{
	unsigned finished = 0;

	for (uint64_t seed = 0; seed < 40; seed++) {
		struct fixture *f = test_calloc(1, sizeof(*f));
		vmx_features without = seed % 2 ? VMX_FEATURE_BIT(VMX_FEATURE_VMCS_SHADOWING) : 0;

		fixture_init(f, fake_all_features() & ~without);
		run(f, seed);
		finished += !f->v.dead;
		fixture_free(f);
		test_free(f);
	}
	assert_true(finished > 0); /* not every run may end in an abort */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(survives)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
