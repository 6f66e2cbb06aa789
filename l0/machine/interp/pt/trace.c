/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What Intel Processor Trace tells of an instruction or an event, SDM 3C "Packet Generation Enable
 * Controls" and the table of "Packet Generation". Every change of flow is one struct transfer:
 * which packets come of it follows from PacketEn before and after it.
 */
#include "l0/machine/interp/pt/private.h"

#include "l0/machine/interp/branch.h"
#include "l0/machine/interp/rtm.h"

/* How the target of a transfer is told. */
enum told {
	TOLD_BY_CODE,	 /* direct branches */
	TOLD_BY_TNT,	 /* conditional branches, compressed RETs */
	TOLD_BY_TIP,	 /* which may be deferred */
	TOLD_AT_ONCE,	 /* by a TIP that waits for nothing: an uncompressed RET */
	TOLD_BY_NOTHING, /* no branch: only the context may have changed */
};

/* Bytes that an instruction, an interrupt and a VM exit put out at most, PSB+ and time included. */
#define ROOM 512

struct transfer {
	enum told told;
	bool asynchronous; /* comes with a FUP */
	uint64_t from;
};

/* ---- enables ---- */

/* SDM 3C "Context Enable (ContextEn)" */
static bool context_enabled(const struct cpu *cpu)
{
	if (!pt_ctl(cpu, cpu->cpl ? RTIT_CTL_USER : RTIT_CTL_OS))
		return false;
	return !pt_ctl(cpu, RTIT_CTL_CR3_FILTER) ||
	       !((cpu->cr3 ^ cpu->pt.msr.cr3_match) & ~UINT64_C(0x1f));
}

enum { RANGE_FILTER = 1, RANGE_STOP = 2 };

/* Ranges are of linear addresses. Is RIP in one of this kind; is there one at all? */
static bool in_range(const struct cpu *cpu, unsigned kind, bool *any)
{
	uint64_t ip = cpu_rip(cpu), ctl = cpu->pt.msr.ctl >> RTIT_CTL_ADDR_CFG_SHIFT;

	if (!cpu_code64(cpu))
		ip = (uint32_t)(ip + cpu->seg[SEG_CS].base);
	*any = false;
	for (unsigned i = 0; i < PT_RANGES; i++, ctl >>= 4) {
		if ((ctl & 15) != kind)
			continue;
		*any = true;
		if (ip >= cpu->pt.msr.addr[2 * i] && ip <= cpu->pt.msr.addr[2 * i + 1])
			return true;
	}
	return false;
}

/* SDM 3C "Filtering by IP": FilterEn changes where a branch or an event lands, and in context. */
static void update_enables(struct cpu *cpu, bool lands)
{
	struct pt *pt = &cpu->pt;
	bool any, was = pt->context;

	pt->context = context_enabled(cpu);
	if (pt->context && (lands || !was))
		pt->filter = in_range(cpu, RANGE_FILTER, &any) || !any;
	pt->packet = pt->context && pt->filter && pt_ctl(cpu, RTIT_CTL_BRANCH_EN);
}

/* ---- TraceStop ---- */

static bool stops(struct cpu *cpu, bool lands)
{
	bool any;

	if (!lands || !cpu->pt.context || !in_range(cpu, RANGE_STOP, &any))
		return false;
	cpu->pt.filter = cpu->pt.packet = false;
	return true;
}

static void trace_stop(struct cpu *cpu)
{
	pt_put_trace_stop(cpu);
	cpu->pt.msr.status |= RTIT_STATUS_STOPPED;
	cpu->pt.on = false;
}

/* ---- transfers ---- */

/* An IP is told when it is FilterEn that has gone; of conditional branches as well, which the SDM
 * leaves to inference, and Intel's decoder does not infer. */
static void leave(struct cpu *cpu)
{
	cpu->pt.calls = 0;
	if (cpu->pt.context)
		pt_put_ip(cpu, PT_TIP_PGD, cpu_rip(cpu), false);
	else
		pt_put_pgd(cpu);
}

static void go_on(struct cpu *cpu, const struct transfer *t)
{
	switch (t->told) {
	case TOLD_BY_TNT:
		pt_put_tnt(cpu, true);
		break;
	case TOLD_BY_TIP:
		pt_put_exec(cpu);
		pt_put_tip(cpu, cpu_rip(cpu));
		break;
	case TOLD_AT_ONCE:
		pt_put_ip(cpu, PT_TIP, cpu_rip(cpu), false);
		break;
	default:
		break;
	}
}

static void transfer(struct cpu *cpu, const struct transfer *t)
{
	struct pt *pt = &cpu->pt;
	bool was = pt->packet, lands = t->told != TOLD_BY_NOTHING || pt->cr3_loaded, stop;

	if (was && t->asynchronous)
		pt_put_ip(cpu, PT_FUP, t->from, false);
	update_enables(cpu, lands);
	stop = stops(cpu, lands);
	if (pt->cr3_loaded && pt->context && pt_ctl(cpu, RTIT_CTL_OS))
		pt_put_pip(cpu);
	pt->cr3_loaded = false;
	if (was && pt->packet) {
		go_on(cpu, t);
	} else if (was) {
		leave(cpu);
	} else if (pt->packet) {
		pt_put_exec(cpu);
		pt_put_ip(cpu, PT_TIP_PGE, cpu_rip(cpu), false);
	}
	if (stop)
		trace_stop(cpu);
}

/* ---- calls and returns: SDM 3C "Indirect Transfer Compression for Returns (RET)" ---- */

static void push_call(struct cpu *cpu, uint64_t ip)
{
	struct pt *pt = &cpu->pt;

	pt->newest = (pt->newest + 1) % PT_CALLS;
	pt->call[pt->newest] = ip;
	pt->calls += pt->calls < PT_CALLS;
}

/* A RET that goes elsewhere makes all that is known of calls useless: decoders do not agree on what
 * it takes off their stack. */
static enum told tell_return(struct cpu *cpu)
{
	struct pt *pt = &cpu->pt;

	if (pt_ctl(cpu, RTIT_CTL_DIS_RETC) || !pt->packet || !pt->calls ||
	    pt->call[pt->newest] != cpu_rip(cpu)) {
		pt->calls = 0;
		return TOLD_AT_ONCE;
	}
	pt->calls--;
	pt->newest = (pt->newest + PT_CALLS - 1) % PT_CALLS;
	return TOLD_BY_TNT;
}

/* ---- instructions ---- */

/* XBEGIN and XEND. */
static void transaction(struct cpu *cpu)
{
	struct pt *pt = &cpu->pt;
	bool in = rtm_active(cpu);

	if (in == pt->transaction)
		return;
	pt->transaction = in;
	if (!pt->context || !pt_ctl(cpu, RTIT_CTL_BRANCH_EN))
		return;
	pt_put_tsx(cpu, in, false);
	if (pt->packet)
		pt_put_ip(cpu, PT_FUP, cpu->branch.rip, false);
}

static void conditional(struct cpu *cpu)
{
	if (cpu_rip(cpu) != cpu->branch.next)
		transfer(cpu, &(struct transfer){.told = TOLD_BY_TNT});
	else if (cpu->pt.packet)
		pt_put_tnt(cpu, false);
}

/* A near call to the next instruction only asks where it is. */
static void call(struct cpu *cpu, enum told told)
{
	uint64_t to = cpu_rip(cpu);
	bool was = cpu->pt.packet;

	transfer(cpu, &(struct transfer){.told = told});
	if (was && cpu->pt.packet && (told != TOLD_BY_CODE || to != cpu->branch.next))
		push_call(cpu, cpu->branch.next);
}

/* What goes elsewhere without being a branch is a VM entry, or an XBEGIN that has aborted at once.
 */
static void other(struct cpu *cpu)
{
	if (cpu->pt.crossed)
		transfer(cpu, &(struct transfer){.told = TOLD_BY_TIP});
	else if (cpu_rip(cpu) == cpu->branch.next)
		transfer(cpu, &(struct transfer){.told = TOLD_BY_NOTHING});
	else
		pt_aborted(cpu, cpu->branch.rip);
	cpu->pt.crossed = false;
}

static void retired(struct cpu *cpu)
{
	transaction(cpu);
	switch (cpu->branch.kind) {
	case LBR_JCC:
		conditional(cpu);
		return;
	case LBR_NEAR_REL_CALL:
		call(cpu, TOLD_BY_CODE);
		return;
	case LBR_NEAR_IND_CALL:
		call(cpu, TOLD_BY_TIP);
		return;
	case LBR_NEAR_RET:
		transfer(cpu, &(struct transfer){.told = tell_return(cpu)});
		return;
	case LBR_NEAR_REL_JMP:
		transfer(cpu, &(struct transfer){.told = TOLD_BY_CODE});
		return;
	case LBR_NEAR_IND_JMP:
	case LBR_FAR_BRANCH:
		transfer(cpu, &(struct transfer){.told = TOLD_BY_TIP});
		return;
	default:
		other(cpu);
		return;
	}
}

/* ---- events ---- */

void pt_event(struct cpu *cpu, uint64_t from)
{
	cpu->pt.seen = cpu->insns;
	if (cpu->pt.on && !cpu->pt.starting)
		transfer(cpu, &(struct transfer){
				  .told = TOLD_BY_TIP, .asynchronous = true, .from = from});
}

void pt_aborted(struct cpu *cpu, uint64_t from)
{
	struct pt *pt = &cpu->pt;

	if (!pt->on || pt->starting)
		return;
	pt->transaction = false;
	if (pt->context && pt_ctl(cpu, RTIT_CTL_BRANCH_EN))
		pt_put_tsx(cpu, false, true);
	transfer(cpu, &(struct transfer){.told = TOLD_BY_TIP, .asynchronous = true, .from = from});
}

/* ---- on and off ---- */

/* Which packets wait, and what decoders know, belongs to a trace that is over. */
void pt_start(struct cpu *cpu)
{
	struct pt *pt = &cpu->pt;

	pt->on = !(pt->msr.status & (RTIT_STATUS_ERROR | RTIT_STATUS_STOPPED));
	pt->starting = true;
	pt->tnt_count = pt->deferred_count = pt->calls = 0;
	pt->tnt = 0;
	pt->region.known = false;
	pt->context = pt->filter = pt->packet = false;
	cpu->attention = true;
}

void pt_stop(struct cpu *cpu)
{
	struct pt *pt = &cpu->pt;

	if (pt->on && pt->packet && !pt->crossing)
		pt_put_ip(cpu, PT_FUP, cpu_insn_rip(cpu), false);
	if (pt->on && pt->packet)
		pt_put_pgd(cpu);
	pt_flush(cpu);
	pt->on = pt->starting = pt->context = pt->filter = pt->packet = false;
	cpu->attention = true;
}

static void begin(struct cpu *cpu)
{
	struct pt *pt = &cpu->pt;
	bool stop;

	pt->starting = pt->cr3_loaded = pt->slept = pt->crossed = false;
	pt->transaction = rtm_active(cpu);
	pt->exec = PT_EXEC_UNKNOWN;
	pt->cycle = cpu_now(cpu);
	pt->seen = cpu->insns;
	update_enables(cpu, true);
	stop = stops(cpu, true);
	if (pt->msr.status >> RTIT_STATUS_BYTES_SHIFT)
		pt_put_time(cpu);
	else
		pt_put_psb(cpu, NULL);
	if (pt->packet) {
		pt_put_exec(cpu);
		pt_put_ip(cpu, PT_TIP_PGE, cpu_rip(cpu), true);
	}
	if (stop)
		trace_stop(cpu);
}

void pt_boundary(struct cpu *cpu)
{
	struct pt *pt = &cpu->pt;
	struct walk walk = {0};

	if (pt->starting) {
		/* Looking EPT up may exit (a full page-modification log), and an event would be
		 * lost. */
		if (!(cpu->event.valid && pt_through_ept(cpu)) && pt_room(cpu, ROOM, &walk))
			begin(cpu);
		return;
	}
	if (cpu->branch.pending && cpu->insns == cpu->branch.insns && pt->seen != cpu->insns) {
		pt->seen = cpu->insns;
		retired(cpu);
	}
	if (pt->slept && pt->on && cpu->activity == ACTIVITY_ACTIVE) {
		pt->slept = false;
		pt_put_time(cpu);
	}
	if (pt->on)
		pt_put_mtc(cpu);
	if (pt->on && pt_psb_due(cpu))
		pt_put_psb(cpu, pt->packet ? &cpu_rip(cpu) : NULL);
}

/* ---- VMX transitions ---- */

void pt_entering(struct cpu *cpu)
{
	cpu->pt.crossing = true;
}

void pt_entered(struct cpu *cpu, bool concealed)
{
	cpu->pt.crossing = false;
	cpu->pt.crossed = true;
	cpu->pt.cr3_loaded = !concealed;
}

void pt_exiting(struct cpu *cpu, bool clears)
{
	struct pt *pt = &cpu->pt;

	pt->crossing = true;
	if (pt->on && !pt->starting && pt->packet)
		pt_put_ip(cpu, PT_FUP, cpu_rip(cpu), false);
	if (clears)
		pt_stop(cpu);
}

void pt_exited(struct cpu *cpu, bool concealed)
{
	struct pt *pt = &cpu->pt;

	pt->crossing = false;
	pt->cr3_loaded = !concealed;
	if (pt->on && !pt->starting)
		transfer(cpu, &(struct transfer){.told = TOLD_BY_TIP});
}

void pt_vmcs_loaded(struct cpu *cpu)
{
	if (cpu->pt.on && !cpu->pt.starting && cpu->pt.context)
		pt_put_vmcs(cpu);
}

void pt_ready(struct cpu *cpu)
{
	struct walk walk = {0};

	if (pt_room(cpu, ROOM, &walk)) {
		if (cpu->pt.starting)
			begin(cpu);
		return;
	}
	if (walk.outcome == WALK_EPT_MISCONFIGURATION)
		vmx_exit_ept_misconfiguration(cpu, walk.gpa);
	vmx_exit_ept_violation(cpu, walk.gpa, 0, false,
			       (walk.qualification & ~VMX_EPT_CONVERTIBLE) | EPT_QUAL_ASYNCHRONOUS);
}
