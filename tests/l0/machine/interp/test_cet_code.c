/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CET as code meets it: near CALL and RET with shadow stacks, and the tracker of indirect branches.
 * Each row is a few instructions that run to HLT, or to an exception that nobody handles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/interp/cet.h"
#include "tests/l0/machine/interp/whole.h"

#define RAM (UINT64_C(8) << 20)
#define CODE UINT64_C(0x10000)
#define STACK UINT64_C(0x20000)
#define BITMAP UINT64_C(0x30000)
#define SHADOW UINT64_C(0x400000) /* a 2 MiB shadow-stack page */
#define SSP (SHADOW + 0x1000)
#define IDT UINT64_C(0x40000)
#define HANDLER UINT64_C(0x50000)

/* rax = CODE + 0x40, jmp rax; what is at CODE + 0x40 follows. */
#define LOAD "\x48\xc7\xc0\x40\x00\x01\x00"
#define JMP "\xff\xe0"
#define CALL "\xff\xd0"
#define NOTRACK "\x3e"
#define ENDBR64 "\xf3\x0f\x1e\xfa"
#define ENDBR32 "\xf3\x0f\x1e\xfb"
#define HLT "\xf4"
#define NOP "\x90"

#define IBT CET_ENDBR_EN
#define SS CET_SH_STK_EN
#define LEGACY (CET_ENDBR_EN | CET_LEG_IW_EN)

struct row {
	const char *what;
	uint64_t s_cet;
	const char *code;   /* at CODE */
	size_t size;
	const char *target; /* at CODE + 0x40 */
	int error;	    /* of #CP; -1: runs to HLT */
	uint64_t after;	    /* S_CET then */
};

#define BYTES(code) code, sizeof(code) - 1

static const struct row rows[] = {
	{"off", 0, BYTES(LOAD JMP), HLT, -1, 0},
	{"JMP to ENDBR64", IBT, BYTES(LOAD JMP), ENDBR64 HLT, -1, IBT},
	{"CALL to ENDBR64", IBT, BYTES(LOAD CALL), ENDBR64 HLT, -1, IBT},
	{"JMP to something else", IBT, BYTES(LOAD JMP), NOP HLT, 3, 0},
	{"CALL to something else", IBT, BYTES(LOAD CALL), HLT, 3, 0},
	{"ENDBR32 in 64-bit code", IBT, BYTES(LOAD JMP), ENDBR32 HLT, 3, 0},
	{"#CP before #UD", IBT, BYTES(LOAD JMP), "\x0f\x0b", 3, 0},
	{"#CP before undefined bytes", IBT, BYTES(LOAD JMP), "\x0f\x04", 3, 0},
	{"direct JMP", IBT, BYTES("\xeb\x3e"), HLT, -1, IBT},
	{"RET", IBT, BYTES(LOAD "\x50\xc3"), HLT, -1, IBT},
	{"3E without NO_TRACK_EN", IBT, BYTES(LOAD NOTRACK JMP), HLT, 3, 0},
	{"3E", IBT | CET_NO_TRACK_EN, BYTES(LOAD NOTRACK JMP), HLT, -1, IBT | CET_NO_TRACK_EN},
	{"3E CALL", IBT | CET_NO_TRACK_EN, BYTES(LOAD NOTRACK CALL), HLT, -1,
	 IBT | CET_NO_TRACK_EN},
	{"suppressed", IBT | CET_SUPPRESS, BYTES(LOAD JMP), HLT, -1, IBT | CET_SUPPRESS},
	{"ENDBR64 ends suppression", IBT | CET_SUPPRESS, BYTES(LOAD JMP), ENDBR64 HLT, -1, IBT},
	{"waiting at the start", IBT | CET_TRACKER, BYTES(ENDBR64 HLT), "", -1, IBT},
	{"waiting, and nothing there", IBT | CET_TRACKER, BYTES(HLT), "", 3, 0},
	{"legacy page", LEGACY | BITMAP, BYTES(LOAD JMP), HLT, -1, LEGACY | BITMAP | CET_SUPPRESS},
	{"legacy page, still tracked", LEGACY | BITMAP | CET_SUPPRESS_DIS, BYTES(LOAD JMP), HLT, -1,
	 LEGACY | BITMAP | CET_SUPPRESS_DIS},
	{"no legacy page", LEGACY | (BITMAP + 0x1000), BYTES(LOAD JMP), HLT, 3, 0},
	{"CALL and RET", SS, BYTES("\xe8\x3b\x00\x00\x00" HLT), "\xc3", -1, SS},
	{"RET elsewhere", SS, BYTES("\xe8\x3b\x00\x00\x00" HLT), "\xff\x04\x24\xc3", 1, 0},
	{"CALL only for RIP", SS, BYTES("\xe8\x00\x00\x00\x00\x58" HLT), "", -1, SS},
	{"indirect CALL, RET imm", SS, BYTES(LOAD CALL HLT), "\xc2\x08", -1, SS},
	{"both", SS | IBT, BYTES(LOAD CALL HLT), ENDBR64 "\xc3", -1, SS | IBT},
};

static void put_handler(struct machine *machine)
{
	whole_put64(machine, IDT + 16 * VECTOR_CP,
		    (HANDLER & 0xffff) | UINT64_C(0x10) << 16 | UINT64_C(0x8e00) << 32 |
			    (HANDLER >> 16) << 48);
	whole_put(machine, HANDLER, ENDBR64 HLT, 5);
	machine->cpu->idtr.base = IDT;
	machine->cpu->idtr.limit = 0xfff;
}

static void start(struct machine *machine, const struct row *row)
{
	const uint64_t page = CODE >> 12;
	struct cpu *cpu;

	whole_create_part(machine, RAM, "sapphire-rapids");
	whole_boot_long64(machine, RAM, CODE, STACK);
	cpu = machine->cpu;
	/* Read-only and dirty. */
	whole_put64(machine, WHOLE_DIRECTORY + 8 * (SHADOW >> 21),
		    SHADOW | PTE_P | PTE_PS | PTE_A | PTE_D);
	whole_put(machine, BITMAP + page / 8, &(uint8_t){(uint8_t)(1u << page % 8)}, 1);
	whole_put(machine, CODE, row->code, row->size);
	whole_put(machine, CODE + 0x40, row->target, strlen(row->target));
	put_handler(machine);
	cpu->cr0 |= CR0_WP;
	cpu->cr4 |= CR4_CET;
	cpu->cet.s_cet = row->s_cet;
	cpu->cet.ssp = SSP;
	machine->max_insns = 100;
	cpu_mode_changed(cpu);
}

static void check_row(const struct row *row)
{
	struct machine machine;
	struct cpu *cpu;
	uint64_t error;

	print_message("%s\n", row->what);
	start(&machine, row);
	cpu = machine.cpu;
	interp_cpu_ops.run(cpu);
	assert_int_equal(machine.stop, STOP_HALTED);
	assert_int_equal(cpu_rip(cpu) == HANDLER + 5, row->error >= 0);
	if (row->error < 0) {
		assert_int_equal(cpu->cet.s_cet, row->after);
		assert_int_equal(cpu->cet.ssp, SSP);
	} else {
		assert_true(memory_read(&machine.memory, cpu->gpr[REG_RSP], &error, 8));
		assert_int_equal(error, row->error);
	}
	machine_free(&machine);
}

static void test_rows(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

/* The same, each instruction stepped. */
static void test_stepped(void **state)
{
	struct machine machine;
	uint64_t insns;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(&machine, &rows[i]);
		interp_cpu_ops.run(machine.cpu);
		insns = machine.cpu->insns;
		machine_free(&machine);
		start(&machine, &rows[i]);
		for (uint64_t n = 1; n <= insns; n++) {
			machine.max_insns = n;
			machine.stop = STOP_NONE;
			interp_cpu_ops.run(machine.cpu);
			assert_int_equal(machine.cpu->insns, n);
		}
		assert_int_equal(cpu_rip(machine.cpu) == HANDLER + 5, rows[i].error >= 0);
		machine_free(&machine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_stepped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
