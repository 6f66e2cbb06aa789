/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every user-mode row of the instruction table against the host's own CPU: the same random states
 * executed natively and by the interpreter in 64-bit user mode. ABYME_STATES sets the states a row
 * (default 1000), ABYME_ROWS names the mnemonics to try by a part of them. x86-64 hosts only; rows
 * that the host lacks are skipped by name.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/boot.h"
#include "l0/machine/interp/block.h"
#include "tests/oracle/insn_gen.h"

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

static int setup(void **state)
{
	if (!native_init()) {
		print_message("skipped: this host cannot run x86-64 code at fixed addresses\n");
		exit(0);
	}
	assert_true(machine_init(&machine, RAM_SIZE, "/dev/null"));
	machine.cpu_ops = &interp_cpu_ops;
	machine.cpu = machine.cpu_ops->create(
	    &machine,
	    "skylake,+mmx,+sse4.2,+aes,+pclmulqdq,+sha,+avx2,+fma,+f16c,+xsaveopt,+xsavec");
	assert_non_null(machine.cpu);
	make_page_tables();
	make_descriptors();
	return 0;
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
static void interpret(const struct insn_instance *instance, struct native_state *out)
{
	struct cpu *cpu = machine.cpu;
	struct cpu_stats stats;

	assert_true(memory_write(&machine.memory, NATIVE_AT, instance->bytes, instance->length));
	blocks_written(cpu, NATIVE_AT, instance->length);
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

/* The parts of the image that instructions change; pointers to the last x87 instruction, MXCSR_MASK
 * and what is reserved are not among them. */
static const struct {
	const char *name;
	unsigned at, size, stride, count;
} extended[] = {
    {"fcw", 0, 2, 0, 1},    {"fsw", 2, 2, 0, 1},	   {"ftw", 4, 1, 0, 1},
    {"mxcsr", 24, 4, 0, 1}, {"st/mm", 32, 8, 16, 8},	   {"exp", 40, 2, 16, 8},
    {"xmm", 160, 8, 8, 32}, {"ymm", NATIVE_YMM, 8, 8, 32},
};

static uint64_t extended_value(const uint8_t *fx, unsigned part, unsigned i)
{
	uint64_t value = 0;

	memcpy(&value, fx + extended[part].at + i * extended[part].stride, extended[part].size);
	return value;
}

static bool same_extended(const uint8_t *fx, const uint8_t *other)
{
	for (unsigned part = 0; part < sizeof(extended) / sizeof(extended[0]); part++)
		for (unsigned i = 0; i < extended[part].count; i++)
			if (extended_value(fx, part, i) != extended_value(other, part, i))
				return false;
	return true;
}

static void explain_extended(const uint8_t *before, const uint8_t *native, const uint8_t *ours)
{
	for (unsigned part = 0; part < sizeof(extended) / sizeof(extended[0]); part++)
		for (unsigned i = 0; i < extended[part].count; i++) {
			uint64_t was = extended_value(before, part, i),
				 host = extended_value(native, part, i),
				 mine = extended_value(ours, part, i);

			if (was || host != mine)
				print_message("%8s %3u %#18lx %#18lx %#18lx%s\n",
					      extended[part].name, i, was, host, mine,
					      host == mine ? "" : "  <--");
		}
}

static void explain(const struct insn_row *row, const struct insn_instance *instance,
		    const struct native_state *native, const struct native_state *ours)
{
	print_message("%s %s (%s), bytes:", row->mnemonic, row->operands, row->encoding);
	for (unsigned i = 0; i < instance->length; i++)
		print_message(" %02x", instance->bytes[i]);
	print_message("\n%12s %18s %18s %18s\n", "", "before", "host", "interpreter");
	for (unsigned reg = 0; reg < 16; reg++)
		if (native->gpr[reg] != ours->gpr[reg] ||
		    instance->state.gpr[reg] != ours->gpr[reg])
			print_message("%12u %#18lx %#18lx %#18lx\n", reg, instance->state.gpr[reg],
				      native->gpr[reg], ours->gpr[reg]);
	explain_extended(instance->state.fx, native->fx, ours->fx);
	print_message("%12s %#18lx %#18lx %#18lx (undefined %#x)\n", "rflags",
		      instance->state.rflags, native->rflags, ours->rflags, instance->undefined);
	print_message("%12s %#18lx %#18lx %#18lx\n%12s %18s %18d %18d\n", "rip", NATIVE_AT,
		      native->rip, ours->rip, "vector", "", native->vector, ours->vector);
}

static bool same(const struct insn_instance *instance, const struct native_state *native,
		 const struct native_state *ours, const uint8_t *memory)
{
	uint64_t compared =
	    native->vector >= 0 ? 0 : (RFLAGS_STATUS | RFLAGS_DF) & ~instance->undefined;

	return !memcmp(native->gpr, ours->gpr, sizeof(native->gpr)) &&
	       same_extended(native->fx, ours->fx) && native->rip == ours->rip &&
	       native->vector == ours->vector && !((native->rflags ^ ours->rflags) & compared) &&
	       !memcmp(native_data(), memory, NATIVE_DATA_SIZE);
}

static uint8_t *vector_byte(uint8_t *fx, unsigned reg, unsigned at)
{
	return fx + (at < 16 ? 160 : NATIVE_YMM) + 16 * reg + at % 16;
}

/* SDM 2 "VPGATHERDD" extends the mask before the first lane is read, and a fault shows it so; AMD's
 * parts extend nothing. */
static void extend_mask(const struct insn_row *row, const struct insn_instance *instance,
			struct native_state *native)
{
	unsigned size = strstr(row->operands, "Mq") ? 8 : 4, index = instance->bytes[3] & 1 ? 8 : 4;
	unsigned vector = instance->bytes[2] & 4 ? 32 : 16, reg = ~instance->bytes[2] >> 3 & 15;
	unsigned end = vector / (size > index ? size : index) * size;

	if (native->vector < 0)
		return;
	for (unsigned at = 0; at < 32; at += size) {
		bool chosen = *vector_byte(native->fx, reg, at + size - 1) >> 7 && at < end;

		memset(vector_byte(native->fx, reg, at), chosen ? 0xff : 0, size);
	}
}

/* AMD's FCOMI leaves C1 alone, where the SDM clears it; its comparisons report what is unordered
 * even if that is an unmasked exception, where the SDM leaves flags and condition codes. */
static void accept_comparison(const struct insn_instance *instance, struct native_state *native,
			      const struct native_state *ours, bool flags)
{
	uint16_t host, mine;

	memcpy(&host, native->fx + 2, 2);
	memcpy(&mine, ours->fx + 2, 2);
	if (flags)
		host = (uint16_t)((host & ~FSW_C1) | (mine & FSW_C1));
	if ((host & SOFT_IE & ~instance->state.fx[0]) && native->vector < 0) {
		host = (uint16_t)((host & ~FSW_CC) | (mine & FSW_CC));
		native->rflags = ours->rflags;
	}
	memcpy(native->fx + 2, &host, 2);
}

/* Registers as integers that are adjacent where the numbers are. */
static __int128 as_ordered(const uint8_t *at)
{
	uint64_t sig;
	uint16_t se;
	__int128 value;

	memcpy(&sig, at, 8);
	memcpy(&se, at + 8, 2);
	value = (__int128)(se & F80_EXP) << 63 | (sig & (UINT64_MAX >> 1));
	return se & F80_SIGN ? -value : value;
}

static unsigned worst_ulps;

/* Transcendental instructions may be off by less than an ulp, on either part, in any direction: SDM
 * 1 "Transcendental Instruction Accuracy". */
static void accept_transcendental(const struct insn_instance *instance, struct native_state *native,
				  const struct native_state *ours)
{
	uint64_t sig, rest;
	uint16_t fcw, fsw;

	/* AMD's parts call a result inexact that is an exact power or logarithm */
	memcpy(&sig, instance->state.fx + 32, 8);
	rest = ~(sig ? sig << __builtin_clzll(sig) : sig);
	if (!(rest & (rest + 1)) && native->vector < 0) {
		memcpy(&fcw, native->fx, 2);
		memcpy(&fsw, native->fx + 2, 2);
		fsw = x87_summary(fsw & (ours->fx[2] | ~(SOFT_PE | SOFT_UE)), fcw);
		memcpy(native->fx + 2, &fsw, 2);
	}
	native->fx[3] = (uint8_t)((native->fx[3] & ~2) | (ours->fx[3] & 2));
	for (unsigned at = 32; at < 160; at += 16) {
		__int128 distance = as_ordered(native->fx + at) - as_ordered(ours->fx + at);
		unsigned ulps = distance < 0 ? (unsigned)-distance : (unsigned)distance;

		if (distance < -1 || distance > 1)
			continue;
		worst_ulps = ulps > worst_ulps ? ulps : worst_ulps;
		memcpy(native->fx + at, ours->fx + at, 10);
	}
}

static bool is_transcendental(const struct insn_row *row)
{
	static const char *const names[] = {"F2XM1", "FYL2X", "FYL2XP1", "FPTAN",
					    "FPATAN", "FSIN",  "FCOS",	  "FSINCOS"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], row->mnemonic))
			return true;
	return false;
}

/* Each part approximates as it likes within 1.5 * 2^-12 of the result, SDM 2 "RCPPS", "RSQRTPS":
 * where the two agree that far, or on a result at the edge of being tiny, take ours. SDM 2
 * "CVTPI2PS" enters MMX operation with a source in memory too; AMD's parts do not. */
static void accept_variation(const struct insn_row *row, const struct insn_instance *instance,
			     struct native_state *native, const struct native_state *ours)
{
	bool approximate = strstr(row->mnemonic, "RCP") || strstr(row->mnemonic, "RSQRT");

	for (unsigned at = 160; approximate && at < NATIVE_FX_SIZE;
	     at += at == 412 ? NATIVE_YMM - 412 : 4) {
		float host, mine;

		memcpy(&host, native->fx + at, 4);
		memcpy(&mine, ours->fx + at, 4);
		if (fabsf(host - mine) <= 3.0f / 4096 * fabsf(host) ||
		    (fabsf(host) <= FLT_MIN && fabsf(mine) <= FLT_MIN &&
		     signbit(host) == signbit(mine)))
			memcpy(native->fx + at, ours->fx + at, 4);
	}
	if (!strncmp(row->mnemonic, "XSAVE", 5)) /* MXCSR_MASK: AMD's parts have bit 17 */
		memcpy(native_data() + (instance->target - NATIVE_DATA) + 28,
		       memory_at(&machine.memory, instance->target + 28), 4);
	if (!strcmp(row->handler, "insn_vgather"))
		extend_mask(row, instance, native);
	if (is_transcendental(row))
		accept_transcendental(instance, native, ours);
	if (!strncmp(row->handler, "x87_f", 5) &&
	    (strstr(row->handler, "com") || strstr(row->handler, "tst")))
		accept_comparison(instance, native, ours, strstr(row->handler, "comi"));
	if (!strcmp(row->mnemonic, "CVTPI2PS") && instance->memory)
		memcpy(native->fx, ours->fx, 24), memcpy(native->fx + 32, ours->fx + 32, 128);
}

/* One state; false if they differ (explained), and *missing if the host has no such instruction. */
static bool compare_one(const struct insn_row *row, uint64_t *seed, bool *missing)
{
	uint8_t *memory = memory_at(&machine.memory, NATIVE_DATA);
	struct insn_instance instance;
	struct native_state native, ours;

	insn_gen_make(row, seed, &instance);
	memcpy(memory, native_data(), NATIVE_DATA_SIZE);
	native_execute(instance.bytes, instance.length, &instance.state, &native);
	if (native.vector == VECTOR_UD && strcmp(row->handler, "insn_ud")) {
		*missing = true;
		return true;
	}
	interpret(&instance, &ours);
	accept_variation(row, &instance, &native, &ours);
	if (same(&instance, &native, &ours, memory))
		return true;
	explain(row, &instance, &native, &ours);
	if (memcmp(native_data(), memory, NATIVE_DATA_SIZE))
		print_message("memory differs\n");
	return false;
}

static void every_row_as_on_the_host(void **state)
{
	const char *text = getenv("ABYME_STATES"), *part = getenv("ABYME_ROWS");
	unsigned long states = text ? strtoul(text, NULL, 0) : 1000;
	unsigned compared = 0, different = 0, missing_rows = 0, excluded = 0;

	setup(state); /* here: cmocka takes the fault signals for itself until a test runs */
	for (unsigned number = 0; number < insn_row_count(); number++) {
		const struct insn_row *row = insn_row(number);
		uint64_t seed = 0x9e3779b97f4a7c15 + number;
		bool missing = false, good = true;

		if ((part && !strstr(row->mnemonic, part)) || insn_gen_excluded(row) ||
		    !machine.cpu->blocks->env.announced[row->feature]) {
			excluded++;
			continue;
		}
		for (unsigned long i = 0; i < states && good && !missing; i++)
			good = compare_one(row, &seed, &missing);
		compared += !missing;
		different += !good;
		missing_rows += missing;
		if (missing)
			print_message("the host lacks %s (%s)\n", row->mnemonic, row->encoding);
	}
	print_message("%u rows compared on %lu states each, %u excluded, %u missing on the host\n",
		      compared, states, excluded, missing_rows);
	print_message("transcendental results within %u ulp of the host's\n", worst_ulps);
	assert_int_equal(different, 0);
	assert_true(compared > (part ? 0 : 200));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_as_on_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
