/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Segment registers: loading with the checks of MOV to Sreg, and the forced contents of the
 * instructions that do not consult the GDT. The instructions are in seg_insns.c.
 */
#include "l0/machine/interp/sys.h"

/* Real and virtual-8086 mode. Real mode keeps limit and access rights, which is what "big real
 * mode" lives on; virtual-8086 mode forces them (SDM 3B "Segmentation in virtual-8086 mode"). */
void seg_load_real(struct cpu *cpu, enum x86_seg segment, uint16_t selector)
{
	struct segment *seg = &cpu->seg[segment];

	seg->selector = selector;
	seg->base = (uint32_t)selector << 4;
	if (cpu_vm86(cpu)) {
		seg->limit = 0xffff;
		seg->ar = 0xf3;
	} else if (seg->ar & AR_UNUSABLE) {
		seg->limit = 0xffff;
		seg->ar = 0x93;
	}
}

/* SDM 2B "MOV--Move", loading SS. */
static struct segment seg_check_ss(struct cpu *cpu, uint16_t selector)
{
	unsigned rpl = selector & SELECTOR_RPL;
	uint32_t error = SELECTOR_ERROR(selector);
	struct segment null;
	struct descriptor d;

	if (SELECTOR_NULL(selector)) {
		if (!cpu_code64(cpu) || cpu->cpl == 3 || rpl != cpu->cpl)
			cpu_fault_code(cpu, VECTOR_GP, 0);
		null = desc_null_segment(selector);
		null.ar |= (uint32_t)cpu->cpl << AR_DPL_SHIFT;
		return null;
	}
	if (!desc_read(cpu, selector, &d) || rpl != cpu->cpl || !desc_is_writable_data(&d) ||
	    desc_dpl(&d) != cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(&d))
		cpu_fault_code(cpu, VECTOR_SS, error);
	desc_set_accessed(cpu, &d);
	return desc_segment(selector, &d);
}

/* Loading DS, ES, FS or GS. */
static struct segment seg_check_data(struct cpu *cpu, uint16_t selector)
{
	unsigned rpl = selector & SELECTOR_RPL;
	uint32_t error = SELECTOR_ERROR(selector);
	struct descriptor d;

	if (SELECTOR_NULL(selector))
		return desc_null_segment(selector);
	if (!desc_read(cpu, selector, &d) || desc_is_system(&d) ||
	    (desc_is_code(&d) && !(desc_type(&d) & AR_TYPE_READABLE)))
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_is_conforming(&d) && (rpl > desc_dpl(&d) || cpu->cpl > desc_dpl(&d)))
		cpu_fault_code(cpu, VECTOR_GP, error);
	if (!desc_present(&d))
		cpu_fault_code(cpu, VECTOR_NP, error);
	desc_set_accessed(cpu, &d);
	return desc_segment(selector, &d);
}

void seg_load(struct cpu *cpu, enum x86_seg segment, uint16_t selector)
{
	if (cpu_real_or_vm86(cpu))
		seg_load_real(cpu, segment, selector);
	else if (segment == SEG_SS)
		cpu->seg[SEG_SS] = seg_check_ss(cpu, selector);
	else
		cpu->seg[segment] = seg_check_data(cpu, selector);
	cpu_mode_recheck(cpu);
}

void seg_set_cs(struct cpu *cpu, uint16_t selector, const struct descriptor *d, unsigned cpl)
{
	cpu->seg[SEG_CS] = desc_segment((uint16_t)((selector & ~SELECTOR_RPL) | cpl), d);
	cpu->cpl = (uint8_t)cpl;
}

/* SDM 2B "RET--Return From Procedure", RETURN-TO-OUTER-PRIVILEGE-LEVEL. The base stays in the
 * register: 64-bit software that sets FS and GS by MSR goes on using it. */
void seg_drop_inner(struct cpu *cpu)
{
	static const uint8_t data_segs[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

	for (unsigned i = 0; i < sizeof(data_segs); i++) {
		struct segment *seg = &cpu->seg[data_segs[i]];
		bool conforming = (seg->ar & AR_TYPE_CODE) && (seg->ar & AR_TYPE_CONFORMING);
		unsigned dpl = (seg->ar & AR_DPL) >> AR_DPL_SHIFT;

		if (!(seg->ar & AR_UNUSABLE) && !conforming && dpl < cpu->cpl) {
			seg->selector = 0;
			seg->ar = AR_UNUSABLE;
		}
	}
}

/* Where the TSS keeps the stack of `level`: false if that is beyond its limit. */
static bool tss_read_stack(struct cpu *cpu, unsigned level, uint16_t *ss, uint64_t *sp)
{
	const struct segment *tr = &cpu->seg[SEG_TR];
	const unsigned access = MEM_READ | MEM_IMPLICIT_SUPERVISOR;
	bool wide = (tr->ar & AR_TYPE) & 8;
	uint32_t offset = wide ? level * 8 + 4 : level * 4 + 2;
	uint64_t at = cpu_wrap_linear(cpu, tr->base + offset);

	if (offset + (cpu_long_mode(cpu) ? 7 : wide ? 5 : 3) > tr->limit)
		return false;
	if (cpu_long_mode(cpu)) {
		*ss = (uint16_t)level;
		*sp = lin_read(cpu, at, 8, access);
		return true;
	}
	*sp = lin_read(cpu, at, wide ? 4 : 2, access);
	*ss = (uint16_t)lin_read(cpu, cpu_wrap_linear(cpu, at + (wide ? 4 : 2)), 2, access);
	return true;
}

void seg_inner_stack(struct cpu *cpu, unsigned level, uint32_t ext, struct segment *ss,
		     uint64_t *sp)
{
	struct descriptor d;
	uint16_t selector;
	uint32_t error;

	if (!tss_read_stack(cpu, level, &selector, sp))
		cpu_fault_code(cpu, VECTOR_TS, SELECTOR_ERROR(cpu->seg[SEG_TR].selector) | ext);
	if (cpu_long_mode(cpu)) {
		*ss = desc_null_segment(selector);
		ss->ar |= level << AR_DPL_SHIFT;
		return;
	}
	error = SELECTOR_ERROR(selector) | ext;
	if (SELECTOR_NULL(selector))
		cpu_fault_code(cpu, VECTOR_TS, ext);
	if (!desc_read(cpu, selector, &d) || (selector & SELECTOR_RPL) != level ||
	    desc_dpl(&d) != level || !desc_is_writable_data(&d))
		cpu_fault_code(cpu, VECTOR_TS, error);
	if (!desc_present(&d))
		cpu_fault_code(cpu, VECTOR_SS, error);
	desc_set_accessed(cpu, &d);
	*ss = desc_segment(selector, &d);
}

void seg_set_flat_code(struct cpu *cpu, uint16_t selector, unsigned cpl, bool code64)
{
	cpu->seg[SEG_CS] = (struct segment){ .limit = UINT32_MAX,
					     .ar = 0xb | AR_S | AR_P | AR_G |
						   cpl << AR_DPL_SHIFT | (code64 ? AR_L : AR_DB),
					     .selector = selector };
	cpu->cpl = (uint8_t)cpl;
}

void seg_set_flat_stack(struct cpu *cpu, uint16_t selector, unsigned cpl)
{
	cpu->seg[SEG_SS] = (struct segment){ .limit = UINT32_MAX,
					     .ar = 3 | AR_S | AR_P | AR_G | AR_DB |
						   cpl << AR_DPL_SHIFT,
					     .selector = selector };
}
