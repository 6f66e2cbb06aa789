/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Control registers, descriptor-table registers, flags instructions, INVPCID and segment bases:
 * which values and states are refused, and what a success leaves.
 */
#include "tests/l0/machine/interp/protect.h"

#define FIXED RFLAGS_FIXED1

/* ---- control registers ---- */

enum reg { CR0, CR3, CR4, EFER };
struct control {
	const char *what;
	enum fixture_mode mode;
	enum reg reg;
	uint64_t set, clear; /* changes to the present value */
	bool ok;
};

static const struct control controls[] = {
	{ "PG without PE", REAL, CR0, CR0_PG, 0, false },
	{ "PE", REAL, CR0, CR0_PE, 0, true },
	{ "NW without CD", PROTECTED, CR0, CR0_NW, 0, false },
	{ "NW with CD", PROTECTED, CR0, CR0_NW | CR0_CD, 0, true },
	{ "upper half of CR0", PROTECTED, CR0, BIT64(32), 0, false },
	{ "reserved low bits of CR0 are ignored", PROTECTED, CR0, BIT64(6), 0, true },
	{ "paging without PAE or LME", PROTECTED, CR0, CR0_PG, 0, true },
	{ "PG cleared in 64-bit code", LONG64, CR0, 0, CR0_PG, false },
	{ "PG cleared in compatibility mode", COMPAT, CR0, 0, CR0_PG, true },
	{ "PE cleared with PG", COMPAT, CR0, 0, CR0_PE, false },
	{ "PAE cleared in IA-32e mode", LONG64, CR4, 0, CR4_PAE, false },
	{ "PCIDE outside IA-32e mode", PROTECTED, CR4, CR4_PCIDE, 0, false },
	{ "PCIDE in IA-32e mode", LONG64, CR4, CR4_PCIDE, 0, true },
	{ "reserved CR4 bit", LONG64, CR4, BIT64(31), 0, false },
	{ "CR4 bit 63", LONG64, CR4, BIT64(63), 0, false },
	{ "CR3 above MAXPHYADDR", LONG64, CR3, BIT64(51), 0, false },
	{ "CR3 bit 63 without PCIDE", LONG64, CR3, BIT64(63), 0, false },
	{ "CR3 reserved low bits", LONG64, CR3, 0xfe7, 0, true },
	{ "LME changed under paging", LONG64, EFER, 0, EFER_LME, false },
	{ "LME without paging", PROTECTED, EFER, EFER_LME, 0, true },
	{ "NXE", LONG64, EFER, EFER_NXE, 0, true },
	{ "reserved EFER bit", LONG64, EFER, BIT64(1), 0, false },
};

static uint64_t *control_of(struct cpu *cpu, enum reg reg)
{
	uint64_t *const registers[] = { &cpu->cr0, &cpu->cr3, &cpu->cr4, &cpu->efer };

	return registers[reg];
}

static void test_controls(void **state)
{
	static bool (*const set[])(struct cpu *, uint64_t) = {
		cpu_set_cr0, cpu_set_cr3, cpu_set_cr4, cpu_set_efer
	};

	for (unsigned i = 0; i < sizeof(controls) / sizeof(*controls); i++) {
		const struct control *row = &controls[i];
		struct fixture *f = fixture_new(row->mode);
		uint64_t old = *control_of(&f->cpu, row->reg);

		print_message("%s\n", row->what);
		assert_int_equal(set[row->reg](&f->cpu, (old | row->set) & ~row->clear), row->ok);
		if (!row->ok)
			assert_int_equal(*control_of(&f->cpu, row->reg), old);
		fixture_free(f);
	}
}

static void test_lma_follows_paging(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);
	struct cpu *cpu = &f->cpu;

	assert_true(cpu_set_efer(cpu, EFER_LME));
	assert_false(cpu_set_cr0(cpu, cpu->cr0 | CR0_PG)); /* needs PAE */
	assert_true(cpu_set_cr4(cpu, CR4_PAE));
	assert_true(cpu_set_cr3(cpu, PML4));
	cpu->seg[SEG_CS].ar |= AR_L;
	assert_false(cpu_set_cr0(cpu, cpu->cr0 | CR0_PG)); /* and CS.L = 0 */
	cpu->seg[SEG_CS].ar &= ~AR_L;
	assert_true(cpu_set_cr0(cpu, cpu->cr0 | CR0_PG));
	assert_int_equal(cpu->efer, EFER_LME | EFER_LMA);
	assert_true(cpu_set_efer(cpu, EFER_LME | EFER_NXE)); /* LMA is not written */
	assert_int_equal(cpu->efer, EFER_LME | EFER_LMA | EFER_NXE);
	assert_true(cpu_set_cr0(cpu, cpu->cr0 & ~CR0_PG));
	assert_int_equal(cpu->efer, EFER_LME | EFER_NXE);
	fixture_free(f);
}

static void test_pae_loads_pdptes(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);
	struct cpu *cpu = &f->cpu;

	assert_true(cpu_set_cr4(cpu, CR4_PAE));
	cpu->cr3 = DATA;
	poke(f, DATA, PTE_P | BIT64(1), 8); /* a reserved bit of a PDPTE */
	assert_false(cpu_set_cr0(cpu, cpu->cr0 | CR0_PG));
	poke(f, DATA, PTE_P, 8);
	assert_true(cpu_set_cr0(cpu, cpu->cr0 | CR0_PG));
	assert_int_equal(cpu->pdpte[0], PTE_P);
	poke(f, DATA + 0x20, PTE_P | BIT64(5), 8);
	assert_false(cpu_set_cr3(cpu, DATA + 0x20));
	assert_int_equal(cpu->cr3, DATA);
	fixture_free(f);
}

static void test_pcide(void **state)
{
	struct fixture *f = fixture_new(LONG64);
	struct cpu *cpu = &f->cpu;

	cpu->cr3 = PML4 | 1;
	assert_false(cpu_set_cr4(cpu, cpu->cr4 | CR4_PCIDE));
	cpu->cr3 = PML4;
	assert_true(cpu_set_cr4(cpu, cpu->cr4 | CR4_PCIDE));
	assert_true(cpu_set_cr3(cpu, PML4 | 5 | CR3_NOFLUSH));
	assert_int_equal(cpu->cr3, PML4 | 5);
	set_segments(f, COMPAT, 0);
	assert_false(cpu_set_cr0(cpu, cpu->cr0 & ~CR0_PG));
	fixture_free(f);
}

static void test_la57(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);
	struct cpu *cpu = &f->cpu;

	assert_false(cpu_set_cr4(cpu, CR4_PAE | CR4_LA57)); /* not of this part */
	f->profile.caps.cr4_valid |= CR4_LA57;
	assert_true(cpu_set_cr4(cpu, CR4_PAE | CR4_LA57));
	assert_true(cpu_set_cr4(cpu, CR4_PAE));
	set_mode(f, LONG64);
	assert_false(cpu_set_cr4(cpu, cpu->cr4 | CR4_LA57)); /* nor in IA-32e mode */
	fixture_free(f);
}

/* SDM 3D "VMX-Fixed Bits in CR0", "VMX-Fixed Bits in CR4" */
static void test_vmx_fixed_bits(void **state)
{
	struct fixture *f = fixture_new(COMPAT);
	struct cpu *cpu = &f->cpu;

	assert_true(cpu_set_cr4(cpu, cpu->cr4 | CR4_VMXE));
	cpu->vmx->on = true;
	assert_false(cpu_set_cr4(cpu, cpu->cr4 & ~CR4_VMXE));
	assert_false(cpu_set_cr0(cpu, cpu->cr0 & ~CR0_NE));
	assert_false(cpu_set_cr0(cpu, cpu->cr0 & ~CR0_PG));
	assert_true(cpu_set_cr0(cpu, cpu->cr0 | CR0_TS));
	cpu->vmx->nonroot = true;
	assert_false(cpu_set_cr0(cpu, cpu->cr0 & ~CR0_PG));
	cpu->vmx->secondary = SECONDARY_UNRESTRICTED_GUEST;
	assert_false(cpu_set_cr0(cpu, cpu->cr0 & ~CR0_NE));
	assert_true(cpu_set_cr0(cpu, cpu->cr0 & ~CR0_PG));
	cpu->vmx->nonroot = cpu->vmx->on = false;
	fixture_free(f);
}

struct mov_cr {
	const char *what;
	uint8_t cpl, cr;
	uint64_t value;
	uint8_t vector;
	uint32_t error;
};

static const struct mov_cr mov_crs[] = {
	{ "CR1", 0, 1, 0, VECTOR_UD, NO_ERROR },
	{ "CR5", 0, 5, 0, VECTOR_UD, NO_ERROR },
	{ "CR15", 0, 15, 0, VECTOR_UD, NO_ERROR },
	{ "CR1 at level 3", 3, 1, 0, VECTOR_UD, NO_ERROR },
	{ "CR3 at level 3", 3, 3, PML4, VECTOR_GP, 0 },
	{ "CR2 takes anything", 0, 2, UINT64_MAX, NO_FAULT, 0 },
	{ "CR8", 0, 8, 5, NO_FAULT, 0 },
	{ "CR8 above 15", 0, 8, 16, VECTOR_GP, 0 },
	{ "bad CR0", 0, 0, CR0_PG, VECTOR_GP, 0 },
};

static void test_mov_cr(void **state)
{
	for (unsigned i = 0; i < sizeof(mov_crs) / sizeof(*mov_crs); i++) {
		const struct mov_cr *row = &mov_crs[i];
		struct fixture *f = fixture_new(LONG64);

		set_segments(f, LONG64, row->cpl);
		f->op.reg = row->cr;
		use_register(f, REG_RAX);
		f->cpu.gpr[REG_RAX] = row->value;
		print_message("%s\n", row->what);
		assert_outcome(f, call(f, insn_mov_to_cr), row->vector, row->error);
		if (row->vector == NO_FAULT) {
			use_register(f, REG_RDX);
			assert_outcome(f, call(f, insn_mov_from_cr), NO_FAULT, 0);
			assert_int_equal(f->cpu.gpr[REG_RDX], row->value);
		}
		fixture_free(f);
	}
}

static void test_lmsw_smsw_clts(void **state)
{
	struct fixture *f = fixture_new(PROTECTED);

	use_register(f, REG_RAX);
	f->cpu.gpr[REG_RAX] = CR0_TS; /* without PE */
	assert_outcome(f, call(f, insn_lmsw), NO_FAULT, 0);
	assert_int_equal(f->cpu.cr0, CR0_PE | CR0_TS | CR0_ET | CR0_NE);
	assert_outcome(f, call(f, insn_smsw), NO_FAULT, 0);
	assert_int_equal(f->cpu.gpr[REG_RAX], f->cpu.cr0);
	assert_outcome(f, call(f, insn_clts), NO_FAULT, 0);
	assert_false(f->cpu.cr0 & CR0_TS);
	set_segments(f, PROTECTED, 3);
	assert_outcome(f, call(f, insn_lmsw), VECTOR_GP, 0);
	assert_outcome(f, call(f, insn_clts), VECTOR_GP, 0);
	assert_outcome(f, call(f, insn_smsw), NO_FAULT, 0);
	f->cpu.cr4 |= CR4_UMIP;
	assert_outcome(f, call(f, insn_smsw), VECTOR_GP, 0);
	fixture_free(f);
}

/* ---- privilege ---- */

static void test_privileged(void **state)
{
	static handler *const insns[] = { insn_lgdt, insn_lidt,	  insn_lldt,   insn_ltr,
					  insn_hlt,  insn_invd,	  insn_wbinvd, insn_invlpg,
					  insn_clts, insn_invpcid, insn_swapgs, insn_lmsw };

	for (unsigned i = 0; i < sizeof(insns) / sizeof(*insns); i++) {
		struct fixture *f = fixture_new(LONG64);

		set_segments(f, LONG64, 3);
		use_memory(f, DATA);
		assert_outcome(f, call(f, insns[i]), VECTOR_GP, 0);
		fixture_free(f);
	}
}

static void test_umip(void **state)
{
	static handler *const insns[] = { insn_sgdt, insn_sidt, insn_sldt, insn_str, insn_smsw };

	for (unsigned i = 0; i < sizeof(insns) / sizeof(*insns); i++) {
		struct fixture *f = fixture_new(LONG64);

		use_memory(f, DATA);
		set_segments(f, LONG64, 3);
		assert_outcome(f, call(f, insns[i]), NO_FAULT, 0);
		f->cpu.cr4 |= CR4_UMIP;
		assert_outcome(f, call(f, insns[i]), VECTOR_GP, 0);
		set_segments(f, LONG64, 0);
		assert_outcome(f, call(f, insns[i]), NO_FAULT, 0);
		fixture_free(f);
	}
}

/* ---- descriptor tables ---- */

static void test_lgdt(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	use_memory(f, DATA);
	poke(f, DATA, 0x1234, 2);
	poke(f, DATA + 2, UINT64_C(0xffff800012345678), 8);
	assert_outcome(f, call(f, insn_lgdt), NO_FAULT, 0);
	assert_int_equal(f->cpu.gdtr.limit, 0x1234);
	assert_int_equal(f->cpu.gdtr.base, UINT64_C(0xffff800012345678));
	use_memory(f, DATA + 16);
	assert_outcome(f, call(f, insn_sgdt), NO_FAULT, 0);
	assert_int_equal(peek(f, DATA + 18, 8), UINT64_C(0xffff800012345678));
	poke(f, DATA + 18, UINT64_C(0x800012345678), 8);
	assert_outcome(f, call(f, insn_lidt), VECTOR_GP, 0);
	fixture_free(f);
	f = fixture_new(REAL);
	use_memory(f, DATA);
	poke(f, DATA, 0x123456781234, 8);
	assert_outcome(f, call(f, insn_lidt), NO_FAULT, 0);
	assert_int_equal(f->cpu.idtr.base, 0x345678 & 0xffffff); /* 24 bits with 16-bit operands */
	fixture_free(f);
}

struct table_load {
	const char *what;
	enum fixture_mode mode;
	bool ltr;
	uint16_t selector;
	uint8_t vector;
	uint32_t error;
};

static const struct table_load table_loads[] = {
	{ "LDT", PROTECTED, false, LDT_SEL, NO_FAULT, 0 },
	{ "null LDT", PROTECTED, false, 0, NO_FAULT, 0 },
	{ "LDT in the LDT", PROTECTED, false, 8 | SELECTOR_TI, VECTOR_GP, 8 | SELECTOR_TI },
	{ "data as LDT", PROTECTED, false, DATA32, VECTOR_GP, DATA32 },
	{ "TSS as LDT", PROTECTED, false, TSS_SEL, VECTOR_GP, TSS_SEL },
	{ "LDT beyond", PROTECTED, false, BEYOND, VECTOR_GP, BEYOND },
	{ "TSS", PROTECTED, true, TSS_SEL, NO_FAULT, 0 },
	{ "null TSS", PROTECTED, true, 0, VECTOR_GP, 0 },
	{ "busy TSS", PROTECTED, true, GATE, VECTOR_GP, GATE },
	{ "64-bit TSS", LONG64, true, TSS_SEL, NO_FAULT, 0 },
	{ "64-bit LDT", LONG64, false, LDT_SEL, NO_FAULT, 0 },
	{ "upper half beyond the GDT", LONG64, true, 0xf8, VECTOR_GP, 0xf8 },
	{ "absent TSS", PROTECTED, true, 0xe0, VECTOR_NP, 0xe0 },
	{ "16-bit TSS", PROTECTED, true, 0xe8, NO_FAULT, 0 },
	{ "16-bit TSS in IA-32e mode", LONG64, true, 0xe8, VECTOR_GP, 0xe8 },
};

static void test_table_loads(void **state)
{
	for (unsigned i = 0; i < sizeof(table_loads) / sizeof(*table_loads); i++) {
		const struct table_load *row = &table_loads[i];
		struct fixture *f = fixture_new(row->mode);

		put_segment(f, GDT + GATE, 0x8b, TSS, 0x67);
		put_segment(f, GDT + 0xe0, 0x09, TSS, 0x67);
		put_segment(f, GDT + 0xe8, 0x81, TSS, 0x67);
		put_segment(f, GDT + 0xf8, 0x89, TSS, 0x67);
		use_register(f, REG_RAX);
		f->cpu.gpr[REG_RAX] = row->selector;
		print_message("%s\n", row->what);
		assert_outcome(f, call(f, row->ltr ? insn_ltr : insn_lldt), row->vector,
			       row->error);
		if (row->vector == NO_FAULT && row->ltr) {
			assert_int_equal(f->cpu.seg[SEG_TR].base, TSS);
			assert_true(peek(f, GDT + row->selector + 5, 1) & 2); /* busy in memory */
			assert_outcome(f, call(f, row->ltr ? insn_ltr : insn_lldt), VECTOR_GP,
				       row->selector);
		}
		fixture_free(f);
	}
}

/* ---- flags ---- */

enum flag_op { CLI, STI, PUSHF, POPF };
struct flag_row {
	const char *what;
	enum fixture_mode mode;
	uint8_t cpl;
	uint64_t cr4, before;
	enum flag_op op;
	uint64_t image; /* POPF: what it pops */
	uint8_t vector;
	uint64_t after; /* RFLAGS; PUSHF: what it pushed */
};

static const struct flag_row flag_rows[] = {
	{ "CLI at level 0", PROTECTED, 0, 0, FIXED | RFLAGS_IF, CLI, 0, NO_FAULT, FIXED },
	{ "CLI, IOPL below CPL", PROTECTED, 3, 0, FIXED | RFLAGS_IF, CLI, 0, VECTOR_GP, 0 },
	{ "CLI, IOPL 3", PROTECTED, 3, 0, FIXED | RFLAGS_IF | RFLAGS_IOPL, CLI, 0, NO_FAULT,
	  FIXED | RFLAGS_IOPL },
	{ "CLI with PVI", PROTECTED, 3, CR4_PVI, FIXED | RFLAGS_VIF | RFLAGS_IF, CLI, 0, NO_FAULT,
	  FIXED | RFLAGS_IF },
	{ "STI with PVI", PROTECTED, 3, CR4_PVI, FIXED, STI, 0, NO_FAULT, FIXED | RFLAGS_VIF },
	{ "STI with PVI, VIP", PROTECTED, 3, CR4_PVI, FIXED | RFLAGS_VIP, STI, 0, VECTOR_GP, 0 },
	{ "STI in real mode", REAL, 0, 0, FIXED, STI, 0, NO_FAULT, FIXED | RFLAGS_IF },
	{ "CLI in virtual-8086 mode", VM86, 3, 0, FIXED | RFLAGS_VM, CLI, 0, VECTOR_GP, 0 },
	{ "CLI in virtual-8086 mode, VME", VM86, 3, CR4_VME, FIXED | RFLAGS_VM | RFLAGS_VIF, CLI, 0,
	  NO_FAULT, FIXED | RFLAGS_VM },
	{ "STI in virtual-8086 mode, IOPL 3", VM86, 3, 0, FIXED | RFLAGS_VM | RFLAGS_IOPL, STI, 0,
	  NO_FAULT, FIXED | RFLAGS_VM | RFLAGS_IOPL | RFLAGS_IF },
	{ "PUSHF hides RF", PROTECTED, 0, 0, FIXED | RFLAGS_RF | RFLAGS_CF, PUSHF, 0, NO_FAULT,
	  FIXED | RFLAGS_CF },
	{ "PUSHF in virtual-8086 mode", VM86, 3, 0, FIXED | RFLAGS_VM, PUSHF, 0, VECTOR_GP, 0 },
	{ "PUSHF with VME: IF is VIF", VM86, 3, CR4_VME, FIXED | RFLAGS_VM | RFLAGS_VIF, PUSHF, 0,
	  NO_FAULT, FIXED | RFLAGS_IF | RFLAGS_IOPL },
	{ "POPF at level 0", PROTECTED, 0, 0, FIXED, POPF, RFLAGS_IF | RFLAGS_IOPL | RFLAGS_NT,
	  NO_FAULT, FIXED | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_NT },
	{ "POPF at level 3 keeps IF, IOPL", PROTECTED, 3, 0, FIXED, POPF,
	  RFLAGS_IF | RFLAGS_IOPL | RFLAGS_DF, NO_FAULT, FIXED | RFLAGS_DF },
	{ "POPF at IOPL takes IF", PROTECTED, 3, 0, FIXED | RFLAGS_IOPL, POPF, RFLAGS_IF, NO_FAULT,
	  FIXED | RFLAGS_IOPL | RFLAGS_IF },
	{ "POPF leaves VIF, VIP, VM, clears RF", PROTECTED, 0, 0,
	  FIXED | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_RF, POPF, RFLAGS_VM, NO_FAULT,
	  FIXED | RFLAGS_VIF | RFLAGS_VIP },
	{ "POPF in virtual-8086 mode", VM86, 3, 0, FIXED | RFLAGS_VM, POPF, 0, VECTOR_GP, 0 },
	{ "POPF with VME: VIF", VM86, 3, CR4_VME, FIXED | RFLAGS_VM, POPF, RFLAGS_IF, NO_FAULT,
	  FIXED | RFLAGS_VM | RFLAGS_VIF },
	{ "POPF with VME and TF", VM86, 3, CR4_VME, FIXED | RFLAGS_VM, POPF, RFLAGS_TF, VECTOR_GP,
	  0 },
	{ "POPF with VME, VIP and IF", VM86, 3, CR4_VME, FIXED | RFLAGS_VM | RFLAGS_VIP, POPF,
	  RFLAGS_IF, VECTOR_GP, 0 },
};

static void check_flag_row(const struct flag_row *row)
{
	static handler *const insns[] = { insn_cli, insn_sti, insn_pushf, insn_popf };
	struct fixture *f = fixture_new(row->mode);
	unsigned size = f->op.opsize;
	uint64_t rsp = f->cpu.gpr[REG_RSP];

	if (row->mode == PROTECTED)
		set_segments(f, row->mode, row->cpl);
	f->cpu.cr4 |= row->cr4;
	cpu_set_rflags(&f->cpu, row->before);
	if (row->op == POPF)
		poke(f, rsp, row->image | FIXED, size);
	print_message("%s\n", row->what);
	assert_outcome(f, call(f, insns[row->op]), row->vector, 0);
	if (row->vector != NO_FAULT)
		assert_int_equal(cpu_rflags(&f->cpu), row->before);
	else if (row->op == PUSHF)
		assert_int_equal(peek(f, rsp - size, size), mask_to_size(row->after, size));
	else
		assert_int_equal(cpu_rflags(&f->cpu), row->after);
	fixture_free(f);
}

static void test_flags(void **state)
{
	for (unsigned i = 0; i < sizeof(flag_rows) / sizeof(*flag_rows); i++)
		check_flag_row(&flag_rows[i]);
}

static void test_stac(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	assert_outcome(f, call(f, insn_stac), NO_FAULT, 0);
	assert_true(f->cpu.eflags_rest & RFLAGS_AC);
	assert_outcome(f, call(f, insn_clac), NO_FAULT, 0);
	assert_false(f->cpu.eflags_rest & RFLAGS_AC);
	set_segments(f, LONG64, 3);
	assert_outcome(f, call(f, insn_stac), VECTOR_UD, NO_ERROR);
	fixture_free(f);
}

/* ---- INVPCID, segment bases ---- */

struct invpcid_row {
	const char *what;
	uint64_t type, pcid, linear;
	bool pcide;
	uint8_t vector;
};

static const struct invpcid_row invpcid_rows[] = {
	{ "address", 0, 0, 0x1000, false, NO_FAULT },
	{ "address not canonical", 0, 0, UINT64_C(0x800000000000), false, VECTOR_GP },
	{ "PCID without PCIDE", 0, 1, 0, false, VECTOR_GP },
	{ "PCID", 1, 5, UINT64_C(0x800000000000), true, NO_FAULT },
	{ "reserved PCID bits", 2, 0x1000, 0, true, VECTOR_GP },
	{ "all", 2, 0, 0, false, NO_FAULT },
	{ "all but global", 3, 0, 0, false, NO_FAULT },
	{ "type 4", 4, 0, 0, false, VECTOR_GP },
};

static void test_invpcid(void **state)
{
	for (unsigned i = 0; i < sizeof(invpcid_rows) / sizeof(*invpcid_rows); i++) {
		const struct invpcid_row *row = &invpcid_rows[i];
		struct fixture *f = fixture_new(LONG64);

		f->cpu.cr4 |= row->pcide ? CR4_PCIDE : 0;
		use_memory(f, DATA);
		poke(f, DATA, row->pcid, 8);
		poke(f, DATA + 8, row->linear, 8);
		f->op.reg = REG_RAX;
		f->cpu.gpr[REG_RAX] = row->type;
		print_message("%s\n", row->what);
		assert_outcome(f, call(f, insn_invpcid), row->vector, 0);
		fixture_free(f);
	}
}

static void test_bases(void **state)
{
	struct fixture *f = fixture_new(LONG64);

	use_register(f, REG_RAX);
	f->cpu.gpr[REG_RAX] = UINT64_C(0xffff800000000000);
	assert_outcome(f, call(f, insn_wrgsbase), VECTOR_UD, NO_ERROR);
	f->cpu.cr4 |= CR4_FSGSBASE;
	assert_outcome(f, call(f, insn_wrgsbase), NO_FAULT, 0);
	f->cpu.msrs.kernel_gs_base = 0x1234;
	assert_outcome(f, call(f, insn_swapgs), NO_FAULT, 0);
	assert_int_equal(f->cpu.msrs.kernel_gs_base, UINT64_C(0xffff800000000000));
	assert_outcome(f, call(f, insn_rdgsbase), NO_FAULT, 0);
	assert_int_equal(f->cpu.gpr[REG_RAX], 0x1234);
	f->cpu.gpr[REG_RAX] = UINT64_C(0x800000000000);
	assert_outcome(f, call(f, insn_wrfsbase), VECTOR_GP, 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_lma_follows_paging),
		cmocka_unit_test(test_pae_loads_pdptes),
		cmocka_unit_test(test_pcide),
		cmocka_unit_test(test_la57),
		cmocka_unit_test(test_vmx_fixed_bits),
		cmocka_unit_test(test_mov_cr),
		cmocka_unit_test(test_lmsw_smsw_clts),
		cmocka_unit_test(test_privileged),
		cmocka_unit_test(test_umip),
		cmocka_unit_test(test_lgdt),
		cmocka_unit_test(test_table_loads),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_stac),
		cmocka_unit_test(test_invpcid),
		cmocka_unit_test(test_bases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
