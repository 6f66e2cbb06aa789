/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets of Intel Processor Trace, SDM 3C "Packet Definitions". What they say is trace.c's
 * business.
 */
#include "l0/machine/interp/pt/private.h"

#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/vmx/vmx.h"

#define TNT_SHORT 6
#define TNT_LONG 47
#define CORE_BUS_RATIO (MACHINE_HZ / 100000000) /* as MSR_PLATFORM_INFO has it */
#define CR3_LOW 5
#define VMCS_LOW 12
#define PSB_PAIRS 8
#define MTC_LOST 256 /* its payload comes round again */

/* TNT and TIP packets, MODE, PIP, VMCS, OVF, MTC, TSC: preceded by CYC in cycle-accurate mode. */
enum { PLAIN, CYC_ELIGIBLE };

static void raw(struct cpu *cpu, const uint8_t *bytes, unsigned count)
{
	uint64_t *status = &cpu->pt.msr.status, sent = *status >> RTIT_STATUS_BYTES_SHIFT;

	if (!cpu->pt.on)
		return;
	sent = (sent + count) & RTIT_STATUS_BYTES_MASK;
	*status = (uint32_t)*status | sent << RTIT_STATUS_BYTES_SHIFT;
	pt_output(cpu, bytes, count);
}

/* SDM 3C "Cycle Count (CYC) Packet": five bits, then seven a byte as long as the bit before says
 * so. */
static void put_cyc(struct cpu *cpu)
{
	unsigned threshold = cpu->pt.msr.ctl >> RTIT_CTL_CYC_THRESH_SHIFT & 15, count = 1;
	uint64_t cycles = cpu_now(cpu) - cpu->pt.cycle;
	uint8_t bytes[16];

	if (!cycles || (threshold && cycles < UINT64_C(1) << (threshold - 1)))
		return;
	cpu->pt.cycle += cycles;
	bytes[0] = (uint8_t)((cycles & 0x1f) << 3 | (cycles >> 5 ? 4 : 0) | 3);
	for (cycles >>= 5; cycles; cycles >>= 7)
		bytes[count++] = (uint8_t)((cycles & 0x7f) << 1 | (cycles >> 7 ? 1 : 0));
	raw(cpu, bytes, count);
}

static void put(struct cpu *cpu, const uint8_t *bytes, unsigned count, int eligible)
{
	if (eligible && pt_ctl(cpu, RTIT_CTL_CYC_EN))
		put_cyc(cpu);
	raw(cpu, bytes, count);
}

/* `count` bytes of a little-endian payload behind a header of one or two. */
static void put_payload(struct cpu *cpu, uint16_t header, uint64_t payload, unsigned count,
			int eligible)
{
	uint8_t bytes[10] = {(uint8_t)header, (uint8_t)(header >> 8)};
	unsigned at = header >> 8 ? 2 : 1;

	for (unsigned i = 0; i < count; i++)
		bytes[at + i] = (uint8_t)(payload >> 8 * i);
	put(cpu, bytes, at + count, eligible);
}

/* ---- IPs: SDM 3C "IP Compression" ---- */

static void put_ip(struct cpu *cpu, enum pt_ip_packet type, uint64_t ip, bool full)
{
	uint64_t differs = full ? UINT64_MAX : ip ^ cpu->pt.last_ip;
	bool extends = (uint64_t)((int64_t)(ip << 16) >> 16) == ip;
	unsigned form = !(differs >> 16)   ? 1
			: !(differs >> 32) ? 2
			: !(differs >> 48) ? 4
			: extends	   ? 3
					   : 6;
	static const uint8_t sizes[] = {0, 2, 4, 6, 6, 0, 8};

	put_payload(cpu, (uint16_t)(form << 5 | type), ip, sizes[form],
		    type == PT_FUP ? PLAIN : CYC_ELIGIBLE);
	cpu->pt.last_ip = ip;
}

/* ---- TNT, and the TIPs behind it: SDM 3C "Deferred TIPs" ---- */

void pt_flush(struct cpu *cpu)
{
	struct pt *pt = &cpu->pt;
	uint64_t tnt = UINT64_C(1) << pt->tnt_count | pt->tnt;

	if (pt->tnt_count > TNT_SHORT)
		put_payload(cpu, 0xa302, tnt, 6, CYC_ELIGIBLE);
	else if (pt->tnt_count)
		put_payload(cpu, (uint8_t)(tnt << 1), 0, 0, CYC_ELIGIBLE);
	for (unsigned i = 0; i < pt->deferred_count; i++)
		put_ip(cpu, PT_TIP, pt->deferred[i], false);
	pt->tnt = pt->tnt_count = pt->deferred_count = 0;
}

void pt_put_tnt(struct cpu *cpu, bool taken)
{
	struct pt *pt = &cpu->pt;

	pt->tnt = pt->tnt << 1 | taken;
	if (++pt->tnt_count == TNT_LONG)
		pt_flush(cpu);
}

void pt_put_tip(struct cpu *cpu, uint64_t ip)
{
	struct pt *pt = &cpu->pt;

	if (!pt->tnt_count) {
		put_ip(cpu, PT_TIP, ip, false);
		return;
	}
	pt->deferred[pt->deferred_count++] = ip;
	if (pt->deferred_count == PT_DEFERRED)
		pt_flush(cpu);
}

void pt_put_ip(struct cpu *cpu, enum pt_ip_packet type, uint64_t ip, bool full)
{
	pt_flush(cpu);
	put_ip(cpu, type, ip, full);
}

void pt_put_pgd(struct cpu *cpu)
{
	pt_flush(cpu);
	put_payload(cpu, PT_TIP_PGD, 0, 0, CYC_ELIGIBLE);
}

/* ---- modes ---- */

/* 0 16-bit, 1 64-bit, 2 32-bit code: CS.D, CS.L and IA32_EFER.LMA */
static uint8_t exec_mode(const struct cpu *cpu)
{
	if (cpu_code64(cpu))
		return 1;
	return cpu->seg[SEG_CS].ar & AR_DB ? 2 : 0;
}

void pt_put_exec(struct cpu *cpu)
{
	uint8_t mode = exec_mode(cpu);

	if (mode == cpu->pt.exec)
		return;
	pt_flush(cpu);
	cpu->pt.exec = mode;
	put_payload(cpu, 0x99, mode, 1, CYC_ELIGIBLE);
}

void pt_put_tsx(struct cpu *cpu, bool in, bool aborted)
{
	pt_flush(cpu);
	put_payload(cpu, 0x99, 0x20 | (uint64_t)aborted << 1 | in, 1, CYC_ELIGIBLE);
}

static bool concealed(const struct cpu *cpu)
{
	return cpu->vmx->secondary & SECONDARY_CONCEAL_VMX_FROM_PT;
}

/* Bit 0 of its payload is NR: VMX non-root operation. */
void pt_put_pip(struct cpu *cpu)
{
	bool nonroot = cpu->vmx->nonroot && !concealed(cpu);

	pt_flush(cpu);
	put_payload(cpu, 0x4302, cpu->cr3 >> CR3_LOW << 1 | nonroot, 6, CYC_ELIGIBLE);
}

void pt_put_vmcs(struct cpu *cpu)
{
	if (!cpu->vmx->on || cpu->vmx->current == VMX_NO_VMCS || concealed(cpu))
		return;
	pt_flush(cpu);
	put_payload(cpu, 0xc802, cpu->vmx->current >> VMCS_LOW, 5, CYC_ELIGIBLE);
}

void pt_put_trace_stop(struct cpu *cpu)
{
	pt_flush(cpu);
	put_payload(cpu, 0x8302, 0, 0, PLAIN);
}

/* ---- time: the crystal clock is the TSC's, CPUID leaf 15H ---- */

static uint64_t art(const struct cpu *cpu)
{
	return cpu_now(cpu);
}

static void put_tsc(struct cpu *cpu)
{
	if (!pt_ctl(cpu, RTIT_CTL_TSC_EN))
		return;
	put_payload(cpu, 0x19, vmx_guest_tsc(cpu, cpu_tsc(cpu)), 7, CYC_ELIGIBLE);
	if (pt_ctl(cpu, RTIT_CTL_MTC_EN)) /* TMA; FastCounter is 0 */
		put_payload(cpu, 0x7302, art(cpu) & 0xffff, 5, PLAIN);
}

static void put_cbr(struct cpu *cpu)
{
	put_payload(cpu, 0x0302, CORE_BUS_RATIO, 2, PLAIN);
}

void pt_put_time(struct cpu *cpu)
{
	pt_flush(cpu);
	put_tsc(cpu);
	put_cbr(cpu);
	cpu->pt.art = art(cpu);
}

void pt_put_mtc(struct cpu *cpu)
{
	unsigned shift = cpu->pt.msr.ctl >> RTIT_CTL_MTC_FREQ_SHIFT & 15;
	uint64_t now = art(cpu), periods = (now >> shift) - (cpu->pt.art >> shift);

	if (!pt_ctl(cpu, RTIT_CTL_MTC_EN) || !periods)
		return;
	pt_flush(cpu);
	if (periods >= MTC_LOST)
		put_tsc(cpu);
	else
		put_payload(cpu, 0x59, now >> shift & 0xff, 1, CYC_ELIGIBLE);
	cpu->pt.art = now;
}

/* ---- PSB+: SDM 3C "Packet Stream Boundary (PSB) Packet" ---- */

bool pt_psb_due(const struct cpu *cpu)
{
	unsigned shift = 11 + (cpu->pt.msr.ctl >> RTIT_CTL_PSB_FREQ_SHIFT & 15);

	return cpu->pt.msr.status >> RTIT_STATUS_BYTES_SHIFT >> shift;
}

/* A RET is never compressed across it, and no IP either. */
static void put_pattern(struct cpu *cpu)
{
	uint8_t bytes[2 * PSB_PAIRS];

	for (unsigned i = 0; i < PSB_PAIRS; i++) {
		bytes[2 * i] = 0x02;
		bytes[2 * i + 1] = 0x82;
	}
	cpu->pt.msr.status = (uint32_t)cpu->pt.msr.status;
	raw(cpu, bytes, sizeof(bytes));
	cpu->pt.last_ip = 0;
	cpu->pt.calls = 0;
	cpu->pt.exec = PT_EXEC_UNKNOWN;
}

void pt_put_psb(struct cpu *cpu, const uint64_t *ip)
{
	pt_flush(cpu);
	put_pattern(cpu);
	pt_put_time(cpu);
	if (cpu->pt.context && pt_ctl(cpu, RTIT_CTL_OS))
		pt_put_pip(cpu);
	pt_put_vmcs(cpu);
	if (cpu->pt.context && pt_ctl(cpu, RTIT_CTL_BRANCH_EN))
		pt_put_tsx(cpu, rtm_active(cpu), false);
	if (ip) {
		pt_put_exec(cpu);
		put_ip(cpu, PT_FUP, *ip, false);
	}
	put_payload(cpu, 0x2302, 0, 0, PLAIN);
}
