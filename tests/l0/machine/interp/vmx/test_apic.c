/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The virtual APIC: TPR shadow, APIC-access page, x2APIC MSRs, virtual interrupts, posted
 * interrupts.
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

enum {
	TPR = 0x80,
	PPR = 0xa0,
	EOI = 0xb0,
	ISR = 0x100,
	IRR = 0x200,
	ICR = 0x300,
	ICR_HIGH = 0x310
};

static void with_apic(struct fixture *f, uint32_t controls)
{
	start_vmx(f);
	ENABLE(f, PRIMARY_CONTROLS, PRIMARY_USE_TPR_SHADOW);
	if (controls & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)
		ENABLE(f, PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	secondary(f, controls);
	SET(f, VIRTUAL_APIC_ADDRESS, VIRTUAL_APIC);
	SET(f, APIC_ACCESS_ADDRESS, APIC_ACCESS);
	SET(f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF);
}

static uint32_t page(struct fixture *f, unsigned offset)
{
	return (uint32_t)peek64(f, VIRTUAL_APIC + offset);
}

static void set_page(struct fixture *f, unsigned offset, uint32_t value)
{
	poke32(f, VIRTUAL_APIC + offset, value);
}

static bool boundary_exits(struct fixture *f)
{
	return EXITS_AT_BOUNDARY(f, vmx_attend_before_traps(f->cpu));
}

/* ---- CR8 and the TPR threshold ---- */

static void test_cr8(void **state)
{
	struct fixture f;
	uint64_t value;

	with_apic(&f, SECONDARY_VIRTUALIZE_APIC_ACCESSES);
	assert_false(vmx_read_cr8(f.cpu, &value));
	set_page(&f, TPR, 0x7a);
	SET(&f, TPR_THRESHOLD, 5);
	enter(&f);
	assert_true(vmx_read_cr8(f.cpu, &value));
	assert_int_equal(value, 7);
	assert_true(vmx_write_cr8(f.cpu, 5));
	assert_int_equal(page(&f, TPR), 0x50);
	assert_false(boundary_exits(&f));
	assert_true(vmx_write_cr8(f.cpu, 4));
	assert_true(vmx_wants_attention(f.cpu));
	assert_true(boundary_exits(&f));
	assert_exit(&f, EXIT_REASON_TPR_BELOW_THRESHOLD, 0);
	/* With the APIC-access page an entry below the threshold exits at once. */
	enter(&f);
	assert_true(boundary_exits(&f));
	assert_exit(&f, EXIT_REASON_TPR_BELOW_THRESHOLD, 0);
	SET(&f, PRIMARY_CONTROLS, GET(&f, PRIMARY_CONTROLS) & ~(uint32_t)PRIMARY_USE_TPR_SHADOW);
	secondary(&f, 0);
	SET(&f, TPR_THRESHOLD, 0);
	enter(&f);
	assert_false(vmx_write_cr8(f.cpu, 4));
	stop(&f);
}

/* Without the APIC-access page the same state is an invalid control, and the page counts each time.
 */
static void test_threshold_is_checked_at_every_entry(void **state)
{
	struct fixture f;

	with_apic(&f, 0);
	set_page(&f, TPR, 0x50);
	SET(&f, TPR_THRESHOLD, 5);
	enter(&f);
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	set_page(&f, TPR, 0x40);
	assert_false(call(&f, insn_vmresume));
	assert_fails_valid(&f, VMX_ERROR_ENTRY_CONTROLS);
	stop(&f);
}

/* ---- the APIC-access page ---- */

/* SDM 3C "Virtualizing Reads from the APIC-Access Page", "Determining Whether a Write Access is
 * Virtualized": by register, for each setting of the two controls. */
static bool in_list(unsigned offset, bool read, bool registers, bool delivery)
{
	static const uint16_t writable[] = {0x20,  0x80,  0xb0,  0xd0,  0xe0,  0xf0,
					    0x280, 0x300, 0x310, 0x320, 0x330, 0x340,
					    0x350, 0x360, 0x370, 0x380, 0x3e0};

	if (!registers)
		return offset == TPR || (!read && delivery && (offset == EOI || offset == ICR));
	for (size_t i = 0; i < sizeof(writable) / sizeof(writable[0]); i++)
		if (writable[i] == offset)
			return true;
	return read && (offset == 0x30 || (offset >= 0x100 && offset < 0x280));
}

static bool read_exits(struct fixture *f, unsigned offset)
{
	return EXITS(f, vmx_apic_read(f->cpu, offset, 4, 0, MEM_READ));
}

static bool write_exits(struct fixture *f, unsigned offset)
{
	return EXITS(f, vmx_apic_write(f->cpu, offset, 4, 0, 0, MEM_WRITE));
}

static void leave_guest(struct fixture *f)
{
	if (f->cpu->vmx->nonroot)
		EXITS(f, vmx_exit(f->cpu, EXIT_REASON_CPUID, 0));
}

static void check_offset(struct fixture *f, unsigned offset, bool registers, bool delivery)
{
	bool exits = !in_list(offset, true, registers, delivery);

	enter(f);
	assert_int_equal(read_exits(f, offset), exits);
	if (exits)
		assert_exit(f, EXIT_REASON_APIC_ACCESS, offset);
	leave_guest(f);
	exits = !in_list(offset, false, registers, delivery);
	enter(f);
	assert_int_equal(write_exits(f, offset), exits);
	if (exits)
		assert_exit(f, EXIT_REASON_APIC_ACCESS, offset | 1u << 12);
	leave_guest(f);
}

static void test_access_lists(void **state)
{
	for (unsigned setting = 0; setting < 4; setting++) {
		bool registers = setting & 1, delivery = setting & 2;
		struct fixture f;

		with_apic(&f, SECONDARY_VIRTUALIZE_APIC_ACCESSES |
				      (registers ? SECONDARY_APIC_REGISTER_VIRTUALIZATION : 0) |
				      (delivery ? SECONDARY_VIRTUAL_INTERRUPT_DELIVERY : 0));
		for (unsigned offset = 0; offset < 0x1000; offset += 0x10)
			check_offset(&f, offset, registers, delivery);
		stop(&f);
	}
}

static void test_access_shapes(void **state)
{
	struct fixture f;

	with_apic(&f, SECONDARY_VIRTUALIZE_APIC_ACCESSES);
	set_page(&f, TPR, 0x44332211);
	enter(&f);
	assert_int_equal(vmx_apic_read(f.cpu, TPR + 1, 2, 0, MEM_READ), 0x3322);
	assert_true(EXITS(&f, vmx_apic_read(f.cpu, TPR + 2, 4, 0, MEM_READ)));
	assert_exit(&f, EXIT_REASON_APIC_ACCESS, TPR + 2);
	enter(&f);
	assert_true(EXITS(&f, vmx_apic_read(f.cpu, TPR, 8, 0, MEM_READ)));
	enter(&f);
	assert_true(EXITS(&f, vmx_apic_read(f.cpu, TPR, 4, 0, MEM_FETCH)));
	assert_exit(&f, EXIT_REASON_APIC_ACCESS, TPR | 2u << 12);
	enter(&f);
	f.cpu->delivering.valid = true;
	assert_true(EXITS(&f, vmx_apic_write(f.cpu, 0x700, 4, 0, 0, MEM_WRITE)));
	assert_exit(&f, EXIT_REASON_APIC_ACCESS, 0x700 | 3u << 12);
	stop(&f);
}

static void test_write_emulation(void **state)
{
	uint32_t registers =
		SECONDARY_VIRTUALIZE_APIC_ACCESSES | SECONDARY_APIC_REGISTER_VIRTUALIZATION;
	struct fixture f;

	with_apic(&f, registers);
	enter(&f);
	vmx_apic_write(f.cpu, ICR_HIGH, 4, 0x12345678, 0, MEM_WRITE);
	assert_false(boundary_exits(&f));
	assert_int_equal(page(&f, ICR_HIGH), 0x12000000);
	vmx_apic_write(f.cpu, TPR, 4, 0xffffff20, 0, MEM_WRITE);
	assert_false(boundary_exits(&f));
	assert_int_equal(page(&f, TPR), 0x20);
	/* The rest is software's: trap-like, the register already written. */
	vmx_apic_write(f.cpu, 0x320, 4, 0x10020, 0, MEM_WRITE);
	assert_true(boundary_exits(&f));
	assert_exit(&f, EXIT_REASON_APIC_WRITE, 0x320);
	assert_int_equal(page(&f, 0x320), 0x10020);
	enter(&f);
	vmx_apic_write(f.cpu, EOI, 4, 0, 0, MEM_WRITE);
	assert_true(boundary_exits(&f));
	assert_exit(&f, EXIT_REASON_APIC_WRITE, EOI);
	stop(&f);
}

/* ---- virtual interrupts ---- */

static bool deliver(struct fixture *f, uint8_t vector)
{
	bool delivered = vmx_attend_virtual_interrupt(f->cpu);

	if (delivered) {
		assert_true(f->cpu->event.valid);
		assert_int_equal(f->cpu->event.type, INTR_TYPE_EXTERNAL);
		assert_int_equal(f->cpu->event.vector, vector);
		f->cpu->event.valid = false;
	}
	return delivered;
}

static void test_virtual_interrupt_delivery(void **state)
{
	struct fixture f;

	with_apic(&f, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
	SET(&f, GUEST_INTERRUPT_STATUS, 0x61);
	set_page(&f, IRR + 0x30, 1u << 1); /* 61h */
	set_page(&f, IRR + 0x10, 1u << 3); /* 23h */
	enter(&f);
	f.cpu->eflags_rest &= ~RFLAGS_IF;
	assert_false(deliver(&f, 0x61));
	f.cpu->eflags_rest |= RFLAGS_IF;
	f.cpu->sti_shadow = true;
	assert_false(deliver(&f, 0x61));
	f.cpu->sti_shadow = false;
	f.cpu->activity = ACTIVITY_HLT;
	assert_true(deliver(&f, 0x61));
	assert_int_equal(f.cpu->activity, ACTIVITY_ACTIVE);
	assert_int_equal(page(&f, ISR + 0x30), 1u << 1);
	assert_int_equal(page(&f, IRR + 0x30), 0);
	assert_int_equal(page(&f, PPR), 0x60);
	assert_int_equal(GET(&f, GUEST_INTERRUPT_STATUS), 0x6123);
	assert_false(deliver(&f, 0x23)); /* below the one in service */
	/* EOI brings the next. */
	vmx_eoi_virtualization(f.cpu);
	assert_int_equal(GET(&f, GUEST_INTERRUPT_STATUS), 0x0023);
	assert_int_equal(page(&f, ISR + 0x30), 0);
	assert_true(deliver(&f, 0x23));
	stop(&f);
}

static void test_eoi_exit_bitmap(void **state)
{
	struct fixture f;

	with_apic(&f, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY | SECONDARY_VIRTUALIZE_APIC_ACCESSES);
	SET(&f, GUEST_INTERRUPT_STATUS, 0x8500);
	SET(&f, EOI_EXIT_BITMAP2, UINT64_C(1) << (0x85 - 0x80));
	set_page(&f, ISR + 0x40, 1u << 5);
	enter(&f);
	vmx_apic_write(f.cpu, EOI, 4, 0xff, 0, MEM_WRITE);
	assert_true(boundary_exits(&f));
	assert_exit(&f, EXIT_REASON_VIRTUALIZED_EOI, 0x85);
	assert_int_equal(GET(&f, GUEST_INTERRUPT_STATUS), 0);
	assert_int_equal(page(&f, EOI), 0);
	stop(&f);
}

static void test_window_exiting_holds_virtual_interrupts_back(void **state)
{
	struct fixture f;

	with_apic(&f, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_INTERRUPT_WINDOW_EXITING);
	SET(&f, GUEST_INTERRUPT_STATUS, 0x61);
	enter(&f);
	assert_false(deliver(&f, 0x61));
	stop(&f);
}

static void test_tpr_masks(void **state)
{
	struct fixture f;

	with_apic(&f, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
	SET(&f, GUEST_INTERRUPT_STATUS, 0x61);
	set_page(&f, TPR, 0x60);
	enter(&f);
	assert_int_equal(page(&f, PPR), 0x60);
	assert_false(deliver(&f, 0x61));
	vmx_write_cr8(f.cpu, 5);
	assert_int_equal(page(&f, PPR), 0x50);
	assert_true(deliver(&f, 0x61));
	stop(&f);
}

static void test_self_ipi(void **state)
{
	static const struct {
		uint32_t icr;
		bool virtualized;
	} cases[] = {
		{0x40031, true},  {0x44031, true},  {0x00031, false},
		{0x80031, false}, {0x4000f, false}, {0x40031 | 1 << 15, false},
		{0x40431, false}, {0x41031, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		with_apic(&f, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY |
				      SECONDARY_VIRTUALIZE_APIC_ACCESSES);
		enter(&f);
		vmx_apic_write(f.cpu, ICR, 4, cases[i].icr, 0, MEM_WRITE);
		assert_int_equal(boundary_exits(&f), !cases[i].virtualized);
		if (cases[i].virtualized)
			assert_true(deliver(&f, 0x31));
		else
			assert_exit(&f, EXIT_REASON_APIC_WRITE, ICR);
		stop(&f);
	}
}

static void test_posted_interrupts(void **state)
{
	struct fixture f;

	with_apic(&f, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
	ENABLE(&f, PIN_BASED_CONTROLS, PIN_POSTED_INTERRUPTS);
	ENABLE(&f, EXIT_CONTROLS, EXIT_ACK_INTERRUPT);
	SET(&f, POSTED_INTERRUPT_NOTIFICATION_VECTOR, 0xf2);
	SET(&f, POSTED_INTERRUPT_DESCRIPTOR, AREA);
	set_page(&f, IRR + 0x10, 1u << 5); /* 25h is requested already */
	SET(&f, GUEST_INTERRUPT_STATUS, 0x25);
	poke32(&f, AREA + 0x31 / 8 / 4 * 4, 1u << (0x31 % 32));
	poke32(&f, AREA + 0x41 / 8 / 4 * 4, 1u << (0x41 % 32));
	poke32(&f, AREA + 32, 3);
	enter(&f);
	assert_false(vmx_posted_interrupt(f.cpu, 0xf1));
	assert_true(vmx_posted_interrupt(f.cpu, 0xf2));
	assert_int_equal(peek64(&f, AREA + 32) & UINT32_MAX, 2);
	assert_int_equal(peek64(&f, AREA), 0);
	assert_int_equal(peek64(&f, AREA + 8), 0);
	assert_int_equal(page(&f, IRR + 0x10), 1u << 0x11 | 1u << 5);
	assert_int_equal(page(&f, IRR + 0x20), 1u << 1);
	assert_int_equal(GET(&f, GUEST_INTERRUPT_STATUS), 0x41);
	assert_true(deliver(&f, 0x41));
	stop(&f);
}

/* ---- x2APIC MSRs ---- */

static void test_x2apic_reads(void **state)
{
	struct fixture f;
	uint64_t value;

	with_apic(&f, 0);
	enter(&f);
	assert_false(vmx_x2apic_read(f.cpu, 0x808, &value));
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	secondary(&f, SECONDARY_VIRTUALIZE_X2APIC);
	set_page(&f, TPR, 0x33);
	poke64(&f, VIRTUAL_APIC + ICR, UINT64_C(0x1122334455667788));
	enter(&f);
	assert_true(vmx_x2apic_read(f.cpu, 0x808, &value));
	assert_int_equal(value, 0x33);
	assert_false(vmx_x2apic_read(f.cpu, 0x830, &value));
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	secondary(&f, SECONDARY_APIC_REGISTER_VIRTUALIZATION);
	enter(&f);
	assert_true(vmx_x2apic_read(f.cpu, 0x830, &value));
	assert_int_equal(value, UINT64_C(0x1122334455667788));
	stop(&f);
}

static void test_x2apic_writes(void **state)
{
	struct fixture f;

	with_apic(&f, SECONDARY_VIRTUALIZE_X2APIC);
	enter(&f);
	assert_false(vmx_x2apic_write(f.cpu, 0x80b, 0));
	assert_true(vmx_x2apic_write(f.cpu, 0x808, 0x21));
	assert_int_equal(page(&f, TPR), 0x21);
	assert_true(ESCAPES(&f, vmx_x2apic_write(f.cpu, 0x808, 0x100)));
	assert_faults(&f, VECTOR_GP);
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	ENABLE(&f, PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	secondary(&f, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
	enter(&f);
	assert_true(ESCAPES(&f, vmx_x2apic_write(f.cpu, 0x80b, 1)));
	assert_faults(&f, VECTOR_GP);
	assert_true(vmx_x2apic_write(f.cpu, 0x83f, 0x31));
	assert_true(deliver(&f, 0x31));
	assert_true(vmx_x2apic_write(f.cpu, 0x80b, 0));
	assert_int_equal(GET(&f, GUEST_INTERRUPT_STATUS), 0);
	assert_false(vmx_x2apic_write(f.cpu, 0x830, 0));
	/* Vectors below 16 are software's. */
	assert_true(vmx_x2apic_write(f.cpu, 0x83f, 0x0f));
	assert_true(boundary_exits(&f));
	assert_exit(&f, EXIT_REASON_APIC_WRITE, 0x3f0);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cr8),
		cmocka_unit_test(test_threshold_is_checked_at_every_entry),
		cmocka_unit_test(test_access_lists),
		cmocka_unit_test(test_access_shapes),
		cmocka_unit_test(test_write_emulation),
		cmocka_unit_test(test_virtual_interrupt_delivery),
		cmocka_unit_test(test_eoi_exit_bitmap),
		cmocka_unit_test(test_window_exiting_holds_virtual_interrupts_back),
		cmocka_unit_test(test_tpr_masks),
		cmocka_unit_test(test_self_ipi),
		cmocka_unit_test(test_posted_interrupts),
		cmocka_unit_test(test_x2apic_reads),
		cmocka_unit_test(test_x2apic_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
