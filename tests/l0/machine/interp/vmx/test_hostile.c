/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Software that stores into its VMCSs, also while a guest runs: whatever it writes there, the CPU
 * model stays within RAM and within its own state. What is asserted is little; sanitizers watch the
 * rest.
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Values that are likely to hurt: the ends of RAM and of address ranges, all ones, small numbers.
 */
static uint64_t nasty(void)
{
	static const uint64_t values[] = {
		UINT64_MAX,
		0,
		(UINT64_C(8) << 20) - 8,
		UINT64_C(8) << 20,
		BIT64(46) - 4096,
		BIT64(63),
		UINT32_MAX,
		0xffff,
		VMCS_A,
		VMCS_A + 4092,
		SHADOW_VMCS,
		VIRTUAL_APIC,
	};

	return random64() % 2 ? values[random64() % (sizeof(values) / sizeof(values[0]))] :
				random64();
}

static void corrupt(struct fixture *f, unsigned count)
{
	while (count--)
		f->cpu->vmx->vmcs->field[random64() % VMCS_FIELD_COUNT] = nasty();
}

static void all_features(struct fixture *f)
{
	start_vmx(f);
	ENABLE(f, PIN_BASED_CONTROLS,
	       PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS |
		       PIN_PREEMPTION_TIMER | PIN_POSTED_INTERRUPTS);
	ENABLE(f, PRIMARY_CONTROLS,
	       PRIMARY_USE_TPR_SHADOW | PRIMARY_USE_IO_BITMAPS | PRIMARY_USE_MSR_BITMAPS |
		       PRIMARY_USE_TSC_OFFSETTING | PRIMARY_CR3_LOAD_EXITING);
	ENABLE(f, EXIT_CONTROLS, EXIT_ACK_INTERRUPT | EXIT_SAVE_PREEMPTION_TIMER);
	secondary(f, SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID | SECONDARY_VMCS_SHADOWING |
			     SECONDARY_ENABLE_VM_FUNCTIONS | SECONDARY_ENABLE_PML |
			     SECONDARY_EPT_VIOLATION_VE | SECONDARY_APIC_REGISTER_VIRTUALIZATION |
			     SECONDARY_VIRTUAL_INTERRUPT_DELIVERY |
			     (random64() % 2 ? SECONDARY_VIRTUALIZE_APIC_ACCESSES :
					       SECONDARY_VIRTUALIZE_X2APIC));
	SET(f, EPT_POINTER, EPT_ROOT | EPTP_WALK_4 | EPTP_MT_WB | EPTP_AD);
	SET(f, VM_FUNCTION_CONTROLS, 1);
	SET(f, EPTP_LIST_ADDRESS, AREA_2);
	SET(f, PML_ADDRESS, AREA_2);
	SET(f, VIRTUALIZATION_EXCEPTION_INFO, AREA_2);
	SET(f, POSTED_INTERRUPT_DESCRIPTOR, AREA_2);
	SET(f, PREEMPTION_TIMER_VALUE, UINT32_MAX);
	SET(f, VPID, 1);
	SET(f, VIRTUAL_APIC_ADDRESS, VIRTUAL_APIC);
	SET(f, APIC_ACCESS_ADDRESS, APIC_ACCESS);
	SET(f, MSR_BITMAP, BITMAP);
	SET(f, IO_BITMAP_A, BITMAP);
	SET(f, IO_BITMAP_B, BITMAP_2);
	SET(f, VMREAD_BITMAP, AREA);
	SET(f, VMWRITE_BITMAP, AREA);
	SET(f, VMCS_LINK_POINTER, SHADOW_VMCS);
	poke32(f, SHADOW_VMCS, VMCS_REVISION | VMCS_SHADOW_INDICATOR);
}

static void do_something(struct fixture *f)
{
	struct cpu *cpu = f->cpu;
	struct vmx_io io = {.port = (uint16_t)nasty(), .size = 4};
	struct cpu_event event = {
		.valid = true, .vector = (uint8_t)nasty(), .type = INTR_TYPE_HARDWARE_EXCEPTION};
	uint64_t value;

	switch (random64() % 16) {
	case 0: vmx_mov_to_cr(cpu, 4, nasty(), 0); break;
	case 1: vmx_mov_to_cr(cpu, 3, nasty(), 0); break;
	case 2: vmx_intercept_io(cpu, &io); break;
	case 3: vmx_intercept_rdmsr(cpu, (uint32_t)nasty()); break;
	case 4: vmx_intercept_exception(cpu, &event); break;
	case 5: vmx_write_cr8(cpu, nasty() & 15); break;
	case 6: vmx_apic_write(cpu, nasty() & 0xffc, 4, nasty(), 0, MEM_WRITE); break;
	case 7: vmx_apic_read(cpu, nasty() & 0xffc, 4, 0, MEM_READ); break;
	case 8: vmx_x2apic_write(cpu, 0x800 + (nasty() & 0xff), nasty()); break;
	case 9: vmx_x2apic_read(cpu, 0x800 + (nasty() & 0xff), &value); break;
	case 10: vmx_log_dirty(cpu, nasty()); break;
	case 11: vmx_attend_before_traps(cpu); break;
	case 12: vmx_attend_virtual_interrupt(cpu); break;
	case 13: vmx_posted_interrupt(cpu, (uint8_t)nasty()); break;
	case 14: vmx_attend_timer_and_windows(cpu); break;
	default: vmx_exit_ept_violation(cpu, nasty(), nasty(), true, nasty()); break;
	}
}

static void run_guest(struct fixture *f)
{
	static handler *const insns[] = {insn_vmread, insn_vmwrite, insn_vmfunc, insn_vmclear};
	static unsigned i;

	for (i = 0; i < 20 && f->cpu->vmx->nonroot && !f->machine.stop; i++) {
		corrupt(f, random64() % 3);
		f->cpu->gpr[REG_RAX] = random64() % 4 ?
					       vmcs_fields[random64() % VMCS_FIELD_COUNT].encoding :
					       nasty();
		f->cpu->gpr[REG_RCX] = nasty();
		f->op.flags = random64() % 2 ? OP_MEMORY : 0;
		if (random64() % 3)
			(void)EXITS(f, do_something(f));
		else
			call(f, insns[random64() % 4]);
		f->cpu->event.valid = false;
	}
}

static void test_hostile_vmcs(void **state)
{
	static unsigned n, entered;

	for (n = 0; n < 3000; n++) {
		struct fixture f;

		all_features(&f);
		corrupt(&f, random64() % 4);
		call(&f, insn_vmlaunch);
		entered += f.cpu->vmx->nonroot;
		run_guest(&f);
		assert_true(f.cpu->activity <= ACTIVITY_WAIT_SIPI);
		assert_true(f.cpu->cpl <= 3);
		stop(&f);
	}
	assert_true(entered > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_vmcs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
