/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Only with "strict": what ring 0 may not do either. One row per attempt; its outcome - which
 * exception, which error code, or none - goes into the digest.
 */
#include "l1/guests/equiv/equiv.h"

#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"

#define NONCANONICAL UINT64_C(0x0000800000000000)
#define MSR_ABSENT 0x12345678
#define PAT_BAD UINT64_C(0x0007040600070402) /* type 2 does not exist */

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* For those without an argument in a register: ATTEMPT(name, statement). */
#define ATTEMPT(name, statement)                                                                   \
	static void name(void *unused)                                                             \
	{                                                                                          \
		statement;                                                                         \
	}

static void load_gdt(void *base)
{
	struct table_pointer pointer = {0xffff, (uint64_t)base};

	__asm__ volatile("lgdt %0" : : "m"(pointer));
}

static void load_idt(void *base)
{
	struct table_pointer pointer = {0xfff, (uint64_t)base};

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

ATTEMPT(gdt_noncanonical, load_gdt((void *)NONCANONICAL))
ATTEMPT(idt_noncanonical, load_idt((void *)NONCANONICAL))
ATTEMPT(cr0_no_pe, write_cr0(read_cr0() & ~CR0_PE))
ATTEMPT(cr0_no_pg, write_cr0(read_cr0() & ~CR0_PG))
ATTEMPT(cr0_nw_without_cd, write_cr0((read_cr0() & ~CR0_CD) | CR0_NW))
ATTEMPT(cr0_high, write_cr0(read_cr0() | BIT64(32)))
ATTEMPT(cr3_high, write_cr3(read_cr3() | BIT64(62)))
ATTEMPT(cr4_no_pae, write_cr4(read_cr4() & ~CR4_PAE))
ATTEMPT(cr4_reserved, write_cr4(read_cr4() | BIT64(31)))
ATTEMPT(cr4_high, write_cr4(read_cr4() | BIT64(63)))
ATTEMPT(cr8_high, write_cr8(0x10))
ATTEMPT(efer_reserved, wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | BIT64(1)))
ATTEMPT(efer_no_lme, wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) & ~EFER_LME))
ATTEMPT(pat_bad, wrmsr(MSR_IA32_PAT, PAT_BAD))
ATTEMPT(apic_base_reserved, wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | 1))
ATTEMPT(lstar_noncanonical, wrmsr(MSR_IA32_LSTAR, NONCANONICAL))
ATTEMPT(sysenter_noncanonical, wrmsr(MSR_IA32_SYSENTER_EIP, NONCANONICAL))
ATTEMPT(kernel_gs_noncanonical, wrmsr(MSR_IA32_KERNEL_GS_BASE, NONCANONICAL))
ATTEMPT(msr_absent_read, rdmsr(MSR_ABSENT))
ATTEMPT(msr_absent_write, wrmsr(MSR_ABSENT, 0))
ATTEMPT(dr7_high, write_dr7(DR7_FIXED1 | BIT64(32)))
ATTEMPT(dr6_high, write_dr6(BIT64(40)))
ATTEMPT(dr4_is_dr6, __asm__ volatile(".byte 0x0f, 0x21, 0xe0" : : : "rax"))
ATTEMPT(cr1_absent, __asm__ volatile(".byte 0x0f, 0x20, 0xc8" : : : "rax"))
ATTEMPT(ltr_busy, __asm__ volatile("ltr %w0" : : "r"(TASK_STATE)))
ATTEMPT(ltr_null, __asm__ volatile("ltr %w0" : : "r"(0)))
ATTEMPT(ltr_data, __asm__ volatile("ltr %w0" : : "r"(KERNEL_DS)))
ATTEMPT(lldt_data, __asm__ volatile("lldt %w0" : : "r"(KERNEL_DS)))
ATTEMPT(xsetbv, __asm__ volatile("xor %%ecx, %%ecx; .byte 0x0f, 0x01, 0xd1" : : : "ecx"))
ATTEMPT(invlpg_noncanonical, invlpg((void *)NONCANONICAL))
ATTEMPT(lmsw_no_pe, __asm__ volatile("lmsw %w0" : : "r"(0)))

static void dr4_with_de(void *unused)
{
	write_cr4(read_cr4() | CR4_DE);
	dr4_is_dr6(unused);
}

#define ROW(name) {#name, name}
static const struct row {
	const char *name;
	void (*attempt)(void *unused);
} rows[] = {
	ROW(gdt_noncanonical),      ROW(idt_noncanonical),
	ROW(cr0_no_pe),             ROW(cr0_no_pg),
	ROW(cr0_nw_without_cd),     ROW(cr0_high),
	ROW(cr3_high),              ROW(cr4_no_pae),
	ROW(cr4_reserved),          ROW(cr4_high),
	ROW(cr8_high),              ROW(efer_reserved),
	ROW(efer_no_lme),           ROW(pat_bad),
	ROW(apic_base_reserved),    ROW(lstar_noncanonical),
	ROW(sysenter_noncanonical), ROW(kernel_gs_noncanonical),
	ROW(msr_absent_read),       ROW(msr_absent_write),
	ROW(dr7_high),              ROW(dr6_high),
	ROW(dr4_is_dr6),            ROW(dr4_with_de),
	ROW(cr1_absent),            ROW(ltr_busy),
	ROW(ltr_null),              ROW(ltr_data),
	ROW(lldt_data),             ROW(xsetbv),
	ROW(invlpg_noncanonical),   ROW(lmsw_no_pe),
};

static void try_row(struct equiv *equiv, const struct row *row)
{
	struct trap_info info = {.frame = {.vector = UINT64_MAX}};
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();
	bool faulted = trap_catch(&info, row->attempt, NULL);

	equiv_add(equiv, faulted);
	equiv_add(equiv, info.frame.vector);
	equiv_add(equiv, info.frame.error);
	equiv_add(equiv, read_cr0());
	if (read_cr0() != cr0)
		write_cr0(cr0);
	if (read_cr4() != cr4)
		write_cr4(cr4);
	if (equiv->trace)
		printf("%s: vector=%ld error=%lx\n", row->name, info.frame.vector,
		       info.frame.error);
}

void equiv_refused(struct equiv *equiv)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]) && equiv->strict; i++)
		try_row(equiv, &rows[i]);
}
