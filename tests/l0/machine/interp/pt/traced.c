/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Running code twice, and libipt's view of the trace.
 */
#include "tests/l0/machine/interp/pt/traced.h"

#include <intel-pt.h>
#include <stdio.h>

#include "l0/machine/boot.h"
#include "l0/machine/interp/vmx/vmx.h"
#include "shadow/sdm/vmcs.h"

#define STEPS_MOST 400000

/* ---- the machine ---- */

static void make_gdt(struct machine *m)
{
	static const uint64_t gdt[] = {
	    UINT64_C(0x00cffb000000ffff), /* 20 32-bit code, user */
	    UINT64_C(0x00cff3000000ffff), /* 28 data, user */
	    UINT64_C(0x00affb000000ffff), /* 30 64-bit code, user */
	    PT_TSS << 16 | UINT64_C(0x0000890000000067),
	    0,				  /* 38 TSS */
	    UINT64_C(0x00cf9b000000ffff), /* 48 32-bit code */
	};

	for (unsigned i = 0; i < sizeof(gdt) / sizeof(gdt[0]); i++)
		whole_put64(m, WHOLE_GDT + 0x20 + 8 * i, gdt[i]);
	m->cpu->gdtr.limit = 0x4f;
	m->cpu->seg[SEG_TR] = (struct segment){
	    .base = PT_TSS, .limit = 0x67, .ar = AR_P | DESC_TSS_BUSY, .selector = PT_TR};
	whole_put64(m, PT_TSS + 4, PT_INNER_STACK);
}

/* Every handler ends where it begins, unless the case puts code there: IRETQ. */
static void make_idt(struct machine *m)
{
	for (uint64_t v = 0; v < 256; v++) {
		uint64_t at = PT_HANDLER(v), dpl = v >= 0x40 || v == 3 ? 3 : 0;
		uint64_t low = (at & 0xffff) | PT_CS << 16 | (UINT64_C(0x8e00) | dpl << 13) << 32 |
			       (at >> 16) << 48;

		whole_put64(m, PT_IDT + 16 * v, low);
		whole_put64(m, PT_IDT + 16 * v + 8, 0);
		PT_PUT(m, at, 0x48, 0xcf);
	}
	m->cpu->idtr = (struct table_register){.base = PT_IDT, .limit = 0xfff};
}

static void create(const struct pt_case *c, struct machine *m)
{
	whole_create_part(m, PT_RAM, c->part ? c->part : "cascade-lake");
	whole_boot_long64(m, PT_RAM, PT_CODE, PT_STACK);
	make_gdt(m);
	make_idt(m);
	m->cpu->efer |= EFER_SCE;
	m->cpu->msrs.star = UINT64_C(0x0020001000000000) | UINT64_C(0x23) << 48;
	c->setup(m);
	cpu_mode_changed(m->cpu);
}

void pt_set(struct machine *m, uint32_t msr, uint64_t value)
{
	assert_true(cpu_wrmsr(m->cpu, msr, value));
}

uint64_t pt_get(struct machine *m, uint32_t msr)
{
	uint64_t value = 0;

	assert_true(cpu_rdmsr(m->cpu, msr, &value));
	return value;
}

void pt_prepare(const struct pt_case *c, struct machine *m)
{
	create(c, m);
	if (!(c->ctl & RTIT_CTL_TOPA)) {
		pt_set(m, MSR_IA32_RTIT_OUTPUT_BASE, PT_BUFFER);
		pt_set(m, MSR_IA32_RTIT_OUTPUT_MASK_PTRS, PT_BUFFER_SIZE - 1);
	}
	if (c->by_field)
		vmcs_set(m->cpu->vmx->vmcs, GUEST_IA32_RTIT_CTL, c->ctl | RTIT_CTL_TRACE_EN);
	else
		pt_set(m, MSR_IA32_RTIT_CTL, c->ctl | RTIT_CTL_TRACE_EN);
}

static void run_to(struct machine *m, uint64_t insns)
{
	m->max_insns = insns;
	m->stop = STOP_NONE;
	interp_cpu_ops.run(m->cpu);
	assert_true(m->stop == STOP_INSN_LIMIT || m->stop == STOP_HALTED);
}

/* ---- one instruction at a time: who counts branches makes the engine know each ---- */

static bool is_software_interrupt(struct machine *m, uint64_t at)
{
	uint8_t byte;

	assert_true(memory_read(&m->memory, at, &byte, 1));
	return byte == 0xcc || byte == 0xcd || byte == 0xf1;
}

static void note_steps(const struct pt_case *c, struct pt_run *r)
{
	struct machine m;
	struct cpu *cpu;

	create(c, &m);
	cpu = m.cpu;
	cpu->perf.branches = cpu->attention = true;
	r->steps = calloc(STEPS_MOST, sizeof(*r->steps));
	while (cpu->insns < c->insns && m.stop != STOP_HALTED) {
		uint64_t insns = cpu->insns, cr3 = cpu->cr3;
		unsigned cpl = cpu->cpl;

		run_to(&m, insns + 1);
		if (cpu->insns == insns || (c->wanted && !c->wanted(cpu->branch.rip, cpl, cr3)))
			continue;
		assert_true(r->count < STEPS_MOST);
		r->steps[r->count++] =
		    (struct pt_step){cpu->branch.rip, is_software_interrupt(&m, cpu->branch.rip)};
	}
	machine_free(&m);
}

void pt_run(const struct pt_case *c, struct pt_run *r)
{
	uint64_t pointers;

	memset(r, 0, sizeof(*r));
	note_steps(c, r);
	pt_prepare(c, &r->machine);
	run_to(&r->machine, c->insns);
	pt_set(&r->machine, MSR_IA32_RTIT_CTL, 0);
	pointers = pt_get(&r->machine, MSR_IA32_RTIT_OUTPUT_MASK_PTRS);
	r->filter_ctl = c->ctl;
	for (unsigned i = 0; i < 4; i++)
		r->filter_addr[i] = pt_get(&r->machine, MSR_IA32_RTIT_ADDR0_A + i);
	if (c->ctl & RTIT_CTL_TOPA)
		return;
	r->size = pointers >> 32;
	r->trace = malloc(r->size + 1);
	assert_true(memory_read(&r->machine.memory, PT_BUFFER, r->trace, r->size));
}

void pt_run_free(struct pt_run *r)
{
	machine_free(&r->machine);
	free(r->trace);
	free(r->steps);
}

/* ---- libipt ---- */

static int read_memory(uint8_t *buffer, size_t size, const struct pt_asid *asid, uint64_t ip,
		       void *context)
{
	struct machine *m = context;

	(void)asid;
	if (ip >= PT_RAM)
		return -pte_nomap;
	if (size > PT_RAM - ip)
		size = PT_RAM - ip;
	return memory_read(&m->memory, ip, buffer, size) ? (int)size : -pte_nomap;
}

static struct pt_config config_of(const struct pt_run *r)
{
	struct pt_config config;

	pt_config_init(&config);
	config.begin = r->trace;
	config.end = r->trace + r->size;
	config.mtc_freq = r->filter_ctl >> RTIT_CTL_MTC_FREQ_SHIFT & 15;
	config.nom_freq = 10;
	config.cpuid_0x15_eax = config.cpuid_0x15_ebx = 1;
	config.addr_filter.config.addr_cfg = r->filter_ctl >> RTIT_CTL_ADDR_CFG_SHIFT;
	config.addr_filter.addr0_a = r->filter_addr[0];
	config.addr_filter.addr0_b = r->filter_addr[1];
	config.addr_filter.addr1_a = r->filter_addr[2];
	config.addr_filter.addr1_b = r->filter_addr[3];
	return config;
}

static void tell_error(struct pt_insn_decoder *decoder, const struct pt_run *r, size_t at,
		       int error)
{
	uint64_t offset = 0;

	(void)pt_insn_get_offset(decoder, &offset);
	fail_msg("libipt: %s at byte %zx of %zx, instruction %zu of %zu (%lx)",
		 pt_errstr(pt_errcode(error)), (size_t)offset, r->size, at, r->count,
		 at < r->count ? (unsigned long)r->steps[at].rip : 0);
}

/* Takes events; a software interrupt is one, and stands for its instruction. */
static int take_events(struct pt_insn_decoder *decoder, struct pt_run *r, size_t *at, int status)
{
	while (status >= 0 && (status & pts_event_pending)) {
		struct pt_event event;

		status = pt_insn_event(decoder, &event, sizeof(event));
		if (status < 0)
			break;
		if (event.type < 64)
			r->events[event.type]++;
		if ((event.type == ptev_async_branch || event.type == ptev_async_disabled) &&
		    *at < r->count && r->steps[*at].software_interrupt &&
		    r->steps[*at].rip == event.variant.async_branch.from)
			(*at)++;
	}
	return status;
}

static void take_insn(struct pt_run *r, size_t *at, const struct pt_insn *insn)
{
	if (*at >= r->count)
		fail_msg("instruction %zu: %lx in the trace, but none is left", *at,
			 (unsigned long)insn->ip);
	if (r->steps[*at].rip != insn->ip)
		fail_msg("instruction %zu: %lx in the trace, %lx was executed", *at,
			 (unsigned long)insn->ip, (unsigned long)r->steps[*at].rip);
	(*at)++;
	r->decoded++;
}

void pt_compare(struct pt_run *r, size_t from, size_t missing)
{
	struct pt_config config = config_of(r);
	struct pt_insn_decoder *decoder = pt_insn_alloc_decoder(&config);
	size_t at = from;
	int status;

	assert_non_null(decoder);
	assert_int_equal(
	    pt_image_set_callback(pt_insn_get_image(decoder), read_memory, &r->machine), 0);
	status = pt_insn_sync_forward(decoder);
	while (status >= 0) {
		struct pt_insn insn = {0};

		status = take_events(decoder, r, &at, status);
		if (status < 0 || (status & pts_eos))
			break;
		status = pt_insn_next(decoder, &insn, sizeof(insn));
		if (insn.iclass != ptic_error)
			take_insn(r, &at, &insn);
	}
	if (status < 0 && status != -pte_eos)
		tell_error(decoder, r, at, status);
	if (r->count - at > missing)
		fail_msg("the trace ends after %zu of %zu instructions", at, r->count);
	pt_insn_free_decoder(decoder);
}

unsigned pt_count_packets(const struct pt_run *r, int type)
{
	struct pt_config config = config_of(r);
	struct pt_packet_decoder *decoder = pt_pkt_alloc_decoder(&config);
	struct pt_packet packet;
	unsigned count = 0;
	int status;

	assert_non_null(decoder);
	assert_int_equal(pt_pkt_sync_set(decoder, 0), 0);
	while ((status = pt_pkt_next(decoder, &packet, sizeof(packet))) > 0)
		count += (int)packet.type == type;
	assert_int_equal(status, -pte_eos);
	pt_pkt_free_decoder(decoder);
	return count;
}
