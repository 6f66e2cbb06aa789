/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random straight-line code, faults included: executed as whole blocks, stepped one instruction at
 * a time, and with every memory access on the general path. Registers, flags, memory, exception
 * frames and time must agree, so dead-flag removal, fusion, accounting and unwinding are invisible.
 * ABYME_BLOCKS sets how many (default 6000).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/boot.h"
#include "l0/machine/interp/block.h"
#include "tests/l0/machine/interp/whole.h"

#define RAM_SIZE (UINT64_C(16) << 20)
#define TABLES UINT64_C(0x1000) /* four pages */
#define GDT UINT64_C(0x5000)
#define IDT UINT64_C(0x6000)
#define TSS UINT64_C(0x7000)
#define HANDLERS UINT64_C(0x8000)
#define FAULT_STACK UINT64_C(0xa000)
#define STACK UINT64_C(0x90800)
#define CODE UINT64_C(0x100000)
#define DATA UINT64_C(0x180000)
#define INSNS 24
#define BUDGET 64 /* instructions a run: the code, and what is left spins or halts */

static struct machine machine;
static uint64_t seed = 1;
static bool wide; /* 64-bit mode; else 32-bit protected mode with paging */

static uint64_t random64(void)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void put64(uint64_t at, uint64_t value)
{
	assert_true(memory_write(&machine.memory, at, &value, 8));
}

static void put32(uint64_t at, uint32_t value)
{
	assert_true(memory_write(&machine.memory, at, &value, 4));
}

static void map_page(uint64_t at, bool writable)
{
	uint64_t entry = at | PTE_P | PTE_A | PTE_D | (writable ? PTE_W : 0);

	if (wide)
		put64(TABLES + 0x3000 + 8 * (at >> PAGE_SHIFT), entry);
	else
		put32(TABLES + 0x1000 + 4 * (at >> PAGE_SHIFT), (uint32_t)entry);
}

/* Every vector's handler halts, in 64-bit mode on a stack of its own. */
static void make_gates(void)
{
	for (uint64_t vector = 0; vector < 32; vector++) {
		uint64_t handler = HANDLERS + 16 * vector;
		uint64_t gate = handler | 0x10 << 16 | UINT64_C(0x8e00) << 32;

		put64(IDT + (wide ? 16 : 8) * vector, wide ? gate | UINT64_C(1) << 32 : gate);
		put64(handler, UINT64_C(0xf4f4f4f4f4f4f4f4));
	}
}

static void make_tables(void)
{
	put64(TABLES, (TABLES + 0x1000) | 7);
	if (wide) {
		put64(TABLES + 0x1000, (TABLES + 0x2000) | 7);
		put64(TABLES + 0x2000, (TABLES + 0x3000) | 7);
	}
	for (uint64_t at = GDT; at <= HANDLERS; at += PAGE_SIZE)
		map_page(at, false);
	map_page(FAULT_STACK - PAGE_SIZE, true);
	map_page(PAGE_BASE(STACK), true);
	map_page(CODE, true);
	map_page(DATA, true);
	map_page(DATA + PAGE_SIZE, true);
	put64(GDT + 0x10, wide ? UINT64_C(0x00af9b000000ffff) : UINT64_C(0x00cf9b000000ffff));
	put64(GDT + 0x18, UINT64_C(0x00cf93000000ffff));
	put64(TSS + 0x24, FAULT_STACK);
	make_gates();
}

static void boot(void)
{
	struct cpu_boot_state state = {.mode = wide ? BOOT_LONG64 : BOOT_PROTECTED32,
				       .rip = CODE,
				       .rsp = STACK,
				       .cr3 = TABLES,
				       .gdt_base = GDT,
				       .gdt_limit = 0x1f};

	interp_cpu_ops.boot(machine.cpu, &state);
	if (!wide) {
		machine.cpu->cr3 = TABLES;
		machine.cpu->cr0 |= CR0_PG;
	}
	machine.cpu->cr0 |= CR0_WP;
	machine.cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	machine.cpu->xcr0 = 7;
}

static void start(void)
{
	whole_create(&machine, RAM_SIZE);
	make_tables();
	boot();
}

/* ---- random programs ---- */

struct program {
	uint8_t code[512];
	unsigned size;
	uint64_t gpr[REG_COUNT], rflags;
	uint8_t data[2 * PAGE_SIZE];
};

/* Straight-line code, and branches that the fusion pass may take. */
static bool wanted(const struct op *op)
{
	const struct insn_info *info = insn_info(op->row);

	if (!strcmp(info->row.mnemonic, "Jcc"))
		return op->imm == 0; /* either way to the next one */
	if ((info->row.attributes & INSN_END) || !strncmp(info->row.mnemonic, "RD", 2))
		return false; /* RDTSC and its like tell the absolute time */
	if (!(op->flags & OP_MEMORY) || random64() % 200 == 0)
		return true;
	return op->disp > -1024 && op->disp < 1024 && random64() % 4 == 0;
}

static unsigned random_insn(uint8_t *at)
{
	struct decode_env env = machine.cpu->blocks->env;
	struct op op;

	env.mode = (wide ? MODE_CODE64 : MODE_CODE32) | MODE_FLAT;
	for (;;) {
		uint64_t random[2] = {random64(), random64()};

		memcpy(at, random, 15);
		if (random64() & 1) /* the two-byte map has its share */
			at[random[1] >> 56 & 1] = 0x0f;
		op.off = 0;
		if (decode_insn(&env, at, 15, &op) == DECODE_OK && wanted(&op))
			return op.len;
	}
}

static void random_program(struct program *program)
{
	static const uint8_t spin[] = {0xeb, 0xfe};

	memset(program, 0x90, sizeof(program->code));
	program->size = 0;
	for (unsigned i = 0; i < INSNS; i++)
		program->size += random_insn(program->code + program->size);
	memset(program->code + program->size, 0x90, 16);
	memcpy(program->code + program->size + 16, spin, sizeof(spin));
	program->size += 16 + sizeof(spin);
	for (unsigned reg = 0; reg < REG_COUNT; reg++)
		program->gpr[reg] = random64() & 3 ? DATA + 1024 + random64() % 4096
						   : random64() >> (wide ? random64() & 63 : 32);
	program->gpr[REG_RSP] = STACK;
	program->gpr[REG_RCX] &= 0xff;
	program->rflags = (random64() & RFLAGS_STATUS) | RFLAGS_FIXED1;
	for (unsigned i = 0; i < sizeof(program->data); i += 8) {
		uint64_t value = random64();

		memcpy(program->data + i, &value, 8);
	}
}

/* ---- runs ---- */

struct outcome {
	uint64_t gpr[REG_COUNT], rip, rflags, cycles, insns, cr2;
	enum machine_stop stop;
	uint8_t data[2 * PAGE_SIZE], stack[PAGE_SIZE], frame[64], code[512];
	uint8_t xsave[512];
};

enum run_kind { RUN_WHOLE, RUN_STEPPED, RUN_CAREFUL };

static void clear(uint64_t at, size_t size)
{
	memset(memory_at(&machine.memory, at), 0, size);
}

static void load(const struct program *program, enum run_kind kind)
{
	struct cpu *cpu = machine.cpu;

	boot();
	cpu->seg[SEG_TR] =
	    (struct segment){.base = TSS, .limit = 0x67, .ar = 0x8b, .selector = 0x20};
	cpu->idtr = (struct table_register){.base = IDT, .limit = 0x1ff};
	memcpy(cpu->gpr, program->gpr, sizeof(program->gpr));
	cpu_set_rflags(cpu, program->rflags);
	cpu->cr2 = 0;
	cpu->dr[0] = 0x1000;
	cpu->dr7 = DR7_FIXED1 | (kind == RUN_CAREFUL ? 1 | UINT64_C(3) << 16 : 0);
	if (kind == RUN_CAREFUL && !wide) /* not flat: branches too are general */
		cpu->seg[SEG_CS].limit = UINT32_MAX - 1;
	mmu_free(cpu); /* time counts TLB misses: no run finds anything of another's */
	assert_true(mmu_init(cpu));
	blocks_forget_jumps(cpu);
	cpu_mode_changed(cpu);
	clear(CODE, PAGE_SIZE);
	memory_write(&machine.memory, CODE, program->code, sizeof(program->code));
	blocks_written(cpu, CODE, PAGE_SIZE);
	memory_write(&machine.memory, DATA, program->data, sizeof(program->data));
	clear(PAGE_BASE(STACK), PAGE_SIZE);
	clear(FAULT_STACK - PAGE_SIZE, PAGE_SIZE);
}

static void save(struct outcome *outcome)
{
	struct cpu *cpu = machine.cpu;

	memcpy(outcome->gpr, cpu->gpr, sizeof(outcome->gpr));
	memcpy(outcome->xsave, cpu->xsave_area, sizeof(outcome->xsave));
	outcome->rip = cpu_rip(cpu);
	outcome->rflags = cpu_rflags(cpu);
	outcome->cr2 = cpu->cr2;
	outcome->stop = machine.stop;
	memory_read(&machine.memory, DATA, outcome->data, sizeof(outcome->data));
	memory_read(&machine.memory, PAGE_BASE(STACK), outcome->stack, sizeof(outcome->stack));
	memory_read(&machine.memory, FAULT_STACK - 64, outcome->frame, sizeof(outcome->frame));
	memory_read(&machine.memory, CODE, outcome->code, sizeof(outcome->code));
}

static void run(const struct program *program, enum run_kind kind, struct outcome *outcome)
{
	uint64_t insns, cycles;

	memset(outcome, 0, sizeof(*outcome));
	load(program, kind);
	insns = cpu_retired(machine.cpu);
	cycles = cpu_now(machine.cpu);
	for (unsigned at = kind == RUN_STEPPED ? 1 : BUDGET; at <= BUDGET; at++) {
		machine.max_insns = insns + at;
		machine.stop = STOP_NONE;
		interp_cpu_ops.run(machine.cpu);
		if (machine.stop != STOP_INSN_LIMIT)
			break;
	}
	save(outcome);
	outcome->insns = cpu_retired(machine.cpu) - insns;
	outcome->cycles = cpu_now(machine.cpu) - cycles;
}

static void explain(const struct program *program, const struct outcome *a, const struct outcome *b)
{
	print_message("code:");
	for (unsigned i = 0; i < program->size; i++)
		print_message(" %02x", program->code[i]);
	print_message("\n");
	for (unsigned reg = 0; reg < REG_COUNT; reg++)
		if (a->gpr[reg] != b->gpr[reg])
			print_message("gpr %u: %#lx %#lx\n", reg, a->gpr[reg], b->gpr[reg]);
	print_message("rip %#lx %#lx rflags %#lx %#lx cycles %lu %lu insns %lu %lu stop %d %d cr2 "
		      "%#lx %#lx\n",
		      a->rip, b->rip, a->rflags, b->rflags, a->cycles, b->cycles, a->insns,
		      b->insns, a->stop, b->stop, a->cr2, b->cr2);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t x, y;

		memcpy(&x, a->frame + 8 * i, 8);
		memcpy(&y, b->frame + 8 * i, 8);
		print_message("frame %u: %#lx %#lx\n", i, x, y);
	}
	print_message("data %d stack %d code %d\n", memcmp(a->data, b->data, sizeof(a->data)) != 0,
		      memcmp(a->stack, b->stack, sizeof(a->stack)) != 0,
		      memcmp(a->code, b->code, sizeof(a->code)) != 0);
}

static void compare_runs(bool in_64bit)
{
	const char *text = getenv("ABYME_BLOCKS");
	unsigned long count = text ? strtoul(text, NULL, 0) : 6000, different = 0, faults = 0;

	wide = in_64bit;
	start();
	for (bool halted = false; !halted;) { /* devices settle during the first HLT */
		static struct program program;
		static struct outcome outcome;

		random_program(&program);
		run(&program, RUN_STEPPED, &outcome);
		halted = outcome.stop == STOP_HALTED;
	}
	for (unsigned long i = 0; i < count && different < 3; i++) {
		static struct program program;
		static struct outcome whole, stepped, careful;

		random_program(&program);
		run(&program, RUN_WHOLE, &whole);
		run(&program, RUN_STEPPED, &stepped);
		run(&program, RUN_CAREFUL, &careful);
		careful.cycles = whole.cycles; /* breakpoints may cost TLB space */
		faults += whole.stop == STOP_HALTED;
		if (memcmp(&whole, &stepped, sizeof(whole))) {
			different++;
			print_message("%lu: whole against stepped\n", i);
			explain(&program, &whole, &stepped);
		} else if (memcmp(&whole, &careful, sizeof(whole))) {
			different++;
			print_message("%lu: fast against general\n", i);
			explain(&program, &whole, &careful);
		}
	}
	assert_int_equal(different, 0);
	assert_in_range(faults, count / 20, count - count / 500); /* both kinds of ending occur */
	machine_free(&machine);
}

static void test_blocks_64bit(void **state)
{
	compare_runs(true);
}

static void test_blocks_32bit(void **state)
{
	compare_runs(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blocks_64bit),
	    cmocka_unit_test(test_blocks_32bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
