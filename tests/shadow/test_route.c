/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Who gets an exit of L2: each row of exit_routes.def in the ways it can go.
 */
#include "shadow/route.h"
#include "tests/shadow/fixture.h"

enum answer { NEVER, ALWAYS, BIT, ASK };
static const struct route_case {
	uint32_t reason;
	enum answer l1;
	uint32_t encoding, mask; /* BIT: of VMCS12 */
} rows[] = {
#define ALWAYS ALWAYS, 0, 0
#define NEVER NEVER, 0, 0
#define ASK(f) ASK, 0, 0
#define PIN(name) BIT, VMCS_PIN_BASED_CONTROLS, (uint32_t)PIN_##name
#define PRIMARY(name) BIT, VMCS_PRIMARY_CONTROLS, (uint32_t)PRIMARY_##name
#define SECONDARY(name) BIT, VMCS_SECONDARY_CONTROLS, (uint32_t)SECONDARY_##name
#define ROUTE(reason, first, l0, l1, info) {EXIT_REASON_##reason, l1},
#include "shadow/exit_routes.def"
#undef ROUTE
#undef ALWAYS
#undef NEVER
#undef ASK
#undef PIN
#undef PRIMARY
#undef SECONDARY
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Asks the router alone, with the control words in VMCS12 as they stand. */
static enum route ask(struct fixture *f, uint32_t reason)
{
	struct l2_exit x = {
	    .v = &f->v, .slot = f->v.current, .regs = &f->regs, .as = {.reason = reason}};

	return route_l2_exit(&x);
}

static void start(struct fixture *f)
{
	l1_prepare(f);
	l1_launch(f);
	f->fake.current = fake_vmcs_at(&f->fake, HPA02(f));
}

static uint64_t *field12(struct fixture *f, uint32_t encoding)
{
	return &f->v.current->v12.field[vmcs_field_index(encoding)];
}

/* Rows that hang on a bit go to L1 with it and to L0 without. */
static void by_control(void **state)
{
	struct fixture *f = *state;

	start(f);
	for (unsigned i = 0; i < ROWS; i++) {
		uint64_t *field = field12(f, rows[i].encoding ? rows[i].encoding : VMCS_GUEST_RIP);
		uint64_t old = *field;

		if (rows[i].l1 == ALWAYS) {
			assert_int_equal(ask(f, rows[i].reason), ROUTE_L1);
			continue;
		}
		if (rows[i].l1 == NEVER) {
			assert_int_equal(ask(f, rows[i].reason), ROUTE_L0);
			continue;
		}
		if (rows[i].l1 != BIT || rows[i].reason == EXIT_REASON_EPT_VIOLATION ||
		    rows[i].reason == EXIT_REASON_EPT_MISCONFIGURATION)
			continue; /* below, and test_ept02.c */
		*field = old | rows[i].mask;
		assert_int_equal(ask(f, rows[i].reason), ROUTE_L1);
		*field = old & ~(uint64_t)rows[i].mask;
		assert_int_equal(ask(f, rows[i].reason), ROUTE_L0);
		*field = old;
	}
	assert_int_equal(ask(f, 35), ROUTE_L0); /* no such reason */
	assert_int_equal(ask(f, 0xfff), ROUTE_L0);
}

/* Exceptions by the bitmaps of 12 and 01. */
static void exceptions(void **state)
{
	struct fixture *f = *state;
	const uint32_t hard = INTR_INFO_VALID | INTR_TYPE_HARDWARE_EXCEPTION
						    << INTR_INFO_TYPE_SHIFT;

	start(f);
	SET02(f, EXIT_INTERRUPTION_INFO, hard | VECTOR_UD);
	assert_int_equal(ask(f, EXIT_REASON_EXCEPTION_OR_NMI), ROUTE_L0);
	*field12(f, VMCS_EXCEPTION_BITMAP) = BIT32(VECTOR_UD);
	assert_int_equal(ask(f, EXIT_REASON_EXCEPTION_OR_NMI), ROUTE_L1);
	vmcs_set(&f->vmcs01, EXCEPTION_BITMAP, BIT32(VECTOR_UD));
	assert_int_equal(ask(f, EXIT_REASON_EXCEPTION_OR_NMI), ROUTE_L0);
	vmcs_set(&f->vmcs01, EXCEPTION_BITMAP, 0);
}

static void exceptions_filter(void **state)
{
	struct fixture *f = *state;
	const uint32_t pf = INTR_INFO_VALID | INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT |
			    VECTOR_PF | INTR_INFO_ERROR_CODE;
	/* bit 14, mask, match, code -> exits to L1 */
	static const struct {
		bool bit;
		uint32_t mask, match, code;
		bool exits;
	} cases[] = {
	    {true, 0, 0, PFEC_W, true},		  {false, 0, 0, PFEC_W, false},
	    {true, PFEC_W, PFEC_W, PFEC_W, true}, {true, PFEC_W, PFEC_W, 0, false},
	    {false, PFEC_W, PFEC_W, 0, true},	  {false, PFEC_W, PFEC_W, PFEC_W, false},
	    {true, 0, 1, PFEC_W, false},	  {false, 0, 1, PFEC_W, true},
	};

	start(f);
	SET02(f, EXIT_INTERRUPTION_INFO, pf);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		SET02(f, EXIT_INTERRUPTION_ERROR_CODE, cases[i].code);
		*field12(f, VMCS_EXCEPTION_BITMAP) = cases[i].bit ? BIT32(VECTOR_PF) : 0;
		*field12(f, VMCS_PAGE_FAULT_ERROR_CODE_MASK) = cases[i].mask;
		*field12(f, VMCS_PAGE_FAULT_ERROR_CODE_MATCH) = cases[i].match;
		assert_int_equal(ask(f, EXIT_REASON_EXCEPTION_OR_NMI),
				 cases[i].exits ? ROUTE_L1 : ROUTE_L0);
	}
}

static void nmis_and_interrupts(void **state)
{
	struct fixture *f = *state;

	start(f);
	SET02(f, EXIT_INTERRUPTION_INFO,
	      INTR_INFO_VALID | INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT | VECTOR_NMI);
	assert_int_equal(ask(f, EXIT_REASON_EXCEPTION_OR_NMI), ROUTE_L0);
	*field12(f, VMCS_PIN_BASED_CONTROLS) |= PIN_NMI_EXITING | PIN_EXTERNAL_INTERRUPT_EXITING;
	assert_int_equal(ask(f, EXIT_REASON_EXCEPTION_OR_NMI), ROUTE_L1);
	assert_int_equal(ask(f, EXIT_REASON_EXTERNAL_INTERRUPT), ROUTE_L1);
	vmcs_set(&f->vmcs01, PIN_BASED_CONTROLS,
		 vmcs_get(&f->vmcs01, PIN_BASED_CONTROLS) | PIN_NMI_EXITING |
		     PIN_EXTERNAL_INTERRUPT_EXITING);
	assert_int_equal(ask(f, EXIT_REASON_EXCEPTION_OR_NMI), ROUTE_L0);
	assert_int_equal(ask(f, EXIT_REASON_EXTERNAL_INTERRUPT), ROUTE_L0);
}

static void cr_accesses(void **state)
{
	struct fixture *f = *state;
	static const struct {
		unsigned cr, type;
		uint32_t control; /* 0: L1's masks alone */
	} cases[] = {
	    {0, CR_ACCESS_MOV_TO, 0},
	    {4, CR_ACCESS_MOV_TO, 0},
	    {0, CR_ACCESS_CLTS, 0},
	    {0, CR_ACCESS_LMSW, 0},
	    {3, CR_ACCESS_MOV_TO, (uint32_t)PRIMARY_CR3_LOAD_EXITING},
	    {3, CR_ACCESS_MOV_FROM, (uint32_t)PRIMARY_CR3_STORE_EXITING},
	    {8, CR_ACCESS_MOV_TO, (uint32_t)PRIMARY_CR8_LOAD_EXITING},
	    {8, CR_ACCESS_MOV_FROM, (uint32_t)PRIMARY_CR8_STORE_EXITING},
	};

	start(f);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		SET02(f, EXIT_QUALIFICATION, cases[i].cr | cases[i].type << 4);
		*field12(f, VMCS_PRIMARY_CONTROLS) &= ~(uint64_t)cases[i].control;
		assert_int_equal(ask(f, EXIT_REASON_CR_ACCESS),
				 cases[i].control ? ROUTE_L0 : ROUTE_L1);
		*field12(f, VMCS_PRIMARY_CONTROLS) |= cases[i].control;
		assert_int_equal(ask(f, EXIT_REASON_CR_ACCESS), ROUTE_L1);
	}
}

static void set_bit(struct fixture *f, uint64_t page, unsigned bit)
{
	f->fake.ram[page + bit / 8] |= (uint8_t)(1u << bit % 8);
}

static void io(void **state)
{
	struct fixture *f = *state;

	start(f);
	SET02(f, EXIT_QUALIFICATION,
	      UINT64_C(0x7fff) << 16 | 1); /* 2 bytes: ports 7fffh and 8000h */
	assert_int_equal(ask(f, EXIT_REASON_IO_INSTRUCTION), ROUTE_L0);
	*field12(f, VMCS_PRIMARY_CONTROLS) |= (uint32_t)PRIMARY_UNCONDITIONAL_IO_EXITING;
	assert_int_equal(ask(f, EXIT_REASON_IO_INSTRUCTION), ROUTE_L1);
	*field12(f, VMCS_PRIMARY_CONTROLS) |= (uint32_t)PRIMARY_USE_IO_BITMAPS;
	*field12(f, VMCS_IO_BITMAP_A) = IO_PAGE_A;
	*field12(f, VMCS_IO_BITMAP_B) = IO_PAGE_B;
	assert_int_equal(ask(f, EXIT_REASON_IO_INSTRUCTION), ROUTE_L0);
	set_bit(f, IO_PAGE_B, 0);
	assert_int_equal(ask(f, EXIT_REASON_IO_INSTRUCTION), ROUTE_L1);
	SET02(f, EXIT_QUALIFICATION, UINT64_C(0x7fff) << 16);
	assert_int_equal(ask(f, EXIT_REASON_IO_INSTRUCTION), ROUTE_L0);
	SET02(f, EXIT_QUALIFICATION, UINT64_C(0xfffe) << 16 | 3); /* wraps around */
	assert_int_equal(ask(f, EXIT_REASON_IO_INSTRUCTION), ROUTE_L1);
	*field12(f, VMCS_IO_BITMAP_A) = UINT64_C(0x80000000); /* no memory: all ones */
	SET02(f, EXIT_QUALIFICATION, UINT64_C(0x10) << 16);
	assert_int_equal(ask(f, EXIT_REASON_IO_INSTRUCTION), ROUTE_L1);
}

static void msrs(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint32_t msr;
		unsigned read_bit, write_bit; /* in the page; 0, 0: outside both ranges */
	} cases[] = {
	    {0x10, 0x10, 0x4010},
	    {0x1fff, 0x1fff, 0x5fff},
	    {0xc0000080, 0x2080, 0x6080},
	    {0xc0001fff, 0x3fff, 0x7fff},
	};
	static const uint32_t outside[] = {0x2000, 0xbfffffff, 0xc0002000, 0x40000000};

	start(f);
	assert_int_equal(ask(f, EXIT_REASON_RDMSR), ROUTE_L1); /* no bitmap: always */
	*field12(f, VMCS_PRIMARY_CONTROLS) |= (uint32_t)PRIMARY_USE_MSR_BITMAPS;
	*field12(f, VMCS_MSR_BITMAP) = MSR_PAGE;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f->regs.gpr[REG_RCX] = cases[i].msr;
		assert_int_equal(ask(f, EXIT_REASON_RDMSR), ROUTE_L0);
		assert_int_equal(ask(f, EXIT_REASON_WRMSR), ROUTE_L0);
		set_bit(f, MSR_PAGE, cases[i].read_bit);
		assert_int_equal(ask(f, EXIT_REASON_RDMSR), ROUTE_L1);
		assert_int_equal(ask(f, EXIT_REASON_WRMSR), ROUTE_L0);
		set_bit(f, MSR_PAGE, cases[i].write_bit);
		assert_int_equal(ask(f, EXIT_REASON_WRMSR), ROUTE_L1);
	}
	for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		f->regs.gpr[REG_RCX] = outside[i];
		assert_int_equal(ask(f, EXIT_REASON_RDMSR), ROUTE_L1);
		assert_int_equal(ask(f, EXIT_REASON_WRMSR), ROUTE_L1);
	}
}

static void pause_apic_xss(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(ask(f, EXIT_REASON_PAUSE), ROUTE_L0);
	assert_int_equal(ask(f, EXIT_REASON_APIC_WRITE), ROUTE_L0);
	*field12(f, VMCS_SECONDARY_CONTROLS) |= SECONDARY_PAUSE_LOOP_EXITING;
	assert_int_equal(ask(f, EXIT_REASON_PAUSE), ROUTE_L1);
	*field12(f, VMCS_SECONDARY_CONTROLS) |= SECONDARY_APIC_REGISTER_VIRTUALIZATION;
	assert_int_equal(ask(f, EXIT_REASON_APIC_WRITE), ROUTE_L1);
	f->regs.gpr[REG_RDX] = 1;
	f->regs.gpr[REG_RAX] = 0x100;
	assert_int_equal(ask(f, EXIT_REASON_XSAVES), ROUTE_L0);
	*field12(f, VMCS_XSS_EXITING_BITMAP) = 0x100;
	assert_int_equal(ask(f, EXIT_REASON_XSAVES), ROUTE_L1);
	*field12(f, VMCS_XSS_EXITING_BITMAP) = BIT64(32);
	assert_int_equal(ask(f, EXIT_REASON_XRSTORS), ROUTE_L1);
}

/* VMREAD and VMWRITE of L2: L1's, unless L1 shadows and lets the field through. */
static void shadowed_accesses(void **state)
{
	struct fixture *f = *state;
	const uint32_t reg_form = BIT32(10) | REG_RAX << 3 | (uint32_t)REG_RDX << 28;

	l1_prepare(f);
	memset(f->fake.ram + VMREAD_PAGE, 0xff, 4096);
	memset(f->fake.ram + VMWRITE_PAGE, 0xff, 4096);
	f->fake.ram[VMREAD_PAGE + VMCS_EPT_POINTER / 8] &= (uint8_t) ~(1u << VMCS_EPT_POINTER % 8);
	f->fake.ram[VMWRITE_PAGE + VMCS_EPT_POINTER / 8] &= (uint8_t) ~(1u << VMCS_EPT_POINTER % 8);
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_VMCS_SHADOWING);
	l1_write(f, VMCS_VMREAD_BITMAP, VMREAD_PAGE);
	l1_write(f, VMCS_VMWRITE_BITMAP, VMWRITE_PAGE);
	l1_write(f, VMCS_VMCS_LINK_POINTER, VMCS_SHADOW);
	l1_launch(f);
	SET02(f, EXIT_INSTRUCTION_INFO, reg_form);
	f->regs.gpr[REG_RDX] = VMCS_EPT_POINTER;
	f->regs.gpr[REG_RAX] = 0x1234;
	assert_int_equal(l2_exit(f, EXIT_REASON_VMWRITE, 0), SHADOW_RESUME_L2);
	f->regs.gpr[REG_RAX] = 0;
	assert_int_equal(l2_exit(f, EXIT_REASON_VMREAD, 0), SHADOW_RESUME_L2);
	assert_int_equal(f->regs.gpr[REG_RAX], 0x1234);
	assert_int_equal(GET02(f, GUEST_RIP), L2_RIP + 4);
	/* An unsupported field: VMfailValid, and the number is in the current VMCS, which is L1's.
	 */
	f->fake.ram[VMREAD_PAGE + 0x7ffe / 8] &= (uint8_t) ~(1u << 0x7ffe % 8);
	f->regs.gpr[REG_RDX] = 0x7ffe;
	assert_int_equal(l2_exit(f, EXIT_REASON_VMREAD, 0), SHADOW_RESUME_L2);
	assert_int_equal(GET02(f, GUEST_RFLAGS) & RFLAGS_STATUS, RFLAGS_ZF);
	f->regs.gpr[REG_RDX] = VMCS_TSC_OFFSET;
	assert_int_equal(l2_exit(f, EXIT_REASON_VMREAD, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_INSTRUCTION_ERROR), VMX_ERROR_UNSUPPORTED_FIELD);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_VMREAD);
	/* L1 finds in its shadow VMCS what L2 wrote. */
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_SHADOW), SEEN_SUCCEED, 0);
	assert_int_equal(l1_read(f, VMCS_EPT_POINTER), 0x1234);
	assert_int_equal(l1_read(f, VMCS_INSTRUCTION_ERROR), 0);
}

#define L2_CR3 0x40000 /* as l1_prepare() has it */
#define L2_PAGE (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

/* L2 at OPERAND, through its own paging (one 2-MB page, identity) and EPT12; RDX: the field. */
static void start_l2_with_operand(struct fixture *f)
{
	const uint16_t bit = VMCS_EPT_POINTER;

	l1_prepare(f);
	memset(f->fake.ram + VMREAD_PAGE, 0xff, 4096);
	memset(f->fake.ram + VMWRITE_PAGE, 0xff, 4096);
	f->fake.ram[VMREAD_PAGE + bit / 8] &= (uint8_t)~(1u << bit % 8);
	f->fake.ram[VMWRITE_PAGE + bit / 8] &= (uint8_t)~(1u << bit % 8);
	fake_poke64(&f->fake, L2_CR3, (L2_CR3 + 0x1000) | L2_PAGE);
	fake_poke64(&f->fake, L2_CR3 + 0x1000, (L2_CR3 + 0x2000) | L2_PAGE);
	fake_poke64(&f->fake, L2_CR3 + 0x2000, L2_PAGE | PTE_PS);
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_VMCS_SHADOWING);
	l1_write(f, VMCS_VMREAD_BITMAP, VMREAD_PAGE);
	l1_write(f, VMCS_VMWRITE_BITMAP, VMWRITE_PAGE);
	l1_write(f, VMCS_VMCS_LINK_POINTER, VMCS_SHADOW);
	l1_launch(f);
	SET02(f, EXIT_INSTRUCTION_INFO, DESCRIPTOR_MEMORY | (uint32_t)REG_RDX << 28);
	f->regs.gpr[REG_RDX] = VMCS_EPT_POINTER;
}

static enum shadow_next l2_vmwrite_memory(struct fixture *f)
{
	return l2_exit(f, EXIT_REASON_VMWRITE, OPERAND);
}

static void shadowed_accesses_by_memory(void **state)
{
	struct fixture *f = *state;

	start_l2_with_operand(f);
	fake_poke64(&f->fake, OPERAND, 0x5678);
	assert_int_equal(l2_vmwrite_memory(f), SHADOW_RESUME_L2);
	fake_poke64(&f->fake, OPERAND, 0);
	assert_int_equal(l2_exit(f, EXIT_REASON_VMREAD, OPERAND), SHADOW_RESUME_L2);
	assert_int_equal(fake_peek64(&f->fake, OPERAND), 0x5678);
	assert_int_equal(GET02(f, GUEST_RIP), L2_RIP + 4);
	/* A page that EPT12 lets be read only: VMREAD is L1's to do. */
	fake_poke64(&f->fake, EPT_PT + 8 * (OPERAND >> PAGE_SHIFT), OPERAND | EPT_R | EPT_MT_WB);
	assert_int_equal(l2_vmwrite_memory(f), SHADOW_RESUME_L2);
	assert_int_equal(l2_exit(f, EXIT_REASON_VMREAD, OPERAND), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_VMREAD);
}

/* Faults of the operand are L2's, or exits where L1's exception bitmap says so. */
static void shadowed_accesses_that_fault(void **state)
{
	struct fixture *f = *state;
	const uint64_t fault = INTR_INFO_VALID | INTR_INFO_ERROR_CODE |
			       INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT;

	start_l2_with_operand(f);
	fake_poke64(&f->fake, L2_CR3 + 0x2000, 0);
	assert_int_equal(l2_vmwrite_memory(f), SHADOW_RESUME_L2);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), fault | VECTOR_PF);
	assert_int_equal(GET02(f, ENTRY_EXCEPTION_ERROR_CODE), 0);
	assert_int_equal(f->fake.cr2, OPERAND);
	assert_int_equal(GET02(f, GUEST_RIP), L2_RIP);
	SET02(f, GUEST_SS_ACCESS_RIGHTS, GET02(f, GUEST_SS_ACCESS_RIGHTS) | AR_DPL);
	assert_int_equal(l2_vmwrite_memory(f), SHADOW_RESUME_L2);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), fault | VECTOR_GP);
	SET02(f, GUEST_SS_ACCESS_RIGHTS, GET02(f, GUEST_SS_ACCESS_RIGHTS) & ~(uint64_t)AR_DPL);
	vmcs_set(&f->v.current->v12, EXCEPTION_BITMAP, BIT32(VECTOR_PF));
	f->fake.cr2 = 0;
	SET02(f, GUEST_RFLAGS, RFLAGS_FIXED1);
	assert_int_equal(l2_exit(f, EXIT_REASON_VMREAD, OPERAND), SHADOW_RESUME_L1);
	assert_int_equal(f->fake.cr2, 0);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_EXCEPTION_OR_NMI);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), OPERAND);
	assert_int_equal(l1_read(f, VMCS_EXIT_INTERRUPTION_INFO), fault | VECTOR_PF);
	assert_int_equal(l1_read(f, VMCS_EXIT_INTERRUPTION_ERROR_CODE), PFEC_W);
	assert_true(l1_read(f, VMCS_GUEST_RFLAGS) & RFLAGS_RF); /* as the fault would push it */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(by_control),
	    TEST(exceptions),
	    TEST(exceptions_filter),
	    TEST(nmis_and_interrupts),
	    TEST(cr_accesses),
	    TEST(io),
	    TEST(msrs),
	    TEST(pause_apic_xss),
	    TEST(shadowed_accesses),
	    TEST(shadowed_accesses_by_memory),
	    TEST(shadowed_accesses_that_fault),
	    cmocka_unit_test_setup_teardown(shadowed_accesses_by_memory,
					    fixture_setup_without_shadowing, fixture_teardown),
	    cmocka_unit_test_setup_teardown(shadowed_accesses_that_fault,
					    fixture_setup_without_shadowing, fixture_teardown),
	    cmocka_unit_test_setup_teardown(shadowed_accesses, fixture_setup_without_shadowing,
					    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
