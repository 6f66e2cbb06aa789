/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What exits and what does not: control x instruction as a truth table, bitmaps, control registers,
 * exceptions, VMX instructions in non-root operation, and what the exits report.
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

enum word { NOWHERE, PRIMARY, SECONDARY };

static void set_control(struct fixture *f, enum word word, uint32_t mask)
{
	if (word == PRIMARY)
		ENABLE(f, PRIMARY_CONTROLS, mask);
	else if (word == SECONDARY)
		secondary(f, mask);
}

/* ---- instructions by control ---- */

static const struct {
	enum vmx_exit_reason reason;
	enum word word;
	uint32_t mask;
	uint32_t enable; /* secondary control that makes it not #UD */
} rows[] = {
	{EXIT_REASON_CPUID, NOWHERE, 0, 0},
	{EXIT_REASON_GETSEC, NOWHERE, 0, 0},
	{EXIT_REASON_INVD, NOWHERE, 0, 0},
	{EXIT_REASON_XSETBV, NOWHERE, 0, 0},
	{EXIT_REASON_HLT, PRIMARY, PRIMARY_HLT_EXITING, 0},
	{EXIT_REASON_INVLPG, PRIMARY, PRIMARY_INVLPG_EXITING, 0},
	{EXIT_REASON_MWAIT, PRIMARY, PRIMARY_MWAIT_EXITING, 0},
	{EXIT_REASON_MONITOR, PRIMARY, PRIMARY_MONITOR_EXITING, 0},
	{EXIT_REASON_RDPMC, PRIMARY, PRIMARY_RDPMC_EXITING, 0},
	{EXIT_REASON_RDTSC, PRIMARY, PRIMARY_RDTSC_EXITING, 0},
	{EXIT_REASON_RDTSCP, PRIMARY, PRIMARY_RDTSC_EXITING, SECONDARY_ENABLE_RDTSCP},
	{EXIT_REASON_INVPCID, PRIMARY, PRIMARY_INVLPG_EXITING, SECONDARY_ENABLE_INVPCID},
	{EXIT_REASON_PAUSE, PRIMARY, PRIMARY_PAUSE_EXITING, 0},
	{EXIT_REASON_WBINVD, SECONDARY, SECONDARY_WBINVD_EXITING, 0},
	{EXIT_REASON_RDRAND, SECONDARY, SECONDARY_RDRAND_EXITING, 0},
	{EXIT_REASON_RDSEED, SECONDARY, SECONDARY_RDSEED_EXITING, 0},
	{EXIT_REASON_GDTR_IDTR_ACCESS, SECONDARY, SECONDARY_DESCRIPTOR_TABLE_EXITING, 0},
	{EXIT_REASON_LDTR_TR_ACCESS, SECONDARY, SECONDARY_DESCRIPTOR_TABLE_EXITING, 0},
};

static void test_controls(void **state)
{
	for (volatile size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		start_vmx(&f);
		f.op.len = 3;
		if (rows[i].enable) {
			enter(&f);
			assert_false(EXITS(&f, vmx_intercept_insn(f.cpu, rows[i].reason, 0)));
			assert_faults(&f, VECTOR_UD);
			EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
			secondary(&f, rows[i].enable);
		}
		if (rows[i].word != NOWHERE) {
			enter(&f);
			assert_false(EXITS(&f, vmx_intercept_insn(f.cpu, rows[i].reason, 0)));
			assert_false(f.cpu->event.valid);
			EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
			set_control(&f, rows[i].word, rows[i].mask);
		}
		enter(&f);
		assert_true(EXITS(&f, vmx_intercept_insn(f.cpu, rows[i].reason, 0x77)));
		assert_exit(&f, rows[i].reason, rows[i].reason == EXIT_REASON_PAUSE ? 0 : 0x77);
		assert_int_equal(GET(&f, EXIT_INSTRUCTION_LENGTH), 3);
		assert_int_equal(GET(&f, EXIT_INTERRUPTION_INFO), 0);
		assert_int_equal(GET(&f, IDT_VECTORING_INFO), 0);
		assert_int_equal(GET(&f, GUEST_RIP), GUEST_ENTRY);
		/* In root operation nothing exits. */
		assert_false(ESCAPES(&f, vmx_intercept_insn(f.cpu, rows[i].reason, 0)));
		stop(&f);
	}
}

static void pause_after(struct fixture *f, uint64_t cycles, bool exits)
{
	cpu_charge(f->cpu, cycles);
	assert_int_equal(EXITS(f, vmx_intercept_insn(f->cpu, EXIT_REASON_PAUSE, 0)), exits);
}

static void test_pause_loop(void **state)
{
	struct fixture f;

	start_vmx(&f);
	cpu_charge(f.cpu, 1000);
	secondary(&f, SECONDARY_PAUSE_LOOP_EXITING);
	SET(&f, PLE_GAP, 100);
	SET(&f, PLE_WINDOW, 250);
	enter(&f);
	pause_after(&f, 1000, false);
	pause_after(&f, 90, false);
	pause_after(&f, 90, false);
	pause_after(&f, 101, false); /* another loop */
	pause_after(&f, 90, false);
	pause_after(&f, 90, false);
	pause_after(&f, 90, true);
	enter(&f);
	f.cpu->cpl = 3;
	for (unsigned i = 0; i < 9; i++)
		pause_after(&f, 90, false);
	stop(&f);
}

static void test_xsaves(void **state)
{
	struct fixture f;

	start_vmx(&f);
	offer(&f, VMX_FEATURE_XSAVES);
	secondary(&f, SECONDARY_ENABLE_XSAVES);
	SET(&f, XSS_EXITING_BITMAP, 0x100);
	f.cpu->msrs.xss = 0x300;
	enter(&f);
	f.cpu->gpr[REG_RAX] = 0x200;
	assert_false(EXITS(&f, vmx_intercept_insn(f.cpu, EXIT_REASON_XSAVES, 0)));
	f.cpu->gpr[REG_RAX] = 0x100;
	assert_true(EXITS(&f, vmx_intercept_insn(f.cpu, EXIT_REASON_XRSTORS, 0)));
	assert_exit(&f, EXIT_REASON_XRSTORS, 0);
	stop(&f);
}

static void test_mov_dr_and_task_switch(void **state)
{
	struct fixture f;

	start_vmx(&f);
	enter(&f);
	assert_false(EXITS(&f, vmx_intercept_mov_dr(f.cpu, 7, false, REG_RCX)));
	assert_true(EXITS(&f, vmx_intercept_task_switch(f.cpu, 0x28, 1)));
	assert_exit(&f, EXIT_REASON_TASK_SWITCH, 0x40000028);
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_MOV_DR_EXITING);
	enter(&f);
	assert_true(EXITS(&f, vmx_intercept_mov_dr(f.cpu, 6, true, REG_R9)));
	assert_exit(&f, EXIT_REASON_MOV_DR, 0x916);
	stop(&f);
}

/* ---- I/O and MSR bitmaps ---- */

static bool io_exits(struct fixture *f, uint16_t port, uint8_t size)
{
	struct vmx_io io = {.port = port, .size = size, .in = true};
	bool exits = EXITS(f, vmx_intercept_io(f->cpu, &io));

	if (exits) {
		assert_exit(f, EXIT_REASON_IO_INSTRUCTION, (uint32_t)port << 16 | 8 | (size - 1u));
		enter(f);
	}
	return exits;
}

static void test_io(void **state)
{
	struct fixture f;

	start_vmx(&f);
	enter(&f);
	assert_false(io_exits(&f, 0x3f8, 1));
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_UNCONDITIONAL_IO_EXITING);
	enter(&f);
	assert_true(io_exits(&f, 0x3f8, 1));
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	/* With bitmaps the unconditional control is ignored. */
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_USE_IO_BITMAPS);
	SET(&f, IO_BITMAP_A, BITMAP);
	SET(&f, IO_BITMAP_B, BITMAP_2);
	poke32(&f, BITMAP + 0x70 / 8, 1u << 2); /* port 72h */
	poke32(&f, BITMAP_2 + 0x100 / 8, 1);    /* port 8100h */
	enter(&f);
	assert_false(io_exits(&f, 0x71, 1));
	assert_true(io_exits(&f, 0x72, 1));
	assert_true(io_exits(&f, 0x71, 2));
	assert_true(io_exits(&f, 0x6f, 4));
	assert_false(io_exits(&f, 0x6e, 4));
	assert_true(io_exits(&f, 0x8100, 1));
	assert_true(io_exits(&f, 0x80fd, 4));
	assert_false(io_exits(&f, 0x80fc, 4));
	assert_true(io_exits(&f, 0xffff, 2)); /* wraps */
	assert_false(io_exits(&f, 0xfffe, 2));
	stop(&f);
}

static void test_string_io(void **state)
{
	struct vmx_io io = {
		.port = 0x1f0, .size = 2, .string = true, .rep = true, .linear = 0x123456};
	struct fixture f;

	start_vmx(&f);
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_UNCONDITIONAL_IO_EXITING);
	enter(&f);
	f.op.seg = SEG_FS;
	f.op.addrsize = 4;
	assert_true(EXITS(&f, vmx_intercept_io(f.cpu, &io)));
	assert_exit(&f, EXIT_REASON_IO_INSTRUCTION, 0x01f00031);
	assert_int_equal(GET(&f, GUEST_LINEAR_ADDRESS), 0x123456);
	assert_int_equal(GET(&f, EXIT_INSTRUCTION_INFO), SEG_FS << 15 | 1 << 7);
	io = (struct vmx_io){.port = 0x80, .size = 1, .immediate = true};
	enter(&f);
	assert_true(EXITS(&f, vmx_intercept_io(f.cpu, &io)));
	assert_exit(&f, EXIT_REASON_IO_INSTRUCTION, 0x00800040);
	stop(&f);
}

static bool msr_exits(struct fixture *f, uint32_t msr, bool write)
{
	bool exits = EXITS(f, write ? vmx_intercept_wrmsr(f->cpu, msr) :
				      vmx_intercept_rdmsr(f->cpu, msr));

	if (exits) {
		assert_exit(f, write ? EXIT_REASON_WRMSR : EXIT_REASON_RDMSR, 0);
		enter(f);
	}
	return exits;
}

static void test_msr_bitmap(void **state)
{
	struct fixture f;

	start_vmx(&f);
	enter(&f);
	assert_true(msr_exits(&f, 0x10, false));
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	ENABLE(&f, PRIMARY_CONTROLS, PRIMARY_USE_MSR_BITMAPS);
	SET(&f, MSR_BITMAP, BITMAP);
	poke32(&f, BITMAP + 0x174 / 8, 1u << 4);          /* read 174h */
	poke32(&f, BITMAP + 0x400 + 0x80 / 8, 1u << 1);   /* read c0000081h */
	poke32(&f, BITMAP + 0x800 + 0x1ffc / 8, 1u << 7); /* write 1fffh */
	poke32(&f, BITMAP + 0xc00, 1u << 0);              /* write c0000000h */
	enter(&f);
	assert_true(msr_exits(&f, 0x174, false));
	assert_false(msr_exits(&f, 0x174, true));
	assert_false(msr_exits(&f, 0x175, false));
	assert_true(msr_exits(&f, 0xc0000081, false));
	assert_false(msr_exits(&f, 0xc0000081, true));
	assert_true(msr_exits(&f, 0x1fff, true));
	assert_false(msr_exits(&f, 0x1fff, false));
	assert_true(msr_exits(&f, 0xc0000000, true));
	assert_false(msr_exits(&f, 0xc0001fff, true));
	assert_true(msr_exits(&f, 0x2000, false));
	assert_true(msr_exits(&f, 0xc0002000, true));
	stop(&f);
}

/* ---- exceptions ---- */

static bool raises(struct fixture *f, struct cpu_event event)
{
	bool exits;

	event.valid = true;
	exits = EXITS(f, vmx_intercept_exception(f->cpu, &event));
	if (exits) {
		assert_int_equal(GET(f, EXIT_REASON), EXIT_REASON_EXCEPTION_OR_NMI);
		enter(f);
	}
	return exits;
}

static struct cpu_event page_fault(uint32_t error)
{
	return (struct cpu_event){.vector = VECTOR_PF,
				  .type = INTR_TYPE_HARDWARE_EXCEPTION,
				  .has_error = true,
				  .error = error,
				  .cr2 = 0xabcdef};
}

static void test_exception_bitmap(void **state)
{
	struct cpu_event event = {.type = INTR_TYPE_HARDWARE_EXCEPTION};
	struct fixture f;

	start_vmx(&f);
	SET(&f, EXCEPTION_BITMAP, 1u << VECTOR_UD | 1u << VECTOR_BP);
	enter(&f);
	for (unsigned vector = 0; vector < 32; vector++) {
		event.vector = (uint8_t)vector;
		if (vector != VECTOR_PF)
			assert_int_equal(raises(&f, event),
					 vector == VECTOR_UD || vector == VECTOR_BP);
	}
	event.vector = VECTOR_UD;
	event.injected = true;
	assert_false(raises(&f, event));
	/* INT n is no exception, INT3 is. */
	event = (struct cpu_event){.vector = VECTOR_BP, .type = INTR_TYPE_SOFTWARE_INTERRUPT};
	assert_false(raises(&f, event));
	event.type = INTR_TYPE_SOFTWARE_EXCEPTION;
	event.insn_length = 1;
	assert_true(raises(&f, event));
	assert_int_equal(GET(&f, EXIT_INTERRUPTION_INFO), 0x80000603);
	assert_int_equal(GET(&f, EXIT_INSTRUCTION_LENGTH), 1);
	stop(&f);
}

/* SDM 3C "Exception Bitmap": bit 14 with mask and match, all four combinations. */
static void test_page_fault_filter(void **state)
{
	struct fixture f;

	for (unsigned bit = 0; bit < 2; bit++) {
		start_vmx(&f);
		SET(&f, EXCEPTION_BITMAP, (uint64_t)bit << VECTOR_PF);
		SET(&f, PAGE_FAULT_ERROR_CODE_MASK, PFEC_U);
		SET(&f, PAGE_FAULT_ERROR_CODE_MATCH, PFEC_U);
		enter(&f);
		assert_int_equal(raises(&f, page_fault(PFEC_U | PFEC_W)), bit);
		assert_int_equal(raises(&f, page_fault(PFEC_W)), !bit);
		assert_int_equal(GET(&f, EXIT_QUALIFICATION), 0xabcdef);
		assert_int_equal(GET(&f, EXIT_INTERRUPTION_INFO), 0x80000b0e);
		assert_int_equal(GET(&f, EXIT_INTERRUPTION_ERROR_CODE),
				 bit ? PFEC_U | PFEC_W : PFEC_W);
		stop(&f);
	}
}

static void test_debug_exception(void **state)
{
	struct cpu_event event = {
		.vector = VECTOR_DB, .type = INTR_TYPE_HARDWARE_EXCEPTION, .dr6 = DR6_BS | 5};
	struct fixture f;

	start_vmx(&f);
	SET(&f, EXCEPTION_BITMAP, 1u << VECTOR_DB);
	enter(&f);
	f.cpu->dr6 = 0x1234;
	assert_true(raises(&f, event));
	assert_int_equal(GET(&f, EXIT_QUALIFICATION), DR6_BS | 5);
	assert_int_equal(f.cpu->dr6, 0x1234);
	stop(&f);
}

/* ---- IDT-vectoring information ---- */

static void test_idt_vectoring(void **state)
{
	struct cpu_event double_fault = {
		.vector = VECTOR_DF, .type = INTR_TYPE_HARDWARE_EXCEPTION, .has_error = true};
	struct fixture f;

	start_vmx(&f);
	SET(&f, EXCEPTION_BITMAP, UINT32_MAX);
	enter(&f);
	f.cpu->delivering = page_fault(PFEC_W);
	f.cpu->delivering.valid = true;
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_exit_ept_misconfiguration(f.cpu, 0x5000)));
	assert_int_equal(GET(&f, IDT_VECTORING_INFO), 0x80000b0e);
	assert_int_equal(GET(&f, IDT_VECTORING_ERROR_CODE), PFEC_W);
	assert_int_equal(GET(&f, GUEST_PHYSICAL_ADDRESS), 0x5000);
	assert_false(f.cpu->delivering.valid);
	/* A software interrupt brings its instruction's length. */
	enter(&f);
	f.cpu->delivering = (struct cpu_event){.valid = true,
					       .vector = 0x80,
					       .type = INTR_TYPE_SOFTWARE_INTERRUPT,
					       .insn_length = 2};
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_exit_ept_violation(f.cpu, 0x5000, 0, false, 0)));
	assert_int_equal(GET(&f, IDT_VECTORING_INFO), 0x80000480);
	assert_int_equal(GET(&f, EXIT_INSTRUCTION_LENGTH), 2);
	/* Double faults and triple faults are not "during event delivery". */
	enter(&f);
	f.cpu->delivering = page_fault(0);
	f.cpu->delivering.valid = true;
	assert_true(raises(&f, double_fault));
	assert_int_equal(GET(&f, IDT_VECTORING_INFO), 0);
	f.cpu->delivering = page_fault(0);
	f.cpu->delivering.valid = true;
	assert_true(EXITS_AT_BOUNDARY(&f, vmx_exit_triple_fault(f.cpu)));
	assert_exit(&f, EXIT_REASON_TRIPLE_FAULT, 0);
	assert_int_equal(GET(&f, IDT_VECTORING_INFO), 0);
	stop(&f);
}

/* ---- RFLAGS.RF, SDM 3C "Saving RIP, RSP, RFLAGS, and SSP" ---- */

static void test_resume_flag(void **state)
{
	struct cpu_event gp = {
		.valid = true, .vector = VECTOR_GP, .type = INTR_TYPE_HARDWARE_EXCEPTION};
	struct fixture f;

	start_vmx(&f);
	SET(&f, EXCEPTION_BITMAP, 1u << VECTOR_GP);
	SET(&f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_RF);
	enter(&f);
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	assert_int_equal(GET(&f, GUEST_RFLAGS), RFLAGS_FIXED1);
	enter(&f);
	EXITS(&f, vmx_exit_ept_misconfiguration(f.cpu, 0));
	assert_int_equal(GET(&f, GUEST_RFLAGS), RFLAGS_FIXED1 | RFLAGS_RF);
	SET(&f, GUEST_RFLAGS, RFLAGS_FIXED1);
	enter(&f);
	EXITS_AT_BOUNDARY(&f, vmx_intercept_exception(f.cpu, &gp));
	assert_int_equal(GET(&f, GUEST_RFLAGS), RFLAGS_FIXED1 | RFLAGS_RF);
	/* During delivery, what the event would have pushed: an interrupt no RF, a fault RF. */
	SET(&f, GUEST_RFLAGS, RFLAGS_FIXED1);
	enter(&f);
	f.cpu->delivering = (struct cpu_event){.valid = true, .vector = 0x30};
	EXITS_AT_BOUNDARY(&f, vmx_exit_ept_misconfiguration(f.cpu, 0));
	assert_int_equal(GET(&f, GUEST_RFLAGS), RFLAGS_FIXED1);
	enter(&f);
	f.cpu->delivering = gp;
	EXITS_AT_BOUNDARY(&f, vmx_exit_ept_misconfiguration(f.cpu, 0));
	assert_int_equal(GET(&f, GUEST_RFLAGS), RFLAGS_FIXED1 | RFLAGS_RF);
	stop(&f);
}

/* ---- VMX instructions in non-root operation ---- */

static void test_vmx_instructions_exit(void **state)
{
	static const struct {
		handler *insn;
		enum vmx_exit_reason reason;
		uint64_t qualification; /* the displacement, where there is an operand */
	} insns[] = {
		{insn_vmxon, EXIT_REASON_VMXON, 0x40},
		{insn_vmxoff, EXIT_REASON_VMXOFF, 0x40},
		{insn_vmclear, EXIT_REASON_VMCLEAR, 0x40},
		{insn_vmptrld, EXIT_REASON_VMPTRLD, 0x40},
		{insn_vmptrst, EXIT_REASON_VMPTRST, 0x40},
		{insn_vmread, EXIT_REASON_VMREAD, 0x40},
		{insn_vmwrite, EXIT_REASON_VMWRITE, 0x40},
		{insn_vmlaunch, EXIT_REASON_VMLAUNCH, 0},
		{insn_vmresume, EXIT_REASON_VMRESUME, 0},
		{insn_vmcall, EXIT_REASON_VMCALL, 0},
		{insn_invept, EXIT_REASON_INVEPT, 0x40},
		{insn_invvpid, EXIT_REASON_INVVPID, 0x40},
	};
	struct fixture f;

	start_vmx(&f);
	for (size_t i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
		bool no_operand = insns[i].insn == insn_vmxoff;

		enter(&f);
		f.cpu->cpl = 3; /* the exit comes before the privilege check */
		f.op.disp = 0x40;
		f.op.flags = no_operand ? 0 : OP_MEMORY;
		assert_true(call(&f, insns[i].insn));
		assert_exit(&f, insns[i].reason, no_operand ? 0 : insns[i].qualification);
		assert_int_equal(GET(&f, EXIT_INSTRUCTION_LENGTH), 4);
		f.op.disp = 0;
		f.op.flags = OP_MEMORY;
	}
	stop(&f);
}

/* VMCALL exits in every mode, the others are #UD outside protected mode. */
static void test_vmcall_in_virtual_8086_mode(void **state)
{
	struct fixture f;

	start_vmx(&f);
	enter(&f);
	f.cpu->eflags_rest |= RFLAGS_VM;
	assert_true(call(&f, insn_vmclear));
	assert_faults(&f, VECTOR_UD);
	assert_true(call(&f, insn_vmcall));
	assert_exit(&f, EXIT_REASON_VMCALL, 0);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_pause_loop),
		cmocka_unit_test(test_xsaves),
		cmocka_unit_test(test_mov_dr_and_task_switch),
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_string_io),
		cmocka_unit_test(test_msr_bitmap),
		cmocka_unit_test(test_exception_bitmap),
		cmocka_unit_test(test_page_fault_filter),
		cmocka_unit_test(test_debug_exception),
		cmocka_unit_test(test_idt_vectoring),
		cmocka_unit_test(test_resume_flag),
		cmocka_unit_test(test_vmx_instructions_exit),
		cmocka_unit_test(test_vmcall_in_virtual_8086_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
