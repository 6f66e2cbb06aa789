/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hardware task switches, SDM 3A "Task Switching". The callers have checked the gate, the selector
 * and the descriptor's type, DPL and P. Once the new state is committed, faults belong to the new
 * task.
 */
#include "l0/machine/interp/cet.h"
#include "l0/machine/interp/sys.h"
#include "l0/machine/interp/task_shadow.h"
#include "shadow/sdm/tss.h"

/* What the new TSS holds. */
struct task_image {
	uint64_t cr3, ip, flags, gpr[8];
	uint16_t seg[6], ldt;
	bool trap;
	struct task_shadow shadow;
};

#define TSS_SSP 0x68 /* behind the I/O map base; the last byte of it is at the limit or below */

static uint64_t tss_read(struct cpu *cpu, uint64_t base, unsigned offset, unsigned size)
{
	return lin_read(cpu, cpu_wrap_linear(cpu, base + offset), size,
			MEM_READ | MEM_IMPLICIT_SUPERVISOR);
}

static void tss_write(struct cpu *cpu, uint64_t base, unsigned offset, unsigned size,
		      uint64_t value)
{
	lin_write(cpu, cpu_wrap_linear(cpu, base + offset), size, value,
		  MEM_WRITE | MEM_IMPLICIT_SUPERVISOR);
}

/* Page faults on the part of the old TSS that is written come before anything is. */
static void tss_probe(struct cpu *cpu, uint64_t base, unsigned first, unsigned last)
{
	lin_probe(cpu, cpu_wrap_linear(cpu, base + first), 1, MEM_WRITE | MEM_IMPLICIT_SUPERVISOR);
	lin_probe(cpu, cpu_wrap_linear(cpu, base + last), 1, MEM_WRITE | MEM_IMPLICIT_SUPERVISOR);
}

static void tss_load(struct cpu *cpu, uint64_t base, const struct tss_layout *tss,
		     struct task_image *image)
{
	*image = (struct task_image){ 0 };
	if (tss->cr3)
		image->cr3 = tss_read(cpu, base, tss->cr3, 4);
	image->ip = tss_read(cpu, base, tss->ip, tss->size);
	image->flags = tss_read(cpu, base, tss->flags, tss->size);
	for (unsigned i = 0; i < 8; i++) {
		image->gpr[i] = tss_read(cpu, base, tss->gpr + i * tss->size, tss->size);
		if (tss->size == 2) /* as processors leave the upper halves */
			image->gpr[i] |= 0xffff0000;
	}
	for (unsigned i = 0; i < tss->segments; i++)
		image->seg[i] = (uint16_t)tss_read(cpu, base, tss->seg + i * tss->seg_step, 2);
	image->ldt = (uint16_t)tss_read(cpu, base, tss->ldt, 2);
	if (tss->trap)
		image->trap = tss_read(cpu, base, tss->trap, 1) & 1;
}

static void tss_save(struct cpu *cpu, const struct tss_layout *tss, uint64_t ip, uint64_t flags)
{
	uint64_t base = cpu->seg[SEG_TR].base;

	tss_write(cpu, base, tss->ip, tss->size, ip);
	tss_write(cpu, base, tss->flags, tss->size, flags);
	for (unsigned i = 0; i < 8; i++)
		tss_write(cpu, base, tss->gpr + i * tss->size, tss->size, cpu->gpr[i]);
	for (unsigned i = 0; i < tss->segments; i++)
		tss_write(cpu, base, tss->seg + i * tss->seg_step, 2, cpu->seg[i].selector);
}

/* Clears the busy bit of the TSS in TR. */
static void task_release_old(struct cpu *cpu)
{
	struct descriptor d;

	if (desc_read(cpu, cpu->seg[SEG_TR].selector, &d))
		desc_set_busy(cpu, &d, false);
}

static void task_load_ldt(struct cpu *cpu, uint16_t selector)
{
	struct descriptor d;

	cpu->seg[SEG_LDTR] = desc_null_segment(selector);
	if (SELECTOR_NULL(selector))
		return;
	if ((selector & SELECTOR_TI) || !desc_read(cpu, selector, &d) || !desc_is_system(&d) ||
	    desc_type(&d) != DESC_LDT || !desc_present(&d))
		cpu_fault_code(cpu, VECTOR_TS, SELECTOR_ERROR(selector));
	cpu->seg[SEG_LDTR] = desc_segment(selector, &d);
}

/* SDM 3A "Invalid TSS Conditions", the rows on CS. */
static void task_load_cs(struct cpu *cpu, uint16_t selector)
{
	uint32_t error = SELECTOR_ERROR(selector);
	unsigned rpl = selector & SELECTOR_RPL;
	struct descriptor d;

	if (SELECTOR_NULL(selector) || !desc_read(cpu, selector, &d) || !desc_is_code(&d))
		cpu_fault_code(cpu, VECTOR_TS, error);
	if (desc_is_conforming(&d) ? desc_dpl(&d) > rpl : desc_dpl(&d) != rpl)
		cpu_fault_code(cpu, VECTOR_TS, error);
	if (!desc_present(&d))
		cpu_fault_code(cpu, VECTOR_NP, error);
	desc_set_accessed(cpu, &d);
	seg_set_cs(cpu, selector, &d, rpl);
	cpu_mode_changed(cpu);
}

static void task_load_ss(struct cpu *cpu, uint16_t selector)
{
	uint32_t error = SELECTOR_ERROR(selector);
	struct descriptor d;

	if (SELECTOR_NULL(selector) || !desc_read(cpu, selector, &d) ||
	    !desc_is_writable_data(&d) || desc_dpl(&d) != cpu->cpl ||
	    (selector & SELECTOR_RPL) != cpu->cpl)
		cpu_fault_code(cpu, VECTOR_TS, error);
	if (!desc_present(&d))
		cpu_fault_code(cpu, VECTOR_SS, error);
	desc_set_accessed(cpu, &d);
	cpu->seg[SEG_SS] = desc_segment(selector, &d);
}

static void task_load_data(struct cpu *cpu, enum x86_seg segment, uint16_t selector)
{
	uint32_t error = SELECTOR_ERROR(selector);
	struct descriptor d;

	if (SELECTOR_NULL(selector))
		return;
	if (!desc_read(cpu, selector, &d) || desc_is_system(&d) ||
	    (desc_is_code(&d) && !(desc_type(&d) & AR_TYPE_READABLE)))
		cpu_fault_code(cpu, VECTOR_TS, error);
	if (!desc_is_conforming(&d) &&
	    (desc_dpl(&d) < cpu->cpl || desc_dpl(&d) < (selector & SELECTOR_RPL)))
		cpu_fault_code(cpu, VECTOR_TS, error);
	if (!desc_present(&d))
		cpu_fault_code(cpu, VECTOR_NP, error);
	desc_set_accessed(cpu, &d);
	cpu->seg[segment] = desc_segment(selector, &d);
}

static void task_load_segments(struct cpu *cpu, const struct task_image *image)
{
	static const uint8_t data_segs[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

	task_load_ldt(cpu, image->ldt);
	if (cpu_vm86(cpu)) {
		for (unsigned i = 0; i <= SEG_GS; i++)
			seg_load_real(cpu, (enum x86_seg)i, image->seg[i]);
		return;
	}
	task_load_cs(cpu, image->seg[SEG_CS]);
	task_load_ss(cpu, image->seg[SEG_SS]);
	for (unsigned i = 0; i < sizeof(data_segs); i++)
		task_load_data(cpu, (enum x86_seg)data_segs[i], image->seg[data_segs[i]]);
	if (image->ip > cpu->seg[SEG_CS].limit)
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

/* Registers that need no checks; segment registers get their selectors and nothing else yet. */
static void task_commit(struct cpu *cpu, const struct task_image *image)
{
	if (image->cr3 && (cpu->cr0 & CR0_PG) && image->cr3 != cpu->cr3) {
		cpu->cr3 = image->cr3;
		cpu->pt.cr3_loaded = true;
		mmu_flush_current(cpu, false);
	}
	for (unsigned i = 0; i < 8; i++)
		cpu->gpr[i] = image->gpr[i];
	for (unsigned i = 0; i <= SEG_GS; i++)
		cpu->seg[i] = desc_null_segment(image->seg[i]);
	cpu->cr0 |= CR0_TS;
	cpu->dr7 &= ~UINT64_C(0x155); /* L0-L3, LE */
	cpu->cpl = image->flags & RFLAGS_VM ? 3 : image->seg[SEG_CS] & SELECTOR_RPL;
	flags_load(cpu, image->flags, UINT32_MAX & ~UINT64_C(0xffc0802a));
	if (image->trap)
		cpu->pending_debug |= DR6_BT;
	cpu->attention = true;
	cpu_mode_changed(cpu);
}

static void task_push_error(struct cpu *cpu, const struct cpu_event *event, unsigned size)
{
	struct stack stack = stack_current(cpu, event_ext(event));

	if (!event->has_error)
		return;
	stack_push(cpu, &stack, event->error, size);
	stack_commit(cpu, &stack);
}

static uint64_t task_saved_flags(const struct cpu *cpu, enum task_switch_source source,
				 const struct cpu_event *event)
{
	if (event)
		return event_pushed_rflags(cpu, event);
	return source == TASK_SWITCH_IRET ? cpu_rflags(cpu) & ~RFLAGS_NT : cpu_rflags(cpu);
}

/* The SSP is in 32-bit TSSs that have room for it. */
static void task_shadow_load(struct cpu *cpu, uint16_t selector, const struct descriptor *d,
			     enum task_switch_source source, struct task_image *image)
{
	struct task_shadow *shadow = &image->shadow;

	shadow->source = source;
	shadow->tss = selector;
	shadow->cpl = image->flags & RFLAGS_VM ? 3 : image->seg[SEG_CS] & SELECTOR_RPL;
	if (source == TASK_SWITCH_IRET || !cet_set(cpu, shadow->cpl, CET_SH_STK_EN))
		return;
	if (desc_limit(d) < TSS_SSP + 3)
		cpu_fault_code(cpu, VECTOR_TS, SELECTOR_ERROR(selector));
	shadow->ssp = tss_read(cpu, desc_base(d), TSS_SSP, 4);
}

/* Everything up to the new task's registers: memory of both TSSs, busy bits, TR. */
static void task_exchange(struct cpu *cpu, uint16_t selector, struct descriptor *d,
			  enum task_switch_source source, uint64_t next_rip,
			  const struct cpu_event *event, struct task_image *image)
{
	const struct tss_layout *old = tss_layout_of(cpu->seg[SEG_TR].ar & AR_TYPE);
	const struct tss_layout *new = tss_layout_of(desc_type(d));
	bool nested = source == TASK_SWITCH_CALL || source == TASK_SWITCH_GATE;

	tss_probe(cpu, cpu->seg[SEG_TR].base, old->ip,
		  old->seg + old->segments * old->seg_step - 1);
	tss_load(cpu, desc_base(d), new, image);
	task_shadow_load(cpu, selector, d, source, image);
	task_shadow_leave(cpu, &image->shadow, next_rip);
	if (nested)
		tss_probe(cpu, desc_base(d), 0, 1);
	if (!nested)
		task_release_old(cpu);
	tss_save(cpu, old, next_rip, task_saved_flags(cpu, source, event));
	if (nested) {
		tss_write(cpu, desc_base(d), 0, 2, cpu->seg[SEG_TR].selector);
		image->flags |= RFLAGS_NT;
	}
	if (source != TASK_SWITCH_IRET)
		desc_set_busy(cpu, d, true);
	cpu->seg[SEG_TR] = desc_segment(selector, d);
}

void task_switch(struct cpu *cpu, uint16_t selector, struct descriptor *d,
		 enum task_switch_source source, uint64_t next_rip, const struct cpu_event *event)
{
	const struct tss_layout *new = tss_layout_of(desc_type(d));
	struct task_image image;

	if (desc_limit(d) < new->limit)
		cpu_fault_code(cpu, VECTOR_TS,
			       SELECTOR_ERROR(selector) | (event ? event_ext(event) : 0));
	if (cpu->vmx->nonroot)
		vmx_intercept_task_switch(cpu, selector, source);
	task_exchange(cpu, selector, d, source, next_rip, event, &image);
	if (!event) {
		cpu->next_rip = image.ip;
		cpu_retire(cpu);
	}
	cpu_rip(cpu) = image.ip;
	task_commit(cpu, &image);
	task_load_segments(cpu, &image);
	task_shadow_enter(cpu, &image.shadow, image.ip);
	cpu_mode_changed(cpu);
	if (!event)
		cpu_escape(cpu);
	task_push_error(cpu, event, new->size);
}
