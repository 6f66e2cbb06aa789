/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Power-up, INIT and start-up states, SDM 3A "Processor State After Reset", and the states in which
 * boot loaders hand over. MSRs that the CPU profile decides are reset by msr.c.
 */
#include <string.h>

#include "l0/machine/boot.h"
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/sys.h"
#include "l0/machine/interp/x87/x87.h"

#define CR0_RESET (CR0_CD | CR0_NW | CR0_ET)
#define FCW_RESET 0x40
#define MXCSR_RESET 0x1f80

static void reset_segments(struct cpu *cpu)
{
	for (unsigned i = 0; i < SEG_COUNT; i++)
		cpu->seg[i] = (struct segment){ .limit = 0xffff, .ar = 0x93 };
	cpu->seg[SEG_CS] = (struct segment){
		.base = 0xffff0000, .limit = 0xffff, .ar = 0x9b, .selector = 0xf000
	};
	cpu->seg[SEG_LDTR].ar = AR_P | DESC_LDT;
	cpu->seg[SEG_TR].ar = AR_P | DESC_TSS_BUSY;
	cpu->gdtr = cpu->idtr = (struct table_register){ .limit = 0xffff };
}

/* EDX: the version information of CPUID leaf 1. */
static uint64_t reset_signature(struct cpu *cpu)
{
	uint32_t out[4];

	cpu_cpuid(cpu, 1, 0, out);
	return out[0];
}

static void reset_events(struct cpu *cpu)
{
	cpu->sti_shadow = cpu->mov_ss_shadow = false;
	cpu->nmi_blocked = cpu->nmi_pending = false;
	cpu->init_pending = cpu->sipi_pending = false;
	cpu->pending_debug = 0;
	cpu->monitor_armed = false;
	cpu->seen.shadow = cpu->seen.rf = cpu->seen.step = UINT64_MAX;
	cpu->activity = ACTIVITY_ACTIVE;
	cpu->event.valid = cpu->delivering.valid = false;
	cpu->attention = true;
}

/* What INIT leaves alone: MSRs but for EFER and BNDCFGS, extended state but for MPX, CD and NW. */
static void reset_power_up(struct cpu *cpu)
{
	cpu->cr0 = CR0_RESET;
	cpu->xcr0 = 1;
	cpu->pkru = cpu->pkrs = 0;
	memset(&cpu->cet, 0, sizeof(cpu->cet));
	memset(cpu->xsave_area, 0, sizeof(cpu->xsave_area));
	cpu->xsave_area[0] = FCW_RESET;
	cpu->xsave_area[24] = MXCSR_RESET & 0xff;
	cpu->xsave_area[25] = MXCSR_RESET >> 8;
	cpu_msr_reset(cpu);
	pt_reset(cpu);
	vmx_reset(cpu);
}

void cpu_reset(struct cpu *cpu, bool init)
{
	memset(cpu->gpr, 0, sizeof(cpu->gpr));
	cpu->gpr[REG_RDX] = reset_signature(cpu);
	cpu_set_rflags(cpu, RFLAGS_FIXED1);
	cpu_rip(cpu) = 0xfff0;
	reset_segments(cpu);
	reset_events(cpu);
	if (!init)
		reset_power_up(cpu);
	cpu->cr0 = (cpu->cr0 & (CR0_CD | CR0_NW)) | CR0_ET;
	cpu->cet.ssp = 0;
	memset(&cpu->mpx, 0, sizeof(cpu->mpx));
	cpu->msrs.bndcfgs = 0;
	cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->efer = 0;
	memset(cpu->dr, 0, sizeof(cpu->dr));
	cpu->dr6 = DR6_FIXED1;
	cpu->dr7 = DR7_FIXED1;
	cpu->cpl = 0;
	mmu_flush_all(cpu);
	cpu_mode_changed(cpu);
}

void cpu_start_up(struct cpu *cpu, uint8_t vector)
{
	cpu->seg[SEG_CS].selector = (uint16_t)(vector << 8);
	cpu->seg[SEG_CS].base = (uint64_t)vector << 12;
	cpu_rip(cpu) = 0;
	cpu->activity = ACTIVITY_ACTIVE;
	cpu->attention = true;
	cpu_mode_changed(cpu);
}

/* Flat segments: code 0x10, data 0x18, as the Linux boot protocol has them. */
static void boot_flat(struct cpu *cpu, const struct cpu_boot_state *state, bool code64)
{
	seg_set_flat_code(cpu, 0x10, 0, code64);
	seg_set_flat_stack(cpu, 0x18, 0);
	for (unsigned i = 0; i <= SEG_GS; i++)
		if (i != SEG_CS)
			cpu->seg[i] = cpu->seg[SEG_SS];
	cpu->gdtr = (struct table_register){ .base = state->gdt_base, .limit = state->gdt_limit };
	cpu->idtr = (struct table_register){ .limit = 0 };
	cpu_rip(cpu) = state->rip;
}

void cpu_boot(struct cpu *cpu, const struct cpu_boot_state *state)
{
	cpu_reset(cpu, false);
	cpu->cr0 = CR0_ET; /* firmware has switched the caches on, and executed FNINIT */
	cpu->xsave_area[X87_FCW] = FCW_INIT & 0xff;
	cpu->xsave_area[X87_FCW + 1] = FCW_INIT >> 8;
	cpu->gpr[REG_RAX] = state->rax;
	cpu->gpr[REG_RBX] = state->rbx;
	cpu->gpr[REG_RSI] = state->rsi;
	cpu->gpr[REG_RSP] = state->rsp;
	switch (state->mode) {
	case BOOT_REAL:
		seg_load_real(cpu, SEG_CS, 0);
		cpu_rip(cpu) = state->rip;
		break;
	case BOOT_PROTECTED32:
		cpu->cr0 |= CR0_PE;
		boot_flat(cpu, state, false);
		break;
	case BOOT_LONG64:
		cpu->cr0 |= CR0_PE | CR0_PG;
		cpu->cr3 = state->cr3;
		cpu->cr4 = CR4_PAE;
		cpu->efer = EFER_LME | EFER_LMA;
		boot_flat(cpu, state, true);
		break;
	}
	mmu_flush_all(cpu);
	cpu_mode_changed(cpu);
}
