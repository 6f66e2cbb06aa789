/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A CPU with 8 MiB of RAM for the tests of VMX: handlers are called with ops made here, and what
 * leaves by cpu_escape (VM exits, faults) is caught. Memory map below; root mode is 64-bit,
 * identity-mapped.
 */
#ifndef TESTS_L0_MACHINE_INTERP_VMX_FIXTURE_H
#define TESTS_L0_MACHINE_INTERP_VMX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/interp/block.h"
#include "l0/machine/interp/op.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/vmx/private.h"
#include "l0/machine/interp/vmx/vmx.h"

enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	VMXON_REGION = 0x3000,
	VMCS_A = 0x4000,
	VMCS_B = 0x5000,
	OPERAND = 0x6000, /* memory operands of VMX instructions */
	BITMAP = 0x7000,  /* one page each from here on */
	BITMAP_2 = 0x8000,
	VIRTUAL_APIC = 0x9000,
	APIC_ACCESS = 0xa000,
	AREA = 0xb000,
	AREA_2 = 0xc000,
	EPT_ROOT = 0xd000,
	SHADOW_VMCS = 0xe000,
	HOST_STACK = 0x10000,
	HOST_ENTRY = 0x11000,
	GUEST_ENTRY = 0x12000,
	GUEST_STACK = 0x13000,
};

struct fixture {
	struct machine machine;
	struct cpu_profile profile;
	struct cpu *cpu;
	struct op op;
	jmp_buf escape;
};

/* Runs a statement on the CPU; true if it left by cpu_escape. A local that changes after the first
 * use in a function must be volatile. */
#define ESCAPES(f, statement)                                                                      \
	(setjmp((f)->escape) ? true : ((f)->cpu->escape = &(f)->escape, (statement), false))

#define SET(f, name, value) vmcs_set((f)->cpu->vmx->vmcs, name, value)
#define GET(f, name) vmcs_get((f)->cpu->vmx->vmcs, name)
#define ENABLE(f, name, bits) SET(f, name, GET(f, name) | (uint32_t)(bits))

static inline void poke64(struct fixture *f, uint64_t hpa, uint64_t value)
{
	assert_true(memory_write(&f->machine.memory, hpa, &value, 8));
}

static inline void poke32(struct fixture *f, uint64_t hpa, uint32_t value)
{
	assert_true(memory_write(&f->machine.memory, hpa, &value, 4));
}

static inline uint64_t peek64(struct fixture *f, uint64_t hpa)
{
	uint64_t value = 0;

	assert_true(memory_read(&f->machine.memory, hpa, &value, 8));
	return value;
}

static inline void host_segments(struct cpu *cpu)
{
	for (int i = SEG_ES; i <= SEG_GS; i++)
		cpu->seg[i] = (struct segment){.selector = 0x18, .limit = UINT32_MAX, .ar = 0xc093};
	cpu->seg[SEG_CS] = (struct segment){.selector = 0x10, .limit = UINT32_MAX, .ar = 0xa09b};
	cpu->seg[SEG_TR] = (struct segment){.selector = 0x20, .limit = 0x67, .ar = 0x8b};
	cpu->seg[SEG_LDTR] = (struct segment){.ar = AR_UNUSABLE};
}

static inline void fixture_poke(struct cpu *cpu)
{
	cpu->attention = true;
}

static inline uint64_t fixture_now(struct cpu *cpu)
{
	return cpu_now(cpu);
}

static const struct cpu_ops fixture_ops = {
	.name = "fixture", .now = fixture_now, .poke = fixture_poke};

static inline struct cpu *fixture_cpu(struct fixture *f)
{
	struct cpu *cpu = calloc(1, sizeof(*cpu));

	assert_non_null(cpu);
	cpu->machine = &f->machine;
	cpu->profile = &f->profile;
	cpu->activity = ACTIVITY_ACTIVE;
	f->machine.cpu = cpu;
	f->machine.cpu_ops = &fixture_ops;
	assert_true(vmx_init(cpu, &f->profile.caps));
	assert_true(mmu_init(cpu));
	assert_true(blocks_create(cpu));
	return cpu;
}

/* 64-bit root mode outside VMX operation, ready for VMXON. */
static inline void start_with(struct fixture *f, const char *profile)
{
	char error[128];
	struct cpu *cpu;

	memset(f, 0, sizeof(*f));
	assert_true(memory_init(&f->machine.memory, UINT64_C(8) << 20));
	assert_true(cpu_profile_parse(profile, &f->profile, error, sizeof(error)));
	cpu = f->cpu = fixture_cpu(f);
	cpu->cr0 = CR0_PE | CR0_NE | CR0_PG | CR0_ET;
	cpu->cr3 = PML4;
	cpu->cr4 = CR4_PAE | CR4_VMXE;
	cpu->efer = EFER_LME | EFER_LMA | EFER_NXE;
	cpu->msrs.feature_control = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
	host_segments(cpu);
	cpu->cpl = 0;
	cpu->dr7 = DR7_FIXED1;
	cpu->gpr[REG_RSP] = HOST_STACK;
	cpu_rip(cpu) = HOST_ENTRY;
	cpu_set_rflags(cpu, RFLAGS_FIXED1);
	poke64(f, PML4, PDPT | PTE_P | PTE_W | PTE_U);
	poke64(f, PDPT, PTE_P | PTE_W | PTE_U | PTE_PS);
	poke32(f, VMXON_REGION, VMCS_REVISION);
	poke32(f, VMCS_A, VMCS_REVISION);
	poke32(f, VMCS_B, VMCS_REVISION);
	cpu_mode_changed(cpu);
	f->op = (struct op){.flags = OP_MEMORY,
			    .base = REG_RBX,
			    .index = REG_ZERO,
			    .seg = SEG_DS,
			    .opsize = 8,
			    .addrsize = 8,
			    .len = 4,
			    .reg = REG_RAX,
			    .rm = REG_RDX};
	cpu->gpr[REG_RBX] = OPERAND;
}

static inline void stop(struct fixture *f)
{
	blocks_destroy(f->cpu);
	mmu_free(f->cpu);
	vmx_free(f->cpu);
	free(f->cpu);
	memory_free(&f->machine.memory);
}

static inline void start(struct fixture *f)
{
	start_with(f, NULL);
}

/* ---- calling handlers ---- */

typedef void handler(struct cpu *cpu, const struct op *op);

/* True if the instruction faulted or exited. */
static inline bool call(struct fixture *f, handler *insn)
{
	bool left;

	f->cpu->op = &f->op;
	left = ESCAPES(f, insn(f->cpu, &f->op));
	f->cpu->op = NULL;
	return left;
}

static inline bool call_pointer(struct fixture *f, handler *insn, uint64_t pointer)
{
	poke64(f, OPERAND, pointer);
	return call(f, insn);
}

/* The status flags as VMX instructions leave them. */
static inline void assert_succeeds(struct fixture *f)
{
	assert_int_equal(cpu_rflags(f->cpu) & RFLAGS_STATUS, 0);
}

static inline void assert_fails_invalid(struct fixture *f)
{
	assert_int_equal(cpu_rflags(f->cpu) & RFLAGS_STATUS, RFLAGS_CF);
}

static inline void assert_fails_valid(struct fixture *f, enum vmx_error error)
{
	assert_int_equal(cpu_rflags(f->cpu) & RFLAGS_STATUS, RFLAGS_ZF);
	assert_int_equal(GET(f, INSTRUCTION_ERROR), error);
}

/* The last call raised this exception; takes it. */
static inline void assert_faults(struct fixture *f, enum x86_vector vector)
{
	assert_true(f->cpu->event.valid);
	assert_int_equal(f->cpu->event.vector, vector);
	f->cpu->event.valid = false;
}

/* ---- a VMCS that enters ---- */

static inline void guest_segment(struct vmcs *vmcs, enum x86_seg seg, uint16_t selector,
				 uint32_t ar)
{
	vmcs_set_seg(vmcs, SELECTOR, seg, selector);
	vmcs_set_seg(vmcs, BASE, seg, 0);
	vmcs_set_seg(vmcs, LIMIT, seg, UINT32_MAX);
	vmcs_set_seg(vmcs, ACCESS_RIGHTS, seg, ar);
}

static inline void host_fields(struct fixture *f)
{
	SET(f, HOST_CR0, CR0_PE | CR0_NE | CR0_PG);
	SET(f, HOST_CR3, PML4);
	SET(f, HOST_CR4, CR4_VMXE | CR4_PAE);
	SET(f, HOST_CS_SELECTOR, 0x10);
	SET(f, HOST_SS_SELECTOR, 0x18);
	SET(f, HOST_DS_SELECTOR, 0x18);
	SET(f, HOST_FS_SELECTOR, 0x18);
	SET(f, HOST_TR_SELECTOR, 0x20);
	SET(f, HOST_FS_BASE, 0xf5000);
	SET(f, HOST_GS_BASE, 0x65000);
	SET(f, HOST_TR_BASE, 0x7b000);
	SET(f, HOST_RSP, HOST_STACK);
	SET(f, HOST_RIP, HOST_ENTRY);
}

static inline void guest_fields(struct fixture *f)
{
	struct vmcs *vmcs = f->cpu->vmx->vmcs;

	SET(f, GUEST_CR0, CR0_PE | CR0_NE | CR0_PG);
	SET(f, GUEST_CR3, PML4);
	SET(f, GUEST_CR4, CR4_VMXE | CR4_PAE);
	SET(f, GUEST_RFLAGS, RFLAGS_FIXED1);
	SET(f, GUEST_RIP, GUEST_ENTRY);
	SET(f, GUEST_RSP, GUEST_STACK);
	SET(f, VMCS_LINK_POINTER, UINT64_MAX);
	for (int seg = SEG_ES; seg <= SEG_GS; seg++)
		guest_segment(vmcs, (enum x86_seg)seg, 0x18, 0xc093);
	guest_segment(vmcs, SEG_CS, 0x10, 0xa09b);
	guest_segment(vmcs, SEG_TR, 0x20, 0x8b);
	vmcs_set_seg(vmcs, LIMIT, SEG_TR, 0x67);
	guest_segment(vmcs, SEG_LDTR, 0, AR_UNUSABLE);
}

/* VMXON, and VMCS_A current: 64-bit host, 64-bit guest, nothing intercepted that need not be. */
static inline void start_vmx_with(struct fixture *f, const char *profile)
{
	start_with(f, profile);
	assert_false(call_pointer(f, insn_vmxon, VMXON_REGION));
	assert_false(call_pointer(f, insn_vmclear, VMCS_A));
	assert_false(call_pointer(f, insn_vmptrld, VMCS_A));
	assert_succeeds(f);
	SET(f, PIN_BASED_CONTROLS, PIN_DEFAULT1);
	SET(f, PRIMARY_CONTROLS, PRIMARY_DEFAULT1_TRUE);
	SET(f, EXIT_CONTROLS, EXIT_DEFAULT1_TRUE | EXIT_HOST_ADDRESS_SPACE_SIZE);
	SET(f, ENTRY_CONTROLS, ENTRY_DEFAULT1_TRUE | ENTRY_IA32E_MODE_GUEST);
	host_fields(f);
	guest_fields(f);
}

static inline void start_vmx(struct fixture *f)
{
	start_vmx_with(f, NULL);
}

/* Adds a feature that the default part may lack. */
static inline void offer(struct fixture *f, enum vmx_feature feature)
{
	f->profile.caps.features |= VMX_FEATURE_BIT(feature);
	vmx_caps_from_features(&f->profile.caps);
}

static inline void secondary(struct fixture *f, uint32_t bits)
{
	ENABLE(f, PRIMARY_CONTROLS, PRIMARY_ACTIVATE_SECONDARY);
	ENABLE(f, SECONDARY_CONTROLS, bits);
}

/* Launches, or resumes after an exit; the guest runs. */
static inline void enter(struct fixture *f)
{
	bool launched = f->cpu->vmx->vmcs->launch_state == VMCS_STATE_LAUNCHED;

	assert_false(call(f, launched ? insn_vmresume : insn_vmlaunch));
	if (!f->cpu->vmx->nonroot)
		fail_msg("no entry: %s", vmx_last_failure(f->cpu));
	cpu_rip(f->cpu) = f->cpu->next_rip;
}

static inline void assert_exit(struct fixture *f, uint32_t reason, uint64_t qualification)
{
	assert_false(f->cpu->vmx->nonroot);
	assert_int_equal(GET(f, EXIT_REASON), reason);
	assert_int_equal(GET(f, EXIT_QUALIFICATION), qualification);
}

/* Runs a statement in the guest, as the instruction f->op; true if it exited. */
#define EXITS(f, statement)                                                                        \
	((f)->cpu->op = &(f)->op, ESCAPES(f, statement) && !(f)->cpu->vmx->nonroot)
/* The same between instructions. */
#define EXITS_AT_BOUNDARY(f, statement)                                                            \
	((f)->cpu->op = NULL, ESCAPES(f, statement) && !(f)->cpu->vmx->nonroot)

#endif
