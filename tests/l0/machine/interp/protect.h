/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A CPU with 4 MiB of RAM and descriptor tables, for tests of protection: handlers are called with
 * ops made here, and what leaves by cpu_escape is caught. Memory and GDT below; memory is
 * identity-mapped.
 */
#ifndef TESTS_L0_MACHINE_INTERP_PROTECT_H
#define TESTS_L0_MACHINE_INTERP_PROTECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/devices/lapic.h"
#include "l0/machine/devices/pic.h"
#include "l0/machine/interp/block.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/sys.h"

enum {
	GDT = 0x1000,
	IDT = 0x2000,
	LDT = 0x3000,
	TSS = 0x4000,
	TSS_2 = 0x4800,
	DATA = 0x5000,
	CODE = 0x8000,
	HANDLER = 0x9000,
	STACK = 0xb000,   /* tops */
	STACK_0 = 0xc000, /* level 0, from the TSS */
	STACK_IST = 0xd000,
	PML4 = 0x10000,
	PDPT = 0x11000,
};

/* Selectors of the GDT below; RPL 0. */
enum {
	CODE32 = 0x08,
	DATA32 = 0x10,
	CODE64 = 0x18,
	USER_CODE32 = 0x20,
	USER_DATA = 0x28,
	USER_CODE64 = 0x30,
	CONFORMING = 0x38,
	ABSENT_DATA = 0x40,
	TSS_SEL = 0x48, /* 16 bytes */
	LDT_SEL = 0x58, /* 16 bytes */
	RO_DATA = 0x68,
	XO_CODE = 0x70,
	GATE = 0x78, /* 16 bytes, a test's own */
	TSS_2_SEL = 0x88,
	ABSENT_CODE = 0x90,
	CODE16 = 0x98,
	DATA16 = 0xa0,
	SMALL_DATA = 0xa8, /* limit 0xfff */
	CODE_LD = 0xb0,    /* L and D both set */
	BEYOND = 0x800,
};
#define GDT_LIMIT 0xff

enum fixture_mode { REAL, PROTECTED, LONG64, COMPAT, VM86 };

struct fixture {
	struct cpu cpu;
	struct machine machine;
	struct cpu_profile profile;
	struct op op;
	jmp_buf escape;
};

#define NO_FAULT 0xff
#define NO_ERROR UINT32_MAX

/* ---- memory ---- */

static inline void poke(struct fixture *f, uint64_t hpa, uint64_t value, unsigned size)
{
	assert_true(memory_write(&f->machine.memory, hpa, &value, size));
}

static inline uint64_t peek(struct fixture *f, uint64_t hpa, unsigned size)
{
	uint64_t value = 0;

	assert_true(memory_read(&f->machine.memory, hpa, &value, size));
	return value;
}

/* ---- descriptors ---- */

static inline void put_segment(struct fixture *f, uint64_t at, uint32_t ar, uint32_t base,
			       uint32_t limit)
{
	uint32_t low = (limit & 0xffff) | base << 16;
	uint32_t high = (base >> 16 & 0xff) | (ar & 0xf0ff) << 8 | (limit & 0xf0000) |
			(base & 0xff000000);

	poke(f, at, low | (uint64_t)high << 32, 8);
}

static inline void put_gate(struct fixture *f, uint64_t at, unsigned type, unsigned dpl,
			    uint16_t selector, uint32_t offset, unsigned low_byte)
{
	uint32_t low = (offset & 0xffff) | (uint32_t)selector << 16;
	uint32_t high = (offset & 0xffff0000) | (type | dpl << 5 | 0x80) << 8 | low_byte;

	poke(f, at, low | (uint64_t)high << 32, 8);
}

static inline void put_idt(struct fixture *f, unsigned vector, unsigned type, unsigned dpl,
			   uint16_t selector)
{
	unsigned size = f->cpu.efer & EFER_LMA ? 16 : 8;

	put_gate(f, IDT + vector * size, type, dpl, selector, HANDLER + vector, 0);
}

static inline void put_gdt(struct fixture *f)
{
	put_segment(f, GDT + CODE32, 0xc09b, 0, 0xfffff);
	put_segment(f, GDT + DATA32, 0xc093, 0, 0xfffff);
	put_segment(f, GDT + CODE64, 0xa09b, 0, 0xfffff);
	put_segment(f, GDT + USER_CODE32, 0xc0fb, 0, 0xfffff);
	put_segment(f, GDT + USER_DATA, 0xc0f3, 0, 0xfffff);
	put_segment(f, GDT + USER_CODE64, 0xa0fb, 0, 0xfffff);
	put_segment(f, GDT + CONFORMING, 0xc09f, 0, 0xfffff);
	put_segment(f, GDT + ABSENT_DATA, 0xc013, 0, 0xfffff);
	put_segment(f, GDT + TSS_SEL, 0x0089, TSS, 0x67);
	put_segment(f, GDT + LDT_SEL, 0x0082, LDT, 0xff);
	put_segment(f, GDT + RO_DATA, 0xc091, 0, 0xfffff);
	put_segment(f, GDT + XO_CODE, 0xc099, 0, 0xfffff);
	put_segment(f, GDT + TSS_2_SEL, 0x0089, TSS_2, 0x67);
	put_segment(f, GDT + ABSENT_CODE, 0xc01b, 0, 0xfffff);
	put_segment(f, GDT + CODE16, 0x009b, 0, 0xffff);
	put_segment(f, GDT + DATA16, 0x0093, 0, 0xffff);
	put_segment(f, GDT + SMALL_DATA, 0x4093, 0, 0xfff);
	put_segment(f, GDT + CODE_LD, 0xe09b, 0, 0xfffff);
	put_segment(f, LDT + 0x08, 0xc093, 0, 0xfffff);
}

/* ---- the fixture ---- */

static inline void fixture_poke(struct cpu *cpu)
{
	cpu->attention = true;
}
static inline uint64_t fixture_now(struct cpu *cpu)
{
	return cpu->insns;
}
static inline void fixture_destroy(struct cpu *cpu)
{
	blocks_destroy(cpu);
	mmu_free(cpu);
	vmx_free(cpu);
}
static const struct cpu_ops fixture_ops = { .poke = fixture_poke, .now = fixture_now,
					    .destroy = fixture_destroy };

/* Flat registers as if loaded from the GDT, at privilege `cpl`. */
static inline void set_segments(struct fixture *f, enum fixture_mode mode, unsigned cpl)
{
	struct cpu *cpu = &f->cpu;
	uint16_t code = mode == LONG64 ? (cpl ? USER_CODE64 : CODE64)
				       : (cpl ? USER_CODE32 : CODE32);
	uint16_t data = cpl ? USER_DATA : DATA32;
	uint32_t bits = mode == LONG64 ? AR_L : AR_DB;

	for (unsigned i = 0; i <= SEG_GS; i++)
		cpu->seg[i] = (struct segment){ .limit = UINT32_MAX,
						.ar = 0x8093u | AR_DB | cpl << AR_DPL_SHIFT,
						.selector = (uint16_t)(data | cpl) };
	cpu->seg[SEG_CS].ar = 0x809bu | bits | cpl << AR_DPL_SHIFT;
	cpu->seg[SEG_CS].selector = (uint16_t)(code | cpl);
	cpu->cpl = (uint8_t)cpl;
	cpu_mode_changed(cpu);
}

static inline void set_real_segments(struct fixture *f, enum fixture_mode mode)
{
	struct cpu *cpu = &f->cpu;

	for (unsigned i = 0; i <= SEG_GS; i++)
		cpu->seg[i] = (struct segment){ .limit = 0xffff, .ar = mode == VM86 ? 0xf3 : 0x93 };
	cpu->cpl = mode == VM86 ? 3 : 0;
	cpu->eflags_rest |= mode == VM86 ? RFLAGS_VM : 0;
	cpu_mode_changed(cpu);
}

static inline void set_mode(struct fixture *f, enum fixture_mode mode)
{
	struct cpu *cpu = &f->cpu;
	bool ia32e = mode == LONG64 || mode == COMPAT;

	cpu->cr0 = CR0_ET | CR0_NE | (mode == REAL ? 0 : CR0_PE) | (ia32e ? CR0_PG | CR0_WP : 0);
	cpu->cr3 = ia32e ? PML4 : 0;
	cpu->cr4 = ia32e ? CR4_PAE : 0;
	cpu->efer = ia32e ? EFER_LME | EFER_LMA | EFER_SCE : 0;
	cpu->gdtr = (struct table_register){ GDT, GDT_LIMIT };
	cpu->idtr = (struct table_register){ mode == REAL ? 0 : IDT, 0xfff };
	cpu->seg[SEG_TR] = (struct segment){ TSS, 0x67, 0x8b, TSS_SEL };
	cpu->seg[SEG_LDTR] = (struct segment){ LDT, 0xff, 0x82, LDT_SEL };
	if (mode == REAL || mode == VM86)
		set_real_segments(f, mode);
	else
		set_segments(f, mode, 0);
	cpu->gpr[REG_RSP] = mode == REAL || mode == VM86 ? 0xb000 : STACK;
	cpu_rip(cpu) = mode == REAL || mode == VM86 ? 0x8000 : CODE;
}

/* The stack for level 0 of the TSS, in the layout of the mode. */
static inline void put_tss(struct fixture *f)
{
	if (f->cpu.efer & EFER_LMA) {
		poke(f, TSS + 4, STACK_0, 8);
		poke(f, TSS + 0x24, STACK_IST, 8);
		return;
	}
	poke(f, TSS + 4, STACK_0, 4);
	poke(f, TSS + 8, DATA32, 2);
}

static inline struct fixture *fixture_new(enum fixture_mode mode)
{
	struct fixture *f = aligned_alloc(64, (sizeof(*f) + 63) & ~(size_t)63);
	char error[128];

	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	assert_true(cpu_profile_parse(NULL, &f->profile, error, sizeof(error)));
	assert_true(memory_init(&f->machine.memory, UINT64_C(4) << 20));
	f->machine.cpu_ops = &fixture_ops;
	f->machine.cpu = &f->cpu;
	f->cpu.machine = &f->machine;
	f->cpu.profile = &f->profile;
	f->cpu.escape = &f->escape;
	f->cpu.dr6 = DR6_FIXED1;
	f->cpu.dr7 = DR7_FIXED1;
	f->cpu.seen.shadow = f->cpu.seen.rf = f->cpu.seen.step = UINT64_MAX;
	assert_true(vmx_init(&f->cpu, &f->profile.caps));
	assert_true(mmu_init(&f->cpu));
	assert_true(blocks_create(&f->cpu));
	f->machine.lapic = lapic_create(&f->machine);
	f->machine.pic = pic_create(&f->machine);
	cpu_set_rflags(&f->cpu, RFLAGS_FIXED1);
	poke(f, PML4, PDPT | PTE_P | PTE_W | PTE_U, 8);
	poke(f, PDPT, PTE_P | PTE_W | PTE_U | PTE_PS, 8);
	put_gdt(f);
	set_mode(f, mode);
	put_tss(f);
	f->op = (struct op){ .base = REG_ZERO,
			     .index = REG_ZERO,
			     .seg = SEG_DS,
			     .opsize = mode == LONG64 ? 8 : mode == REAL || mode == VM86 ? 2 : 4,
			     .addrsize = mode == LONG64 ? 8 : mode == REAL || mode == VM86 ? 2 : 4,
			     .len = 2 };
	return f;
}

static inline void fixture_free(struct fixture *f)
{
	machine_free(&f->machine);
	free(f);
}

/* Makes the operand memory at `at` (or a register: NO memory). */
static inline void use_memory(struct fixture *f, uint32_t at)
{
	f->op.flags = OP_MEMORY;
	f->op.disp = (int32_t)at;
}

static inline void use_register(struct fixture *f, unsigned rm)
{
	f->op.flags = 0;
	f->op.rm = (uint8_t)rm;
}

typedef void handler(struct cpu *cpu, const struct op *op);

/* Calls a handler; the vector that it raised, NO_FAULT if it returned. The event stays in
 * cpu->event. */
static inline unsigned call(struct fixture *f, handler *insn)
{
	f->cpu.event.valid = false;
	f->cpu.op = &f->op;
	f->cpu.next_rip = cpu_rip(&f->cpu) + f->op.len;
	if (setjmp(f->escape) == 0)
		insn(&f->cpu, &f->op);
	f->cpu.op = NULL;
	return f->cpu.event.valid ? f->cpu.event.vector : NO_FAULT;
}

#define assert_outcome(f, got, vector_, error_)                                                    \
	do {                                                                                       \
		assert_int_equal(got, vector_);                                                    \
		if ((vector_) != NO_FAULT)                                                         \
			assert_int_equal((f)->cpu.event.has_error ? (f)->cpu.event.error           \
								  : NO_ERROR,                      \
					 error_);                                                  \
	} while (0)

/* Delivers an event as the run loop does, nested faults included; false: the machine stopped. */
static inline bool deliver(struct fixture *f, const struct cpu_event *event)
{
	f->cpu.op = NULL;
	f->cpu.event = *event;
	f->cpu.event.valid = true;
	(void)setjmp(f->escape);
	if (f->cpu.event.valid && f->machine.stop == STOP_NONE)
		cpu_deliver_event(&f->cpu);
	return f->machine.stop == STOP_NONE;
}

#define EXCEPTION(v, ...)                                                                          \
	(&(struct cpu_event){ .vector = (v), .type = INTR_TYPE_HARDWARE_EXCEPTION, __VA_ARGS__ })

/* ---- events between instructions ---- */

static inline void send_interrupt(struct fixture *f, uint8_t vector)
{
	lapic_mmio_write(f->machine.lapic, 0xf0, 0x1ff);
	assert_true(lapic_send(f->machine.lapic,
			       &(struct apic_message){ .vector = vector, .mode = APIC_FIXED }));
}

/* An instruction boundary of 64-bit code with an IDT and a local APIC that is on. */
static inline struct fixture *boundary(void)
{
	struct fixture *f = fixture_new(LONG64);

	for (unsigned v = 0; v < 256; v++)
		put_idt(f, v, 14, 0, CODE64);
	assert_true(lapic_set_base(f->machine.lapic, UINT64_C(0xfee00900)));
	f->cpu.attention = true;
	return f;
}

#endif
