/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Descriptor-table registers, TLB and cache control, HLT, segment-base instructions. Privilege is
 * checked before VM exits, operands after them.
 */
#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/sys.h"

/* User-mode instruction prevention, SDM 2 "SGDT", "SIDT", "SLDT", "STR". */
static void check_umip(struct cpu *cpu)
{
	if ((cpu->cr4 & CR4_UMIP) && cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

static void intercept_table(struct cpu *cpu, const struct op *op, enum vmx_exit_reason reason)
{
	if (cpu->vmx->nonroot)
		vmx_intercept_descriptor_table(cpu, reason, op_displacement(cpu, op));
}

/* The base field is 8 bytes in 64-bit mode; LGDT and LIDT with 16-bit operand size use 24 bits of
 * 4. */
static struct table_register load_table(struct cpu *cpu, const struct op *op)
{
	unsigned size = cpu_code64(cpu) ? 8 : 4;
	uint64_t ea = op_ea(cpu, op);
	struct table_register table;

	table.limit = (uint16_t)mem_read(cpu, op->seg, ea, 2);
	table.base = mem_read(cpu, op->seg, op_ea_add(op, ea, 2), size);
	if (size == 4 && op->opsize == 2)
		table.base &= 0xffffff;
	if (size == 8 && !cpu_canonical_register(cpu, table.base))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	return table;
}

static void store_table(struct cpu *cpu, const struct op *op, const struct table_register *table)
{
	unsigned size = cpu_code64(cpu) ? 8 : 4;
	uint64_t ea = op_ea(cpu, op), second = op_ea_add(op, ea, 2);

	lin_probe(cpu, seg_linear(cpu, op->seg, second, size, MEM_WRITE), size, MEM_WRITE);
	mem_write(cpu, op->seg, ea, 2, table->limit);
	mem_write(cpu, op->seg, second, size, table->base);
}

void insn_lgdt(struct cpu *cpu, const struct op *op)
{
	require_cpl0(cpu);
	intercept_table(cpu, op, EXIT_REASON_GDTR_IDTR_ACCESS);
	cpu->gdtr = load_table(cpu, op);
}

void insn_lidt(struct cpu *cpu, const struct op *op)
{
	require_cpl0(cpu);
	intercept_table(cpu, op, EXIT_REASON_GDTR_IDTR_ACCESS);
	cpu->idtr = load_table(cpu, op);
}

void insn_sgdt(struct cpu *cpu, const struct op *op)
{
	check_umip(cpu);
	intercept_table(cpu, op, EXIT_REASON_GDTR_IDTR_ACCESS);
	store_table(cpu, op, &cpu->gdtr);
}

void insn_sidt(struct cpu *cpu, const struct op *op)
{
	check_umip(cpu);
	intercept_table(cpu, op, EXIT_REASON_GDTR_IDTR_ACCESS);
	store_table(cpu, op, &cpu->idtr);
}

static void store_selector(struct cpu *cpu, const struct op *op, enum x86_seg segment)
{
	require_protected(cpu);
	check_umip(cpu);
	intercept_table(cpu, op, EXIT_REASON_LDTR_TR_ACCESS);
	op_write_rm(cpu, op, op->flags & OP_MEMORY ? 2 : op->opsize, cpu->seg[segment].selector);
}

void insn_sldt(struct cpu *cpu, const struct op *op)
{
	store_selector(cpu, op, SEG_LDTR);
}

void insn_str(struct cpu *cpu, const struct op *op)
{
	store_selector(cpu, op, SEG_TR);
}

/* A descriptor for LLDT or LTR: in the GDT, of one of the types, present. */
static void read_table_descriptor(struct cpu *cpu, uint16_t selector, uint32_t types,
				  struct descriptor *d)
{
	uint32_t error = SELECTOR_ERROR(selector);

	if ((selector & SELECTOR_TI) || !desc_read(cpu, selector, d) || !desc_is_system(d) ||
	    !(types >> desc_type(d) & 1))
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(d))
		cpu_fault_code(cpu, VECTOR_NP, error);
	if (!desc_read_upper(cpu, selector, d) || (d->tail >> 8 & 0x1f) ||
	    !cpu_canonical_register(cpu, desc_base(d)))
		cpu_fault_code(cpu, VECTOR_GP, error);
}

void insn_lldt(struct cpu *cpu, const struct op *op)
{
	struct descriptor d;
	uint16_t selector;

	require_protected(cpu);
	require_cpl0(cpu);
	intercept_table(cpu, op, EXIT_REASON_LDTR_TR_ACCESS);
	selector = (uint16_t)op_read_rm(cpu, op, 2);
	if (SELECTOR_NULL(selector)) {
		cpu->seg[SEG_LDTR] = desc_null_segment(selector);
		return;
	}
	read_table_descriptor(cpu, selector, BIT32(DESC_LDT), &d);
	cpu->seg[SEG_LDTR] = desc_segment(selector, &d);
}

void insn_ltr(struct cpu *cpu, const struct op *op)
{
	uint32_t types = BIT32(DESC_TSS_AVAIL);
	struct descriptor d;
	uint16_t selector;

	require_protected(cpu);
	require_cpl0(cpu);
	intercept_table(cpu, op, EXIT_REASON_LDTR_TR_ACCESS);
	selector = (uint16_t)op_read_rm(cpu, op, 2);
	if (SELECTOR_NULL(selector))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (!cpu_long_mode(cpu))
		types |= BIT32(DESC_TSS16_AVAIL);
	read_table_descriptor(cpu, selector, types, &d);
	desc_set_busy(cpu, &d, true);
	cpu->seg[SEG_TR] = desc_segment(selector, &d);
}

/* ---- TLB and caches ---- */

void insn_invlpg(struct cpu *cpu, const struct op *op)
{
	uint64_t linear;

	require_cpl0(cpu);
	linear = op_linear(cpu, op, op_ea(cpu, op));
	if (cpu->vmx->nonroot)
		vmx_intercept_insn(cpu, EXIT_REASON_INVLPG, linear);
	if (cpu_canonical(cpu, linear))
		mmu_flush_page(cpu, linear);
}

enum invpcid_type { INVPCID_ADDRESS, INVPCID_SINGLE, INVPCID_ALL_GLOBAL, INVPCID_ALL };

static bool invpcid_valid(const struct cpu *cpu, uint64_t type, uint64_t pcid, uint64_t linear)
{
	if (type > INVPCID_ALL || (pcid & ~CR3_PCID_MASK))
		return false;
	if (type <= INVPCID_SINGLE && pcid && !(cpu->cr4 & CR4_PCIDE))
		return false;
	return type != INVPCID_ADDRESS || cpu_canonical_register(cpu, linear);
}

/* SDM 2A "INVPCID--Invalidate Process-Context Identifier". Where a VM-execution control does not
 * enable it, it is #UD, before any other check. */
void insn_invpcid(struct cpu *cpu, const struct op *op)
{
	uint64_t ea = op_ea(cpu, op), type, pcid, linear;

	if (cpu->vmx->nonroot && !(cpu->vmx->secondary & SECONDARY_ENABLE_INVPCID))
		cpu_fault(cpu, VECTOR_UD);
	require_cpl0(cpu);
	if (cpu->vmx->nonroot)
		vmx_intercept_insn(cpu, EXIT_REASON_INVPCID, op_displacement(cpu, op));
	type = reg_read(cpu, op, op->reg, op->opsize);
	pcid = mem_read(cpu, op->seg, ea, 8);
	linear = mem_read(cpu, op->seg, op_ea_add(op, ea, 8), 8);
	if (!invpcid_valid(cpu, type, pcid, linear))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (type == INVPCID_ADDRESS)
		mmu_flush_page_pcid(cpu, linear, (uint16_t)pcid);
	else if (type == INVPCID_SINGLE)
		mmu_flush_pcid(cpu, (uint16_t)pcid);
	else
		mmu_flush_current(cpu, true);
}

/* Caches are not modelled: nothing to write back or to lose, but the time it takes. */
static void cache_control(struct cpu *cpu, enum vmx_exit_reason reason)
{
	require_cpl0(cpu);
	if (cpu->vmx->nonroot)
		vmx_intercept_insn(cpu, reason, 0);
	cpu_charge(cpu, COST_WBINVD);
}

void insn_invd(struct cpu *cpu, const struct op *op)
{
	cache_control(cpu, EXIT_REASON_INVD);
}

void insn_wbinvd(struct cpu *cpu, const struct op *op)
{
	cache_control(cpu, EXIT_REASON_WBINVD);
}

void insn_hlt(struct cpu *cpu, const struct op *op)
{
	require_cpl0(cpu);
	if (cpu->vmx->nonroot)
		vmx_intercept_insn(cpu, EXIT_REASON_HLT, 0);
	cpu_wait_for_event(cpu, WAIT_HLT);
}

/* ---- segment bases in 64-bit mode ---- */

void insn_swapgs(struct cpu *cpu, const struct op *op)
{
	uint64_t base = cpu->seg[SEG_GS].base;

	require_cpl0(cpu);
	cpu->seg[SEG_GS].base = cpu->msrs.kernel_gs_base;
	cpu->msrs.kernel_gs_base = base;
}

static void read_base(struct cpu *cpu, const struct op *op, enum x86_seg segment)
{
	if (!(cpu->cr4 & CR4_FSGSBASE))
		cpu_fault(cpu, VECTOR_UD);
	reg_write(cpu, op, op->rm, op->opsize, cpu->seg[segment].base);
}

static void write_base(struct cpu *cpu, const struct op *op, enum x86_seg segment)
{
	uint64_t base = reg_read(cpu, op, op->rm, op->opsize);

	if (!(cpu->cr4 & CR4_FSGSBASE))
		cpu_fault(cpu, VECTOR_UD);
	if (!cpu_canonical_register(cpu, base))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	cpu->seg[segment].base = base;
}

void insn_rdfsbase(struct cpu *cpu, const struct op *op)
{
	read_base(cpu, op, SEG_FS);
}
void insn_rdgsbase(struct cpu *cpu, const struct op *op)
{
	read_base(cpu, op, SEG_GS);
}
void insn_wrfsbase(struct cpu *cpu, const struct op *op)
{
	write_base(cpu, op, SEG_FS);
}
void insn_wrgsbase(struct cpu *cpu, const struct op *op)
{
	write_base(cpu, op, SEG_GS);
}
