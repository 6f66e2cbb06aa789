/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The CPU in one of the modes that guest.h offers, by the steps that software would take where they
 * check what the part has: what it refuses stays off.
 */
#include "tests/fuzz/guest.h"

#include <string.h>

#include "l0/machine/boot.h"
#include "l0/machine/interp/mpx.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/sys.h"
#include "tests/fuzz/guest_private.h"

#define LAPIC_SVR 0xf0
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_PERFORMANCE 0x340
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_DIVIDE 0x3e0

static void cr4_add(struct cpu *cpu, uint64_t bits)
{
	(void)cpu_set_cr4(cpu, cpu->cr4 | bits);
}

static void msr(struct cpu *cpu, uint32_t index, uint64_t value)
{
	(void)cpu_wrmsr(cpu, index, value);
}

/* ---- paging ---- */

static void paging(struct cpu *cpu, unsigned kind)
{
	bool long_mode = kind >= GUEST_LONG4 && kind <= GUEST_COMPAT;

	if (kind == GUEST_REAL || kind == GUEST_FLAT32)
		return;
	cr4_add(cpu, CR4_PSE);
	if (kind == GUEST_LONG5)
		cr4_add(cpu, CR4_PAE | CR4_LA57);
	if (kind == GUEST_PAE || long_mode)
		cr4_add(cpu, CR4_PAE);
	(void)cpu_set_efer(cpu, EFER_SCE | EFER_NXE | (long_mode ? EFER_LME : 0));
	(void)cpu_set_cr3(cpu, kind == GUEST_PAE	 ? PAE_PDPT
			       : !long_mode		 ? PD32
			       : cpu->cr4 & CR4_LA57	 ? PML5
							 : PML4);
	(void)cpu_set_cr0(cpu, cpu->cr0 | CR0_PG | CR0_WP);
}

/* ---- segments ---- */

static void data_segments(struct cpu *cpu)
{
	for (unsigned i = 0; i <= SEG_GS; i++)
		if (i != SEG_CS && i != SEG_SS)
			cpu->seg[i] = cpu->seg[SEG_SS];
}

static void segments_vm86(struct cpu *cpu)
{
	for (unsigned i = 0; i <= SEG_GS; i++)
		cpu->seg[i] = (struct segment){ .limit = 0xffff, .ar = 0xf3 };
	cpu->cpl = 3;
	cpu_set_rflags(cpu, RFLAGS_FIXED1 | RFLAGS_VM | RFLAGS_IOPL);
	cpu->gpr[REG_RSP] = GUEST_CODE;
}

static void segments(struct cpu *cpu, unsigned mode)
{
	unsigned kind = mode & 7, cpl = mode & GUEST_USER ? 3 : 0;
	bool code64 = kind == GUEST_LONG4 || kind == GUEST_LONG5;

	cpu->gpr[REG_RSP] = cpl ? STACK_USER : STACK0 - 0x400;
	cpu->gdtr = (struct table_register){ .base = GDT, .limit = GDT_LIMIT };
	cpu->idtr = (struct table_register){.base = IDT,
					    .limit = mode & GUEST_NO_IDT	      ? 0
						     : code64 || kind == GUEST_COMPAT ? 0xfff
										      : 0x7ff};
	cpu->seg[SEG_TR] = (struct segment){ .base = TSS, .limit = TSS_LIMIT, .ar = 0x8b,
					     .selector = SEL_TSS };
	cpu->seg[SEG_LDTR] = (struct segment){ .base = GDT, .limit = GDT_LIMIT, .ar = 0x82,
					       .selector = SEL_LDT };
	if (kind == GUEST_VM86) {
		segments_vm86(cpu);
		return;
	}
	if (cpl)
		seg_set_flat_code(cpu, (code64 ? SEL_USER64 : SEL_USER32) | 3, 3, code64);
	else
		seg_set_flat_code(cpu, kind == GUEST_COMPAT ? SEL_CODE32 : SEL_CODE, 0, code64);
	seg_set_flat_stack(cpu, cpl ? SEL_USER_DATA | 3 : SEL_DATA, cpl);
	data_segments(cpu);
}

/* ---- features ---- */

static void cet(struct cpu *cpu, unsigned features)
{
	uint64_t on = (features & GUEST_SHADOW_STACKS ? CET_SH_STK_EN | CET_WR_SHSTK_EN : 0) |
		      (features & GUEST_TRACKING ? CET_ENDBR_EN : 0);

	cr4_add(cpu, CR4_CET);
	msr(cpu, MSR_IA32_S_CET, on);
	msr(cpu, MSR_IA32_U_CET, on);
	msr(cpu, MSR_IA32_PL0_SSP, SHADOW0);
	msr(cpu, MSR_IA32_PL0_SSP + 3, SHADOW_USER);
	msr(cpu, MSR_IA32_INTERRUPT_SSP_TABLE_ADDR, SSP_TABLE);
	if ((cpu->cr4 & CR4_CET) && (features & GUEST_SHADOW_STACKS))
		cpu->cet.ssp = cpu->cpl == 3 ? SHADOW_USER : SHADOW_HERE;
}

static void protection(struct cpu *cpu, unsigned features)
{
	if (features & GUEST_PKU) {
		cr4_add(cpu, CR4_PKE);
		if (cpu->cr4 & CR4_PKE)
			cpu->pkru = 0x9 << 2;
	}
	if (features & GUEST_PKS) {
		cr4_add(cpu, CR4_PKS);
		msr(cpu, MSR_IA32_PKRS, 0x9 << 4);
	}
	if (features & GUEST_SMAP) {
		cr4_add(cpu, CR4_SMAP);
		cr4_add(cpu, CR4_SMEP);
		cr4_add(cpu, CR4_UMIP);
	}
	if (features & GUEST_PCID) {
		cr4_add(cpu, CR4_PGE);
		cr4_add(cpu, CR4_PCIDE);
	}
	if (features & GUEST_FSGSBASE)
		cr4_add(cpu, CR4_FSGSBASE | CR4_PCE | CR4_TSD);
	if (features & GUEST_LAM) {
		cr4_add(cpu, CR4_LAM_SUP);
		if (cpu_long_mode(cpu))
			(void)cpu_set_cr3(cpu, cpu->cr3 | CR3_LAM_U57);
	}
	mmu_keys_changed(cpu);
}

/* Counter 0 and fixed counter 0 overflow after a few instructions. */
static void counters(struct cpu *cpu, unsigned features)
{
	msr(cpu, MSR_IA32_DS_AREA, DS_AREA);
	msr(cpu, MSR_IA32_PMC0, (uint32_t)-5);
	msr(cpu, MSR_IA32_PERFEVTSEL0, 0x5300c0); /* instructions; on, interrupt, all rings */
	msr(cpu, MSR_IA32_PERFEVTSEL0 + 1, 0x4300c4); /* branches */
	msr(cpu, MSR_IA32_FIXED_CTR0, UINT64_C(0xfffffffffff0));
	msr(cpu, MSR_IA32_FIXED_CTR_CTRL, 0x3b3);
	if (features & GUEST_PEBS)
		msr(cpu, MSR_IA32_PEBS_ENABLE, 1);
	msr(cpu, MSR_IA32_PERF_GLOBAL_CTRL, UINT64_C(0x70000000f));
	lapic_mmio_write(cpu->machine->lapic, LAPIC_LVT_PERFORMANCE, FIRST_INTERRUPT + 1);
}

static void debugging(struct cpu *cpu, unsigned features)
{
	if (features & GUEST_LBR)
		msr(cpu, MSR_IA32_DEBUGCTL, 3); /* LBR, BTF */
	if (features & GUEST_BREAKPOINTS) {
		cpu->dr[0] = GUEST_CODE + 16;
		cpu->dr[1] = GUEST_DATA + 16;
		cpu->dr[2] = STACK_USER - 8;
		cpu->dr[3] = GUEST_DATA + 0x1000;
		cpu->dr7 = 0xbd9003ff | DR7_FIXED1; /* execute, write 8, write 4, access 8 */
	}
}

static void timer(struct cpu *cpu)
{
	struct lapic *lapic = cpu->machine->lapic;

	lapic_mmio_write(lapic, LAPIC_SVR, 0x1ff);
	lapic_mmio_write(lapic, LAPIC_TIMER_DIVIDE, 0xb);
	lapic_mmio_write(lapic, LAPIC_LVT_TIMER, 0x20000 | FIRST_INTERRUPT);
	lapic_mmio_write(lapic, LAPIC_TIMER_INITIAL, 5000);
}

static void entries(struct cpu *cpu)
{
	msr(cpu, MSR_IA32_STAR, (uint64_t)(SEL_USER32 | 3) << 48 | (uint64_t)SEL_CODE << 32);
	msr(cpu, MSR_IA32_LSTAR, SYSCALL_ENTRY);
	msr(cpu, MSR_IA32_SYSENTER_CS, SEL_CODE);
	msr(cpu, MSR_IA32_SYSENTER_ESP, STACK0);
	msr(cpu, MSR_IA32_SYSENTER_EIP, SYSENTER_ENTRY);
}

static void features_enable(struct cpu *cpu, unsigned features)
{
	entries(cpu);
	protection(cpu, features);
	if (features & (GUEST_SHADOW_STACKS | GUEST_TRACKING))
		cet(cpu, features);
	if (features & (GUEST_PEBS | GUEST_COUNTERS))
		counters(cpu, features);
	debugging(cpu, features);
	if (features & GUEST_TIMER)
		timer(cpu);
	if (features & GUEST_ALIGNMENT)
		cpu->cr0 |= CR0_AM;
	if (features & GUEST_NO_FPU)
		cpu->cr0 |= CR0_TS;
	if ((features & GUEST_NO_WP) && !(cpu->cr4 & CR4_CET))
		cpu->cr0 &= ~CR0_WP;
}

/* Those that the part has; bounds are on in both rings, with directories in ring 3's memory. */
static void extended_states(struct cpu *cpu)
{
	if (!(cpu->cr4 & CR4_OSXSAVE))
		return;
	cpu->xcr0 = 3 | (cpu_has(cpu->profile, AVX) ? 4 : 0) |
		    (cpu_has(cpu->profile, MPX) ? 0x18 : 0) |
		    (cpu_has(cpu->profile, PKU) ? 0x200 : 0);
	if (!cpu_has(cpu->profile, MPX))
		return;
	cpu->mpx.cfgu = GUEST_BOUNDS | BNDCFG_EN;
	msr(cpu, MSR_IA32_BNDCFGS, GUEST_BOUNDS | BNDCFG_EN | BNDCFG_PRESERVE);
}

static uint64_t first_flags(const struct cpu *cpu, unsigned mode, unsigned features)
{
	return cpu_rflags(cpu) | (mode & GUEST_TF ? RFLAGS_TF : 0) |
	       (features & GUEST_TIMER ? RFLAGS_IF : 0) |
	       (features & GUEST_ALIGNMENT ? RFLAGS_AC : 0);
}

void guest_enter(struct cpu *cpu, unsigned mode, unsigned features)
{
	struct cpu_boot_state state = { .mode = BOOT_REAL, .rip = GUEST_CODE, .rsp = STACK0 };

	if ((mode & 7) != GUEST_REAL)
		state.mode = BOOT_PROTECTED32;
	interp_cpu_ops.boot(cpu, &state);
	cpu->cr0 |= CR0_NE;
	cr4_add(cpu, CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_DE);
	cr4_add(cpu, CR4_OSXSAVE);
	extended_states(cpu);
	paging(cpu, mode & 7);
	if ((mode & 7) != GUEST_REAL)
		segments(cpu, mode);
	cpu_mode_changed(cpu);
	features_enable(cpu, features);
	cpu_set_rflags(cpu, first_flags(cpu, mode, features));
	cpu_mode_changed(cpu);
}

uint64_t guest_value(unsigned mode, unsigned byte)
{
	static const uint64_t edges[] = {
	    0,
	    1,
	    2,
	    7,
	    0x7f,
	    0x80,
	    0xff,
	    0xffff,
	    INT32_MAX,
	    UINT32_MAX,
	    UINT64_MAX,
	    INT64_MAX,
	    UINT64_C(0x800000000000),
	    UINT64_C(0x7fffffffffff),
	    UINT64_C(0xffff800000000000),
	    UINT64_C(0x100000000000000),
	    GUEST_DATA - 4,
	    GUEST_DATA + 0x1ffc,
	    GUEST_DATA + 0x3ffe,
	    0x200000,
	    0x1ffffc,
	    UINT64_C(0x0f00000000010020),
	    UINT64_C(0x8000000000010020),
	    SHADOW_HERE,
	    SHADOW_USER - 16,
	    DS_AREA,
	    0xfee00000,
	    STACK_USER,
	    TSS,
	    GDT,
	    IDT,
	    PT + 0x80,
	};

	if (byte >= 0xc0)
		return edges[byte & 31];
	return mode & GUEST_FAR
		   ? GUEST_CODE + byte * UINT64_C(0x101)
		   : GUEST_DATA + (byte & 0x87) * UINT64_C(0x200) + (byte >> 3 & 15) * 8;
}
