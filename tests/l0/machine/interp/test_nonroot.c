/* SPDX-License-Identifier: BSD-2-Clause
 *
 * System instructions and event delivery in VMX non-root operation: what comes first, fault or
 * exit. SDM 3C "Relative Priority of Faults and VM Exits", "Treatment of Task Switches",
 * "Information for VM Exits During Event Delivery".
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

#include "l0/machine/interp/insn_table.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/sys.h"

enum { GDT = 0x20000, IDT = 0x21000, TSS = 0x22000 };

static const uint64_t code64 = UINT64_C(0x00af9b000000ffff);

/* In the guest, at privilege `cpl`; `set` changes the controls before the entry. */
static void start_guest(struct fixture *f, void (*set)(struct fixture *f), unsigned cpl)
{
	start_vmx(f);
	if (set)
		set(f);
	SET(f, GUEST_GDTR_BASE, GDT);
	SET(f, GUEST_GDTR_LIMIT, 0xfff);
	SET(f, GUEST_IDTR_BASE, IDT);
	SET(f, GUEST_IDTR_LIMIT, 0xfff);
	poke64(f, GDT + 0x10, code64);
	enter(f);
	f->cpu->cpl = (uint8_t)cpl;
	f->cpu->gpr[REG_RBX] = OPERAND;
}

/* ---- instructions ---- */

enum { EXITS_NOT = 0xff };
struct priority {
	const char *what;
	handler *insn;
	void (*set)(struct fixture *f);
	uint8_t cpl;
	uint8_t reg;
	uint64_t rax;
	uint8_t fault; /* vector, or 0 and then: */
	uint8_t exit;  /* reason, or EXITS_NOT */
};

static void hlt_exiting(struct fixture *f)
{
	ENABLE(f, PRIMARY_CONTROLS, PRIMARY_HLT_EXITING);
}
static void invlpg_exiting(struct fixture *f)
{
	ENABLE(f, PRIMARY_CONTROLS, PRIMARY_INVLPG_EXITING);
}
static void mov_dr_exiting(struct fixture *f)
{
	ENABLE(f, PRIMARY_CONTROLS, PRIMARY_MOV_DR_EXITING);
	SET(f, GUEST_CR4, GET(f, GUEST_CR4) | CR4_DE);
}
static void descriptor_exiting(struct fixture *f)
{
	secondary(f, SECONDARY_DESCRIPTOR_TABLE_EXITING);
	SET(f, GUEST_CR4, GET(f, GUEST_CR4) | CR4_UMIP);
}
static void invpcid_exiting(struct fixture *f)
{
	secondary(f, SECONDARY_ENABLE_INVPCID);
	invlpg_exiting(f);
}
static void own_cr0(struct fixture *f)
{
	SET(f, CR0_GUEST_HOST_MASK, UINT64_MAX);
	SET(f, CR0_READ_SHADOW, 0);
}
static void load_cr3_exiting(struct fixture *f)
{
	ENABLE(f, PRIMARY_CONTROLS, PRIMARY_CR3_LOAD_EXITING);
}

static const struct priority priorities[] = {
	{"HLT", insn_hlt, hlt_exiting, 0, 0, 0, 0, EXIT_REASON_HLT},
	{"HLT at level 3", insn_hlt, hlt_exiting, 3, 0, 0, VECTOR_GP, 0},
	{"HLT without the control", insn_hlt, NULL, 0, 0, 0, 0, EXITS_NOT},
	{"INVLPG", insn_invlpg, invlpg_exiting, 0, 0, 0, 0, EXIT_REASON_INVLPG},
	{"INVLPG at level 3", insn_invlpg, invlpg_exiting, 3, 0, 0, VECTOR_GP, 0},
	{"INVD", insn_invd, NULL, 0, 0, 0, 0, EXIT_REASON_INVD},
	{"INVD at level 3", insn_invd, NULL, 3, 0, 0, VECTOR_GP, 0},
	{"MOV DR at level 3 exits", insn_mov_to_dr, mov_dr_exiting, 3, 0, 0, 0, EXIT_REASON_MOV_DR},
	{"MOV DR4 with DE exits", insn_mov_to_dr, mov_dr_exiting, 0, 4, 0, 0, EXIT_REASON_MOV_DR},
	{"MOV DR8 does not exist", insn_mov_to_dr, mov_dr_exiting, 0, 8, 0, VECTOR_UD, 0},
	{"MOV DR at level 3", insn_mov_to_dr, NULL, 3, 0, 0, VECTOR_GP, 0},
	{"LGDT", insn_lgdt, descriptor_exiting, 0, 0, 0, 0, EXIT_REASON_GDTR_IDTR_ACCESS},
	{"LGDT at level 3", insn_lgdt, descriptor_exiting, 3, 0, 0, VECTOR_GP, 0},
	{"SGDT at level 3 with UMIP", insn_sgdt, descriptor_exiting, 3, 0, 0, VECTOR_GP, 0},
	{"LTR", insn_ltr, descriptor_exiting, 0, 0, 0, 0, EXIT_REASON_LDTR_TR_ACCESS},
	{"INVPCID not enabled, level 3", insn_invpcid, NULL, 3, 0, 0, VECTOR_UD, 0},
	{"INVPCID, level 3", insn_invpcid, invpcid_exiting, 3, 0, 0, VECTOR_GP, 0},
	{"INVPCID of a bad type exits", insn_invpcid, invpcid_exiting, 0, REG_RAX, 9, 0,
	 EXIT_REASON_INVPCID},
	{"bad CR0 exits", insn_mov_to_cr, own_cr0, 0, 0, BIT64(63), 0, EXIT_REASON_CR_ACCESS},
	{"bad CR0 unowned", insn_mov_to_cr, NULL, 0, 0, BIT64(63), VECTOR_GP, 0},
	{"MOV CR0 at level 3", insn_mov_to_cr, own_cr0, 3, 0, 0, VECTOR_GP, 0},
	{"bad CR3 exits", insn_mov_to_cr, load_cr3_exiting, 0, 3, BIT64(60), 0,
	 EXIT_REASON_CR_ACCESS},
	{"bad CR3", insn_mov_to_cr, NULL, 0, 3, BIT64(60), VECTOR_GP, 0},
	{"MOV CR5", insn_mov_to_cr, own_cr0, 0, 5, 0, VECTOR_UD, 0},
	{"CLTS at level 3", insn_clts, own_cr0, 3, 0, 0, VECTOR_GP, 0},
};

static void test_priorities(void **state)
{
	for (unsigned i = 0; i < sizeof(priorities) / sizeof(*priorities); i++) {
		const struct priority *row = &priorities[i];
		struct fixture f;

		print_message("%s\n", row->what);
		start_guest(&f, row->set, row->cpl);
		f.op.reg = row->reg;
		if (row->insn == insn_mov_to_dr || row->insn == insn_mov_to_cr) {
			f.op.flags = 0;
			f.op.rm = REG_RAX;
		}
		f.cpu->gpr[REG_RAX] = row->rax;
		assert_int_equal(call(&f, row->insn), row->fault || row->exit != EXITS_NOT);
		assert_int_equal(f.cpu->vmx->nonroot, row->fault || row->exit == EXITS_NOT);
		if (row->fault)
			assert_faults(&f, (enum x86_vector)row->fault);
		else if (row->exit != EXITS_NOT)
			assert_int_equal(GET(&f, EXIT_REASON), row->exit);
		stop(&f);
	}
}

static void test_smsw_reads_the_shadow(void **state)
{
	struct fixture f;

	start_guest(&f, own_cr0, 0);
	f.op.flags = 0;
	f.op.rm = REG_RAX;
	assert_false(call(&f, insn_smsw));
	assert_int_equal(f.cpu->gpr[REG_RAX], 0);
	stop(&f);
}

/* ---- event delivery ---- */

static void put_gate(struct fixture *f, unsigned vector, unsigned type)
{
	poke64(f, IDT + 16 * vector,
	       (GUEST_ENTRY & 0xffff) | 0x10 << 16 | (uint64_t)(type | 0x80) << 40 |
		       (uint64_t)(GUEST_ENTRY >> 16) << 48);
	poke64(f, IDT + 16 * vector + 8, 0);
}

/* Delivers as the run loop does until something is in the handler or in the host. */
static void deliver(struct fixture *f, const struct cpu_event *event)
{
	f->cpu->op = NULL;
	f->cpu->event = *event;
	f->cpu->escape = &f->escape;
	(void)setjmp(f->escape);
	if (f->cpu->event.valid && f->cpu->vmx->nonroot)
		cpu_deliver_event(f->cpu);
}

static const struct cpu_event page_fault = {.valid = true, .vector = VECTOR_PF, .cr2 = 0xabc,
					    .type = INTR_TYPE_HARDWARE_EXCEPTION, .has_error = true,
					    .error = 2};
static const struct cpu_event undefined = {.valid = true, .vector = VECTOR_UD,
					   .type = INTR_TYPE_HARDWARE_EXCEPTION};

#define VALID_EXCEPTION(vector) (INTR_INFO_VALID | INTR_TYPE_HARDWARE_EXCEPTION << 8 | (vector))

static void intercept_pf_gp(struct fixture *f)
{
	SET(f, EXCEPTION_BITMAP, BIT32(VECTOR_PF) | BIT32(VECTOR_GP));
}
static void intercept_df(struct fixture *f)
{
	SET(f, EXCEPTION_BITMAP, BIT32(VECTOR_DF));
}

static void test_intercepted_exception_leaves_no_trace(void **state)
{
	struct fixture f;

	start_guest(&f, intercept_pf_gp, 0);
	f.cpu->cr2 = 1;
	deliver(&f, &page_fault);
	assert_exit(&f, EXIT_REASON_EXCEPTION_OR_NMI, 0xabc);
	assert_int_equal(f.cpu->cr2, 1);
	assert_int_equal(GET(&f, IDT_VECTORING_INFO) & INTR_INFO_VALID, 0);
	stop(&f);
}

static void intercept_nm_mf(struct fixture *f)
{
	SET(f, EXCEPTION_BITMAP, BIT32(VECTOR_NM) | BIT32(VECTOR_MF));
}

static uint16_t row_of(const char *encoding)
{
	unsigned row = 0;

	while (strcmp(insn_row(row)->encoding, encoding) != 0)
		row++;
	return (uint16_t)row;
}

/* FNOP with CR0.TS, and with an error pending. */
static void test_x87_faults(void **state)
{
	static const uint8_t vectors[] = {VECTOR_NM, VECTOR_MF};

	for (unsigned i = 0; i < 4; i++) {
		struct cpu_event event;
		struct fixture f;

		start_guest(&f, i & 2 ? intercept_nm_mf : NULL, 0);
		f.op = (struct op){.row = row_of("D9 =D0"), .len = 2};
		if (i & 1) {
			x87_set_word(f.cpu, X87_FCW, 0x37b);
			x87_set_word(f.cpu, X87_FSW, 0x8084);
		} else {
			f.cpu->cr0 |= CR0_TS;
		}
		assert_true(call(&f, x87_execute));
		event = f.cpu->event;
		if (i & 2) {
			deliver(&f, &event);
			assert_exit(&f, EXIT_REASON_EXCEPTION_OR_NMI, 0);
			assert_int_equal(GET(&f, EXIT_INTERRUPTION_INFO),
					 VALID_EXCEPTION(vectors[i & 1]));
		} else {
			assert_faults(&f, vectors[i & 1]);
		}
		stop(&f);
	}
}

/* No gate for #UD: #GP, which exits with the #UD as what was being delivered. */
static void test_nested_exception_exits(void **state)
{
	struct fixture f;

	start_guest(&f, intercept_pf_gp, 0);
	deliver(&f, &undefined);
	assert_exit(&f, EXIT_REASON_EXCEPTION_OR_NMI, 0);
	assert_int_equal(GET(&f, EXIT_INTERRUPTION_INFO),
			 VALID_EXCEPTION(VECTOR_GP) | INTR_INFO_ERROR_CODE);
	assert_int_equal(GET(&f, EXIT_INTERRUPTION_ERROR_CODE),
			 VECTOR_UD * 8 | ERROR_IDT | ERROR_EXT);
	assert_int_equal(GET(&f, IDT_VECTORING_INFO), VALID_EXCEPTION(VECTOR_UD));
	stop(&f);
}

/* #PF then #GP is #DF, and its exit is not one during event delivery. */
static void test_double_fault_exits(void **state)
{
	struct fixture f;

	start_guest(&f, intercept_df, 0);
	deliver(&f, &page_fault);
	assert_exit(&f, EXIT_REASON_EXCEPTION_OR_NMI, 0);
	assert_int_equal(GET(&f, EXIT_INTERRUPTION_INFO),
			 VALID_EXCEPTION(VECTOR_DF) | INTR_INFO_ERROR_CODE);
	assert_int_equal(GET(&f, IDT_VECTORING_INFO) & INTR_INFO_VALID, 0);
	stop(&f);
}

static void test_triple_fault_exits(void **state)
{
	struct fixture f;

	start_guest(&f, NULL, 0);
	deliver(&f, &page_fault);
	assert_exit(&f, EXIT_REASON_TRIPLE_FAULT, 0);
	assert_int_equal(f.machine.stop, STOP_NONE);
	stop(&f);
}

/* What VM entry injects does not exit by its own vector, but what it runs into does. */
static void test_injected(void **state)
{
	struct cpu_event injected = page_fault;
	struct fixture f;

	injected.injected = true;
	start_guest(&f, intercept_pf_gp, 0);
	put_gate(&f, VECTOR_PF, DESC_INT_GATE);
	deliver(&f, &injected);
	assert_true(f.cpu->vmx->nonroot);
	assert_int_equal(cpu_rip(f.cpu), GUEST_ENTRY);
	put_gate(&f, VECTOR_PF, DESC_CALL_GATE);
	deliver(&f, &injected);
	assert_exit(&f, EXIT_REASON_EXCEPTION_OR_NMI, 0);
	assert_int_equal(GET(&f, EXIT_INTERRUPTION_INFO) & INTR_INFO_VECTOR, VECTOR_GP);
	assert_int_equal(GET(&f, IDT_VECTORING_INFO) & INTR_INFO_VECTOR, VECTOR_PF);
	stop(&f);
}

/* ---- task switches ---- */

static void legacy_guest(struct fixture *f)
{
	SET(f, ENTRY_CONTROLS, GET(f, ENTRY_CONTROLS) & ~(uint64_t)ENTRY_IA32E_MODE_GUEST);
	SET(f, GUEST_CR4, CR4_VMXE | CR4_PSE);
	SET(f, GUEST_CR3, PML4 + 0x20000);
	poke32(f, PML4 + 0x20000, PTE_P | PTE_W | PTE_U | PTE_PS);
	guest_segment(f->cpu->vmx->vmcs, SEG_CS, 0x10, 0xc09b);
}

/* Type, presence and limit are checked first; then the exit takes the place of the switch. */
static void test_task_switch(void **state)
{
	static const struct {
		uint64_t tss;
		uint8_t fault;
	} rows[] = {
		{UINT64_C(0x0000890200000067) | (uint64_t)0x2000 << 16, 0},
		{UINT64_C(0x00008b0200000067), VECTOR_GP}, /* busy */
		{UINT64_C(0x0000090200000067), VECTOR_NP},
		{UINT64_C(0x0000890200000066), VECTOR_TS},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture f;

		start_guest(&f, legacy_guest, 0);
		poke64(&f, GDT + 0x28, rows[i].tss);
		f.op.flags = 0;
		f.op.opsize = 4;
		f.op.disp = 0x28;
		assert_true(call(&f, insn_far_call));
		if (rows[i].fault)
			assert_faults(&f, (enum x86_vector)rows[i].fault);
		else
			assert_exit(&f, EXIT_REASON_TASK_SWITCH, 0x28);
		stop(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_smsw_reads_the_shadow),
		cmocka_unit_test(test_intercepted_exception_leaves_no_trace),
		cmocka_unit_test(test_x87_faults),
		cmocka_unit_test(test_nested_exception_exits),
		cmocka_unit_test(test_double_fault_exits),
		cmocka_unit_test(test_triple_fault_exits),
		cmocka_unit_test(test_injected),
		cmocka_unit_test(test_task_switch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
