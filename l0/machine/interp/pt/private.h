/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside Intel Processor Trace: trace.c decides what is told, packet.c encodes it, output.c writes
 * it to memory, msrs.c has the registers. Nothing outside pt/ includes this header.
 */
#ifndef L0_MACHINE_INTERP_PT_PRIVATE_H
#define L0_MACHINE_INTERP_PT_PRIVATE_H

#include "l0/machine/interp/mmu.h"
#include "l0/machine/interp/pt/pt.h"

#define PT_EXEC_UNKNOWN 0xff

/* SDM 3C "Packet Definitions": the first byte, without IPBytes. */
enum pt_ip_packet {
	PT_TIP_PGD = 0x01,
	PT_TIP = 0x0d,
	PT_TIP_PGE = 0x11,
	PT_FUP = 0x1d,
};

static inline bool pt_ctl(const struct cpu *cpu, uint64_t bit)
{
	return cpu->pt.msr.ctl & bit;
}

/* ---- trace.c ---- */
/* TraceEn has become 1; it is becoming 0 by the instruction under way. */
void pt_start(struct cpu *cpu);
void pt_stop(struct cpu *cpu);

/* ---- packet.c: what TNT and TIP packets wait goes first, but for those two ---- */
void pt_put_tnt(struct cpu *cpu, bool taken);
/* A TIP packet, which may wait for the TNT. */
void pt_put_tip(struct cpu *cpu, uint64_t ip);
/* Any packet with an IP at once. full: its IP does not depend on the last one. */
void pt_put_ip(struct cpu *cpu, enum pt_ip_packet type, uint64_t ip, bool full);
/* TIP.PGD without an IP. */
void pt_put_pgd(struct cpu *cpu);
/* MODE.Exec, if it says anything new. */
void pt_put_exec(struct cpu *cpu);
void pt_put_tsx(struct cpu *cpu, bool in, bool aborted);
void pt_put_pip(struct cpu *cpu);
void pt_put_vmcs(struct cpu *cpu);
void pt_put_trace_stop(struct cpu *cpu);
/* TSC, TMA and CBR. */
void pt_put_time(struct cpu *cpu);
/* MTC, if its time has come. */
void pt_put_mtc(struct cpu *cpu);
/* PSB+; with `ip`, for a trace that goes on there. */
void pt_put_psb(struct cpu *cpu, const uint64_t *ip);
/* Is the next PSB due? */
bool pt_psb_due(const struct cpu *cpu);
void pt_flush(struct cpu *cpu);

/* ---- output.c ---- */
/* Ends packet generation (TriggerEn = 0) where memory ends, or is ill described. */
void pt_output(struct cpu *cpu, const uint8_t *bytes, unsigned count);
/* Are output addresses guest-physical? */
bool pt_through_ept(const struct cpu *cpu);
/* If they are: can the next `count` bytes be written? False: *walk says what EPT has against it. */
bool pt_room(struct cpu *cpu, uint32_t count, struct walk *walk);

#endif
