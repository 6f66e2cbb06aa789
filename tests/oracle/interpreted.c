/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Runs one instruction on the interpreter in user mode; a fault ends in the HLT of its vector's
 * handler.
 */
#include "tests/oracle/interpreted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/boot.h"
#include "l0/machine/interp/block.h"

#define RAM_SIZE (UINT64_C(320) << 20)
#define TABLES UINT64_C(0x1000) /* PML4, PDPT, PD, PT, one page each */
#define GDT UINT64_C(0x5000)
#define IDT UINT64_C(0x6000)
#define HANDLERS UINT64_C(0x7000) /* 16 bytes a vector, HLT: RIP tells which */
#define KERNEL_STACK UINT64_C(0x9000)
#define TSS UINT64_C(0xa000)

static struct machine machine;

static void put64(uint64_t at, uint64_t value)
{
	assert_true(memory_write(&machine.memory, at, &value, 8));
}

/* Identity mapping of just three things: the kernel's first 64 KiB (supervisor), the code page and
 * the data page (user), so that stray accesses fault as they do natively. */
static void make_page_tables(void)
{
	put64(TABLES, (TABLES + 0x1000) | 7);
	put64(TABLES + 0x1000, (TABLES + 0x2000) | 7);
	put64(TABLES + 0x2000, (TABLES + 0x3000) | 7);
	for (uint64_t page = 0; page < 16; page++)
		put64(TABLES + 0x3000 + 8 * page, page << PAGE_SHIFT | 3);
	put64(TABLES + 0x2000 + 8 * (NATIVE_CODE >> 21), 0xb000 | 7);
	put64(0xb000, NATIVE_CODE | 7);
	put64(0xb000 + 8 * (NATIVE_DATA >> 12 & 511), NATIVE_DATA | 7);
}

static void make_descriptors(void)
{
	put64(GDT + 0x08, UINT64_C(0x00af9b000000ffff)); /* kernel code */
	put64(GDT + 0x10, UINT64_C(0x00cf93000000ffff)); /* kernel data */
	put64(TSS + 4, KERNEL_STACK);
	for (uint64_t vector = 0; vector < 32; vector++) {
		uint64_t handler = HANDLERS + 16 * vector;

		put64(IDT + 16 * vector,
		      (handler & 0xffff) | 8 << 16 | UINT64_C(0x8e) << 40 | (handler >> 16) << 48);
		put64(IDT + 16 * vector + 8, 0);
		put64(handler, 0xf4f4f4f4f4f4f4f4);
	}
}

void interpreted_init(void)
{
	assert_true(machine_init(&machine, RAM_SIZE, "/dev/null"));
	machine.cpu_ops = &interp_cpu_ops;
	machine.cpu = machine.cpu_ops->create(
	    &machine,
	    "skylake,+mmx,+sse4.2,+aes,+pclmulqdq,+sha,+avx2,+fma,+f16c,+xsaveopt,+xsavec");
	assert_non_null(machine.cpu);
	make_page_tables();
	make_descriptors();
}

bool interpreted_announces(const struct insn_row *row)
{
	return machine.cpu->blocks->env.announced[row->feature];
}

uint8_t *interpreted_data(void)
{
	return memory_at(&machine.memory, NATIVE_DATA);
}

static void set_segment(enum x86_seg which, uint16_t selector, uint32_t ar)
{
	machine.cpu->seg[which] =
	    (struct segment){.limit = UINT32_MAX, .ar = ar, .selector = selector};
}

/* 64-bit user mode with the given registers. */
static void load_state(const struct native_state *state)
{
	struct cpu *cpu = machine.cpu;

	cpu->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	cpu->cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_WP | CR0_ET;
	cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	cpu->cr3 = TABLES;
	cpu->cpl = 3;
	for (enum x86_seg which = SEG_ES; which <= SEG_GS; which++)
		set_segment(which, 0x23, 0xc0f3);
	set_segment(SEG_CS, 0x2b, 0xa0fb);
	cpu->seg[SEG_TR] =
	    (struct segment){.base = TSS, .limit = 0x67, .ar = 0x8b, .selector = 0x30};
	cpu->gdtr = (struct table_register){.base = GDT, .limit = 0x7f};
	cpu->idtr = (struct table_register){.base = IDT, .limit = 0x1ff};
	memcpy(cpu->gpr, state->gpr, sizeof(state->gpr));
	memcpy(cpu->xsave_area, state->fx, sizeof(state->fx));
	cpu->xcr0 = 7;
	cpu_rip(cpu) = NATIVE_AT;
	cpu_set_rflags(cpu, state->rflags | RFLAGS_FIXED1);
	cpu->activity = ACTIVITY_ACTIVE;
	cpu_mode_changed(cpu);
}

static uint64_t get64(uint64_t at)
{
	uint64_t value = 0;

	assert_true(memory_read(&machine.memory, at, &value, 8));
	return value;
}

/* After a fault the CPU halts in the vector's handler with the frame on the kernel stack. */
static void read_fault(struct native_state *out)
{
	struct cpu *cpu = machine.cpu;

	out->vector = (cpu_rip(cpu) - HANDLERS) / 16;
	out->rip = get64(KERNEL_STACK - 40);
	out->rflags = get64(KERNEL_STACK - 24);
	out->gpr[REG_RSP] = get64(KERNEL_STACK - 16);
}

/* Executes until one instruction has retired: the one at NATIVE_AT or, after a fault, a handler's
 * HLT. A REP instruction may take several rounds. */
void interpreted_execute(const struct insn_instance *instance, struct native_state *out)
{
	struct cpu *cpu = machine.cpu;
	struct cpu_stats stats;

	assert_true(memory_write(&machine.memory, NATIVE_AT, instance->bytes, instance->length));
	blocks_written(cpu, NATIVE_AT, instance->length);
	memcpy(interpreted_data(), instance->data, NATIVE_DATA_SIZE);
	load_state(&instance->state);
	do {
		machine.cpu_ops->stats(cpu, &stats);
		machine.max_insns = stats.instructions + 1;
		machine.stop = STOP_NONE;
		machine.cpu_ops->run(cpu);
	} while (cpu_rip(cpu) == NATIVE_AT && machine.stop == STOP_INSN_LIMIT);
	memcpy(out->gpr, cpu->gpr, sizeof(out->gpr));
	memcpy(out->fx, cpu->xsave_area, sizeof(out->fx));
	out->rip = cpu_rip(cpu);
	out->rflags = cpu_rflags(cpu);
	out->vector = -1;
	if (cpu->cpl == 0)
		read_fault(out);
}
