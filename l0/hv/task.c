/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hardware task switches of L1: they always exit, after the CPU has checked gate, selector and
 * descriptor (SDM 3C "Treatment of Task Switches"); the rest is done here, after SDM 3A "Task
 * Switching". From the moment when the new task's registers are in place, faults are the new
 * task's.
 */
#include "l0/hv/exit.h"
#include "l0/hv/hw.h"
#include "shadow/sdm/tss.h"
#include "shadow/walk.h"

#define SEG_FIELD(part, seg) ((enum vmcs_field)(VMCS_GUEST_ES_##part + 2 * (uint32_t)(seg)))
#define SELECTOR_RPL 3u
#define SELECTOR_TI 4u
#define SELECTOR_INDEX 0xfff8u
#define ERROR_EXT 1u
#define FLAGS_LOADED UINT64_C(0x3f7fd5)
#define DR7_TASK_LOCAL UINT64_C(0x155) /* L0 to L3, LE */
#define BUSY 2u                        /* of a TSS descriptor's type */
#define RIGHTS_BYTE 5                  /* of a descriptor */

/* Exit qualification, SDM 3C "Exit Qualification for Task Switches": 15:0 selector, 31:30 source */
enum task_source { SOURCE_CALL, SOURCE_IRET, SOURCE_JMP, SOURCE_GATE };

struct descriptor {
	uint64_t at; /* linear address */
	uint64_t base;
	uint32_t limit, rights;
};

struct task {
	struct vcpu *vcpu;
	enum task_source source;
	uint16_t selector;       /* of the new TSS */
	uint32_t event;          /* what a gate delivers: IDT-vectoring information, else 0 */
	uint32_t ext;            /* EXT of error codes (SDM 3A "Error Code") */
	struct vmx_result fault; /* the first one: nothing happens after it */
	struct descriptor tss;
	const struct tss_layout *layout;
	uint64_t cr3, ip, flags, gpr[8];
	uint16_t seg[SEG_GS + 1], ldt;
	bool trap;
	unsigned cpl;
};

static bool ok(const struct task *t)
{
	return t->fault.outcome == VMX_SUCCEED;
}

static void fault(struct task *t, enum x86_vector vector, uint32_t code)
{
	if (ok(t))
		t->fault = (struct vmx_result){.outcome = VMX_FAULT,
					       .vector = (uint8_t)vector,
					       .error = code | t->ext};
}

static void fault_selector(struct task *t, enum x86_vector vector, uint16_t selector)
{
	fault(t, vector, selector & (SELECTOR_INDEX | SELECTOR_TI));
}

static uint64_t load(struct task *t, uint64_t linear, unsigned size)
{
	uint64_t value = 0;

	if (ok(t))
		t->fault = l1_linear_read(&t->vcpu->shadow, linear & UINT32_MAX, &value, size);
	return value;
}

static void store(struct task *t, uint64_t linear, unsigned size, uint64_t value)
{
	if (ok(t))
		t->fault = l1_linear_write(&t->vcpu->shadow, linear & UINT32_MAX, &value, size);
}

/* Faults if the byte can't be written; changes nothing. */
static void probe(struct task *t, uint64_t linear)
{
	store(t, linear, 1, load(t, linear, 1));
}

/* The descriptor that a selector names. False: beyond its table's limit, or no table. */
static bool find(struct task *t, uint16_t selector, struct descriptor *d)
{
	bool local = selector & SELECTOR_TI;
	uint64_t base = hw_vmread(local ? VMCS_GUEST_LDTR_BASE : VMCS_GUEST_GDTR_BASE);
	uint64_t limit = hw_vmread(local ? VMCS_GUEST_LDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT), raw;

	if (local && hw_vmread(VMCS_GUEST_LDTR_ACCESS_RIGHTS) & AR_UNUSABLE)
		return false;
	if ((selector & SELECTOR_INDEX) + 7 > limit)
		return false;
	*d = (struct descriptor){.at = base + (selector & SELECTOR_INDEX)};
	raw = load(t, d->at, 8);
	d->base = (raw >> 16 & 0xffffff) | (raw >> 56) << 24;
	d->rights = raw >> 40 & 0xf0ff;
	d->limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000));
	if (d->rights & AR_G)
		d->limit = d->limit << 12 | 0xfff;
	return true;
}

/* Stores the descriptor's type byte again, as it is in `rights`. */
static void put_type(struct task *t, const struct descriptor *d)
{
	store(t, d->at + RIGHTS_BYTE, 1, d->rights & 0xff);
}

static void set_segment(enum x86_seg seg, uint16_t selector, const struct descriptor *d)
{
	hw_vmwrite(SEG_FIELD(SELECTOR, seg), selector);
	hw_vmwrite(SEG_FIELD(BASE, seg), d->base);
	hw_vmwrite(SEG_FIELD(LIMIT, seg), d->limit);
	hw_vmwrite(SEG_FIELD(ACCESS_RIGHTS, seg), d->rights);
}

static void read_image(struct task *t)
{
	const struct tss_layout *l = t->layout;
	uint64_t base = t->tss.base;

	t->cr3 = l->cr3 ? load(t, base + l->cr3, 4) : 0;
	t->ip = load(t, base + l->ip, l->size);
	t->flags = load(t, base + l->flags, l->size);
	for (unsigned i = 0; i < 8; i++) {
		t->gpr[i] = load(t, base + l->gpr + i * l->size, l->size);
		if (l->size == 2) /* as processors leave the upper halves */
			t->gpr[i] |= 0xffff0000;
	}
	for (unsigned i = 0; i < l->segments; i++)
		t->seg[i] = (uint16_t)load(t, base + l->seg + i * l->seg_step, 2);
	t->ldt = (uint16_t)load(t, base + l->ldt, 2);
	t->trap = l->trap && load(t, base + l->trap, 1) & 1;
}

static uint64_t old_gpr(const struct task *t, unsigned gpr)
{
	return gpr == REG_RSP ? hw_vmread(VMCS_GUEST_RSP) : t->vcpu->regs.gpr[gpr];
}

/* Of an instruction, software interrupt or software exception the old task goes on after it. */
static uint64_t old_ip(const struct task *t)
{
	uint32_t type = (t->event & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT;
	uint64_t rip = hw_vmread(VMCS_GUEST_RIP);

	if (t->source == SOURCE_GATE && type < INTR_TYPE_SOFTWARE_INTERRUPT)
		return rip;
	return (rip + hw_vmread(VMCS_EXIT_INSTRUCTION_LENGTH)) & UINT32_MAX;
}

/* The exit saved RFLAGS as the old TSS is to hold it (SDM 3C "Saving RIP, RSP, RFLAGS, and SSP"),
 * but for what IRET does to NT. */
static void save_old(struct task *t, const struct tss_layout *l, uint64_t base)
{
	uint64_t flags = hw_vmread(VMCS_GUEST_RFLAGS);

	store(t, base + l->ip, l->size, old_ip(t));
	store(t, base + l->flags, l->size,
	      t->source == SOURCE_IRET ? flags & ~RFLAGS_NT : flags);
	for (unsigned i = 0; i < 8; i++)
		store(t, base + l->gpr + i * l->size, l->size, old_gpr(t, i));
	for (unsigned i = 0; i < l->segments; i++)
		store(t, base + l->seg + i * l->seg_step, 2, hw_vmread(SEG_FIELD(SELECTOR, i)));
}

/* Both TSSs, the busy bits and TR. Page faults come before the first change. */
static void exchange(struct task *t)
{
	uint16_t old_selector = (uint16_t)hw_vmread(VMCS_GUEST_TR_SELECTOR);
	const struct tss_layout *old =
		tss_layout_of((unsigned)hw_vmread(VMCS_GUEST_TR_ACCESS_RIGHTS) & AR_TYPE);
	uint64_t old_base = hw_vmread(VMCS_GUEST_TR_BASE);
	bool nested = t->source == SOURCE_CALL || t->source == SOURCE_GATE;
	struct descriptor d;

	probe(t, old_base + old->ip);
	probe(t, old_base + old->seg + old->segments * old->seg_step - 1u);
	read_image(t);
	if (nested)
		probe(t, t->tss.base);
	save_old(t, old, old_base);
	if (nested) {
		store(t, t->tss.base, 2, old_selector);
		t->flags |= RFLAGS_NT;
	} else if (find(t, old_selector, &d)) {
		d.rights &= ~BUSY;
		put_type(t, &d);
	}
	t->tss.rights |= BUSY;
	if (t->source != SOURCE_IRET)
		put_type(t, &t->tss);
	if (ok(t))
		set_segment(SEG_TR, t->selector, &t->tss);
}

/* Until they are loaded, segments are unusable; but the CPU is entered with a CS. */
static void empty_segments(const struct task *t)
{
	const struct descriptor none = {.rights = AR_UNUSABLE | t->cpl << AR_DPL_SHIFT};
	const struct descriptor code = {.limit = UINT32_MAX,
					.rights = AR_G | AR_DB | AR_P | AR_S | AR_TYPE_CODE |
						  AR_TYPE_READABLE | AR_TYPE_ACCESSED |
						  t->cpl << AR_DPL_SHIFT};

	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++)
		set_segment((enum x86_seg)seg, t->seg[seg], seg == SEG_CS ? &code : &none);
	set_segment(SEG_LDTR, t->ldt, &none);
	/* Without unrestricted guest a VM entry wants one RPL of CS and SS even so. */
	if (!machine_has(&hv.machine, VMX_FEATURE_UNRESTRICTED_GUEST))
		hw_vmwrite(VMCS_GUEST_SS_SELECTOR,
			   (t->seg[SEG_SS] & ~(uint64_t)SELECTOR_RPL) | t->cpl);
}

/* The registers that need no checks. */
static void commit(struct task *t)
{
	struct vcpu *vcpu = t->vcpu;
	uint64_t blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI;

	if (t->layout->cr3 && cr0_read(vcpu) & CR0_PG && !cr3_write(vcpu, t->cr3))
		fault(t, VECTOR_GP, 0);
	for (unsigned i = 0; i < 8; i++)
		vcpu->regs.gpr[i] = t->gpr[i];
	hw_vmwrite(VMCS_GUEST_RSP, t->gpr[REG_RSP]);
	hw_vmwrite(VMCS_GUEST_RIP, t->ip);
	hw_vmwrite(VMCS_GUEST_RFLAGS, (t->flags & FLAGS_LOADED) | RFLAGS_FIXED1);
	hw_vmwrite(VMCS_GUEST_CR0, hw_vmread(VMCS_GUEST_CR0) | CR0_TS);
	hw_vmwrite(VMCS_CR0_READ_SHADOW, hw_vmread(VMCS_CR0_READ_SHADOW) | CR0_TS);
	hw_vmwrite(VMCS_GUEST_DR7, hw_vmread(VMCS_GUEST_DR7) & ~DR7_TASK_LOCAL);
	hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, t->source == SOURCE_IRET ? 0 : blocking);
	t->cpl = t->flags & RFLAGS_VM ? 3 : t->seg[SEG_CS] & SELECTOR_RPL;
	empty_segments(t);
}

static void load_ldt(struct task *t)
{
	struct descriptor d;

	if (!(t->ldt & SELECTOR_INDEX))
		return;
	if (t->ldt & SELECTOR_TI || !find(t, t->ldt, &d) ||
	    (d.rights & (AR_S | AR_TYPE | AR_P)) != (DESC_LDT | AR_P)) {
		fault_selector(t, VECTOR_TS, t->ldt);
		return;
	}
	if (ok(t))
		set_segment(SEG_LDTR, t->ldt, &d);
}

/* Whether SDM 3A "Invalid TSS Conditions" lets the segment register take what it names. */
static bool fits(const struct task *t, enum x86_seg seg, uint16_t selector,
		 const struct descriptor *d)
{
	unsigned dpl = d->rights >> AR_DPL_SHIFT & 3, rpl = selector & SELECTOR_RPL;
	bool code = d->rights & AR_TYPE_CODE, conforming = code && d->rights & AR_TYPE_CONFORMING;

	if (!(d->rights & AR_S))
		return false;
	switch (seg) {
	case SEG_CS:
		return code && (conforming ? dpl <= rpl : dpl == rpl);
	case SEG_SS:
		return !code && d->rights & AR_TYPE_WRITABLE && dpl == t->cpl && rpl == t->cpl;
	default:
		if (code && !(d->rights & AR_TYPE_READABLE))
			return false;
		return conforming || (dpl >= t->cpl && dpl >= rpl);
	}
}

static void load_segment(struct task *t, enum x86_seg seg)
{
	uint16_t selector = t->seg[seg];
	bool null = !(selector & (SELECTOR_INDEX | SELECTOR_TI));
	struct descriptor d;

	if (null && seg != SEG_CS && seg != SEG_SS)
		return;
	if (null || !find(t, selector, &d) || !fits(t, seg, selector, &d))
		fault_selector(t, VECTOR_TS, selector);
	else if (!(d.rights & AR_P))
		fault_selector(t, seg == SEG_SS ? VECTOR_SS : VECTOR_NP, selector);
	if (!ok(t))
		return;
	if (!(d.rights & AR_TYPE_ACCESSED)) {
		d.rights |= AR_TYPE_ACCESSED;
		put_type(t, &d);
	}
	set_segment(seg, selector, &d);
}

/* SDM 3B "Virtual-8086 Mode": CPL 3, and segments as in real-address mode. */
static void load_vm86_segments(const struct task *t)
{
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++) {
		const struct descriptor d = {.base = (uint64_t)t->seg[seg] << 4,
					     .limit = 0xffff,
					     .rights = AR_P | AR_DPL | AR_S | AR_TYPE_WRITABLE |
						       AR_TYPE_ACCESSED};

		set_segment((enum x86_seg)seg, t->seg[seg], &d);
	}
}

static void load_segments(struct task *t)
{
	static const uint8_t order[] = {SEG_CS, SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};

	load_ldt(t);
	if (ok(t) && t->flags & RFLAGS_VM)
		load_vm86_segments(t);
	for (unsigned i = 0; i < sizeof(order) && ok(t) && !(t->flags & RFLAGS_VM); i++)
		load_segment(t, (enum x86_seg)order[i]);
	if (ok(t) && t->ip > hw_vmread(VMCS_GUEST_CS_LIMIT))
		fault(t, VECTOR_GP, 0);
}

/* SDM 3A "Limit Checking": valid are the bytes up to the limit, or above it if expand-down. */
static bool stack_has_room(uint64_t sp, unsigned size)
{
	uint64_t rights = hw_vmread(VMCS_GUEST_SS_ACCESS_RIGHTS);
	uint64_t limit = hw_vmread(VMCS_GUEST_SS_LIMIT), last = sp + size - 1;

	if (rights & AR_TYPE_EXPAND_DOWN)
		return sp > limit && last <= (rights & AR_DB ? UINT32_MAX : UINT16_MAX);
	return last <= limit;
}

/* The error code of the event goes on the new task's stack. */
static void push_error(struct task *t)
{
	unsigned size = t->layout->size;
	uint64_t rsp = hw_vmread(VMCS_GUEST_RSP), mask, sp;

	if (!ok(t) || !(t->event & INTR_INFO_ERROR_CODE))
		return;
	mask = hw_vmread(VMCS_GUEST_SS_ACCESS_RIGHTS) & AR_DB ? UINT32_MAX : UINT16_MAX;
	sp = (rsp - size) & mask;
	if (!stack_has_room(sp, size))
		fault(t, VECTOR_SS, 0);
	store(t, hw_vmread(VMCS_GUEST_SS_BASE) + sp, size,
	      hw_vmread(VMCS_IDT_VECTORING_ERROR_CODE));
	if (ok(t))
		hw_vmwrite(VMCS_GUEST_RSP, (rsp & ~mask) | sp);
}

static bool is_contributory(uint32_t vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/* SDM 3A "Interrupt 8-Double Fault Exception": what a fault on the way to a handler becomes. */
static void raise(struct task *t)
{
	uint32_t first = t->event & INTR_INFO_VECTOR, second = t->fault.vector;
	bool exception = (t->event & (INTR_INFO_VALID | INTR_INFO_TYPE)) ==
			 (INTR_INFO_VALID | INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT);
	bool page = first == VECTOR_PF && (second == VECTOR_PF || is_contributory(second));

	if (exception && first == VECTOR_DF && (second == VECTOR_PF || is_contributory(second)))
		hv_end_guest(t->vcpu, "triple fault, in a task switch");
	if (exception && (page || (is_contributory(first) && is_contributory(second))))
		guest_inject_code(VECTOR_DF, 0);
	else
		guest_inject_code(t->fault.vector, t->fault.error);
}

static uint32_t ext_of(uint32_t event)
{
	uint32_t type = (event & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT;

	return event & INTR_INFO_VALID && type != INTR_TYPE_SOFTWARE_INTERRUPT &&
	       type != INTR_TYPE_SOFTWARE_EXCEPTION;
}

/* The SSP of the new task's TSS, tokens, frames: nothing of that is done here. */
static bool has_cet(void)
{
	const uint64_t on = CET_SH_STK_EN | CET_ENDBR_EN;
	uint64_t user = 0, supervisor = 0;

	if (!(hw_vmread(VMCS_GUEST_CR4) & CR4_CET))
		return false;
	(void)hw_try_rdmsr(MSR_IA32_U_CET, &user);
	(void)hw_try_rdmsr(MSR_IA32_S_CET, &supervisor);
	return (user | supervisor) & on;
}

enum exit_next handle_task_switch(struct vcpu *vcpu)
{
	struct task t = {
		.vcpu = vcpu,
		.source = (enum task_source)(vcpu->exit.qualification >> 30 & 3),
		.selector = (uint16_t)vcpu->exit.qualification,
	};

	if (has_cet())
		hv_end_guest(vcpu, "a hardware task switch with CET on");
	if (t.source == SOURCE_GATE)
		t.event = (uint32_t)hw_vmread(VMCS_IDT_VECTORING_INFO);
	t.ext = ext_of(t.event);
	if (!find(&t, t.selector, &t.tss))
		fault_selector(&t, VECTOR_TS, t.selector);
	t.layout = tss_layout_of(t.tss.rights & AR_TYPE);
	exchange(&t);
	if (ok(&t)) {
		commit(&t);
		load_segments(&t);
		push_error(&t);
	}
	if (!ok(&t)) {
		raise(&t);
	} else if (t.trap) {
		hw_write_dr6(hw_read_dr6() | DR6_BT);
		guest_inject(VECTOR_DB);
	}
	return EXIT_NEXT_RESUME;
}
