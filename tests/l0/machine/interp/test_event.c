/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Event delivery: gate checks and their error codes, frames, stacks, double and triple faults,
 * payloads, and the order of events at an instruction boundary.
 */
#include "tests/l0/machine/interp/protect.h"

static const struct cpu_event software_80 = {
	.vector = 0x80, .type = INTR_TYPE_SOFTWARE_INTERRUPT, .insn_length = 2
};
static const struct cpu_event external_80 = { .vector = 0x80, .type = INTR_TYPE_EXTERNAL };

/* ---- gate checks ---- */

struct gate_row {
	const char *what;
	enum fixture_mode mode;
	uint8_t cpl;
	bool software;
	uint8_t type; /* with S as bit 4 */
	uint8_t dpl;
	bool absent;
	uint16_t selector;
	uint8_t vector;
	uint32_t error; /* without EXT */
};

#define IDT_80 (0x80 * 8 | ERROR_IDT)

static const struct gate_row gate_rows[] = {
	{ "interrupt gate", PROTECTED, 0, false, 14, 0, false, CODE32, NO_FAULT, 0 },
	{ "trap gate", PROTECTED, 0, false, 15, 0, false, CODE32, NO_FAULT, 0 },
	{ "16-bit interrupt gate", PROTECTED, 0, false, 6, 0, false, CODE16, NO_FAULT, 0 },
	{ "call gate in the IDT", PROTECTED, 0, false, 12, 0, false, CODE32, VECTOR_GP, IDT_80 },
	{ "segment in the IDT", PROTECTED, 0, false, 0x1e, 0, false, CODE32, VECTOR_GP, IDT_80 },
	{ "INT n above the DPL", PROTECTED, 3, true, 14, 0, false, CODE32, VECTOR_GP, IDT_80 },
	{ "INT n within the gate's DPL", PROTECTED, 3, true, 14, 3, false, CODE32, NO_FAULT, 0 },
	{ "interrupt asks no DPL", PROTECTED, 3, false, 14, 0, false, CODE32, NO_FAULT, 0 },
	{ "DPL before P", PROTECTED, 3, true, 14, 0, true, CODE32, VECTOR_GP, IDT_80 },
	{ "absent gate", PROTECTED, 0, false, 14, 0, true, CODE32, VECTOR_NP, IDT_80 },
	{ "null code selector", PROTECTED, 0, false, 14, 0, false, 0, VECTOR_GP, 0 },
	{ "selector beyond the GDT", PROTECTED, 0, false, 14, 0, false, BEYOND, VECTOR_GP, BEYOND },
	{ "data segment as handler", PROTECTED, 0, false, 14, 0, false, DATA32, VECTOR_GP, DATA32 },
	{ "handler less privileged", PROTECTED, 0, false, 14, 0, false, USER_CODE32, VECTOR_GP,
	  USER_CODE32 },
	{ "absent code", PROTECTED, 0, false, 14, 0, false, ABSENT_CODE, VECTOR_NP, ABSENT_CODE },
	{ "conforming handler", PROTECTED, 3, false, 14, 0, false, CONFORMING, NO_FAULT, 0 },
	{ "64-bit gate", LONG64, 0, false, 14, 0, false, CODE64, NO_FAULT, 0 },
	{ "64-bit gate from level 3", LONG64, 3, true, 15, 3, false, CODE64, NO_FAULT, 0 },
	{ "16-bit gate in IA-32e mode", LONG64, 0, false, 6, 0, false, CODE64, VECTOR_GP, IDT_80 },
	{ "task gate in IA-32e mode", LONG64, 0, false, 5, 0, false, CODE64, VECTOR_GP, IDT_80 },
	{ "32-bit handler", LONG64, 0, false, 14, 0, false, CODE32, VECTOR_GP, CODE32 },
	{ "L and D handler in IA-32e mode", LONG64, 0, false, 14, 0, false, CODE_LD, VECTOR_GP,
	  CODE_LD },
	{ "from compatibility mode", COMPAT, 0, false, 14, 0, false, CODE64, NO_FAULT, 0 },
	{ "virtual-8086, handler at level 0", VM86, 3, false, 14, 0, false, CODE32, NO_FAULT, 0 },
	{ "virtual-8086, conforming handler", VM86, 3, false, 14, 0, false, CONFORMING, VECTOR_GP,
	  CONFORMING },
	{ "virtual-8086, INT n with IOPL 0", VM86, 3, true, 14, 3, false, CODE32, VECTOR_GP, 0 },
};

static void make_gate(struct fixture *f, const struct gate_row *row)
{
	unsigned size = f->cpu.efer & EFER_LMA ? 16 : 8;

	put_idt(f, 0x80, row->type & 15, row->dpl, row->selector);
	if (row->type & 16)
		poke(f, IDT + 0x80 * size + 5, 0x90 | (row->type & 15), 1);
	if (row->absent)
		poke(f, IDT + 0x80 * size + 5, row->type | row->dpl << 5, 1);
}

/* First attempt only: the fault is caught before it is delivered in turn. */
static unsigned try_deliver(struct fixture *f, const struct cpu_event *event)
{
	f->cpu.event = *event;
	f->cpu.event.valid = true;
	if (setjmp(f->escape) == 0)
		cpu_deliver_event(&f->cpu);
	return f->cpu.event.valid ? f->cpu.event.vector : NO_FAULT;
}

static void test_gates(void **state)
{
	for (unsigned i = 0; i < sizeof(gate_rows) / sizeof(*gate_rows); i++) {
		const struct gate_row *row = &gate_rows[i];
		struct fixture *f = fixture_new(row->mode);
		uint64_t rsp = f->cpu.gpr[REG_RSP];

		if (row->mode != VM86)
			set_segments(f, row->mode, row->cpl);
		make_gate(f, row);
		print_message("%s\n", row->what);
		assert_outcome(f, try_deliver(f, row->software ? &software_80 : &external_80),
			       row->vector, row->error | (row->software ? 0 : ERROR_EXT));
		assert_int_equal(f->cpu.delivering.valid, row->vector != NO_FAULT);
		if (row->vector != NO_FAULT)
			assert_int_equal(f->cpu.gpr[REG_RSP], rsp);
		else
			assert_int_equal(cpu_rip(&f->cpu), HANDLER + 0x80);
		fixture_free(f);
	}
}

static void test_idt_limit(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	put_idt(f, 0x80, 14, 0, CODE32);
	f->cpu.idtr.limit = 0x80 * 8 + 6;
	assert_outcome(f, try_deliver(f, &external_80), VECTOR_GP, IDT_80 | ERROR_EXT);
	f->cpu.delivering.valid = false;
	f->cpu.idtr.limit = 0x80 * 8 + 7;
	assert_outcome(f, try_deliver(f, &external_80), NO_FAULT, 0);
	fixture_free(f);
	f = fixture_new(LONG64);
	put_idt(f, 0x80, 14, 0, CODE64);
	f->cpu.idtr.limit = 0x80 * 16 + 14;
	assert_outcome(f, try_deliver(f, &external_80), VECTOR_GP, IDT_80 | ERROR_EXT);
	fixture_free(f);
}

/* ---- frames ---- */

static void test_long_frame(void **state)
{
	struct fixture *f = fixture_new(LONG64);
	uint64_t flags = RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_CF;

	put_idt(f, VECTOR_GP, 14, 0, CODE64);
	f->cpu.gpr[REG_RSP] = STACK - 3; /* aligned down to 16 */
	cpu_set_rflags(&f->cpu, flags);
	assert_true(deliver(f, EXCEPTION(VECTOR_GP, .has_error = true, .error = 0x1234)));
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK - 16 - 48);
	assert_int_equal(peek(f, STACK - 64, 8), 0x1234);
	assert_int_equal(peek(f, STACK - 56, 8), CODE);
	assert_int_equal(peek(f, STACK - 48, 8), CODE64);
	assert_int_equal(peek(f, STACK - 40, 8), flags | RFLAGS_RF);
	assert_int_equal(peek(f, STACK - 32, 8), STACK - 3);
	assert_int_equal(peek(f, STACK - 24, 8), DATA32);
	assert_int_equal(cpu_rflags(&f->cpu), RFLAGS_FIXED1 | RFLAGS_CF);
	fixture_free(f);
}

static void test_long_inner(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	put_idt(f, 0x80, 15, 3, CODE64);
	set_segments(f, LONG64, 3);
	f->cpu.eflags_rest |= RFLAGS_IF;
	assert_true(deliver(f, &software_80));
	assert_int_equal(f->cpu.cpl, 0);
	assert_int_equal(f->cpu.seg[SEG_CS].selector, CODE64);
	assert_int_equal(f->cpu.seg[SEG_SS].selector, 0);
	assert_int_equal(f->cpu.seg[SEG_SS].ar, AR_UNUSABLE);
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK_0 - 40);
	assert_int_equal(peek(f, STACK_0 - 40, 8), CODE + 2); /* after INT n */
	assert_int_equal(peek(f, STACK_0 - 32, 8), USER_CODE64 | 3);
	assert_int_equal(peek(f, STACK_0 - 8, 8), USER_DATA | 3);
	assert_true(f->cpu.eflags_rest & RFLAGS_IF); /* trap gate */
	fixture_free(f);
}

static void test_ist(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	put_gate(f, IDT + VECTOR_PF * 16, 14, 0, CODE64, HANDLER, 1);
	assert_true(deliver(f, EXCEPTION(VECTOR_PF, .has_error = true, .cr2 = 0xabc)));
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK_IST - 48);
	assert_int_equal(f->cpu.seg[SEG_SS].selector, DATA32); /* same level: SS stays */
	assert_int_equal(f->cpu.cr2, 0xabc);
	/* An IST entry beyond the TSS limit is #TS with the TR selector. */
	put_gate(f, IDT + VECTOR_UD * 16, 14, 0, CODE64, HANDLER, 7);
	f->cpu.seg[SEG_TR].limit = 0x5a;
	assert_outcome(f, try_deliver(f, EXCEPTION(VECTOR_UD)), VECTOR_TS, TSS_SEL | ERROR_EXT);
	fixture_free(f);
}

static void test_noncanonical_stack(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	put_idt(f, 0x80, 14, 0, CODE64);
	f->cpu.gpr[REG_RSP] = UINT64_C(0x900000000000);
	assert_outcome(f, try_deliver(f, &external_80), VECTOR_SS, ERROR_EXT);
	fixture_free(f);
}

/* The handler's address is looked at before anything is pushed, but after the room for it. */
static void test_bad_handler_pushes_nothing(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	put_idt(f, 0x80, 14, 0, CODE64);
	poke(f, IDT + 0x80 * 16 + 8, 0x8000, 4);
	poke(f, STACK - 8, 0x1122334455667788, 8);
	assert_outcome(f, try_deliver(f, &external_80), VECTOR_GP, ERROR_EXT);
	assert_int_equal(peek(f, STACK - 8, 8), 0x1122334455667788);
	f->cpu.delivering.valid = false;
	f->cpu.gpr[REG_RSP] = UINT64_C(0x900000000000);
	assert_outcome(f, try_deliver(f, &external_80), VECTOR_SS, ERROR_EXT);
	fixture_free(f);
}

static void test_protected_inner(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	put_idt(f, VECTOR_GP, 14, 0, CODE32);
	set_segments(f, PROTECTED, 3);
	assert_true(deliver(f, EXCEPTION(VECTOR_GP, .has_error = true, .error = 8)));
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK_0 - 24);
	assert_int_equal(peek(f, STACK_0 - 24, 4), 8);
	assert_int_equal(peek(f, STACK_0 - 20, 4), CODE);
	assert_int_equal(peek(f, STACK_0 - 16, 4), USER_CODE32 | 3);
	assert_int_equal(peek(f, STACK_0 - 8, 4), STACK);
	assert_int_equal(peek(f, STACK_0 - 4, 4), USER_DATA | 3);
	assert_int_equal(f->cpu.seg[SEG_SS].selector, DATA32);
	fixture_free(f);
}

struct inner_stack {
	const char *what;
	uint16_t ss;
	uint16_t tss_limit;
	uint8_t vector;
	uint32_t error; /* without EXT */
};

static const struct inner_stack inner_stacks[] = {
	{ "good", DATA32, 0x67, NO_FAULT, 0 },
	{ "TSS too short", DATA32, 8, VECTOR_TS, TSS_SEL },
	{ "null", 0, 0x67, VECTOR_TS, 0 },
	{ "beyond the GDT", BEYOND, 0x67, VECTOR_TS, BEYOND },
	{ "RPL", DATA32 | 3, 0x67, VECTOR_TS, DATA32 },
	{ "DPL", USER_DATA, 0x67, VECTOR_TS, USER_DATA },
	{ "read-only", RO_DATA, 0x67, VECTOR_TS, RO_DATA },
	{ "absent", ABSENT_DATA, 0x67, VECTOR_SS, ABSENT_DATA },
	{ "too small", SMALL_DATA, 0x67, VECTOR_SS, SMALL_DATA },
};

static void test_inner_stacks(void **state)
{
	for (unsigned i = 0; i < sizeof(inner_stacks) / sizeof(*inner_stacks); i++) {
		const struct inner_stack *row = &inner_stacks[i];
		struct fixture *f = fixture_new(PROTECTED);

		put_idt(f, 0x80, 14, 0, CODE32);
		set_segments(f, PROTECTED, 3);
		poke(f, TSS + 8, row->ss, 2);
		f->cpu.seg[SEG_TR].limit = row->tss_limit;
		print_message("%s\n", row->what);
		assert_outcome(f, try_deliver(f, &external_80), row->vector,
			       row->error | ERROR_EXT);
		fixture_free(f);
	}
}

static void test_vm86_frame(void **state)
{
	static const uint8_t order[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
	struct fixture *f = fixture_new(VM86);

	put_idt(f, 0x80, 14, 0, CODE32);
	for (unsigned i = 0; i < 4; i++)
		seg_load(&f->cpu, (enum x86_seg)order[i], (uint16_t)(0x100 + i));
	assert_true(deliver(f, &external_80));
	assert_false(cpu_vm86(&f->cpu));
	assert_int_equal(f->cpu.gpr[REG_RSP], STACK_0 - 36);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(peek(f, STACK_0 - 16 + 4 * i, 4), 0x100 + i);
		assert_true(f->cpu.seg[order[i]].ar & AR_UNUSABLE);
	}
	assert_true(peek(f, STACK_0 - 28, 4) & RFLAGS_VM);
	fixture_free(f);
}

static void test_real_mode(void **state)
{
	struct fixture *f = fixture_new(REAL);

	poke(f, 4 * 0x21, 0x12340056, 4);
	f->cpu.eflags_rest |= RFLAGS_IF | RFLAGS_TF;
	assert_true(deliver(f, &(struct cpu_event){ .vector = 0x21, .insn_length = 2,
						    .type = INTR_TYPE_SOFTWARE_INTERRUPT }));
	assert_int_equal(f->cpu.seg[SEG_CS].base, 0x12340);
	assert_int_equal(cpu_rip(&f->cpu), 0x56);
	assert_int_equal(f->cpu.gpr[REG_RSP], 0xaffa);
	assert_int_equal(peek(f, 0xaffa, 2), 0x8002);
	assert_int_equal(peek(f, 0xaffe, 2) & (RFLAGS_IF | RFLAGS_TF), RFLAGS_IF | RFLAGS_TF);
	assert_int_equal(f->cpu.eflags_rest & (RFLAGS_IF | RFLAGS_TF), 0);
	fixture_free(f);
}

/* SDM 3B "Virtual-8086 Mode Interrupt Extensions": the redirection bitmap sends INT n to the IVT.
 * */
static void test_vme_redirect(void **state)
{
	struct fixture *f = fixture_new(VM86);

	f->cpu.cr4 |= CR4_VME;
	f->cpu.eflags_rest |= RFLAGS_VIF;
	f->cpu.seg[SEG_TR].limit = 0x200;
	poke(f, TSS + 0x66, 0x88, 2); /* redirection bitmap at 0x68: all clear */
	poke(f, 4 * 0x80, 0x12340056, 4);
	assert_true(deliver(f, &software_80));
	assert_true(cpu_vm86(&f->cpu));
	assert_int_equal(cpu_rip(&f->cpu), 0x56);
	assert_int_equal(peek(f, 0xaffe, 2) & (RFLAGS_IF | RFLAGS_IOPL), RFLAGS_IF | RFLAGS_IOPL);
	assert_false(f->cpu.eflags_rest & RFLAGS_VIF);
	/* Bit set: by the IDT, which IOPL 0 forbids. */
	poke(f, TSS + 0x68 + 0x80 / 8, 1, 1);
	assert_outcome(f, try_deliver(f, &software_80), VECTOR_GP, 0);
	fixture_free(f);
}

/* ---- classes ---- */

struct pair {
	const char *what;
	uint8_t first, second;
	uint8_t result; /* vector that is delivered; 0: shutdown */
};

static const struct pair pairs[] = {
	{ "benign, contributory", VECTOR_UD, VECTOR_GP, VECTOR_GP },
	{ "contributory, benign", VECTOR_GP, VECTOR_UD, VECTOR_UD },
	{ "contributory, contributory", VECTOR_GP, VECTOR_NP, VECTOR_DF },
	{ "contributory, page fault", VECTOR_GP, VECTOR_PF, VECTOR_PF },
	{ "page fault, contributory", VECTOR_PF, VECTOR_GP, VECTOR_DF },
	{ "page fault, page fault", VECTOR_PF, VECTOR_PF, VECTOR_DF },
	{ "page fault, benign", VECTOR_PF, VECTOR_AC, VECTOR_AC },
	{ "double fault, contributory", VECTOR_DF, VECTOR_GP, 0 },
	{ "double fault, page fault", VECTOR_DF, VECTOR_PF, 0 },
};

static void test_classes(void **state)
{
	for (unsigned i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		const struct pair *row = &pairs[i];
		struct fixture *f = fixture_new(PROTECTED);

		print_message("%s\n", row->what);
		for (unsigned v = 0; v < 32; v++)
			put_idt(f, v, 14, 0, CODE32);
		f->cpu.delivering = *EXCEPTION(row->first, .valid = true);
		deliver(f, EXCEPTION(row->second, .error = 0x55, .has_error = true));
		if (row->result)
			assert_int_equal(cpu_rip(&f->cpu), HANDLER + row->result);
		else
			assert_int_equal(f->machine.stop, STOP_TRIPLE_FAULT);
		if (row->result == VECTOR_DF)
			assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 4), 0);
		fixture_free(f);
	}
}

static void test_triple_fault_with_empty_idt(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	f->cpu.idtr.limit = 0;
	assert_false(deliver(f, EXCEPTION(VECTOR_UD)));
	assert_int_equal(f->machine.stop, STOP_TRIPLE_FAULT);
	assert_int_equal(f->cpu.activity, ACTIVITY_SHUTDOWN);
	fixture_free(f);
}

/* ---- payloads, RF ---- */

static void test_debug_payload(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	put_idt(f, VECTOR_DB, 14, 0, CODE64);
	f->cpu.dr6 = DR6_FIXED1 | DR6_BS | 2;
	f->cpu.dr7 |= DR7_GD;
	assert_true(deliver(f, EXCEPTION(VECTOR_DB, .dr6 = 1)));
	assert_int_equal(f->cpu.dr6, DR6_FIXED1 | DR6_BS | 1);
	assert_false(f->cpu.dr7 & DR7_GD);
	/* Instruction breakpoints do not push RF = 1, general detect does. */
	assert_false(peek(f, f->cpu.gpr[REG_RSP] + 16, 8) & RFLAGS_RF);
	assert_true(deliver(f, EXCEPTION(VECTOR_DB, .dr6 = DR6_BD)));
	assert_true(peek(f, f->cpu.gpr[REG_RSP] + 16, 8) & RFLAGS_RF);
	fixture_free(f);
}

static void test_injected_leaves_payload(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	put_idt(f, VECTOR_PF, 14, 0, CODE64);
	f->cpu.cr2 = 1;
	assert_true(deliver(f, EXCEPTION(VECTOR_PF, .cr2 = 2, .has_error = true,
					 .injected = true)));
	assert_int_equal(f->cpu.cr2, 1);
	assert_false(peek(f, f->cpu.gpr[REG_RSP] + 24, 8) & RFLAGS_RF);
	fixture_free(f);
}

/* ---- the boundary ---- */

static void test_interrupt_needs_if(void **state)
{
	struct fixture *f = boundary();

	send_interrupt(f, 0x40);
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), CODE);
	f->cpu.eflags_rest |= RFLAGS_IF;
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + 0x40);
	assert_false(machine_interrupt_pending(&f->machine));
	fixture_free(f);
}

static void test_sti_shadow(void **state)
{
	struct fixture *f = boundary();

	send_interrupt(f, 0x40);
	assert_outcome(f, call(f, insn_sti), NO_FAULT, 0);
	f->cpu.insns++;
	cpu_attend(&f->cpu);
	assert_true(f->cpu.sti_shadow);
	assert_true(f->cpu.attention);
	assert_int_equal(cpu_rip(&f->cpu), CODE);
	f->cpu.insns++; /* the instruction after STI */
	cpu_attend(&f->cpu);
	assert_false(f->cpu.sti_shadow);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + 0x40);
	/* With IF set already, STI starts no shadow. */
	f->cpu.eflags_rest |= RFLAGS_IF;
	call(f, insn_sti);
	assert_false(f->cpu.sti_shadow);
	fixture_free(f);
}

static void test_nmi(void **state)
{
	struct fixture *f = boundary();

	f->cpu.nmi_pending = true;
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_NMI);
	assert_true(f->cpu.nmi_blocked);
	f->cpu.nmi_pending = true;
	cpu_rip(&f->cpu) = CODE;
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), CODE);
	/* IRET unblocks; the interrupt comes in its turn. */
	f->op.opsize = 8;
	assert_outcome(f, call(f, insn_iret), NO_FAULT, 0);
	assert_false(f->cpu.nmi_blocked);
	assert_true(f->cpu.attention);
	cpu_attend(&f->cpu);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_NMI);
	fixture_free(f);
}

/* Debug trap, NMI, interrupt: each handler is entered on top of the last, highest priority first.
 * */
static void test_priority(void **state)
{
	struct fixture *f = boundary();

	f->cpu.eflags_rest |= RFLAGS_IF;
	f->cpu.pending_debug = DR6_BS;
	f->cpu.nmi_pending = true;
	send_interrupt(f, 0x40);
	cpu_attend(&f->cpu);
	/* #DB cleared IF, so the interrupt waits; the NMI interrupted the first instruction of #DB.
	 * */
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + VECTOR_NMI);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 8), HANDLER + VECTOR_DB);
	assert_true(f->cpu.dr6 & DR6_BS);
	assert_true(machine_interrupt_pending(&f->machine));
	fixture_free(f);
}

static void test_halt_wakes(void **state)
{
	struct fixture *f = boundary();

	f->cpu.eflags_rest |= RFLAGS_IF;
	call(f, insn_hlt);
	assert_int_equal(f->cpu.activity, ACTIVITY_HLT);
	cpu_attend(&f->cpu);
	assert_int_equal(f->cpu.activity, ACTIVITY_HLT);
	assert_false(f->cpu.attention);
	send_interrupt(f, 0x40);
	cpu_attend(&f->cpu);
	assert_int_equal(f->cpu.activity, ACTIVITY_ACTIVE);
	assert_int_equal(cpu_rip(&f->cpu), HANDLER + 0x40);
	fixture_free(f);
}

static void test_rf_lasts_one_instruction(void **state)
{
	struct fixture *f = boundary();

	flags_load(&f->cpu, RFLAGS_RF, RFLAGS_RF);
	cpu_attend(&f->cpu);
	assert_true(f->cpu.eflags_rest & RFLAGS_RF);
	assert_true(f->cpu.attention);
	f->cpu.insns++;
	cpu_attend(&f->cpu);
	assert_false(f->cpu.eflags_rest & RFLAGS_RF);
	assert_false(f->cpu.attention);
	fixture_free(f);
}

static void test_software_interrupt_retires(void **state)
{
	struct fixture *f = boundary();
	uint64_t insns = f->cpu.insns;

	f->op.imm = 0x80;
	assert_outcome(f, call(f, insn_int), 0x80, NO_ERROR);
	assert_true(deliver(f, &f->cpu.event));
	assert_int_equal(f->cpu.insns, insns + 1);
	assert_int_equal(peek(f, f->cpu.gpr[REG_RSP], 8), CODE + 2);
	assert_true(deliver(f, EXCEPTION(VECTOR_UD)));
	assert_int_equal(f->cpu.insns, insns + 1);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_idt_limit),
		cmocka_unit_test(test_long_frame),
		cmocka_unit_test(test_long_inner),
		cmocka_unit_test(test_ist),
		cmocka_unit_test(test_noncanonical_stack),
		cmocka_unit_test(test_bad_handler_pushes_nothing),
		cmocka_unit_test(test_protected_inner),
		cmocka_unit_test(test_inner_stacks),
		cmocka_unit_test(test_vm86_frame),
		cmocka_unit_test(test_real_mode),
		cmocka_unit_test(test_vme_redirect),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_triple_fault_with_empty_idt),
		cmocka_unit_test(test_debug_payload),
		cmocka_unit_test(test_injected_leaves_payload),
		cmocka_unit_test(test_interrupt_needs_if),
		cmocka_unit_test(test_sti_shadow),
		cmocka_unit_test(test_nmi),
		cmocka_unit_test(test_priority),
		cmocka_unit_test(test_halt_wakes),
		cmocka_unit_test(test_rf_lasts_one_instruction),
		cmocka_unit_test(test_software_interrupt_retires),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
