/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Model-specific registers: the table msrs.def, the ranges beside it, and RDMSR, WRMSR. Values and
 * checks are those of the instructions outside VMX; what VMX makes of an access is in vmx/.
 */
#include "l0/machine/interp/mmu.h"

#include <inttypes.h>
#include <stddef.h>

#include "l0/machine/debug/watch.h"
#include "l0/machine/interp/branch.h"
#include "l0/machine/interp/canonical.h"
#include "l0/machine/interp/cet.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/keys.h"
#include "l0/machine/interp/mpx.h"
#include "l0/machine/interp/pebs.h"
#include "l0/machine/interp/perf.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/xstate.h"

enum msr_check { CHECK_NONE, CHECK_CANONICAL, CHECK_PAT };
enum msr_write { WRITE_REFUSED, WRITE_IGNORED };
enum msr_kind { KIND_FIELD, KIND_CONST, KIND_CALL };

struct msr_row {
	uint8_t kind;    /* enum msr_kind */
	uint8_t feature; /* enum cpu_feature */
	uint8_t check;   /* KIND_FIELD: enum msr_check; KIND_CONST: enum msr_write */
	uint32_t field;  /* KIND_FIELD: offset in struct cpu */
	uint64_t value;  /* KIND_FIELD: writable bits; KIND_CONST: value */
	bool (*read)(struct cpu *cpu, uint64_t *value);
	bool (*write)(struct cpu *cpu, uint64_t value);
};

/* ---- time ---- */

uint64_t cpu_tsc(const struct cpu *cpu)
{
	return cpu_now(cpu) + cpu->msrs.tsc_adjust;
}

static bool read_tsc(struct cpu *cpu, uint64_t *value)
{
	*value = cpu_tsc(cpu);
	return true;
}

static bool read_tsc_adjust(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->msrs.tsc_adjust;
	return true;
}

static bool read_tsc_deadline(struct cpu *cpu, uint64_t *value)
{
	*value = lapic_deadline(cpu->machine->lapic);
	return true;
}

static bool write_tsc_deadline(struct cpu *cpu, uint64_t value)
{
	lapic_set_deadline(cpu->machine->lapic, value, cpu_tsc(cpu));
	return true;
}

/* The TSC has jumped: an armed deadline is now nearer or farther in machine time. */
static bool write_tsc_adjust(struct cpu *cpu, uint64_t value)
{
	cpu->msrs.tsc_adjust = value;
	if (cpu->machine->lapic && lapic_deadline(cpu->machine->lapic))
		write_tsc_deadline(cpu, lapic_deadline(cpu->machine->lapic));
	return true;
}

/* SDM 3B "Time-Stamp Counter Adjustment": a write of the TSC moves TSC_ADJUST by the same amount.
 */
static bool write_tsc(struct cpu *cpu, uint64_t value)
{
	return write_tsc_adjust(cpu, cpu->msrs.tsc_adjust + value - cpu_tsc(cpu));
}

/* ---- registers with rules of their own ---- */

static bool read_apic_base(struct cpu *cpu, uint64_t *value)
{
	*value = lapic_base(cpu->machine->lapic);
	return true;
}

static bool write_apic_base(struct cpu *cpu, uint64_t value)
{
	if (value >> cpu->profile->caps.maxphyaddr ||
	    ((value & APIC_BASE_EXTD) && !cpu_has(cpu->profile, X2APIC)) ||
	    !lapic_set_base(cpu->machine->lapic, value))
		return false;
	mmu_flush_all(cpu); /* the xAPIC page has moved, come or gone */
	return true;
}

static bool read_feature_control(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->msrs.feature_control;
	return true;
}

/* SDM 3C "Enabling and Entering VMX Operation": once locked, until the next reset. */
static bool write_feature_control(struct cpu *cpu, uint64_t value)
{
	if ((cpu->msrs.feature_control & FEATURE_CONTROL_LOCKED) ||
	    (value & ~(FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX)))
		return false;
	cpu->msrs.feature_control = value;
	return true;
}

/* IA32_PRED_CMD (IBPB), IA32_FLUSH_CMD (L1D flush): nothing here is speculative. */
static bool write_command(struct cpu *cpu, uint64_t value)
{
	return !(value & ~UINT64_C(1));
}

static bool write_ignored(struct cpu *cpu, uint64_t value)
{
	return true;
}

static bool read_zero(struct cpu *cpu, uint64_t *value)
{
	*value = 0;
	return true;
}

/* 0 fast strings, 7 performance monitoring available (read-only), 11 BTS and 12 PEBS unavailable
 * (read-only), 16 enhanced SpeedStep, 18 MONITOR, 22 limit CPUID, 23 xTPR disable, 34 XD disable */
#define MISC_ENABLE_READ_ONLY UINT64_C(0x1880)
#define MISC_ENABLE_NO_PEBS BIT64(12)
#define MISC_ENABLE_WRITABLE                                                                       \
	(BIT64(0) | BIT64(3) | BIT64(16) | MISC_ENABLE_MONITOR | BIT64(22) | BIT64(23) | BIT64(34))

static bool read_misc_enable(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->msrs.misc_enable & ~(cpu_has(cpu->profile, DS) ? MISC_ENABLE_NO_PEBS : 0);
	return true;
}

static bool write_misc_enable(struct cpu *cpu, uint64_t value)
{
	if (value & ~(MISC_ENABLE_WRITABLE | MISC_ENABLE_READ_ONLY))
		return false;
	cpu->msrs.misc_enable = (value & MISC_ENABLE_WRITABLE) | MISC_ENABLE_READ_ONLY;
	return true;
}

static bool read_debugctl(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->msrs.debugctl;
	return true;
}

static bool write_debugctl(struct cpu *cpu, uint64_t value)
{
	if (value & ~cpu->profile->caps.debugctl_valid)
		return false;
	cpu->msrs.debugctl = value;
	cpu->attention = true; /* branches may be watched now */
	return true;
}

/* Not susceptible to Meltdown, L1TF, MDS, TAA, stale MMIO data (15:13), BHI (20), PBRSB (24), GDS
 * (26), RFDS (27), ITS (62): nothing speculates here; enhanced IBRS. */
static bool read_arch_capabilities(struct cpu *cpu, uint64_t *value)
{
	*value = UINT64_C(0x400000000d10e17b) |
		 (cpu_has(cpu->profile, RTM) ? ARCH_CAPABILITIES_TSX_CTRL : 0);
	return true;
}

/* 5:0 format of the last-branch records: 5 with INFO registers, 2 plain RIPs |
 * 13 full-width writes of the counters | PEBS (pebs.h) */
static bool read_perf_capabilities(struct cpu *cpu, uint64_t *value)
{
	*value = BIT64(13) | (cpu->profile->lbr_depth == LBR_MAX ? 5 : 2) |
		 (cpu_has(cpu->profile, DS) ? PERF_CAPABILITIES_PEBS : 0);
	return true;
}

static bool read_efer(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->efer;
	return true;
}

static bool write_efer(struct cpu *cpu, uint64_t value)
{
	return cpu_set_efer(cpu, value);
}

/* ---- MTRRs: kept and checked, of no effect on a machine without caches ---- */

/* UC, WC, WT, WP, WB; SDM 3A "Memory Types and Their Properties". */
static bool mtrr_type(uint8_t type)
{
	return type <= 1 || (type >= 4 && type <= 6);
}

static uint64_t *mtrr_slot(struct cpu *cpu, uint32_t msr)
{
	if (msr == MSR_IA32_MTRR_DEF_TYPE)
		return &cpu->msrs.mtrr_def_type;
	if (msr >= MSR_IA32_MTRR_PHYSBASE0 && msr < MSR_IA32_MTRR_PHYSBASE0 + 20)
		return &cpu->msrs.mtrr_var[msr - MSR_IA32_MTRR_PHYSBASE0];
	if (msr == MSR_IA32_MTRR_FIX64K_00000)
		return &cpu->msrs.mtrr_fixed[0];
	if (msr >= MSR_IA32_MTRR_FIX16K_80000 && msr <= MSR_IA32_MTRR_FIX16K_80000 + 1)
		return &cpu->msrs.mtrr_fixed[1 + msr - MSR_IA32_MTRR_FIX16K_80000];
	if (msr >= MSR_IA32_MTRR_FIX4K_C0000 && msr <= MSR_IA32_MTRR_FIX4K_C0000 + 7)
		return &cpu->msrs.mtrr_fixed[3 + msr - MSR_IA32_MTRR_FIX4K_C0000];
	return NULL;
}

static bool mtrr_valid(const struct cpu *cpu, uint32_t msr, uint64_t value)
{
	uint64_t beyond = ~(BIT64(cpu->profile->caps.maxphyaddr) - 1);

	if (msr == MSR_IA32_MTRR_DEF_TYPE)
		return !(value & ~UINT64_C(0xcff)) && mtrr_type((uint8_t)value);
	if (msr < MSR_IA32_MTRR_FIX64K_00000 && (msr & 1))
		return !(value & (beyond | 0x7ff));
	if (msr < MSR_IA32_MTRR_FIX64K_00000)
		return !(value & (beyond | 0xf00)) && mtrr_type((uint8_t)value);
	for (unsigned i = 0; i < 8; i++)
		if (!mtrr_type((uint8_t)(value >> 8 * i)))
			return false;
	return true;
}

/* ---- machine-check banks, in which nothing is ever logged ---- */

/* SDM 3B "Error-Reporting Register Banks" */
enum { BANK_CTL, BANK_STATUS, BANK_ADDR, BANK_MISC, BANK_REGISTERS };

/* Of a register that is kept; NULL: no bank, or its status. */
static uint64_t *bank_slot(struct cpu *cpu, uint32_t msr, unsigned *which)
{
	uint32_t index = msr - MSR_IA32_MC0_CTL;
	unsigned bank = index / BANK_REGISTERS;

	*which = BANK_REGISTERS;
	if (index >= MC_BANKS * BANK_REGISTERS || !cpu_has(cpu->profile, MCA))
		return NULL;
	*which = index % BANK_REGISTERS;
	return *which == BANK_CTL    ? &cpu->msrs.mc[bank].ctl
	       : *which == BANK_ADDR ? &cpu->msrs.mc[bank].addr
	       : *which == BANK_MISC ? &cpu->msrs.mc[bank].misc
				     : NULL;
}

static bool bank_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	unsigned which;
	const uint64_t *slot = bank_slot(cpu, msr, &which);

	*value = slot ? *slot : 0;
	return which < BANK_REGISTERS;
}

/* A status can only be cleared, a control register only be all ones or all zeros. */
static bool bank_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	unsigned which;
	uint64_t *slot = bank_slot(cpu, msr, &which);

	if (which == BANK_REGISTERS || (which == BANK_STATUS && value) ||
	    (which == BANK_CTL && value && value != UINT64_MAX))
		return false;
	if (slot)
		*slot = value;
	return true;
}

/* ---- the table ---- */

enum msr_index {
#define MSR_FIELD(name, ...) ROW_##name,
#define MSR_CONST(name, ...) ROW_##name,
#define MSR_CALL(name, ...) ROW_##name,
#include "l0/machine/interp/msrs.def"
#undef MSR_FIELD
#undef MSR_CONST
#undef MSR_CALL
};

static const struct msr_row rows[] = {
#define MSR_FIELD(name, number, feature_, field_, writable_, check_)                               \
	[ROW_##name] = {.kind = KIND_FIELD,                                                        \
			.feature = CPU_FEATURE_##feature_,                                         \
			.check = CHECK_##check_,                                                   \
			.field = offsetof(struct cpu, field_),                                     \
			.value = (writable_)},
#define MSR_CONST(name, number, feature_, value_, write_)                                          \
	[ROW_##name] = {.kind = KIND_CONST,                                                        \
			.feature = CPU_FEATURE_##feature_,                                         \
			.check = WRITE_##write_,                                                   \
			.value = (value_)},
#define MSR_CALL(name, number, feature_, read_, write_)                                            \
	[ROW_##name] = {.kind = KIND_CALL,                                                         \
			.feature = CPU_FEATURE_##feature_,                                         \
			.read = (read_),                                                           \
			.write = (write_)},
#include "l0/machine/interp/msrs.def"
#undef MSR_FIELD
#undef MSR_CONST
#undef MSR_CALL
};

static int row_number(uint32_t msr)
{
	switch (msr) {
#define MSR_FIELD(name, number, ...)                                                               \
	case (number):                                                                             \
		return ROW_##name;
#define MSR_CONST MSR_FIELD
#define MSR_CALL MSR_FIELD
#include "l0/machine/interp/msrs.def"
#undef MSR_FIELD
#undef MSR_CONST
#undef MSR_CALL
	default:
		return -1;
	}
}

static const struct msr_row *find_row(const struct cpu *cpu, uint32_t msr)
{
	int number = row_number(msr);

	if (number < 0 || (rows[number].feature != CPU_FEATURE_NONE &&
			   !cpu_profile_has(cpu->profile, rows[number].feature)))
		return NULL;
	return &rows[number];
}

static bool check_value(const struct cpu *cpu, enum msr_check check, uint64_t value)
{
	if (check == CHECK_CANONICAL)
		return cpu_canonical_register(cpu, value);
	for (unsigned i = 0; check == CHECK_PAT && i < 8; i++) {
		uint8_t type = (uint8_t)(value >> 8 * i);

		if (type != 7 && !mtrr_type(type)) /* 7: UC- */
			return false;
	}
	return true;
}

static bool in_x2apic_range(uint32_t msr)
{
	return msr >= MSR_IA32_X2APIC_FIRST && msr <= MSR_IA32_X2APIC_LAST;
}

bool cpu_rdmsr(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	const struct msr_row *row;
	const uint64_t *mtrr;

	if (in_x2apic_range(msr))
		return cpu->machine->lapic && lapic_msr_read(cpu->machine->lapic, msr, value);
	if (msr >= MSR_IA32_VMX_BASIC && msr <= MSR_IA32_VMX_VMFUNC)
		return cpu_has(cpu->profile, VMX) && vmx_rdmsr(cpu, msr, value);
	mtrr = mtrr_slot(cpu, msr);
	if (mtrr) {
		*value = *mtrr;
		return cpu_has(cpu->profile, MTRR);
	}
	row = find_row(cpu, msr);
	if (!row)
		return branch_msr_read(cpu, msr, value) || pt_msr_read(cpu, msr, value) ||
		       bank_read(cpu, msr, value);
	if (row->kind == KIND_CALL)
		return row->read && row->read(cpu, value);
	*value = row->kind == KIND_CONST ? row->value
					 : *(const uint64_t *)((const char *)cpu + row->field);
	return true;
}

bool cpu_wrmsr(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	const struct msr_row *row;
	uint64_t *mtrr;

	if (in_x2apic_range(msr))
		return cpu->machine->lapic && lapic_msr_write(cpu->machine->lapic, msr, value);
	mtrr = mtrr_slot(cpu, msr);
	if (mtrr) {
		if (!cpu_has(cpu->profile, MTRR) || !mtrr_valid(cpu, msr, value))
			return false;
		*mtrr = value;
		return true;
	}
	row = find_row(cpu, msr);
	if (!row)
		return branch_msr_write(cpu, msr, value) || pt_msr_write(cpu, msr, value) ||
		       bank_write(cpu, msr, value);
	if (row->kind == KIND_CALL)
		return row->write && row->write(cpu, value);
	if (row->kind == KIND_CONST)
		return row->check == WRITE_IGNORED;
	if ((value & ~row->value) || !check_value(cpu, row->check, value))
		return false;
	*(uint64_t *)((char *)cpu + row->field) = value;
	return true;
}

/* As firmware leaves a part after power-up: VMX allowed outside SMX and locked, memory write-back
 * but for the PCI hole. */
void cpu_msr_reset(struct cpu *cpu)
{
	cpu->msrs = (struct cpu_msrs){
	    .pat = UINT64_C(0x0007040600070406),
	    .misc_enable = MISC_ENABLE_READ_ONLY | BIT64(0) |
			   (cpu_has(cpu->profile, MONITOR) ? MISC_ENABLE_MONITOR : 0),
	    .feature_control = cpu_has(cpu->profile, VMX)
				   ? FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX
				   : 0,
	    .mtrr_def_type = BIT64(11) | 6,
	    .mtrr_var = {PCI_HOLE_START, ((BIT64(cpu->profile->caps.maxphyaddr) - 1) &
					  ~(PCI_HOLE_END - PCI_HOLE_START - 1)) |
					     BIT64(11)},
	    .perf_global_ctrl = (UINT64_C(1) << GENERAL_COUNTERS) - 1,
	};
}

/* ---- instructions ---- */

void insn_rdmsr(struct cpu *cpu, const struct op *op)
{
	uint32_t msr = (uint32_t)cpu->gpr[REG_RCX];
	uint64_t value;

	if (cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	vmx_intercept_rdmsr(cpu, msr);
	if (!(cpu->vmx->nonroot && in_x2apic_range(msr) && vmx_x2apic_read(cpu, msr, &value))) {
		if (!cpu_rdmsr(cpu, msr, &value))
			cpu_fault_code(cpu, VECTOR_GP, 0);
		if (msr == MSR_IA32_TSC)
			value = vmx_guest_tsc(cpu, value);
	}
	if (watches(cpu->machine, WATCH_MSR))
		watch_tell(cpu->machine, "rdmsr %x = %" PRIx64, msr, value);
	cpu->gpr[REG_RAX] = (uint32_t)value;
	cpu->gpr[REG_RDX] = value >> 32;
}

void insn_wrmsr(struct cpu *cpu, const struct op *op)
{
	uint32_t msr = (uint32_t)cpu->gpr[REG_RCX];
	uint64_t value = (uint32_t)cpu->gpr[REG_RAX] | cpu->gpr[REG_RDX] << 32;

	if (cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	vmx_intercept_wrmsr(cpu, msr);
	if (watches(cpu->machine, WATCH_MSR))
		watch_tell(cpu->machine, "wrmsr %x = %" PRIx64, msr, value);
	if (cpu->vmx->nonroot && in_x2apic_range(msr) && vmx_x2apic_write(cpu, msr, value))
		return;
	if (!cpu_wrmsr(cpu, msr, value))
		cpu_fault_code(cpu, VECTOR_GP, 0);
}
